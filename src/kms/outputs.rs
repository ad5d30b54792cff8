//! What operations answer: AWS's members in snake case. Secrets among them are [`Plaintext`].
//!
//! Source: AWS KMS API Reference, "Actions".

use chrono::{DateTime, Utc};

use super::given::Text;
use super::requests::EncryptionContext;
use super::{KeySpec, KeyState, KeyUsage};
use crate::crypto::Plaintext;

/// A name–value pair on a key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Tag {
    /// 1 to 128 characters.
    pub tag_key: Text,
    /// Up to 256 characters; may be empty.
    pub tag_value: Text,
}

impl Tag {
    /// A tag whose value may be empty.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        Self { tag_key: name.into(), tag_value: Text::received(Some(value.to_owned())) }
    }
}

/// A key as `DescribeKey` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// 12 digits.
    pub account: String,
    /// A UUID.
    pub key_id: String,
    /// The key's ARN.
    pub arn: String,
    /// When the key was made.
    pub creation_date: DateTime<Utc>,
    /// The caller's words.
    pub description: String,
    /// What the key is.
    pub key_spec: KeySpec,
    /// What it is for.
    pub key_usage: KeyUsage,
    /// `AWS_KMS` or `EXTERNAL`.
    pub origin: &'static str,
    /// `CUSTOMER`, or `AWS` for a key such as `alias/aws/s3`.
    pub key_manager: &'static str,
    /// Whether all its material is here; imported material may not be.
    pub has_material: bool,
    /// The first day on which imported material is removed.
    pub valid_to: Option<DateTime<Utc>>,
    /// Where in its life the key is.
    pub key_state: KeyState,
    /// When it will be removed, while it waits for that.
    pub deletion_date: Option<DateTime<Utc>>,
    /// Days to wait once its replicas are gone, while it waits for that.
    pub pending_window_in_days: Option<i32>,
    /// The set that a multi-Region key belongs to.
    pub multi_region: Option<MultiRegionConfiguration>,
    /// The version that encrypts.
    pub current_key_version: u32,
    /// Names that version's material: 64 hex digits.
    pub current_key_material_id: String,
}

/// A set of multi-Region keys, as one of them shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegionConfiguration {
    /// `PRIMARY` or `REPLICA`: the key that shows it.
    pub part: &'static str,
    /// The one that is replicated.
    pub primary: Option<MultiRegionKey>,
    /// The others, by region.
    pub replicas: Vec<MultiRegionKey>,
}

/// One of a set of multi-Region keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiRegionKey {
    /// The key's ARN.
    pub arn: String,
    /// Such as `us-east-1`.
    pub region: String,
}

/// Answer of `ReplicateKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicateKeyOutput {
    /// The replica.
    pub metadata: KeyMetadata,
    /// Its policy's document.
    pub policy: String,
    /// Its tags, by name.
    pub tags: Vec<Tag>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The page.
    pub entries: Vec<T>,
    /// Gives the next page; absent on the last.
    pub next_marker: Option<String>,
}

/// An entry of `ListKeys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListEntry {
    /// A UUID.
    pub key_id: String,
    /// The key's ARN.
    pub key_arn: String,
}

/// An entry of `ListAliases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// `alias/…`
    pub alias_name: String,
    /// The alias's ARN.
    pub alias_arn: String,
    /// A UUID; none for an alias of AWS's whose key is not made yet.
    pub target_key_id: Option<String>,
    /// When the alias was made.
    pub creation_date: Option<DateTime<Utc>>,
    /// When it was last moved.
    pub last_updated_date: Option<DateTime<Utc>>,
}

/// An entry of `DescribeKeyVersions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyVersionEntry {
    /// From 1.
    pub key_version: u32,
    /// When the version was made.
    pub creation_date: DateTime<Utc>,
    /// Names the material: 64 hex digits.
    pub key_material_id: String,
    /// Whether this version encrypts now.
    pub current: bool,
}

/// An entry of `ListKeyRotations`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEntry {
    /// The key's ARN.
    pub key_id: String,
    /// The version that was made.
    pub key_version: u32,
    /// Names its material: 64 hex digits.
    pub key_material_id: String,
    /// Whether this version encrypts now.
    pub current: bool,
    /// When it was made.
    pub rotation_date: DateTime<Utc>,
    /// `AUTOMATIC` or `ON_DEMAND`; absent for the key's first material.
    pub rotation_type: Option<&'static str>,
    /// Of imported material.
    pub imported: Option<ImportedEntry>,
    /// As AWS spells it: `CURRENT`, `NON_CURRENT`, or that it waits for what.
    pub state: &'static str,
}

