//! Whole bodies, through readers and writers, one chunk in memory at a time.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use super::Error;
use super::chunk::{CHUNK_LEN, ChunkCipher};
use super::digests::{Digested, Digests};
use super::envelope::{Envelope, ObjectName, OpeningKeys, SealingKeys};
use super::info::SealedPart;
use super::object_key::{ObjectKey, PART_SALT_LEN, PartSealer};
use super::provider::Context;
use super::range::RangeOpener;

/// A body that was sealed to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// For the object's [`super::ObjectInfo`].
    pub part: SealedPart,
    /// What was computed of the plaintext on the way.
    pub digested: Digested,
}

/// Seals a body as it is written. Without [`SealWriter::finish`] there is no last chunk, so what
/// was written so far never opens as a whole object. A chunk that could not be written whole cannot
/// be written again, so after a failed write every other one is refused, and so is `finish`.
pub struct SealWriter<W> {
    inner: W,
    sealing: Sealing,
    failed: bool,
}

impl<W: Write> SealWriter<W> {
    /// Begins a body; `digests` are computed of what is written.
    pub fn new(inner: W, sealer: PartSealer, digests: Digests) -> Self {
        Self { inner, sealing: Sealing::new(sealer, digests), failed: false }
    }

    /// Seals the last chunk and gives the inner writer back, flushed.
    ///
    /// # Errors
    /// [`Error::Io`], also when an earlier write failed.
    pub fn finish(mut self) -> Result<(W, Sealed), Error> {
        self.refuse_after_failure()?;
        self.inner.write_all(self.sealing.seal(true)?)?;
        self.inner.flush()?;
        Ok((self.inner, self.sealing.finish()))
    }

    fn refuse_after_failure(&self) -> io::Result<()> {
        if self.failed { Err(io::Error::other("an earlier write failed")) } else { Ok(()) }
    }
}

/// Without the buffer, which holds plaintext.
impl<W> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").field("index", &self.sealing.index).finish_non_exhaustive()
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.refuse_after_failure()?;
        if self.sealing.is_full() && !data.is_empty() {
            self.failed = true;
            let sealed = self.sealing.seal(false).map_err(io::Error::other)?;
            self.inner.write_all(sealed)?;
            self.failed = false;
        }
        Ok(self.sealing.take(data))
    }

    /// What is not yet a whole chunk stays: a chunk is sealed once.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A body on its way into chunks, without any I/O.
pub(super) struct Sealing {
    sealer: PartSealer,
    digests: Digests,
    index: u64,
    len: u64,
    /// The chunk, or what it was sealed to.
    buffer: Vec<u8>,
    sealed: bool,
}

impl Sealing {
    pub(super) fn new(sealer: PartSealer, digests: Digests) -> Self {
        let buffer = Vec::with_capacity(PART_SALT_LEN + sealer.cipher.sealed_chunk_len());
        Self { sealer, digests, index: 0, len: 0, buffer, sealed: false }
    }

    /// Whether the chunk has to be sealed before more is taken.
    pub(super) const fn is_full(&self) -> bool {
        !self.sealed && self.buffer.len() == CHUNK_LEN
    }

    /// Takes what has room in the chunk; returns how much.
    pub(super) fn take(&mut self, data: &[u8]) -> usize {
        if std::mem::take(&mut self.sealed) {
            self.buffer.clear();
        }
        let taken = data.get(..CHUNK_LEN - self.buffer.len()).unwrap_or(data);
        self.buffer.extend_from_slice(taken);
        self.digests.update(taken);
        taken.len()
    }

    /// Seals the chunk; returns what is to be written.
    pub(super) fn seal(&mut self, last: bool) -> Result<&[u8], Error> {
        if std::mem::replace(&mut self.sealed, true) {
            self.buffer.clear();
        }
        self.len += u64::try_from(self.buffer.len()).unwrap_or_default();
        match last {
            true => self.sealer.cipher.seal_last(self.index, &mut self.buffer)?,
            false => self.sealer.cipher.seal(self.index, &mut self.buffer)?,
        }
        if self.index == 0 {
            self.buffer.splice(0..0, self.sealer.salt);
        }
        self.index += 1;
        Ok(&self.buffer)
    }

