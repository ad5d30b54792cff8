//! The one error table: every refusal's name, HTTP status and gRPC code, which all doors read.

use std::borrow::Cow;
use std::num::NonZeroU32;

use tonic::Code;

use super::place::PlaceError;
use super::s3::S3Refusal;
use crate::audit::InvalidLookup;
use crate::iam::Malformed;
use crate::{audit, kms, objects, store};

/// Why a call was not answered with a result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing allows the principal to do this.
    #[error(
        "User: {principal} is not authorized to perform: {action} on resource: {resource} {because}"
    )]
    AccessDenied {
        /// Who.
        principal: String,
        /// What.
        action: String,
        /// To what.
        resource: String,
        /// Which rule, in AWS's words.
        because: String,
    },
    /// Nothing allows the principal to do this to another account's resource, or there is none.
    #[error(
        "User: {principal} is not authorized to perform: {action} on this resource because the \
         resource does not exist in this Region, no resource-based policies allow access, or a \
         resource-based policy explicitly denies access"
    )]
    AccessHidden {
        /// Who.
        principal: String,
        /// What.
        action: String,
    },
    /// The audit room refused or failed.
    #[error(transparent)]
    Audit(#[from] audit::Error),
    /// Too many calls of this kind wait already.
    #[error("too many calls of this kind are waiting; try again")]
    Busy,
    /// Others kept changing what the call read.
    #[error("others keep changing what this call depends on; try again")]
    Contended,
    /// The caller's deadline passed before the call's record was durable.
    #[error("the deadline passed before the call was recorded")]
    DeadlineExceeded,
    /// A dry run that found nothing in the way.
    #[error("The request would have succeeded, but the DryRun option is set.")]
    DryRun,
    /// A session is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
    /// A signature's header cannot be read.
    #[error("{0}")]
    IncompleteSignature(String),
    /// A bug: a thread ended, a list was not what its maker said.
    #[error("an internal error occurred")]
    Internal,
    /// The region has no region's form.
    #[error("the region is not one: expected a name such as us-east-1")]
    InvalidRegion,
    /// A signature is not that of its key, or not of now.
    #[error("{0}")]
    InvalidSignature(String),
    /// The room of buckets and objects refused.
    #[error(transparent)]
    Objects(#[from] objects::Error),
    /// What the door of S3 refused before an operation was reached.
    #[error("{}", .0.message)]
    S3(S3Refusal),
    /// What would be thrown away is meant to be kept.
    #[error(
        "only a service that was started with --ephemeral can be reset: others keep what they have"
    )]
    NotResettable,
    /// A room of keys refused.
    #[error(transparent)]
    Kms(#[from] kms::Error),
    /// The request could not be decoded.
    #[error("the request cannot be decoded: {0}")]
    Malformed(String),
    /// Nothing was presented where AWS insists on a signature.
    #[error("Request is missing Authentication Token")]
    MissingAuthentication,
    /// Bytes cannot be kept where they are to be.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A session's policy is longer than one can be.
    #[error(
        "PackedPolicySize exceeds its limit: a session policy has 2,048 characters at the most"
    )]
    PackedPolicyTooLarge,
    /// The request is larger than any that an operation takes.
    #[error("the request is larger than any that is answered here")]
    RequestTooLarge,
    /// The names of a client certificate are of more than one principal; its SHA-256.
    #[error(
        "the client certificate with SHA-256 {0} is refused: several principals of the credentials \
         file name it"
    )]
    SharedCertificate(String),
    /// What only keys that last may ask for.
    #[error("Cannot call GetSessionToken with session credentials")]
    SessionCannot,
    /// The store refused or failed.
    #[error("the call could not be recorded, so it is not answered: {0}")]
    Store(#[source] store::Error),
    /// More calls came in a second than are answered.
    #[error(
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls: \
         this service answers {0} a second (--max-requests-per-second)."
    )]
    Throttled(NonZeroU32),
    /// What was presented proves nobody.
    #[error("the access key id is not one: expected 1 to 128 printable characters without spaces")]
    Unauthenticated,
    /// No principal names a client certificate; its SHA-256.
    #[error(
        "the client certificate with SHA-256 {0} is verified, but no principal of the credentials \
         file names it"
    )]
    UnknownCertificate(String),
    /// What was presented is of nobody who is known.
    #[error("The security token included in the request is invalid.")]
    UnknownCredential,
    /// There is no such operation.
    #[error("there is no such operation")]
    UnknownOperation,
}

