//! Reading the log as files (C2SP tlog-tiles), and which of these reads leave a record.
//!
//! A record for each would be one more record to read: who follows the log would never come to its end, and
//! fill it alone. So, of those that are let in (docs/design.md, "What a reader of files leaves"):
//! - checkpoints and hashes tell of no record, and leave none;
//! - entries leave one record, which stands for what the same reader takes in the ten minutes from then on.
//!
//! Who is refused leaves a record each time, as everybody does.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;

use super::Error;
use super::GetCheckpoint;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::permit::Permit;
use super::trail::{Query, trail};
use crate::audit::Event;
use crate::audit::files::{Files, LogFile};

/// One file of the log.
#[derive(Debug)]
pub struct ReadLog(pub LogFile);

/// Its part of the register.
pub(super) const LOG_FILES: &[Registered] = &[Registered::of::<ReadLog>("One file of the log.")];

impl Operation for ReadLog {
    type Output = Option<Vec<u8>>;
    const NAME: &'static str = "ReadLog";
    const ACTION: &'static str = Query::ACTION;
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        match self.0 {
            LogFile::Checkpoint => Weight::Light,
            LogFile::Entries { .. } | LogFile::Tile { .. } => Weight::Heavy,
        }
    }

    /// Who may query the trail may have its files; its head alone, who may ask for that.
    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        let action = match self.0 {
            LogFile::Checkpoint => GetCheckpoint::ACTION,
            LogFile::Entries { .. } | LogFile::Tile { .. } => Self::ACTION,
        };
        trail(action, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Self::Output>, Error> {
        Ok(Executed::read(Files::read(&rooms.log, self.0)?))
    }

    fn record(&self, event: &mut Event) {
        event.parameters.insert("file".to_owned(), self.0.path().into());
    }

    fn is_covered(&self, output: &Self::Output, event: &Event, readers: &Readers) -> bool {
        match self.0 {
            LogFile::Checkpoint | LogFile::Tile { .. } => true,
            LogFile::Entries { .. } => output.is_none() || readers.is_known(event),
        }
    }
}

/// Who has read entries of late, and has a record that says so.
#[derive(Debug, Default)]
pub struct Readers(Mutex<HashMap<Reader, DateTime<Utc>>>);

/// Principal, access key and address.
type Reader = (String, Option<String>, String);

impl Readers {
    /// Whether a record stands for this read already; if not, the one that the caller writes now will
    /// stand for those after it.
    fn is_known(&self, event: &Event) -> bool {
        let reader = (event.principal.clone(), event.access_key_id.clone(), event.source.clone());
        let (now, mut known) = (event.time, self.0.lock());
        // A clock that was put back ends it, too.
        let stands = |since: DateTime<Utc>| since <= now && now < since + STANDS;
        if known.get(&reader).is_some_and(|since| stands(*since)) {
            return true;
        }
        if known.len() >= KNOWN {
            known.retain(|_, since| stands(*since));
        }
        if known.len() < KNOWN {
            known.insert(reader, now);
        }
        false
    }
}

/// How long one record stands for what its reader reads.
const STANDS: TimeDelta = TimeDelta::minutes(10);
/// Readers that are remembered at the most; others leave a record each time.
const KNOWN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_stands_for_ten_minutes_of_one_reader() {
        let readers = Readers::default();
        let begin = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let read = |who: &str, source: &str, minutes: i64| {
            let time = begin + TimeDelta::minutes(minutes);
            let mut event = Event::new(time, "", "ReadLog", "");
            (event.principal, event.source) = (who.to_owned(), source.to_owned());
            readers.is_known(&event)
        };
        assert!(!read("alice", "127.0.0.1", 0));
        assert!(read("alice", "127.0.0.1", 0) && read("alice", "127.0.0.1", 9));
        assert!(!read("bob", "127.0.0.1", 9) && !read("alice", "127.0.0.2", 9));
        assert!(!read("alice", "127.0.0.1", 10), "reading on does not make it longer");
        assert!(read("alice", "127.0.0.1", 19));
        assert!(!read("alice", "127.0.0.1", 5), "the clock went back");
    }

    #[test]
    fn no_more_than_so_many_readers_are_remembered() {
        let readers = Readers::default();
        let read = |who: usize, minutes: i64| {
            let time = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
            let mut event = Event::new(time + TimeDelta::minutes(minutes), "", "ReadLog", "");
            event.principal = who.to_string();
            readers.is_known(&event)
        };
        assert!((0..KNOWN + 2).all(|who| !read(who, 0)));
        assert!(read(0, 0) && !read(KNOWN, 0), "one too many leaves a record each time");
        assert_eq!(readers.0.lock().len(), KNOWN);
        assert!(!read(KNOWN, 10) && read(KNOWN, 10), "there is room again");
        assert_eq!(readers.0.lock().len(), 1);
    }
}
