//! A bucket's default: what an object is sealed with whose request does not say.
//!
//! Source: Amazon S3 API Reference, `PutBucketEncryption`, `ServerSideEncryptionRule`.

use super::mode::Mode;
use super::refusal::Refusal;

/// A bucket's rule. AWS's buckets have at least SSE-S3 (since January 2023).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketEncryption {
    pub(super) default: Option<Mode>,
    pub(super) key: Option<String>,
    pub(super) bucket_key: bool,
    pub(super) customer_keys_blocked: bool,
}

impl BucketEncryption {
    /// A rule of `PutBucketEncryption`: `SSEAlgorithm`, `KMSMasterKeyID`, `BucketKeyEnabled`.
    ///
    /// # Errors
    /// [`Refusal::BucketRuleKey`] for a key with a mode that has none; [`Refusal::ModeUnknown`].
    pub fn rule(algorithm: &str, key: Option<&str>, bucket_key: bool) -> Result<Self, Refusal> {
        let mode = Mode::from_header_value(algorithm)
            .ok_or_else(|| Refusal::ModeUnknown(algorithm.to_owned()))?;
        if mode == Mode::S3 && key.is_some() {
            return Err(Refusal::BucketRuleKey);
        }
        Ok(Self { default: Some(mode), key: key.map(str::to_owned), bucket_key, ..Self::off() })
    }

    /// A bucket that leaves objects in clear unless a request says otherwise, as buckets before 2023.
    #[must_use]
    pub const fn off() -> Self {
        Self { default: None, key: None, bucket_key: false, customer_keys_blocked: false }
    }

    /// Whether SSE-C is refused (`BlockedEncryptionTypes`).
    #[must_use]
    pub const fn block_customer_keys(mut self, blocked: bool) -> Self {
        self.customer_keys_blocked = blocked;
        self
    }
}

/// SSE-S3, as AWS gives it to a new bucket. Without the block of SSE-C that AWS adds since April 2026:
/// older buckets have none, and who wants it says so.
impl Default for BucketEncryption {
    fn default() -> Self {
        Self { default: Some(Mode::S3), ..Self::off() }
    }
}
