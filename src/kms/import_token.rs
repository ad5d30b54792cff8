//! Import tokens: the private half of a wrapping key, sealed for one key and a day.
//!
//! ```text
//! 01 ‖ salt (16) ‖ AES-256-GCM(valid to (i64, seconds) ‖ wrapping (1) ‖ size (1) ‖ PKCS #8)
//! ```
//! The key is derived from the service's secret with the salt; associated data: `01 ‖ salt ‖ key ARN`.

use chrono::{DateTime, Utc};

use super::Error;
use crate::crypto::pair::RsaSize;
use crate::crypto::rsa::{Oaep, Wrapping};
use crate::crypto::{Plaintext, Purpose, SecretKey, aead, derive, random};

/// What a token says.
#[derive(Debug)]
pub(super) struct ImportToken {
    pub(super) valid_to: DateTime<Utc>,
    pub(super) wrapping: Wrapping,
    pub(super) size: RsaSize,
    pub(super) private: Plaintext,
}

const FORMAT: u8 = 1;
const SALT_LEN: usize = 16;
const NONCE: [u8; aead::NONCE_LEN] = [0; aead::NONCE_LEN];
const WRAPPINGS: [Wrapping; 4] = [
    Wrapping::Oaep(Oaep::Sha1),
    Wrapping::Oaep(Oaep::Sha256),
    Wrapping::OaepAesKeyWrap(Oaep::Sha1),
    Wrapping::OaepAesKeyWrap(Oaep::Sha256),
];
const SIZES: [RsaSize; 3] = [RsaSize::Bits2048, RsaSize::Bits3072, RsaSize::Bits4096];

impl ImportToken {
    /// Seals the token for the key of an ARN.
    pub(super) fn seal(&self, secret: &SecretKey, arn: &str) -> Result<Vec<u8>, Error> {
        let place = |found: Option<usize>| {
            found.and_then(|place| u8::try_from(place).ok()).ok_or(Error::Internal)
        };
        let wrapping = place(WRAPPINGS.iter().position(|known| *known == self.wrapping))?;
        let size = place(SIZES.iter().position(|known| *known == self.size))?;
        let date = self.valid_to.timestamp().to_be_bytes();
        let said = [&date[..], &[wrapping, size], self.private.expose()].concat();
        let said = Plaintext::from(said);
        let salt: [u8; SALT_LEN] = random::array()?;
        let head = [&[FORMAT][..], &salt].concat();
        let key = derive(secret, &salt, Purpose::ImportToken, b"");
        let sealed = aead::seal(&key, &NONCE, &[&head, arn.as_bytes()].concat(), said.expose())?;
        Ok([head, sealed].concat())
    }

    /// Opens a token that was sealed for this key.
    ///
    /// # Errors
    /// [`Error::InvalidImportToken`], whatever the reason.
    pub(super) fn open(secret: &SecretKey, arn: &str, token: &[u8]) -> Result<Self, Error> {
        Self::parse(secret, arn, token).ok_or(Error::InvalidImportToken)
    }

    fn parse(secret: &SecretKey, arn: &str, token: &[u8]) -> Option<Self> {
        let (head, sealed) = token.split_at_checked(1 + SALT_LEN)?;
        let (format, salt) = head.split_first()?;
        if *format != FORMAT {
            return None;
        }
        let key = derive(secret, salt, Purpose::ImportToken, b"");
        let said = aead::open(&key, &NONCE, &[head, arn.as_bytes()].concat(), sealed).ok()?;
        let (date, rest) = said.expose().split_first_chunk()?;
        let ([wrapping, size], private) = rest.split_first_chunk()?;
        Some(Self {
            valid_to: DateTime::from_timestamp(i64::from_be_bytes(*date), 0)?,
            wrapping: *WRAPPINGS.get(usize::from(*wrapping))?,
            size: *SIZES.get(usize::from(*size))?,
            private: Plaintext::from(private.to_vec()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_for_its_key_alone_and_not_when_altered() {
        let secret = SecretKey::generate().unwrap();
        let valid_to = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        for (wrapping, size) in WRAPPINGS.into_iter().zip(SIZES.into_iter().cycle()) {
            let private = Plaintext::from(vec![7; 2400]);
            let token = ImportToken { valid_to, wrapping, size, private };
            let sealed = token.seal(&secret, "arn").unwrap();
            assert!(sealed.len() <= 6144);
            let opened = ImportToken::open(&secret, "arn", &sealed).unwrap();
            assert_eq!((opened.wrapping, opened.size, opened.valid_to), (wrapping, size, valid_to));
            assert_eq!(opened.private.expose(), token.private.expose());
            assert!(ImportToken::open(&secret, "other", &sealed).is_err());
            let other = SecretKey::generate().unwrap();
            assert!(ImportToken::open(&other, "arn", &sealed).is_err());
            for at in [0, 1, 17, sealed.len() - 1] {
                let mut altered = sealed.clone();
                altered[at] ^= 1;
                assert!(ImportToken::open(&secret, "arn", &altered).is_err());
                assert!(ImportToken::open(&secret, "arn", &sealed[..at]).is_err());
            }
        }
    }
}
