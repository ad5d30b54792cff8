//! Sealing: the log's oldest records move to an archive, in whole blocks, and stay in the tree.
//!
//! First they are written there, as files of a log of their own that ends with them (C2SP tlog-tiles, with
//! a checkpoint that this log's key signs); then they are read back and everything is recomputed; then,
//! with the record that says so and in the same batch, their rows leave the store. Nothing leaves it that
//! was not read back. What breaks off is taken up again by the next sealing.
//!
//! | space, key | value |
//! |---|---|
//! | meta, `sealed` | number of records (u64, a multiple of 256) ‖ the complete subtrees at their right edge, the largest first, 32 bytes each |
//! | meta, `archive` | where they are, if it is not the data directory's own archive |
//!
//! The subtrees are all that the tree needs of what was sealed to go on growing, and they lead back from
//! the signed root: what is read from the archive is held against them (`archive.rs`).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tlog_tiles::tlog::{self, Hash, stored_hash_index, sub_tree_index};

use super::Error;
use super::archive::Archived;
use super::block::BLOCK;
use super::bundle::{entries, first_of, malformed};
use super::checkpoint::Checkpoint;
use super::event::Event;
use super::files::{Destination, Files, Held, LogFile, Tiling, export, recompute};
use super::log::Log;
use super::proof::{ConsistencyProof, Tree};
use super::tree::Frontier;
use crate::store::{Direction, Engine, Row, Space};

/// What stays in the store; what is past it, moves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest records.
    pub records: Option<u64>,
    /// Records that are no older.
    pub age: Option<Duration>,
}

impl Keep {
    /// Everything: nothing moves.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.records.is_none() && self.age.is_none()
    }
}

/// Records that are in the archive, on their way out of the store: the commit of the record that says so
/// removes them.
#[derive(Debug)]
pub struct Sealing {
    /// The first record.
    pub from: u64,
    /// The tree of all records that were sealed, with these.
    pub tree: Tree,
    /// Where they are, for people.
    pub archive: String,
    sealed: Sealed,
    rows: Vec<Row>,
}

/// The log's sealed part, as the store knows it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sealed {
    tree: Frontier,
    /// Places of the complete subtrees, in the order of the tree's.
    places: Vec<u64>,
}

impl Sealed {
    /// What a store says was sealed.
    pub(super) fn read(engine: &Engine) -> Result<Self, Error> {
        let Some(row) = engine.read(Space::Meta, SEALED)? else { return Ok(Self::default()) };
        let parse = || {
            let (size, hashes) = row.split_first_chunk::<8>()?;
            let (hashes, []) = hashes.as_chunks::<32>() else { return None };
            let size = u64::from_be_bytes(*size);
            let tree = Frontier::new(size, hashes.iter().copied().map(Hash).collect())?;
            size.is_multiple_of(BLOCK).then(|| Self::of(tree))
        };
        parse().ok_or_else(|| malformed("what was sealed"))
    }

    fn of(tree: Frontier) -> Self {
        let places = sub_tree_index(0, tree.size(), Vec::new());
        Self { tree, places }
    }

    fn row(&self) -> Row {
        let hashes = self.tree.subtrees().iter().flat_map(|hash| hash.0);
        let value = self.size().to_be_bytes().into_iter().chain(hashes).collect();
        Row { space: Space::Meta, key: SEALED.to_vec(), value: Some(value) }
    }

    /// Records that were sealed: those before this one.
    pub(super) const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Their tree, to be grown on.
    pub(super) const fn tree(&self) -> &Frontier {
        &self.tree
    }

    /// The hash of a complete subtree at the right edge.
    pub(super) fn subtree(&self, level: u8, number: u64) -> Option<Hash> {
        let place = stored_hash_index(level, number);
        let known = self.places.iter().position(|known| *known == place)?;
        self.tree.subtrees().get(known).copied()
    }
}

impl Log {
    /// The log with the archive of what was sealed, and of what will be. `remembered` is what
    /// [`Self::archive_of`] will say of it.
    #[must_use]
    pub fn with_archive(mut self, archive: Arc<dyn Destination>, remembered: &str) -> Self {
        self.archived = Archived::at(archive);
        self.remembered = remembered.to_owned();
        self
    }

