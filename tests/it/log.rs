//! Logs made at the room itself, without a service: as large as a test needs, in no time.

use std::sync::Arc;

use chrono::DateTime;
use strongroom::audit::files::Destination;
use strongroom::audit::{Error, Event, Leaf, Log, LogChange, LogSigner, Outcome};
use strongroom::crypto::SecretKey;
use strongroom::store::{Direction, Durability, Engine, Row, Space};

/// A log of its own, on a temporary store.
pub(crate) struct MadeLog {
    _folder: tempfile::TempDir,
    engine: Arc<Engine>,
    pub(crate) log: Log,
}

/// What the log's key is made of.
pub(crate) const SEED: [u8; 32] = [5; 32];
/// The log's name.
pub(crate) const ORIGIN: &str = "test.example/log";

/// The record of that number, of a log of its own for each `kind`.
pub(crate) fn leaf(kind: &str, number: u64) -> Leaf {
    let micros = i64::try_from(number).unwrap();
    let time = DateTime::from_timestamp_micros(1_800_000_000_000_000 + micros).unwrap();
    let id = format!("00000000-0000-4000-8000-{number:012}");
    let mut event = Event::new(time, &id, kind, "kms:GenerateRandom");
    event.outcome = Outcome::Success;
    event.principal = "arn:aws:iam::111122223333:root".to_owned();
    event.access_key_id = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
    event.account = "111122223333".to_owned();
    event.region = "eu-west-1".to_owned();
    event.source = "127.0.0.1".to_owned();
    event.door = "grpc".to_owned();
    event.decided_by = Some("no credentials file: everything".to_owned());
    event.into_leaf()
}

impl MadeLog {
    pub(crate) fn new() -> Self {
        Self::signed_by(SEED)
    }

    pub(crate) fn signed_by(seed: [u8; 32]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Arc::new(Engine::open(folder.path(), Durability::Memory).unwrap());
        let signer = LogSigner::new(ORIGIN, &SecretKey::from_bytes(seed)).unwrap();
        let log = Log::open(Arc::clone(&engine), signer).unwrap();
        Self { _folder: folder, engine, log }
    }

    /// A log of `GenerateRandom`s.
    pub(crate) fn of(size: u64) -> Self {
        let made = Self::new();
        made.grow("GenerateRandom", size);
        made
    }

    /// Appends up to a size, in groups as the committer makes them.
    pub(crate) fn grow(&self, kind: &str, size: u64) {
        while self.log.head().size < size {
            let next = self.log.head().size;
            let group = next..size.min(next + 256);
            self.commit(group.map(|number| leaf(kind, number)).collect());
        }
    }

    /// Appends one record.
    pub(crate) fn append(&self, leaf: Leaf) {
        self.commit(vec![leaf]);
    }

    /// Gives it a place for what it seals.
    pub(crate) fn with_archive(mut self, archive: Arc<dyn Destination>) -> Self {
        self.log = self.log.with_archive(archive, "");
        self
    }

    /// Moves the records before `end` to the archive, with one record that says so.
    pub(crate) fn seal(&self, end: u64) -> Result<(), Error> {
        let sealing = Arc::new(self.log.archive(end, |_| ())?);
        self.commit(vec![
            leaf("SealLog", self.log.head().size).changing(Some(LogChange::Seal(sealing))),
        ]);
        Ok(())
    }

    fn commit(&self, leaves: Vec<Leaf>) {
        let extension = self.log.extend(leaves).unwrap();
        self.engine.write(&extension.rows).unwrap();
        self.log.publish(&extension);
    }

    /// The log as another process would open it.
    pub(crate) fn reopened(&self) -> Log {
        self.try_to_reopen().unwrap()
    }

    fn try_to_reopen(&self) -> Result<Log, Error> {
        let signer = LogSigner::new(ORIGIN, &SecretKey::from_bytes(SEED)).unwrap();
        Log::open(Arc::clone(&self.engine), signer)
    }

    /// The same, while a row of what the store says of itself is another.
    pub(crate) fn altered_meta(
        &self,
        name: &str,
        change: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Log, Error> {
        let key = name.as_bytes().to_vec();
        let before = self.engine.read(Space::Meta, &key).unwrap().unwrap();
        let write = |value: Vec<u8>| {
            let (space, key, value) = (Space::Meta, key.clone(), Some(value));
            self.engine.write(&[Row { space, key, value }]).unwrap();
        };
        let mut changed = before.clone();
        change(&mut changed);
        write(changed);
        let opened = self.try_to_reopen();
        write(before);
        opened
    }

    /// Numbers at the end of the keys of a space's rows.
    pub(crate) fn rows(&self, space: Space) -> Vec<u64> {
        let rows = self.engine.scan(space, &[], None, Direction::Ascending);
        rows.map(|row| u64::from_be_bytes(*row.unwrap().0.last_chunk().unwrap())).collect()
    }

    pub(crate) fn checkpoint(&self) -> Vec<u8> {
        self.log.head().checkpoint.clone()
    }
}
