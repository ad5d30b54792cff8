//! Why S3 refuses a request, in its own words: code, status, message and argument.
//!
//! Recorded on AWS unless a variant says otherwise. HEAD has no body: there the status alone is said.

use super::header::Header;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// `x-amz-server-side-encryption-customer-algorithm` is missing.
    #[error(
        "Requests specifying Server Side Encryption with Customer provided keys must provide a \
         valid encryption algorithm."
    )]
    AlgorithmMissing,
    /// It is another one than `AES256`.
    #[error("The Encryption request you specified is not valid. Supported value: AES256.")]
    AlgorithmUnknown(String),
    /// `x-amz-server-side-encryption-bucket-key-enabled` is neither `true` nor `false`. Wording ours.
    #[error("The value of the bucket key header has to be true or false")]
    BucketKeyInvalid(String),
    /// A bucket key is asked for with DSSE-KMS, which has none (S3 User Guide, "Using dual-layer
    /// server-side encryption"). Wording ours.
    #[error("S3 Bucket Keys aren't supported for DSSE-KMS")]
    BucketKeyWithDsse,
    /// A bucket's default names a key with a mode that has none.
    #[error(
        "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or \
         aws:kms:dsse"
    )]
    BucketRuleKey,
    /// `x-amz-server-side-encryption-context` is no base64 of a JSON object of strings, or names
    /// `aws:s3:arn`, which S3 adds itself. Documented, not recorded.
    #[error(
        "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string \
         holding JSON which represents a string-string map"
    )]
    ContextInvalid,
    /// Buckets may refuse SSE-C (`BlockedEncryptionTypes`). Documented, not recorded.
    #[error("Access Denied")]
    CustomerKeysBlocked,
    /// A header is longer than any good one.
    #[error("Your request header section exceeds the maximum allowed request header section size.")]
    HeaderTooLong,
    /// SSE-C together with `x-amz-server-side-encryption`, whose value this is.
    #[error(
        "Server Side Encryption with Customer provided key is incompatible with the encryption \
         method specified"
    )]
    Incompatible(String),
    /// SSE-C over plain HTTP. Documented, not recorded.
    #[error(
        "Requests specifying Server Side Encryption with Customer provided keys must be made over \
         a secure connection."
    )]
    InsecureConnection,
    /// The key is not 32 bytes in base64, or comes without its MD5.
    #[error("The secret key was invalid for the specified algorithm.")]
    KeyInvalid,
    /// A key id that is none.
    #[error("Invalid keyId '{0}'")]
    KeyIdInvalid(String),
    /// The MD5 is another key's.
    #[error("The calculated MD5 hash of the key did not match the hash that was provided.")]
    KeyMd5Mismatch,
    /// `x-amz-server-side-encryption-customer-key` is missing.
    #[error(
        "Requests specifying Server Side Encryption with Customer provided keys must provide an \
         appropriate secret key."
    )]
    KeyMissing,
    /// A key's ARN of another region than the bucket's, which it names.
    #[error("Invalid arn {0}")]
    KeyRegion(String),
    /// What KMS said no to: its exception and message.
    #[error("{message}")]
    Kms {
        /// `DisabledException`, …
        exception: String,
        /// AWS's words.
        message: String,
    },
    /// KMS said no to who asks.
    #[error("{0}")]
    KmsAccess(String),
    /// A header of SSE-KMS without it; with `AES256`, or without any mode. Documented, not recorded.
    #[error(
        "Server Side Encryption with AWS KMS managed key requires HTTP header \
         x-amz-server-side-encryption : aws:kms"
    )]
    KmsHeader(Option<String>),
    /// `x-amz-server-side-encryption` on GET or HEAD, whose value this is. Documented, not recorded.
    #[error("x-amz-server-side-encryption header is not supported for this operation.")]
    ModeOnRead(String),
    /// No such mode. Documented, not recorded.
    #[error("The encryption method specified is not supported")]
    ModeUnknown(String),
    /// An SSE-C object, and no key.
    #[error(
        "The object was stored using a form of Server Side Encryption. The correct parameters \
         must be provided to retrieve the object."
    )]
    ObjectNeedsKey,
    /// A key for an object that has none. Documented, not recorded.
    #[error("The encryption parameters are not applicable to this object.")]
    ObjectWithoutKey,
    /// A part with another key than its upload.
    #[error("The provided encryption parameters did not match the ones used originally.")]
    PartOtherKey,
    /// A part with a key for an upload without, or the other way round.
    #[error(
        "The multipart upload initiate requested encryption. Subsequent part requests must include \
         the appropriate encryption parameters."
    )]
    PartParameters,
    /// An object of SSE-KMS is asked for anonymously or with Signature Version 2. Documented, not
    /// recorded.
    #[error(
        "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS \
         Signature Version 4."
    )]
    SignatureVersion,
    /// The key management service cannot be reached. Wording ours.
    #[error("The key management service cannot be reached. Please try again.")]
    Unavailable,
    /// UpdateObjectEncryption of an object that it does not apply to. Documented, not recorded.
    #[error("The object's encryption cannot be updated: {0}")]
    UpdateNotApplicable(&'static str),
    /// Another key than the object's, or one whose MD5 is not said.
    #[error(
        "Requests specifying Server Side Encryption with Customer provided keys must provide the \
         correct secret key."
    )]
    WrongKey,
}

