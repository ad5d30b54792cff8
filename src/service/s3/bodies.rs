//! Where the bytes of objects are: blobs of an object store, a folder of the data directory by default.
//!
//! A blob is written once, under a name of 128 random bits, and never changed: `objects/ab/abcd…`. It is there
//! whole or not at all; what is nobody's is removed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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
use tokio::sync::mpsc;

use super::ByteStream;
use crate::clock::Clock;
use crate::objects::{Blob, BlobId, Error};
use crate::sse::PieceOpener;
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
const LOCAL_PIECE: usize = 1 << 20;
/// Bytes that are read, and opened, at once.
const READ_AT_ONCE: usize = 1 << READ_AT_ONCE_LOG2;
const READ_AT_ONCE_LOG2: u32 = 19;
/// Room for the tags of the last chunk that is opened with it.
const TAGS: usize = 64;
/// How often as much is read before it is asked for.
const AHEAD: usize = 1;

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
                    && self.folder.is_none()
                {
                    let error = with_causes(&error);
                    tracing::warn!(%error, "an unfinished body could not be removed");
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
    /// [`Error::Damaged`] when a blob is not there, is shorter than it was, or does not open where it begins.
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
        let store = Arc::clone(&self.store);
        let mut pieces = Pieces { store, wanted, source: Source::None, opener, _reader: reader };
        let damaged = |error| Error::Damaged(with_causes(&error));
        let (first, more) = pieces.next().await.map_err(damaged)?;
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

    /// Since when it is open: what was stored before, nobody is writing.
    pub(super) const fn since(&self) -> DateTime<Utc> {
        self.since
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
pub(super) struct Reader {
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

/// Stored bytes on their way to a reader.
struct Pieces {
    store: Arc<dyn ObjectStore>,
    /// Blobs that were not begun, and which bytes of them.
    wanted: VecDeque<(ObjectPath, Range<u64>)>,
    source: Source,
    opener: Option<PieceOpener>,
    /// They are there as long as this is.
    _reader: Reader,
}

/// The blob that is being read.
enum Source {
    None,
    File(File, Range<u64>),
    Stream(ByteStream),
}

impl Pieces {
    /// The next ones, opened, and whether others come.
    async fn next(&mut self) -> io::Result<(Vec<Bytes>, bool)> {
        loop {
            let opened = match std::mem::replace(&mut self.source, Source::None) {
                Source::None => match self.wanted.pop_front() {
                    None => return self.end().map(|()| (Vec::new(), false)),
                    Some(next) => self.begin(next).await?,
                },
                Source::File(file, range) => self.of_file(file, range).await?,
                Source::Stream(mut stream) => match stream.next().await.transpose()? {
                    None => Vec::new(),
                    Some(piece) => {
                        self.source = Source::Stream(stream);
                        open(&mut self.opener, piece)?
                    }
                },
            };
            let more = !self.wanted.is_empty() || !matches!(self.source, Source::None);
            if !more {
                self.end()?;
            }
            if !more || !opened.is_empty() {
                return Ok((opened, more));
            }
        }
    }

    /// Begins a blob. Of a short range, all of it is read at once.
    async fn begin(&mut self, (path, range): (ObjectPath, Range<u64>)) -> io::Result<Vec<Bytes>> {
        if range.end - range.start <= 1 << READ_AT_ONCE_LOG2 {
            let read = self.store.get_range(&path, range).await.map_err(io::Error::other)?;
            return open(&mut self.opener, read);
        }
        let options = GetOptions { range: Some(range.into()), ..GetOptions::default() };
        let found = self.store.get_opts(&path, options).await.map_err(io::Error::other)?;
        let range = found.range.clone();
        match found.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(range.start))?;
                self.of_file(file, range).await
            }
            GetResultPayload::Stream(stream) => {
                self.source = Source::Stream(Box::pin(stream.map_err(io::Error::other)));
                Ok(Vec::new())
            }
        }
    }

    /// A piece of a file, read and opened beside, while it is in the processor's cache.
    async fn of_file(&mut self, mut file: File, left: Range<u64>) -> io::Result<Vec<Bytes>> {
        let mut opener = self.opener.take();
        let read = tokio::task::spawn_blocking(move || {
            let (mut left, end) = (left.end - left.start, left.end);
            let opened = match &mut opener {
                Some(opener) => opener
                    .read(&mut file, &mut left, READ_AT_ONCE + TAGS)
                    .map_err(io::Error::other)?,
                None => {
                    let wanted = left.min(1 << READ_AT_ONCE_LOG2);
                    let mut piece = Vec::with_capacity(READ_AT_ONCE);
                    (&mut file).take(wanted).read_to_end(&mut piece)?;
                    if u64::try_from(piece.len()).is_ok_and(|read| read < wanted) {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                    }
                    left -= wanted;
                    piece.into()
                }
            };
            Ok((opened, opener, file, end - left..end))
        });
        let (opened, opener, file, left) = read.await.map_err(io::Error::other)??;
        self.opener = opener;
        if !left.is_empty() {
            self.source = Source::File(file, left);
        }
        Ok(vec![opened])
    }

    fn end(&self) -> io::Result<()> {
        self.opener.as_ref().map_or(Ok(()), PieceOpener::finish).map_err(io::Error::other)
    }

    /// All that come, of which some are read while those before are on their way.
    fn ahead(mut self) -> impl Stream<Item = io::Result<Bytes>> {
        let (tell, told) = mpsc::channel(AHEAD);
        let reading = tokio::spawn(async move {
            loop {
                let next = self.next().await;
                let more = next.as_ref().is_ok_and(|(_, more)| *more);
                let gone = tell.send(next.map(|(opened, _)| opened)).await.is_err();
                if gone || !more {
                    return;
                }
            }
        });
        let pieces = stream::unfold((told, Some(reading)), |(mut told, reading)| async move {
            match told.recv().await {
                Some(next) => Some((next, (told, reading))),
                // Whoever panicked has not said that this was all.
                None => match reading?.await {
                    Ok(()) => None,
                    Err(error) => Some((Err(io::Error::other(error)), (told, None))),
                },
            }
        });
        pieces.map_ok(|opened| stream::iter(opened.into_iter().map(Ok))).try_flatten()
    }
}

fn open(opener: &mut Option<PieceOpener>, piece: Bytes) -> io::Result<Vec<Bytes>> {
    let Some(opener) = opener else { return Ok(vec![piece]) };
    let piece = piece.try_into_mut().unwrap_or_else(|piece| BytesMut::from(&*piece));
    let mut opened = Vec::new();
    opener.open(piece, &mut opened).map_err(io::Error::other)?;
    Ok(opened)
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
