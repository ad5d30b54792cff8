//! The append-only log: what happened, in a Merkle tree (RFC 6962) whose head is signed (C2SP
//! signed note and checkpoint, ed25519).
//!
//! Invariants
//! - An entry's bytes are hashed as they are stored and never re-serialised.
//! - [`Log::extend`] computes, [`Log::publish`] shows: nobody reads a head that is not durable.
//! - Entries are stored in clear, so that the log's public key alone verifies them; they hold no
//!   secret (the register says which fields are written down).
//!
//! | file | noun |
//! |---|---|
//! | `event.rs` | what is written down of a call |
//! | `checkpoint.rs` | signed tree heads |
//! | `bundle.rs` | how entries, hashes and index lie in rows |
//! | `log.rs` | the log: opening, extending, reading |
//! | `check.rs` | recomputing everything |
//! | `query.rs` | finding records |
//!
//! Layouts: docs/formats.md, "Audit log".

mod bundle;
mod check;
mod checkpoint;
mod event;
mod log;
mod query;

pub use checkpoint::{Checkpoint, LogSigner};
pub use event::{Event, Leaf, MAX_LEN, Outcome};
pub use log::{Extension, Head, Log, Record};
pub use query::{Order, Page, Query};

use crate::store;

/// What the log refuses or fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A checkpoint or its signature is not what this log's key signed.
    #[error("the checkpoint does not verify: {0}")]
    Checkpoint(&'static str),
    /// A stored record, hash or checkpoint is not what was written.
    #[error("the audit log is damaged: {0}; restore the data directory from a backup")]
    Damaged(String),
    /// An entry is not an event.
    #[error("the entry is no event of this log's format")]
    Event,
    /// The signer's name is none (C2SP signed-note: no space, no plus).
    #[error("{0:?} is no name for a log")]
    Origin(String),
    /// A page token of another query, or none at all.
    #[error("the page token does not belong to this query; start again without it")]
    PageToken,
    /// A condition that no record could meet.
    #[error("{0}")]
    Query(&'static str),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether the caller's request was at fault.
    #[must_use]
    pub const fn is_callers(&self) -> bool {
        matches!(self, Self::PageToken | Self::Query(_))
    }
}

#[cfg(test)]
mod tests;
