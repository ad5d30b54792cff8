//! What is known of a whole object once it is sealed: its parts, their lengths and salts, MD5 and
//! checksums. Kept beside the envelope, sealed under the object key, so that nobody reads a digest of
//! the plaintext, and what is left out, put elsewhere or cut off is noticed by who reads a range only.
//!
//! ```text
//! "SRSI" ‖ 01 ‖ salt (32) ‖ AES-256-GCM(content), once or twice
//! content: u8 count ‖ { u8 checksum ‖ u8 length ‖ value } …   0 is MD5
//!          ‖ u16 parts ‖ { u16 number ‖ u64 length ‖ salt (16) } …   by number
//! ```

use std::ops::Range;

use super::Error;
use super::digests::{Checksum, Digested};
use super::mode::Mode;
use super::object_key::{ObjectKey, PART_SALT_LEN, PartSalt, SALT_LEN};
use crate::crypto::{Purpose, derive};

/// One part of an object, as it was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedPart {
    /// From 1.
    pub number: u16,
    /// Bytes of plaintext.
    pub len: u64,
    /// What stands in front of its chunks.
    pub salt: PartSalt,
}

/// What is known of a whole object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    parts: Vec<SealedPart>,
    digested: Digested,
}

impl ObjectInfo {
    /// Bytes of a sealed one at the most: 10,000 parts fit.
    pub const MAX_LEN: usize = 300 * 1024;
    /// Bytes of an object at the most, as S3 has it: 5 TiB.
    pub const MAX_OBJECT_LEN: u64 = 5 << 40;

    /// Of a whole object: its parts in order (1 to 10,000 of them, numbers rising), MD5 and checksums.
    ///
    /// # Errors
    /// [`Error::Parts`] for no parts or parts out of order; [`Error::TooLarge`] beyond 5 TiB.
    pub fn new(parts: Vec<SealedPart>, digested: Digested) -> Result<Self, Error> {
        let numbers = parts.iter().map(|part| part.number);
        if parts.is_empty() || !numbers.is_sorted_by(|a, b| a < b) {
            return Err(Error::Parts);
        }
        if parts.iter().any(|part| !(1..=ObjectKey::MAX_PART).contains(&part.number)) {
            return Err(Error::Parts);
        }
        let len = parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.len));
        if len.is_none_or(|len| len > Self::MAX_OBJECT_LEN) {
            return Err(Error::TooLarge("an object has at most 5 TiB"));
        }
        Ok(Self { parts, digested })
    }

    /// Its parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[SealedPart] {
        &self.parts
    }

    /// MD5 and checksums of the plaintext.
    #[must_use]
    pub const fn digested(&self) -> &Digested {
        &self.digested
    }

    /// Bytes of plaintext of all parts.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "an object without bytes is no special one")]
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|part| part.len).sum()
    }

    /// What HTTP's `Range` asks for, as positions in the plaintext: `first` to `last`, both included and
    /// cut to the length; none when there is nothing (416).
    #[must_use]
    pub fn positions(&self, first: u64, last: Option<u64>) -> Option<Range<u64>> {
        let len = self.len();
        let end = last.map_or(len, |last| last.saturating_add(1).min(len));
        (first < end).then_some(first..end)
    }

    /// The ETag of an object that is not made of parts: 32 hex digits. The MD5 of the plaintext with
    /// SSE-S3; otherwise no MD5, as S3 has it, but a function of MD5 and object key.
    #[must_use]
    pub fn etag(&self, mode: Mode, key: &ObjectKey) -> Option<String> {
        let md5 = self.digested.md5?;
        if mode == Mode::S3 {
            return Some(hex::encode(md5));
        }
        let layer = &key.inner;
        let value = derive(&layer.key, &layer.salt, Purpose::ObjectEtag, &md5);
        value.expose().first_chunk::<16>().map(hex::encode)
    }

    /// Seals it.
    ///
    /// # Errors
    /// [`Error::Random`]
    pub fn seal(&self, key: &ObjectKey) -> Result<Vec<u8>, Error> {
        let sealed = key.seal_small(Purpose::ObjectInfo, &self.encode())?;
        Ok([&HEAD[..], &sealed].concat())
    }

    #[cfg(test)]
    pub(super) fn seal_with(&self, key: &ObjectKey, salt: [u8; SALT_LEN]) -> Vec<u8> {
        let sealed = key.seal_small_with(Purpose::ObjectInfo, salt, &self.encode()).unwrap();
        [&HEAD[..], &sealed].concat()
    }

    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Envelope`] for bytes that are none; [`Error::Open`] for another object's, or altered ones.
    pub fn open(sealed: &[u8], key: &ObjectKey) -> Result<Self, Error> {
        let none =
            Error::Envelope("its information is of a version that this program does not read");
        let rest = sealed.strip_prefix(HEAD.as_slice()).ok_or(none)?;
        if sealed.len() > Self::MAX_LEN || rest.len() < SALT_LEN {
            return Err(Error::Envelope("its information is too long or too short"));
        }
        Self::decode(key.open_small(Purpose::ObjectInfo, rest)?.expose()).ok_or(Error::Open)
    }

    fn encode(&self) -> Vec<u8> {
        let Digested { md5, checksums } = &self.digested;
        let values = checksums.iter().map(|(checksum, value)| (checksum.byte(), value.as_slice()));
        let values: Vec<_> = md5.iter().map(|md5| (MD5, md5.as_slice())).chain(values).collect();
        let mut out = vec![u8::try_from(values.len()).unwrap_or(u8::MAX)];
        for (byte, value) in values {
            out.extend_from_slice(&[byte, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
            out.extend_from_slice(value);
        }
        out.extend_from_slice(&u16::try_from(self.parts.len()).unwrap_or(u16::MAX).to_be_bytes());
        for part in &self.parts {
            out.extend_from_slice(&part.number.to_be_bytes());
            out.extend_from_slice(&part.len.to_be_bytes());
            out.extend_from_slice(&part.salt);
        }
        out
    }

    fn decode(mut rest: &[u8]) -> Option<Self> {
        let mut digested = Digested::default();
        let [count] = take(&mut rest)?;
        for _ in 0..count {
            let [byte, length] = take(&mut rest)?;
            let (value, after) = rest.split_at_checked(usize::from(length))?;
            rest = after;
            if byte == MD5 {
                digested.md5 = Some(value.try_into().ok()?);
            } else {
                let checksum = Checksum::from_byte(byte)?;
                let fits = value.len() == checksum.value_len();
                digested.checksums.push((checksum, fits.then(|| value.to_vec())?));
            }
        }
        let count = u16::from_be_bytes(take(&mut rest)?);
        let mut parts = Vec::with_capacity(usize::from(count.min(ObjectKey::MAX_PART)));
        for _ in 0..count {
            parts.push(SealedPart {
                number: u16::from_be_bytes(take(&mut rest)?),
                len: u64::from_be_bytes(take(&mut rest)?),
                salt: take::<PART_SALT_LEN>(&mut rest)?,
            });
        }
        if rest.is_empty() { Self::new(parts, digested).ok() } else { None }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

const HEAD: &[u8; 5] = b"SRSI\x01";
/// MD5's place among checksums.
const MD5: u8 = 0;
