//! Where the bytes of objects are: blobs of an object store, a folder of the data directory by default.
//!
//! A blob is written once, under a name of 128 random bits, and never changed: `objects/ab/abcd…`. It is there
//! whole or not at all; what is nobody's is removed, and what has no blob's name is left alone.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::sync::OnceCell;

use super::ByteStream;
use super::claim::Owner;
use super::pieces::Pieces;
use super::readers::{Reader, Reading};
use super::sending::Upload;
use super::trouble::{failed, refusal};
use crate::clock::Clock;
use crate::objects::{Blob, BlobId, Error};
use crate::service;
use crate::service::place::{Place, PlaceError, StoreSettings, open_bucket};
use crate::sse::PieceOpener;
use crate::store::{self, Durability, with_causes};

/// The bytes of objects.
pub(in crate::service) struct Bodies {
    store: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    /// Since when it is open, if that is known by the clock here.
    since: Option<DateTime<Utc>>,
    /// Whose the place is, and since when, by its own clock; of a place that was named.
    claim: Option<(Owner, OnceCell<DateTime<Utc>>)>,
    /// Bytes that are handed to the store at once.
    piece: usize,
    reading: Arc<Reading>,
}

/// The folder's name in the data directory.
const FOLDER: &str = "objects";
/// Bytes that are handed to a folder at once.
const LOCAL_PIECE: usize = 1 << 20;
/// The same for an object store: S3's parts have 5 MiB at the least, and there are 10,000 at the most. A write
/// holds three of them at the most: one that is filled, with its room to grow, and one on its way.
const REMOTE_PIECE: usize = 8 << 20;

impl Bodies {
    /// Those of a data directory.
    ///
    /// # Errors
    /// [`store::Error::File`] when the folder cannot be made.
    pub(in crate::service) fn open(
        data: &Path,
        durability: Durability,
    ) -> Result<Self, store::Error> {
        Self::open_folder(data.join(FOLDER), durability)
    }

    fn open_folder(folder: PathBuf, durability: Durability) -> Result<Self, store::Error> {
        let failed = |source| store::Error::File {
            doing: "creating the folder",
            path: folder.clone(),
            source,
        };
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let local = LocalFileSystem::new_with_prefix(&folder);
        let local = local.map_err(|error| failed(std::io::Error::other(error)))?;
        // Its folders are the data directory's, which is closed to others.
        let local = local.with_fsync(durability == Durability::Disk);
        // The times of files are coarser than the clock.
        let since = Clock::default().now() - TimeDelta::milliseconds(20);
        Ok(Self {
            store: Arc::new(local),
            folder: Some(folder),
            since: Some(since),
            claim: None,
            piece: LOCAL_PIECE,
            reading: Arc::default(),
        })
    }

    /// Those of a place that is named.
    ///
    /// # Errors
    /// [`PlaceError::Settings`]; [`store::Error::File`] when a folder cannot be made.
    pub(in crate::service) fn open_at(
        place: Place,
        owner: Owner,
        settings: &StoreSettings,
        durability: Durability,
    ) -> Result<Self, service::Error> {
        let claim = Some((owner, OnceCell::new()));
        Ok(match place {
            Place::Folder(folder) => Self { claim, ..Self::open_folder(folder, durability)? },
            Place::Bucket(url) => {
                let (store, prefix) = open_bucket(&url, settings)?;
                let store = Arc::new(PrefixStore::new(store, prefix));
                let reading = Arc::default();
                Self { store, folder: None, since: None, claim, piece: REMOTE_PIECE, reading }
            }
        })
    }

    /// Finds that a place that was named is its owner's, or makes it so; gives its owner. The folder in the data
    /// directory needs no claim.
    ///
    /// # Errors
    /// What [`Owner::claim`] finds.
    pub(in crate::service) async fn claim(&self) -> Result<Option<&Owner>, PlaceError> {
        let Some((owner, claimed)) = &self.claim else { return Ok(None) };
        claimed.get_or_try_init(|| owner.claim(&self.store)).await?;
        Ok(Some(owner))
    }

    /// Stores a new blob. What fails, or is dropped, leaves none.
    ///
    /// # Errors
    /// The stream's own; what [`failed`] makes of the store's, which is logged.
    pub(super) async fn write<S>(&self, bytes: S) -> Result<Blob, Error>
    where
        S: Stream<Item = Result<Bytes, Error>> + Send,
    {
        self.claim().await.map_err(|error| {
            tracing::error!(error = %with_causes(&error), "bytes could not be stored");
            Error::Unavailable
        })?;
        let id = BlobId::generate()?;
        let path = path(&id);
        let mut bytes = std::pin::pin!(bytes);
        let (mut held, mut len) = (BytesMut::new(), 0);
        let mut upload: Option<Upload> = None;
        let written = async {
            while let Some(piece) = bytes.next().await.transpose()? {
                len += u64::try_from(piece.len()).unwrap_or_default();
                held.extend_from_slice(&piece);
                while held.len() >= self.piece {
                    // Some stores want pieces of one length; a folder is faster with what there is.
                    let cut = if self.folder.is_some() { held.len() } else { self.piece };
                    let uploading = match &mut upload {
                        Some(upload) => upload,
                        none => none.insert(Upload::begin(&self.store, &path).await?),
                    };
                    uploading.piece(held.split_to(cut).freeze()).await?;
                }
            }
            let rest = held.split().freeze();
            match &mut upload {
                None => self.store.put(&path, rest.into()).await.map(drop).map_err(failed),
                Some(upload) => upload.complete(rest).await,
            }
        };
        match written.await {
            Ok(()) => Ok(Blob { id, len }),
            Err(error) => {
                if let Some(upload) = upload {
                    upload.abort().await;
                }
                self.remove_failed(&id).await;
                Err(error)
            }
        }
    }