impl Refusal {
    /// S3's error code.
    #[must_use]
    pub fn code(&self) -> String {
        let code = match self {
            Self::AlgorithmUnknown(_) => "InvalidEncryptionAlgorithmError",
            Self::AlgorithmMissing
            | Self::BucketKeyInvalid(_)
            | Self::BucketKeyWithDsse
            | Self::BucketRuleKey
            | Self::ContextInvalid
            | Self::Incompatible(_)
            | Self::KeyInvalid
            | Self::KeyMd5Mismatch
            | Self::KeyMissing
            | Self::KmsHeader(_)
            | Self::ModeOnRead(_)
            | Self::ModeUnknown(_)
            | Self::SignatureVersion => "InvalidArgument",
            Self::CustomerKeysBlocked | Self::KmsAccess(_) | Self::WrongKey => "AccessDenied",
            Self::HeaderTooLong => "RequestHeaderSectionTooLarge",
            Self::InsecureConnection
            | Self::ObjectNeedsKey
            | Self::ObjectWithoutKey
            | Self::PartOtherKey
            | Self::PartParameters
            | Self::UpdateNotApplicable(_) => "InvalidRequest",
            Self::KeyIdInvalid(_) | Self::KeyRegion(_) => "KMS.NotFoundException",
            Self::Unavailable => "ServiceUnavailable",
            Self::Kms { exception, .. } => return format!("KMS.{exception}"),
        };
        code.to_owned()
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::CustomerKeysBlocked | Self::KmsAccess(_) | Self::WrongKey => 403,
            Self::Unavailable => 503,
            _ => 400,
        }
    }

    /// `ArgumentName` and `ArgumentValue`, where S3 gives them; never a secret.
    #[must_use]
    pub fn argument(&self) -> Option<(&'static str, Option<&str>)> {
        let mode = Header::Mode.name();
        match self {
            // AWS names this header and `null`, not the one that is meant.
            Self::AlgorithmMissing | Self::KeyInvalid | Self::KeyMd5Mismatch | Self::KeyMissing => {
                Some((mode, Some("null")))
            }
            Self::AlgorithmUnknown(value)
            | Self::Incompatible(value)
            | Self::ModeOnRead(value)
            | Self::ModeUnknown(value) => Some((mode, Some(value))),
            Self::KmsHeader(value) => Some((mode, Some(value.as_deref().unwrap_or("null")))),
            Self::BucketKeyInvalid(value) => Some((Header::BucketKey.name(), Some(value))),
            Self::BucketKeyWithDsse => Some((Header::BucketKey.name(), Some("true"))),
            Self::BucketRuleKey => Some(("ApplyServerSideEncryptionByDefault", None)),
            Self::ContextInvalid => Some((Header::Context.name(), None)),
            _ => None,
        }
    }
}
