//! The log: opening, extending, reading.
//!
//! One thread extends (the committer's); anyone reads. What [`Log::extend`] computed becomes
//! visible by [`Log::publish`], after the commit made it durable.

use std::cell::RefCell;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tlog_tiles::tlog::{
    self, Hash, HashReader, record_hash, split_stored_hash_index, sub_tree_index, tree_hash,
};

use super::Error;
use super::archive::Archived;
use super::block::BLOCK;
use super::bundle::{Bundle, entries, first_of, hash_place, malformed};
use super::checkpoint::{Checkpoint, LogSigner};
use super::event::{Event, Leaf, LogChange};
use super::index::{Index, Step};
use super::keys::{HandOver, LogKeys};
use super::proof::Tree;
use super::ring::Ring;
use super::sealed::Sealed;
use super::tree::Frontier;
use crate::crypto::SecretKey;
use crate::store::{Direction, Engine, Row, Space};

/// The signed head of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Entries in the log.
    pub size: u64,
    /// RFC 6962 root hash.
    pub root: [u8; 32],
    /// The signed note; empty while the log is.
    pub checkpoint: Vec<u8>,
}

/// An entry with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// From 0.
    pub index: u64,
    /// What it says.
    pub event: Event,
    /// Exactly what was hashed.
    pub bytes: Vec<u8>,
}

/// A group of entries on its way to disk.
#[derive(Debug)]
pub struct Extension {
    /// Entries, hashes, index, checkpoint.
    pub rows: Vec<Row>,
    /// Index of the first entry.
    pub first_index: u64,
    /// The new signed note.
    pub checkpoint: Vec<u8>,
    head: Head,
    indexed: Step,
    /// Who signs from here on, when that is another one.
    ring: Option<Ring>,
}

/// The append-only log.
#[derive(Debug)]
pub struct Log {
    pub(super) engine: Arc<Engine>,
    ring: RwLock<Arc<Ring>>,
    edge: Mutex<Frontier>,
    head: RwLock<Arc<Head>>,
    pub(super) index: Index,
    /// What of it is in the archive, and no longer in the store.
    pub(super) sealed: RwLock<Arc<Sealed>>,
    pub(super) archived: Archived,
    /// What the store is to remember of where the archive is.
    pub(super) remembered: String,
}

/// Entries that lie together.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The first one's number.
    pub(super) first: u64,
    /// Each u16 length ‖ bytes.
    pub(super) bytes: Arc<Vec<u8>>,
}

impl Log {
    /// Opens the log of a store that has one key: as [`Self::open_with`].
    ///
    /// # Errors
    /// As [`Self::open_with`].
    pub fn open(engine: Arc<Engine>, signer: LogSigner) -> Result<Self, Error> {
        Self::open_with(engine, signer, Vec::new())
    }

    /// Opens the log of a store: its checkpoint must be signed by the last of its keys (`first` and its
    /// successors in their order), match the tree's hashes, and the entries must end where it says.
    ///
    /// # Errors
    /// [`Error::Checkpoint`], [`Error::Damaged`], [`Error::HandOver`], [`Error::Store`].
    pub fn open_with(
        engine: Arc<Engine>,
        first: LogSigner,
        successors: Vec<LogSigner>,
    ) -> Result<Self, Error> {
        let ring = Ring::open(&engine, first, successors)?;
        let stored = engine.read(Space::Meta, CHECKPOINT)?;
        let sealed = Sealed::read(&engine)?;
        let end = last_bundle(&engine)?.max(sealed.size());
        let head = match stored {
            Some(note) => {
                let checkpoint = ring.keys.open(&note)?;
                Head { size: checkpoint.size, root: checkpoint.root, checkpoint: note }
            }
            None => Head { size: 0, root: tlog::EMPTY_HASH.0, checkpoint: Vec::new() },
        };
        if end != head.size {
            return Err(Error::Damaged(format!(
                "the checkpoint names {} records and the last one stored is number {end}; records \
                 {}..{} are missing or unaccounted for",
                head.size,
                end.min(head.size),
                end.max(head.size)
            )));
        }
        let index = Index::open(&engine, head.size)?;
        let log = Self {
            engine,
            ring: RwLock::new(Arc::new(ring)),
            index,
            edge: Mutex::default(),
            head: RwLock::new(Arc::new(head.clone())),
            sealed: RwLock::new(Arc::new(sealed)),
            archived: Archived::default(),
            remembered: String::new(),
        };
        let needed = sub_tree_index(0, head.size, Vec::new());
        let edge = Frontier::new(head.size, log.read_hashes_of(&needed)?);
        *log.edge.lock() = edge.filter(|edge| edge.root().0 == head.root).ok_or_else(|| {
            Error::Damaged("the tree's hashes do not give the signed root".to_owned())
        })?;
        log.check_sealed()?;
        let newest = log.read(head.size - head.size % BLOCK, usize::MAX)?;
        log.index.fill(newest.iter().map(|record| &record.event));
        for (_, note) in &log.ring.read().hand_overs {
            // Of trees within what was sealed the store has no hashes.
            if Checkpoint::size_of(note) >= log.sealed_size() {
                log.contains(note)?;
            }
        }
        Ok(log)
    }

