//! Opening, checking and closing a store: a service starts on a whole store or not at all.
//!
//! What is checked, in this order: the data directory is ours alone; its files are those that a
//! clean shutdown left, if there was one; sled opens them; the root key is the store's; the log's
//! checkpoint is signed by this store's key and matches its tree; the tree contains the anchor's
//! checkpoint; and, unless the last shutdown was clean, every leaf is recomputed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tokio::sync::watch;

use super::Error;
use super::credentials::Credentials;
use super::operation::Rooms;
use crate::audit::{self, Head, Leaf, Log, LogSigner};
use crate::clock::Clock;
use crate::crypto::{Purpose, derive};
use crate::kms::Directory;
use crate::store::{
    self, Anchor, Applied, Committer, DataDirectory, Direction, Durability, Journaled, Revision,
    RowId, Space,
};

/// How to open a service.
#[derive(Debug, Default)]
pub struct Options {
    /// The data directory; a temporary one when there is none.
    pub data_dir: Option<PathBuf>,
    /// Whether to leave out the disk's barrier, for a store that does not outlive the process.
    pub ephemeral: bool,
    /// The root key's text and where it came from; `root.key` in the data directory otherwise.
    pub root_key: Option<(String, String)>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Who is known; without any, every access key is accepted.
    pub credentials: Option<Credentials>,
}

/// The one door to everything: see [`Service::call`].
#[derive(Debug)]
pub struct Service {
    rooms: Arc<Rooms>,
    committer: Committer<Leaf>,
    directory: Mutex<Option<DataDirectory>>,
    folder: PathBuf,
    clock: Clock,
    credentials: RwLock<Option<Arc<Credentials>>>,
    size: watch::Receiver<u64>,
    closing: watch::Sender<bool>,
    temporary: Option<tempfile::TempDir>,
}

impl Service {
    /// Opens or creates a store and checks it.
    ///
    /// # Errors
    /// [`Error::Store`] and [`Error::Audit`], when anything is not as it was left.
    pub fn open(options: Options) -> Result<Arc<Self>, Error> {
        let durability = if options.ephemeral { Durability::Memory } else { Durability::Disk };
        let (path, temporary) = match options.data_dir {
            Some(path) => (path, None),
            None => {
                let folder = temporary_folder()?;
                (folder.path().to_owned(), Some(folder))
            }
        };
        let given = options.root_key.as_ref().map(|(text, from)| (text.as_str(), from.as_str()));
        let directory = DataDirectory::open(&path, given, durability)?;
        let anchor = directory.anchor()?;
        let log = open_log(&directory, &anchor)?;
        let secret = derive(&directory.root, &directory.store_id, Purpose::KeysSecret, b"");
        let rooms = Arc::new(Rooms { keys: Directory::new(secret), log });
        let revisions = replay(&directory, &rooms)?;
        let (grown, size) = watch::channel(rooms.log.head().size);
        let journal = Journal { rooms: Arc::clone(&rooms), grown };
        let committer = journal.start(&directory, anchor, durability, revisions)?;
        Ok(Arc::new(Self {
            rooms,
            committer,
            directory: Mutex::new(Some(directory)),
            folder: path,
            clock: options.clock,
            credentials: RwLock::new(options.credentials.map(Arc::new)),
            size,
            closing: watch::Sender::new(false),
            temporary,
        }))
    }

    /// Finishes what is queued and, when nobody else holds the service, leaves the fingerprint of
    /// a clean shutdown.
    ///
    /// # Errors
    /// [`Error::Store`]; nothing acknowledged is lost then, the next start checks everything.
    pub fn close(self: Arc<Self>) -> Result<(), Error> {
        self.committer.close();
        let leaves_a_store = self.temporary.is_none() && !self.committer.is_stopped();
        let directory = self.directory.lock().take();
        drop(self);
        match directory {
            Some(directory) if leaves_a_store => Ok(directory.close()?),
            _ => Ok(()),
        }
    }

    /// Whether calls can still be recorded, and so answered.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.committer.is_stopped()
    }

    /// The data directory; a temporary one goes with the service.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What operations read.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Who is known; none where every access key is accepted.
    pub(super) fn credentials(&self) -> Option<Arc<Credentials>> {
        self.credentials.read().clone()
    }

    /// Whether callers have to prove who they are.
    #[must_use]
    pub fn knows_callers(&self) -> bool {
        self.credentials.read().is_some()
    }

    /// Knows others from now on. Calls that have begun go on.
    pub fn replace_credentials(&self, credentials: Credentials) {
        *self.credentials.write() = Some(Arc::new(credentials));
    }

    /// The newest head of the log.
    #[must_use]
    pub fn log_head(&self) -> Arc<Head> {
        self.rooms.log.head()
    }

    /// The C2SP verifier string of the log's key.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.rooms.log.verifier_key()
    }

    /// Recomputes the log for the holder of the data directory; not a call, so not recorded.
    ///
    /// # Errors
    /// [`audit::Error::Damaged`], naming the first record that is not what was written.
    pub fn verify_log(&self, progress: impl FnMut(u64)) -> Result<Head, audit::Error> {
        self.rooms.log.check_with(progress)
    }

    /// Ends what would go on for ever (followers of the trail), so that doors can drain.
    pub fn begin_shutdown(&self) {
        self.closing.send_replace(true);
    }

    /// Whether shutdown has begun.
    pub(super) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// The size of the log, as it grows. Closed when the service ends.
    pub(super) fn log_size(&self) -> watch::Receiver<u64> {
        self.size.clone()
    }

    /// The one writer.
    pub(super) fn committer(&self) -> &Committer<Leaf> {
        &self.committer
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

fn temporary_folder() -> Result<tempfile::TempDir, store::Error> {
    let made = tempfile::Builder::new().prefix("strongroom-").tempdir();
    made.map_err(|source| {
        let path = std::env::temp_dir();
        store::Error::File { doing: "creating a folder in", path, source }
    })
}

/// Opens the log and holds it against the anchor.
fn open_log(directory: &DataDirectory, anchor: &Anchor) -> Result<Log, Error> {
    let seed = derive(&directory.root, &directory.store_id, Purpose::LogSeed, b"");
    let origin = format!("strongroom.local/{}", hex::encode(&directory.store_id));
    let signer = LogSigner::new(&origin, &seed)?;
    let log = Log::open(Arc::clone(&directory.engine), signer)?;
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
        log.check_all()?;
    }
    Ok(log)
}

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
            .keys
            .apply(&Applied { row: &row, revision, value: Some(value.expose()) })
            .map_err(|error| store::Error::Damaged(error.to_string()))?;
        revisions.insert(row, revision);
    }
    rooms.keys.check().map_err(store::Error::Damaged)?;
    Ok(revisions)
}

/// What the committing thread keeps: the log and the rooms' memory.
struct Journal {
    rooms: Arc<Rooms>,
    grown: watch::Sender<u64>,
}

impl Journal {
    fn start(
        self,
        directory: &DataDirectory,
        anchor: Anchor,
        durability: Durability,
        revisions: HashMap<RowId, Revision>,
    ) -> Result<Committer<Leaf>, store::Error> {
        let rooms = Arc::clone(&self.rooms);
        let apply = move |applied: &Applied<'_>| {
            if let Err(error) = rooms.keys.apply(applied) {
                tracing::error!(%error, "a committed row could not be published");
            }
        };
        Committer::start(
            Arc::clone(&directory.engine),
            Arc::clone(&directory.sealer),
            anchor,
            durability,
            revisions,
            move |leaves| self.extend(leaves).map_err(|error| error.to_string()),
            apply,
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
