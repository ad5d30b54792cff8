//! Where sealed records are kept: a folder, or an object store.
//!
//! The room of the log is synchronous and `object_store` is not. So a thread with a runtime of its own does
//! what is asked, and who asks waits: that may be a thread for blocking work, and does no harm on one of
//! the service's runtime, as nothing that is waited for runs there.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::place::{Place, PlaceError, StoreSettings, open_bucket};
use crate::audit;
use crate::audit::files::{Destination, Files, Folder, Held, LogFile};

/// The files of sealed records.
pub(super) struct Archive {
    location: String,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    durable: bool,
    /// Made when it is first needed: a folder may not be there before.
    store: OnceLock<Arc<dyn ObjectStore>>,
    prefix: ObjectPath,
    thread: OnceLock<UnboundedSender<Job>>,
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Archive {
    /// The archive in a folder, or at the URL of an object store. Nothing is looked at yet.
    ///
    /// # Errors
    /// What [`Place::parse`] and [`open_bucket`] refuse.
    pub(super) fn at(
        location: &str,
        durable: bool,
        settings: &StoreSettings,
    ) -> Result<Self, PlaceError> {
        let archive = |folder, store, prefix| Self {
            location: location.to_owned(),
            folder,
            durable,
            store,
            prefix,
            thread: OnceLock::new(),
        };
        Ok(match Place::parse(location)? {
            Place::Folder(folder) => archive(Some(folder), OnceLock::new(), ObjectPath::default()),
            Place::Bucket(url) => {
                let (store, prefix) = open_bucket(&url, settings)?;
                archive(None, store.into(), prefix)
            }
        })
    }

    /// The store; none where there is no folder yet.
    fn store(&self) -> Result<Option<Arc<dyn ObjectStore>>, Failure> {
        if let Some(store) = self.store.get() {
            return Ok(Some(Arc::clone(store)));
        }
        let Some(folder) = self.folder.as_deref().filter(|folder| folder.is_dir()) else {
            return Ok(None);
        };
        let store = LocalFileSystem::new_with_prefix(folder)?.with_fsync(self.durable);
        Ok(Some(Arc::clone(self.store.get_or_init(|| Arc::new(store)))))
    }

    /// Has the archive's thread do something with the store, and waits.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<dyn ObjectStore>) -> F) -> Result<Option<T>, Failure>
    where
        T: Send + 'static,
        F: Future<Output = object_store::Result<T>> + Send + 'static,
    {
        let Some(store) = self.store()? else { return Ok(None) };
        let work = work(store);
        let (done, result) = mpsc::sync_channel(1);
        let job = async move {
            let result = tokio::time::timeout(PATIENCE, work).await;
            let _ = done.send(result); // who asked waits
        };
        let thread = match self.thread.get() {
            Some(thread) => thread,
            None => {
                let made = start()?;
                self.thread.get_or_init(|| made)
            }
        };
        thread.send(Box::pin(job)).map_err(|_| "the archive's thread has ended")?;
        match result.recv().map_err(|_| "the archive's thread gave up")? {
            Ok(done) => match done {
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                done => Ok(Some(done?)),
            },
            Err(late) => Err(late.into()),
        }
    }

    fn path(&self, name: &str) -> ObjectPath {
        self.prefix.parts().chain(name.split('/').map(Into::into)).collect()
    }

    fn unread(&self, name: &str) -> impl FnOnce(Failure) -> audit::Error {
        let what = format!("{}/{name}", self.location);
        move |source| audit::Error::Read { what, source }
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A thread that does what it is sent, until nobody can send it any more.
fn start() -> Result<UnboundedSender<Job>, Failure> {
    let (send, mut jobs) = unbounded_channel::<Job>();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async move {
        while let Some(job) = jobs.recv().await {
            tokio::spawn(job);
        }
    };
    std::thread::Builder::new().name("archive".to_owned()).spawn(move || runtime.block_on(work))?;
    Ok(send)
}

impl Files for Archive {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, audit::Error> {
        let name = file.path();
        let path = self.path(&name);
        let most = u64::try_from(file.max_len()).unwrap_or(u64::MAX);
        let read = |store: Arc<dyn ObjectStore>| async move {
            let found = store.get(&path).await?;
            let fits = found.meta.size <= most;
            Ok(if fits { Some(found.bytes().await?.to_vec()) } else { None })
        };
        match self.wait(read).map_err(self.unread(&name))? {
            None => Ok(None),
            Some(Some(bytes)) => Ok(Some(bytes)),
            Some(None) => Err(audit::Error::Damage(format!("{name} is longer than any such file"))),
        }
    }
}

impl Destination for Archive {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn hold(&self) -> Result<Held, audit::Error> {
        // Of an object store nobody can be kept out; that two services had one store's log, the lock of
        // its data directory does not allow.
        self.folder.as_ref().map_or(Ok(Held::nothing()), |folder| Folder::at(folder).hold())
    }

    fn is_fresh(&self) -> Result<bool, audit::Error> {
        let (prefix, tiles) = (self.prefix.clone(), self.path("tile"));
        let list = |store: Arc<dyn ObjectStore>| async move {
            let prefix = Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty());
            store.list_with_delimiter(prefix).await
        };
        let found = self.wait(list).map_err(self.unread(""))?;
        Ok(found.is_none_or(|found| {
            found.objects.is_empty() && found.common_prefixes.iter().all(|folder| *folder == tiles)
        }))
    }

    fn write(&self, file: LogFile, bytes: &[u8]) -> Result<(), audit::Error> {
        let (path, bytes) = (self.path(&file.path()), bytes.to_vec());
        let put = |store: Arc<dyn ObjectStore>| async move {
            store.put(&path, bytes.into()).await.map(|_| ())
        };
        let put = self.wait(put).and_then(|done| done.ok_or_else(|| "it is not there".into()));
        put.map_err(|error| audit::Error::Write {
            path: Path::new(&self.location).join(file.path()),
            source: std::io::Error::other(error),
        })
    }

    /// Nothing: what was put is durable, as its folders are.
    fn sync(&self, _: &str) -> Result<(), audit::Error> {
        Ok(())
    }
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({})", self.location)
    }
}

/// How long one file may take, with what the client tries again.
const PATIENCE: Duration = Duration::from_secs(60);
