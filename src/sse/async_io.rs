//! Whole bodies, asynchronously. The cipher runs between reads, 64 KiB at a time.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Error;
use super::chunk::CHUNK_LEN;
use super::digests::Digests;
use super::info::SealedPart;
use super::object_key::{ObjectKey, PartSealer};
use super::range::RangeOpener;
use super::stream::{Chunks, Sealed};

/// Seals everything from `from` as one body into `to`, computing `digests` of it; tells `progress` how
/// many plaintext bytes are done.
///
/// # Errors
/// [`Error::Io`]; `to` then holds no last chunk, and neither does it when the future is dropped.
pub async fn seal_stream<R, W>(
    mut from: R,
    mut to: W,
    sealer: PartSealer,
    mut digests: Digests,
    mut progress: impl FnMut(u64),
) -> Result<Sealed, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let PartSealer { number, salt, cipher } = sealer;
    let mut chunk = Vec::with_capacity(cipher.sealed_chunk_len());
    let mut next = Vec::with_capacity(cipher.sealed_chunk_len());
    let (mut index, mut len) = (0, 0);
    fill(&mut from, &mut chunk).await?;
    to.write_all(&salt).await?;
    loop {
        len += u64::try_from(chunk.len()).unwrap_or_default();
        digests.update(&chunk);
        next.clear();
        if chunk.len() == CHUNK_LEN {
            fill(&mut from, &mut next).await?;
        }
        let last = next.is_empty();
        if last {
            cipher.seal_last(index, &mut chunk)?;
        } else {
            cipher.seal(index, &mut chunk)?;
        }
        to.write_all(&chunk).await?;
        progress(len);
        if last {
            to.flush().await?;
            let part = SealedPart { number, len, salt };
            return Ok(Sealed { part, digested: digests.finish() });
        }
        index += 1;
        std::mem::swap(&mut chunk, &mut next);
    }
}

/// Opens the body of part `number` from `from` into `to`; tells `progress` how many plaintext bytes are
/// done. Returns the length of the plaintext.
///
/// What was written before an error is authentic but not whole: callers keep it apart until this
/// returns.
///
/// # Errors
/// [`Error::Open`] for whatever is wrong with the body; [`Error::Io`].
pub async fn open_stream<R, W>(
    mut from: R,
    mut to: W,
    key: Arc<ObjectKey>,
    number: u16,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut chunks, mut opened) = (Chunks::new(key, number), Vec::new());
    let mut total = 0;
    loop {
        while let Some(missing) = chunks.missing() {
            let wanted = u64::try_from(missing).unwrap_or_default();
            let took = (&mut from).take(wanted).read_to_end(chunks.room()).await?;
            chunks.took(took);
        }
        if !chunks.open(&mut opened)? {
            to.flush().await?;
            return Ok(total);
        }
        to.write_all(&opened).await?;
        total += u64::try_from(opened.len()).unwrap_or_default();
        progress(total);
    }
}

/// Opens a range of an object into `to`; `from` gives the stored bytes that the opener names.
///
/// # Errors
/// As [`open_stream`].
pub async fn open_range<R, W>(mut from: R, mut to: W, mut opener: RangeOpener) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut piece = Vec::new();
    let mut total = 0;
    while let Some(wanted) = opener.wants() {
        piece.clear();
        let wanted = u64::try_from(wanted).unwrap_or_default();
        (&mut from).take(wanted).read_to_end(&mut piece).await?;
        let opened = opener.open(&mut piece)?;
        to.write_all(opened).await?;
        total += u64::try_from(opened.len()).unwrap_or_default();
    }
    to.flush().await?;
    Ok(total)
}

/// Reads until the chunk is full or the input ends.
async fn fill<R: AsyncRead + Unpin>(from: &mut R, chunk: &mut Vec<u8>) -> Result<(), Error> {
    let room = u64::try_from(CHUNK_LEN - chunk.len()).unwrap_or_default();
    from.take(room).read_to_end(chunk).await?;
    Ok(())
}
