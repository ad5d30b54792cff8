//! The service: a store that is open, who is known, what the time is, what watchers see.

use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tempfile::TempDir;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::Error;
use super::credential::{Credential, authenticate};
use super::credentials::Credentials;
use super::metrics::{Metrics, Reading};
use super::opening::{Opened, Places, temporary_folder};
use super::operation::Rooms;
use super::place::{PlaceError, StoreSettings};
use super::rate::Rate;
use super::session::{SESSION_PREFIX, secret_of};
use super::slow_lane::SlowLane;
use crate::audit::{self, Head, Keep, Log, WitnessPolicy};
use crate::clock::Clock;
use crate::crypto::Plaintext;
use crate::store::Durability;

/// How to open a service.
#[derive(Debug, Default)]
pub struct Options {
    /// The data directory; a temporary one when there is none.
    pub data_dir: Option<PathBuf>,
    /// Whether to leave out the disk's barrier, for a store that does not outlive the process.
    pub ephemeral: bool,
    /// The root key, if it is given; `root.key` in the data directory otherwise.
    pub root_key: Option<RootKey>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Who is known; without any, every access key is accepted.
    pub credentials: Option<Credentials>,
    /// Calls a second that are answered; any number when there is none.
    pub max_requests_per_second: Option<NonZeroU32>,
    /// Who signs this log's checkpoints, too.
    pub witnesses: WitnessPolicy,
    /// Where the trail's oldest records go: a folder, or the URL of an object store. When there is none,
    /// where they went before; at first, `archive` in the data directory.
    pub audit_archive: Option<String>,
    /// Where the bytes of objects are: a folder, or the URL of an object store. When there is none, where they
    /// were before; at first, `objects` in the data directory.
    pub objects: Option<String>,
    /// How object stores are reached.
    pub object_store: StoreSettings,
    /// Whether SSE-C is taken over connections on which others can listen, for test suites.
    pub customer_keys_in_clear: bool,
    /// What of the trail stays in the store while the service runs; everything, unless it is said.
    pub audit_keep: Keep,
}

/// A root key that is given: 64 hex digits or base64 of 32 bytes. Wiped on drop, redacted in `Debug`,
/// neither `Clone` nor `Serialize`.
///
/// ```compile_fail
/// let key = strongroom::service::RootKey::new(String::new(), "a test");
/// let copy = key.clone(); // moved or borrowed, never copied
/// ```
pub struct RootKey {
    text: Zeroizing<String>,
    from: String,
}

impl RootKey {
    /// Takes over a root key's text, which is looked at when a service opens. `from` says in messages
    /// where it came from.
    pub fn new(text: impl Into<Zeroizing<String>>, from: impl Into<String>) -> Self {
        Self { text: text.into(), from: from.into() }
    }

    /// Borrows the secret, with where it came from.
    pub(super) fn expose(&self) -> (&str, &str) {
        (&self.text, &self.from)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RootKey(redacted, from {})", self.from)
    }
}

/// The one door to everything: see [`Service::call`].
#[derive(Debug)]
pub struct Service {
    opened: RwLock<Arc<Opened>>,
    folder: PathBuf,
    /// Where stores are that go with the process, and how many there were.
    temporary: Option<(TempDir, Mutex<u64>)>,
    clock: Clock,
    credentials: RwLock<Option<Arc<Credentials>>>,
    metrics: Arc<Metrics>,
    slow_lane: SlowLane,
    /// Who lost a race for a row goes on by turns.
    turn: tokio::sync::Mutex<()>,
    rate: Option<Rate>,
    witnesses: WitnessPolicy,
    places: Places,
    audit_keep: Keep,
    customer_keys_in_clear: bool,
    sealing: tokio::sync::Mutex<()>,
    closing: watch::Sender<bool>,
}

