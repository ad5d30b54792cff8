//! What this room refuses: S3's code, status and words.
//!
//! Source: Amazon S3 API Reference, "Error responses"; AWS's own messages.

use crate::sse::Refusal;

/// A refusal or failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What a client says of its bytes is not so.
    #[error("The {0} you specified did not match the calculated checksum.")]
    BadDigest(String),
    /// The name is somebody else's.
    #[error(
        "The requested bucket name is not available. The bucket namespace is shared by all users of the \
         system. Please select a different name and try again."
    )]
    BucketAlreadyExists,
    /// The name is the caller's own bucket's.
    #[error("Your previous request to create the named bucket succeeded and you already own it.")]
    BucketAlreadyOwnedByYou,
    /// A body in chunks whose signatures are not those of its bytes.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your key \
         and signing method."
    )]
    ChunkSignature,
    /// Something is in it.
    #[error("The bucket you tried to delete is not empty")]
    BucketNotEmpty,
    /// Stored bytes are not those that were written, or not there.
    #[error("The object's stored bytes are damaged: {0}")]
    Damaged(String),
    /// What encryption refuses.
    #[error(transparent)]
    Encryption(#[from] Refusal),
    /// More than can be stored at once.
    #[error("Your proposed upload exceeds the maximum allowed size")]
    EntityTooLarge,
    /// A part that is not the last has less than 5 MiB.
    #[error("Your proposed upload is smaller than the minimum allowed size")]
    EntityTooSmall {
        /// Which part.
        part_number: u16,
        /// Its bytes.
        proposed: u64,
    },
    /// A bucket is asked for in another region than the request's endpoint.
    #[error(
        "The {0} location constraint is incompatible for the region specific endpoint this request was sent to."
    )]
    IllegalLocation(String),
    /// `PutBucketVersioning` without a status.
    #[error("The versioning configuration specified in the request is invalid.")]
    IllegalVersioning,
    /// The body ended before its length, or its stream broke.
    #[error("You did not provide the number of bytes specified by the Content-Length HTTP header")]
    IncompleteBody,
    /// A member of the request is wrong.
    #[error("{message}")]
    InvalidArgument {
        /// AWS's words.
        message: String,
        /// `ArgumentName`
        name: &'static str,
        /// `ArgumentValue`, as it was given; never a secret.
        value: String,
    },
    /// Not a bucket's name.
    #[error("The specified bucket is not valid.")]
    InvalidBucketName(String),
    /// `Content-MD5` is none.
    #[error("The Content-MD5 you specified was invalid.")]
    InvalidDigest,
    /// No region is called so in a `LocationConstraint`.
    #[error("The specified location-constraint is not valid")]
    InvalidLocation(String),
    /// A part that is not there, or has another ETag.
    #[error(
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or \
         the specified entity tag may not match the part's entity tag."
    )]
    InvalidPart,
    /// Parts are not named in order.
    #[error(
        "The list of parts was not in ascending order. The parts list must be specified in order by part \
         number."
    )]
    InvalidPartOrder,
    /// Nothing of an object is in the range.
    #[error("The requested range is not satisfiable")]
    InvalidRange,
    /// Contradictions.
    #[error("{0}")]
    InvalidRequest(String),
    /// Tags are wrong.
    #[error("{0}")]
    InvalidTag(String),
    /// Longer than 1,024 bytes.
    #[error("Your key is too long")]
    KeyTooLong,
    /// A policy that cannot be obeyed.
    #[error("{0}")]
    MalformedPolicy(String),
    /// A document that is none.
    #[error(
        "The XML you provided was not well-formed or did not validate against our published schema"
    )]
    MalformedXml,
    /// User-defined metadata of more than 2 KiB.
    #[error("Your metadata headers exceed the maximum allowed metadata size")]
    MetadataTooLarge,
    /// A delete marker is no object.
    #[error("The specified method is not allowed against this resource.")]
    MethodNotAllowed,
    /// There is none of this name.
    #[error("The specified bucket does not exist")]
    NoSuchBucket(String),
    /// There is none of this key; whether a delete marker says so, and its version.
    #[error("The specified key does not exist.")]
    NoSuchKey {
        /// The key.
        key: String,
        /// The marker's version.
        delete_marker: Option<String>,
    },
    /// There is no such version.
    #[error("The specified version does not exist.")]
    NoSuchVersion {
        /// The object's key.
        key: String,
        /// As it was asked for.
        version_id: String,
    },
    /// A bucket has nothing of this kind.
    #[error("{1}")]
    NotSet(&'static str, &'static str),
    /// There is no such upload, or no longer.
    #[error(
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been \
         aborted or completed."
    )]
    NoSuchUpload(String),
    /// What only the bucket's own account may do, whoever its policy lets in.
    #[error("The specified method is not allowed against this resource.")]
    NotTheOwners,
    /// There is no room for more bytes. AWS has no such answer.
    #[error(
        "There is no room left where the bytes of objects are kept; nothing was written. Make room, then try \
         again."
    )]
    Full,
    /// What is there is what the caller has (304).
    #[error("Not Modified")]
    NotModified {
        /// Of the object.
        etag: String,
    },
    /// AWS has it, strongroom has not.
    #[error(
        "A header or parameter you provided implies functionality that is not implemented: {0}"
    )]
    NotImplemented(String),
    /// What this was made from changed while it was made. Who made it may begin again.
    #[error(
        "A conflicting conditional operation is currently in progress against this resource. Please try \
         again."
    )]
    OperationAborted,
    /// A condition does not hold.
    #[error("At least one of the pre-conditions you specified did not hold")]
    PreconditionFailed(&'static str),
    /// The payload's hash is not the one that was signed.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    Sha256Mismatch,
    /// Where bytes are kept, too much is asked for at once.
    #[error("Please reduce your request rate.")]
    SlowDown,
    /// Where bytes are kept cannot be reached, or lets nobody in.
    #[error(
        "Service is unable to handle request: where the bytes of objects are kept does not answer. Please \
         try again."
    )]
    Unavailable,
    /// A bug, or no randomness.
    #[error("We encountered an internal error. Please try again.")]
    Internal,
}