    /// Where a store's archive is, as it was remembered when records were sealed last.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub fn archive_of(engine: &Engine) -> Result<Option<String>, Error> {
        let row = engine.read(Space::Meta, ARCHIVE)?;
        Ok(row.map(|text| String::from_utf8_lossy(&text).into_owned()))
    }

    /// Records that were sealed: those before this one.
    #[must_use]
    pub fn sealed_size(&self) -> u64 {
        self.sealed().size()
    }

    /// Where the records end that are to be sealed next: whole blocks below the newest durable head, past
    /// what is kept, and not too many at once; none when there are none.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Event`], [`Error::Store`].
    pub fn due(&self, keep: &Keep, now: DateTime<Utc>) -> Result<Option<u64>, Error> {
        let (size, sealed) = (self.head().size, self.sealed().size());
        let whole = size - size % BLOCK;
        let by_number = keep.records.map_or(0, |records| size.saturating_sub(records));
        let mut due = by_number - by_number % BLOCK;
        let most = whole.min(sealed.saturating_add(AT_ONCE * BLOCK));
        if let Some(oldest) = keep.age.and_then(|age| before(now, age)) {
            due = due.max(sealed);
            // A block is as old as its last entry.
            while due < most && self.time_of(due + BLOCK - 1)? < oldest {
                due += BLOCK;
            }
        }
        let due = due.min(most);
        Ok((due > sealed).then_some(due))
    }

    fn time_of(&self, index: u64) -> Result<DateTime<Utc>, Error> {
        Ok(Event::decode(&self.entry(index)?)?.time)
    }

    /// Writes the records before `end` that were not sealed yet into the archive, and reads them back. What
    /// an earlier try left beyond `end` is sealed, too. `progress` is told how many records are written.
    ///
    /// # Errors
    /// As [`export`]; [`Error::Damage`] also when what is read back is not what was written, or what was
    /// sealed earlier is not in this archive.
    pub fn archive(&self, end: u64, progress: impl FnMut(u64)) -> Result<Sealing, Error> {
        let place = self.archived.place.as_deref();
        let place = place.ok_or(Error::Query("there is no archive to seal into"))?;
        let before = self.sealed();
        let left = self.left_in(place, before.size())?;
        let end = left.as_ref().map_or(end, |left| left.size.max(end));
        let tree = self.tree_in_head(end)?;
        let prefix = Prefix { log: self, note: self.sign(&tree)? };
        let note = match before.size() {
            0 => None,
            size => Some(self.sign(&Tree { size, root: before.tree().root().0 })?),
        };
        let to = Resumed { place, note, is_ours: left.is_some() };
        export(&prefix, &to, &self.keys(), progress)?;
        let mut found = Tiling::read(place, before.size())?;
        if found.root() == before.tree().root().0 {
            recompute(place, &mut found, end, |_| (), |_| ())?;
        }
        let is_signed = place.read(LogFile::Checkpoint)?.as_ref() == Some(&prefix.note);
        if found.root() != tree.root || found.size() != end || !is_signed {
            let place = place.location();
            return Err(Error::Damage(format!("what was read back from {place} is not the log's")));
        }
        let sealed = Sealed::of(found.into_tree());
        let rows = self.leaving(&sealed)?;
        Ok(Sealing { from: before.size(), tree, archive: place.location(), sealed, rows })
    }

    /// What the archive says that it holds, where that is this log's. Of what was not sealed none of it is
    /// believed.
    fn left_in(&self, place: &dyn Destination, sealed: u64) -> Result<Option<Checkpoint>, Error> {
        let Some(note) = place.read(LogFile::Checkpoint)? else { return Ok(None) };
        let Ok(left) = self.open_checkpoint(&note) else {
            // That what was sealed is there, its tiles will tell; then it is written anew.
            return match sealed {
                0 => Err(place.unusable("its checkpoint is not signed by this log's key")),
                _ => Ok(None),
            };
        };
        self.contains_tree(&left)?;
        if left.size.is_multiple_of(BLOCK) {
            Ok(Some(left))
        } else {
            Err(place.unusable("it holds an export; an archive needs a place of its own"))
        }
    }

    /// The tree of the first `size` records, proved to be in the signed one.
    fn tree_in_head(&self, size: u64) -> Result<Tree, Error> {
        let head = self.head();
        let (new, old) = (Tree { size: head.size, root: head.root }, self.root_at(size)?);
        let old = Tree { size, root: old };
        let hashes = self.with_hashes(|stored| tlog::prove_tree(new.size, old.size, stored))?;
        let hashes = hashes.into_iter().map(|hash| hash.0).collect();
        ConsistencyProof { old, new, hashes }.check().map_err(|_| {
            Error::Damaged(format!("its first {size} records are not those of the signed tree"))
        })?;
        Ok(old)
    }

    /// Holds what the store says was sealed against the signed head. The archive is not asked.
    pub(super) fn check_sealed(&self) -> Result<(), Error> {
        let sealed = self.sealed();
        if sealed.size() == 0 {
            return Ok(());
        }
        let root = sealed.tree().root().0;
        if self.tree_in_head(sealed.size())?.root == root {
            Ok(())
        } else {
            Err(Error::Damaged("what was sealed is not in the signed tree".to_owned()))
        }
    }

    /// The rows that go when `sealed` is: whole bundles, and of the one that lies across the end all but
    /// what comes after it, under its new first entry.
    fn leaving(&self, sealed: &Sealed) -> Result<Vec<Row>, Error> {
        let end = sealed.size();
        let mut rows = vec![sealed.row(), self.archive_row()];
        for space in [Space::Leaf, Space::Hash] {
            let to = end.to_be_bytes();
            let mut last = None;
            for item in self.engine.scan(space, &[], Some(&to), Direction::Ascending) {
                let (key, value) = item?;
                last = Some((first_of(&key)?, value));
                rows.push(Row { space, key, value: None });
            }
            let Some((first, value)) = last else { continue };
            let skipped = match space {
                Space::Leaf => {
                    let before = usize::try_from(end - first).unwrap_or(usize::MAX);
                    entries(&value)?.iter().take(before).map(|entry| 2 + entry.len()).sum()
                }
                _ => {
                    let before = stored_hash_index(0, end) - stored_hash_index(0, first);
                    usize::try_from(before).unwrap_or(usize::MAX).saturating_mul(32)
                }
            };
            if let Some(rest) = value.get(skipped..).filter(|rest| !rest.is_empty()) {
                rows.push(Row { space, key: to.to_vec(), value: Some(rest.to_vec()) });
            }
        }
        Ok(rows)
    }

    fn archive_row(&self) -> Row {
        let value = self.remembered.clone().into_bytes();
        Row { space: Space::Meta, key: ARCHIVE.to_vec(), value: Some(value) }
    }

    /// Adds the rows of a sealing to its record's group. From here on the records are read from the
    /// archive, so that nobody misses a row that goes. One that does not go on where the last one ended
    /// changes nothing.
    pub(super) fn seal(&self, sealing: &Sealing, rows: &mut Vec<Row>) {
        let mut sealed = self.sealed.write();
        if sealed.size() == sealing.from {
            *sealed = Arc::new(sealing.sealed.clone());
            rows.extend_from_slice(&sealing.rows);
        }
    }
}

