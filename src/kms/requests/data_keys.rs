//! The use of keys: one request type an operation.
//!
//! `RewrapDataKey`, `UnwrapDataKey` and `WrapDataKey` are ours.

use super::{EncryptionContext, Known, Recipient, Request, Violations, requests};
use crate::crypto::Plaintext;
use crate::kms::given::{Bytes, Text};
use crate::kms::outputs::{
    DataKeyPair, DecapsulateOutput, DecryptOutput, DeriveSharedSecretOutput, EncapsulateOutput,
    EncryptOutput, GenerateDataKeyOutput, GenerateMacOutput, ReEncryptOutput, SignOutput,
    VerifyMacOutput, VerifyOutput, WrappedDataKey,
};

requests! {
    /// Takes the secret out of a ciphertext that was encapsulated to a key.
    Decapsulate {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// As long as the key's ML-KEM has it.
        shared_secret_ciphertext_blob: Bytes,
        /// `ML_KEM`
        encapsulation_algorithm: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => DecapsulateOutput;

    /// Decrypts a blob, whichever call made it.
    Decrypt {
        /// Up to 6,144 bytes.
        ciphertext_blob: Bytes,
        /// As it was given to encrypt.
        encryption_context: EncryptionContext,
        /// Insists on a key.
        key_id: Option<String>,
        /// `SYMMETRIC_DEFAULT` when absent.
        encryption_algorithm: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
        /// Of a dry run: `IGNORE_CIPHERTEXT` asks about the key alone.
        dry_run_modifiers: Vec<String>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
    } => DecryptOutput;

    /// The secret that a key has in common with a peer's public key.
    DeriveSharedSecret {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// `ECDH`
        key_agreement_algorithm: Text,
        /// The peer's: SubjectPublicKeyInfo DER.
        public_key: Bytes,
        /// Up to 10.
        grant_tokens: Vec<String>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
    } => DeriveSharedSecretOutput;

    /// Makes a fresh secret that only who holds the key can take out again.
    Encapsulate {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// `ML_KEM`
        encapsulation_algorithm: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => EncapsulateOutput;

    /// Encrypts up to 4,096 bytes.
    Encrypt {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 4,096 bytes.
        plaintext: Option<Plaintext>,
        /// Authenticated, not stored.
        encryption_context: EncryptionContext,
        /// `SYMMETRIC_DEFAULT` when absent.
        encryption_algorithm: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => EncryptOutput;

    /// A new data key, plain and wrapped.
    GenerateDataKey {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// `AES_128` or `AES_256`; exactly one of this and `number_of_bytes`.
        key_spec: Option<String>,
        /// 1 to 1,024.
        number_of_bytes: Option<i32>,
        /// Authenticated, not stored.
        encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
    } => GenerateDataKeyOutput;

    /// A new key pair, its private key plain and wrapped.
    GenerateDataKeyPair {
        /// Key id, ARN, alias or alias ARN of the symmetric key that wraps.
        key_id: Text,
        /// Such as `ECC_NIST_P256`.
        key_pair_spec: Text,
        /// Authenticated with the wrapped private key, not stored.
        encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
    } => DataKeyPair;

    /// A new key pair, its private key wrapped only.
    GenerateDataKeyPairWithoutPlaintext {
        /// Key id, ARN, alias or alias ARN of the symmetric key that wraps.
        key_id: Text,
        /// Such as `ECC_NIST_P256`.
        key_pair_spec: Text,
        /// Authenticated with the wrapped private key, not stored.
        encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => DataKeyPair;

    /// A new data key, wrapped only.
    GenerateDataKeyWithoutPlaintext {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// `AES_128` or `AES_256`; exactly one of this and `number_of_bytes`.
        key_spec: Option<String>,
        /// 1 to 1,024.
        number_of_bytes: Option<i32>,
        /// Authenticated, not stored.
        encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => WrappedDataKey;

    /// The code of a message.
    GenerateMac {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 4,096 bytes.
        message: Option<Plaintext>,
        /// Such as `HMAC_SHA_256`.
        mac_algorithm: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => GenerateMacOutput;

    /// Random bytes.
    GenerateRandom {
        /// 1 to 1,024.
        number_of_bytes: Option<i32>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
        /// Refused: there are none.
        custom_key_store_id: Option<String>,
    } => Plaintext;

    /// Decrypts under one key and encrypts under another, inside.
    ReEncrypt {
        /// Up to 6,144 bytes.
        ciphertext_blob: Bytes,
        /// As it was given to encrypt.
        source_encryption_context: EncryptionContext,
        /// Insists on a key.
        source_key_id: Option<String>,
        /// Key id, ARN, alias or alias ARN.
        destination_key_id: Text,
        /// Authenticated with the new blob.
        destination_encryption_context: EncryptionContext,
        /// `SYMMETRIC_DEFAULT` when absent.
        source_encryption_algorithm: Option<String>,
        /// `SYMMETRIC_DEFAULT` when absent.
        destination_encryption_algorithm: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
        /// Of a dry run: `IGNORE_CIPHERTEXT` asks about the keys alone.
        dry_run_modifiers: Vec<String>,
    } => ReEncryptOutput;

    /// Moves a wrapped data key to another key, version or context.
    RewrapDataKey {
        /// Up to 6,144 bytes.
        ciphertext_blob: Bytes,
        /// As it was given to wrap.
        source_encryption_context: EncryptionContext,
        /// Insists on a key.
        source_key_id: Option<String>,
        /// The blob's own key, at its current version, when absent.
        destination_key_id: Option<String>,
        /// Authenticated with the new blob.
        destination_encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => ReEncryptOutput;

    /// The signature of a message.
    Sign {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 4,096 bytes.
        message: Option<Plaintext>,
        /// `RAW` when absent, or `DIGEST`.
        message_type: Option<String>,
        /// Such as `ECDSA_SHA_256`.
        signing_algorithm: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => SignOutput;

    /// Unwraps a wrapped data key.
    UnwrapDataKey {
        /// Up to 6,144 bytes.
        ciphertext_blob: Bytes,
        /// As it was given to wrap.
        encryption_context: EncryptionContext,
        /// Insists on a key.
        key_id: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => DecryptOutput;

    /// Whether a signature is a message's.
    Verify {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 4,096 bytes.
        message: Option<Plaintext>,
        /// `RAW` when absent, or `DIGEST`.
        message_type: Option<String>,
        /// Such as `ECDSA_SHA_256`.
        signing_algorithm: Text,
        /// Up to 6,144 bytes.
        signature: Bytes,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => VerifyOutput;

    /// Whether a code is a message's.
    VerifyMac {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 4,096 bytes.
        message: Option<Plaintext>,
        /// Such as `HMAC_SHA_256`.
        mac_algorithm: Text,
        /// Up to 6,144 bytes.
        mac: Bytes,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => VerifyMacOutput;

    /// Wraps a data key that the caller made.
    WrapDataKey {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// 1 to 1,024 bytes.
        plaintext: Option<Plaintext>,
        /// Authenticated, not stored.
        encryption_context: EncryptionContext,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => WrappedDataKey;
}
