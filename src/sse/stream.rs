//! Whole bodies, through readers and writers, one chunk in memory at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

use super::Error;
use super::chunk::{CHUNK_LEN, ChunkCipher, SEALED_CHUNK_LEN};
use super::envelope::{Envelope, ObjectName};
use crate::crypto::SecretKey;

/// Seals a body as it is written. Without [`SealWriter::finish`] there is no last chunk, so what
/// was written so far never opens as a whole object. A chunk that could not be written whole cannot
/// be written again, so after a failed write every other one is refused, and so is `finish`.
pub struct SealWriter<W> {
    inner: W,
    cipher: ChunkCipher,
    index: u64,
    chunk: Vec<u8>,
    failed: bool,
}

impl<W: Write> SealWriter<W> {
    /// Begins a body.
    pub fn new(inner: W, cipher: ChunkCipher) -> Self {
        Self { inner, cipher, index: 0, chunk: Vec::with_capacity(SEALED_CHUNK_LEN), failed: false }
    }

    /// Seals the last chunk and gives the inner writer back, flushed.
    ///
    /// # Errors
    /// [`Error::Io`], also when an earlier write failed.
    pub fn finish(mut self) -> Result<W, Error> {
        self.refuse_after_failure()?;
        self.cipher.seal_last(self.index, &mut self.chunk)?;
        self.inner.write_all(&self.chunk)?;
        self.inner.flush()?;
        Ok(self.inner)
    }

    fn refuse_after_failure(&self) -> io::Result<()> {
        if self.failed { Err(io::Error::other("an earlier write failed")) } else { Ok(()) }
    }
}

/// Without the buffer, which holds plaintext.
impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").field("index", &self.index).finish_non_exhaustive()
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.refuse_after_failure()?;
        if self.chunk.len() == CHUNK_LEN && !data.is_empty() {
            self.failed = true;
            self.cipher.seal(self.index, &mut self.chunk).map_err(io::Error::other)?;
            self.inner.write_all(&self.chunk)?;
            self.chunk.clear();
            self.index += 1;
            self.failed = false;
        }
        let room = CHUNK_LEN - self.chunk.len();
        let taken = data.get(..room).unwrap_or(data);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// What is not yet a whole chunk stays: a chunk is sealed once.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens a body as it is read; gives nothing out that was not authenticated. Only its end proves
/// that the body is whole: a reader that stops early has seen a true beginning. After a refusal it
/// goes on refusing, so a retry never takes the place of the refusal for the end of the body.
pub struct OpenReader<R> {
    inner: R,
    cipher: ChunkCipher,
    chunks: Chunks,
    opened: Vec<u8>,
    given: usize,
}

impl<R: Read> OpenReader<R> {
    /// Begins to open a body.
    pub fn new(inner: R, cipher: ChunkCipher) -> Self {
        Self { inner, cipher, chunks: Chunks::default(), opened: Vec::new(), given: 0 }
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.opened.len() {
            while self.chunks.wants() {
                let mut taken = Vec::new();
                let wanted = u64::try_from(self.chunks.missing()).unwrap_or(0);
                let read = self.inner.by_ref().take(wanted).read_to_end(&mut taken);
                // What came before an error is kept, so that the caller may read on after it; only
                // an empty read without error is the end.
                if read.is_ok() || !taken.is_empty() {
                    self.chunks.push(&taken);
                }
                read?;
            }
            self.given = 0;
            let next = self.chunks.open(&self.cipher, &mut self.opened);
            if !next.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
                return Ok(0);
            }
        }
        let rest = self.opened.get(self.given..).unwrap_or_default();
        let length = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..length), rest.get(..length)) {
            to.copy_from_slice(from);
        }
        self.given += length;
        Ok(length)
    }
}

/// Without the buffers, which hold plaintext.
impl<R> fmt::Debug for OpenReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenReader").field("index", &self.chunks.index).finish_non_exhaustive()
    }
}

/// A sealed body cut into chunks, without any I/O: the last chunk is known by nothing following.
#[derive(Default)]
pub(super) struct Chunks {
    held: Vec<u8>,
    index: u64,
    ended: bool,
    done: bool,
    refused: bool,
}

impl Chunks {
    /// Whether bytes are needed before anything can be opened.
    pub(super) const fn wants(&self) -> bool {
        !self.ended && !self.done && !self.refused && self.held.len() <= SEALED_CHUNK_LEN
    }

    /// How many: a whole chunk, and one byte that shows that another follows.
    pub(super) const fn missing(&self) -> usize {
        SEALED_CHUNK_LEN + 1 - self.held.len()
    }

    /// Takes bytes in; none means the end.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.ended = bytes.is_empty();
        self.held.extend_from_slice(bytes);
    }

    /// Opens the next chunk into `out`; false after the last. What it refused once it refuses always.
    pub(super) fn open(&mut self, cipher: &ChunkCipher, out: &mut Vec<u8>) -> Result<bool, Error> {
        out.clear();
        if self.refused {
            return Err(Error::Open);
        }
        if self.done {
            return Ok(false);
        }
        // Taken back below, when the chunk has opened.
        self.refused = true;
        if self.held.len() > SEALED_CHUNK_LEN {
            let rest = self.held.split_off(SEALED_CHUNK_LEN);
            let mut chunk = std::mem::replace(&mut self.held, rest);
            self.held.reserve(SEALED_CHUNK_LEN);
            let length = cipher.open(self.index, &mut chunk)?.len();
            chunk.truncate(length);
            *out = chunk;
            self.index += 1;
            self.refused = false;
            return Ok(true);
        }
        let mut chunk = std::mem::take(&mut self.held);
        let length = cipher.open_last(self.index, &mut chunk)?.len();
        chunk.truncate(length);
        *out = chunk;
        self.done = true;
        self.refused = false;
        Ok(true)
    }
}

/// Seals an object in memory: envelope ‖ body.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Random`].
pub fn seal_bytes(
    data_key: &SecretKey,
    wrapped: &[u8],
    object: &ObjectName,
    context: &BTreeMap<String, String>,
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let (envelope, key) = Envelope::seal(data_key, wrapped, object, context)?;
    let mut writer = SealWriter::new(envelope.encode()?, key.part(1)?);
    writer.write_all(plaintext)?;
    writer.finish()
}

/// Opens an object in memory: envelope ‖ body.
///
/// # Errors
/// [`Error::Envelope`] for bytes that are no object, [`Error::Open`] otherwise.
pub fn open_bytes(
    data_key: &SecretKey,
    object: &ObjectName,
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let (envelope, length) = Envelope::parse(sealed)?;
    let cipher = envelope.open(data_key, object)?.part(1)?;
    let body = sealed.get(length..).unwrap_or_default();
    let mut plaintext = Vec::with_capacity(body.len());
    OpenReader::new(body, cipher).read_to_end(&mut plaintext).map_err(|_| Error::Open)?;
    Ok(plaintext)
}
