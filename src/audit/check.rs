//! Recomputing everything: every entry hashed, every stored hash compared, the root compared with
//! the signed one.

use tlog_tiles::tlog::record_hash;

use super::Error;
use super::block::BLOCK;
use super::bundle::{entries, first_of};
use super::log::{Head, Log};
use super::tree::Frontier;
use crate::store::{Direction, Space};

impl Log {
    /// Recomputes the tree from its entries up to the head and compares; of what was sealed, the archive's
    /// files.
    ///
    /// # Errors
    /// [`Error::Damaged`], naming the first record that is not what was written; [`Error::Archive`].
    pub fn check_all(&self) -> Result<Head, Error> {
        self.check_with(|_| {})
    }

    /// The same, telling `progress` after each bundle how many records are done.
    ///
    /// # Errors
    /// As [`Self::check_all`].
    pub fn check_with(&self, progress: impl FnMut(u64)) -> Result<Head, Error> {
        self.check_from(Frontier::default(), progress)
    }

    /// The same of what the store holds: a crash cannot have touched what was sealed before it, and which
    /// tree that is, the store says.
    ///
    /// # Errors
    /// As [`Self::check_all`], but for the archive.
    pub fn check_store(&self) -> Result<Head, Error> {
        self.check_from(self.sealed().tree().clone(), |_| {})
    }

    fn check_from(&self, mut tree: Frontier, mut progress: impl FnMut(u64)) -> Result<Head, Error> {
        let (head, archived) = (self.head(), self.archived.afresh());
        while tree.size() < head.size {
            let sealed = self.sealed();
            if tree.size() < sealed.size() {
                let number = tree.size() / BLOCK;
                // Proofs are made of it; it is compared with what the entries are compared with.
                archived.tile(&sealed, 0, number)?;
                let bundle = archived.bundle(&sealed, number)?;
                let skipped = usize::try_from(tree.size() % BLOCK).unwrap_or(0);
                for entry in entries(&bundle)?.into_iter().skip(skipped) {
                    if tree.size() < head.size {
                        tree.append(record_hash(entry), |_, _| ());
                    }
                }
                progress(tree.size());
                continue;
            }
            match self.check_rows(&mut tree, &head, &mut progress) {
                // They were being sealed meanwhile: the rest of those is in the archive.
                Err(_) if tree.size() < self.sealed().size() => {}
                checked => checked?,
            }
        }
        // Only a head read before a later commit may find records after it; those are whole
        // bundles of their own.
        if tree.size() != head.size || tree.root().0 != head.root {
            return Err(Error::Damaged(
                "the records do not give the root that was signed".to_owned(),
            ));
        }
        Ok(head.as_ref().clone())
    }

    /// Goes on with what lies in the store.
    fn check_rows(
        &self,
        tree: &mut Frontier,
        head: &Head,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), Error> {
        let from = tree.size().to_be_bytes();
        let mut leaves = self.engine.scan(Space::Leaf, &from, None, Direction::Ascending);
        let mut hashes = self.engine.scan(Space::Hash, &from, None, Direction::Ascending);
        while tree.size() < head.size {
            let (first, missing) = (tree.size(), || missing(tree.size()));
            let (key, row) = leaves.next().ok_or_else(missing)??;
            let (hash_key, stored) = hashes.next().ok_or_else(missing)??;
            if first_of(&key)? != first || first_of(&hash_key)? != first {
                return Err(missing());
            }
            let mut stored = stored.as_slice();
            for entry in entries(&row)? {
                let index = tree.size();
                let mut same = true;
                tree.append(record_hash(entry), |_, hash| {
                    let (found, rest) = stored.split_first_chunk::<32>().unzip();
                    same &= found == Some(&hash.0);
                    stored = rest.unwrap_or_default();
                });
                if !same {
                    return Err(altered(index));
                }
            }
            if !stored.is_empty() {
                return Err(altered(tree.size().saturating_sub(1)));
            }
            progress(tree.size());
        }
        Ok(())
    }
}

fn missing(index: u64) -> Error {
    Error::Damaged(format!("record {index} is missing"))
}

fn altered(index: u64) -> Error {
    Error::Damaged(format!("record {index} is not what was written"))
}
