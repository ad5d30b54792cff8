//! Proofs: that a record is in a tree, and that a tree contains an older one.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! index 2
//! qINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=           from the leaf's sibling to the root's child
//! 5Dn3…
//!
//! strongroom.local/5d41402abc4b2a76b9719d911017c592      the checkpoint
//! …
//! ```
//! Sources: RFC 6962, 2.1.1 and 2.1.2; C2SP tlog-proof.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog_tiles::tlog::{self, Hash, record_hash};

use super::Error;
use super::checkpoint::{Checkpoint, MAX_NOTE};
use super::lines::{hash, number, push_hashes};
use super::log::Log;

/// That a record is in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The record's place in the log.
    pub index: u64,
    /// Records in the tree.
    pub size: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<[u8; 32]>,
    /// The tree's root.
    pub root: [u8; 32],
}

/// That the first records of a tree are those of an older one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The older tree.
    pub old: Tree,
    /// The newer one, which may be the same.
    pub new: Tree,
    /// As RFC 6962 orders them; empty for the same tree.
    pub hashes: Vec<[u8; 32]>,
}

/// A tree by its size, and what it hashes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tree {
    /// Records in it.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: [u8; 32],
}

/// Which tree is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeName {
    /// The log's first so many records.
    Size(u64),
    /// The tree of a signed checkpoint, which has to be this log's own.
    Checkpoint(Vec<u8>),
}

/// An inclusion proof with the checkpoint that it leads to: what a `.tlog-proof` file holds. Nothing
/// of it is believed before [`Self::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProofFile {
    /// The record's place in the log.
    pub index: u64,
    /// From the leaf's sibling up to the root's child.
    pub hashes: Vec<[u8; 32]>,
    /// A signed note.
    pub checkpoint: Vec<u8>,
}

impl Log {
    /// Proves that record `index` is in the tree of the first `size` records; of the newest durable
    /// head when no size is given.
    ///
    /// # Errors
    /// [`Error::NoTree`] for a size that the log does not have, [`Error::NoRecord`] for an index that
    /// the tree does not; [`Error::Damaged`].
    pub fn prove_inclusion(&self, index: u64, size: Option<u64>) -> Result<InclusionProof, Error> {
        let newest = self.head().size;
        let size = size.unwrap_or(newest);
        if size > newest {
            return Err(Error::NoTree { asked: size, size: newest });
        }
        if index >= size {
            return Err(Error::NoRecord { index, size });
        }
        let hashes = self.with_hashes(|stored| tlog::prove_record(size, index, stored))?;
        let root = self.root_at(size)?;
        Ok(InclusionProof { index, size, hashes: bytes(hashes), root })
    }

    /// The same as a file: with the newest checkpoint.
    ///
    /// # Errors
    /// As [`Self::prove_inclusion`].
    pub fn proof_file(&self, index: u64) -> Result<ProofFile, Error> {
        self.prove_up_to(index, self.head().checkpoint.clone())
    }

    /// The same with an older checkpoint of this log's own, which it is known to be.
    ///
    /// # Errors
    /// As [`Self::prove_inclusion`].
    pub fn prove_up_to(&self, index: u64, checkpoint: Vec<u8>) -> Result<ProofFile, Error> {
        let size = Checkpoint::size_of(&checkpoint);
        let InclusionProof { hashes, .. } = self.prove_inclusion(index, Some(size))?;
        Ok(ProofFile { index, hashes, checkpoint })
    }

    /// Proves that the tree `new` begins with the records of `old`.
    ///
    /// # Errors
    /// [`Error::EmptyTree`], as RFC 6962 has no proof from there; [`Error::NoTree`] and
    /// [`Error::Backwards`] for sizes that do not fit; [`Error::Checkpoint`] for a note that is not
    /// this log's, [`Error::Rollback`] and [`Error::Fork`] for one that is and whose tree is not in
    /// this log; [`Error::Damaged`].
    pub fn prove_consistency(
        &self,
        old: &TreeName,
        new: &TreeName,
    ) -> Result<ConsistencyProof, Error> {
        let (old, new) = (self.tree(old)?, self.tree(new)?);
        if old.size == 0 {
            return Err(Error::EmptyTree);
        }
        if old.size > new.size {
            return Err(Error::Backwards { old: old.size, new: new.size });
        }
        let hashes = self.with_hashes(|stored| tlog::prove_tree(new.size, old.size, stored))?;
        Ok(ConsistencyProof { old, new, hashes: bytes(hashes) })
    }

    /// Whether the tree of an older checkpoint of this log is still in it.
    ///
    /// # Errors
    /// [`Error::Rollback`] when records are gone, [`Error::Fork`] when others are in their place.
    pub fn contains_tree(&self, older: &Checkpoint) -> Result<(), Error> {
        let size = self.head().size;
        if older.size > size {
            return Err(Error::Rollback { size, older: older.size });
        }
        if self.root_at(older.size)? == older.root {
            Ok(())
        } else {
            Err(Error::Fork { size: older.size })
        }
    }

    /// Finds a tree by its name.
    fn tree(&self, named: &TreeName) -> Result<Tree, Error> {
        let newest = self.head().size;
        match named {
            TreeName::Size(size) if *size > newest => {
                Err(Error::NoTree { asked: *size, size: newest })
            }
            TreeName::Size(size) => Ok(Tree { size: *size, root: self.root_at(*size)? }),
            TreeName::Checkpoint(note) => {
                let checkpoint = self.open_checkpoint(note)?;
                self.contains_tree(&checkpoint)?;
                Ok(Tree { size: checkpoint.size, root: checkpoint.root })
            }
        }
    }
}

