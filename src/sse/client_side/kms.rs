//! The KMS keyring: data keys of a KMS key, bound to suite and encryption context.
//!
//! The context that KMS sees is the caller's and `aws:x-amz-cek-alg`, the suite's name. It is kept
//! with the object; on reading, what is kept less the reserved pairs has to be what the caller says,
//! so that who can write to the bucket cannot choose it.

use std::future::Future;

use super::Error;
use super::description::Description;
use super::keyring::Keyring;
use super::metadata::{WrappedKey, Wrapping};
use super::suite::Suite;
use crate::crypto::SecretKey;

/// The calls of a KMS that a keyring needs: `GenerateDataKey` and `Decrypt`. Implemented for this
/// project's gRPC client; implement it for another KMS's.
pub trait DataKeys {
    /// A new 256-bit data key under a KMS key, plain and as ciphertext blob.
    ///
    /// Errors are [`Error::Keys`] with the client's own.
    fn generate(
        &mut self,
        key_id: &str,
        context: &Description,
    ) -> impl Future<Output = Result<(SecretKey, Vec<u8>), Error>> + Send;

    /// The data key in a ciphertext blob, if it was made under this KMS key with this context.
    ///
    /// Errors are [`Error::Open`] where the blob does not open, else [`Error::Keys`].
    fn decrypt(
        &mut self,
        key_id: &str,
        blob: &[u8],
        context: &Description,
    ) -> impl Future<Output = Result<SecretKey, Error>> + Send;
}

/// Data keys under a KMS key.
#[derive(Debug)]
pub struct KmsKeyring<K> {
    client: K,
    key_id: String,
}

impl<K: DataKeys> KmsKeyring<K> {
    /// Wraps and unwraps under the key of this id, ARN or alias alone: an object that names another
    /// key in its blob does not open.
    pub fn new(client: K, key_id: impl Into<String>) -> Self {
        Self { client, key_id: key_id.into() }
    }
}

impl<K: DataKeys + Send> Keyring for KmsKeyring<K> {
    async fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> Result<(SecretKey, WrappedKey), Error> {
        if said.contains_key(SUITE_NAME) || said.contains_key(KMS_KEY_ID) {
            return Err(Error::Reserved);
        }
        let mut context = said.clone();
        context.insert(SUITE_NAME.to_owned(), suite.name().to_owned());
        let (data_key, bytes) = self.client.generate(&self.key_id, &context).await?;
        let wrapping = Wrapping::KmsContext;
        Ok((data_key, WrappedKey { suite, wrapping, bytes, description: context }))
    }

    async fn unwrap(
        &mut self,
        wrapped: &WrappedKey,
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
        self.client.decrypt(&self.key_id, &wrapped.bytes, &wrapped.description).await
    }
}

/// The pair that binds a data key to its suite.
const SUITE_NAME: &str = "aws:x-amz-cek-alg";
/// What the wrapping `kms` put there; not the caller's either.
const KMS_KEY_ID: &str = "kms_cmk_id";
