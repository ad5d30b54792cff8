//! Where the bytes of objects are: blobs of an object store, a folder of the data directory by default.
//!
//! A blob is written once, under a name of 128 random bits, and never changed: `objects/ab/abcd…`. It is there
//! whole or not at all; what is nobody's is removed.

use std::collections::HashMap;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{
    GetOptions, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload,
};
use parking_lot::Mutex;

use super::ByteStream;
use crate::clock::Clock;
use crate::objects::{Blob, BlobId, Error};
use crate::store::{self, Durability, with_causes};

/// The bytes of objects.
pub(in crate::service) struct Bodies {
    store: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    /// Since when it is open.
    since: DateTime<Utc>,
    /// Bytes that are handed to the store at once.
    piece: usize,
    reading: Arc<Reading>,
}

/// The folder's name in the data directory.
const FOLDER: &str = "objects";
/// Bytes that are handed to a folder at once.
const LOCAL_PIECE: usize = 1 << LOCAL_PIECE_LOG2;
const LOCAL_PIECE_LOG2: u32 = 20;

impl Bodies {
    /// Those of a data directory.
    ///
    /// # Errors
    /// [`store::Error::File`] when the folder cannot be made.
    pub(in crate::service) fn open(
        data: &Path,
        durability: Durability,
    ) -> Result<Self, store::Error> {
        let folder = data.join(FOLDER);
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
            since,
            piece: LOCAL_PIECE,
            reading: Arc::default(),
        })
    }

    /// Stores a new blob. What fails, or is dropped, leaves none.
    ///
    /// # Errors
    /// The stream's own; [`Error::Internal`] when it cannot be stored, which is logged.
    pub(super) async fn write<S>(&self, bytes: S) -> Result<Blob, Error>
    where
        S: Stream<Item = Result<Bytes, Error>> + Send,
    {
        let id = BlobId::generate()?;
        let path = path(&id);
        let mut bytes = std::pin::pin!(bytes);
        let (mut held, mut len) = (BytesMut::new(), 0);
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        let written = async {
            let mut on_its_way = None;
            while let Some(piece) = bytes.next().await.transpose()? {
                len += u64::try_from(piece.len()).unwrap_or_default();
                held.extend_from_slice(&piece);
                if held.len() < self.piece {
                    continue;
                }
                if let Some(writing) = on_its_way.take() {
                    join(writing).await?;
                }
                let uploading = match &mut upload {
                    Some(upload) => upload,
                    none => none.insert(self.store.put_multipart(&path).await.map_err(failed)?),
                };
                let part = uploading.put_part(PutPayload::from(held.split().freeze()));
                on_its_way = Some(tokio::spawn(part)); // while the next piece is sealed
            }
            if let Some(writing) = on_its_way.take() {
                join(writing).await?;
            }
            let rest = PutPayload::from(held.split().freeze());
            match &mut upload {
                None => self.store.put(&path, rest).await.map(drop).map_err(failed),
                Some(upload) => {
                    if rest.content_length() > 0 {
                        upload.put_part(rest).await.map_err(failed)?;
                    }
                    upload.complete().await.map(drop).map_err(failed)
                }
            }
        };
        match written.await {
            Ok(()) => Ok(Blob { id, len }),
            Err(error) => {
                if let Some(mut upload) = upload
                    && let Err(error) = upload.abort().await
                {
                    tracing::warn!(error = %with_causes(&error), "an unfinished body could not be removed");
                }
                Err(error)
            }
        }
    }

    /// The bytes of `range` of what the blobs are in a row. The first one is opened before this returns; they stay
    /// until the stream is dropped, whoever removes them meanwhile.
    ///
    /// # Errors
    /// [`Error::Damaged`] when a blob is not there, or is shorter than it was.
    pub(super) async fn read(
        &self,
        blobs: &[Blob],
        range: Range<u64>,
    ) -> Result<ByteStream, Error> {
        let (mut wanted, mut ids) = (Vec::new(), Vec::new());
        let mut start = 0;
        for blob in blobs {
            let end = start + blob.len;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                wanted.push((path(&blob.id), from - start..to - start));
                ids.push(blob.id.clone());
            }
            start = end;
        }
        let reader = Reading::begin(&self.reading, &self.store, ids);
        let store = Arc::clone(&self.store);
        let open = move |(path, range): (ObjectPath, Range<u64>)| {
            let store = Arc::clone(&store);
            async move {
                let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
                let found = store.get_opts(&path, options).await.map_err(std::io::Error::other)?;
                let range = found.range.clone();
                Ok::<ByteStream, std::io::Error>(match found.payload {
                    GetResultPayload::File(file, _) => of_file(file, range),
                    GetResultPayload::Stream(stream) => {
                        Box::pin(stream.map_err(std::io::Error::other))
                    }
                })
            }
        };
        let mut wanted = wanted.into_iter();
        let Some(first) = wanted.next() else { return Ok(Box::pin(stream::empty())) };
        let first = open(first).await.map_err(|error| Error::Damaged(with_causes(&error)))?;
        let rest = stream::iter(wanted).then(open).try_flatten();
        let bytes = first.chain(rest);
        Ok(Box::pin(bytes.map(move |piece| {
            let _ = &reader; // it is there as long as the stream is
            piece
        })))
    }

    /// Removes blobs, those that are being read when they no longer are. What cannot be removed is swept later.
    pub(super) async fn remove(&self, blobs: &[BlobId]) {
        for id in blobs.iter().filter(|id| !self.reading.outlives(id)) {
            delete(&self.store, id).await;
        }
    }

    /// Since when it is open: what was stored before, nobody is writing.
    pub(super) const fn since(&self) -> DateTime<Utc> {
        self.since
    }

    /// Removes what was being written before, and was never finished. An object store does so by itself.
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
            Ok(id.map(|id| (id, found.last_modified)))
        })
    }
}

