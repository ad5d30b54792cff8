//! Recomputing everything: every entry hashed, every stored hash compared, the root compared with
//! the signed one.

use std::collections::HashMap;

use tlog_tiles::tlog::{self, Hash, HashReader, record_hash, stored_hash_index, sub_tree_index};

use super::Error;
use super::bundle::{entries, first_of};
use super::log::{Head, Log};
use crate::store::{Direction, Space};

impl Log {
    /// Recomputes the tree from its entries up to the head and compares.
    ///
    /// # Errors
    /// [`Error::Damaged`], naming the first record that is not what was written.
    pub fn check_all(&self) -> Result<Head, Error> {
        self.check_with(|_| {})
    }

    /// The same, telling `progress` after each bundle how many records are done.
    ///
    /// # Errors
    /// As [`Self::check_all`].
    pub fn check_with(&self, mut progress: impl FnMut(u64)) -> Result<Head, Error> {
        let head = self.head();
        let mut tree = Recomputed::default();
        let mut leaves = self.engine.scan(Space::Leaf, &[], None, Direction::Ascending);
        let mut hashes = self.engine.scan(Space::Hash, &[], None, Direction::Ascending);
        while tree.size < head.size {
            let (first, missing) = (tree.size, || missing(tree.size));
            let (key, row) = leaves.next().ok_or_else(missing)??;
            let (hash_key, stored) = hashes.next().ok_or_else(missing)??;
            if first_of(&key)? != first || first_of(&hash_key)? != first {
                return Err(missing());
            }
            let mut stored = stored.as_slice();
            for entry in entries(&row)? {
                for hash in tree.append(entry)? {
                    let found;
                    (found, stored) =
                        stored.split_first_chunk::<32>().ok_or_else(|| altered(tree.size - 1))?;
                    if *found != hash.0 {
                        return Err(altered(tree.size - 1));
                    }
                }
            }
            if !stored.is_empty() {
                return Err(altered(tree.size.saturating_sub(1)));
            }
            progress(tree.size);
        }
        // Only a head read before a later commit may find records after it; those are whole
        // bundles of their own.
        if tree.size != head.size || tree.root()?.0 != head.root {
            return Err(Error::Damaged(
                "the records do not give the root that was signed".to_owned(),
            ));
        }
        Ok(head.as_ref().clone())
    }
}

/// A tree of which only the right edge is kept.
#[derive(Debug, Default)]
struct Recomputed {
    size: u64,
    edge: HashMap<u64, Hash>,
}

impl Recomputed {
    /// The hashes that an entry completes.
    fn append(&mut self, entry: &[u8]) -> Result<Vec<Hash>, Error> {
        let hash = record_hash(entry);
        let hashes = tlog::stored_hashes_for_record_hash(self.size, hash, &*self)
            .map_err(|_| altered(self.size))?;
        for (place, hash) in (stored_hash_index(0, self.size)..).zip(&hashes) {
            self.edge.insert(place, *hash);
        }
        self.size += 1;
        if self.edge.len() > EDGE {
            let needed = sub_tree_index(0, self.size, Vec::new());
            self.edge.retain(|place, _| needed.contains(place));
        }
        Ok(hashes)
    }

    fn root(&self) -> Result<Hash, Error> {
        tlog::tree_hash(self.size, self).map_err(|_| altered(self.size))
    }
}

impl HashReader for Recomputed {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        let hash = |index| self.edge.get(index).copied().ok_or(tlog::Error::IndexesNotInTree);
        indexes.iter().map(hash).collect()
    }
}

/// Hashes that are kept before those that are no longer needed are dropped.
const EDGE: usize = 1024;

fn missing(index: u64) -> Error {
    Error::Damaged(format!("record {index} is missing"))
}

fn altered(index: u64) -> Error {
    Error::Damaged(format!("record {index} is not what was written"))
}
