//! Finding records: conditions that hold together, newest or oldest first, in pages.
//!
//! The index leads to candidates that meet every indexed condition; they are read and compared
//! before they are believed. A time range is narrowed to blocks first, by the latest time of all
//! entries up to a block: it only grows, and says how far a clock went back at the most. A page ends
//! when it is full or when [`EXAMINED`] candidates were read, so no query runs unbounded: a page may
//! hold fewer records than asked for and still lead on.

use std::collections::BTreeMap;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Error;
use super::block::{BLOCK, Block, Places, Spans, Totals, summary, summary_key};
use super::bundle::entries;
use super::event::{Event, Outcome};
use super::log::{Log, Record, Run};
use super::postings::{Leap, Postings};
use super::term::Term;
use crate::crypto::digest;
use crate::store::{Direction, Space};

/// Which end of the log comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The last record first.
    #[default]
    NewestFirst,
    /// The first record first.
    OldestFirst,
}

/// Conditions; all that are given hold together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Not before.
    pub start_time: Option<DateTime<Utc>>,
    /// Before.
    pub end_time: Option<DateTime<Utc>>,
    /// Key id or key ARN; or an alias (its name or ARN), which finds what named it, and what was done
    /// with the key that it named then.
    pub key: Option<String>,
    /// ARN of the key, or of what else the call named: an alias, a role.
    pub resource: Option<String>,
    /// ARN of who called.
    pub principal: Option<String>,
    /// 12 digits: the caller's.
    pub account: Option<String>,
    /// Of the credential that was presented.
    pub access_key_id: Option<String>,
    /// The address that the call came from; `in-process` for one without a wire.
    pub source: Option<String>,
    /// Such as `GenerateDataKey`.
    pub operation: Option<String>,
    /// `success`, `refused` or `failed`.
    pub outcome: Option<String>,
    /// Such as `DisabledException`.
    pub error_code: Option<String>,
    /// Each pair is in the record's encryption context.
    pub context: BTreeMap<String, String>,
    /// A UUID.
    pub request_id: Option<String>,
    /// First index, inclusive.
    pub start_index: Option<u64>,
    /// Last index, exclusive.
    pub end_index: Option<u64>,
    /// Which end comes first.
    pub order: Order,
    /// 1 to 1,000; 100 when absent.
    pub limit: Option<i32>,
    /// Where the page before ended.
    pub page_token: Option<String>,
}

/// A page of records.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// In the order asked for.
    pub records: Vec<Record>,
    /// Gives the next page; absent when there is none.
    pub next: Option<String>,
    /// Size of the log that was read.
    pub log_size: u64,
}

impl Log {
    /// Finds records.
    ///
    /// # Errors
    /// [`Error::Query`] and [`Error::PageToken`] for a query that makes no sense; [`Error::Index`],
    /// [`Error::Damaged`] and [`Error::Store`] when the log cannot be read.
    pub fn query(&self, query: &Query) -> Result<Page, Error> {
        let filter = self.filter(query)?;
        let limit = usize::try_from(query.limit.unwrap_or(100)).unwrap_or(100);
        let mut range = query.start_index.unwrap_or(0)..query.end_index.unwrap_or(u64::MAX);
        if let Some(token) = &query.page_token {
            let next = query.parse_token(token)?;
            match query.order {
                Order::NewestFirst => range.end = range.end.min(next),
                Order::OldestFirst => range.start = range.start.max(next),
            }
        }
        let (records, next, log_size) = self.search(&filter, range, limit)?;
        Ok(Page { records, next: next.map(|next| query.token(next)), log_size })
    }

