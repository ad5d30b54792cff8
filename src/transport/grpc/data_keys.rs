//! `strongroom.v1.DataKeys`: one translation each way an operation.
//!
//! A plaintext leaves its wiping type here, in the message that is about to be written to the
//! caller's connection; the encoder's buffers are not wiped (SECURITY.md, "Memory").

use std::collections::HashMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer::answer;
use super::caller::caller_of;
use super::given;
use crate::crypto::Plaintext;
use crate::kms;
use crate::proto::v1;
use crate::proto::v1::data_keys_server::DataKeys;
use crate::service::Service;

/// The `DataKeys` service.
pub(super) struct Door {
    service: Arc<Service>,
}

impl Door {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

#[tonic::async_trait]
impl DataKeys for Door {
    async fn generate_data_key(
        &self,
        request: Request<v1::GenerateDataKeyRequest>,
    ) -> Result<Response<v1::GenerateDataKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateDataKey {
                    key_id: asked.key_id.into(),
                    key_spec: given(asked.key_spec),
                    number_of_bytes: asked.number_of_bytes,
                    encryption_context: context(asked.encryption_context),
                    grant_tokens: asked.grant_tokens,
                    ..kms::GenerateDataKey::default()
                },
            )
            .await;
        answer(reply, |done| v1::GenerateDataKeyResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            plaintext: bytes(done.plaintext),
            ciphertext_blob: done.ciphertext_blob,
        })
    }

    async fn generate_data_key_without_plaintext(
        &self,
        request: Request<v1::GenerateDataKeyWithoutPlaintextRequest>,
    ) -> Result<Response<v1::GenerateDataKeyWithoutPlaintextResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateDataKeyWithoutPlaintext {
                    key_id: asked.key_id.into(),
                    key_spec: given(asked.key_spec),
                    number_of_bytes: asked.number_of_bytes,
                    encryption_context: context(asked.encryption_context),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::GenerateDataKeyWithoutPlaintextResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            ciphertext_blob: done.ciphertext_blob,
        })
    }

    async fn wrap_data_key(
        &self,
        request: Request<v1::WrapDataKeyRequest>,
    ) -> Result<Response<v1::WrapDataKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::WrapDataKey {
                    key_id: asked.key_id.into(),
                    plaintext: Some(asked.plaintext.into()),
                    encryption_context: context(asked.encryption_context),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::WrapDataKeyResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            ciphertext_blob: done.ciphertext_blob,
        })
    }

    async fn unwrap_data_key(
        &self,
        request: Request<v1::UnwrapDataKeyRequest>,
    ) -> Result<Response<v1::UnwrapDataKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::UnwrapDataKey {
                    ciphertext_blob: asked.ciphertext_blob.into(),
                    encryption_context: context(asked.encryption_context),
                    key_id: given(asked.key_id),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::UnwrapDataKeyResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            plaintext: bytes(done.plaintext),
        })
    }

    async fn rewrap_data_key(
        &self,
        request: Request<v1::RewrapDataKeyRequest>,
    ) -> Result<Response<v1::RewrapDataKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::RewrapDataKey {
                    ciphertext_blob: asked.ciphertext_blob.into(),
                    source_encryption_context: context(asked.source_encryption_context),
                    source_key_id: given(asked.source_key_id),
                    destination_key_id: given(asked.destination_key_id),
                    destination_encryption_context: context(asked.destination_encryption_context),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::RewrapDataKeyResponse {
            ciphertext_blob: done.ciphertext_blob,
            source_key_id: done.source_key_id,
            source_key_version: done.source_key_version,
            key_id: done.key_id,
            key_version: done.key_version,
        })
    }

    async fn encrypt(
        &self,
        request: Request<v1::EncryptRequest>,
    ) -> Result<Response<v1::EncryptResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::Encrypt {
                    key_id: asked.key_id.into(),
                    plaintext: Some(asked.plaintext.into()),
                    encryption_context: context(asked.encryption_context),
                    encryption_algorithm: given(asked.encryption_algorithm),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::EncryptResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            ciphertext_blob: done.ciphertext_blob,
            encryption_algorithm: done.encryption_algorithm.to_owned(),
        })
    }

    async fn decrypt(
        &self,
        request: Request<v1::DecryptRequest>,
    ) -> Result<Response<v1::DecryptResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::Decrypt {
                    ciphertext_blob: asked.ciphertext_blob.into(),
                    encryption_context: context(asked.encryption_context),
                    key_id: given(asked.key_id),
                    encryption_algorithm: given(asked.encryption_algorithm),
                    grant_tokens: asked.grant_tokens,
                    ..kms::Decrypt::default()
                },
            )
            .await;
        answer(reply, |done| v1::DecryptResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            plaintext: bytes(done.plaintext),
            encryption_algorithm: done.encryption_algorithm.to_owned(),
        })
    }

    async fn re_encrypt(
        &self,
        request: Request<v1::ReEncryptRequest>,
    ) -> Result<Response<v1::ReEncryptResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ReEncrypt {
                    ciphertext_blob: asked.ciphertext_blob.into(),
                    source_encryption_context: context(asked.source_encryption_context),
                    source_key_id: given(asked.source_key_id),
                    destination_key_id: asked.destination_key_id.into(),
                    destination_encryption_context: context(asked.destination_encryption_context),
                    source_encryption_algorithm: given(asked.source_encryption_algorithm),
                    destination_encryption_algorithm: given(asked.destination_encryption_algorithm),
                    grant_tokens: asked.grant_tokens,
                    ..kms::ReEncrypt::default()
                },
            )
            .await;
        answer(reply, |done| v1::ReEncryptResponse {
            ciphertext_blob: done.ciphertext_blob,
            source_key_id: done.source_key_id,
            source_key_version: done.source_key_version,
            key_id: done.key_id,
            key_version: done.key_version,
            source_encryption_algorithm: done.source_encryption_algorithm.to_owned(),
            destination_encryption_algorithm: done.destination_encryption_algorithm.to_owned(),
        })
    }

    async fn generate_mac(
        &self,
        request: Request<v1::GenerateMacRequest>,
    ) -> Result<Response<v1::GenerateMacResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateMac {
                    key_id: asked.key_id.into(),
                    message: Some(asked.message.into()),
                    mac_algorithm: asked.mac_algorithm.into(),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::GenerateMacResponse {
            key_id: done.key_id,
            mac: done.mac,
            mac_algorithm: done.mac_algorithm.to_owned(),
        })
    }

    async fn verify_mac(
        &self,
        request: Request<v1::VerifyMacRequest>,
    ) -> Result<Response<v1::VerifyMacResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::VerifyMac {
                    key_id: asked.key_id.into(),
                    message: Some(asked.message.into()),
                    mac_algorithm: asked.mac_algorithm.into(),
                    mac: asked.mac.into(),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::VerifyMacResponse {
            key_id: done.key_id,
            mac_valid: true,
            mac_algorithm: done.mac_algorithm.to_owned(),
        })
    }

    async fn derive_shared_secret(
        &self,
        request: Request<v1::DeriveSharedSecretRequest>,
    ) -> Result<Response<v1::DeriveSharedSecretResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::DeriveSharedSecret {
            key_id: asked.key_id.into(),
            key_agreement_algorithm: asked.key_agreement_algorithm.into(),
            public_key: asked.public_key.into(),
            grant_tokens: asked.grant_tokens,
            ..kms::DeriveSharedSecret::default()
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::DeriveSharedSecretResponse {
            key_id: done.key_id,
            shared_secret: done.shared_secret.expose().to_vec(),
            key_agreement_algorithm: done.key_agreement_algorithm.to_owned(),
        })
    }

    async fn encapsulate(
        &self,
        request: Request<v1::EncapsulateRequest>,
    ) -> Result<Response<v1::EncapsulateResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::Encapsulate {
            key_id: asked.key_id.into(),
            encapsulation_algorithm: asked.encapsulation_algorithm.into(),
            grant_tokens: asked.grant_tokens,
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::EncapsulateResponse {
            key_id: done.key_id,
            shared_secret: done.shared_secret.expose().to_vec(),
            shared_secret_ciphertext_blob: done.shared_secret_ciphertext_blob,
            encapsulation_algorithm: done.encapsulation_algorithm.to_owned(),
        })
    }

    async fn decapsulate(
        &self,
        request: Request<v1::DecapsulateRequest>,
    ) -> Result<Response<v1::DecapsulateResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::Decapsulate {
            key_id: asked.key_id.into(),
            shared_secret_ciphertext_blob: asked.shared_secret_ciphertext_blob.into(),
            encapsulation_algorithm: asked.encapsulation_algorithm.into(),
            grant_tokens: asked.grant_tokens,
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::DecapsulateResponse {
            key_id: done.key_id,
            shared_secret: done.shared_secret.expose().to_vec(),
            encapsulation_algorithm: done.encapsulation_algorithm.to_owned(),
        })
    }

    async fn sign(
        &self,
        request: Request<v1::SignRequest>,
    ) -> Result<Response<v1::SignResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::Sign {
                    key_id: asked.key_id.into(),
                    message: Some(asked.message.into()),
                    message_type: given(asked.message_type),
                    signing_algorithm: asked.signing_algorithm.into(),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::SignResponse {
            key_id: done.key_id,
            signature: done.signature,
            signing_algorithm: done.signing_algorithm.to_owned(),
        })
    }

    async fn verify(
        &self,
        request: Request<v1::VerifyRequest>,
    ) -> Result<Response<v1::VerifyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::Verify {
                    key_id: asked.key_id.into(),
                    message: Some(asked.message.into()),
                    message_type: given(asked.message_type),
                    signing_algorithm: asked.signing_algorithm.into(),
                    signature: asked.signature.into(),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::VerifyResponse {
            key_id: done.key_id,
            signature_valid: true,
            signing_algorithm: done.signing_algorithm.to_owned(),
        })
    }

    async fn generate_data_key_pair(
        &self,
        request: Request<v1::GenerateDataKeyPairRequest>,
    ) -> Result<Response<v1::GenerateDataKeyPairResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateDataKeyPair {
                    key_id: asked.key_id.into(),
                    key_pair_spec: asked.key_pair_spec.into(),
                    encryption_context: context(asked.encryption_context),
                    grant_tokens: asked.grant_tokens,
                    ..kms::GenerateDataKeyPair::default()
                },
            )
            .await;
        answer(reply, |done| v1::GenerateDataKeyPairResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            key_pair_spec: done.key_pair_spec.to_owned(),
            public_key: done.public_key,
            private_key_ciphertext_blob: done.private_key_ciphertext_blob,
            private_key_plaintext: done.private_key_plaintext.map(bytes).unwrap_or_default(),
        })
    }

    async fn generate_data_key_pair_without_plaintext(
        &self,
        request: Request<v1::GenerateDataKeyPairWithoutPlaintextRequest>,
    ) -> Result<Response<v1::GenerateDataKeyPairWithoutPlaintextResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateDataKeyPairWithoutPlaintext {
                    key_id: asked.key_id.into(),
                    key_pair_spec: asked.key_pair_spec.into(),
                    encryption_context: context(asked.encryption_context),
                    grant_tokens: asked.grant_tokens,
                },
            )
            .await;
        answer(reply, |done| v1::GenerateDataKeyPairWithoutPlaintextResponse {
            key_id: done.key_id,
            key_version: done.key_version,
            key_pair_spec: done.key_pair_spec.to_owned(),
            public_key: done.public_key,
            private_key_ciphertext_blob: done.private_key_ciphertext_blob,
        })
    }

    async fn generate_random(
        &self,
        request: Request<v1::GenerateRandomRequest>,
    ) -> Result<Response<v1::GenerateRandomResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GenerateRandom {
                    number_of_bytes: asked.number_of_bytes,
                    ..kms::GenerateRandom::default()
                },
            )
            .await;
        answer(reply, |plaintext| v1::GenerateRandomResponse { plaintext: bytes(plaintext) })
    }
}

fn bytes(plaintext: Plaintext) -> Vec<u8> {
    plaintext.expose().to_vec()
}

fn context(pairs: HashMap<String, String>) -> kms::EncryptionContext {
    pairs.into_iter().collect()
}
