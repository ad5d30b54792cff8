//! Errors in S3's words: code, status, message.
//!
//! Source: Amazon S3 API Reference, "Error responses".

use super::trouble;
use crate::service::Error;
use crate::{kms, objects};

/// What an error is to a client of S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Refusal {
    /// S3's code.
    pub code: String,
    /// The HTTP status.
    pub status: u16,
    /// S3's words.
    pub message: String,
    /// Members of the error document beside these.
    pub details: Vec<(&'static str, String)>,
}

impl Error {
    /// As S3 says it.
    #[must_use]
    pub fn s3(&self) -> S3Refusal {
        if let Self::S3(refusal) = self {
            return refusal.clone();
        }
        if let Self::Objects(error) = self {
            let shown = match error {
                // Where they are is the operator's business, and in the trail.
                objects::Error::Damaged(_) => objects::Error::Internal.to_string(),
                error => error.to_string(),
            };
            return S3Refusal {
                code: error.code(),
                status: error.status(),
                message: shown,
                details: error.details(),
            };
        }
        let (code, status, message) = match self {
            Self::AccessDenied { principal, action, resource, because } => {
                let message = format!(
                    "User: {principal} is not authorized to perform: {action} on resource: \
                     \"{resource}\" {because}"
                );
                ("AccessDenied", 403, message)
            }
            Self::AccessHidden { .. }
            | Self::Kms(kms::Error::Hidden)
            | Self::MissingAuthentication => ("AccessDenied", 403, "Access Denied".to_owned()),
            Self::Busy | Self::Throttled(_) => {
                ("SlowDown", 503, "Please reduce your request rate.".to_owned())
            }
            Self::Contended => {
                let message = "A conflicting conditional operation is currently in progress against \
                               this resource. Please try again.";
                ("OperationAborted", 409, message.to_owned())
            }
            Self::DeadlineExceeded => {
                let message = "Your request could not be recorded in time. Please try again.";
                ("RequestTimeout", 400, message.to_owned())
            }
            Self::ExpiredToken => {
                ("ExpiredToken", 400, "The provided token has expired.".to_owned())
            }
            Self::IncompleteSignature(what) => ("AuthorizationHeaderMalformed", 400, what.clone()),
            Self::InvalidSignature(_) => {
                let message = "The request signature we calculated does not match the signature you \
                               provided. Check your key and signing method.";
                ("SignatureDoesNotMatch", 403, message.to_owned())
            }
            Self::Kms(kms::Error::MalformedPolicy(what)) => ("MalformedPolicy", 400, what.clone()),
            Self::Malformed(what) => ("InvalidRequest", 400, what.clone()),
            Self::RequestTooLarge => {
                let message = "Your request was too big.";
                ("MaxMessageLengthExceeded", 400, message.to_owned())
            }
            Self::Unauthenticated | Self::UnknownCredential => {
                let message = "The AWS Access Key Id you provided does not exist in our records.";
                ("InvalidAccessKeyId", 403, message.to_owned())
            }
            Self::UnknownOperation => {
                let message = "A header you provided implies functionality that is not implemented";
                ("NotImplemented", 501, message.to_owned())
            }
            Self::Store(_) => ("ServiceUnavailable", 503, "Reduce your request rate.".to_owned()),
            Self::Internal => ("InternalError", 500, objects::Error::Internal.to_string()),
            other => (other.row_name(), other.http_status(), other.to_string()),
        };
        S3Refusal { code: code.to_owned(), status, message, details: Vec::new() }
    }
}

impl From<crate::sse::Error> for Error {
    fn from(error: crate::sse::Error) -> Self {
        use crate::sse;
        Self::Objects(match error {
            sse::Error::Refused(refusal) => refusal.into(),
            sse::Error::Provider(error) => sse::Refusal::from(&error).into(),
            sse::Error::Io(error) => of_body(error),
            sse::Error::Open | sse::Error::Envelope(_) | sse::Error::Parts => {
                objects::Error::Damaged(error.to_string())
            }
            sse::Error::TooLarge(_) => objects::Error::EntityTooLarge,
            _ => objects::Error::Internal,
        })
    }
}

/// What went wrong with a body: what its stream says, or else that it ended early.
pub(super) fn of_body(error: std::io::Error) -> objects::Error {
    match error.downcast::<objects::Error>() {
        Ok(error) => error,
        // A copy's source is in the store, whose own trouble is not the client's.
        Err(error) => trouble::refusal(&error).unwrap_or(objects::Error::IncompleteBody),
    }
}
