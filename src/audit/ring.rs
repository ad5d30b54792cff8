//! The keys that this log signs with: who signs now, who signed what, and how it came to that.

use std::sync::Arc;

use super::Error;
use super::checkpoint::LogSigner;
use super::keys::LogKeys;
use crate::store::{Engine, Row, Space};

/// The log's keys: who signs now, and how it came to that.
#[derive(Debug, Clone)]
pub(super) struct Ring {
    /// One for each key; the last one signs now.
    signers: Vec<Arc<LogSigner>>,
    pub(super) keys: LogKeys,
    /// Where the record of each successor is, and the note that both have signed.
    pub(super) hand_overs: Vec<(u64, Vec<u8>)>,
}

impl Ring {
    /// Puts the keys of a store together: each successor by the note that it signed with the one before.
    pub(super) fn open(
        engine: &Engine,
        first: LogSigner,
        successors: Vec<LogSigner>,
    ) -> Result<Self, Error> {
        let keys = LogKeys::new(&first.verifier_key());
        let mut ring = Self { signers: vec![Arc::new(first)], keys, hand_overs: Vec::new() };
        for successor in successors {
            let missing = || Error::Damaged("a hand-over of the log's key is missing".to_owned());
            let row = engine.read(Space::Meta, &ring.next_place())?.ok_or_else(missing)?;
            let (index, note) = row.split_first_chunk::<8>().ok_or_else(missing)?;
            ring = ring.handed_over(u64::from_be_bytes(*index), note, Arc::new(successor))?;
        }
        if engine.read(Space::Meta, &ring.next_place())?.is_some() {
            return Err(Error::Damaged(
                "a key to which the log was handed over is missing".to_owned(),
            ));
        }
        Ok(ring)
    }

    /// The ring after another key took over at a checkpoint that both have signed.
    pub(super) fn handed_over(
        &self,
        index: u64,
        note: &[u8],
        successor: Arc<LogSigner>,
    ) -> Result<Self, Error> {
        let mut next = self.clone();
        next.keys.take_over(note, &successor.verifier_key())?;
        next.hand_overs.push((index, note.to_vec()));
        next.signers.push(successor);
        Ok(next)
    }

    /// Who signs now.
    pub(super) fn signer(&self) -> Result<&LogSigner, Error> {
        self.signers.last().map(AsRef::as_ref).ok_or(Error::Checkpoint("the log has no key"))
    }

    /// Who is believed about a tree of a size.
    pub(super) fn signer_of(&self, size: u64) -> Result<&LogSigner, Error> {
        let signer = self.signers.get(self.keys.turn_at(size));
        signer.map(AsRef::as_ref).ok_or(Error::Checkpoint("the log has no key"))
    }

    /// Where the next hand-over is kept.
    fn next_place(&self) -> Vec<u8> {
        place_of(self.hand_overs.len())
    }

    /// The row of the newest hand-over.
    pub(super) fn newest_row(&self) -> Option<Row> {
        let (index, note) = self.hand_overs.last()?;
        let value = [&index.to_be_bytes()[..], note].concat();
        let key = place_of(self.hand_overs.len() - 1);
        Some(Row { space: Space::Meta, key, value: Some(value) })
    }
}

/// A hand-over's key in [`Space::Meta`]; the first one is to key number 2.
fn place_of(place: usize) -> Vec<u8> {
    let number = u32::try_from(place + 2).unwrap_or(u32::MAX);
    [HAND_OVER, &number.to_be_bytes()].concat()
}

/// Where hand-overs lie in [`Space::Meta`], by the number of the key that took over.
const HAND_OVER: &[u8] = b"hand-over";
