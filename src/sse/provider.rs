//! Where data keys come from: the one joint between objects and a key management service.
//!
//! Implementors: [`super::GrpcKeys`] (a running strongroom), `instance::Keys` (one in this process), and with the
//! feature `aws-kms` `AwsKms`.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::envelope::ObjectName;
use super::refusal::Refusal;
use crate::crypto::SecretKey;

/// The encryption context: names and values that are authenticated with a wrapped key.
pub type Context = BTreeMap<String, String>;

/// Makes, wraps and unwraps data keys.
///
/// Every method is one call to the service at the most, not counting retries, and may be cancelled by
/// dropping its future: what was made then is lost, and nothing else changes.
#[async_trait]
pub trait KeyProvider: Send + Sync + std::fmt::Debug {
    /// A new data key of 256 bits under `key`: a key id, key ARN, alias or alias ARN.
    ///
    /// # Errors
    /// [`ProviderError`]
    async fn generate(&self, key: &str, context: &Context) -> Result<DataKey, ProviderError>;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`ProviderError::Refused`], also when the context is another one.
    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError>;

    /// Whether the caller may use `key` for new data keys now, without making one.
    ///
    /// # Errors
    /// [`ProviderError::Refused`] when [`Self::generate`] would be refused.
    async fn may_generate(&self, key: &str, context: &Context) -> Result<(), ProviderError>;
}

/// A data key, plain and wrapped.
#[derive(Debug)]
pub struct DataKey {
    /// To use and forget.
    pub plaintext: SecretKey,
    /// To keep beside what it seals.
    pub wrapped: WrappedKey,
}

/// A wrapped data key, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WrappedKey {
    /// ARN of the KMS key.
    pub key_arn: String,
    /// The service's ciphertext blob.
    pub blob: Vec<u8>,
}

/// Why there is no data key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProviderError {
    /// The service answered, but not as its contract says.
    #[error("the key management service's answer is incomplete")]
    Answer,
    /// The service said no.
    #[error("{exception}: {message}")]
    Refused {
        /// AWS's exception: `DisabledException`, …
        exception: String,
        /// AWS's message.
        message: String,
    },
    /// The service was not reached in time, however often it was tried.
    #[error("the key management service cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What a dry run came to: AWS has an exception for one that would be done.
pub(crate) fn would<T>(asked: Result<T, ProviderError>) -> Result<(), ProviderError> {
    match asked {
        Err(ProviderError::Refused { exception, .. }) if exception == WOULD_DO => Ok(()),
        Err(error) => Err(error),
        // A dry run that runs made a key, which is thrown away.
        Ok(_) => Err(ProviderError::Answer),
    }
}

/// The exception.
const WOULD_DO: &str = "DryRunOperationException";

/// What S3 says of it: KMS's exceptions are passed on as `KMS.…`, a denial as `AccessDenied`.
impl From<&ProviderError> for Refusal {
    fn from(error: &ProviderError) -> Self {
        match error {
            ProviderError::Refused { exception, message }
                if exception == "AccessDeniedException" =>
            {
                Self::KmsAccess(message.clone())
            }
            ProviderError::Refused { exception, message } => {
                Self::Kms { exception: exception.clone(), message: message.clone() }
            }
            ProviderError::Answer | ProviderError::Unavailable(_) => Self::Unavailable,
        }
    }
}

/// The context that S3 gives an object's data key: its ARN, or its bucket's where a bucket key stands in
/// between, and what the request adds (S3 User Guide, "Encryption context").
#[must_use]
pub fn object_context(object: &ObjectName, bucket_key: bool, more: &Context) -> Context {
    let mut arn = format!("arn:aws:s3:::{}", object.bucket);
    if !bucket_key {
        arn.push('/');
        arn.push_str(&object.name);
    }
    let mut context = more.clone();
    context.insert(super::encryption::ARN.to_owned(), arn);
    context
}