    /// Records of a range that are wanted, where the search goes on, and the log's size.
    pub(super) fn search(
        &self,
        wanted: &impl Wanted,
        mut range: Range<u64>,
        limit: usize,
    ) -> Result<(Vec<Record>, Option<u64>, u64), Error> {
        let conditions = wanted.terms();
        let query = wanted.range();
        let (start, end) = query.micros();
        let look = |block: &Block| {
            let of = |terms: &Vec<_>| {
                let places = terms.iter().map(|term| block.places(*term));
                places.fold(Places::default(), Places::with)
            };
            let places = conditions.iter().map(of).fold(Places::ALL, Places::within);
            let places = places.within(block.spans().within(start, end));
            (self.head().size, block.first, places, *block.totals())
        };
        let (log_size, newest, places, totals) = self.index.newest(look)?;
        range.end = range.end.min(log_size);
        let mut search = Search::new(self, wanted, limit, range.clone());
        if range.start >= range.end {
            return Ok((search.records, None, log_size));
        }
        let blocks = range.start / BLOCK..range.end.min(newest).div_ceil(BLOCK);
        let blocks = self.blocks_within(blocks, totals, start, end)?;
        let direction = match query.order {
            Order::NewestFirst => Direction::Descending,
            Order::OldestFirst => Direction::Ascending,
        };
        let mut postings = Postings::new(&self.engine, &conditions, blocks, direction);
        let is_timed = query.start_time.is_some() || query.end_time.is_some();
        let mut in_memory = (direction == Direction::Descending).then_some((newest, places));
        loop {
            let (first, places) = match in_memory.take() {
                Some(newest) => newest,
                None => match postings.next()? {
                    Leap::Block(first, places) if is_timed => {
                        (first, places.within(self.summary(first)?.1.within(start, end)))
                    }
                    Leap::Block(first, places) => (first, places),
                    Leap::Paused(at) => {
                        search.stop = Some(at);
                        break;
                    }
                    Leap::End => break,
                },
            };
            if !search.examine(first, places)? {
                break;
            }
        }
        if direction == Direction::Ascending && search.stop.is_none() {
            search.examine(newest, places)?;
        }
        Ok((search.records, search.stop, log_size))
    }

    /// The full blocks among `blocks` that may hold a time in `start..end`.
    fn blocks_within(
        &self,
        mut blocks: Range<u64>,
        totals: Totals,
        start: i64,
        end: i64,
    ) -> Result<Range<u64>, Error> {
        let reaches = |block: u64, time: i64| Ok(self.summary(block * BLOCK)?.0.latest >= time);
        if start > i64::MIN {
            blocks.start = first_that(blocks.clone(), |block| reaches(block, start))?;
        }
        if end < i64::MAX {
            // A later entry may be older than what came before it, by as much as a clock went back.
            let end = end.saturating_add(totals.back);
            let past = first_that(blocks.clone(), |block| reaches(block, end))?;
            blocks.end = blocks.end.min(past.saturating_add(1));
        }
        Ok(blocks)
    }

    fn summary(&self, first: u64) -> Result<(Totals, Spans), Error> {
        let row = self.engine.read(Space::Index, &summary_key(first))?;
        summary(&row.ok_or(Error::Index("a row of it is missing"))?)
    }
}

/// The first number of a range that meets a condition which all after it meet, too; its end if none does.
fn first_that(
    mut range: Range<u64>,
    meets: impl Fn(u64) -> Result<bool, Error>,
) -> Result<u64, Error> {
    while !range.is_empty() {
        let middle = range.start + (range.end - range.start) / 2;
        if meets(middle)? {
            range.end = middle;
        } else {
            range.start = middle + 1;
        }
    }
    Ok(range.start)
}

/// What a search looks for.
pub(super) trait Wanted {
    /// The times that are asked for, and the order.
    fn range(&self) -> &Query;

    /// What leads there: conditions, each of one or more terms of which one is enough.
    fn terms(&self) -> Vec<Vec<Term>>;

    /// Whether a candidate is it.
    fn matches(&self, index: u64, event: &Event) -> bool;
}

/// A query on its way through candidates.
struct Search<'a, W> {
    log: &'a Log,
    wanted: &'a W,
    limit: usize,
    range: Range<u64>,
    /// What was read last.
    run: Option<Run>,
    records: Vec<Record>,
    examined: usize,
    stop: Option<u64>,
}

impl<'a, W: Wanted> Search<'a, W> {
    fn new(log: &'a Log, wanted: &'a W, limit: usize, range: Range<u64>) -> Self {
        let (run, records) = (None, Vec::new());
        Self { log, wanted, limit, range, run, records, examined: 0, stop: None }
    }

    /// Compares candidates of one block; false ends the page.
    fn examine(&mut self, block: u64, places: Places) -> Result<bool, Error> {
        let order = self.wanted.range().order;
        let wanted = places.iter().map(|place| block + u64::from(place));
        let mut wanted: Vec<_> = wanted.filter(|index| self.range.contains(index)).collect();
        if order == Order::NewestFirst {
            wanted.reverse();
        }
        for index in wanted {
            if self.records.len() == self.limit || self.examined == EXAMINED {
                self.stop = Some(match order {
                    Order::NewestFirst => index + 1,
                    Order::OldestFirst => index,
                });
                return Ok(false);
            }
            self.examined += 1;
            let bytes = self.entry(index)?;
            let event = Event::decode(&bytes)?;
            if self.wanted.matches(index, &event) {
                self.records.push(Record { index, event, bytes });
            }
        }
        Ok(true)
    }