/// What is known of imported material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedEntry {
    /// Whether the material is here.
    pub present: bool,
    /// When it is removed.
    pub valid_to: Option<DateTime<Utc>>,
    /// The importer's words.
    pub description: Option<String>,
}

/// Answer of `GetParametersForImport`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParametersForImport {
    /// The key's ARN.
    pub key_id: String,
    /// What `ImportKeyMaterial` takes.
    pub import_token: Vec<u8>,
    /// To wrap the material with: SubjectPublicKeyInfo DER.
    pub public_key: Vec<u8>,
    /// When the token expires.
    pub parameters_valid_to: DateTime<Utc>,
}

/// Answer of `ImportKeyMaterial` and `DeleteImportedKeyMaterial`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportKeyMaterialOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 64 hex digits; empty when there was no material to remove.
    pub key_material_id: String,
}

/// Answer of `GetKeyRotationStatus`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRotationStatus {
    /// The key's ARN.
    pub key_id: String,
    /// Whether automatic rotation is on.
    pub key_rotation_enabled: bool,
    /// How often, while it is on.
    pub rotation_period_in_days: Option<i32>,
    /// When next, while it is on.
    pub next_rotation_date: Option<DateTime<Utc>>,
}

/// Answer of `CancelKeyDeletion`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelKeyDeletionOutput {
    /// The key's ARN.
    pub key_id: String,
}

/// Answer of `RotateKeyOnDemand`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateKeyOnDemandOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The new version.
    pub key_version: u32,
}

/// Answer of `ScheduleKeyDeletion`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleKeyDeletionOutput {
    /// The key's ARN.
    pub key_id: String,
    /// When the key will be removed; not known while it has replicas.
    pub deletion_date: Option<DateTime<Utc>>,
    /// `PendingDeletion`, or `PendingReplicaDeletion` while it has replicas.
    pub key_state: KeyState,
    /// The waiting period.
    pub pending_window_in_days: i32,
}

/// Answer of `GenerateDataKey`.
#[derive(Debug)]
pub struct GenerateDataKeyOutput {
    /// The key's ARN, also when an alias was given.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// To use and forget.
    pub plaintext: Plaintext,
    /// To keep beside the data.
    pub ciphertext_blob: Vec<u8>,
}

/// Answer of `GenerateDataKeyWithoutPlaintext` and `WrapDataKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey {
    /// The key's ARN.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// To keep beside the data.
    pub ciphertext_blob: Vec<u8>,
}

/// Answer of `Encrypt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The version that encrypted.
    pub key_version: u32,
    /// The blob.
    pub ciphertext_blob: Vec<u8>,
    /// `SYMMETRIC_DEFAULT`.
    pub encryption_algorithm: &'static str,
}

/// Answer of `Decrypt` and `UnwrapDataKey`.
#[derive(Debug)]
pub struct DecryptOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The version that the blob named.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// What was encrypted.
    pub plaintext: Plaintext,
    /// `SYMMETRIC_DEFAULT`.
    pub encryption_algorithm: &'static str,
}

/// Answer of `ReEncrypt` and `RewrapDataKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReEncryptOutput {
    /// The new blob.
    pub ciphertext_blob: Vec<u8>,
    /// ARN of the key that opened.
    pub source_key_id: String,
    /// The version that opened.
    pub source_key_version: u32,
    /// Names that version's material; none for key pairs.
    pub source_key_material_id: Option<String>,
    /// ARN of the key that sealed.
    pub key_id: String,
    /// The version that sealed.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// How the source was encrypted.
    pub source_encryption_algorithm: &'static str,
    /// How the result is.
    pub destination_encryption_algorithm: &'static str,
}

/// Contexts in which a grant holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConstraints {
    /// The call's context is this.
    #[serde(default, skip_serializing_if = "EncryptionContext::is_empty")]
    pub equals: EncryptionContext,
    /// The call's context has at least these pairs.
    #[serde(default, skip_serializing_if = "EncryptionContext::is_empty")]
    pub subset: EncryptionContext,
    /// The call is made by a service on behalf of this. No caller here is a service, so that such a
    /// grant lets nobody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
}

