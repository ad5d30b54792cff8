//! Blocks that may hold what a query asks for: its terms' places, intersected block by block.
//!
//! A condition is one or more terms, any of which may lead to a record. The conditions leap: the one
//! that is furthest says where the others go on, so that the rarest sets the pace.

use std::ops::Range;

use super::Error;
use super::block::{BLOCK, Places, term_key};
use super::bundle::first_of;
use super::term::Term;
use crate::store::{Direction, Engine, Scan, Space};

/// Full blocks of a range that have places for every condition, in one direction.
pub(super) struct Postings<'a> {
    conditions: Vec<Vec<Cursor<'a>>>,
    direction: Direction,
    /// Blocks that are still to be looked at, by number.
    left: Range<u64>,
    /// Leaps that were made.
    leaps: usize,
}

/// What a step over the blocks came upon.
pub(super) enum Leap {
    /// A block by its first entry, with the places that may do.
    Block(u64, Places),
    /// No more.
    End,
    /// Not yet anything, after many leaps; all that is left begins (or, downwards, ends) with this entry.
    Paused(u64),
}

impl<'a> Postings<'a> {
    /// Over the blocks `left`, by number.
    pub(super) fn new(
        engine: &'a Engine,
        conditions: &[Vec<Term>],
        left: Range<u64>,
        direction: Direction,
    ) -> Self {
        let cursor =
            |term: &Term| Cursor { engine, term: *term, direction, scan: None, found: None };
        let conditions = conditions.iter().map(|terms| terms.iter().map(cursor).collect());
        Self { conditions: conditions.collect(), direction, left, leaps: 0 }
    }

    /// The next block.
    pub(super) fn next(&mut self) -> Result<Leap, Error> {
        while !self.left.is_empty() {
            if self.leaps == LEAPS {
                return Ok(Leap::Paused(match self.direction {
                    Direction::Ascending => self.left.start * BLOCK,
                    Direction::Descending => self.left.end * BLOCK,
                }));
            }
            self.leaps += 1;
            let at = match self.direction {
                Direction::Ascending => self.left.start,
                Direction::Descending => self.left.end - 1,
            };
            let (mut places, mut furthest) = (Places::ALL, at);
            for cursors in &mut self.conditions {
                let (mut nearest, mut here) = (None, Places::default());
                for cursor in cursors {
                    let Some((block, found)) = cursor.seek(at, &self.left)? else { continue };
                    if block == at {
                        here = here.with(found);
                    }
                    let nearer = |known: u64| match self.direction {
                        Direction::Ascending => known.min(block),
                        Direction::Descending => known.max(block),
                    };
                    nearest = Some(nearest.map_or(block, nearer));
                }
                let Some(nearest) = nearest else { return Ok(Leap::End) };
                places = places.within(here);
                furthest = match self.direction {
                    Direction::Ascending => furthest.max(nearest),
                    Direction::Descending => furthest.min(nearest),
                };
                if furthest != at {
                    break;
                }
            }
            let done = furthest == at;
            match self.direction {
                Direction::Ascending => self.left.start = if done { at + 1 } else { furthest },
                Direction::Descending => self.left.end = if done { at } else { furthest + 1 },
            }
            if done && !places.is_empty() {
                return Ok(Leap::Block(at * BLOCK, places));
            }
        }
        Ok(Leap::End)
    }
}

/// The rows of one term, on the way.
struct Cursor<'a> {
    engine: &'a Engine,
    term: Term,
    direction: Direction,
    scan: Option<Scan<'a>>,
    found: Option<(u64, Places)>,
}

impl Cursor<'_> {
    /// The term's first row at block `at` or past it, within `left`.
    fn seek(&mut self, at: u64, left: &Range<u64>) -> Result<Option<(u64, Places)>, Error> {
        let is_past = |block: u64| match self.direction {
            Direction::Ascending => block >= at,
            Direction::Descending => block <= at,
        };
        // Neighbours are cheaper to walk to than to look up.
        for _ in 0..=WALK {
            if let Some((block, _)) = self.found
                && is_past(block)
            {
                return Ok(self.found);
            }
            let Some(scan) = &mut self.scan else { break };
            let Some(item) = scan.next() else { return Ok(None) };
            self.found = Some(row(item?)?);
        }
        let key = |block: u64| term_key(self.term, block.saturating_mul(BLOCK));
        let (from, to) = (key(left.start), key(left.end));
        let mut scan = self.engine.scan(Space::Index, &from, Some(&to), self.direction);
        self.found = scan.next().transpose()?.map(row).transpose()?;
        self.scan = Some(scan);
        Ok(self.found)
    }
}

fn row((key, value): (Vec<u8>, Vec<u8>)) -> Result<(u64, Places), Error> {
    Ok((first_of(&key)? / BLOCK, Places::decode(&value)))
}

/// Rows that a cursor walks before it looks up.
const WALK: usize = 4;
/// Leaps of one page at the most.
const LEAPS: usize = 20_000;
