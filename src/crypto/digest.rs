//! SHA-256 (FIPS 180-4).

use sha2::{Digest, Sha256};

/// Length of a digest in bytes.
pub const LEN: usize = 32;

/// Hashes the concatenation of `parts`. Callers separate parts themselves where it matters.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; LEN] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
