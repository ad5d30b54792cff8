//! One chunk of a body: AES-256-GCM in place, once or, with two layers, twice.
//!
//! A part of `L` bytes has `max(1, ⌈L / 65,536⌉)` chunks; all but the last are full, and each is
//! followed by a tag a layer, inner first. The nonce is three zero bytes ‖ 01 in the last chunk, else 00
//! ‖ index (u64); a part's keys are used for one body, so no nonce repeats. Associated data of the last
//! chunk: `L` (u64); of others: nothing.

use super::Error;
use crate::crypto::SecretKey;
use crate::crypto::bulk::{BulkKey, NONCE_LEN, TAG_LEN};

/// Plaintext bytes of a full chunk.
pub const CHUNK_LEN: usize = 1 << CHUNK_LOG2;
/// Bytes of a full chunk when sealed in one layer.
pub const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;

pub(super) const CHUNK_LOG2: u8 = 16;

/// Seals and opens the chunks of one part, in place. Chunks are independent of each other, so several
/// threads may share it, and any chunk can be opened alone.
#[derive(Debug)]
pub struct ChunkCipher {
    inner: BulkKey,
    outer: Option<BulkKey>,
}

impl ChunkCipher {
    pub(super) fn new(inner: &SecretKey, outer: Option<&SecretKey>) -> Result<Self, Error> {
        Ok(Self { inner: BulkKey::new(inner)?, outer: outer.map(BulkKey::new).transpose()? })
    }

    /// Bytes that sealing adds to a chunk: 16 a layer.
    #[must_use]
    pub const fn overhead(&self) -> usize {
        if self.outer.is_some() { 2 * TAG_LEN } else { TAG_LEN }
    }

    /// Bytes of a full chunk when sealed.
    #[must_use]
    pub const fn sealed_chunk_len(&self) -> usize {
        CHUNK_LEN + self.overhead()
    }

    /// Seals a full chunk that others follow, in place, and appends its tags. Each index is sealed once.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is not full, or no chunk can follow it.
    pub fn seal(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), Error> {
        if chunk.len() != CHUNK_LEN {
            return Err(Error::TooLarge("a chunk that others follow has 65,536 bytes"));
        }
        if index >= CHUNKS - 1 {
            return Err(Error::TooLarge("a part has at most 2^32 chunks"));
        }
        self.seal_as(&nonce(index, false), &[], chunk)
    }

    /// Seals the last chunk, in place, and appends its tags. It has 1 to 65,536 bytes; none only when
    /// it is the first as well.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for any other length.
    pub fn seal_last(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), Error> {
        let total = total(index, chunk.len())
            .ok_or(Error::TooLarge("the last chunk has 1 to 65,536 bytes"))?;
        self.seal_as(&nonce(index, true), &total.to_be_bytes(), chunk)
    }

    /// Opens a chunk that others follow, in place; returns the plaintext within it.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason; what `chunk` then holds is not to be used.
    pub fn open<'a>(&self, index: u64, chunk: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        if chunk.len() != self.sealed_chunk_len() || index >= CHUNKS - 1 {
            return Err(Error::Open);
        }
        self.open_as(&nonce(index, false), &[], chunk)
    }

    /// Opens the last chunk, in place; returns the plaintext within it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_last<'a>(&self, index: u64, chunk: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let length = chunk.len().checked_sub(self.overhead()).ok_or(Error::Open)?;
        let total = total(index, length).ok_or(Error::Open)?;
        self.open_as(&nonce(index, true), &total.to_be_bytes(), chunk)
    }

    fn seal_as(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        chunk: &mut Vec<u8>,
    ) -> Result<(), Error> {
        for key in [Some(&self.inner), self.outer.as_ref()].into_iter().flatten() {
            let tag = key.seal_in_place(nonce, associated, chunk)?;
            chunk.extend_from_slice(&tag);
        }
        Ok(())
    }

    fn open_as<'a>(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        chunk: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        let chunk = match &self.outer {
            Some(key) => key.open_in_place(nonce, associated, chunk)?,
            None => chunk,
        };
        Ok(self.inner.open_in_place(nonce, associated, chunk)?)
    }
}

/// Bytes of the chunks of a part of `len` bytes, sealed; none when the format holds no such part.
pub(super) fn chunks_len(len: u64, overhead: usize) -> Option<u64> {
    let chunks = count(len);
    if chunks > CHUNKS {
        return None;
    }
    len.checked_add(chunks.checked_mul(u64::try_from(overhead).ok()?)?)
}

/// How many chunks a part of `len` bytes has.
pub(super) fn count(len: u64) -> u64 {
    (len >> CHUNK_LOG2) + u64::from(len & CHUNK_MASK != 0 || len == 0)
}

/// Bytes of a part whose last chunk has this index and length.
fn total(index: u64, len: usize) -> Option<u64> {
    let fits = len <= CHUNK_LEN && (len > 0 || index == 0) && index < CHUNKS;
    let before = index.checked_mul(u64::try_from(CHUNK_LEN).ok()?)?;
    fits.then_some(before.checked_add(u64::try_from(len).ok()?)?)
}

/// Chunks of a part at the most: 2³² of them are 256 TiB.
const CHUNKS: u64 = 1 << 32;
/// Which part of a position is within its chunk.
const CHUNK_MASK: u64 = (1 << CHUNK_LOG2) - 1;

fn nonce(index: u64, last: bool) -> [u8; NONCE_LEN] {
    let [a, b, c, d, e, f, g, h] = index.to_be_bytes();
    [0, 0, 0, u8::from(last), a, b, c, d, e, f, g, h]
}
