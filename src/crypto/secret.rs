//! Secret bytes as types: wiped on drop, redacted in `Debug`, neither `Clone` nor `Serialize`.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::{Error, random};

/// A 256-bit symmetric key.
///
/// ```compile_fail
/// let key = strongroom::crypto::SecretKey::generate().unwrap();
/// let copy = key.clone(); // a key is moved or borrowed, never copied
/// ```
pub struct SecretKey(Zeroizing<[u8; Self::LEN]>);

impl SecretKey {
    /// Length in bytes.
    pub const LEN: usize = 32;

    /// Draws a new key from the operating system.
    ///
    /// # Errors
    /// [`Error::Random`] when the random source fails.
    pub fn generate() -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        random::fill(key.as_mut())?;
        Ok(Self(key))
    }

    /// Takes over `bytes`; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Copies a key out of a slice of exactly [`Self::LEN`] bytes.
    ///
    /// # Errors
    /// [`Error::Length`] for any other length.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
        let mut key = Zeroizing::new([0; Self::LEN]);
        if bytes.len() != Self::LEN {
            return Err(Error::Length);
        }
        key.copy_from_slice(bytes);
        Ok(Self(key))
    }

    /// Borrows the secret; every call is a place for a reviewer to stop.
    #[must_use]
    pub fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Compares in constant time.
    #[must_use]
    pub fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(other.0.as_ref()).into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

/// Secret bytes of any length: the plaintext of a data key or of `Decrypt`.
///
/// ```compile_fail
/// let plaintext = strongroom::crypto::Plaintext::from(vec![1, 2, 3]);
/// let copy = plaintext.clone(); // moved or borrowed, never copied
/// ```
/// ```compile_fail
/// let plaintext = strongroom::crypto::Plaintext::from(vec![1, 2, 3]);
/// println!("{plaintext}"); // never printable
/// ```
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    /// Draws `len` random bytes from the operating system.
    ///
    /// # Errors
    /// [`Error::Random`] when the random source fails.
    pub fn generate(len: usize) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new(vec![0; len]);
        random::fill(bytes.as_mut_slice())?;
        Ok(Self(bytes))
    }

    /// Borrows the secret; every call is a place for a reviewer to stop.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Where a cipher writes to.
    pub(super) fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Keeps the first `len` bytes; the rest is wiped.
    pub(super) fn truncate(&mut self, len: usize) {
        if let Some(rest) = self.0.get_mut(len..) {
            rest.zeroize();
        }
        self.0.truncate(len);
    }

    /// Length in bytes; not a secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the bytes to a caller that wipes them itself.
    #[must_use]
    pub fn into_inner(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

impl From<Vec<u8>> for Plaintext {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes, redacted)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret_byte() {
        let key = SecretKey::from_bytes([0xab; 32]);
        let plaintext = Plaintext::from(b"open sesame".to_vec());
        let printed = format!("{key:?} {plaintext:?}");
        assert!(
            !printed.contains("171") && !printed.contains("ab, ") && !printed.contains("sesame")
        );
        assert_eq!(printed, "SecretKey(redacted) Plaintext(11 bytes, redacted)");
    }

    #[test]
    fn keys_of_another_length_are_refused() {
        for len in [0, 16, 31, 33] {
            assert!(matches!(SecretKey::from_slice(&vec![0; len]), Err(Error::Length)));
        }
    }

    #[test]
    fn two_generated_keys_differ_and_a_key_equals_itself() {
        let (one, two) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        assert!(!one.equals(&two));
        assert!(one.equals(&SecretKey::from_slice(one.expose()).unwrap()));
    }
}
