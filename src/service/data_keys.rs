//! The service in this process as a [`KeyProvider`]: no wire; each call walks and is recorded as every
//! other.

use std::sync::Arc;

use async_trait::async_trait;

use super::Error;
use super::credential::Caller;
use super::hall::Service;
use crate::crypto::SecretKey;
use crate::kms;

use crate::sse::{Context, DataKey, KeyProvider, ProviderError, WrappedKey, would};

/// Data keys for one caller.
#[derive(Debug, Clone)]
pub struct Keys {
    service: Arc<Service>,
    caller: Caller,
}

impl Service {
    /// Data keys for whoever `caller` is. With [`Caller::via`] they come through a service: AWS-managed
    /// keys, such as `alias/aws/s3`, are used so alone.
    #[must_use]
    pub fn keys(self: &Arc<Self>, caller: Caller) -> Keys {
        Keys { service: Arc::clone(self), caller }
    }
}

impl Keys {
    /// The caller, with a request id of its own.
    fn caller(&self) -> Caller {
        Caller { request_id: Caller::in_process().request_id, ..self.caller.clone() }
    }
}

#[async_trait]
impl KeyProvider for Keys {
    async fn generate(&self, key: &str, context: &Context) -> Result<DataKey, ProviderError> {
        let request = generation(key, context);
        let made = self.service.call(self.caller(), request).await.result.map_err(refused)?;
        let wrapped = WrappedKey { key_arn: made.key_id, blob: made.ciphertext_blob };
        Ok(DataKey { plaintext: secret(&made.plaintext)?, wrapped })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        let request = kms::UnwrapDataKey {
            ciphertext_blob: wrapped.blob.clone().into(),
            encryption_context: context.clone(),
            key_id: Some(wrapped.key_arn.clone()),
            ..Default::default()
        };
        let unwrapped = self.service.call(self.caller(), request).await.result.map_err(refused)?;
        secret(&unwrapped.plaintext)
    }

    async fn may_generate(&self, key: &str, context: &Context) -> Result<(), ProviderError> {
        let caller = Caller { dry_run: true, ..self.caller() };
        would(self.service.call(caller, generation(key, context)).await.result.map_err(refused))
    }
}

fn generation(key: &str, context: &Context) -> kms::GenerateDataKey {
    kms::GenerateDataKey {
        key_id: key.into(),
        key_spec: Some("AES_256".to_owned()),
        encryption_context: context.clone(),
        ..Default::default()
    }
}

fn secret(plaintext: &crate::crypto::Plaintext) -> Result<SecretKey, ProviderError> {
    SecretKey::from_slice(plaintext.expose()).map_err(|_| ProviderError::Answer)
}

fn refused(error: Error) -> ProviderError {
    match error.code().as_ref() {
        "ServiceUnavailableException" => ProviderError::Unavailable(Box::new(error)),
        exception => {
            ProviderError::Refused { exception: exception.to_owned(), message: error.to_string() }
        }
    }
}
