//! How entries, hashes and index lie in rows.
//!
//! Entries of one commit group lie together in bundles of about 6 KiB (sled keeps up to sixteen
//! rows in a page; larger rows would leave its segments). For a bundle whose first entry is `i`:
//!
//! | space, key | value |
//! |---|---|
//! | leaf, `i` | entries, each u16 length ‖ bytes (as a C2SP entry bundle) |
//! | hash, `i` | the tree hashes that these entries complete, 32 bytes each, in stored order |
//! | index, `00` ‖ `i` | earliest and latest time (i64 µs each) ‖ 4 bytes of SHA-256 of each request id |
//! | index, term ‖ `i` | u16 each: which entries of the bundle have the term |
//!
//! A term is one byte of field and 8 bytes of SHA-256 of the value. Numbers are big-endian. The
//! index is derived data: what it names is read and compared before it is believed.

use tlog_tiles::tlog::{Hash, stored_hash_index};

use super::Error;
use super::event::{Event, Leaf, MAX_LEN};
use crate::crypto::digest;
use crate::store::{Row, Space};

/// One indexed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Term(pub(super) [u8; 9]);

impl Term {
    fn new(field: u8, value: &str) -> Self {
        let mut term = [0; 9];
        let digest = digest::sha256(&[value.as_bytes()]);
        for (place, byte) in term.iter_mut().zip(std::iter::once(&field).chain(&digest)) {
            *place = *byte;
        }
        Self(term)
    }

    /// A key, by id or ARN.
    pub(super) fn key(named: &str) -> Self {
        Self::new(b'k', key_id(named))
    }

    pub(super) fn principal(arn: &str) -> Self {
        Self::new(b'p', arn)
    }

    pub(super) fn operation(name: &str) -> Self {
        Self::new(b'o', name)
    }

    pub(super) fn outcome(outcome: &str) -> Self {
        Self::new(b's', outcome)
    }

    pub(super) fn error_code(code: &str) -> Self {
        Self::new(b'e', code)
    }

    /// The fingerprint of a request id.
    pub(super) fn request(id: &str) -> [u8; 4] {
        let digest = digest::sha256(&[id.as_bytes()]);
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Every term of an event.
    pub(super) fn of(event: &Event) -> Vec<Self> {
        let mut terms = vec![
            Self::principal(&event.principal),
            Self::operation(&event.operation),
            Self::outcome(event.outcome.as_str()),
        ];
        terms.extend(event.key.as_deref().map(Self::key));
        terms.extend(event.error_code.as_deref().map(Self::error_code));
        terms
    }
}

/// The id within a key id or ARN.
pub(super) fn key_id(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or(named)
}

/// Entries that will lie together.
#[derive(Debug)]
pub(super) struct Bundle {
    first: u64,
    entries: Vec<u8>,
    hashes: Vec<u8>,
    times: (i64, i64),
    requests: Vec<u8>,
    terms: Vec<(Term, u16)>,
    count: u16,
}

impl Bundle {
    pub(super) const fn new(first: u64) -> Self {
        Self {
            first,
            entries: Vec::new(),
            hashes: Vec::new(),
            times: (i64::MAX, i64::MIN),
            requests: Vec::new(),
            terms: Vec::new(),
            count: 0,
        }
    }

    /// Whether another entry of `len` bytes belongs into the next bundle.
    pub(super) const fn is_full(&self, len: usize) -> bool {
        self.count > 0 && (self.entries.len() + len > BUNDLE_BYTES || self.count >= BUNDLE_ENTRIES)
    }

