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
//! | `cosignature.rs` | what witnesses sign |
//! | `policy.rs` | how many witnesses are enough |
//! | `witness.rs` | the witness that strongroom is to other logs |
//! | `keys.rs` | the log's keys, of which one takes over from another |
//! | `ring.rs` | those that this log signs with |
//! | `lines.rs` | numbers and hashes in texts |
//! | `bundle.rs` | how entries and hashes lie in rows |
//! | `log.rs` | the log: opening, extending, reading |
//! | `sealed.rs` | the oldest records moved to an archive |
//! | `archive.rs` | what is read from there, held against the tree |
//! | `tree.rs` | the right edge of a growing tree |
//! | `check.rs` | recomputing everything |
//! | `proof.rs` | that a record is in a tree, and a tree in a later one |
//! | `term.rs` | what records are found by |
//! | `block.rs` | the index of 256 entries |
//! | `index.rs` | the index: whether it is whole, making it anew |
//! | `postings.rs` | blocks that may hold what a query asks for |
//! | `filter.rs` | whether a record is one that was asked for |
//! | `query.rs` | finding records |
//! | `expect.rs` | what a test expects of the trail |
//! | `cloudtrail.rs` | events as AWS CloudTrail writes them down |
//! | `lookup.rs` | what CloudTrail's `LookupEvents` finds |
//! | `files/` | the log as files: read, exported, verified |
//!
//! Layouts: docs/formats.md, "Audit log".

mod archive;
mod block;
mod bundle;
mod check;
mod checkpoint;
mod cloudtrail;
mod cosignature;
mod event;
mod expect;
pub mod files;
mod filter;
mod index;
mod keys;
mod lines;
mod log;
mod lookup;
mod policy;
mod postings;
mod proof;
mod query;
mod ring;
mod sealed;
mod term;
mod tree;
mod witness;

pub use checkpoint::{Checkpoint, LogSigner};
pub use cloudtrail::{CloudTrailEvent, CloudTrailResource, aws_name};
pub use cosignature::{Cosignature, CosignatureKey, Cosigned, Cosigner, cosigned};
pub use event::{Event, Leaf, LogChange, MAX_LEN, Outcome};
pub use expect::{Counted, Expectation, Report, Times};
pub use filter::Filter;
pub use keys::{HandOver, LogKeys, ROTATE_LOG_KEY, SUCCESSOR};
pub use log::{Extension, Head, Log, Record};
pub use lookup::{InvalidLookup, LookedUp, Lookup};
pub use policy::{WitnessPolicy, Witnessed};
pub use proof::{ConsistencyProof, InclusionProof, ProofFile, Tree, TreeName};
pub use query::{Order, Page, Query};
pub use sealed::{Keep, Sealing};
pub use witness::{AddCheckpoint, Refusal, Witness};

use std::path::PathBuf;

use crate::store;

