//! The operations on the log's own key: another takes over, and what proves that it did.

use std::sync::Arc;

use super::Error;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::pending::Writes;
use super::permit::Permit;
use super::trail::trail;
use crate::audit::{Event, HandOver, LogChange, LogKeys, ROTATE_LOG_KEY};
use crate::crypto::SecretKey;
use crate::store::{self, Change, Revision, RowId, Table, Value};

/// Has another key sign the log from here on. The checkpoint of its record's group is signed by both.
#[derive(Debug, Default)]
pub struct RotateLogKey;

/// The log's keys, and what lets who trusts one of them trust the next.
#[derive(Debug, Default)]
pub struct ListLogKeys;

/// A log's keys.
#[derive(Debug, Clone)]
pub struct LogKeyHistory {
    /// Oldest first.
    pub keys: LogKeys,
    /// From each to the next.
    pub hand_overs: Vec<HandOver>,
}

/// Their part of the register.
pub(super) const LOG_KEYS: &[Registered] = &[
    Registered::of::<ListLogKeys>("The log's keys, and the hand-overs between them."),
    Registered::of::<RotateLogKey>("Has another key sign the log from here on."),
];

impl Operation for RotateLogKey {
    type Output = String;
    const NAME: &'static str = ROTATE_LOG_KEY;
    const ACTION: &'static str = "strongroom:RotateLogKey";
    const READ_ONLY: bool = false;

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<String>, Error> {
        let number = u32::try_from(rooms.log.keys().count() + 1).map_err(|_| Error::Internal)?;
        let seed = SecretKey::generate().map_err(store::Error::from)?;
        let successor = rooms.log.successor(&seed)?;
        let row = RowId { table: Table::LogKey, key: number.to_be_bytes().to_vec() };
        let value = Some(Value::from(seed.expose().to_vec()));
        // Of two rotations at once the second finds the row, and makes the next one.
        let change = Change { row, expected: Revision::default(), value };
        let output = successor.verifier_key();
        let log = Some(LogChange::HandOver(Arc::new(successor)));
        let writes = Writes { changes: vec![change], reads: Vec::new(), log };
        Ok(Executed { writes, ..Executed::read(output) })
    }

    fn record(&self, _: &mut Event) {}
}

impl Operation for ListLogKeys {
    type Output = LogKeyHistory;
    const NAME: &'static str = "ListLogKeys";
    const ACTION: &'static str = "strongroom:ListLogKeys";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<LogKeyHistory>, Error> {
        let hand_overs = rooms.log.hand_overs()?;
        Ok(Executed::read(LogKeyHistory { keys: rooms.log.keys(), hand_overs }))
    }

    fn record(&self, _: &mut Event) {}
}
