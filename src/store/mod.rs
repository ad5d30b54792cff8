//! Durable bytes: one ordered map (sled), values sealed at rest, and the one commit.
//!
//! Invariants
//! - Nothing is answered that is not on disk: [`Committer`] writes a group as one atomic batch,
//!   makes it durable, and only then replies.
//! - A write error is final: the committer answers [`Error::Stopped`] from then on.
//! - Opening refuses damage; it never continues with less than what was acknowledged.
//!
//! | file | noun |
//! |---|---|
//! | `rows.rs` | rows, changes, revisions: what is written |
//! | `engine.rs` | sled behind our own `fdatasync` |
//! | `sealed.rs` | state values, sealed with their place |
//! | `anchor.rs` | the last checkpoint, kept outside of sled |
//! | `fingerprint.rs` | a digest of the database's files, left by a clean shutdown |
//! | `directory.rs` | the data directory: database, fingerprint |
//! | `folder.rs` | a folder of ours: lock, root key, small files |
//! | `privacy.rs` | who else may read it: nobody |
//! | `commit.rs` | the group commit |
//!
//! Layouts: docs/formats.md, "Data directory".

mod anchor;
mod commit;
mod directory;
mod engine;
mod fingerprint;
mod folder;
mod privacy;
mod rows;
mod sealed;

use std::path::PathBuf;

pub use anchor::Anchor;
pub use commit::{Committed, Committer, Entry, GroupCommitted, Journaled, Medium, Publish, Reply};
pub use directory::DataDirectory;
pub use engine::{Direction, Durability, Engine, Scan};
pub use folder::{Folder, root_check};
pub use rows::{Applied, Change, Revision, Row, RowId, Space, Table, Value};
pub use sealed::Sealer;

/// An error with its causes in one line, for the operator.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said.push_str(": ");
        said.push_str(&error.to_string());
        cause = error.source();
    }
    said
}

/// What the store refuses or fails with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The anchor file cannot be understood in either of its slots.
    #[error(
        "the anchor file {0} is damaged in both slots; restore it from a backup of the data directory"
    )]
    Anchor(PathBuf),
    /// Another write changed a row that this one depends on; the operation runs again.
    #[error("a row changed between reading and writing")]
    Conflict,
    /// The database's bytes are not what was written.
    #[error("the database is damaged: {0}; restore the data directory from a backup")]
    Damaged(String),
    /// A file operation failed.
    #[error("{doing} {path} failed")]
    File {
        /// What was tried, as a gerund.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The data directory was written by another version of the program.
    #[error("the data directory has format {found}, this program reads format {expected}")]
    Format {
        /// In the store.
        found: String,
        /// What this build reads.
        expected: &'static str,
    },
    /// Another process has the data directory.
    #[error(
        "the data directory {path} is in use by process {pid}; stop that process, or choose another --data-dir"
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// Its holder, as it wrote itself down.
        pid: String,
    },
    /// Others may enter the data directory.
    #[error(
        "the data directory {path} is open to others (mode {mode:o}); close it with `chmod 700`, or choose a directory of its own with --data-dir"
    )]
    OpenToOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The root key given is malformed.
    #[error("the root key from {0} is not 32 bytes in hex (64 digits) or base64")]
    RootKeyForm(String),
    /// The root key is not the one that sealed this store.
    #[error(
        "the root key does not match this store; give the one it was created with (STRONGROOM_ROOT_KEY, or root.key in the data directory)"
    )]
    RootKeyMismatch,
    /// The store has a root key from elsewhere, and it was not given.
    #[error(
        "the root key of this store is not in {0}; give it in STRONGROOM_ROOT_KEY or with --root-key-file"
    )]
    RootKeyMissing(PathBuf),
    /// sled failed.
    #[error("the embedded store failed")]
    Sled(#[source] sled::Error),
    /// An earlier write failed, so nothing more is written until restart.
    #[error("the store stopped after a failed write: {0}")]
    Stopped(String),
    /// Sealing or opening a stored value failed.
    #[error("a stored value does not open")]
    Value(#[from] crate::crypto::Error),
}

impl Error {
    fn file(doing: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { doing, path, source }
    }
}
