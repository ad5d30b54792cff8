//! A result that is not yet recorded.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Error;
use crate::audit::{Leaf, LogChange};
use crate::store::{self, Committer, Entry};

/// What an operation gave, held back until its leaf is committed. There is no other way to `T`.
#[derive(Debug)]
pub(super) struct Pending<T>(T);

impl<T> Pending<T> {
    /// Holds `result` back.
    pub(super) fn new(result: T) -> Self {
        Self(result)
    }

    /// Commits the call's writes and its leaf, and releases the result with the leaf's place; with the
    /// checkpoint of its group, if that is asked for.
    ///
    /// # Errors
    /// What the committer answers, or [`store::Error::Stopped`] when it is gone; `Ok(None)` stands
    /// for a deadline that passed first (the commit may still happen, the result is dropped).
    pub(super) async fn commit(
        self,
        committer: &Committer<Leaf>,
        writes: Writes,
        leaf: Leaf,
        deadline: Option<Instant>,
        with_checkpoint: bool,
    ) -> Result<Option<(T, Recorded)>, store::Error> {
        let leaf = leaf.changing(writes.log);
        let (reply, committed) = oneshot::channel();
        committer.submit(Entry {
            changes: writes.changes,
            reads: writes.reads,
            leaf_len: leaf.bytes.len(),
            leaf,
            reply: Box::new(move |outcome| {
                let recorded = outcome.map(|committed| Recorded {
                    index: committed.index,
                    checkpoint: with_checkpoint.then(|| committed.checkpoint.to_vec()),
                });
                let _ = reply.send(recorded); // the caller may have gone
            }),
        });
        let deadline = deadline.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
        match timeout_at(deadline, committed).await {
            Ok(Ok(outcome)) => outcome.map(|recorded| Some((self.0, recorded))),
            Ok(Err(_)) => Err(store::Error::Stopped("the committing thread ended".to_owned())),
            Err(_) => Ok(None),
        }
    }
}

/// Where a call's leaf went.
#[derive(Debug)]
pub(super) struct Recorded {
    /// Its index in the log.
    pub(super) index: u64,
    /// The checkpoint of the group that it was committed with, if that was asked for.
    pub(super) checkpoint: Option<Vec<u8>>,
}

/// State writes of one call.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Each checked against the revision that was read.
    pub(super) changes: Vec<store::Change>,
    /// Relied on, too. A row that is in both was read at the revision that both name, or the commit
    /// refuses.
    pub(super) reads: Vec<(store::RowId, store::Revision)>,
    /// What the log itself undergoes.
    pub(super) log: Option<LogChange>,
}

impl Writes {
    /// Adds what the decision relied on: it has to hold until the commit.
    pub(super) fn rely_on(&mut self, rows: &[(store::RowId, store::Revision)]) {
        for read in rows {
            if !self.reads.contains(read) {
                self.reads.push(read.clone());
            }
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// A call without a deadline waits no longer than this for its commit.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
