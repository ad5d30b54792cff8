//! Opening, checking and closing a store: a service works on a whole store or not at all.
//!
//! What is checked, in this order: the data directory is ours alone; its files are those that a
//! clean shutdown left, if there was one; sled opens them; the root key is the store's; the log's
//! checkpoint is signed by this store's key and matches its tree; the tree contains the anchor's
//! checkpoint, and the one that witnesses have signed; and, unless the last shutdown was clean, every leaf in the
//! store is recomputed. The archive of sealed records is not needed to start, unless the anchor is of before
//! their sealing.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::Error;
use super::archive::Archive;
use super::log_files::Readers;
use super::metrics::Metrics;
use super::operation::Rooms;
use super::place::{Place, StoreSettings};
use super::policies::Policies;
use super::s3::{Bodies, OWN_KEY, OwnKeys, Owner};
use crate::audit::{self, Cosigned, Leaf, Log, LogSigner};
use crate::crypto::{Purpose, SecretKey, derive, random};
use crate::kms::Directory;
use crate::objects::Objects;
use crate::sse::{Keyring, Limits};
use crate::store::{
    self, Anchor, Applied, Committer, DataDirectory, Direction, Durability, Journaled, Medium,
    Revision, RowId, Space, Table,
};

/// Where bytes are beside the store, as far as that is said.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The trail's oldest records.
    pub(super) archive: Option<String>,
    /// The bytes of objects.
    pub(super) objects: Option<String>,
    /// How object stores are reached.
    pub(super) settings: StoreSettings,
}

/// A store that is open: what operations read, and the one writer.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) rooms: Arc<Rooms>,
    pub(super) committer: Committer<Leaf>,
    /// The size of the log, as it grows. Closed when the store is.
    pub(super) size: watch::Receiver<u64>,
    /// Who has read its files of late.
    pub(super) readers: Readers,
    /// The bytes of objects.
    pub(super) bodies: Bodies,
    /// The keys of objects.
    pub(super) keyring: Keyring,
    directory: Mutex<Option<DataDirectory>>,
    durability: Durability,
}

