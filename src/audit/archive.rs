//! Records that moved to an archive, as far as they are asked for.
//!
//! The store keeps of them how many they are and the complete subtrees at their right edge (`sealed.rs`).
//! Whatever comes out of the archive is led up to those before it is believed: a tile of hashes through
//! the tiles above it, a bundle of entries through its leaves' root. What was believed is kept for a while.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tlog_tiles::Tile;
use tlog_tiles::tlog::{Hash, record_hash};

use super::Error;
use super::files::{Destination, HASH, LogFile, split};
use super::sealed::Sealed;

/// Reads what was sealed.
#[derive(Debug, Default)]
pub(super) struct Archived {
    /// Where it is; none when nothing ever was.
    pub(super) place: Option<Arc<dyn Destination>>,
    kept: Mutex<Kept>,
}

impl Archived {
    pub(super) fn at(place: Arc<dyn Destination>) -> Self {
        Self { place: Some(place), kept: Mutex::default() }
    }

    /// The same without what was kept: for who wants to know what is there now.
    pub(super) fn afresh(&self) -> Self {
        Self { place: self.place.clone(), kept: Mutex::default() }
    }

    /// A whole bundle of entries, as it lies in its file.
    pub(super) fn bundle(&self, sealed: &Sealed, number: u64) -> Result<Arc<Vec<u8>>, Error> {
        let file = LogFile::Entries { number, width: LogFile::WIDTH };
        if let Some(kept) = self.kept.lock().find(file) {
            return Ok(kept);
        }
        let first = number.saturating_mul(WIDTH);
        let bytes = self.fetch(file, first)?;
        let altered = |record| self.unbelieved(file, record, ALTERED);
        let entries = split(&bytes).ok_or_else(|| altered(first))?;
        let leaves: Vec<Hash> = entries.iter().map(|entry| record_hash(entry)).collect();
        let together: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
        let expected = self.hash(sealed, 8, number)?;
        if together.len() != TILE || Tile::subtree_hash(&together) != expected {
            // Which it is, the leaves' own tile tells.
            let tile = self.tile(sealed, 0, number)?;
            let written = tile.as_chunks::<HASH>().0.iter();
            let same = written.zip(&leaves).take_while(|(written, leaf)| **written == leaf.0);
            return Err(altered(first.saturating_add(count(same.count()))));
        }
        drop(entries);
        Ok(self.kept.lock().keep(file, bytes))
    }

    /// The hash of a complete subtree of what was sealed.
    pub(super) fn hash(&self, sealed: &Sealed, level: u8, number: u64) -> Result<Hash, Error> {
        if let Some(hash) = sealed.subtree(level, number) {
            return Ok(hash);
        }
        let within = level % 8;
        let leftmost = number << within;
        let tile = self.tile(sealed, level / 8, leftmost / WIDTH)?;
        let start = usize::try_from(leftmost % WIDTH).unwrap_or(usize::MAX).saturating_mul(HASH);
        let end = start.saturating_add(HASH << within);
        let hashes = tile.get(start..end).ok_or_else(|| self.incomplete(level, number))?;
        Ok(Tile::subtree_hash(hashes))
    }