impl Service {
    /// Opens or creates a store and checks it.
    ///
    /// # Errors
    /// [`Error::Store`] and [`Error::Audit`], when anything is not as it was left.
    pub fn open(options: Options) -> Result<Arc<Self>, Error> {
        let durability = if options.ephemeral { Durability::Memory } else { Durability::Disk };
        if options.objects.is_some() && (options.ephemeral || options.data_dir.is_none()) {
            return Err(PlaceError::Ephemeral.into());
        }
        let root_key = options.root_key.as_ref().map(RootKey::expose);
        let metrics = Arc::new(Metrics::new());
        let (folder, temporary) = match options.data_dir {
            Some(folder) => (folder, None),
            None => {
                let made = temporary_folder()?;
                (made.path().to_owned(), Some((made, Mutex::new(0))))
            }
        };
        let store = if temporary.is_some() { generation(&folder, 0) } else { folder.clone() };
        let places = Places {
            archive: options.audit_archive,
            objects: options.objects,
            settings: options.object_store,
        };
        let opened = Opened::open(&store, durability, root_key, &places, &metrics)?;
        Ok(Arc::new(Self {
            opened: RwLock::new(Arc::new(opened)),
            folder,
            temporary,
            clock: options.clock,
            credentials: RwLock::new(options.credentials.map(Arc::new)),
            metrics,
            slow_lane: SlowLane::default(),
            turn: tokio::sync::Mutex::default(),
            rate: options.max_requests_per_second.map(Rate::new),
            witnesses: options.witnesses,
            places,
            audit_keep: options.audit_keep,
            customer_keys_in_clear: options.customer_keys_in_clear,
            sealing: tokio::sync::Mutex::default(),
            closing: watch::Sender::new(false),
        }))
    }

    /// Finds the bytes of objects where they are to be, and that they are this store's; remembers the place. To be
    /// called before objects are served.
    ///
    /// # Errors
    /// [`Error::Place`]; [`Error::Store`] when the place cannot be remembered.
    pub async fn claim_objects(&self) -> Result<(), Error> {
        self.opened().claim_objects().await
    }

    /// Finishes what is queued and, when nobody else holds the store, leaves the fingerprint of a
    /// clean shutdown.
    ///
    /// # Errors
    /// [`Error::Store`]; nothing acknowledged is lost then, the next start checks everything.
    pub fn close(self: Arc<Self>) -> Result<(), Error> {
        let opened = self.opened();
        drop(self);
        Ok(opened.close()?)
    }

