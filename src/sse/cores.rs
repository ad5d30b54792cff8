//! Whole bodies on several cores: order kept, memory bounded, for what is large.
//!
//! Reading, digests and writing stay where the caller is. Batches of chunks wait in a queue, which Tokio's threads
//! for blocking work empty, one less than there are cores to be; and the caller, too, instead of waiting for
//! them. They are written in the order in which they were read. At most two batches a core are on their way, and
//! one is read: 256 KiB each.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot::{self, error::TryRecvError};
use tokio::task::spawn_blocking;

use super::Error;
use super::chunk::{CHUNK_LEN, ChunkCipher};
use super::digests::Digests;
use super::info::SealedPart;
use super::object_key::PartSealer;
use super::range::{RangeOpener, Step};
use super::stream::Sealed;

/// As [`super::seal_stream`], on `cores` of them. Within a Tokio runtime; the bytes are the same.
///
/// # Errors
/// [`Error::Io`]; `to` then holds no last chunk, and neither does it when the future is dropped.
pub async fn seal_stream_on<R, W>(
    cores: NonZeroUsize,
    mut from: R,
    mut to: W,
    sealer: PartSealer,
    mut digests: Digests,
) -> Result<Sealed, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let PartSealer { number, salt, cipher } = sealer;
    let cipher = Arc::new(cipher);
    let mut work = Work::on(cores);
    let mut spare = Vec::new();
    let (mut index, mut len) = (0, 0);
    let mut next = fill(&mut from, spare.pop(), &cipher).await?;
    to.write_all(&salt).await?;
    let mut ended = false;
    loop {
        if !ended && work.has_room() {
            let first = index;
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && !ended {
                let chunk = next;
                next = match chunk.len() {
                    CHUNK_LEN => fill(&mut from, spare.pop(), &cipher).await?,
                    _ => Vec::new(),
                };
                len += u64::try_from(chunk.len()).unwrap_or_default();
                digests.update(&chunk);
                ended = next.is_empty();
                index += 1;
                batch.push(chunk);
            }
            let cipher = Arc::clone(&cipher);
            work.add(move || seal(&cipher, first, ended, batch));
        }
        let done = work.next(!ended).await?;
        if ended && done.is_none() {
            break;
        }
        for mut chunk in done.into_iter().flatten() {
            to.write_all(&chunk).await?;
            chunk.clear();
            spare.push(chunk);
        }
    }
    to.flush().await?;
    Ok(Sealed { part: SealedPart { number, len, salt }, digested: digests.finish() })
}

/// As [`super::open_range`], on `cores` of them. Within a Tokio runtime.
///
/// # Errors
/// [`Error::Open`] for whatever is wrong with the body; [`Error::Io`].
pub async fn open_range_on<R, W>(
    cores: NonZeroUsize,
    mut from: R,
    mut to: W,
    mut opener: RangeOpener,
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut work = Work::on(cores);
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let (mut total, mut ended) = (0, false);
    loop {
        if !ended && work.has_room() {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH && !ended {
                let Some(step) = opener.step()? else {
                    ended = true;
                    break;
                };
                let mut piece = spare.pop().unwrap_or_default();
                let wanted = u64::try_from(step.wants()).unwrap_or_default();
                (&mut from).take(wanted).read_to_end(&mut piece).await?;
                batch.push((step, piece));
            }
            work.add(move || open(batch));
        }
        let done = work.next(!ended).await?;
        if ended && done.is_none() {
            break;
        }
        for (mut piece, within) in done.into_iter().flatten() {
            let opened = piece.get(within).ok_or(Error::Open)?;
            to.write_all(opened).await?;
            total += u64::try_from(opened.len()).unwrap_or_default();
            piece.clear();
            spare.push(piece);
        }
    }
    to.flush().await?;
    Ok(total)
}

