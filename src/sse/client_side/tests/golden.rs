//! Objects of other programs: tests/vectors/s3-client/README.md says how they were made.

use serde_json::Value;

use super::super::*;
use super::data_key;
use crate::crypto::SecretKey;

/// A KMS of one data key, which asks for the context that it was wrapped with.
pub(super) struct OneKey {
    pub(super) context: Description,
}

impl DataKeys for OneKey {
    async fn generate(
        &mut self,
        key_id: &str,
        context: &Description,
    ) -> Result<(SecretKey, Vec<u8>), Error> {
        assert_eq!(key_id, "key");
        self.context = context.clone();
        Ok((data_key(), b"wrapped".to_vec()))
    }

    async fn decrypt(
        &mut self,
        key_id: &str,
        blob: &[u8],
        context: &Description,
    ) -> Result<SecretKey, Error> {
        assert_eq!(key_id, "key");
        if blob == b"wrapped" && *context == self.context {
            Ok(data_key())
        } else {
            Err(Error::Open)
        }
    }
}

pub(super) enum AnyKeyring {
    Aes(AesKeyring),
    Rsa(Box<RsaKeyring>),
    Kms(KmsKeyring<OneKey>),
}

impl Keyring for AnyKeyring {
    async fn generate(
        &mut self,
        suite: Suite,
        said: &Description,
    ) -> Result<(SecretKey, WrappedKey), Error> {
        match self {
            Self::Aes(keyring) => keyring.generate(suite, said).await,
            Self::Rsa(keyring) => keyring.generate(suite, said).await,
            Self::Kms(keyring) => keyring.generate(suite, said).await,
        }
    }

    async fn unwrap(
        &mut self,
        wrapped: &WrappedKey,
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
            _ => AnyKeyring::Kms(KmsKeyring::new(OneKey { context }, "key")),
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