    /// The same, and writes the database anew: it does not give back by itself what was removed from it.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub fn close_compacted(self: Arc<Self>) -> Result<(), Error> {
        let opened = self.opened();
        drop(self);
        Ok(opened.close_compacted()?)
    }

    /// Throws everything away, the trail included, and begins anew; for tests that share a server. Waits
    /// for the disk.
    ///
    /// # Errors
    /// [`Error::NotResettable`] unless nothing outlives the process; as the walk's first stage, for who
    /// does not prove to be known; [`Error::Store`].
    pub fn reset(&self, credential: &Credential) -> Result<(), Error> {
        let (credentials, rooms) = (self.credentials(), self.rooms());
        authenticate(credential, rooms.known(credentials.as_deref(), self.clock.now()))?;
        let (_, resets) = self.temporary.as_ref().ok_or(Error::NotResettable)?;
        let mut resets = resets.lock();
        let fresh = generation(&self.folder, *resets + 1);
        let fresh = Opened::open(&fresh, Durability::Memory, None, &self.places, &self.metrics)?;
        let before = *resets;
        *resets += 1;
        let old = std::mem::replace(&mut *self.opened.write(), Arc::new(fresh));
        // Calls that have begun end on what they began on; what comes too late for that is not answered.
        old.close()?;
        if let Err(error) = std::fs::remove_dir_all(generation(&self.folder, before)) {
            tracing::warn!(%error, "what was before the reset could not be removed");
        }
        Ok(())
    }

    /// Whether what is in the log stays there: not under `--ephemeral`, where it can be reset.
    #[must_use]
    pub const fn keeps_its_log(&self) -> bool {
        self.temporary.is_none()
    }

    /// Whether calls can still be recorded, and so answered.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        !self.opened().committer.is_stopped()
    }

    /// The data directory; a temporary one goes with the service.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The store that calls are about now.
    pub(super) fn opened(&self) -> Arc<Opened> {
        Arc::clone(&self.opened.read())
    }

    /// What operations read.
    pub(super) fn rooms(&self) -> Arc<Rooms> {
        Arc::clone(&self.opened.read().rooms)
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
        self.rooms().log.head()
    }

    /// The C2SP verifier string of the log's key.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.rooms().log.verifier_key()
    }

    /// Recomputes the log for the holder of the data directory; not a call, so not recorded.
    ///
    /// # Errors
    /// [`audit::Error::Damaged`], naming the first record that is not what was written.
    pub fn verify_log(&self, progress: impl FnMut(u64)) -> Result<Head, audit::Error> {
        self.rooms().log.check_with(progress)
    }

    /// Reads the log for the holder of the data directory; not a call, so not recorded.
    pub fn read_log<T>(&self, read: impl FnOnce(&Log) -> T) -> T {
        read(&self.rooms().log)
    }

    /// Makes the trail's index anew for the holder of the data directory, who makes no calls meanwhile;
    /// not a call, so not recorded.
    ///
    /// # Errors
    /// As [`audit::Log::reindex`].
    pub fn reindex_log(&self, progress: impl FnMut(u64)) -> Result<Head, audit::Error> {
        self.rooms().log.reindex(progress)
    }

    /// What of the trail stays in the store.
    pub(super) const fn audit_keep(&self) -> Keep {
        self.audit_keep
    }

    /// Whoever holds it seals.
    pub(super) const fn sealing(&self) -> &tokio::sync::Mutex<()> {
        &self.sealing
    }

    /// Where calls wait that take seconds.
    pub(super) const fn slow_lane(&self) -> &SlowLane {
        &self.slow_lane
    }

    /// Whose turn it is of those who lost a race for a row.
    pub(super) const fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.turn
    }

    /// How many calls a second are answered, if that is limited.
    pub(super) const fn rate(&self) -> Option<&Rate> {
        self.rate.as_ref()
    }

    /// Whether SSE-C is taken over connections on which others can listen.
    pub(super) const fn takes_customer_keys_in_clear(&self) -> bool {
        self.customer_keys_in_clear
    }

    /// The secret of an access key, for a door that checks signatures: of the credentials file, or of a
    /// session of ours. Whose call it then is, [`Credential::proved`] has the walk find out.
    #[must_use]
    pub fn signing_secret(&self, access_key_id: &str) -> Option<Plaintext> {
        if access_key_id.starts_with(SESSION_PREFIX) {
            return Some(secret_of(&self.rooms().sessions, access_key_id));
        }
        let credentials = self.credentials()?;
        let held = credentials.access_key(access_key_id)?;
        Some(Plaintext::from(held.secret.expose().to_vec()))
    }

    /// Who signs this log's checkpoints, too.
    #[must_use]
    pub const fn witnesses(&self) -> &WitnessPolicy {
        &self.witnesses
    }

    /// What watchers see.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The same as OpenMetrics' text, with what is looked at now.
    #[must_use]
    pub fn metrics_text(&self) -> String {
        let opened = self.opened();
        self.metrics.text(Reading {
            log_entries: opened.rooms.log.head().size,
            cosigned: opened.rooms.cosigned.read().as_ref().map_or(0, |it| it.checkpoint.size),
            log_sealed: opened.rooms.log.sealed_size(),
            store_bytes: opened.size_on_disk(),
            healthy: !opened.committer.is_stopped(),
        })
    }

    /// Ends what would go on for ever (followers of the trail), so that doors can drain.
    pub fn begin_shutdown(&self) {
        self.closing.send_replace(true);
    }

    /// Whether shutdown has begun.
    #[must_use]
    pub fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Where the time comes from.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// Where the store is that was begun after so many resets.
fn generation(folder: &Path, resets: u64) -> PathBuf {
    folder.join(format!("data-{resets}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_is_not_shown_with_the_options() {
        let root_key = Some(RootKey::new("ab".repeat(32), "a variable"));
        let shown = format!("{:?}", Options { root_key, ..Options::default() });
        assert!(shown.contains("RootKey(redacted, from a variable)"), "{shown}");
        assert!(!shown.contains("abab"), "{shown}");
    }
}