impl Error {
    /// S3's code.
    #[must_use]
    pub fn code(&self) -> String {
        let code = match self {
            Self::BadDigest(_) => "BadDigest",
            Self::BucketAlreadyExists => "BucketAlreadyExists",
            Self::BucketAlreadyOwnedByYou => "BucketAlreadyOwnedByYou",
            Self::BucketNotEmpty => "BucketNotEmpty",
            Self::ChunkSignature => "SignatureDoesNotMatch",
            Self::Encryption(refusal) => return refusal.code(),
            Self::EntityTooLarge => "EntityTooLarge",
            Self::EntityTooSmall { .. } => "EntityTooSmall",
            Self::IllegalLocation(_) => "IllegalLocationConstraintException",
            Self::IllegalVersioning => "IllegalVersioningConfigurationException",
            Self::IncompleteBody => "IncompleteBody",
            Self::InvalidArgument { .. } => "InvalidArgument",
            Self::InvalidBucketName(_) => "InvalidBucketName",
            Self::InvalidDigest => "InvalidDigest",
            Self::InvalidLocation(_) => "InvalidLocationConstraint",
            Self::InvalidPart => "InvalidPart",
            Self::InvalidPartOrder => "InvalidPartOrder",
            Self::InvalidRange => "InvalidRange",
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::InvalidTag(_) => "InvalidTag",
            Self::KeyTooLong => "KeyTooLongError",
            Self::MalformedPolicy(_) => "MalformedPolicy",
            Self::MalformedXml => "MalformedXML",
            Self::MetadataTooLarge => "MetadataTooLarge",
            Self::MethodNotAllowed | Self::NotTheOwners => "MethodNotAllowed",
            Self::NoSuchBucket(_) => "NoSuchBucket",
            Self::NoSuchKey { .. } => "NoSuchKey",
            Self::NoSuchVersion { .. } => "NoSuchVersion",
            Self::NotSet(code, _) => code,
            Self::NoSuchUpload(_) => "NoSuchUpload",
            Self::NotModified { .. } => "NotModified",
            Self::NotImplemented(_) => "NotImplemented",
            Self::OperationAborted => "OperationAborted",
            Self::PreconditionFailed(_) => "PreconditionFailed",
            Self::SlowDown => "SlowDown",
            Self::Full | Self::Unavailable => "ServiceUnavailable",
            Self::Sha256Mismatch => "XAmzContentSHA256Mismatch",
            Self::Damaged(_) | Self::Internal => "InternalError",
        };
        code.to_owned()
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::ChunkSignature => 403,
            Self::Encryption(refusal) => refusal.status(),
            Self::BucketAlreadyExists
            | Self::BucketAlreadyOwnedByYou
            | Self::BucketNotEmpty
            | Self::OperationAborted => 409,
            Self::InvalidRange => 416,
            Self::MethodNotAllowed | Self::NotTheOwners => 405,
            Self::NoSuchBucket(_)
            | Self::NoSuchKey { .. }
            | Self::NoSuchVersion { .. }
            | Self::NotSet(..)
            | Self::NoSuchUpload(_) => 404,
            Self::NotModified { .. } => 304,
            Self::NotImplemented(_) => 501,
            Self::PreconditionFailed(_) => 412,
            Self::Damaged(_) | Self::Internal => 500,
            Self::Full | Self::SlowDown | Self::Unavailable => 503,
            _ => 400,
        }
    }

    /// Members of the error document beside code and message: name and value.
    #[must_use]
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Encryption(refusal) => match refusal.argument() {
                Some((name, value)) => {
                    let name = ("ArgumentName", name.to_owned());
                    let value = value.map(|value| ("ArgumentValue", value.to_owned()));
                    std::iter::once(name).chain(value).collect()
                }
                None => Vec::new(),
            },
            Self::InvalidArgument { name, value, .. } => {
                vec![("ArgumentName", (*name).to_owned()), ("ArgumentValue", value.clone())]
            }
            Self::EntityTooSmall { part_number, proposed } => vec![
                ("ProposedSize", proposed.to_string()),
                ("MinSizeAllowed", (5 << 20).to_string()),
                ("PartNumber", part_number.to_string()),
            ],
            Self::InvalidBucketName(name) | Self::NoSuchBucket(name) => {
                vec![("BucketName", name.clone())]
            }
            Self::NoSuchKey { key, .. } => vec![("Key", key.clone())],
            Self::NoSuchVersion { key, version_id } => {
                vec![("Key", key.clone()), ("VersionId", version_id.clone())]
            }
            Self::InvalidLocation(region) => vec![("LocationConstraint", region.clone())],
            Self::NoSuchUpload(id) => vec![("UploadId", id.clone())],
            Self::PreconditionFailed(condition) => vec![("Condition", (*condition).to_owned())],
            _ => Vec::new(),
        }
    }
}

impl From<crate::crypto::Error> for Error {
    fn from(_: crate::crypto::Error) -> Self {
        Self::Internal
    }
}
