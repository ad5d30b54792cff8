//! Objects of other programs: tests/vectors/s3-client/README.md says how they were made.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Value;

use super::super::*;
use super::data_key;
use crate::crypto::SecretKey;
use crate::sse::{Context, DataKey, KeyProvider, ProviderError, WrappedKey};

/// A KMS of one data key, which asks for the context that it was wrapped with.
#[derive(Debug, Default)]
pub(super) struct OneKey {
    pub(super) context: Mutex<Description>,
}

#[async_trait]
impl KeyProvider for OneKey {
    async fn generate(&self, key: &str, context: &Context) -> Result<DataKey, ProviderError> {
        assert_eq!(key, "key");
        self.context.lock().unwrap().clone_from(context);
        let wrapped = WrappedKey { key_arn: key.to_owned(), blob: b"wrapped".to_vec() };
        Ok(DataKey { plaintext: data_key(), wrapped })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        assert_eq!(wrapped.key_arn, "key");
        if wrapped.blob == b"wrapped" && *context == *self.context.lock().unwrap() {
            return Ok(data_key());
        }
        let exception = "InvalidCiphertextException".to_owned();
        Err(ProviderError::Refused { exception, message: String::new() })
    }

    async fn may_generate(&self, _: &str, _: &Context) -> Result<(), ProviderError> {
        Ok(())
    }
}

/// A keyring of one key in such a KMS.
pub(super) fn kms(context: Description) -> KmsKeyring {
    KmsKeyring::new(Arc::new(OneKey { context: Mutex::new(context) }), "key")
}

pub(super) enum AnyKeyring {
    Aes(AesKeyring),
    Rsa(Box<RsaKeyring>),
    Kms(KmsKeyring),
}

impl Keyring for AnyKeyring {
    async fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> Result<(SecretKey, WrappedDataKey), Error> {
        match self {
            Self::Aes(keyring) => keyring.generate(suite, said).await,
            Self::Rsa(keyring) => keyring.generate(suite, said).await,
            Self::Kms(keyring) => keyring.generate(suite, said).await,
        }
    }

    async fn unwrap(
        &mut self,
        wrapped: &WrappedDataKey,
        said: &Description,
    ) -> Result<SecretKey, Error> {
        match self {
            Self::Aes(keyring) => keyring.unwrap(wrapped, said).await,
            Self::Rsa(keyring) => keyring.unwrap(wrapped, said).await,
            Self::Kms(keyring) => keyring.unwrap(wrapped, said).await,
        }
    }
}

/// One of tests/vectors/s3-client/objects.json.
pub(super) struct Golden {
    pub(super) title: String,
    pub(super) keyring: AnyKeyring,
    pub(super) suite: String,
    pub(super) legacy: bool,
    pub(super) context: Description,
    pub(super) metadata: UserMetadata,
    pub(super) instruction: Option<String>,
    pub(super) body: Vec<u8>,
    pub(super) plaintext: Vec<u8>,
}

pub(super) fn golden() -> Vec<Golden> {
    let text = include_str!("../../../../tests/vectors/s3-client/objects.json");
    let all: Value = serde_json::from_str(text).unwrap();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let map = |value: &Value| serde_json::from_value::<UserMetadata>(value.clone()).unwrap();
    let one = |object: &Value| {
        let metadata = map(&object["metadata"]);
        let stored = ["x-amz-t", "x-amz-matdesc"].into_iter().find_map(|name| metadata.get(name));
        let context =
            stored.map_or_else(Description::new, |text| serde_json::from_str(text).unwrap());
        let keyring = match object["keyring"].as_str().unwrap() {
            "aes" => AnyKeyring::Aes(AesKeyring::new(
                SecretKey::from_slice(&bytes(&all["aes_key"])).unwrap(),
            )),
            "rsa" => AnyKeyring::Rsa(Box::new(
                RsaKeyring::from_pkcs8_der(&bytes(&all["rsa_key"])).unwrap(),
            )),
            _ => AnyKeyring::Kms(kms(context)),
        };
        Golden {
            title: object["title"].as_str().unwrap().to_owned(),
            keyring,
            suite: object["suite"].as_str().unwrap().to_owned(),
            legacy: object["legacy"].as_bool().unwrap(),
            context: map(&object["context"]),
            metadata,
            instruction: object["instruction"].as_str().map(str::to_owned),
            body: bytes(&object["body"]),
            plaintext: bytes(&object["plaintext"]),
        }
    };
    all["objects"].as_array().unwrap().iter().map(one).collect()
}
