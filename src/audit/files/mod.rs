//! The log as files that anybody can serve, copy and check: C2SP tlog-tiles.
//!
//! | file | noun |
//! |---|---|
//! | `name.rs` | the files and their names |
//! | `stored.rs` | the files of a store, made as they are read |
//! | `folder.rs` | files in a folder |
//! | `tiling.rs` | a tree that grows, tile by tile |
//! | `export.rs` | the log written into a folder |
//! | `verify.rs` | everything recomputed, from entries up |
//!
//! Whoever reads believes nothing of what it read before hashes and signature fit.

mod export;
mod folder;
mod name;
mod stored;
mod tiling;
mod verify;

pub use export::{Exported, export};
pub use folder::Folder;
pub use name::LogFile;
pub(super) use tiling::{HASH, Tiling};
pub(super) use verify::recompute;
pub use verify::verify;

use std::fmt;

use super::Error;
use super::bundle::entries;

/// Where a log's files are.
pub trait Files {
    /// Reads one whole file; none when there is no such file.
    ///
    /// # Errors
    /// [`Error::Read`] when that cannot be found out, [`Error::Damage`] for what is too long to be one.
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error>;
}

/// Where a log's files are written: a folder, or what else keeps them.
pub trait Destination: Files + fmt::Debug + Send + Sync {
    /// Where that is, for people.
    fn location(&self) -> String;

    /// Keeps others from writing, where that is possible, until the guard is dropped.
    ///
    /// # Errors
    /// [`Error::Folder`] when somebody else writes; [`Error::Write`].
    fn hold(&self) -> Result<Held, Error>;

    /// Whether it holds what a first export may have left, at the most.
    ///
    /// # Errors
    /// [`Error::Read`] when that cannot be found out.
    fn is_fresh(&self) -> Result<bool, Error>;

    /// Writes a file so that it is there whole or not at all. It may need [`Self::sync`] to stay.
    ///
    /// # Errors
    /// [`Error::Write`]
    fn write(&self, file: LogFile, bytes: &[u8]) -> Result<(), Error>;

    /// Makes durable what was written directly below `within`: the part of paths before the last `/`.
    ///
    /// # Errors
    /// [`Error::Write`]
    fn sync(&self, within: &str) -> Result<(), Error>;

    /// The error of a place that cannot take an export.
    fn unusable(&self, why: &'static str) -> Error {
        Error::Folder { path: self.location().into(), why }
    }
}

/// Keeps others from writing into a [`Destination`].
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "the lock ends with it")] Option<std::fs::File>);

impl Held {
    /// What cannot keep others out.
    #[must_use]
    pub const fn nothing() -> Self {
        Self(None)
    }
}

/// Up to 256 entries as they lie in a file.
struct EntryBundle {
    bytes: Vec<u8>,
    /// Index of the first.
    first: u64,
    count: u16,
}

impl EntryBundle {
    /// Reads and counts the entries of a bundle of a log of `size` records.
    fn read(files: &(impl Files + ?Sized), number: u64, size: u64) -> Result<Self, Error> {
        let (first, width) = place(number, size);
        let name = LogFile::Entries { number, width };
        let found = match files.read(name)? {
            Some(bytes) => Some((bytes, width)),
            // Whoever serves may drop a partial bundle once there is the whole one.
            None => files
                .read(LogFile::Entries { number, width: LogFile::WIDTH })?
                .map(|bytes| (bytes, LogFile::WIDTH)),
        };
        let missing =
            || Error::Damage(format!("record {first} is missing: there is no {}", name.path()));
        let (mut bytes, expected) = found.ok_or_else(missing)?;
        let all = split(&bytes).ok_or_else(|| {
            Error::Damage(format!("record {first} or one after it is cut off in {}", name.path()))
        })?;
        if all.len() != usize::from(expected) {
            let last = first.saturating_add(u64::try_from(all.len()).unwrap_or(u64::MAX));
            return Err(Error::Damage(match all.len() < usize::from(expected) {
                true => format!("record {last} is missing from {}", name.path()),
                false => format!("{} has more records than its name says", name.path()),
            }));
        }
        let kept = all.iter().take(usize::from(width)).map(|entry| 2 + entry.len()).sum();
        bytes.truncate(kept);
        Ok(Self { bytes, first, count: width })
    }

    /// Its entries with their numbers.
    fn entries(&self) -> impl Iterator<Item = (u64, &[u8])> {
        (self.first..).zip(split(&self.bytes).unwrap_or_default())
    }
}

/// First index and width of the bundle of a number, in a log of `size` records.
fn place(number: u64, size: u64) -> (u64, u16) {
    let first = number.saturating_mul(u64::from(LogFile::WIDTH));
    let width = size.saturating_sub(first).min(u64::from(LogFile::WIDTH));
    (first, u16::try_from(width).unwrap_or(LogFile::WIDTH))
}

/// The entries in an entry bundle's bytes; none for bytes that end within one.
pub(super) fn split(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    entries(bytes).ok()
}

/// How many entries a bundle's bytes hold, if they are one: what is read of foreign bytes before anything
/// is hashed, for fuzzers.
#[must_use]
pub fn count_entries(bundle: &[u8]) -> Option<usize> {
    split(bundle).map(|entries| entries.len())
}
