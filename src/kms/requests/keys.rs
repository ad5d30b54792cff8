//! The life of keys, their aliases and tags: one request type an operation.
//!
//! `DescribeKeyVersions` is ours, and so are the calls that only the service itself makes.

use chrono::{DateTime, Utc};

use super::{Known, Request, Violations, requests};
use crate::kms::given::{Bytes, Text};
use crate::kms::outputs::{
    AliasEntry, CancelKeyDeletionOutput, GetPublicKeyOutput, ImportKeyMaterialOutput, KeyLastUsage,
    KeyListEntry, KeyMetadata, KeyRotationStatus, KeyVersionEntry, Listed, ParametersForImport,
    ReplicateKeyOutput, RotateKeyOnDemandOutput, RotationEntry, ScheduleKeyDeletionOutput, Tag,
};

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

    /// Makes the AWS-managed key of an alias. Not a call of clients: the service's own.
    CreateManagedKey {
        /// `alias/aws/s3` and the like.
        alias_name: Text,
    } => ();

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

    /// The versions of a key, oldest first.
    DescribeKeyVersions {
        /// Key id or ARN.
        key_id: Text,
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<KeyVersionEntry>;

    /// Stops all use of a key.
    DisableKey {
        /// Key id or ARN.
        key_id: Text,
    } => ();

    /// Stops automatic rotation.
    DisableKeyRotation {
        /// Key id or ARN.
        key_id: Text,
    } => ();

    /// Lets a disabled key be used again.
    EnableKey {
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

    /// The last time that a key was used.
    GetKeyLastUsage {
        /// Key id or ARN.
        key_id: Text,
    } => KeyLastUsage;

    /// Whether and when a key is rotated.
    GetKeyRotationStatus {
        /// Key id or ARN.
        key_id: Text,
    } => KeyRotationStatus;

    /// What key material is wrapped with on its way in.
    GetParametersForImport {
        /// Key id or ARN.
        key_id: Text,
        /// `RSAES_OAEP_SHA_256` and the like.
        wrapping_algorithm: Text,
        /// `RSA_2048` to `RSA_4096`.
        wrapping_key_spec: Text,
    } => ParametersForImport;

    /// The public key of a key pair.
    GetPublicKey {
        /// Key id, ARN, alias or alias ARN.
        key_id: Text,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => GetPublicKeyOutput;

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

    /// Moves an alias to another key.
    UpdateAlias {
        /// `alias/…`
        alias_name: Text,
        /// Key id or ARN.
        target_key_id: Text,
    } => ();

    /// Replaces a key's description.
    UpdateKeyDescription {
        /// Key id or ARN.
        key_id: Text,
        /// Up to 8,192 characters.
        description: Option<String>,
    } => ();

    /// Makes a replica the primary key of its set, and the primary a replica.
    UpdatePrimaryRegion {
        /// Key id or ARN of the primary key.
        key_id: Text,
        /// The replica's.
        primary_region: Text,
    } => ();
}