async fn delete(store: &Arc<dyn ObjectStore>, id: &BlobId) {
    match store.delete(&path(id)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
        Err(error) => {
            let error = with_causes(&error);
            tracing::warn!(%error, "bytes that are nobody's could not be removed");
        }
    }
}

/// Blobs that are being read: by how many, and whether they go with the last of them.
#[derive(Default)]
struct Reading(Mutex<HashMap<BlobId, (usize, bool)>>);

impl Reading {
    fn begin(this: &Arc<Self>, store: &Arc<dyn ObjectStore>, blobs: Vec<BlobId>) -> Reader {
        let mut read = this.0.lock();
        for id in &blobs {
            read.entry(id.clone()).or_default().0 += 1;
        }
        drop(read);
        Reader { reading: Arc::clone(this), store: Arc::clone(store), blobs }
    }

    /// Whether somebody reads a blob; then it goes with the last of them.
    fn outlives(&self, id: &BlobId) -> bool {
        let mut read = self.0.lock();
        let found = read.get_mut(id);
        found.is_some_and(|(_, goes)| {
            *goes = true;
            true
        })
    }
}

/// Somebody who reads blobs.
struct Reader {
    reading: Arc<Reading>,
    store: Arc<dyn ObjectStore>,
    blobs: Vec<BlobId>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut gone = Vec::new();
        let mut read = self.reading.0.lock();
        for id in self.blobs.drain(..) {
            let Some((count, goes)) = read.get_mut(&id) else { continue };
            *count -= 1;
            if *count == 0 {
                let goes = *goes;
                read.remove(&id);
                gone.extend(goes.then_some(id));
            }
        }
        drop(read);
        // Without a runtime the process ends, and they are swept at the next start.
        if let (false, Ok(runtime)) = (gone.is_empty(), tokio::runtime::Handle::try_current()) {
            let store = Arc::clone(&self.store);
            runtime.spawn(async move {
                for id in &gone {
                    delete(&store, id).await;
                }
            });
        }
    }
}

/// The bytes of a range of a file, in pieces that are read beside.
fn of_file(file: std::fs::File, range: Range<u64>) -> ByteStream {
    let read = |(mut file, left): (std::fs::File, Range<u64>)| async move {
        if left.is_empty() {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let len = (left.end - left.start).min(1 << LOCAL_PIECE_LOG2);
            let mut piece = vec![0; usize::try_from(len).unwrap_or(LOCAL_PIECE)];
            file.seek(SeekFrom::Start(left.start))?;
            file.read_exact(&mut piece)?;
            Ok::<_, std::io::Error>((Bytes::from(piece), (file, left.start + len..left.end)))
        });
        read.await.map_err(std::io::Error::other)?.map(Some)
    };
    Box::pin(stream::try_unfold((file, range), read))
}

/// Two digits are a folder, so that none has too many files.
fn path(id: &BlobId) -> ObjectPath {
    let id = id.as_str();
    ObjectPath::from(format!("{}/{id}", id.get(..2).unwrap_or_default()))
}

/// Files that a folder's client writes to before they have their name: `NAME#NUMBER`.
fn remove_unfinished(folder: &Path, before: DateTime<Utc>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path(), before)?;
        } else if entry.file_name().to_string_lossy().contains('#')
            && DateTime::<Utc>::from(entry.metadata()?.modified()?) <= before
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

async fn join(writing: tokio::task::JoinHandle<object_store::Result<()>>) -> Result<(), Error> {
    match writing.await {
        Ok(written) => written.map_err(failed),
        Err(_) => Err(Error::Internal),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "a place to map errors to")]
fn failed(error: object_store::Error) -> Error {
    tracing::error!(error = %with_causes(&error), "bytes could not be stored");
    Error::Internal
}

impl fmt::Debug for Bodies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bodies").field("store", &self.store).finish_non_exhaustive()
    }
}