fn seal(
    cipher: &ChunkCipher,
    first: u64,
    ended: bool,
    mut batch: Vec<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Error> {
    let count = batch.len();
    for ((place, chunk), index) in batch.iter_mut().enumerate().zip(first..) {
        match ended && place + 1 == count {
            true => cipher.seal_last(index, chunk)?,
            false => cipher.seal(index, chunk)?,
        }
    }
    Ok(batch)
}

fn open(batch: Vec<(Step, Vec<u8>)>) -> Result<Vec<Opened>, Error> {
    let open = |(step, mut piece): (Step, Vec<u8>)| {
        let within = step.open(&mut piece)?;
        Ok((piece, within))
    };
    batch.into_iter().map(open).collect()
}

/// Reads until the chunk is full or the input ends.
async fn fill<R: AsyncRead + Unpin>(
    from: &mut R,
    spare: Option<Vec<u8>>,
    cipher: &ChunkCipher,
) -> Result<Vec<u8>, Error> {
    let mut chunk = spare.unwrap_or_else(|| Vec::with_capacity(cipher.sealed_chunk_len()));
    from.take(u64::try_from(CHUNK_LEN).unwrap_or_default()).read_to_end(&mut chunk).await?;
    Ok(chunk)
}

/// A piece, and where in it is what was asked for.
type Opened = (Vec<u8>, Range<usize>);

/// Batches on their way, and what comes of them, in the order in which they were added.
struct Work<T> {
    cores: NonZeroUsize,
    queue: Arc<Queue<T>>,
    results: VecDeque<oneshot::Receiver<Result<T, Error>>>,
}

impl<T: Send + 'static> Work<T> {
    fn on(cores: NonZeroUsize) -> Self {
        let waiting = Waiting { batches: VecDeque::new(), threads: 0 };
        Self { cores, queue: Arc::new(Queue(Mutex::new(waiting))), results: VecDeque::new() }
    }

    fn has_room(&self) -> bool {
        self.results.len() < 2 * self.cores.get()
    }

    /// Adds a batch, and a thread to work on it while there are too few.
    fn add(&mut self, batch: impl FnOnce() -> Result<T, Error> + Send + 'static) {
        let (tell, told) = oneshot::channel();
        self.results.push_back(told);
        let mut waiting = self.queue.waiting();
        waiting.batches.push_back((Box::new(batch), tell));
        if waiting.threads + 1 < self.cores.get() {
            waiting.threads += 1;
            let queue = Arc::clone(&self.queue);
            spawn_blocking(move || queue.empty());
        }
    }

    /// What came of the oldest batch; none when there is no batch, or it is not done and there is room for
    /// `more` of them. Where it has to be waited for, others are worked on.
    async fn next(&mut self, more: bool) -> Result<Option<T>, Error> {
        let more = more && self.has_room();
        let Some(oldest) = self.results.front_mut() else { return Ok(None) };
        let result = loop {
            match oldest.try_recv() {
                Ok(result) => break result,
                Err(TryRecvError::Closed) => break Err(lost()),
                Err(TryRecvError::Empty) if more => return Ok(None),
                Err(TryRecvError::Empty) => match self.queue.take() {
                    Some(batch) => work_on(batch),
                    None => break oldest.await.unwrap_or_else(|_| Err(lost())),
                },
            }
        };
        self.results.pop_front();
        result.map(Some)
    }
}

/// Nothing is told of a batch only when its thread panicked.
fn lost() -> Error {
    Error::Io(std::io::Error::other("a thread that worked on it panicked"))
}

/// What is to be done: the caller and threads for blocking work take from it.
struct Queue<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    batches: VecDeque<Batch<T>>,
    /// How many threads empty the queue.
    threads: usize,
}

/// Work, and who is told what came of it.
type Batch<T> = (Box<dyn FnOnce() -> Result<T, Error> + Send>, oneshot::Sender<Result<T, Error>>);

impl<T> Queue<T> {
    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Batch<T>> {
        self.waiting().batches.pop_front()
    }

    /// Works until nothing waits.
    fn empty(&self) {
        loop {
            let mut waiting = self.waiting();
            let Some(batch) = waiting.batches.pop_front() else {
                waiting.threads -= 1;
                return;
            };
            drop(waiting);
            work_on(batch);
        }
    }
}

/// Does what somebody still waits for.
fn work_on<T>((work, tell): Batch<T>) {
    if !tell.is_closed() {
        let _ = tell.send(work()); // whoever went away meanwhile does not care
    }
}

/// Chunks of a batch: 256 KiB, some 70 µs of work.
const BATCH: usize = 4;
