//! The index: blocks on disk, the newest one in memory; whether it is whole; making it anew.
//!
//! It is derived data. That it belongs to the log as it stands is known by three things: a marker of
//! its format, written with the first record or at the end of a rebuild; the summary of the last
//! block that the log completes; and, after a shutdown that was not clean, the sum of the digests
//! of all rows, which each summary carries. Where one does not fit, queries are refused with
//! [`Error::Index`] until it was made anew; nothing else depends on it.

use parking_lot::RwLock;

use super::Error;
use super::block::{BLOCK, Block, Totals, is_summary, spans_of, summary, summary_key};
use super::bundle::{entries, first_of};
use super::event::{Event, Leaf};
use super::log::{Head, Log};
use super::term::Term;
use crate::store::{Direction, Engine, Row, Space};

/// What is in memory of the index.
#[derive(Debug)]
pub(super) struct Index {
    /// The newest entries: up to the next full block.
    block: RwLock<Block>,
    fault: RwLock<Option<&'static str>>,
}

/// What a group of entries does to the newest block, once it is durable.
#[derive(Debug)]
pub(super) enum Step {
    /// It grows by these.
    Grown(Vec<(i64, Vec<Term>)>),
    /// It was completed; another is the newest one.
    Completed(Block),
}

impl Index {
    /// The index of a log of `size` entries, as far as it lies on disk.
    pub(super) fn open(engine: &Engine, size: u64) -> Result<Self, Error> {
        let first = size - size % BLOCK;
        let (mut totals, mut fault) = (Totals::NONE, None);
        if size > 0 && engine.read(Space::Meta, MARKER)?.as_deref() != Some(FORMAT) {
            fault = Some("it is of another version of this program, or was never finished");
        } else if first > 0 {
            match engine.read(Space::Index, &summary_key(first - BLOCK))? {
                Some(row) => totals = summary(&row)?.0,
                None => fault = Some("it ends before the log does"),
            }
        }
        let block = RwLock::new(Block::new(first, totals));
        Ok(Self { block, fault: RwLock::new(fault) })
    }

    /// Adds the rows that a group of entries completes. Called by the committer alone.
    pub(super) fn extend(&self, leaves: &[Leaf], rows: &mut Vec<Row>) -> Step {
        let newest = self.block.read();
        if newest.end() == 0 && !leaves.is_empty() {
            rows.push(marker(Some(FORMAT)));
        }
        let room = usize::try_from(newest.first + BLOCK - newest.end()).unwrap_or_default();
        if leaves.len() < room {
            let grown = leaves.iter().map(|leaf| (leaf.time, leaf.terms.clone()));
            return Step::Grown(grown.collect());
        }
        let mut block = newest.clone();
        drop(newest);
        for leaf in leaves {
            block.push(leaf.time, &leaf.terms);
            if block.is_full() {
                block = block.finish(rows);
            }
        }
        Step::Completed(block)
    }

    /// Shows a durable group to queries, together with what `shown` shows.
    pub(super) fn publish(&self, step: &Step, shown: impl FnOnce()) {
        let mut newest = self.block.write();
        match step {
            Step::Grown(entries) => {
                entries.iter().for_each(|(time, terms)| newest.push(*time, terms))
            }
            Step::Completed(block) => newest.clone_from(block),
        }
        shown();
    }

    /// Looks at the newest block while nothing is published.
    ///
    /// # Errors
    /// [`Error::Index`] when the index is not whole.
    pub(super) fn newest<T>(&self, look: impl FnOnce(&Block) -> T) -> Result<T, Error> {
        match *self.fault.read() {
            Some(fault) => Err(Error::Index(fault)),
            None => Ok(look(&self.block.read())),
        }
    }

    /// Takes the entries of the newest block in again, at opening.
    pub(super) fn fill<'a>(&self, events: impl Iterator<Item = &'a Event>) {
        let mut newest = self.block.write();
        events.for_each(|event| newest.push(event.time.timestamp_micros(), &Term::of(event)));
    }
}

impl Log {
    /// Holds every row of the index against the sum that was written with them; after this, a query
    /// is refused where it could have missed a record. Reads the whole index.
    ///
    /// # Errors
    /// [`Error::Store`]; not the index's own faults, which queries tell.
    pub fn check_index(&self) -> Result<(), Error> {
        let whole = match self.sum_of_index() {
            Err(Error::Index(_)) => false,
            sum => sum?,
        };
        if !whole {
            self.index.fault.write().get_or_insert("rows of it are missing or were altered");
        }
        Ok(())
    }

    /// Why queries are refused, if they are.
    #[must_use]
    pub fn index_fault(&self) -> Option<Error> {
        self.index.fault.read().map(Error::Index)
    }

    fn sum_of_index(&self) -> Result<bool, Error> {
        let (mut sum, mut said, mut blocks) = (Totals::NONE, Totals::NONE, 0);
        for item in self.engine.scan(Space::Index, &[], None, Direction::Ascending) {
            let (key, row) = item?;
            if is_summary(&key) {
                if first_of(&key)? != blocks * BLOCK {
                    return Ok(false);
                }
                blocks += 1;
                said = summary(&row)?.0;
                sum.add(&key, spans_of(&row));
            } else {
                sum.add(&key, &row);
            }
        }
        Ok(sum.digest == said.digest && blocks == self.head().size / BLOCK)
    }

    /// Makes the index anew from the entries, telling `progress` how many are done. Nothing else may
    /// write meanwhile; if it is broken off, the index is known to be unfinished.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Event`], [`Error::Store`].
    pub fn reindex(&self, mut progress: impl FnMut(u64)) -> Result<Head, Error> {
        let head = self.head();
        self.engine.write(&[marker(None)])?;
        self.engine.make_durable()?;
        let mut rows = Vec::new();
        for item in self.engine.scan(Space::Index, &[], None, Direction::Ascending) {
            let (key, _) = item?;
            rows.push(Row { space: Space::Index, key, value: None });
            self.write_some(&mut rows, BATCH)?;
        }
        let mut block = Block::new(0, Totals::NONE);
        while block.end() < head.size {
            let run = self.run(block.end())?;
            let skipped = usize::try_from(block.end() - run.first).unwrap_or(usize::MAX);
            for entry in entries(&run.bytes)?.into_iter().skip(skipped) {
                let event = Event::decode(entry)?;
                block.push(event.time.timestamp_micros(), &Term::of(&event));
                if block.is_full() {
                    block = block.finish(&mut rows);
                }
            }
            self.write_some(&mut rows, BATCH)?;
            progress(block.end());
        }
        if block.end() > 0 {
            rows.push(marker(Some(FORMAT)));
        }
        self.write_some(&mut rows, 0)?;
        self.engine.make_durable()?;
        *self.index.block.write() = block;
        *self.index.fault.write() = None;
        Ok(head.as_ref().clone())
    }

    /// Writes rows when there are more than `most`.
    fn write_some(&self, rows: &mut Vec<Row>, most: usize) -> Result<(), Error> {
        if rows.len() > most {
            self.engine.write(rows)?;
            rows.clear();
        }
        Ok(())
    }
}

fn marker(format: Option<&[u8]>) -> Row {
    Row { space: Space::Meta, key: MARKER.to_vec(), value: format.map(<[u8]>::to_vec) }
}

/// Where the index's format lies in [`Space::Meta`].
const MARKER: &[u8] = b"index";
/// Another layout, or other terms of an event, need another one.
const FORMAT: &[u8] = b"strongroom-index-1";
/// Rows of a rebuild that are written at once.
const BATCH: usize = 4096;
