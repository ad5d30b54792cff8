//! Part of an object, or all of it, out of the chunks that hold it: no I/O, one chunk at a time.
//!
//! A stored object is its parts' bodies, one after the other. [`ObjectInfo`] says where each begins and how
//! long it is, so a range is one run of stored bytes, from the first chunk that it touches to the last.

use std::ops::Range;
use std::sync::Arc;

use super::Error;
use super::chunk::{CHUNK_LEN, CHUNK_LOG2, ChunkCipher, count};
use super::info::{ObjectInfo, SealedPart};
use super::object_key::{ObjectKey, PART_SALT_LEN_U64, PartSalt};

/// Opens a range of an object. Give it what [`Self::stored`] names, in pieces of [`Self::wants`] bytes.
#[derive(Debug)]
pub struct RangeOpener {
    key: Arc<ObjectKey>,
    /// From the first one that is touched.
    parts: Vec<SealedPart>,
    stored: Range<u64>,
    /// Plaintext positions that are still to be given out.
    left: Range<u64>,
    /// Which part, where its plaintext begins, and its cipher.
    part: usize,
    part_start: u64,
    cipher: Arc<ChunkCipher>,
    /// Which chunk of the part is next; none before its salt was seen.
    chunk: Option<u64>,
    next: Option<Step>,
    refused: bool,
}

impl RangeOpener {
    /// Of the plaintext from `range.start` to before `range.end`.
    ///
    /// # Errors
    /// [`Error::Parts`] when the object has no such bytes.
    pub fn new(key: Arc<ObjectKey>, info: &ObjectInfo, range: Range<u64>) -> Result<Self, Error> {
        let whole = range == (0..0) && info.len() == 0;
        if !whole && (range.is_empty() || range.end > info.len()) {
            return Err(Error::Parts);
        }
        let (mut plain, mut stored) = (0, 0);
        let mut first = None;
        let mut end = 0;
        for (index, part) in info.parts().iter().enumerate() {
            let sealed = key.sealed_len(part.len).ok_or(Error::Parts)?;
            let touched = plain < range.end && range.start < plain + part.len;
            if touched || (whole && index == 0) {
                if first.is_none() {
                    let from = range.start.saturating_sub(plain);
                    first = Some((index, plain, stored, from >> CHUNK_LOG2));
                }
                let last = (range.end - plain).min(part.len);
                // After the chunk that holds the last byte.
                let full = count(last) << CHUNK_LOG2;
                let len = if full >= part.len { part.len } else { full };
                end = stored + key.sealed_len(len).ok_or(Error::Parts)?;
            }
            plain += part.len;
            stored += sealed;
        }
        let (touched, part_start, part_stored, chunk) = first.ok_or(Error::Parts)?;
        let parts = info.parts().get(touched..).unwrap_or_default().to_vec();
        let at = parts.first().ok_or(Error::Parts)?;
        let cipher = Arc::new(key.part(at.number, &at.salt)?);
        let sealed_chunk = u64::try_from(cipher.sealed_chunk_len()).map_err(|_| Error::Parts)?;
        // From a part's first chunk on its salt comes along and is compared.
        let (chunk, before) = match chunk {
            0 => (None, 0),
            chunk => (Some(chunk), PART_SALT_LEN_U64 + chunk * sealed_chunk),
        };
        let start = part_stored + before;
        let mut opener = Self {
            key,
            parts,
            stored: start..end,
            left: range,
            part: 0,
            part_start,
            cipher,
            chunk,
            next: None,
            refused: false,
        };
        opener.next = opener.advance()?;
        Ok(opener)
    }

    /// Of the whole object.
    ///
    /// # Errors
    /// [`Error::Parts`] never in practice.
    pub fn whole(key: Arc<ObjectKey>, info: &ObjectInfo) -> Result<Self, Error> {
        Self::new(key, info, 0..info.len())
    }

    /// Which bytes of the stored object are to be given.
    #[must_use]
    pub const fn stored(&self) -> &Range<u64> {
        &self.stored
    }