/// Whom a grant names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Party {
    /// An ARN of IAM or STS, or a service as older callers name it.
    Principal(String),
    /// A service, such as `s3.amazonaws.com`.
    Service(String),
}

impl Party {
    /// The ARN or the service.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Principal(name) | Self::Service(name) => name,
        }
    }
}

/// Answer of `CreateGrant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGrantOutput {
    /// 64 hex digits.
    pub grant_id: String,
    /// Names the grant.
    pub grant_token: String,
}

/// One grant in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantEntry {
    /// The key's ARN.
    pub key_id: String,
    /// 64 hex digits.
    pub grant_id: String,
    /// Empty when it has none.
    pub name: String,
    /// When it was made.
    pub creation_date: DateTime<Utc>,
    /// Who may.
    pub grantee: Party,
    /// Who may end it.
    pub retiring: Option<Party>,
    /// The account's root whose caller made it.
    pub issuing_account: String,
    /// What.
    pub operations: Vec<String>,
    /// In which contexts.
    pub constraints: GrantConstraints,
}

/// Answer of `GetKeyPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetKeyPolicyOutput {
    /// A JSON document.
    pub policy: String,
    /// `default`
    pub policy_name: &'static str,
}

/// Answer of `GenerateMac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerateMacOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The code.
    pub mac: Vec<u8>,
    /// As asked for.
    pub mac_algorithm: &'static str,
}

/// Answer of `VerifyMac`: the code is the message's, or there is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyMacOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As asked for.
    pub mac_algorithm: &'static str,
}

/// Answer of `Sign`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOutput {
    /// The key's ARN.
    pub key_id: String,
    /// DER for ECDSA, as long as the modulus for RSA.
    pub signature: Vec<u8>,
    /// As asked for.
    pub signing_algorithm: &'static str,
}

/// Answer of `Verify`: the signature is the message's, or there is an error instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As asked for.
    pub signing_algorithm: &'static str,
}

/// Answer of `GetPublicKey`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetPublicKeyOutput {
    /// The key's ARN.
    pub key_id: String,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// What the key is.
    pub key_spec: KeySpec,
    /// What it is for.
    pub key_usage: KeyUsage,
}

/// Answer of `DeriveSharedSecret`.
#[derive(Debug)]
pub struct DeriveSharedSecretOutput {
    /// The key's ARN.
    pub key_id: String,
    /// As long as the curve's field.
    pub shared_secret: Plaintext,
    /// `ECDH`
    pub key_agreement_algorithm: &'static str,
    /// `AWS_KMS` or `EXTERNAL`.
    pub key_origin: &'static str,
}

/// Answer of `Encapsulate`.
#[derive(Debug)]
pub struct EncapsulateOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 32 bytes.
    pub shared_secret: Plaintext,
    /// What `Decapsulate` takes.
    pub shared_secret_ciphertext_blob: Vec<u8>,
    /// `ML_KEM`
    pub encapsulation_algorithm: &'static str,
}

/// Answer of `Decapsulate`.
#[derive(Debug)]
pub struct DecapsulateOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 32 bytes.
    pub shared_secret: Plaintext,
    /// `ML_KEM`
    pub encapsulation_algorithm: &'static str,
}

/// Answer of `GenerateDataKeyPair` and, without the plaintext, of
/// `GenerateDataKeyPairWithoutPlaintext`.
#[derive(Debug)]
pub struct DataKeyPair {
    /// ARN of the key that wrapped.
    pub key_id: String,
    /// The version that wrapped.
    pub key_version: u32,
    /// Names that version's material; none for key pairs.
    pub key_material_id: Option<String>,
    /// What the pair is.
    pub key_pair_spec: &'static str,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// PKCS #8, DER.
    pub private_key_plaintext: Option<Plaintext>,
    /// The same, wrapped.
    pub private_key_ciphertext_blob: Vec<u8>,
}

/// Answer of `GetKeyLastUsage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLastUsage {
    /// The key's ARN.
    pub key_id: String,
    /// The last successful cryptographic operation, if there was one.
    pub last: Option<Usage>,
    /// When the key was made; everything since is on the trail.
    pub creation_date: DateTime<Utc>,
}

/// One use of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// AWS's name for it.
    pub operation: String,
    /// When.
    pub timestamp: DateTime<Utc>,
    /// Of the call, as on the trail.
    pub request_id: String,
}
