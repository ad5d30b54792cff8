//! One chunk of a body: AES-256-GCM in place, under the key of its part.
//!
//! A body of `L` bytes has `max(1, ⌈L / 65,536⌉)` chunks; all but the last are full, and each is
//! followed by its tag, so chunk `i` begins at byte `i × 65,552` of the sealed body. The nonce is
//! three zero bytes ‖ 01 in the last chunk, else 00 ‖ index (u64); a part's key is used for one
//! body, so no nonce repeats. Associated data of the last chunk: `L` (u64); of others: nothing.

use super::Error;
use crate::crypto::SecretKey;
use crate::crypto::bulk::{BulkKey, NONCE_LEN, TAG_LEN};

/// Plaintext bytes of a full chunk.
pub const CHUNK_LEN: usize = 1 << CHUNK_LOG2;
/// Bytes of a full chunk when sealed.
pub const SEALED_CHUNK_LEN: usize = CHUNK_LEN + TAG_LEN;

pub(super) const CHUNK_LOG2: u8 = 16;

/// Seals and opens the chunks of one part. Chunks are independent of each other, so several
/// threads may share it, and any chunk can be opened alone.
#[derive(Debug)]
pub struct ChunkCipher(BulkKey);

impl ChunkCipher {
    pub(super) fn new(key: &SecretKey) -> Result<Self, Error> {
        Ok(Self(BulkKey::new(key)?))
    }

    /// Seals a full chunk that others follow, in place, and appends its tag.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is not full, or no chunk can follow it.
    pub fn seal(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), Error> {
        if chunk.len() != CHUNK_LEN {
            return Err(Error::TooLarge("a chunk that others follow has 65,536 bytes"));
        }
        if index >= CHUNKS - 1 {
            return Err(Error::TooLarge("a body has at most 2^32 chunks"));
        }
        self.seal_as(&nonce(index, false), &[], chunk)
    }

    /// Seals the last chunk, in place, and appends its tag. It has 1 to 65,536 bytes; none only
    /// when it is the first as well.
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
        if chunk.len() != SEALED_CHUNK_LEN || index >= CHUNKS - 1 {
            return Err(Error::Open);
        }
        Ok(self.0.open_in_place(&nonce(index, false), &[], chunk)?)
    }

    /// Opens the last chunk, in place; returns the plaintext within it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_last<'a>(&self, index: u64, chunk: &'a mut [u8]) -> Result<&'a mut [u8], Error> {
        let length = chunk.len().checked_sub(TAG_LEN).ok_or(Error::Open)?;
        let total = total(index, length).ok_or(Error::Open)?;
        Ok(self.0.open_in_place(&nonce(index, true), &total.to_be_bytes(), chunk)?)
    }

    fn seal_as(
        &self,
        nonce: &[u8; NONCE_LEN],
        associated: &[u8],
        chunk: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let tag = self.0.seal_in_place(nonce, associated, chunk)?;
        chunk.extend_from_slice(&tag);
        Ok(())
    }
}

/// Length of a sealed body of `len` bytes; none when the format holds no such body.
#[must_use]
pub fn sealed_len(len: u64) -> Option<u64> {
    let chunk = u64::try_from(CHUNK_LEN).ok()?;
    let tag = u64::try_from(TAG_LEN).ok()?;
    let chunks = len.div_ceil(chunk).max(1);
    if chunks > CHUNKS {
        return None;
    }
    len.checked_add(chunks.checked_mul(tag)?)
}

/// Bytes of a body whose last chunk has this index and length.
fn total(index: u64, len: usize) -> Option<u64> {
    let fits = len <= CHUNK_LEN && (len > 0 || index == 0) && index < CHUNKS;
    let before = index.checked_mul(u64::try_from(CHUNK_LEN).ok()?)?;
    fits.then_some(before.checked_add(u64::try_from(len).ok()?)?)
}

/// Chunks of a body at the most: 2³² of them are 256 TiB.
const CHUNKS: u64 = 1 << 32;

fn nonce(index: u64, last: bool) -> [u8; NONCE_LEN] {
    let [a, b, c, d, e, f, g, h] = index.to_be_bytes();
    [0, 0, 0, u8::from(last), a, b, c, d, e, f, g, h]
}
