//! Index of 256 entries that follow each other.
//!
//! A block's rows are written once, in the commit that brings its last entry; until then it is in
//! memory. So a record costs the commit a row for what it alone has (its request id) and a
//! two-hundred-and-fifty-sixth of a row for what it shares with its neighbours.
//!
//! | space, key | value |
//! |---|---|
//! | index, term ‖ first | which of the block's entries have the term: u8 each, or from 32 on 256 bits |
//! | index, `00` ‖ first | [`Totals`] ‖ for each 16 entries earliest and latest time (i64 µs each) |
//!
//! Bit `i` is that of value 128 ≫ (i mod 8) in byte i / 8. Numbers are big-endian.

use std::collections::HashMap;

use super::Error;
use super::term::Term;
use crate::crypto::digest;
use crate::store::{Row, Space};

/// Entries of a block.
pub(super) const BLOCK: u64 = 256;
/// Entries whose times are kept as one span.
const SPAN: usize = 16;

/// Which of a block's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Places([u128; 2]);

impl Places {
    pub(super) const ALL: Self = Self([u128::MAX; 2]);

    pub(super) fn insert(&mut self, place: u8) {
        let [low, high] = &mut self.0;
        let half = if place < 128 { low } else { high };
        *half |= 1 << (place % 128);
    }

    fn contains(self, place: u8) -> bool {
        let [low, high] = self.0;
        let half = if place < 128 { low } else { high };
        half >> (place % 128) & 1 == 1
    }

    pub(super) fn with(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a | c, b | d])
    }

    pub(super) fn within(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a & c, b & d])
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(super) fn iter(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..=u8::MAX).filter(move |place| self.contains(*place))
    }

    fn encode(self) -> Vec<u8> {
        let few: Vec<u8> = self.iter().take(32).collect();
        if few.len() < 32 {
            return few;
        }
        let mut bits = vec![0; 32];
        for place in self.iter() {
            if let Some(byte) = bits.get_mut(usize::from(place / 8)) {
                *byte |= 128 >> (place % 8);
            }
        }
        bits
    }

    pub(super) fn decode(row: &[u8]) -> Self {
        let mut places = Self::default();
        if row.len() == 32 {
            for (at, byte) in (0..=u8::MAX).step_by(8).zip(row) {
                let set = (0..8).filter(|bit| byte & (128 >> bit) != 0);
                set.for_each(|bit| places.insert(at + bit));
            }
        } else {
            row.iter().for_each(|place| places.insert(*place));
        }
        places
    }
}

/// What is known of all entries up to the end of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    /// The latest time of any entry so far.
    pub(super) latest: i64,
    /// How far, at the most, a time lay before one that was written earlier: a clock went back.
    pub(super) back: i64,
    /// The sum of the digests of all index rows so far.
    pub(super) digest: u128,
}

impl Totals {
    pub(super) const NONE: Self = Self { latest: i64::MIN, back: 0, digest: 0 };

    /// Adds an index row; of a summary, what follows the digest.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        let bytes = digest::sha256(&[&[u8::from(is_summary(key))], key, value]);
        let part = bytes.first_chunk().copied().map_or(0, u128::from_be_bytes);
        self.digest = self.digest.wrapping_add(part);
    }
}

/// A block of entries on its way to disk.
#[derive(Debug, Clone)]
pub(super) struct Block {
    /// Its first entry; a multiple of [`BLOCK`].
    pub(super) first: u64,
    count: u16,
    terms: HashMap<Term, Places>,
    spans: Vec<(i64, i64)>,
    /// Before it, and while it fills, with it (but for the digest).
    totals: Totals,
}

impl Block {
    pub(super) fn new(first: u64, totals: Totals) -> Self {
        Self { first, count: 0, terms: HashMap::new(), spans: Vec::new(), totals }
    }

    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    pub(super) fn is_full(&self) -> bool {
        u64::from(self.count) == BLOCK
    }

    pub(super) const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Adds the next entry of a block that is not full.
    pub(super) fn push(&mut self, time: i64, terms: &[Term]) {
        let Ok(place) = u8::try_from(self.count) else { return };
        for term in terms {
            self.terms.entry(*term).or_default().insert(place);
        }
        match self.spans.get_mut(usize::from(place) / SPAN) {
            Some((from, to)) => (*from, *to) = (time.min(*from), time.max(*to)),
            None => self.spans.push((time, time)),
        }
        let Totals { latest, back, .. } = &mut self.totals;
        *back = latest.saturating_sub(time).max(*back);
        *latest = time.max(*latest);
        self.count += 1;
    }

    pub(super) fn places(&self, term: Term) -> Places {
        self.terms.get(&term).copied().unwrap_or_default()
    }

    pub(super) fn spans(&self) -> Spans {
        Spans(self.spans.clone())
    }