    /// Keeps blobs for who is about to read them: they go when this is dropped, if somebody removes them meanwhile.
    pub(super) fn hold(&self, blobs: &[Blob]) -> Reader {
        let ids = blobs.iter().map(|blob| blob.id.clone()).collect();
        Reading::begin(&self.reading, &self.store, ids)
    }

    /// The bytes of `range` of what the blobs are in a row, opened where an opener is given. The first of them are
    /// there before this returns; they stay until the stream is dropped, whoever removes them meanwhile.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a blob is not there, is shorter than it was, or does not open where it begins; when
    /// the store cannot be read, as for a write.
    pub(super) async fn read(
        &self,
        blobs: &[Blob],
        range: Range<u64>,
        opener: Option<PieceOpener>,
    ) -> Result<ByteStream, Error> {
        let mut wanted = VecDeque::new();
        let mut start = 0;
        for blob in blobs {
            let end = start + blob.len;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                wanted.push_back((path(&blob.id), from - start..to - start));
            }
            start = end;
        }
        let reader = self.hold(blobs);
        let mut pieces = Pieces::new(Arc::clone(&self.store), wanted, opener, reader);
        let (first, more) = pieces.next().await.map_err(|error| {
            refusal(&error).unwrap_or_else(|| Error::Damaged(with_causes(&error)))
        })?;
        let first = stream::iter(first.into_iter().map(Ok));
        if !more {
            return Ok(Box::pin(first));
        }
        Ok(Box::pin(first.chain(pieces.ahead())))
    }

    /// Removes blobs, those that are being read when they no longer are. What cannot be removed is swept later.
    pub(super) async fn remove(&self, blobs: &[BlobId]) {
        for id in blobs.iter().filter(|id| !self.reading.outlives(id)) {
            delete(&self.store, id).await;
        }
    }

    /// Since when it is open: what was stored before, nobody is writing. None of a place that is not claimed yet.
    pub(super) fn since(&self) -> Option<DateTime<Utc>> {
        match &self.claim {
            Some((_, claimed)) => claimed.get().copied(), // by its own clock
            None => self.since,
        }
    }

    /// Whether what is there and is not known is nobody's: in the data directory, and in a place that is claimed and
    /// that nobody has claimed since.
    pub(super) async fn may_sweep(&self) -> bool {
        let Some((owner, claimed)) = &self.claim else { return true };
        let may = claimed.get().is_some() && owner.holds(&self.store).await;
        if !may {
            let place = &owner.place;
            tracing::warn!(place, "it is not known whose the bytes there are: none are removed");
        }
        may
    }

    /// Removes what a write that failed at its end has left: a blob that has its name already and is not known to be
    /// on the disk, or the file of a folder's client, which forgets it once it is told to give it its name.
    async fn remove_failed(&self, id: &BlobId) {
        delete(&self.store, id).await;
        let Some(folder) = &self.folder else { return };
        let begun = folder.join(path(id).as_ref());
        let removed = tokio::task::spawn_blocking(move || {
            let name = begun.file_name().map(|name| format!("{}#", name.to_string_lossy()));
            let (Some(within), Some(name)) = (begun.parent(), name) else { return Ok(()) };
            for entry in std::fs::read_dir(within)? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(&name) {
                    std::fs::remove_file(entry.path())?;
                }
            }
            Ok::<_, std::io::Error>(())
        });
        match removed.await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                let error = with_causes(&error);
                tracing::warn!(%error, "an unfinished body could not be removed");
            }
            _ => {}
        }
    }

    /// Removes what was being written before, and was never finished. An object store does so by
    /// itself, if its operator has told it to.
    pub(super) async fn remove_unfinished(&self, before: DateTime<Utc>) {
        let Some(folder) = self.folder.clone() else { return };
        let removed = tokio::task::spawn_blocking(move || remove_unfinished(&folder, before));
        if let Ok(Err(error)) = removed.await {
            tracing::warn!(error = %with_causes(&error), "unfinished bodies could not be removed");
        }
    }

    /// Every blob that is stored, and since when. What is no blob's name is passed over.
    pub(super) fn stored(
        &self,
    ) -> impl Stream<Item = object_store::Result<(BlobId, DateTime<Utc>)>> + Send + 'static {
        self.store.list(None).try_filter_map(|found| async move {
            let id = found.location.filename().and_then(BlobId::parse);
            let id = id.filter(|id| path(id) == found.location);
            Ok(id.map(|id| (id, found.last_modified)))
        })
    }
}