    /// A tile of hashes of the sealed tree: whole, or as wide as it is at the right edge.
    pub(super) fn tile(
        &self,
        sealed: &Sealed,
        level: u8,
        number: u64,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let exist = sealed.size().checked_shr(8 * u32::from(level)).unwrap_or(0);
        let left = exist.saturating_sub(number.saturating_mul(WIDTH)).min(WIDTH);
        let width = u16::try_from(left).ok().filter(|width| *width > 0);
        let width = width.ok_or_else(|| self.incomplete(level, number))?;
        let file = LogFile::Tile { level, number, width };
        if let Some(kept) = self.kept.lock().find(file) {
            return Ok(kept);
        }
        let first = (number.saturating_mul(WIDTH)) << (8 * level);
        let bytes = self.fetch(file, first)?;
        let is_believed = bytes.len() == usize::from(width) * HASH
            && if width == LogFile::WIDTH {
                Tile::subtree_hash(&bytes) == self.hash(sealed, 8 * (level + 1), number)?
            } else {
                // At the right edge: its hashes are those of the complete subtrees there.
                let (mut rest, mut place) = (bytes.as_slice(), number * WIDTH);
                (0..8).rev().filter(|bit| width >> bit & 1 == 1).all(|bit| {
                    let (subtree, after) = rest.split_at_checked(HASH << bit).unwrap_or_default();
                    let expected = sealed.subtree(8 * level + bit, place >> bit);
                    (rest, place) = (after, place + (1 << bit));
                    !subtree.is_empty() && expected == Some(Tile::subtree_hash(subtree))
                })
            };
        if is_believed {
            Ok(self.kept.lock().keep(file, bytes))
        } else {
            Err(self.unbelieved(file, first, ALTERED))
        }
    }

    /// Reads a file; a partial tile may have become a wider one's part.
    fn fetch(&self, file: LogFile, record: u64) -> Result<Vec<u8>, Error> {
        let read = |file| match &self.place {
            Some(place) => place.read(file),
            None => Ok(None),
        };
        let failed = |error| match error {
            Error::Damage(_) => self.unbelieved(file, record, ALTERED),
            source => Error::Archive {
                record,
                file: self.name(file),
                why: "cannot be read",
                source: Some(Box::new(source)),
            },
        };
        let mut found = read(file).map_err(failed)?;
        if let (None, LogFile::Tile { level, number, width: width @ ..256 }) = (&found, file) {
            let whole = LogFile::Tile { level, number, width: LogFile::WIDTH };
            found = read(whole).map_err(failed)?;
            found.iter_mut().for_each(|tile| tile.truncate(usize::from(width) * HASH));
        }
        found.ok_or_else(|| self.unbelieved(file, record, "is not there"))
    }

    fn unbelieved(&self, file: LogFile, record: u64, why: &'static str) -> Error {
        Error::Archive { record, file: self.name(file), why, source: None }
    }

    /// The error of a hash that no tile holds.
    fn incomplete(&self, level: u8, number: u64) -> Error {
        Error::Damaged(format!("there is no subtree {number} of level {level} in what was sealed"))
    }

    fn name(&self, file: LogFile) -> String {
        let place = self.place.as_ref().map(|place| place.location());
        let place = place.unwrap_or_else(|| "no archive".to_owned());
        format!("{place}/{}", file.path())
    }
}

/// Files that were believed, the newest use first.
#[derive(Debug, Default)]
struct Kept {
    files: VecDeque<(LogFile, Arc<Vec<u8>>)>,
    bytes: usize,
}

impl Kept {
    fn find(&mut self, file: LogFile) -> Option<Arc<Vec<u8>>> {
        let place = self.files.iter().position(|(kept, _)| *kept == file)?;
        let found = self.files.remove(place)?;
        let bytes = Arc::clone(&found.1);
        self.files.push_front(found);
        Some(bytes)
    }

    fn keep(&mut self, file: LogFile, bytes: Vec<u8>) -> Arc<Vec<u8>> {
        let bytes = Arc::new(bytes);
        self.bytes += bytes.len();
        self.files.push_front((file, Arc::clone(&bytes)));
        while self.bytes > KEPT && self.files.len() > 1 {
            let Some((_, dropped)) = self.files.pop_back() else { break };
            self.bytes -= dropped.len();
        }
        bytes
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

const ALTERED: &str = "is not what was written";
const WIDTH: u64 = 256;
/// Bytes of a whole tile.
const TILE: usize = 256 * HASH;
/// Bytes that are kept, unless a single file is larger: some dozens of bundles.
const KEPT: usize = 4 * 1024 * 1024;
