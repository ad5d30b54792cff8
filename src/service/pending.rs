//! A result that is not yet recorded.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::Error;
use crate::audit::Leaf;
use crate::store::{self, Committed, Committer, Entry};

/// What an operation gave, held back until its leaf is committed. There is no other way to `T`.
#[derive(Debug)]
pub(super) struct Pending<T>(T);

impl<T> Pending<T> {
    /// Holds `result` back.
    pub(super) fn new(result: T) -> Self {
        Self(result)
    }

    /// Commits the call's writes and its leaf, and releases the result with the leaf's index.
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
    ) -> Result<Option<(T, Committed)>, store::Error> {
        let (reply, committed) = oneshot::channel();
        committer.submit(Entry {
            changes: writes.changes,
            reads: writes.reads,
            leaf_len: leaf.bytes.len(),
            leaf,
            reply: Box::new(move |outcome| {
                let _ = reply.send(outcome); // the caller may have gone
            }),
        });
        let deadline = deadline.unwrap_or_else(|| Instant::now() + LONGEST_WAIT);
        match timeout_at(deadline, committed).await {
            Ok(Ok(outcome)) => outcome.map(|committed| Some((self.0, committed))),
            Ok(Err(_)) => Err(store::Error::Stopped("the committing thread ended".to_owned())),
            Err(_) => Ok(None),
        }
    }
}

/// State writes of one call.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// Each checked against the revision that was read.
    pub(super) changes: Vec<store::Change>,
    /// Relied on, too. A row that is in both was read at the revision that both name, or the commit
    /// refuses.
    pub(super) reads: Vec<(store::RowId, store::Revision)>,
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
