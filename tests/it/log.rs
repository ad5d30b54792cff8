//! Logs made at the room itself, without a service: as large as a test needs, in no time.

use std::sync::Arc;

use chrono::DateTime;
use strongroom::audit::{Event, Leaf, Log, LogSigner, Outcome};
use strongroom::crypto::SecretKey;
use strongroom::store::{Durability, Engine};

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
            self.extend(group.map(|number| leaf(kind, number)).collect());
        }
    }

    /// Appends one record.
    pub(crate) fn append(&self, leaf: Leaf) {
        self.extend(vec![leaf]);
    }

    fn extend(&self, leaves: Vec<Leaf>) {
        let extension = self.log.extend(leaves).unwrap();
        self.engine.write(&extension.rows).unwrap();
        self.log.publish(&extension);
    }

    pub(crate) fn checkpoint(&self) -> Vec<u8> {
        self.log.head().checkpoint.clone()
    }
}