    fn entry(&mut self, index: u64) -> Result<Vec<u8>, Error> {
        let held = |run: &Option<Run>| {
            let Some(Run { first, bytes, .. }) = run else { return Ok(None) };
            let place = index.checked_sub(*first).and_then(|place| usize::try_from(place).ok());
            let entries = entries(bytes)?;
            Ok::<_, Error>(place.and_then(|place| entries.get(place).map(|entry| entry.to_vec())))
        };
        if let Some(entry) = held(&self.run)? {
            return Ok(entry);
        }
        self.run = Some(self.log.run(index)?);
        held(&self.run)?.ok_or_else(|| Error::Damaged(format!("record {index} is missing")))
    }
}

impl Query {
    /// The conditions by name, for the record of the query itself.
    #[must_use]
    pub fn conditions(&self) -> BTreeMap<String, Value> {
        let given = [
            ("start_time", self.start_time.map(|time| json!(time))),
            ("end_time", self.end_time.map(|time| json!(time))),
            ("key_id", self.key.as_ref().map(|key| json!(key))),
            ("resource", self.resource.as_ref().map(|arn| json!(arn))),
            ("principal", self.principal.as_ref().map(|arn| json!(arn))),
            ("account", self.account.as_ref().map(|id| json!(id))),
            ("access_key_id", self.access_key_id.as_ref().map(|id| json!(id))),
            ("source_address", self.source.as_ref().map(|address| json!(address))),
            ("operation", self.operation.as_ref().map(|name| json!(name))),
            ("outcome", self.outcome.as_ref().map(|outcome| json!(outcome))),
            ("error_code", self.error_code.as_ref().map(|code| json!(code))),
            ("encryption_context", (!self.context.is_empty()).then(|| json!(self.context))),
            ("request_id", self.request_id.as_ref().map(|id| json!(id))),
            ("start_index", self.start_index.map(|index| json!(index))),
            ("end_index", self.end_index.map(|index| json!(index))),
            ("limit", self.limit.map(|limit| json!(limit))),
            ("page_token", self.page_token.as_ref().map(|token| json!(token))),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.limit.is_some_and(|limit| !(1..=1000).contains(&limit)) {
            return Err(Error::Query("limit must be 1 to 1000"));
        }
        let outcomes = [Outcome::Success, Outcome::Refused, Outcome::Failed];
        if let Some(asked) = &self.outcome
            && !outcomes.iter().any(|outcome| outcome.as_str() == asked)
        {
            return Err(Error::Query("outcome must be success, refused or failed"));
        }
        if let (Some(start), Some(end)) = (self.start_time, self.end_time)
            && start >= end
        {
            return Err(Error::Query("start_time must be before end_time"));
        }
        if let (Some(start), Some(end)) = (self.start_index, self.end_index)
            && start >= end
        {
            return Err(Error::Query("start_index must be less than end_index"));
        }
        Ok(())
    }

    /// The times asked for, in microseconds: not before, before.
    fn micros(&self) -> (i64, i64) {
        // An entry's time has whole microseconds: one that is before a fraction is before the next one.
        let end = |time: DateTime<Utc>| {
            time.timestamp_micros()
                .saturating_add(i64::from(!time.timestamp_subsec_nanos().is_multiple_of(1000)))
        };
        let start = self.start_time.map_or(i64::MIN, |time| time.timestamp_micros());
        (start, self.end_time.map_or(i64::MAX, end))
    }

    /// A page token names the next index and the query that it belongs to. It is no secret and
    /// grants nothing (the query is authorised anew), so it needs no seal; the digest keeps it from
    /// silently skipping records of another query.
    pub(super) fn token(&self, next: u64) -> String {
        URL_SAFE_NO_PAD.encode([&next.to_be_bytes()[..], &self.digest()].concat())
    }

    pub(super) fn parse_token(&self, token: &str) -> Result<u64, Error> {
        let parse = || {
            let bytes = (token.len() <= 64).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
            let (next, digest) = bytes.split_first_chunk::<8>()?;
            (digest == self.digest()).then(|| u64::from_be_bytes(*next))
        };
        parse().ok_or(Error::PageToken)
    }

    fn digest(&self) -> [u8; 8] {
        let mut conditions = self.conditions();
        conditions.remove("page_token");
        conditions.remove("limit");
        let order = match self.order {
            Order::NewestFirst => "newest",
            Order::OldestFirst => "oldest",
        };
        let text = serde_json::to_string(&conditions).unwrap_or_default();
        let digest = digest::sha256(&[order.as_bytes(), text.as_bytes()]);
        digest.first_chunk().copied().unwrap_or_default()
    }
}

/// Records that one page reads at the most.
const EXAMINED: usize = 20_000;