/// What the log refuses or fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Records that were sealed cannot be had from the archive.
    #[error(
        "records from {record} on are in the archive, and {file} {why}; newer records and all keys are \
         not touched by it"
    )]
    Archive {
        /// The first of them.
        record: u64,
        /// The file that is needed.
        file: String,
        /// What is wrong with it.
        why: &'static str,
        /// Why it cannot be read.
        #[source]
        source: Option<Box<Self>>,
    },
    /// A proof was asked for to a tree that is smaller than the one it begins at.
    #[error("a tree of {old} records cannot be contained in a smaller one, of {new}")]
    Backwards {
        /// Where the proof was to begin.
        old: u64,
        /// Where it was to lead.
        new: u64,
    },
    /// A checkpoint or its signature is not what this log's key signed.
    #[error("the checkpoint does not verify: {0}")]
    Checkpoint(&'static str),
    /// Files of a log do not hold together.
    #[error("damage: {0}")]
    Damage(String),
    /// A stored record, hash or checkpoint is not what was written.
    #[error("the audit log is damaged: {0}; restore the data directory from a backup")]
    Damaged(String),
    /// A proof was asked for from the tree without records (RFC 6962, 2.1.2: `0 < m`).
    #[error("the empty tree is contained in every other: there is nothing to prove")]
    EmptyTree,
    /// An entry is not an event.
    #[error("the entry is no event of this log's format")]
    Event,
    /// A folder cannot take an export.
    #[error("{path} cannot be exported into: {why}")]
    Folder {
        /// Which.
        path: PathBuf,
        /// What is in the way.
        why: &'static str,
    },
    /// The log has other records than it had when a checkpoint of its own was signed.
    #[error(
        "fork: the log's first {size} records are not those that its checkpoint of {size} signed"
    )]
    Fork {
        /// Records of the checkpoint.
        size: u64,
    },
    /// What should let a key's successor be trusted does not.
    #[error("the hand-over does not verify: {0}")]
    HandOver(&'static str),
    /// There is no such record in the tree.
    #[error("there is no record {index} in a tree of {size} records")]
    NoRecord {
        /// As asked for, from 0.
        index: u64,
        /// Records in the tree.
        size: u64,
    },
    /// The log has not as many records.
    #[error("there is no tree of {asked} records: the log has {size}")]
    NoTree {
        /// As asked for.
        asked: u64,
        /// Records in the log.
        size: u64,
    },
    /// The index is not that of the log as it stands.
    #[error(
        "the index of the audit log cannot be used: {0}; stop the service and run `strongroom audit reindex --data-dir DIR`"
    )]
    Index(&'static str),
    /// A lookup that CloudTrail refuses.
    #[error(transparent)]
    Lookup(#[from] InvalidLookup),
    /// The signer's name is none (C2SP signed-note: no space, no plus).
    #[error("{0:?} is no name for a log")]
    Origin(String),
    /// A page token of another query, or none at all.
    #[error("the page token does not belong to this query; start again without it")]
    PageToken,
    /// A proof is none, or proves something else.
    #[error("the proof does not verify: {0}")]
    Proof(&'static str),
    /// Witnesses and their number do not fit.
    #[error("{0}")]
    Policy(&'static str),
    /// Not enough witnesses have signed.
    #[error("{found} of the known witnesses have signed the checkpoint, and {needed} are needed")]
    Quorum {
        /// Whose cosignatures are there and good.
        found: usize,
        /// As many have to be.
        needed: usize,
    },
    /// A condition that no record could meet.
    #[error("{0}")]
    Query(&'static str),
    /// A file of a log cannot be read.
    #[error("reading {what} failed")]
    Read {
        /// Path or address.
        what: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log has fewer records than it had when a checkpoint of its own was signed.
    #[error(
        "rollback: the log has {size} records, and had {older} when its checkpoint was signed: \
         records {size}..{older} are gone"
    )]
    Rollback {
        /// Records in the log.
        size: u64,
        /// Records of the checkpoint.
        older: u64,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The verifier string of a witness is none.
    #[error(
        "{0:?} is no verifier string of a witness (name, key id and key of type 04, joined by +)"
    )]
    WitnessKey(String),
    /// What a witness has signed of a log is not what it kept.
    #[error(
        "{path} is not what this witness kept of {log}; restore it from a backup, or ask the log for its \
         newest checkpoint that this witness has signed and put it there"
    )]
    Witnessed {
        /// The log's name.
        log: String,
        /// The file.
        path: PathBuf,
    },
    /// A file of an export cannot be written.
    #[error("writing {path} failed; what was exported before is as it was")]
    Write {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the caller's request was at fault.
    #[must_use]
    pub const fn is_callers(&self) -> bool {
        matches!(
            self,
            Self::Backwards { .. }
                | Self::Checkpoint(_)
                | Self::EmptyTree
                | Self::Lookup(_)
                | Self::NoRecord { .. }
                | Self::NoTree { .. }
                | Self::PageToken
                | Self::Query(_)
        )
    }
}

#[cfg(test)]
mod tests;