impl ConsistencyProof {
    /// Whether the proof leads from the old root to the new one.
    ///
    /// # Errors
    /// [`Error::Fork`] when it does not; [`Error::EmptyTree`] and [`Error::Backwards`] for trees
    /// between which there is no proof.
    pub fn check(&self) -> Result<(), Error> {
        let (old, new) = (self.old, self.new);
        if old.size == 0 {
            return Err(Error::EmptyTree);
        }
        if old.size > new.size {
            return Err(Error::Backwards { old: old.size, new: new.size });
        }
        let hashes = self.hashes.iter().take(MAX_HASHES + 1).copied().map(Hash).collect();
        tlog::check_tree(&hashes, new.size, Hash(new.root), old.size, Hash(old.root))
            .map_err(|_| Error::Fork { size: old.size })
    }
}

impl ProofFile {
    /// As the file has it. The checkpoint stands there byte for byte.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\nindex {}\n", self.index);
        push_hashes(&mut text, &self.hashes);
        text.push('\n');
        [text.as_bytes(), &self.checkpoint].concat()
    }

    /// Parses a file; extra data, which nothing authenticates, is passed over.
    ///
    /// # Errors
    /// [`Error::Proof`] for bytes that are none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let none = || Error::Proof("it is no c2sp.org/tlog-proof@v1 file");
        let text = bytes.get(..bytes.len().min(MAX_FILE + 1)).unwrap_or_default();
        if text.len() > MAX_FILE {
            return Err(Error::Proof("it is too long"));
        }
        let text = std::str::from_utf8(text).map_err(|_| none())?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(none)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST_LINE) {
            return Err(none());
        }
        let mut line = lines.next().ok_or_else(none)?;
        if let Some(extra) = line.strip_prefix("extra ") {
            STANDARD.decode(extra).map_err(|_| none())?;
            line = lines.next().ok_or_else(none)?;
        }
        let index = line.strip_prefix("index ").and_then(number).ok_or_else(none)?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_HASHES {
                return Err(Error::Proof("it has more hashes than any tree is high"));
            }
            hashes.push(hash(line).ok_or_else(none)?);
        }
        Ok(Self { index, hashes, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// Verifies that `entry` is the log's record of that number, with the log's public key alone.
    /// Returns the checkpoint that the proof leads to.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when the checkpoint is not signed by that key; [`Error::NoRecord`] when
    /// its tree is too small; [`Error::Proof`] when the hashes do not lead there.
    pub fn verify(&self, entry: &[u8], verifier_key: &str) -> Result<Checkpoint, Error> {
        let checkpoint = Checkpoint::open(&self.checkpoint, verifier_key)?;
        let size = checkpoint.size;
        if self.index >= size {
            return Err(Error::NoRecord { index: self.index, size });
        }
        let hashes = self.hashes.iter().take(MAX_HASHES + 1).copied().map(Hash).collect();
        let leaf = record_hash(entry);
        tlog::check_record(&hashes, size, Hash(checkpoint.root), self.index, leaf).map_err(
            |_| Error::Proof("it does not lead from this entry to the checkpoint's root"),
        )?;
        Ok(checkpoint)
    }
}

fn bytes(hashes: Vec<Hash>) -> Vec<[u8; 32]> {
    hashes.into_iter().map(|hash| hash.0).collect()
}

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// No tree is higher: sizes have 64 bits.
const MAX_HASHES: usize = 64;
/// Bytes of a file at the most: a checkpoint, hashes, and some extra data.
const MAX_FILE: usize = MAX_NOTE + 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = include_str!("../../tests/vectors/note/verifier");

    #[test]
    fn a_file_is_read_as_it_was_written_and_extra_data_is_passed_over() {
        let proof = ProofFile {
            index: 73_894,
            hashes: vec![[1; 32], [2; 32]],
            checkpoint: b"example.com/log\n7\n\xe2\x80\x94 x\n\nrest\n".to_vec(),
        };
        let bytes = proof.encode();
        assert_eq!(ProofFile::parse(&bytes).unwrap(), proof);
        let text = String::from_utf8(bytes).unwrap();
        let with_extra = text.replace("\nindex", "\nextra YWdl\nindex");
        assert_eq!(ProofFile::parse(with_extra.as_bytes()).unwrap(), proof);
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 73894", "index 073894"),
            ("index 73894", "index +73894"),
            ("index 73894", "index 18446744073709551616"),
            ("index 73894\n", ""),
            ("index", "extra !\nindex"),
            ("AQEB", "AQE"),
            ("=\n\n", "=\n"),
        ] {
            let altered = text.replacen(from, to, 1);
            assert_ne!(altered, text, "{from}");
            assert!(ProofFile::parse(altered.as_bytes()).is_err(), "{from} -> {to}");
        }
        let many = ProofFile { hashes: vec![[0; 32]; MAX_HASHES + 1], ..proof };
        assert!(ProofFile::parse(&many.encode()).is_err());
        assert!(ProofFile::parse(&vec![b'x'; MAX_FILE + 1]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(
            index in any::<u64>(),
            hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
            rest in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let file = ProofFile { index, hashes, checkpoint: rest };
            if let Ok(read) = ProofFile::parse(&file.encode()) {
                prop_assert!(read.verify(b"entry", KEY.trim()).is_err());
            }
        }
    }
}
