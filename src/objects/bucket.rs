//! A bucket, as it is stored.
//!
//! Layout: docs/formats.md, "Bucket, object and upload rows".

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::requests::Setting;
use crate::crypto::random;
use crate::sse::{BucketEncryption, Refusal};

/// What a bucket's objects are kept under: 8 random bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BucketId(String);

impl BucketId {
    /// A new one.
    ///
    /// # Errors
    /// [`crate::crypto::Error::Random`]
    pub fn generate() -> Result<Self, crate::crypto::Error> {
        random::array::<8>().map(|bytes| Self(hex::encode(bytes)))
    }

    /// From a row's key; none when it has no id's form.
    #[must_use]
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a bucket keeps versions. One that never did has no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Each write makes a version.
    Enabled,
    /// Those that there are stay; a write replaces the one that is called `null`.
    Suspended,
}

/// A bucket's default encryption as it was put (`ServerSideEncryptionRule`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncryptionRule {
    /// `SSEAlgorithm`: `AES256`, `aws:kms`, `aws:kms:dsse`; none leaves objects in clear, which AWS has not
    /// had since January 2023.
    pub algorithm: Option<String>,
    /// `KMSMasterKeyID`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// `BucketKeyEnabled`
    pub bucket_key: bool,
    /// `BlockedEncryptionTypes`: `SSE-C`, `NONE`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
}

/// SSE-S3, as every new bucket has it.
impl Default for EncryptionRule {
    fn default() -> Self {
        Self {
            algorithm: Some("AES256".to_owned()),
            key_id: None,
            bucket_key: false,
            blocked: Vec::new(),
        }
    }
}

impl EncryptionRule {
    /// What it means to a request that does not say.
    ///
    /// # Errors
    /// The [`Refusal`] that it is answered with when it is put.
    pub fn check(&self) -> Result<BucketEncryption, Refusal> {
        let blocked = self.blocked.iter().any(|kind| kind == "SSE-C");
        let meaning = match &self.algorithm {
            Some(algorithm) => {
                BucketEncryption::rule(algorithm, self.key_id.as_deref(), self.bucket_key)?
            }
            None => BucketEncryption::off(),
        };
        Ok(meaning.block_customer_keys(blocked))
    }

    /// The same of a rule that was checked when it was put.
    pub(super) fn meaning(&self) -> BucketEncryption {
        self.check().unwrap_or_default()
    }
}

/// A bucket. Its row's key is its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// The row's format: 1.
    pub v: u8,
    /// What its objects are kept under.
    pub id: BucketId,
    /// 12 digits: whose it is.
    pub owner: String,
    /// Where it is.
    pub region: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Whether it keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versioning: Option<Versioning>,
    /// What objects are sealed with unless they say otherwise.
    #[serde(default)]
    pub encryption: EncryptionRule,
    /// Who may what, JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// Documents as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<Setting, String>,
}

impl Bucket {
    /// The format of rows that this program writes.
    pub const FORMAT: u8 = 1;

    /// Its ARN.
    #[must_use]
    pub fn arn(name: &str) -> String {
        format!("arn:aws:s3:::{name}")
    }
}
