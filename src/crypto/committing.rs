//! The derivation of the Amazon S3 Encryption Client's committing suite, 0x0073: HKDF-SHA512
//! (RFC 5869) of a data key, with an object's message id as salt.
//!
//! AES-GCM does not commit to its key: two keys can be found that open one ciphertext to two
//! plaintexts. The commitment is kept beside the ciphertext and binds it to one data key.

use hkdf::Hkdf;
use sha2::Sha512;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{Error, SecretKey};

/// Length of a message id in bytes.
pub const MESSAGE_ID_LEN: usize = 28;
/// Length of a commitment in bytes.
pub const COMMITMENT_LEN: usize = 28;
/// The suite's number, as it stands in both labels and in the body's associated data.
pub const SUITE_ID: [u8; 2] = [0x00, 0x73];

/// The pseudorandom key of one message.
pub struct MessageKey(Hkdf<Sha512>);

impl MessageKey {
    /// Extracts it from a data key.
    #[must_use]
    pub fn new(data_key: &SecretKey, message_id: &[u8; MESSAGE_ID_LEN]) -> Self {
        Self(Hkdf::new(Some(message_id), data_key.expose()))
    }

    /// The value that binds the message to the data key; not a secret.
    ///
    /// # Errors
    /// [`Error::Length`] never in practice: HKDF gives up to 16,320 bytes.
    pub fn commitment(&self) -> Result<[u8; COMMITMENT_LEN], Error> {
        let mut out = [0; COMMITMENT_LEN];
        self.expand(b"COMMITKEY", &mut out)?;
        Ok(out)
    }

    /// The key of the content, once it is sure that `commitment` is the message's. Compares in
    /// constant time.
    ///
    /// # Errors
    /// [`Error::Open`] for another commitment.
    pub fn content_key(&self, commitment: &[u8; COMMITMENT_LEN]) -> Result<SecretKey, Error> {
        let same: bool = self.commitment()?.ct_eq(commitment).into();
        if !same {
            return Err(Error::Open);
        }
        let mut out = Zeroizing::new([0; SecretKey::LEN]);
        self.expand(b"DERIVEKEY", out.as_mut())?;
        Ok(SecretKey::from_bytes(*out))
    }

    fn expand(&self, label: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.0.expand_multi_info(&[&SUITE_ID, label], out).map_err(|_| Error::Length)
    }
}

impl std::fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageKey(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// tests/vectors/s3-client/README.md names the source: data key, message id, content key,
    /// commitment.
    #[test]
    fn answers_the_published_vectors() {
        let cases = include_str!("../../tests/vectors/s3-client/derivation.hex");
        let mut count = 0;
        for case in cases.lines() {
            let fields: Vec<_> = case.split(' ').map(|text| hex::decode(text).unwrap()).collect();
            let [data_key, message_id, content_key, commitment] = &fields[..] else {
                panic!("{case}")
            };
            let data_key = SecretKey::from_slice(data_key).unwrap();
            let key = MessageKey::new(&data_key, message_id.as_slice().try_into().unwrap());
            assert_eq!(key.commitment().unwrap().as_slice(), commitment);
            let derived = key.content_key(commitment.as_slice().try_into().unwrap()).unwrap();
            assert_eq!(derived.expose().as_slice(), content_key);
            for bit in 0..COMMITMENT_LEN * 8 {
                let mut other: [u8; COMMITMENT_LEN] = commitment.as_slice().try_into().unwrap();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(key.content_key(&other), Err(Error::Open)));
            }
            count += 1;
        }
        assert_eq!(count, 2);
    }
}
