//! What operations answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::upload::{Part, Upload};
use super::version::{BlobId, Version};

/// Where a bucket is, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketLocation {
    /// Its region.
    pub region: String,
    /// 12 digits: whose it is.
    pub owner: String,
}

/// A bucket in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketSummary {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Its region.
    pub region: String,
}

/// Buckets of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketList {
    /// By name.
    pub buckets: Vec<BucketSummary>,
    /// 12 digits.
    pub owner: String,
    /// For the next page.
    pub continuation_token: Option<String>,
}

/// An object that was found: the version, and whether it is the latest one.
#[derive(Debug, Clone)]
pub struct Found {
    /// With what is stored of it.
    pub version: Arc<Version>,
    /// The version's id, where the bucket keeps or kept versions.
    pub version_id: Option<String>,
}

/// An object in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// The version.
    pub version: Arc<Version>,
    /// Whether it is the object's latest.
    pub is_latest: bool,
}

/// A page of objects.
#[derive(Debug, Clone)]
pub struct ObjectList {
    /// By key.
    pub objects: Vec<Listed>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// The last key or prefix of this page, where there is more (`NextMarker`).
    pub next_marker: Option<String>,
    /// For the next page.
    pub continuation_token: Option<String>,
}

/// A page of versions, delete markers among them.
#[derive(Debug, Clone)]
pub struct VersionList {
    /// By key, the latest first.
    pub versions: Vec<Listed>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// For the next page.
    pub next_key_marker: Option<String>,
    /// For the next page.
    pub next_version_id_marker: Option<String>,
}

/// An object that was written.
#[derive(Debug, Clone)]
pub struct Written {
    /// The new version.
    pub version: Arc<Version>,
    /// Its id, where the bucket keeps or kept versions.
    pub version_id: Option<String>,
    /// Bytes that are nobody's now, to be removed.
    pub freed: Vec<BlobId>,
}

/// What became of an object that was to go.
#[derive(Debug, Clone, Default)]
pub struct Deleted {
    /// The version that went, or the marker that was made.
    pub version_id: Option<String>,
    /// Whether it is a marker.
    pub delete_marker: bool,
    /// Bytes that are nobody's now, to be removed.
    pub freed: Vec<BlobId>,
}

/// What was thrown away.
#[derive(Debug, Clone, Default)]
pub struct Removed {
    /// Bytes that are nobody's now, to be removed.
    pub freed: Vec<BlobId>,
}

/// Tags, and whose.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    /// By name.
    pub tags: BTreeMap<String, String>,
    /// The version's id, where the bucket keeps or kept versions.
    pub version_id: Option<String>,
}

/// An upload that was begun.
#[derive(Debug, Clone)]
pub struct UploadBegun {
    /// Its id.
    pub upload_id: String,
}

/// A part that was written.
#[derive(Debug, Clone)]
pub struct PartWritten {
    /// Its ETag, without quotes.
    pub etag: String,
    /// Bytes that are nobody's now, to be removed.
    pub freed: Vec<BlobId>,
}

/// A page of an upload's parts.
#[derive(Debug, Clone)]
pub struct PartList {
    /// The upload.
    pub upload: Arc<Upload>,
    /// By number.
    pub parts: Vec<Arc<Part>>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// For the next page.
    pub next_part_number_marker: Option<u16>,
}

/// An upload in a list.
#[derive(Debug, Clone)]
pub struct ListedUpload {
    /// The key of the object that it is to be.
    pub key: String,
    /// Its id.
    pub upload_id: String,
    /// The rest.
    pub upload: Arc<Upload>,
}

/// A page of uploads.
#[derive(Debug, Clone)]
pub struct UploadList {
    /// By key, then by when they were begun.
    pub uploads: Vec<ListedUpload>,
    /// What keys have in common up to the delimiter.
    pub common_prefixes: Vec<String>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// For the next page.
    pub next_key_marker: Option<String>,
    /// For the next page.
    pub next_upload_id_marker: Option<String>,
}
