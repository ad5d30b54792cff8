//! The commit: one thread owns all writes.
//!
//! It drains whatever waits while the previous group is being made durable (no timer), checks each
//! entry's revisions, has the log extended by the accepted entries' leaves, writes everything as
//! one atomic batch, makes it durable, publishes it to memory, and only then answers. An entry
//! whose rows changed since they were read is answered [`Error::Conflict`] and writes nothing; its
//! operation runs again.
//!
//! A write error is final: what is on disk is then unknown, so every later entry is answered
//! [`Error::Stopped`] until a restart has looked.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::rows::{Applied, Change, Revision, Row, RowId, Space, Table, Value};
use super::{Anchor, Durability, Engine, Error, Sealer, with_causes};

/// What one operation asks to have written.
pub struct Entry<L> {
    /// State writes, each checked against the revision that the operation read.
    pub changes: Vec<Change>,
    /// Rows that the operation relied on without writing them.
    pub reads: Vec<(RowId, Revision)>,
    /// The operation's record.
    pub leaf: L,
    /// Size of the leaf in bytes, for the bound on a group.
    pub leaf_len: usize,
    /// Called once, after the entry is durable or has failed.
    pub reply: Reply,
}

/// Where an entry's record went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed<'a> {
    /// Index of the leaf in the log.
    pub index: u64,
    /// The checkpoint of the group that the entry was committed with.
    pub checkpoint: &'a [u8],
}

/// Who is told what became of an entry.
pub type Reply = Box<dyn FnOnce(Result<Committed<'_>, Error>) + Send>;

/// What extending the log by a group's leaves gives the commit to write.
pub struct Journaled {
    /// Leaves, tree hashes, index keys, checkpoint.
    pub rows: Vec<Row>,
    /// The signed checkpoint, for the anchor.
    pub checkpoint: Vec<u8>,
    /// Index of the group's first leaf.
    pub first_index: u64,
    /// Shows the new head to readers; called when the group is durable.
    pub publish: Publish,
}

/// What a committer writes to.
pub struct Medium {
    /// The database.
    pub engine: Arc<Engine>,
    /// Seals state values.
    pub sealer: Arc<Sealer>,
    /// The last checkpoint, outside of the database.
    pub anchor: Anchor,
    /// Whether a commit reaches the disk before it is answered.
    pub durability: Durability,
}

/// How one group went, for who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupCommitted {
    /// Entries that were accepted.
    pub entries: usize,
    /// How long the disk's barrier took.
    pub sync: Duration,
}

/// Makes a durable group visible to readers.
pub type Publish = Box<dyn FnOnce() + Send>;

/// The one writer of a store.
pub struct Committer<L> {
    queue: Mutex<Option<Sender<Entry<L>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stopped: Arc<AtomicBool>,
}

