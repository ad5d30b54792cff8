//! The KMS keyring: data keys of a KMS key, bound to suite and encryption context.
//!
//! The context that KMS sees is the caller's and `aws:x-amz-cek-alg`, the suite's name. It is kept
//! with the object; on reading, what is kept less the reserved pairs has to be what the caller says,
//! so that who can write to the bucket cannot choose it.

use std::sync::Arc;

use super::Error;
use super::description::Description;
use super::keyring::Keyring;
use super::metadata::{WrappedDataKey, Wrapping};
use super::suite::Suite;
use crate::crypto::SecretKey;
use crate::sse::{KeyProvider, ProviderError, WrappedKey};

/// Data keys under a KMS key, from any [`KeyProvider`].
#[derive(Debug, Clone)]
pub struct KmsKeyring {
    provider: Arc<dyn KeyProvider>,
    key: String,
}

impl KmsKeyring {
    /// Wraps and unwraps under the key of this id, ARN or alias alone: an object whose wrapped key
    /// is another's does not open.
    pub fn new(provider: Arc<dyn KeyProvider>, key: impl Into<String>) -> Self {
        Self { provider, key: key.into() }
    }
}

impl Keyring for KmsKeyring {
    async fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> Result<(SecretKey, WrappedDataKey), Error> {
        if said.contains_key(SUITE_NAME) || said.contains_key(KMS_KEY_ID) {
            return Err(Error::Reserved);
        }
        let mut context = said.clone();
        context.insert(SUITE_NAME.to_owned(), suite.name().to_owned());
        let made = self.provider.generate(&self.key, &context).await?;
        let (wrapping, bytes) = (Wrapping::KmsContext, made.wrapped.blob);
        Ok((made.plaintext, WrappedDataKey { suite, wrapping, bytes, description: context }))
    }

    async fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> Result<SecretKey, Error> {
        if !matches!(wrapped.wrapping, Wrapping::KmsContext | Wrapping::Kms) {
            return Err(Error::Unsupported("its key wrapping, by a KMS keyring"));
        }
        let mut kept = wrapped.description.clone();
        let suite = kept.remove(SUITE_NAME);
        kept.remove(KMS_KEY_ID);
        if kept != *said {
            return Err(Error::Context);
        }
        // A key that was made for one suite is not taken for another's.
        if wrapped.wrapping == Wrapping::KmsContext
            && suite.as_deref() != Some(wrapped.suite.name())
        {
            return Err(Error::Open);
        }
        // The format does not keep the key's ARN; the caller's name of it stands in.
        let asked = WrappedKey { key_arn: self.key.clone(), blob: wrapped.bytes.clone() };
        Ok(self.provider.unwrap(&asked, &wrapped.description).await?)
    }
}

/// A blob that does not open is the object's fault, whatever else the service says its own.
impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        match error {
            ProviderError::Refused { exception, .. }
                if exception == "InvalidCiphertextException" =>
            {
                Self::Open
            }
            error => Self::Provider(error),
        }
    }
}

/// The pair that binds a data key to its suite.
const SUITE_NAME: &str = "aws:x-amz-cek-alg";
/// What the wrapping `kms` put there; not the caller's either.
const KMS_KEY_ID: &str = "kms_cmk_id";