    /// Adds an entry and the hashes that it completes.
    pub(super) fn push(&mut self, leaf: &Leaf, hashes: &[Hash]) -> Result<(), Error> {
        let length = u16::try_from(leaf.bytes.len()).map_err(|_| Error::Event)?;
        self.entries.extend_from_slice(&length.to_be_bytes());
        self.entries.extend_from_slice(&leaf.bytes);
        for hash in hashes {
            self.hashes.extend_from_slice(&hash.0);
        }
        self.times = (self.times.0.min(leaf.time), self.times.1.max(leaf.time));
        self.requests.extend_from_slice(&leaf.request);
        self.terms.extend(leaf.terms.iter().map(|term| (*term, self.count)));
        self.count += 1;
        Ok(())
    }

    /// The bundle's rows.
    pub(super) fn into_rows(mut self, rows: &mut Vec<Row>) {
        if self.count == 0 {
            return;
        }
        let first = self.first.to_be_bytes();
        let row = |space, key: Vec<u8>, value| Row { space, key, value: Some(value) };
        rows.push(row(Space::Leaf, first.to_vec(), self.entries));
        rows.push(row(Space::Hash, first.to_vec(), self.hashes));
        let (from, to) = self.times;
        let summary = [&from.to_be_bytes()[..], &to.to_be_bytes(), &self.requests].concat();
        rows.push(row(Space::Index, summary_key(self.first), summary));
        self.terms.sort_unstable();
        for same in self.terms.chunk_by(|one, two| one.0 == two.0) {
            let Some((term, _)) = same.first() else { continue };
            let places = same.iter().flat_map(|(_, place)| place.to_be_bytes()).collect();
            rows.push(row(Space::Index, term_key(*term, self.first), places));
        }
    }
}

/// Bytes of entries in a bundle, unless a single entry is larger.
const BUNDLE_BYTES: usize = 6 * 1024;
/// Entries in a bundle at the most.
const BUNDLE_ENTRIES: u16 = 256;

/// Key of a bundle's summary.
pub(super) fn summary_key(first: u64) -> Vec<u8> {
    [&[0][..], &first.to_be_bytes()].concat()
}

/// Key of a term's places in a bundle.
pub(super) fn term_key(term: Term, first: u64) -> Vec<u8> {
    [&term.0[..], &first.to_be_bytes()].concat()
}

/// The index at the end of a row's key.
pub(super) fn first_of(key: &[u8]) -> Result<u64, Error> {
    let bytes = key.last_chunk::<8>().ok_or_else(|| malformed("a row's key"))?;
    Ok(u64::from_be_bytes(*bytes))
}

/// The entries of a leaf row.
pub(super) fn entries(row: &[u8]) -> Result<Vec<&[u8]>, Error> {
    let mut found = Vec::new();
    let mut rest = row;
    while !rest.is_empty() {
        let (length, after) =
            rest.split_first_chunk::<2>().ok_or_else(|| malformed("a bundle of entries"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) =
            after.split_at_checked(length).ok_or_else(|| malformed("a bundle of entries"))?;
        debug_assert!(entry.len() <= MAX_LEN, "two bytes of length hold no more");
        found.push(entry);
        rest = after;
    }
    Ok(found)
}

/// What an index row of a term says: places within its bundle.
pub(super) fn places(row: &[u8]) -> impl DoubleEndedIterator<Item = u16> {
    row.as_chunks::<2>().0.iter().map(|place| u16::from_be_bytes(*place))
}

/// A bundle's summary: earliest time, latest time, fingerprints of request ids.
pub(super) fn summary(row: &[u8]) -> Result<(i64, i64, &[[u8; 4]]), Error> {
    let wrong = || malformed("a bundle's summary");
    let (from, rest) = row.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (to, rest) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
    let (requests, rest) = rest.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(wrong());
    }
    Ok((i64::from_be_bytes(*from), i64::from_be_bytes(*to), requests))
}

/// Where in the hash row of a bundle a stored hash lies, in hashes.
pub(super) fn hash_place(first: u64, stored: u64) -> Option<usize> {
    usize::try_from(stored.checked_sub(stored_hash_index(0, first))?).ok()
}

pub(super) fn malformed(what: &str) -> Error {
    Error::Damaged(format!("{what} is malformed"))
}
