//! AES-256-GCM (NIST SP 800-38D) for small things: wrapped keys, ciphertext blobs, stored values.
//!
//! Nonces are the caller's: zero under a key that is derived with a fresh salt for one message
//! (docs/design.md, "zero nonces"), or random under a key whose number of messages is bounded
//! (SECURITY.md, "Randomness and nonces").

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};

use super::{Error, Plaintext, SecretKey};

/// Nonce length in bytes.
pub const NONCE_LEN: usize = 12;
/// Tag length in bytes; it follows the ciphertext.
pub const TAG_LEN: usize = 16;

/// Seals `plaintext`; returns ciphertext ‖ tag.
///
/// # Errors
/// [`Error::Length`] when `plaintext` or `associated` is longer than the cipher allows (64 GiB).
pub fn seal(
    key: &SecretKey,
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    Aes256Gcm::new(key.expose().into())
        .encrypt(&Nonce::from(*nonce), Payload { msg: plaintext, aad: associated })
        .map_err(|_| Error::Length)
}

/// Opens ciphertext ‖ tag.
///
/// # Errors
/// [`Error::Open`], whatever the reason.
pub fn open(
    key: &SecretKey,
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Plaintext, Error> {
    Aes256Gcm::new(key.expose().into())
        .decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: associated })
        .map(Plaintext::from)
        .map_err(|_| Error::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_is_refused() {
        let key = SecretKey::from_bytes([1; 32]);
        let sealed = seal(&key, &[2; 12], b"place", b"value").unwrap();
        assert_eq!(open(&key, &[2; 12], b"place", &sealed).unwrap().expose(), b"value");
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&key, &[2; 12], b"place", &altered).unwrap_err(), Error::Open);
        }
        assert_eq!(open(&key, &[2; 12], b"other", &sealed).unwrap_err(), Error::Open);
        assert_eq!(open(&key, &[2; 12], b"place", &[]).unwrap_err(), Error::Open);
    }

    /// NIST's GCM test case 14 (McGrew and Viega): zero key, zero nonce, one zero block.
    #[test]
    fn answers_the_published_vector() {
        let sealed = seal(&SecretKey::from_bytes([0; 32]), &[0; 12], b"", &[0; 16]).unwrap();
        assert_eq!(
            hex::encode(sealed),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
        );
    }
}
