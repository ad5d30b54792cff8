//! AES-256-GCM in place, for object data: the same cipher as [`super::aead`], through
//! `aws-lc-rs`, whose vectorised code is about four times as fast on large buffers.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Error, SecretKey};

pub use super::aead::{NONCE_LEN, TAG_LEN};

/// A key with its schedule computed, for many chunks.
pub struct BulkKey(LessSafeKey);

impl BulkKey {
    /// Computes the schedule of `key`.
    ///
    /// # Errors
    /// [`Error::Length`] never in practice: a [`SecretKey`] has the right length.
    pub fn new(key: &SecretKey) -> Result<Self, Error> {
        let unbound = UnboundKey::new(&AES_256_GCM, key.expose()).map_err(|_| Error::Length)?;
        Ok(Self(LessSafeKey::new(unbound)))
    }

    /// Seals `buffer` in place and returns the tag.
    ///
    /// # Errors
    /// [`Error::Length`] when `buffer` is longer than the cipher allows.
    pub fn seal_in_place(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        buffer: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let tag = self
            .0
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(associated),
                buffer,
            )
            .map_err(|_| Error::Length)?;
        tag.as_ref().try_into().map_err(|_| Error::Length)
    }

    /// Opens `buffer` (ciphertext ‖ tag) in place and returns the plaintext part of it.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason; what `buffer` then holds is not to be used.
    pub fn open_in_place<'a>(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        buffer: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        self.0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(associated), buffer)
            .map_err(|_| Error::Open)
    }
}

impl std::fmt::Debug for BulkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BulkKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::aead;
    use super::*;

    #[test]
    fn each_library_opens_what_the_other_sealed() {
        let key = SecretKey::generate().unwrap();
        let bulk = BulkKey::new(&key).unwrap();
        for len in [0, 1, 15, 16, 17, 4096, 65536] {
            let plaintext: Vec<u8> = (0..=250).cycle().take(len).collect();
            let mut buffer = plaintext.clone();
            let tag = bulk.seal_in_place(&[3; 12], b"a", &mut buffer).unwrap();
            buffer.extend_from_slice(&tag);
            let sealed = aead::seal(&key, &[3; 12], b"a", &plaintext).unwrap();
            assert_eq!(buffer, sealed);
            assert_eq!(aead::open(&key, &[3; 12], b"a", &buffer).unwrap().expose(), plaintext);
            assert_eq!(bulk.open_in_place(&[3; 12], b"a", &mut buffer).unwrap(), plaintext);
        }
    }
}