impl<L: Send + 'static> Committer<L> {
    /// Starts the committing thread.
    ///
    /// `revisions` are those of the state rows now, `records` how long the log is; `extend` turns a group's leaves into rows;
    /// `apply` publishes a state row to memory; `observe` is told of each group.
    ///
    /// # Errors
    /// [`Error::File`] when the thread or the anchor's second handle cannot be made.
    pub fn start(
        medium: Medium,
        revisions: HashMap<RowId, Revision>,
        records: u64,
        extend: impl FnMut(Vec<L>) -> Result<Journaled, String> + Send + 'static,
        apply: impl FnMut(&Applied<'_>) + Send + 'static,
        observe: impl FnMut(GroupCommitted) + Send + 'static,
    ) -> Result<Self, Error> {
        let (queue, waiting) = mpsc::channel();
        let stopped = Arc::new(AtomicBool::new(false));
        let Medium { engine, sealer, anchor, durability } = medium;
        let syncer = AnchorSync::start(anchor.sync_handle()?, durability)?;
        let mut writer = Writer {
            engine,
            sealer,
            anchor,
            syncer,
            revisions,
            records,
            extend: Box::new(extend),
            apply: Box::new(apply),
            observe: Box::new(observe),
            stopped: Arc::clone(&stopped),
            reason: None,
        };
        let thread = std::thread::Builder::new()
            .name("committer".to_owned())
            .spawn(move || writer.run(&waiting))
            .map_err(Error::file("starting", std::path::Path::new("the committing thread")))?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)), stopped })
    }

    /// Queues an entry. Its reply is always called, also when the committer has stopped.
    pub fn submit(&self, entry: Entry<L>) {
        let refused = match self.queue.lock().as_ref() {
            Some(queue) => queue.send(entry).err().map(|error| error.0),
            None => Some(entry),
        };
        if let Some(entry) = refused {
            (entry.reply)(Err(Error::Stopped("the service is shutting down".to_owned())));
        }
    }

    /// Whether a write failed, so that nothing more is written.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Finishes what is queued, syncs the anchor, and ends the thread.
    pub fn close(&self) {
        drop(self.queue.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl<L> Drop for Committer<L> {
    fn drop(&mut self) {
        drop(self.queue.lock().take());
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Medium {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Medium").field("durability", &self.durability).finish_non_exhaustive()
    }
}

impl<L> std::fmt::Debug for Committer<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Committer").field("stopped", &self.stopped).finish_non_exhaustive()
    }
}

/// Entries in one group at the most.
const GROUP_ENTRIES: usize = 256;
/// Leaf bytes in one group at the most.
const GROUP_BYTES: usize = 1024 * 1024;

type Extend<L> = Box<dyn FnMut(Vec<L>) -> Result<Journaled, String> + Send>;

/// What the committing thread owns.
struct Writer<L> {
    engine: Arc<Engine>,
    sealer: Arc<Sealer>,
    anchor: Anchor,
    syncer: AnchorSync,
    revisions: HashMap<RowId, Revision>,
    /// Entries that were ever accepted.
    records: u64,
    extend: Extend<L>,
    apply: Box<dyn FnMut(&Applied<'_>) + Send>,
    observe: Box<dyn FnMut(GroupCommitted) + Send>,
    stopped: Arc<AtomicBool>,
    reason: Option<String>,
}

/// A group's accepted entries, on their way to disk.
struct Group<L> {
    rows: Vec<Row>,
    states: Vec<(RowId, Revision, Option<Value>)>,
    leaves: Vec<L>,
    replies: Vec<Reply>,
}

/// A group that is on disk and not yet shown.
struct Durable {
    first_index: u64,
    checkpoint: Vec<u8>,
    publish: Publish,
}

impl<L> Writer<L> {
    fn run(&mut self, waiting: &Receiver<Entry<L>>) {
        while let Ok(first) = waiting.recv() {
            let mut bytes = first.leaf_len;
            let mut entries = vec![first];
            while entries.len() < GROUP_ENTRIES && bytes < GROUP_BYTES {
                let Ok(entry) = waiting.try_recv() else { break };
                bytes += entry.leaf_len;
                entries.push(entry);
            }
            self.commit(entries);
        }
        self.syncer.finish();
    }

    fn commit(&mut self, entries: Vec<Entry<L>>) {
        if let Some(reason) = &self.reason {
            for entry in entries {
                (entry.reply)(Err(Error::Stopped(reason.clone())));
            }
            return;
        }
        let group = self.accept(entries);
        if group.leaves.is_empty() {
            return;
        }
        let Group { rows, states, leaves, replies } = group;
        match self.make_durable(rows, leaves) {
            Ok(Durable { first_index, checkpoint, publish }) => {
                for (row, revision, value) in &states {
                    let value = value.as_ref().map(Value::expose);
                    (self.apply)(&Applied { row, revision: *revision, value });
                }
                publish();
                for (index, reply) in (first_index..).zip(replies) {
                    reply(Ok(Committed { index, checkpoint: &checkpoint }));
                }
            }
            Err(error) => {
                let reason = with_causes(&error);
                tracing::error!(%reason, "a commit failed; nothing more is answered until restart");
                self.stopped.store(true, Ordering::Release);
                for reply in replies {
                    reply(Err(Error::Stopped(reason.clone())));
                }
                self.reason = Some(reason);
            }
        }
    }

    /// Checks revisions, in order; a conflicting entry is answered at once and left out.
    fn accept(&mut self, entries: Vec<Entry<L>>) -> Group<L> {
        let mut group =
            Group { rows: Vec::new(), states: Vec::new(), leaves: Vec::new(), replies: Vec::new() };
        for entry in entries {
            let current = |row: &RowId| self.revisions.get(row).copied().unwrap_or_default();
            let fits = |change: &Change| {
                change.expected == Revision::ANY || current(&change.row) == change.expected
            };
            let unchanged = entry.changes.iter().all(fits)
                && entry.reads.iter().all(|(row, revision)| current(row) == *revision);
            if !unchanged {
                (entry.reply)(Err(Error::Conflict));
                continue;
            }
            match self.seal(entry.changes, &mut group) {
                Ok(()) => {
                    self.records += 1;
                    group.leaves.push(entry.leaf);
                    group.replies.push(entry.reply);
                }
                Err(error) => (entry.reply)(Err(error)),
            }
        }
        group
    }

    /// Seals an entry's changes into the group and moves the rows' revisions on.
    fn seal(&mut self, changes: Vec<Change>, group: &mut Group<L>) -> Result<(), Error> {
        let mut sealed = Vec::with_capacity(changes.len());
        for change in changes {
            let revision = self.revision(&change);
            let stored = match &change.value {
                Some(value) if change.row.table.is_stored() => {
                    Some(self.sealer.seal(&change.row, revision, value)?)
                }
                _ => None,
            };
            sealed.push((change, revision, stored));
        }
        for (change, revision, stored) in sealed {
            if change.row.table.is_stored() {
                let key = change.row.state_key();
                group.rows.push(Row { space: Space::State, key, value: stored });
            }
            if change.value.is_some() {
                self.revisions.insert(change.row.clone(), revision);
            } else {
                self.revisions.remove(&change.row);
            }
            group.states.push((change.row, revision, change.value));
        }
        Ok(())
    }

    /// A row that is written again has its next revision. One that is made has a revision that no row of its
    /// key had before it was removed, as each of those took an entry: who read that one reads another.
    /// Key material is made once a version, and has the first.
    fn revision(&self, change: &Change) -> Revision {
        let is_made = [Revision::default(), Revision::ANY].contains(&change.expected);
        if is_made && change.row.table != Table::Material {
            return Revision(self.records + 1);
        }
        change.expected.next()
    }

    /// Extends the log, writes the batch, waits for the disk, writes the anchor: in this order, so
    /// that the anchor never names a checkpoint that a crash could take from the database.
    fn make_durable(&mut self, mut rows: Vec<Row>, leaves: Vec<L>) -> Result<Durable, Error> {
        let entries = leaves.len();
        let Journaled { rows: journal, checkpoint, first_index, publish } =
            (self.extend)(leaves).map_err(Error::Stopped)?;
        rows.extend(journal);
        self.engine.write(&rows)?;
        let begun = Instant::now();
        self.engine.make_durable()?;
        (self.observe)(GroupCommitted { entries, sync: begun.elapsed() });
        self.anchor.write(&checkpoint)?;
        self.syncer.mark();
        Ok(Durable { first_index, checkpoint, publish })
    }
}

/// Syncs the anchor at most once a second, beside the committing thread.
struct AnchorSync {
    wake: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    dirty: Arc<AtomicBool>,
}

impl AnchorSync {
    fn start(file: File, durability: Durability) -> Result<Self, Error> {
        let dirty = Arc::new(AtomicBool::new(false));
        if durability == Durability::Memory {
            return Ok(Self { wake: None, thread: None, dirty });
        }
        let (wake, ended) = mpsc::channel::<()>();
        let flag = Arc::clone(&dirty);
        let sync = move || {
            loop {
                let end = ended.recv_timeout(Duration::from_secs(1));
                if flag.swap(false, Ordering::AcqRel)
                    && let Err(error) = file.sync_data()
                {
                    tracing::warn!(%error, "syncing the anchor failed");
                }
                if !matches!(end, Err(RecvTimeoutError::Timeout)) {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("anchor".to_owned())
            .spawn(sync)
            .map_err(Error::file("starting", std::path::Path::new("the anchor thread")))?;
        Ok(Self { wake: Some(wake), thread: Some(thread), dirty })
    }

    fn mark(&self) {
        self.dirty.store(true, Ordering::Release);
    }

    fn finish(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
