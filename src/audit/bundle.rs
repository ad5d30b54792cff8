//! How entries and hashes lie in rows.
//!
//! Entries of one commit group lie together in bundles of about 6 KiB (sled keeps up to sixteen
//! rows in a page; larger rows would leave its segments). For a bundle whose first entry is `i`:
//!
//! | space, key | value |
//! |---|---|
//! | leaf, `i` | entries, each u16 length ‖ bytes (as a C2SP entry bundle) |
//! | hash, `i` | the tree hashes that these entries complete, 32 bytes each, in stored order |
//!
//! Numbers are big-endian.

use tlog_tiles::tlog::{Hash, stored_hash_index};

use super::Error;
use super::event::{Leaf, MAX_LEN};
use crate::store::{Row, Space};

/// Entries that will lie together.
#[derive(Debug)]
pub(super) struct Bundle {
    first: u64,
    entries: Vec<u8>,
    hashes: Vec<u8>,
    count: u16,
}

impl Bundle {
    pub(super) const fn new(first: u64) -> Self {
        Self { first, entries: Vec::new(), hashes: Vec::new(), count: 0 }
    }

    /// Whether another entry of `len` bytes belongs into the next bundle.
    pub(super) const fn is_full(&self, len: usize) -> bool {
        self.count > 0 && (self.entries.len() + len > BUNDLE_BYTES || self.count >= BUNDLE_ENTRIES)
    }

    /// Adds an entry and the hashes that it completes.
    pub(super) fn push(&mut self, leaf: &Leaf, hashes: &[Hash]) -> Result<(), Error> {
        let length = u16::try_from(leaf.bytes.len()).map_err(|_| Error::Event)?;
        self.entries.extend_from_slice(&length.to_be_bytes());
        self.entries.extend_from_slice(&leaf.bytes);
        for hash in hashes {
            self.hashes.extend_from_slice(&hash.0);
        }
        self.count += 1;
        Ok(())
    }

    /// The bundle's rows.
    pub(super) fn into_rows(self, rows: &mut Vec<Row>) {
        if self.count == 0 {
            return;
        }
        let first = self.first.to_be_bytes();
        let row = |space, key: Vec<u8>, value| Row { space, key, value: Some(value) };
        rows.push(row(Space::Leaf, first.to_vec(), self.entries));
        rows.push(row(Space::Hash, first.to_vec(), self.hashes));
    }
}

/// Bytes of entries in a bundle, unless a single entry is larger.
const BUNDLE_BYTES: usize = 6 * 1024;
/// Entries in a bundle at the most.
const BUNDLE_ENTRIES: u16 = 256;

/// The index at the end of a row's key.
pub(super) fn first_of(key: &[u8]) -> Result<u64, Error> {
    let bytes = key.last_chunk::<8>().ok_or_else(|| malformed("a row's key"))?;
    Ok(u64::from_be_bytes(*bytes))
}

/// The entries of a leaf row.
pub(super) fn entries(row: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut found = Vec::new();
    let mut rest = row;
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<2>().ok_or_else(|| malformed("a bundle of entries"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) =
            after.split_at_checked(length).ok_or_else(|| malformed("a bundle of entries"))?;
        debug_assert!(entry.len() <= MAX_LEN, "two bytes of length hold no more");
        found.push(entry);
        rest = after;
    }
    Ok(found)
}

/// Where in the hash row of a bundle a stored hash lies, in hashes.
pub(super) fn hash_place(first: u64, stored: u64) -> Option<usize> {
    usize::try_from(stored.checked_sub(stored_hash_index(0, first))?).ok()
}

pub(super) fn malformed(what: &str) -> Error {
    Error::Damaged(format!("{what} is malformed"))
}
