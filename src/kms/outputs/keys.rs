//! The life of keys, their aliases and tags: what operations answer.

use chrono::{DateTime, Utc};

use crate::kms::given::Text;
use crate::kms::{KeySpec, KeyState, KeyUsage};

/// An entry of `ListAliases`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasEntry {
    /// `alias/…`
    pub alias_name: String,
    /// The alias's ARN.
    pub alias_arn: String,
    /// As [`KeyMetadata::key_id`]; none for an alias of AWS's whose key is not made yet.
    pub target_key_id: Option<String>,
    /// When the alias was made.
    pub creation_date: Option<DateTime<Utc>>,
    /// When it was last moved.
    pub last_updated_date: Option<DateTime<Utc>>,
}

/// Answer of `CancelKeyDeletion`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelKeyDeletionOutput {
    /// The key's ARN.
    pub key_id: String,
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

/// Answer of `ImportKeyMaterial` and `DeleteImportedKeyMaterial`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportKeyMaterialOutput {
    /// The key's ARN.
    pub key_id: String,
    /// 64 hex digits; empty when there was no material to remove.
    pub key_material_id: String,
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

/// An entry of `ListKeys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListEntry {
    /// As [`KeyMetadata::key_id`].
    pub key_id: String,
    /// The key's ARN.
    pub key_arn: String,
}

/// A key as `DescribeKey` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyMetadata {
    /// 12 digits.
    pub account: String,
    /// A UUID; of a multi-Region key `mrk-` and 32 hex digits.
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

/// Answer of `RotateKeyOnDemand`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotateKeyOnDemandOutput {
    /// The key's ARN.
    pub key_id: String,
    /// The new version.
    pub key_version: u32,
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