    /// Computes the rows of a group of entries. Called by the committer alone, and each group is
    /// published before the next is extended, or never.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] or [`Error::Event`] never in practice.
    pub fn extend(&self, leaves: Vec<Leaf>) -> Result<Extension, Error> {
        let mut edge = self.edge.lock();
        let first_index = edge.size();
        let mut rows = Vec::with_capacity(8 + leaves.len());
        let mut bundle = Bundle::new(first_index);
        let mut handed_over = None;
        for leaf in &leaves {
            match &leaf.change {
                Some(LogChange::HandOver(successor)) => {
                    handed_over = Some((edge.size(), Arc::clone(successor)));
                }
                Some(LogChange::Seal(sealing)) => self.seal(sealing, &mut rows),
                None => {}
            }
            if bundle.is_full(leaf.bytes.len()) {
                std::mem::replace(&mut bundle, Bundle::new(edge.size())).into_rows(&mut rows);
            }
            let mut hashes = Vec::with_capacity(2);
            edge.append(record_hash(&leaf.bytes), |_, hash| hashes.push(hash));
            bundle.push(leaf, &hashes)?;
        }
        bundle.into_rows(&mut rows);
        let indexed = self.index.extend(&leaves, &mut rows);
        let root = edge.root();
        let ring = Arc::clone(&self.ring.read());
        let successor = handed_over.as_ref().map(|(_, successor)| successor.as_ref());
        let checkpoint = ring.signer()?.sign(edge.size(), root, successor)?;
        let ring = match handed_over {
            Some((index, successor)) => Some(ring.handed_over(index, &checkpoint, successor)?),
            None => None,
        };
        if let Some(row) = ring.as_ref().and_then(Ring::newest_row) {
            rows.push(row);
        }
        rows.push(Row {
            space: Space::Meta,
            key: CHECKPOINT.to_vec(),
            value: Some(checkpoint.clone()),
        });
        let head = Head { size: edge.size(), root: root.0, checkpoint: checkpoint.clone() };
        Ok(Extension { rows, first_index, checkpoint, head, indexed, ring })
    }

    /// Shows a durable extension to readers.
    pub fn publish(&self, extension: &Extension) {
        if let Some(ring) = &extension.ring {
            *self.ring.write() = Arc::new(ring.clone());
        }
        let head = Arc::new(extension.head.clone());
        self.index.publish(&extension.indexed, || *self.head.write() = head);
    }