    /// How many bytes the next piece has; none when all was given out.
    #[must_use]
    pub fn wants(&self) -> Option<usize> {
        if self.refused { Some(0) } else { self.next.as_ref().map(Step::wants) }
    }

    /// Opens the next piece in place; returns what of it was asked for, which may be nothing.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason, and from then on always.
    pub fn open<'b>(&mut self, piece: &'b mut [u8]) -> Result<&'b [u8], Error> {
        let within = self.open_within(piece)?;
        piece.get(within).ok_or(Error::Open)
    }

    /// As [`Self::open`]; says where within the piece.
    pub(super) fn open_within(&mut self, piece: &mut [u8]) -> Result<Range<usize>, Error> {
        // Taken back below, when it has opened.
        if std::mem::replace(&mut self.refused, true) {
            return Err(Error::Open);
        }
        let within = self.step()?.ok_or(Error::Open)?.open(piece)?;
        self.refused = false;
        Ok(within)
    }

    /// The next piece, to be opened apart from the others; none after the last.
    pub(super) fn step(&mut self) -> Result<Option<Step>, Error> {
        let step = self.next.take();
        self.next = self.advance()?;
        Ok(step)
    }

    fn advance(&mut self) -> Result<Option<Step>, Error> {
        // An empty object has one chunk all the same, and it is looked at.
        let empty = self.left == (0..0) && self.part == 0;
        let Some(part) = self.parts.get(self.part).copied() else { return Ok(None) };
        if self.left.is_empty() && !empty {
            return Ok(None);
        }
        let Some(chunk) = self.chunk else {
            self.chunk = Some(0);
            return Ok(Some(Step::Salt(part.salt)));
        };
        let start = self.part_start + (chunk << CHUNK_LOG2);
        let rest = part.len - (chunk << CHUNK_LOG2);
        let len = usize::try_from(rest).map_or(CHUNK_LEN, |rest| rest.min(CHUNK_LEN));
        let skip = usize::try_from(self.left.start - start).map_err(|_| Error::Parts)?;
        let end = usize::try_from(self.left.end - start).unwrap_or(usize::MAX).min(len);
        let last = chunk + 1 == count(part.len);
        let cipher = Arc::clone(&self.cipher);
        self.left.start = start + u64::try_from(end).map_err(|_| Error::Parts)?;
        self.chunk = Some(chunk + 1);
        if last {
            self.part_start += part.len;
            self.part += 1;
            self.chunk = None;
            if let Some(part) = self.parts.get(self.part) {
                self.cipher = Arc::new(self.key.part(part.number, &part.salt)?);
            }
        }
        Ok(Some(Step::Chunk { cipher, chunk, last, len, wanted: skip..end }))
    }
}

/// One piece of what is stored, and what is to be done with it.
#[derive(Debug)]
pub(super) enum Step {
    /// A part's salt, which has to be the one that the information names.
    Salt(PartSalt),
    /// A chunk of `len` bytes, of which `wanted` is asked for.
    Chunk { cipher: Arc<ChunkCipher>, chunk: u64, last: bool, len: usize, wanted: Range<usize> },
}

impl Step {
    /// Bytes of the piece.
    pub(super) fn wants(&self) -> usize {
        match self {
            Self::Salt(salt) => salt.len(),
            Self::Chunk { cipher, len, .. } => len + cipher.overhead(),
        }
    }

    /// Opens the piece in place; says where in it is what was asked for.
    pub(super) fn open(self, piece: &mut [u8]) -> Result<Range<usize>, Error> {
        if piece.len() != self.wants() {
            return Err(Error::Open);
        }
        match self {
            Self::Salt(salt) if *piece == salt => Ok(0..0),
            Self::Salt(_) => Err(Error::Open),
            Self::Chunk { cipher, chunk, last, wanted, .. } => {
                match last {
                    true => cipher.open_last(chunk, piece)?,
                    false => cipher.open(chunk, piece)?,
                };
                Ok(wanted)
            }
        }
    }
}
