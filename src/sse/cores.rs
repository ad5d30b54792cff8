//! Whole bodies on several cores: order kept, memory bounded, for what is large.
//!
//! Reading, digests and writing stay where the caller is; batches of chunks go to Tokio's threads for
//! blocking work and are written in the order in which they were read. At most one batch a core is on its
//! way, and one is read: 1 MiB each.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::{JoinHandle, spawn_blocking};

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
    let mut running: VecDeque<JoinHandle<Result<Vec<Vec<u8>>, Error>>> = VecDeque::new();
    let mut spare = Vec::new();
    let (mut index, mut len) = (0, 0);
    let mut next = fill(&mut from, spare.pop(), &cipher).await?;
    to.write_all(&salt).await?;
    let mut ended = false;
    while !ended || !running.is_empty() {
        if ended || running.len() == cores.get() {
            let Some(first) = running.pop_front() else { break };
            for mut chunk in done(first).await? {
                to.write_all(&chunk).await?;
                chunk.clear();
                spare.push(chunk);
            }
            continue;
        }
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
        running.push_back(spawn_blocking(move || seal(&cipher, first, ended, batch)));
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
    let mut running: VecDeque<JoinHandle<Result<Vec<Opened>, Error>>> = VecDeque::new();
    let mut spare: Vec<Vec<u8>> = Vec::new();
    let (mut total, mut ended) = (0, false);
    while !ended || !running.is_empty() {
        if ended || running.len() == cores.get() {
            let Some(first) = running.pop_front() else { break };
            for (mut piece, within) in done(first).await? {
                let opened = piece.get(within).ok_or(Error::Open)?;
                to.write_all(opened).await?;
                total += u64::try_from(opened.len()).unwrap_or_default();
                piece.clear();
                spare.push(piece);
            }
            continue;
        }
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
        running.push_back(spawn_blocking(move || open(batch)));
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

/// The result of a batch. It fails to join only when its thread panicked or the runtime ends.
async fn done<T>(batch: JoinHandle<Result<T, Error>>) -> Result<T, Error> {
    batch.await.map_err(|error| Error::Io(std::io::Error::other(error)))?
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

/// Chunks of a batch: 1 MiB.
const BATCH: usize = 16;
