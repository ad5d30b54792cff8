//! One request type an operation: AWS's members in snake case, values as they were
//! presented. Room functions check them; secrets among them are [`Plaintext`].
//!
//! Source: AWS KMS API Reference, "Actions". `WrapDataKey`, `UnwrapDataKey`, `RewrapDataKey` and
//! `DescribeKeyVersions` are ours.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::constraints::Violations;
use super::given::{Bytes, Text};
use super::outputs::{
    AliasEntry, CancelKeyDeletionOutput, CreateGrantOutput, DataKeyPair, DecapsulateOutput,
    DecryptOutput, DeriveSharedSecretOutput, EncapsulateOutput, EncryptOutput,
    GenerateDataKeyOutput, GenerateMacOutput, GetKeyPolicyOutput, GetPublicKeyOutput,
    GrantConstraints, GrantEntry, ImportKeyMaterialOutput, KeyLastUsage, KeyListEntry, KeyMetadata,
    KeyRotationStatus, KeyVersionEntry, Listed, ParametersForImport, ReEncryptOutput,
    ReplicateKeyOutput, RotateKeyOnDemandOutput, RotationEntry, ScheduleKeyDeletionOutput,
    SignOutput, Tag, VerifyMacOutput, VerifyOutput, WrappedDataKey,
};
use crate::crypto::Plaintext;

/// Names and values that are authenticated with a ciphertext.
pub type EncryptionContext = BTreeMap<String, String>;

/// An enclave that a plaintext is to be encrypted to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipient {
    /// `RSAES_OAEP_SHA_256`
    pub key_encryption_algorithm: Option<String>,
    /// Up to 262,144 bytes.
    pub attestation_document: Option<Vec<u8>>,
}

/// A request, and what a successful call answers.
pub trait Request {
    /// The answer.
    type Output: Send + 'static;

    /// What the model of the API forbids about the request as it is.
    fn violations(&self) -> Violations;
}

