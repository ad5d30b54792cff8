//! Whole bodies, asynchronously. The cipher runs between reads, 64 KiB at a time.

use ::tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::Error;
use super::chunk::{CHUNK_LEN, ChunkCipher, SEALED_CHUNK_LEN};
use super::stream::Chunks;

/// Seals everything from `from` as one body into `to`; tells `progress` how many plaintext bytes
/// are done. Returns the length of the plaintext.
///
/// # Errors
/// [`Error::Io`]; `to` then holds no last chunk.
pub async fn seal_stream<R, W>(
    mut from: R,
    mut to: W,
    cipher: &ChunkCipher,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut chunk = Vec::with_capacity(SEALED_CHUNK_LEN);
    let mut next = Vec::with_capacity(SEALED_CHUNK_LEN);
    let (mut index, mut total) = (0, 0);
    fill(&mut from, &mut chunk).await?;
    loop {
        total += u64::try_from(chunk.len()).unwrap_or_default();
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
        progress(total);
        if last {
            to.flush().await?;
            return Ok(total);
        }
        index += 1;
        std::mem::swap(&mut chunk, &mut next);
    }
}

/// Opens a body from `from` into `to`; tells `progress` how many plaintext bytes are done. Returns
/// the length of the plaintext.
///
/// What was written before an error is authentic but not whole: callers keep it apart until this
/// returns.
///
/// # Errors
/// [`Error::Open`] for whatever is wrong with the body; [`Error::Io`].
pub async fn open_stream<R, W>(
    mut from: R,
    mut to: W,
    cipher: &ChunkCipher,
    mut progress: impl FnMut(u64),
) -> Result<u64, Error>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let (mut chunks, mut opened) = (Chunks::default(), Vec::new());
    let mut buffer = Vec::with_capacity(SEALED_CHUNK_LEN + 1);
    let mut total = 0;
    loop {
        while chunks.wants() {
            buffer.clear();
            let wanted = u64::try_from(chunks.missing()).unwrap_or_default();
            (&mut from).take(wanted).read_to_end(&mut buffer).await?;
            chunks.push(&buffer);
        }
        if !chunks.open(cipher, &mut opened)? {
            to.flush().await?;
            return Ok(total);
        }
        to.write_all(&opened).await?;
        total += u64::try_from(opened.len()).unwrap_or_default();
        progress(total);
    }
}

/// Reads until the chunk is full or the input ends.
async fn fill<R: AsyncRead + Unpin>(from: &mut R, chunk: &mut Vec<u8>) -> Result<(), Error> {
    let room = u64::try_from(CHUNK_LEN - chunk.len()).unwrap_or_default();
    from.take(room).read_to_end(chunk).await?;
    Ok(())
}