impl Opened {
    /// Opens or creates a store and checks it.
    pub(super) fn open(
        path: &Path,
        durability: Durability,
        root_key: Option<(&str, &str)>,
        places: &Places,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Error> {
        let directory = DataDirectory::open(path, root_key, durability)?;
        let anchor = directory.anchor()?;
        let log = open_log(&directory, &anchor, places, durability)?;
        let secret = derive(&directory.root, &directory.store_id, Purpose::KeysSecret, b"");
        let sessions = derive(&directory.root, &directory.store_id, Purpose::SessionsSecret, b"");
        let (keys, policies) = (Directory::new(secret), Policies::default());
        let objects = Objects::default();
        let s3 = derive(&directory.root, &directory.store_id, Purpose::BucketsSecret, b"");
        let keyring = Keyring::new(Arc::new(OwnKeys::new(s3)), OWN_KEY, Limits::default());
        let cosigned = RwLock::new(open_cosigned(&directory, &log)?.map(Arc::new));
        let rooms = Arc::new(Rooms { keys, policies, objects, log, cosigned, sessions });
        let revisions = replay(&directory, &rooms)?;
        let bodies = open_bodies(&directory, &rooms, places, durability)?;
        let (grown, size) = watch::channel(rooms.log.head().size);
        let journal = Journal { rooms: Arc::clone(&rooms), grown };
        let medium = Medium {
            engine: Arc::clone(&directory.engine),
            sealer: Arc::clone(&directory.sealer),
            anchor,
            durability,
        };
        let committer = journal.start(medium, revisions, Arc::clone(metrics))?;
        let (readers, directory) = (Readers::default(), Mutex::new(Some(directory)));
        Ok(Self { rooms, committer, size, readers, bodies, keyring, directory, durability })
    }

    /// Finishes what is queued and, when nobody else holds a store that is on disk, leaves the
    /// fingerprint of a clean shutdown.
    pub(super) fn close(self: Arc<Self>) -> Result<(), store::Error> {
        self.close_with(DataDirectory::close)
    }

    /// The same, and writes the database anew, without the room of what was removed from it.
    pub(super) fn close_compacted(self: Arc<Self>) -> Result<(), store::Error> {
        self.close_with(DataDirectory::close_compacted)
    }

    fn close_with(
        self: Arc<Self>,
        close: impl FnOnce(DataDirectory) -> Result<(), store::Error>,
    ) -> Result<(), store::Error> {
        self.committer.close();
        let on_disk = self.durability == Durability::Disk;
        let leaves_a_store = on_disk && !self.committer.is_stopped();
        let directory = self.directory.lock().take();
        drop(self);
        match directory {
            Some(directory) if leaves_a_store => close(directory),
            _ => Ok(()),
        }
    }

    /// Keeps and shows a checkpoint that enough witnesses have signed, unless a newer one is there.
    pub(super) fn keep_cosigned(&self, note: Vec<u8>) -> Result<(), Error> {
        // Held while the file is written: of two the newer one stays in both places.
        let directory = self.directory.lock();
        let Some(directory) = directory.as_ref() else { return Ok(()) };
        let checkpoint = self.rooms.log.open_checkpoint(&note)?;
        let kept = self.rooms.cosigned.read().clone();
        if kept.is_some_and(|kept| kept.checkpoint.size > checkpoint.size) {
            return Ok(());
        }
        directory.keep_cosigned(&note)?;
        *self.rooms.cosigned.write() = Some(Arc::new(Cosigned { checkpoint, note }));
        Ok(())
    }

    /// Holds the place of objects' bytes against this store, and remembers it.
    pub(super) async fn claim_objects(&self) -> Result<(), Error> {
        let Some(owner) = self.bodies.claim().await? else { return Ok(()) };
        let directory = self.directory.lock();
        let Some(directory) = directory.as_ref() else { return Ok(()) };
        if directory.objects_place()?.as_deref() != Some(&owner.place) {
            directory.keep_objects_place(&owner.place)?;
        }
        Ok(directory.keep_objects_claim(std::slice::from_ref(&owner.claim))?)
    }

    /// Bytes on disk, as far as the store can tell.
    pub(super) fn size_on_disk(&self) -> u64 {
        let directory = self.directory.lock();
        let size = directory.as_ref().map(|directory| directory.engine.size_on_disk());
        size.and_then(Result::ok).unwrap_or_default()
    }
}

/// A folder that goes with the process.
pub(super) fn temporary_folder() -> Result<tempfile::TempDir, store::Error> {
    let made = tempfile::Builder::new().prefix("strongroom-").tempdir();
    made.map_err(|source| {
        let path = std::env::temp_dir();
        store::Error::File { doing: "creating a folder in", path, source }
    })
}

/// Opens the log and holds it against the anchor.
fn open_log(
    directory: &DataDirectory,
    anchor: &Anchor,
    places: &Places,
    durability: Durability,
) -> Result<Log, Error> {
    let seed = derive(&directory.root, &directory.store_id, Purpose::LogSeed, b"");
    let origin = origin(directory);
    let first = LogSigner::new(&origin, &seed)?;
    let successors = log_keys(directory, &origin)?;
    let log = Log::open_with(Arc::clone(&directory.engine), first, successors)?;
    let log = with_archive(log, directory, places, durability)?;
    match anchor.checkpoint() {
        Some(note) => log.contains(note)?,
        None if log.head().size > 0 => {
            return Err(Error::Store(store::Error::Damaged(format!(
                "the anchor is missing, but the log holds {} records",
                log.head().size
            ))));
        }
        None => {}
    }
    if !directory.clean && !directory.created {
        log.check_store()?;
        log.check_index()?;
    }
    if let Some(fault) = log.index_fault() {
        tracing::warn!(%fault, "the trail cannot be queried");
    }
    Ok(log)
}

/// The name of a store's log.
fn origin(directory: &DataDirectory) -> String {
    format!("strongroom.local/{}", hex::encode(&directory.store_id))
}

/// The bytes of objects: where it is said, else where they were, else in the data directory.
fn open_bodies(
    directory: &DataDirectory,
    rooms: &Rooms,
    places: &Places,
    durability: Durability,
) -> Result<Bodies, Error> {
    let chosen = match &places.objects {
        Some(given) => Some(absolute(given)?),
        None => directory.objects_place()?,
    };
    let Some(place) = chosen else { return Ok(Bodies::open(directory.path(), durability)?) };
    let has_objects = !rooms.objects.blobs().is_empty();
    let to = Place::parse(&place)?;
    let (earlier, claim) = next_claim(directory)?;
    let owner = Owner { place, origin: origin(directory), has_objects, earlier, claim };
    Bodies::open_at(to, owner, &places.settings, durability)
}

/// What this start's claim on a place is called, and the one before it. Kept before it is made, so that whichever of them a
/// crash leaves there is known.
fn next_claim(directory: &DataDirectory) -> Result<(String, String), Error> {
    let mut names = directory.objects_claim()?.into_iter();
    let earlier = names.next().unwrap_or_else(|| "none".to_owned());
    if let Some(begun) = names.next() {
        return Ok((earlier, begun));
    }
    let next = hex::encode(random::array::<16>().map_err(store::Error::from)?);
    directory.keep_objects_claim(&[earlier.clone(), next.clone()])?;
    Ok((earlier, next))
}

/// A folder's whole path; a URL as it is.
fn absolute(place: &str) -> Result<String, store::Error> {
    if place.contains("://") {
        return Ok(place.to_owned());
    }
    let failed = |source| store::Error::File { doing: "finding", path: place.into(), source };
    Ok(std::path::absolute(place).map_err(failed)?.to_string_lossy().into_owned())
}

/// The log's keys after the first, in their order.
fn log_keys(directory: &DataDirectory, origin: &str) -> Result<Vec<LogSigner>, Error> {
    let (from, to) = ([Table::LogKey.tag()], [Table::LogKey.tag() + 1]);
    let rows = directory.engine.scan(Space::State, &from, Some(&to), Direction::Ascending);
    let mut signers = Vec::new();
    for item in rows {
        let (key, stored) = item?;
        let damaged = || store::Error::Damaged("a key of the audit log is missing".to_owned());
        let row = RowId::from_state_key(&key).ok_or_else(damaged)?;
        let expected = u32::try_from(signers.len() + 2).map_err(|_| damaged())?;
        if row.key != expected.to_be_bytes() {
            return Err(Error::Store(damaged()));
        }
        let (_, value) = directory.sealer.open(&row, &stored)?;
        let seed = SecretKey::from_slice(value.expose()).map_err(store::Error::from)?;
        signers.push(LogSigner::new(origin, &seed)?);
    }
    Ok(signers)
}

/// The checkpoint that witnesses have signed, which is held against the log as the anchor is.
fn open_cosigned(directory: &DataDirectory, log: &Log) -> Result<Option<Cosigned>, Error> {
    let Some(note) = directory.cosigned()? else { return Ok(None) };
    let checkpoint = log.open_checkpoint(&note)?;
    // What was sealed since is proved to be in the signed head; of older trees only the archive has hashes.
    if checkpoint.size >= log.sealed_size() {
        log.contains(&note)?;
    }
    Ok(Some(Cosigned { checkpoint, note }))
}

/// The log with its archive: the one that is given, else the one that it had, else the data directory's own.
/// It need not be there before something is read from it.
fn with_archive(
    log: Log,
    directory: &DataDirectory,
    places: &Places,
    durability: Durability,
) -> Result<Log, Error> {
    let chosen = match &places.archive {
        Some(given) => absolute(given)?,
        None => Log::archive_of(&directory.engine)?.unwrap_or_default(),
    };
    let own = || directory.path().join(ARCHIVE).to_string_lossy().into_owned();
    let location = if chosen.is_empty() { own() } else { chosen.clone() };
    let archive = Archive::at(&location, durability == Durability::Disk, &places.settings)?;
    Ok(log.with_archive(Arc::new(archive), &chosen))
}

/// The archive's name in the data directory.
const ARCHIVE: &str = "archive";

/// Publishes every state row to memory; returns the rows' revisions.
fn replay(
    directory: &DataDirectory,
    rooms: &Rooms,
) -> Result<HashMap<RowId, Revision>, store::Error> {
    let mut revisions = HashMap::new();
    for item in directory.engine.scan(Space::State, b"", None, Direction::Ascending) {
        let (key, stored) = item?;
        let row = RowId::from_state_key(&key)
            .ok_or_else(|| store::Error::Damaged("a row of an unknown table".to_owned()))?;
        let (revision, value) = directory.sealer.open(&row, &stored)?;
        rooms
            .apply(&Applied { row: &row, revision, value: Some(value.expose()) })
            .map_err(store::Error::Damaged)?;
        revisions.insert(row, revision);
    }
    rooms.keys.check().map_err(store::Error::Damaged)?;
    Ok(revisions)
}

impl Rooms {
    /// Publishes one row to the room that it is of.
    fn apply(&self, applied: &Applied<'_>) -> Result<(), String> {
        match applied.row.table {
            Table::Bucket | Table::Contents | Table::Object | Table::Part | Table::Upload => {
                self.objects.apply(applied)
            }
            Table::Alias | Table::Grant | Table::Key | Table::LogKey | Table::Material => {
                self.keys.apply(applied)
            }
        }
    }
}

/// What the committing thread keeps: the log and the rooms' memory.
struct Journal {
    rooms: Arc<Rooms>,
    grown: watch::Sender<u64>,
}

impl Journal {
    fn start(
        self,
        medium: Medium,
        revisions: HashMap<RowId, Revision>,
        metrics: Arc<Metrics>,
    ) -> Result<Committer<Leaf>, store::Error> {
        let rooms = Arc::clone(&self.rooms);
        let records = rooms.log.head().size;
        let apply = move |applied: &Applied<'_>| {
            if let Err(error) = rooms.apply(applied) {
                tracing::error!(%error, "a committed row could not be published");
            }
        };
        Committer::start(
            medium,
            revisions,
            records,
            move |leaves| self.extend(leaves).map_err(|error| error.to_string()),
            apply,
            move |group| metrics.committed(group),
        )
    }

    fn extend(&self, leaves: Vec<Leaf>) -> Result<Journaled, audit::Error> {
        let mut extension = self.rooms.log.extend(leaves)?;
        let (rooms, grown) = (Arc::clone(&self.rooms), self.grown.clone());
        Ok(Journaled {
            rows: std::mem::take(&mut extension.rows),
            checkpoint: extension.checkpoint.clone(),
            first_index: extension.first_index,
            publish: Box::new(move || {
                rooms.log.publish(&extension);
                grown.send_replace(rooms.log.head().size);
            }),
        })
    }
}
