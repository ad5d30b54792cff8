//! The keys of SSE-S3: data keys that the store wraps itself, under a secret that is derived from the root key.
//!
//! ```text
//! wrapped: 01 ‖ salt (32) ‖ AES-256-GCM(data key)      associated: the context, sorted and length-prefixed
//! ```
//! The wrapping key is derived with the salt, which is fresh for each, so the nonce is zero (docs/design.md, "zero
//! nonces").

use std::fmt;

use async_trait::async_trait;

use crate::crypto::{Purpose, SecretKey, aead, derive, random};
use crate::sse::{Context, DataKey, KeyProvider, ProviderError, WrappedKey};

/// What its one key is called.
pub(in crate::service) const OWN_KEY: &str = "strongroom:sse-s3";

/// Wraps and unwraps data keys for SSE-S3.
pub(in crate::service) struct OwnKeys {
    secret: SecretKey,
}

const FORMAT: u8 = 1;
const SALT_LEN: usize = 32;

impl OwnKeys {
    /// `secret` is the same at every start.
    pub(in crate::service) const fn new(secret: SecretKey) -> Self {
        Self { secret }
    }

    fn wrapping_key(&self, salt: &[u8]) -> SecretKey {
        derive(&self.secret, salt, Purpose::BucketsKey, b"")
    }
}

#[async_trait]
impl KeyProvider for OwnKeys {
    async fn generate(&self, _key: &str, context: &Context) -> Result<DataKey, ProviderError> {
        let failed = |_| ProviderError::Answer;
        let plaintext = SecretKey::from_bytes(random::array().map_err(failed)?);
        let salt = random::array::<SALT_LEN>().map_err(failed)?;
        let (key, bound) = (self.wrapping_key(&salt), bound_to(context));
        let sealed = aead::seal(&key, &[0; aead::NONCE_LEN], &bound, plaintext.expose());
        let blob = [&[FORMAT][..], &salt, &sealed.map_err(failed)?].concat();
        Ok(DataKey { plaintext, wrapped: WrappedKey { key_arn: OWN_KEY.to_owned(), blob } })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        let opened = || {
            let rest = wrapped.blob.strip_prefix(&[FORMAT])?;
            let (salt, sealed) = rest.split_at_checked(SALT_LEN)?;
            let key = self.wrapping_key(salt);
            let opened =
                aead::open(&key, &[0; aead::NONCE_LEN], &bound_to(context), sealed).ok()?;
            SecretKey::from_slice(opened.expose()).ok()
        };
        opened().ok_or(ProviderError::Answer)
    }

    async fn may_generate(&self, _key: &str, _context: &Context) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// Each name and value with its length before it, in order of names.
fn bound_to(context: &Context) -> Vec<u8> {
    let mut out = Vec::new();
    for text in context.iter().flat_map(|(name, value)| [name, value]) {
        out.extend_from_slice(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    out
}

/// Without its secret.
impl fmt::Debug for OwnKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKeys(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_data_key_unwraps_with_its_context_and_secret_alone() {
        let keys = OwnKeys::new(SecretKey::from_bytes([1; 32]));
        let context = Context::from([("aws:s3:arn".to_owned(), "arn:aws:s3:::b/k".to_owned())]);
        let made = keys.generate(OWN_KEY, &context).await.unwrap();
        let back = keys.unwrap(&made.wrapped, &context).await.unwrap();
        assert_eq!(back.expose(), made.plaintext.expose());
        let other = Context::from([("aws:s3:arn".to_owned(), "arn:aws:s3:::b/l".to_owned())]);
        assert!(keys.unwrap(&made.wrapped, &other).await.is_err());
        let others = OwnKeys::new(SecretKey::from_bytes([2; 32]));
        assert!(others.unwrap(&made.wrapped, &context).await.is_err());
        for at in 0..made.wrapped.blob.len() {
            let mut blob = made.wrapped.blob.clone();
            blob[at] ^= 1;
            let altered = WrappedKey { blob, ..made.wrapped.clone() };
            assert!(keys.unwrap(&altered, &context).await.is_err(), "{at}");
        }
        for len in 0..made.wrapped.blob.len() {
            let blob = made.wrapped.blob[..len].to_vec();
            let short = WrappedKey { blob, ..made.wrapped.clone() };
            assert!(keys.unwrap(&short, &context).await.is_err(), "{len}");
        }
    }

    #[test]
    fn contexts_are_told_apart_by_their_lengths() {
        let one = Context::from([("a".to_owned(), "bc".to_owned())]);
        let two = Context::from([("ab".to_owned(), "c".to_owned())]);
        assert_ne!(bound_to(&one), bound_to(&two));
    }
}