macro_rules! requests {
    ($(
        $(#[$about:meta])*
        $request:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty),* $(,)? } => $output:ty;
    )+) => {$(
        $(#[$about])*
        #[derive(Debug, Default)]
        pub struct $request { $($(#[$field_about])* pub $field: $kind),* }

        impl Request for $request {
            type Output = $output;

            fn violations(&self) -> Violations {
                let mut found = Violations::default();
                $(found.check(stringify!($request), stringify!($field), &self.$field);)*
                found
            }
        }
    )+};
}

requests! {
    /// Takes a scheduled deletion back.
    CancelKeyDeletion {
        /// Key id or ARN.
        key_id: Text,
    } => CancelKeyDeletionOutput;

    /// Names a key.
    CreateAlias {
        /// `alias/…`
        alias_name: Text,
        /// Key id or ARN.
        target_key_id: Text,
    } => ();

    /// Lets a principal do some operations with a key.
    CreateGrant {
        /// Key id or ARN.
        key_id: Text,
        /// An ARN of IAM or STS.
        grantee_principal: Option<String>,
        /// A service, instead.
        grantee_service_principal: Option<String>,
        /// Who may retire the grant.
        retiring_principal: Option<String>,
        /// A service, instead.
        retiring_service_principal: Option<String>,
        /// `Decrypt` and the like.
        operations: Vec<String>,
        /// Contexts in which it holds.
        constraints: GrantConstraints,
        /// The same grant with the same name is made once.
        name: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => CreateGrantOutput;

    /// Makes a key with fresh material.
    CreateKey {
        /// Up to 8,192 characters.
        description: Option<String>,
        /// `ENCRYPT_DECRYPT` when absent.
        key_usage: Option<String>,
        /// `SYMMETRIC_DEFAULT` when absent.
        key_spec: Option<String>,
        /// The older name of `key_spec`.
        customer_master_key_spec: Option<String>,
        /// Up to 50.
        tags: Vec<Tag>,
        /// A key policy; AWS's default one when absent.
        policy: Option<String>,
        /// Whether the policy may lock its author out.
        bypass_policy_lockout_safety_check: bool,
        /// `AWS_KMS` when absent, or `EXTERNAL`.
        origin: Option<String>,
        /// Refused: there are none.
        custom_key_store_id: Option<String>,
        /// Refused: there are none.
        xks_key_id: Option<String>,
        /// Whether it may be replicated into other regions.
        multi_region: bool,
    } => KeyMetadata;

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

    /// Removes an alias; the key stays.
    DeleteAlias {
        /// `alias/…`
        alias_name: Text,
    } => ();

    /// Removes imported material whose time is over. Not a call of clients: the service's own.
    DeleteExpiredKeyMaterial {
        /// Key ARN.
        key_id: Text,
    } => ();

    /// Removes imported material.
    DeleteImportedKeyMaterial {
        /// Key id or ARN.
        key_id: Text,
        /// The current one when absent.
        key_material_id: Option<String>,
    } => ImportKeyMaterialOutput;

    /// Removes a key whose waiting period is over. Not a call of clients: the service's own.
    DeleteKey {
        /// Key ARN.
        key_id: Text,
    } => ();

    /// What is known of a key.
    DescribeKey {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => KeyMetadata;

    /// Makes the AWS-managed key of an alias. Not a call of clients: the service's own.
    CreateManagedKey {
        /// `alias/aws/s3` and the like.
        alias_name: Text,
    } => ();

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

    /// The versions of a key, oldest first.
    DescribeKeyVersions {
        /// Key id or ARN.
        key_id: Text,
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<KeyVersionEntry>;

    /// Stops automatic rotation.
    DisableKeyRotation {
        /// Key id or ARN.
        key_id: Text,
    } => ();

    /// Stops all use of a key.
    DisableKey {
        /// Key id or ARN.
        key_id: Text,
    } => ();

    /// Makes a new version every so many days.
    EnableKeyRotation {
        /// Key id or ARN.
        key_id: Text,
        /// 90 to 2,560; 365 when absent.
        rotation_period_in_days: Option<i32>,
    } => ();

    /// Lets a disabled key be used again.
    EnableKey {
        /// Key id or ARN.
        key_id: Text,
    } => ();

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

    /// What key material is wrapped with on its way in.
    GetParametersForImport {
        /// Key id or ARN.
        key_id: Text,
        /// `RSAES_OAEP_SHA_256` and the like.
        wrapping_algorithm: Text,
        /// `RSA_2048` to `RSA_4096`.
        wrapping_key_spec: Text,
    } => ParametersForImport;

    /// Takes key material in.
    ImportKeyMaterial {
        /// Key id or ARN.
        key_id: Text,
        /// From `GetParametersForImport`.
        import_token: Bytes,
        /// Wrapped as was agreed.
        encrypted_key_material: Bytes,
        /// When it is removed.
        valid_to: Option<DateTime<Utc>>,
        /// `KEY_MATERIAL_EXPIRES` when absent.
        expiration_model: Option<String>,
        /// Whether the key had it before.
        import_type: Option<String>,
        /// Up to 256 characters.
        key_material_description: Option<String>,
        /// Insists on material.
        key_material_id: Option<String>,
    } => ImportKeyMaterialOutput;

    /// The last time that a key was used.
    GetKeyLastUsage {
        /// Key id or ARN.
        key_id: Text,
    } => KeyLastUsage;

    /// The policy of a key.
    GetKeyPolicy {
        /// Key id or ARN.
        key_id: Text,
        /// `default`
        policy_name: Option<String>,
    } => GetKeyPolicyOutput;

    /// Whether and when a key is rotated.
    GetKeyRotationStatus {
        /// Key id or ARN.
        key_id: Text,
    } => KeyRotationStatus;

    /// The public key of a key pair.
    GetPublicKey {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => GetPublicKeyOutput;

    /// Random bytes.
    GenerateRandom {
        /// 1 to 1,024.
        number_of_bytes: Option<i32>,
        /// Refused: there are no enclaves.
        recipient: Option<Recipient>,
        /// Refused: there are none.
        custom_key_store_id: Option<String>,
    } => Plaintext;

    /// Aliases by name.
    ListAliases {
        /// Only those of this key (id or ARN).
        key_id: Option<String>,
        /// 1 to 100; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<AliasEntry>;

    /// Rotations of a key, oldest first.
    ListKeyRotations {
        /// Key id or ARN.
        key_id: Text,
        /// `ROTATIONS_ONLY` when absent, or `ALL_KEY_MATERIAL`.
        include_key_material: Option<String>,
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<RotationEntry>;

    /// The grants on a key.
    ListGrants {
        /// Key id or ARN.
        key_id: Text,
        /// Only this one.
        grant_id: Option<String>,
        /// Only those of this grantee.
        grantee_principal: Option<String>,
        /// Only those of this service.
        grantee_service_principal: Option<String>,
        /// 1 to 1,000; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<GrantEntry>;

    /// The names of a key's policies: `default`.
    ListKeyPolicies {
        /// Key id or ARN.
        key_id: Text,
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<String>;

    /// The grants that a principal may retire.
    ListRetirableGrants {
        /// An ARN of IAM or STS.
        retiring_principal: Option<String>,
        /// A service, instead.
        retiring_service_principal: Option<String>,
        /// 1 to 1,000; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<GrantEntry>;

    /// Replaces the policy of a key.
    PutKeyPolicy {
        /// Key id or ARN.
        key_id: Text,
        /// `default`
        policy_name: Option<String>,
        /// Up to 32,768 bytes.
        policy: Text,
        /// Whether the policy may lock its author out.
        bypass_policy_lockout_safety_check: bool,
    } => ();

    /// Ends a grant, by who holds it.
    RetireGrant {
        /// Names the grant alone.
        grant_token: Option<String>,
        /// Key ARN, with the grant's id.
        key_id: Option<String>,
        /// With the key.
        grant_id: Option<String>,
    } => ();

    /// Ends a grant, by who administers the key.
    RevokeGrant {
        /// Key id or ARN.
        key_id: Text,
        /// 64 hex digits.
        grant_id: Text,
    } => ();

    /// Keys by id.
    ListKeys {
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
        /// `SELF` when absent; there are no keys that other accounts share.
        resource_owners: Option<Vec<String>>,
    } => Listed<KeyListEntry>;

    /// Tags of a key by name.
    ListResourceTags {
        /// Key id or ARN.
        key_id: Text,
        /// 1 to 50; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<Tag>;

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

    /// Makes a key of the same id and material in another region.
    ReplicateKey {
        /// Key id or ARN of a multi-Region primary key.
        key_id: Text,
        /// Such as `eu-west-1`.
        replica_region: Text,
        /// The replica's policy; AWS's default one when absent.
        policy: Option<String>,
        /// Whether the policy may lock its author out.
        bypass_policy_lockout_safety_check: bool,
        /// The replica's, up to 8,192 characters.
        description: Option<String>,
        /// The replica's, up to 50.
        tags: Vec<Tag>,
    } => ReplicateKeyOutput;

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

    /// Adds a version whose time has come. Not a call of clients: the service's own.
    RotateKey {
        /// Key ARN.
        key_id: Text,
    } => RotateKeyOnDemandOutput;

    /// Adds a version, which encrypts from now on.
    RotateKeyOnDemand {
        /// Key id or ARN.
        key_id: Text,
    } => RotateKeyOnDemandOutput;

    /// Stops a key and removes it later.
    ScheduleKeyDeletion {
        /// Key id or ARN.
        key_id: Text,
        /// 7 to 30; 30 when absent.
        pending_window_in_days: Option<i32>,
    } => ScheduleKeyDeletionOutput;

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

    /// Adds or replaces tags.
    TagResource {
        /// Key id or ARN.
        key_id: Text,
        /// Up to 50 on a key.
        tags: Vec<Tag>,
    } => ();

    /// Removes tags.
    UntagResource {
        /// Key id or ARN.
        key_id: Text,
        /// Names.
        tag_keys: Vec<String>,
    } => ();

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

    /// Moves an alias to another key.
    UpdateAlias {
        /// `alias/…`
        alias_name: Text,
        /// Key id or ARN.
        target_key_id: Text,
    } => ();

    /// Makes a replica the primary key of its set, and the primary a replica.
    UpdatePrimaryRegion {
        /// Key id or ARN of the primary key.
        key_id: Text,
        /// The replica's.
        primary_region: Text,
    } => ();

    /// Replaces a key's description.
    UpdateKeyDescription {
        /// Key id or ARN.
        key_id: Text,
        /// Up to 8,192 characters.
        description: Option<String>,
    } => ();

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