    /// After the last chunk.
    pub(super) fn finish(self) -> Sealed {
        let part = SealedPart { number: self.sealer.number, len: self.len, salt: self.sealer.salt };
        Sealed { part, digested: self.digests.finish() }
    }
}

/// Opens one part's body as it is read, without knowing how long it is; gives nothing out that was not
/// authenticated. Only its end proves that the body is whole: a reader that stops early has seen a true
/// beginning. After a refusal it goes on refusing, so a retry never takes the place of the refusal for
/// the end of the body.
pub struct OpenReader<R> {
    inner: R,
    chunks: Chunks,
    opened: Vec<u8>,
    given: usize,
}

impl<R: Read> OpenReader<R> {
    /// Begins to open the body of part `number`.
    pub fn new(inner: R, key: Arc<ObjectKey>, number: u16) -> Self {
        Self { inner, chunks: Chunks::new(key, number), opened: Vec::new(), given: 0 }
    }
}

impl<R: Read> Read for OpenReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.opened.len() {
            while let Some(missing) = self.chunks.missing() {
                let room = self.chunks.room();
                let before = room.len();
                let wanted = u64::try_from(missing).unwrap_or_default();
                let read = self.inner.by_ref().take(wanted).read_to_end(room);
                let took = room.len() - before;
                // What came before an error is kept, so that the caller may read on after it; only
                // an empty read without error is the end.
                if read.is_ok() || took > 0 {
                    self.chunks.took(took);
                }
                read?;
            }
            self.given = 0;
            if !self.chunks.open(&mut self.opened).map_err(invalid)? {
                return Ok(0);
            }
        }
        let rest = self.opened.get(self.given..).unwrap_or_default();
        let length = give(rest, out);
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

/// Opens a range of an object as it is read. `inner` gives the stored bytes that the opener names, and
/// may go on behind them.
pub struct RangeReader<R> {
    inner: R,
    opener: RangeOpener,
    piece: Vec<u8>,
    filled: usize,
    /// What of the piece was opened and not given out yet.
    left: std::ops::Range<usize>,
}

impl<R: Read> RangeReader<R> {
    /// Begins to open a range.
    pub const fn new(inner: R, opener: RangeOpener) -> Self {
        Self { inner, opener, piece: Vec::new(), filled: 0, left: 0..0 }
    }
}

impl<R: Read> Read for RangeReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.left.is_empty() {
            let Some(wanted) = self.opener.wants() else { return Ok(0) };
            self.piece.resize(wanted, 0);
            while let Some(room) = self.piece.get_mut(self.filled..).filter(|room| !room.is_empty())
            {
                match self.inner.read(room) {
                    Ok(0) => break,
                    Ok(read) => self.filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            // What ends early is refused as what was altered is.
            self.piece.truncate(self.filled);
            self.filled = 0;
            self.left = self.opener.open_within(&mut self.piece).map_err(invalid)?;
        }
        let rest = self.piece.get(self.left.clone()).unwrap_or_default();
        let length = give(rest, out);
        self.left.start += length;
        Ok(length)
    }
}

/// Without the buffer, which holds plaintext.
impl<R> fmt::Debug for RangeReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RangeReader").field("opener", &self.opener).finish_non_exhaustive()
    }
}

