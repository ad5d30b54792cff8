//! The use of keys: one translation each way an operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::members::Members;
use crate::crypto::Plaintext;
use crate::kms;
use crate::service::Error;

type Read<T> = Result<T, Error>;

pub(super) fn decrypt(asked: &mut Members) -> Read<kms::Decrypt> {
    Ok(kms::Decrypt {
        recipient: asked.recipient()?,
        ciphertext_blob: asked.required_blob("CiphertextBlob")?,
        encryption_context: asked.context("EncryptionContext")?,
        key_id: asked.text("KeyId")?,
        encryption_algorithm: asked.text("EncryptionAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
        dry_run_modifiers: asked.dry_run_modifiers()?,
    })
}

pub(super) fn decrypted(done: kms::DecryptOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "KeyMaterialId": done.key_material_id,
        "Plaintext": STANDARD.encode(done.plaintext.expose()),
        "EncryptionAlgorithm": done.encryption_algorithm,
    })
}

pub(super) fn decapsulate(asked: &mut Members) -> Read<kms::Decapsulate> {
    Ok(kms::Decapsulate {
        key_id: asked.required("KeyId")?,
        shared_secret_ciphertext_blob: asked.required_blob("SharedSecretCiphertextBlob")?,
        encapsulation_algorithm: asked.required("EncapsulationAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn decapsulated(done: kms::DecapsulateOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "SharedSecret": STANDARD.encode(done.shared_secret.expose()),
        "EncapsulationAlgorithm": done.encapsulation_algorithm,
    })
}

pub(super) fn derive_shared_secret(asked: &mut Members) -> Read<kms::DeriveSharedSecret> {
    Ok(kms::DeriveSharedSecret {
        recipient: asked.recipient()?,
        key_id: asked.required("KeyId")?,
        key_agreement_algorithm: asked.required("KeyAgreementAlgorithm")?,
        public_key: asked.required_blob("PublicKey")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn derived(done: kms::DeriveSharedSecretOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "SharedSecret": STANDARD.encode(done.shared_secret.expose()),
        "KeyAgreementAlgorithm": done.key_agreement_algorithm,
        "KeyOrigin": done.key_origin,
    })
}

pub(super) fn encapsulate(asked: &mut Members) -> Read<kms::Encapsulate> {
    Ok(kms::Encapsulate {
        key_id: asked.required("KeyId")?,
        encapsulation_algorithm: asked.required("EncapsulationAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn encapsulated(done: kms::EncapsulateOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "SharedSecret": STANDARD.encode(done.shared_secret.expose()),
        "SharedSecretCiphertextBlob": STANDARD.encode(done.shared_secret_ciphertext_blob),
        "EncapsulationAlgorithm": done.encapsulation_algorithm,
    })
}

pub(super) fn encrypt(asked: &mut Members) -> Read<kms::Encrypt> {
    Ok(kms::Encrypt {
        key_id: asked.required("KeyId")?,
        plaintext: asked.blob("Plaintext")?.map(Plaintext::from),
        encryption_context: asked.context("EncryptionContext")?,
        encryption_algorithm: asked.text("EncryptionAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn encrypted(done: kms::EncryptOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "CiphertextBlob": STANDARD.encode(done.ciphertext_blob),
        "EncryptionAlgorithm": done.encryption_algorithm,
    })
}

pub(super) fn generate_data_key(asked: &mut Members) -> Read<kms::GenerateDataKey> {
    Ok(kms::GenerateDataKey {
        recipient: asked.recipient()?,
        key_id: asked.required("KeyId")?,
        key_spec: asked.text("KeySpec")?,
        number_of_bytes: asked.integer("NumberOfBytes")?,
        encryption_context: asked.context("EncryptionContext")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn generated(done: kms::GenerateDataKeyOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "KeyMaterialId": done.key_material_id,
        "Plaintext": STANDARD.encode(done.plaintext.expose()),
        "CiphertextBlob": STANDARD.encode(done.ciphertext_blob),
    })
}

pub(super) fn generate_data_key_pair(asked: &mut Members) -> Read<kms::GenerateDataKeyPair> {
    Ok(kms::GenerateDataKeyPair {
        recipient: asked.recipient()?,
        key_id: asked.required("KeyId")?,
        key_pair_spec: asked.required("KeyPairSpec")?,
        encryption_context: asked.context("EncryptionContext")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn generate_data_key_pair_without_plaintext(
    asked: &mut Members,
) -> Read<kms::GenerateDataKeyPairWithoutPlaintext> {
    Ok(kms::GenerateDataKeyPairWithoutPlaintext {
        key_id: asked.required("KeyId")?,
        key_pair_spec: asked.required("KeyPairSpec")?,
        encryption_context: asked.context("EncryptionContext")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn key_pair(done: kms::DataKeyPair) -> Value {
    let private = done.private_key_plaintext.map(|private| STANDARD.encode(private.expose()));
    json!({
        "KeyId": done.key_id,
        "KeyMaterialId": done.key_material_id,
        "KeyPairSpec": done.key_pair_spec,
        "PublicKey": STANDARD.encode(done.public_key),
        "PrivateKeyPlaintext": private,
        "PrivateKeyCiphertextBlob": STANDARD.encode(done.private_key_ciphertext_blob),
    })
}

pub(super) fn generate_data_key_without_plaintext(
    asked: &mut Members,
) -> Read<kms::GenerateDataKeyWithoutPlaintext> {
    Ok(kms::GenerateDataKeyWithoutPlaintext {
        key_id: asked.required("KeyId")?,
        key_spec: asked.text("KeySpec")?,
        number_of_bytes: asked.integer("NumberOfBytes")?,
        encryption_context: asked.context("EncryptionContext")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn wrapped(done: kms::WrappedDataKey) -> Value {
    json!({
        "KeyId": done.key_id,
        "KeyMaterialId": done.key_material_id,
        "CiphertextBlob": STANDARD.encode(done.ciphertext_blob),
    })
}

pub(super) fn generate_mac(asked: &mut Members) -> Read<kms::GenerateMac> {
    Ok(kms::GenerateMac {
        key_id: asked.required("KeyId")?,
        message: asked.blob("Message")?.map(Plaintext::from),
        mac_algorithm: asked.required("MacAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn mac(done: kms::GenerateMacOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "Mac": STANDARD.encode(done.mac),
        "MacAlgorithm": done.mac_algorithm,
    })
}

pub(super) fn verify_mac(asked: &mut Members) -> Read<kms::VerifyMac> {
    Ok(kms::VerifyMac {
        key_id: asked.required("KeyId")?,
        message: asked.blob("Message")?.map(Plaintext::from),
        mac_algorithm: asked.required("MacAlgorithm")?,
        mac: asked.required_blob("Mac")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn mac_verified(done: kms::VerifyMacOutput) -> Value {
    json!({ "KeyId": done.key_id, "MacValid": true, "MacAlgorithm": done.mac_algorithm })
}

pub(super) fn sign(asked: &mut Members) -> Read<kms::Sign> {
    Ok(kms::Sign {
        key_id: asked.required("KeyId")?,
        message: asked.blob("Message")?.map(Plaintext::from),
        message_type: asked.text("MessageType")?,
        signing_algorithm: asked.required("SigningAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn signed(done: kms::SignOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "Signature": STANDARD.encode(done.signature),
        "SigningAlgorithm": done.signing_algorithm,
    })
}

pub(super) fn verify(asked: &mut Members) -> Read<kms::Verify> {
    Ok(kms::Verify {
        key_id: asked.required("KeyId")?,
        message: asked.blob("Message")?.map(Plaintext::from),
        message_type: asked.text("MessageType")?,
        signing_algorithm: asked.required("SigningAlgorithm")?,
        signature: asked.required_blob("Signature")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn verified(done: kms::VerifyOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "SignatureValid": true,
        "SigningAlgorithm": done.signing_algorithm,
    })
}

pub(super) fn generate_random(asked: &mut Members) -> Read<kms::GenerateRandom> {
    Ok(kms::GenerateRandom {
        number_of_bytes: asked.integer("NumberOfBytes")?,
        custom_key_store_id: asked.text("CustomKeyStoreId")?,
        recipient: asked.recipient()?,
    })
}

pub(super) fn random(plaintext: Plaintext) -> Value {
    json!({ "Plaintext": STANDARD.encode(plaintext.expose()) })
}

pub(super) fn re_encrypt(asked: &mut Members) -> Read<kms::ReEncrypt> {
    Ok(kms::ReEncrypt {
        ciphertext_blob: asked.required_blob("CiphertextBlob")?,
        source_encryption_context: asked.context("SourceEncryptionContext")?,
        source_key_id: asked.text("SourceKeyId")?,
        destination_key_id: asked.required("DestinationKeyId")?,
        destination_encryption_context: asked.context("DestinationEncryptionContext")?,
        source_encryption_algorithm: asked.text("SourceEncryptionAlgorithm")?,
        destination_encryption_algorithm: asked.text("DestinationEncryptionAlgorithm")?,
        grant_tokens: asked.texts("GrantTokens")?,
        dry_run_modifiers: asked.dry_run_modifiers()?,
    })
}

pub(super) fn re_encrypted(done: kms::ReEncryptOutput) -> Value {
    json!({
        "CiphertextBlob": STANDARD.encode(done.ciphertext_blob),
        "SourceKeyId": done.source_key_id,
        "KeyId": done.key_id,
        "SourceKeyMaterialId": done.source_key_material_id,
        "DestinationKeyMaterialId": done.key_material_id,
        "SourceEncryptionAlgorithm": done.source_encryption_algorithm,
        "DestinationEncryptionAlgorithm": done.destination_encryption_algorithm,
    })
}