/// A time that is so long ago; none when no record can be as old.
fn before(now: DateTime<Utc>, age: Duration) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(age).ok()?)
}

/// The log's first records, as a log of their own.
struct Prefix<'a> {
    log: &'a Log,
    note: Vec<u8>,
}

impl Files for Prefix<'_> {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        match file {
            LogFile::Checkpoint => Ok(Some(self.note.clone())),
            other => Files::read(self.log, other),
        }
    }
}

/// The archive as of the last sealing: what was left there by one that broke off is written again.
#[derive(Debug)]
struct Resumed<'a> {
    place: &'a dyn Destination,
    /// The checkpoint of what was sealed.
    note: Option<Vec<u8>>,
    /// Whether what is there is known to be this log's.
    is_ours: bool,
}

impl Files for Resumed<'_> {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        match file {
            LogFile::Checkpoint => Ok(self.note.clone()),
            other => self.place.read(other),
        }
    }
}

impl Destination for Resumed<'_> {
    fn location(&self) -> String {
        self.place.location()
    }

    fn hold(&self) -> Result<Held, Error> {
        self.place.hold()
    }

    fn is_fresh(&self) -> Result<bool, Error> {
        Ok(self.is_ours || self.place.is_fresh()?)
    }

    fn write(&self, file: LogFile, bytes: &[u8]) -> Result<(), Error> {
        self.place.write(file, bytes)
    }

    fn sync(&self, within: &str) -> Result<(), Error> {
        self.place.sync(within)
    }
}

/// Where it lies in [`Space::Meta`] what was sealed.
const SEALED: &[u8] = b"sealed";
/// And where the archive is.
const ARCHIVE: &[u8] = b"archive";
/// Blocks that are sealed at once, at the most: the commit that removes them is the others' commit, too.
const AT_ONCE: u64 = 64;