impl From<Malformed> for Error {
    fn from(wrong: Malformed) -> Self {
        Self::Kms(kms::Error::MalformedPolicy(wrong.0))
    }
}

impl Error {
    /// Name (AWS's exception where there is one), HTTP status, gRPC code.
    const fn row(&self) -> (&'static str, u16, Code) {
        use kms::Error as K;
        match self {
            Self::AccessDenied { .. } | Self::AccessHidden { .. } | Self::Kms(K::Hidden) => {
                ("AccessDeniedException", 400, Code::PermissionDenied)
            }
            Self::Audit(audit::Error::Lookup(why)) => {
                let name = match why {
                    InvalidLookup::Attributes(_) => "InvalidLookupAttributesException",
                    InvalidLookup::EventCategory => "InvalidEventCategoryException",
                    InvalidLookup::MaxResults => "InvalidMaxResultsException",
                    InvalidLookup::NextToken => "InvalidNextTokenException",
                    InvalidLookup::TimeRange => "InvalidTimeRangeException",
                };
                (name, 400, Code::InvalidArgument)
            }
            Self::Audit(error) => match error.is_callers() {
                true => ("ValidationException", 400, Code::InvalidArgument),
                false => ("AuditException", 500, Code::Internal),
            },
            Self::Busy | Self::Throttled(_) => {
                ("ThrottlingException", 400, Code::ResourceExhausted)
            }
            Self::Contended => ("ConflictException", 400, Code::Aborted),
            Self::DeadlineExceeded => ("DependencyTimeoutException", 500, Code::DeadlineExceeded),
            Self::DryRun | Self::Kms(K::DryRun) => {
                ("DryRunOperationException", 412, Code::FailedPrecondition)
            }
            Self::ExpiredToken => ("ExpiredTokenException", 400, Code::Unauthenticated),
            Self::IncompleteSignature(_) => {
                ("IncompleteSignatureException", 400, Code::Unauthenticated)
            }
            Self::Internal | Self::Kms(K::Internal) => {
                ("KMSInternalException", 500, Code::Internal)
            }
            Self::InvalidRegion | Self::Kms(K::Validation(_)) => {
                ("ValidationException", 400, Code::InvalidArgument)
            }
            Self::InvalidSignature(_) => ("InvalidSignatureException", 400, Code::Unauthenticated),
            Self::Kms(K::AlreadyExists(_) | K::KeyExists(_)) => {
                ("AlreadyExistsException", 400, Code::AlreadyExists)
            }
            Self::Kms(K::Disabled(_)) => ("DisabledException", 400, Code::FailedPrecondition),
            Self::Kms(K::ExpiredImportToken) => {
                ("ExpiredImportTokenException", 400, Code::FailedPrecondition)
            }
            Self::Kms(K::IncorrectKeyMaterial) => {
                ("IncorrectKeyMaterialException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidImportToken) => {
                ("InvalidImportTokenException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::IncorrectKey) => ("IncorrectKeyException", 400, Code::InvalidArgument),
            Self::Kms(K::InvalidAliasName(_)) => {
                ("InvalidAliasNameException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidArn(_)) => ("InvalidArnException", 400, Code::InvalidArgument),
            Self::Kms(K::InvalidCiphertext) => {
                ("InvalidCiphertextException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidGrantId) => ("InvalidGrantIdException", 400, Code::InvalidArgument),
            Self::Kms(K::InvalidGrantToken) => {
                ("InvalidGrantTokenException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidKeyUsage(_)) => {
                ("InvalidKeyUsageException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidMac) => ("KMSInvalidMacException", 400, Code::InvalidArgument),
            Self::Kms(K::InvalidMarker) => ("InvalidMarkerException", 400, Code::InvalidArgument),
            Self::Kms(K::InvalidSignature) => {
                ("KMSInvalidSignatureException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::InvalidState { .. }) => {
                ("KMSInvalidStateException", 400, Code::FailedPrecondition)
            }
            Self::Kms(K::LimitExceeded(_)) => {
                ("LimitExceededException", 400, Code::ResourceExhausted)
            }
            Self::Kms(K::MalformedPolicy(_)) => {
                ("MalformedPolicyDocumentException", 400, Code::InvalidArgument)
            }
            Self::Kms(K::ManagedKeyMissing { .. } | K::NotFound(_)) => {
                ("NotFoundException", 400, Code::NotFound)
            }
            Self::Kms(K::Tag(_)) => ("TagException", 400, Code::InvalidArgument),
            Self::Kms(K::Unsupported(_)) => {
                ("UnsupportedOperationException", 400, Code::Unimplemented)
            }
            Self::Malformed(_) => ("SerializationException", 400, Code::InvalidArgument),
            Self::MissingAuthentication => {
                ("MissingAuthenticationTokenException", 400, Code::Unauthenticated)
            }
            // Their names are S3's, see [`Self::code`].
            Self::Objects(_) | Self::S3(_) => {
                let status = match self {
                    Self::S3(refusal) => refusal.status,
                    Self::Objects(error) => error.status(),
                    _ => 500,
                };
                let code = match status {
                    404 => Code::NotFound,
                    409 => Code::AlreadyExists,
                    304 | 412 => Code::FailedPrecondition,
                    403 => Code::PermissionDenied,
                    501 => Code::Unimplemented,
                    503 => Code::Unavailable,
                    500.. => Code::Internal,
                    _ => Code::InvalidArgument,
                };
                ("InternalError", status, code)
            }
            Self::NotResettable => ("UnsupportedOperationException", 400, Code::FailedPrecondition),
            Self::PackedPolicyTooLarge => {
                ("PackedPolicyTooLargeException", 400, Code::InvalidArgument)
            }
            Self::RequestTooLarge => ("RequestTooLargeException", 413, Code::ResourceExhausted),
            Self::SessionCannot => ("AccessDeniedException", 400, Code::PermissionDenied),
            Self::Place(_) | Self::Store(_) => {
                ("ServiceUnavailableException", 503, Code::Unavailable)
            }
            Self::SharedCertificate(_)
            | Self::Unauthenticated
            | Self::UnknownCertificate(_)
            | Self::UnknownCredential => {
                ("UnrecognizedClientException", 400, Code::Unauthenticated)
            }
            Self::UnknownOperation => ("UnknownOperationException", 404, Code::Unimplemented),
        }
    }

    /// The error's name: AWS's exception where there is one.
    #[must_use]
    pub fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Objects(error) => error.code().into(),
            Self::S3(refusal) => refusal.code.clone().into(),
            _ => self.row().0.into(),
        }
    }

    /// The same of what is no room's of objects.
    pub(super) const fn row_name(&self) -> &'static str {
        self.row().0
    }

    /// The HTTP status that AWS gives it.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        self.row().1
    }

    /// The gRPC status code.
    #[must_use]
    pub const fn grpc_code(&self) -> Code {
        self.row().2
    }

    /// Whether it is a refusal of who called rather than of what was asked.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::S3(refusal) if refusal.status == 403)
            || matches!(self, Self::Objects(error) if error.status() == 403)
            || matches!(
                self,
                Self::AccessDenied { .. }
                    | Self::AccessHidden { .. }
                    | Self::ExpiredToken
                    | Self::IncompleteSignature(_)
                    | Self::InvalidSignature(_)
                    | Self::MissingAuthentication
                    | Self::SessionCannot
                    | Self::SharedCertificate(_)
                    | Self::Unauthenticated
                    | Self::UnknownCertificate(_)
                    | Self::UnknownCredential
            )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_aws_says() {
        let cases = [
            (Error::Kms(kms::Error::NotFound(String::new())), "NotFoundException", 400),
            (Error::Kms(kms::Error::Internal), "KMSInternalException", 500),
            (Error::Kms(kms::Error::InvalidCiphertext), "InvalidCiphertextException", 400),
            (Error::UnknownOperation, "UnknownOperationException", 404),
        ];
        for (error, code, status) in cases {
            assert_eq!((error.code().as_ref(), error.http_status()), (code, status));
        }
    }
}