fn give(from: &[u8], out: &mut [u8]) -> usize {
    let length = from.len().min(out.len());
    if let (Some(to), Some(from)) = (out.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
    length
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// A part's body cut into chunks, without any I/O: the last chunk is known by nothing following. Two buffers
/// of a chunk take turns: what was read into the one is opened in place and given out for the other.
pub(super) struct Chunks {
    key: Arc<ObjectKey>,
    number: u16,
    /// Known when the salt was seen.
    cipher: Option<ChunkCipher>,
    /// What was read and not yet opened.
    held: Vec<u8>,
    index: u64,
    ended: bool,
    done: bool,
    refused: bool,
}

impl Chunks {
    pub(super) const fn new(key: Arc<ObjectKey>, number: u16) -> Self {
        Self {
            key,
            number,
            cipher: None,
            held: Vec::new(),
            index: 0,
            ended: false,
            done: false,
            refused: false,
        }
    }

    /// How many bytes are needed before anything can be opened: the salt; or the rest of a whole chunk, and
    /// one that shows that another follows. None when something can be opened, or nothing ever will.
    pub(super) fn missing(&self) -> Option<usize> {
        let needed = match &self.cipher {
            Some(cipher) => cipher.sealed_chunk_len() + 1,
            None => PART_SALT_LEN,
        };
        let over = self.ended || self.done || self.refused;
        needed.checked_sub(self.held.len()).filter(|missing| *missing > 0 && !over)
    }

    /// Where up to [`Self::missing`] bytes are to be appended, and [`Self::took`] told how many.
    pub(super) fn room(&mut self) -> &mut Vec<u8> {
        if let Some(cipher) = &self.cipher {
            self.held.reserve((cipher.sealed_chunk_len() + 1).saturating_sub(self.held.len()));
        }
        &mut self.held
    }

    /// Goes on after bytes were appended; none means the end.
    pub(super) fn took(&mut self, count: usize) {
        self.ended = count == 0;
        if self.cipher.is_none()
            && let Some((salt, _)) = self.held.split_first_chunk()
        {
            self.cipher = self.key.part(self.number, salt).ok();
            self.held.clear();
        }
    }

    /// Opens the next chunk into `out`, which takes its turn as a buffer; false after the last. What it
    /// refused once it refuses always.
    pub(super) fn open(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        out.clear();
        if self.refused {
            return Err(Error::Open);
        }
        if self.done {
            return Ok(false);
        }
        // Taken back below, when the chunk has opened.
        self.refused = true;
        let cipher = self.cipher.as_ref().ok_or(Error::Open)?;
        let following = self.held.get(cipher.sealed_chunk_len()..).unwrap_or_default();
        let last = following.is_empty();
        out.extend_from_slice(following);
        self.held.truncate(cipher.sealed_chunk_len());
        std::mem::swap(&mut self.held, out);
        let opened = match last {
            true => cipher.open_last(self.index, out),
            false => cipher.open(self.index, out),
        };
        let opened = opened.map(|plaintext| plaintext.len());
        // Of what does not open, nothing is left.
        out.truncate(*opened.as_ref().unwrap_or(&0));
        opened?;
        self.index += 1;
        self.done = last;
        self.refused = false;
        Ok(true)
    }
}

/// Seals an object in memory: envelope ‖ body.
///
/// # Errors
/// [`Error::TooLarge`], [`Error::Random`].
pub fn seal_bytes(
    keys: &SealingKeys<'_>,
    object: &ObjectName,
    context: &Context,
    plaintext: &[u8],
) -> Result<Vec<u8>, Error> {
    let (envelope, key) = Envelope::seal(keys, object, context)?;
    let sealer = key.seal_part(1)?;
    let mut writer = SealWriter::new(envelope.encode()?, sealer, Digests::default());
    writer.write_all(plaintext)?;
    Ok(writer.finish()?.0)
}

/// Opens an object in memory: envelope ‖ body.
///
/// # Errors
/// [`Error::Envelope`] for bytes that are no object, [`Error::Open`] otherwise.
pub fn open_bytes(
    keys: &OpeningKeys<'_>,
    object: &ObjectName,
    sealed: &[u8],
) -> Result<Vec<u8>, Error> {
    let (envelope, length) = Envelope::parse(sealed)?;
    let key = Arc::new(envelope.open(keys, object)?);
    let body = sealed.get(length..).unwrap_or_default();
    let mut plaintext = Vec::with_capacity(body.len());
    OpenReader::new(body, key, 1).read_to_end(&mut plaintext).map_err(|_| Error::Open)?;
    Ok(plaintext)
}