    /// The newest durable head.
    #[must_use]
    pub fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read())
    }

    /// The C2SP verifier string of the key that signs the log now.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.ring.read().keys.current().to_owned()
    }

    /// Every key that the log has had.
    #[must_use]
    pub fn keys(&self) -> LogKeys {
        self.ring.read().keys.clone()
    }

    /// A signer that could take over.
    ///
    /// # Errors
    /// [`Error::Origin`] never in practice.
    pub fn successor(&self, seed: &SecretKey) -> Result<LogSigner, Error> {
        self.ring.read().signer()?.successor(seed)
    }

    /// From each key to the next: what lets who trusts the one trust the other.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Store`].
    pub fn hand_overs(&self) -> Result<Vec<HandOver>, Error> {
        let ring = Arc::clone(&self.ring.read());
        let prove = |(index, note): &(u64, Vec<u8>)| {
            let proof = self.prove_up_to(*index, note.clone())?;
            Ok(HandOver { proof, entry: self.entry(*index)? })
        };
        ring.hand_overs.iter().map(prove).collect()
    }

    /// Opens a checkpoint of this log's own.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] when it is none.
    pub fn open_checkpoint(&self, note: &[u8]) -> Result<Checkpoint, Error> {
        self.ring.read().keys.open(note)
    }

    /// Whether the log still contains the tree of an older checkpoint of its own.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it does not, saying which records are missing;
    /// [`Error::Checkpoint`] when `note` is not this log's.
    pub fn contains(&self, note: &[u8]) -> Result<(), Error> {
        let older = self.open_checkpoint(note)?;
        self.contains_tree(&older).map_err(|error| match error {
            Error::Rollback { size, older } => Error::Damaged(format!(
                "it ends at record {size}, but record {} was already acknowledged: records \
                 {size}..{older} are missing",
                older.saturating_sub(1),
            )),
            Error::Fork { size } => Error::Damaged(format!(
                "its first {size} records are not those that were acknowledged"
            )),
            other => other,
        })
    }

    /// What was sealed, as of now.
    pub(super) fn sealed(&self) -> Arc<Sealed> {
        Arc::clone(&self.sealed.read())
    }

    /// A checkpoint of an older tree of this log, which it is known to be.
    pub(super) fn sign(&self, tree: &Tree) -> Result<Vec<u8>, Error> {
        let ring = Arc::clone(&self.ring.read());
        ring.signer_of(tree.size)?.sign(tree.size, Hash(tree.root), None)
    }

    /// The root of the tree of the first `size` records, of which there are as many.
    pub(super) fn root_at(&self, size: u64) -> Result<[u8; 32], Error> {
        Ok(self.with_hashes(|stored| tree_hash(size, stored))?.0)
    }

    /// Up to `limit` records from `start`, oldest first.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Event`], [`Error::Store`].
    pub fn read(&self, start: u64, limit: usize) -> Result<Vec<Record>, Error> {
        let mut found = Vec::new();
        self.each_entry(start, |index, bytes| {
            let wanted = found.len() < limit;
            if wanted {
                found.push(Record { index, event: Event::decode(bytes)?, bytes: bytes.to_vec() });
            }
            Ok(wanted)
        })?;
        Ok(found)
    }

    /// Shows `visit` entries from `start` on, up to the newest durable head, until it has seen enough.
    pub(super) fn each_entry(
        &self,
        start: u64,
        mut visit: impl FnMut(u64, &[u8]) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let size = self.head().size;
        if start >= size {
            return Ok(());
        }
        let mut next = start;
        while next < size {
            let run = self.run(next)?;
            for (index, bytes) in (run.first..).zip(entries(&run.bytes)?) {
                if index >= size || (index >= start && !visit(index, bytes)?) {
                    return Ok(());
                }
                next = index + 1;
            }
        }
        Ok(())
    }

    /// The entries that lie together with one that is in the log.
    pub(super) fn run(&self, index: u64) -> Result<Run, Error> {
        loop {
            let sealed = self.sealed();
            if index < sealed.size() {
                let number = index / BLOCK;
                let bytes = self.archived.bundle(&sealed, number)?;
                return Ok(Run { first: number * BLOCK, bytes });
            }
            if let Some((first, row)) = self.row_of(Space::Leaf, index)? {
                let place = usize::try_from(index - first).unwrap_or(usize::MAX);
                if entries(&row)?.len() > place {
                    return Ok(Run { first, bytes: Arc::new(row) });
                }
            }
            if self.sealed().size() == sealed.size() {
                return Err(Error::Damaged(format!("record {index} is missing")));
            }
        }
    }

    /// The row of the bundle that would hold an entry, with the bundle's first.
    fn row_of(&self, space: Space, index: u64) -> Result<Option<(u64, Vec<u8>)>, Error> {
        // Who reads on asks for the first of the next one, mostly.
        if let Some(row) = self.engine.read(space, &index.to_be_bytes())? {
            return Ok(Some((index, row)));
        }
        let end = index.saturating_add(1).to_be_bytes();
        let mut scan = self.engine.scan(space, &[], Some(&end), Direction::Descending);
        let Some(item) = scan.next() else { return Ok(None) };
        let (key, row) = item?;
        Ok(Some((first_of(&key)?, row)))
    }

    /// The exact bytes of one record.
    ///
    /// # Errors
    /// [`Error::NoRecord`] beyond the newest durable head; [`Error::Damaged`], [`Error::Store`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Error> {
        let size = self.head().size;
        let found = self.read(index, 1)?.pop();
        found.map(|record| record.bytes).ok_or(Error::NoRecord { index, size })
    }

    /// Reads hashes by their place in the dense order. Neighbours lie in the same row, which is read once.
    pub(super) fn read_hashes_of(&self, places: &[u64]) -> Result<Vec<Hash>, Error> {
        let mut last: Option<(u64, Vec<u8>)> = None;
        let mut found = Vec::with_capacity(places.len());
        for place in places {
            let kept = last.as_ref().and_then(|(first, row)| hash_in(*first, row, *place));
            found.push(match kept {
                Some(hash) => hash,
                None => self.read_hash(*place, &mut last)?,
            });
        }
        Ok(found)
    }

    /// Reads one hash, and leaves in `last` the row that it was in.
    fn read_hash(&self, place: u64, last: &mut Option<(u64, Vec<u8>)>) -> Result<Hash, Error> {
        let (level, number) = split_stored_hash_index(place);
        let leaf = ((number + 1) << level) - 1;
        loop {
            let sealed = self.sealed();
            if leaf < sealed.size() {
                return self.archived.hash(&sealed, level, number);
            }
            *last = self.row_of(Space::Hash, leaf)?;
            if let Some(hash) = last.as_ref().and_then(|(first, row)| hash_in(*first, row, place)) {
                return Ok(hash);
            }
            if self.sealed().size() == sealed.size() {
                return Err(Error::Damaged(format!("the hashes of record {leaf} are missing")));
            }
        }
    }

    /// Computes something of the tree's hashes.
    pub(super) fn with_hashes<T>(
        &self,
        compute: impl FnOnce(&Stored<'_>) -> Result<T, tlog::Error>,
    ) -> Result<T, Error> {
        let stored = Stored { log: self, failed: RefCell::default() };
        compute(&stored).map_err(|error| match stored.failed.take() {
            Some(failed) => failed,
            None => Error::Damaged(format!("the tree's hashes are incomplete ({error})")),
        })
    }
}

/// A stored hash in the row of the bundle that begins with entry `first`, if it is there.
fn hash_in(first: u64, row: &[u8], place: u64) -> Option<Hash> {
    row.as_chunks::<32>().0.get(hash_place(first, place)?).copied().map(Hash)
}

/// Every hash of the log.
pub(super) struct Stored<'a> {
    log: &'a Log,
    /// Why one could not be read: the library's error has no place for it.
    failed: RefCell<Option<Error>>,
}

impl HashReader for Stored<'_> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog::Error> {
        self.log.read_hashes_of(indexes).map_err(|error| {
            self.failed.replace(Some(error));
            tlog::Error::IndexesNotInTree
        })
    }
}

/// Where the newest signed note lies in [`Space::Meta`].
const CHECKPOINT: &[u8] = b"checkpoint";

/// One past the last entry that is stored.
fn last_bundle(engine: &Engine) -> Result<u64, Error> {
    let Some(last) = engine.scan(Space::Leaf, &[], None, Direction::Descending).next() else {
        return Ok(0);
    };
    let (key, row) = last?;
    let count = u64::try_from(entries(&row)?.len()).map_err(|_| malformed("a bundle"))?;
    Ok(first_of(&key)?.saturating_add(count))
}
