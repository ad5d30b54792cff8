//! Amazon S3: what happens around the walk of an operation on objects. Bytes are sealed and stored, or
//! found and opened, once the walk has let the caller in; what is known of them goes through the walk.
//!
//! - A write stores its bytes as a new blob, then commits the row that names it: before the commit nobody sees
//!   them, and a write that fails leaves the old object. What is nobody's is removed at once, or swept later.
//! - A read finds the row, asks KMS for the key as the caller, and opens the blob; its record is committed before
//!   the first byte is given out.
//! - KMS is asked through [`super::Keys`] with `kms:ViaService` set: each use of a key is a walk and a record of
//!   its own. SSE-S3 has keys of the store's own ([`OwnKeys`]), of which KMS knows nothing, as on AWS.
//!
//! | file | noun |
//! |---|---|
//! | `operations.rs` | the register of S3's operations |
//! | `resources.rs` | buckets and objects as resources of policies |
//! | `refusal.rs` | errors in S3's words |
//! | `own_keys.rs` | the keys of SSE-S3 |
//! | `bodies.rs`, `claim.rs` | stored bytes, and whose they are |
//! | `sending.rs`, `pieces.rs`, `readers.rs` | bytes on their way to their store and back, and who reads them |
//! | `trouble.rs` | what goes wrong in a store of bytes |
//! | `digesting.rs` | what a writer says of its bytes, held against them |
//! | `requests.rs` | one request on its way: whose, to which bucket, sealed how |
//! | `writing.rs`, `reading.rs`, `copying.rs` | objects written, read, copied |
//! | `uploading.rs` | uploads in parts |
//! | `sweeping.rs` | bytes that are nobody's |

mod bodies;
mod claim;
mod copying;
mod digesting;
mod operations;
mod own_keys;
mod pieces;
mod readers;
mod reading;
mod refusal;
mod requests;
mod resources;
mod sending;
mod sweeping;
mod trouble;
mod uploading;
mod writing;

use std::ops::Range;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

pub(super) use bodies::Bodies;
pub(super) use claim::Owner;
pub use digesting::Expected;
pub(super) use operations::S3;
pub(super) use own_keys::{OWN_KEY, OwnKeys};
pub use reading::{RangeAsked, Wanted};
pub use refusal::S3Refusal;
pub(super) use sweeping::SWEEPING;

use crate::objects::{Found, Written};

/// Bytes as they come or go.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// Headers of an answer: name in lower case, and value.
pub type AnswerHeaders = Vec<(&'static str, String)>;

/// A body that comes in.
pub struct Incoming {
    /// Its bytes. An [`crate::objects::Error`] within an error is what the call is answered.
    pub body: ByteStream,
    /// How many, if that was said.
    pub length: Option<u64>,
    /// What was said of them.
    pub expected: Expected,
}

/// An object that was written.
#[derive(Debug)]
pub struct Stored {
    /// The new version.
    pub written: Written,
    /// What the answer says of encryption and checksums.
    pub headers: AnswerHeaders,
}

/// An upload that was begun.
#[derive(Debug)]
pub struct Begun {
    /// Its id.
    pub upload_id: String,
    /// What the answer says of encryption.
    pub headers: AnswerHeaders,
}

/// A part that was written.
#[derive(Debug)]
pub struct PartStored {
    /// Without quotes.
    pub etag: String,
    /// What the answer says of encryption and checksums.
    pub headers: AnswerHeaders,
    /// When.
    pub modified: chrono::DateTime<chrono::Utc>,
}

/// An object that was found, and opened if it was asked for.
pub struct Opened {
    /// What is known of it.
    pub found: Found,
    /// What the answer says of encryption.
    pub headers: AnswerHeaders,
    /// Its checksums: header name and base64; none unless they were asked for.
    pub checksums: AnswerHeaders,
    /// Which of its bytes are answered; none when it is all of them.
    pub range: Option<Range<u64>>,
    /// How many those are.
    pub len: u64,
    /// In how many parts it was written, where one of them was asked for.
    pub parts: Option<u16>,
    /// The bytes; none for who asks only what is known.
    pub body: Option<ByteStream>,
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming").field("length", &self.length).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("found", &self.found).finish_non_exhaustive()
    }
}