pub(super) async fn delete(store: &Arc<dyn ObjectStore>, id: &BlobId) {
    match store.delete(&path(id)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => {
            let error = with_causes(&error);
            tracing::warn!(%error, "bytes that are nobody's could not be removed");
        }
    }
}

/// Two digits are a folder, so that none has too many files.
fn path(id: &BlobId) -> ObjectPath {
    let id = id.as_str();
    ObjectPath::from(format!("{}/{id}", id.get(..2).unwrap_or_default()))
}

/// Files that a folder's client writes to before they have their name: `XX/ID#NUMBER`. Others are not ours.
fn remove_unfinished(folder: &Path, before: DateTime<Utc>) -> std::io::Result<()> {
    for within in std::fs::read_dir(folder)? {
        let within = within?;
        let digits = within.file_name();
        let is_ours = digits.len() == 2 && within.file_type()?.is_dir();
        if !is_ours {
            continue;
        }
        for entry in std::fs::read_dir(within.path())? {
            let entry = entry?;
            let name = entry.file_name();
            let begun =
                name.to_str().and_then(|name| name.split_once('#')).and_then(|(id, number)| {
                    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
                    BlobId::parse(id).filter(|_| is_number && digits.to_str() == id.get(..2))
                });
            if begun.is_some() && DateTime::<Utc>::from(entry.metadata()?.modified()?) <= before {
                std::fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bodies").field("store", &self.store).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// An S3 that answers so.
    async fn answering(answer: &'static str) -> Bodies {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let mut request = vec![0; 64 << 10];
                    let _ = stream.read(&mut request).await;
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        let table =
            [("endpoint", endpoint.as_str()), ("allow_http", "true"), ("skip_signature", "true")];
        let table = table.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = StoreSettings::new(table.into(), Vec::new());
        let owner = Owner {
            place: "s3://bucket/prefix".to_owned(),
            origin: "strongroom.local/a".to_owned(),
            has_objects: false,
            earlier: "none".to_owned(),
            claim: "1".to_owned(),
        };
        let place = Place::parse(&owner.place).unwrap();
        let bodies = Bodies::open_at(place, owner, &settings, Durability::Disk).unwrap();
        bodies.claim.as_ref().unwrap().1.set(Clock::default().now()).unwrap();
        bodies
    }

    #[test]
    fn what_was_being_written_goes_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let id = BlobId::generate().unwrap();
        let within = folder.path().join(id.as_str().get(..2).unwrap());
        let (nested, far) = (within.join("ab"), folder.path().join("notes"));
        for made in [&within, &nested, &far] {
            std::fs::create_dir_all(made).unwrap();
        }
        let begun = within.join(format!("{}#12", id.as_str()));
        let others = [
            within.join(id.as_str()),
            within.join(format!("{}#a", id.as_str())),
            within.join("C# in short"),
            nested.join(format!("{}#1", id.as_str())),
            far.join("#draft#"),
            folder.path().join(format!("{}#1", id.as_str())),
        ];
        others.iter().chain([&begun]).for_each(|file| std::fs::write(file, "x").unwrap());
        remove_unfinished(folder.path(), Clock::default().now() + TimeDelta::seconds(5)).unwrap();
        assert!(!begun.exists());
        assert!(others.iter().all(|file| file.exists()));
    }

    #[tokio::test]
    async fn what_a_store_answers_is_told_apart() {
        let answers = [
            (
                "HTTP/1.1 503 Slow Down\r\nconnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>",
                "SlowDown",
            ),
            ("HTTP/1.1 429 Too Many Requests\r\nconnection: close\r\n\r\n", "SlowDown"),
            (
                "HTTP/1.1 500 Internal Server Error\r\nconnection: close\r\n\r\n",
                "ServiceUnavailable",
            ),
            ("HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n", "ServiceUnavailable"),
            ("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n", "InternalError"),
            ("", "ServiceUnavailable"),
        ];
        let asked = answers.map(|(answer, code)| async move {
            let bodies = answering(answer).await;
            let error =
                bodies.write(stream::iter([Ok(Bytes::from_static(b"a"))])).await.unwrap_err();
            assert_eq!(error.code(), code, "{answer}: {error:?}");
            let blob = Blob { id: BlobId::generate().unwrap(), len: 1 };
            let Err(error) = bodies.read(&[blob], 0..1, None).await else { panic!("{answer}") };
            assert_eq!(error.code(), code, "{answer}: {error:?}");
        });
        futures_util::future::join_all(asked).await;
    }
}