    /// The rows of a full block, and the next one.
    pub(super) fn finish(self, rows: &mut Vec<Row>) -> Self {
        let Self { first, terms, spans, mut totals, .. } = self;
        let mut row = |key: Vec<u8>, value: Vec<u8>| {
            rows.push(Row { space: Space::Index, key, value: Some(value) });
        };
        let mut terms: Vec<_> = terms.into_iter().collect();
        terms.sort_unstable_by_key(|(term, _)| *term);
        for (term, places) in terms {
            let (key, value) = (term_key(term, first), places.encode());
            totals.add(&key, &value);
            row(key, value);
        }
        let spans: Vec<u8> = spans
            .iter()
            .flat_map(|(from, to)| [from.to_be_bytes(), to.to_be_bytes()].concat())
            .collect();
        totals.add(&summary_key(first), &spans);
        let Totals { latest, back, digest } = totals;
        let value = [&latest.to_be_bytes()[..], &back.to_be_bytes(), &digest.to_be_bytes(), &spans];
        row(summary_key(first), value.concat());
        Self::new(first + BLOCK, totals)
    }
}

/// The times of a block's entries, some at a time.
#[derive(Debug)]
pub(super) struct Spans(Vec<(i64, i64)>);

impl Spans {
    /// Entries that may lie in `from..to`.
    pub(super) fn within(&self, from: i64, to: i64) -> Places {
        let mut places = Places::default();
        for (at, (earliest, latest)) in (0..=u8::MAX).step_by(SPAN).zip(&self.0) {
            if *latest >= from && *earliest < to {
                (at..=at + (SPAN_LAST)).for_each(|place| places.insert(place));
            }
        }
        places
    }
}

/// The last place of the first span.
const SPAN_LAST: u8 = 15;

/// Key of a block's summary.
pub(super) fn summary_key(first: u64) -> Vec<u8> {
    [&[0][..], &first.to_be_bytes()].concat()
}

/// Whether a key is a summary's.
pub(super) fn is_summary(key: &[u8]) -> bool {
    key.first() == Some(&0)
}

/// Key of a term's places in a block.
pub(super) fn term_key(term: Term, first: u64) -> Vec<u8> {
    [&term.0[..], &first.to_be_bytes()].concat()
}

/// A block's summary as it is stored.
pub(super) fn summary(row: &[u8]) -> Result<(Totals, Spans), Error> {
    let read = || {
        let (latest, rest) = row.split_first_chunk::<8>()?;
        let (back, rest) = rest.split_first_chunk::<8>()?;
        let (digest, rest) = rest.split_first_chunk::<16>()?;
        let (spans, []) = rest.as_chunks::<16>() else { return None };
        let half = |bytes: &[u8]| bytes.first_chunk::<8>().map(|half| i64::from_be_bytes(*half));
        let span = |span: &[u8; 16]| Some((half(span)?, half(span.get(8..)?)?));
        let spans = spans.iter().map(span).collect::<Option<Vec<_>>>()?;
        let (latest, back) = (i64::from_be_bytes(*latest), i64::from_be_bytes(*back));
        let totals = Totals { latest, back, digest: u128::from_be_bytes(*digest) };
        (spans.len() == SPANS).then_some((totals, Spans(spans)))
    };
    read().ok_or(Error::Index("a row of it is malformed"))
}

/// What of a stored summary its digest is of.
pub(super) fn spans_of(row: &[u8]) -> &[u8] {
    row.get(32..).unwrap_or_default()
}

/// Spans of a full block.
const SPANS: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_rows_are_the_documented_ones() {
        let mut block = Block::new(512, Totals { latest: 3000, back: 1, digest: 5 });
        let (rare, common) = (Term([b'k'; 9]), Term([b'p'; 9]));
        for entry in 0..256_i64 {
            let terms = if entry % 100 == 7 { vec![rare, common] } else { vec![common] };
            block.push(1000 + entry, &terms);
        }
        assert!(block.is_full());
        let mut rows = Vec::new();
        let next = block.finish(&mut rows);
        assert_eq!((next.first, next.totals.latest, next.totals.back), (768, 3000, 2000));
        let first = 512_u64.to_be_bytes();
        let [one, two, three] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(one.key, [&[b'k'; 9][..], &first].concat());
        assert_eq!(one.value.as_deref(), Some(&[7, 107, 207][..]));
        assert_eq!(two.value.as_deref(), Some(&[255; 32][..]));
        assert_eq!(three.key, [&[0][..], &first].concat());
        let value = three.value.clone().unwrap();
        assert_eq!(value.len(), 32 + 16 * 16);
        assert_eq!(value[..8], 3000_i64.to_be_bytes());
        assert_eq!(value[32..48], [1000_i64.to_be_bytes(), 1015_i64.to_be_bytes()].concat());
        let (totals, spans) = summary(&value).unwrap();
        assert_eq!(totals, next.totals);
        let found: Vec<u8> = spans.within(1016, 1017).iter().collect();
        assert_eq!(found, (16..32).collect::<Vec<_>>());
        assert!(summary(&value[1..]).is_err() && summary(&[]).is_err());
    }

    proptest! {
        #[test]
        fn places_come_back(set in prop::collection::btree_set(any::<u8>(), 0..256)) {
            let mut places = Places::default();
            set.iter().for_each(|place| places.insert(*place));
            prop_assert!(places.iter().eq(set.iter().copied()));
            prop_assert_eq!(Places::decode(&places.encode()), places);
        }

        #[test]
        fn no_row_makes_the_reader_panic(row in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = summary(&row);
            let _ = Places::decode(&row);
        }
    }
}
