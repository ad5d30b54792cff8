//! Finding records: conditions that hold together, newest or oldest first, in pages.
//!
//! The rarest condition that is indexed leads to candidates, which are read and compared with
//! every condition; without one, the bundles' times and request fingerprints are walked. A page
//! ends when it is full or when [`EXAMINED`] candidates were read, so no query runs unbounded: a
//! page may hold fewer records than asked for and still lead on.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Error;
use super::bundle::{Term, entries, first_of, key_id, places, summary, summary_key, term_key};
use super::event::{Event, Outcome};
use super::log::{Log, Record};
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
    /// Key id or key ARN.
    pub key: Option<String>,
    /// ARN.
    pub principal: Option<String>,
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
    /// [`Error::Query`] and [`Error::PageToken`] for a query that makes no sense; [`Error::Damaged`]
    /// and [`Error::Store`] when the log cannot be read.
    pub fn query(&self, query: &Query) -> Result<Page, Error> {
        query.check()?;
        let limit = usize::try_from(query.limit.unwrap_or(100)).unwrap_or(100);
        let log_size = self.head().size;
        let mut range = query.start_index.unwrap_or(0)..query.end_index.unwrap_or(u64::MAX);
        range.end = range.end.min(log_size);
        if let Some(token) = &query.page_token {
            let next = query.parse_token(token)?;
            match query.order {
                Order::NewestFirst => range.end = range.end.min(next),
                Order::OldestFirst => range.start = range.start.max(next),
            }
        }
        let mut search = Search { query, limit, records: Vec::new(), examined: 0, stop: None };
        if range.start < range.end {
            match query.term() {
                Some(term) => self.by_term(&mut search, term, range)?,
                None => self.by_summary(&mut search, range)?,
            }
        }
        let Search { records, stop, .. } = search;
        Ok(Page { records, next: stop.map(|next| query.token(next)), log_size })
    }

    fn by_term(
        &self,
        search: &mut Search<'_>,
        term: Term,
        range: std::ops::Range<u64>,
    ) -> Result<(), Error> {
        // The bundle that holds the first index may begin before it.
        let from = term_key(term, self.bundle_of(range.start)?);
        let to = term_key(term, range.end);
        for item in self.engine.scan(Space::Index, &from, Some(&to), search.direction()) {
            let (key, row) = item?;
            let first = first_of(&key)?;
            let wanted = places(&row).map(|place| first + u64::from(place));
            let wanted = wanted.filter(|index| range.contains(index)).collect();
            if !search.examine(self, first, wanted)? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn by_summary(
        &self,
        search: &mut Search<'_>,
        range: std::ops::Range<u64>,
    ) -> Result<(), Error> {
        let query = search.query;
        let from = summary_key(self.bundle_of(range.start)?);
        let to = summary_key(range.end);
        let start = query.start_time.map_or(i64::MIN, |time| time.timestamp_micros());
        let end = query.end_time.map_or(i64::MAX, |time| time.timestamp_micros());
        let request = query.request_id.as_deref().map(Term::request);
        for item in self.engine.scan(Space::Index, &from, Some(&to), search.direction()) {
            let (key, row) = item?;
            let first = first_of(&key)?;
            let (earliest, latest, requests) = summary(&row)?;
            if latest < start || earliest > end {
                continue;
            }
            let numbered = (first..).zip(requests);
            let wanted = numbered
                .filter(|(index, found)| {
                    range.contains(index) && request.is_none_or(|request| request == **found)
                })
                .map(|(index, _)| index)
                .collect();
            if !search.examine(self, first, wanted)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A query on its way through candidates.
struct Search<'a> {
    query: &'a Query,
    limit: usize,
    records: Vec<Record>,
    examined: usize,
    stop: Option<u64>,
}

impl Search<'_> {
    const fn direction(&self) -> Direction {
        match self.query.order {
            Order::NewestFirst => Direction::Descending,
            Order::OldestFirst => Direction::Ascending,
        }
    }

    /// Compares candidates of one bundle, given in ascending order; false ends the page.
    fn examine(&mut self, log: &Log, first: u64, mut wanted: Vec<u64>) -> Result<bool, Error> {
        if wanted.is_empty() {
            return Ok(true);
        }
        if self.query.order == Order::NewestFirst {
            wanted.reverse();
        }
        let missing = || Error::Damaged(format!("record {first} is missing"));
        let row = log.engine.read(Space::Leaf, &first.to_be_bytes())?.ok_or_else(missing)?;
        let entries = entries(&row)?;
        for index in wanted {
            if self.records.len() == self.limit || self.examined == EXAMINED {
                self.stop = Some(match self.query.order {
                    Order::NewestFirst => index + 1,
                    Order::OldestFirst => index,
                });
                return Ok(false);
            }
            self.examined += 1;
            let place = usize::try_from(index - first).unwrap_or(usize::MAX);
            let bytes = entries.get(place).ok_or_else(missing)?;
            let event = Event::decode(bytes)?;
            if self.query.matches(&event) {
                self.records.push(Record { index, event, bytes: bytes.to_vec() });
            }
        }
        Ok(true)
    }
}

impl Query {
    /// Whether a record meets every condition on its content.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        let is = |asked: &Option<String>, found: Option<&str>| {
            asked.as_deref().is_none_or(|asked| found == Some(asked))
        };
        let same_key = |asked: &String| {
            event.key.as_deref().is_some_and(|arn| {
                if asked.starts_with("arn:") { arn == asked } else { key_id(arn) == asked }
            })
        };
        self.start_time.is_none_or(|start| event.time >= start)
            && self.end_time.is_none_or(|end| event.time < end)
            && self.key.as_ref().is_none_or(same_key)
            && is(&self.principal, Some(&event.principal))
            && is(&self.operation, Some(&event.operation))
            && is(&self.outcome, Some(event.outcome.as_str()))
            && is(&self.error_code, event.error_code.as_deref())
            && is(&self.request_id, Some(&event.request_id))
            && self.context.iter().all(|(name, value)| event.context.get(name) == Some(value))
    }

    /// The conditions by name, for the record of the query itself.
    #[must_use]
    pub fn conditions(&self) -> BTreeMap<String, Value> {
        let given = [
            ("start_time", self.start_time.map(|time| json!(time))),
            ("end_time", self.end_time.map(|time| json!(time))),
            ("key_id", self.key.as_ref().map(|key| json!(key))),
            ("principal", self.principal.as_ref().map(|arn| json!(arn))),
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

    fn check(&self) -> Result<(), Error> {
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

    /// The condition that most likely leads to the fewest candidates. A request id has an index of
    /// its own in the summaries.
    fn term(&self) -> Option<Term> {
        if self.request_id.is_some() {
            return None;
        }
        let error_code = self.error_code.as_deref().map(Term::error_code);
        error_code
            .or_else(|| self.key.as_deref().map(Term::key))
            .or_else(|| self.rare_outcome())
            .or_else(|| self.operation.as_deref().map(Term::operation))
            .or_else(|| self.principal.as_deref().map(Term::principal))
            .or_else(|| self.outcome.as_deref().map(Term::outcome))
    }

    fn rare_outcome(&self) -> Option<Term> {
        self.outcome.as_deref().filter(|outcome| *outcome != "success").map(Term::outcome)
    }

    /// A page token names the next index and the query that it belongs to. It is no secret and
    /// grants nothing (the query is authorised anew), so it needs no seal; the digest keeps it from
    /// silently skipping records of another query.
    fn token(&self, next: u64) -> String {
        URL_SAFE_NO_PAD.encode([&next.to_be_bytes()[..], &self.digest()].concat())
    }

    fn parse_token(&self, token: &str) -> Result<u64, Error> {
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

/// Candidates that one page reads at the most.
const EXAMINED: usize = 20_000;
