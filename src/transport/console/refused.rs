//! What was refused, in the words that the service has for it.

use maud::{Markup, html};

use super::text;
use crate::service::{Error, Operation, Reply};

/// A call that was answered with an error.
#[derive(Debug, Clone)]
pub(super) struct Refused {
    /// AWS's code.
    pub(super) code: String,
    /// The HTTP status that it has at the doors of AWS.
    pub(super) status: u16,
    /// AWS's words.
    pub(super) message: String,
    /// The record of it.
    pub(super) log_index: Option<u64>,
}

impl Refused {
    /// A call's output, or why there is none.
    pub(super) fn or<O: Operation, T>(reply: Reply<T>) -> Result<T, Self> {
        Self::or_of(reply, O::ACTION)
    }

    /// The same of a call of S3 that is more than its walk.
    pub(super) fn or_s3<T>(reply: Reply<T>) -> Result<T, Self> {
        Self::or_of(reply, "s3:")
    }

    fn or_of<T>(reply: Reply<T>, action: &str) -> Result<T, Self> {
        let log_index = reply.log_index;
        reply.result.map_err(|error| Self::of(&error, action, log_index))
    }

    fn of(error: &Error, action: &str, log_index: Option<u64>) -> Self {
        if action.starts_with("s3:") {
            let refusal = error.s3();
            let (code, status, message) = (refusal.code, refusal.status, refusal.message);
            return Self { code, status, message, log_index };
        }
        let (code, status) = (error.code().into_owned(), error.http_status());
        Self { code, status, message: error.to_string(), log_index }
    }

    /// Whether nothing allows it.
    pub(super) fn is_denial(&self) -> bool {
        self.code.starts_with("AccessDenied")
    }

    /// On one line.
    pub(super) fn brief(&self) -> Markup {
        html! {
            span.refused { strong { (self.code) } ": " (text::shown(&self.message)) }
            @if let Some(index) = self.log_index {
                " " (text::record_link(index))
            }
        }
    }
}
