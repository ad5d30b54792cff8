//! Stored bytes on their way to a reader: read, opened where they are sealed, and some of them ahead.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, Stream, StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt};
use tokio::sync::mpsc;

use super::ByteStream;
use super::readers::Reader;
use crate::sse::PieceOpener;

/// Bytes that are read, and opened, at once.
const READ_AT_ONCE: usize = 1 << READ_AT_ONCE_LOG2;
const READ_AT_ONCE_LOG2: u32 = 19;
/// Room for the tags of the last chunk that is opened with it.
const TAGS: usize = 64;
/// How often as much is read before it is asked for.
const AHEAD: usize = 1;
/// What is damaged, in words.
const SHORT: &str = "a blob is shorter than it was";
const LONG: &str = "more of a blob came than was asked for";

/// Stored bytes on their way to a reader.
pub(super) struct Pieces {
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
    /// And how many bytes are to come.
    Stream(ByteStream, u64),
}

impl Pieces {
    /// Of some bytes of some blobs, in a row.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        wanted: VecDeque<(ObjectPath, Range<u64>)>,
        opener: Option<PieceOpener>,
        reader: Reader,
    ) -> Self {
        Self { store, wanted, source: Source::None, opener, _reader: reader }
    }

    /// The next ones, opened, and whether others come.
    pub(super) async fn next(&mut self) -> io::Result<(Vec<Bytes>, bool)> {
        loop {
            let opened = match std::mem::replace(&mut self.source, Source::None) {
                Source::None => match self.wanted.pop_front() {
                    None => return self.end().map(|()| (Vec::new(), false)),
                    Some(next) => self.begin(next).await?,
                },
                Source::File(file, range) => self.of_file(file, range).await?,
                Source::Stream(mut stream, left) => match stream.next().await.transpose()? {
                    None if left > 0 => return Err(io::Error::other(SHORT)),
                    None => Vec::new(),
                    Some(piece) => {
                        let came = u64::try_from(piece.len()).unwrap_or(u64::MAX);
                        let left = left.checked_sub(came).ok_or_else(|| io::Error::other(LONG))?;
                        self.source = Source::Stream(stream, left);
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
        let len = range.end - range.start;
        if len <= 1 << READ_AT_ONCE_LOG2 {
            let read = self.store.get_range(&path, range).await.map_err(io::Error::other)?;
            if u64::try_from(read.len()).is_ok_and(|read| read < len) {
                return Err(io::Error::other(SHORT));
            }
            return open(&mut self.opener, read);
        }
        let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
        let found = self.store.get_opts(&path, options).await.map_err(io::Error::other)?;
        if found.range != range {
            return Err(io::Error::other(SHORT));
        }
        match found.payload {
            GetResultPayload::File(mut file, _) => {
                file.seek(SeekFrom::Start(range.start))?;
                self.of_file(file, range).await
            }
            GetResultPayload::Stream(stream) => {
                self.source = Source::Stream(Box::pin(stream.map_err(io::Error::other)), len);
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
    pub(super) fn ahead(mut self) -> impl Stream<Item = io::Result<Bytes>> {
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
