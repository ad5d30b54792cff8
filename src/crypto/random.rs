//! The operating system's random source, and nothing else.

use super::Error;

/// Fills `out` with random bytes.
///
/// # Errors
/// [`Error::Random`] when the operating system gives none.
pub fn fill(out: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(out).map_err(|_| Error::Random)
}

/// `N` random bytes: salts, nonces, identifiers. Secrets come from [`super::SecretKey::generate`].
///
/// # Errors
/// [`Error::Random`] when the operating system gives none.
pub fn array<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}
