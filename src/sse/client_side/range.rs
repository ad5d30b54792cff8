//! A part of a body without the rest: AES in counter mode from the block where it begins.
//!
//! A part has no tag, so nothing of it is authenticated: whoever can write to the bucket can flip any
//! bit of it, and the reader does not notice. AWS's clients have it behind a switch, too.

use std::ops;

use super::Error;
use super::object::{BodyKey, OpeningKey};
use crate::crypto::bulk::TAG_LEN;
use crate::crypto::gcm;

/// Which bytes of a body a part needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialBody {
    block: u32,
    sealed: ops::Range<u64>,
    wanted: ops::Range<u64>,
}

impl PartialBody {
    /// The part `wanted` of the plaintext, of a body of `sealed_len` bytes (the total in
    /// `Content-Range`). What lies beyond the end is left out; the tag is never plaintext.
    ///
    /// # Errors
    /// [`Error::Range`] when nothing is left, [`Error::Open`] for a body that is too short or too
    /// long to be one.
    pub fn new(sealed_len: u64, wanted: ops::Range<u64>) -> Result<Self, Error> {
        let tag = u64::try_from(TAG_LEN).map_err(|_| Error::Open)?;
        let len = sealed_len.checked_sub(tag).filter(|len| *len <= gcm::MAX_LEN);
        let wanted = wanted.start..wanted.end.min(len.ok_or(Error::Open)?);
        if wanted.is_empty() {
            return Err(Error::Range);
        }
        let block = u32::try_from(wanted.start / 16).map_err(|_| Error::Range)?;
        Ok(Self { block, sealed: u64::from(block) * 16..wanted.end, wanted })
    }

    /// Which bytes of the sealed body to fetch.
    #[must_use]
    pub const fn sealed(&self) -> &ops::Range<u64> {
        &self.sealed
    }

    /// Which bytes of the plaintext these are.
    #[must_use]
    pub const fn wanted(&self) -> &ops::Range<u64> {
        &self.wanted
    }
}

impl OpeningKey {
    /// Decrypts a part, which nothing authenticates. `bytes` are those of [`PartialBody::sealed`].
    ///
    /// # Errors
    /// [`Error::Open`] when `bytes` has another length, [`Error::Unsupported`] for CBC.
    pub fn open_unauthenticated_part(
        &self,
        part: &PartialBody,
        bytes: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let BodyKey::Gcm(key) = &self.0 else {
            return Err(Error::Unsupported("a part of a CBC body"));
        };
        let length = part.sealed.end - part.sealed.start;
        if u64::try_from(bytes.len()) != Ok(length) {
            return Err(Error::Open);
        }
        let mut out = gcm::open_unverified_from(&key.key, &key.nonce, part.block, bytes)?;
        let skipped = usize::try_from(part.wanted.start - part.sealed.start);
        out.drain(..skipped.map_err(|_| Error::Open)?);
        Ok(out)
    }
}
