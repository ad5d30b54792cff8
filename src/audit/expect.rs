//! What a test expects of the trail: calls, how often each, and perhaps nothing else.
//!
//! What reads the trail or explains access is no call of the service under test, nor is what this
//! program does by itself: it counts where it is named, and is never something else.

use std::fmt;
use std::ops::Range;

use super::Error;
use super::event::Event;
use super::filter::Filter;
use super::log::{Log, Record};
use super::query::{Order, Query};

/// How often a call is expected, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// At the least.
    pub least: u64,
    /// At the most; any number when absent.
    pub most: Option<u64>,
}

/// What is expected of a window of the trail.
///
/// ```
/// use strongroom::audit::{Expectation, Query};
///
/// let unwrapped = Query::calls("Decrypt").on_key("alias/app").with_context("case", "7");
/// let expected = Expectation::since(120).exactly(2, unwrapped).never(Query::calls("Encrypt"));
/// assert_eq!(expected.calls.len(), 2);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// The records that are looked at; order and pages are not for it.
    pub scope: Query,
    /// Calls, and how often each.
    pub calls: Vec<(Query, Times)>,
    /// Whether no other call may be in the scope: none with an action of `kms:`.
    pub nothing_else: bool,
}

impl Expectation {
    /// Of what was recorded from an index on: the log's size, when it was looked at.
    #[must_use]
    pub fn since(index: u64) -> Self {
        let scope = Query { start_index: Some(index), ..Query::default() };
        Self { scope, ..Self::default() }
    }

    /// Of these records alone.
    #[must_use]
    pub fn within(scope: Query) -> Self {
        Self { scope, ..Self::default() }
    }

    /// A call so many times.
    #[must_use]
    pub fn exactly(self, times: u64, call: Query) -> Self {
        self.times(Times { least: times, most: Some(times) }, call)
    }

    /// A call so many times or more.
    #[must_use]
    pub fn at_least(self, times: u64, call: Query) -> Self {
        self.times(Times { least: times, most: None }, call)
    }

    /// A call so many times or less.
    #[must_use]
    pub fn at_most(self, times: u64, call: Query) -> Self {
        self.times(Times { least: 0, most: Some(times) }, call)
    }

    /// No such call.
    #[must_use]
    pub fn never(self, call: Query) -> Self {
        self.exactly(0, call)
    }

    /// No call but those that are expected.
    #[must_use]
    pub const fn nothing_else(mut self) -> Self {
        self.nothing_else = true;
        self
    }

    fn times(mut self, times: Times, call: Query) -> Self {
        self.calls.push((call, times));
        self
    }
}

/// Conditions that name a call.
impl Query {
    /// Calls of an operation, such as `GenerateDataKey`.
    #[must_use]
    pub fn calls(operation: impl Into<String>) -> Self {
        Self { operation: Some(operation.into()), ..Self::default() }
    }

    /// With a key, by id, ARN or alias.
    #[must_use]
    pub fn on_key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// By a principal, by ARN.
    #[must_use]
    pub fn by(self, principal: impl Into<String>) -> Self {
        Self { principal: Some(principal.into()), ..self }
    }

    /// With a pair in the encryption context.
    #[must_use]
    pub fn with_context(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(name.into(), value.into());
        self
    }

    /// That ended so: `success`, `refused` or `failed`.
    #[must_use]
    pub fn ending(self, outcome: impl Into<String>) -> Self {
        Self { outcome: Some(outcome.into()), ..self }
    }

    /// That ended with an error, such as `DisabledException`.
    #[must_use]
    pub fn failing_with(self, error_code: impl Into<String>) -> Self {
        Self { error_code: Some(error_code.into()), ..self }
    }
}

/// How a window of the trail compares with what was expected; shown, it is the difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Whether everything is as expected.
    pub met: bool,
    /// Indexes of the records that were looked at.
    pub window: Range<u64>,
    /// Each expected call, in the order given.
    pub calls: Vec<Counted>,
    /// The first of the calls that nobody expected, where nothing else was.
    pub others: Vec<Record>,
    /// How many these are in all.
    pub other_count: u64,
}

/// An expected call, and what was found of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    /// The call.
    pub call: Query,
    /// How often it was expected.
    pub times: Times,
    /// How often it was found.
    pub count: u64,
    /// The first of the records that were counted.
    pub found: Vec<u64>,
    /// The first of those that are the same operation, and yet another call.
    pub near: Vec<Record>,
}

impl Counted {
    /// Whether it was found as often as expected.
    #[must_use]
    pub fn is_met(&self) -> bool {
        let Times { least, most } = self.times;
        self.count >= least && most.is_none_or(|most| self.count <= most)
    }

    fn look(&mut self, filter: &Filter, record: &Record) -> bool {
        let is_same = self.call.operation.as_ref() == Some(&record.event.operation);
        if is_background(&record.event) && !is_same {
            return false;
        }
        let is_found = filter.matches(record.index, &record.event);
        if is_found {
            self.count += 1;
            if self.found.len() < SHOWN {
                self.found.push(record.index);
            }
        } else if is_same && self.near.len() < SHOWN {
            self.near.push(record.clone());
        }
        is_found
    }
}

impl Log {
    /// Compares a window with what is expected of it.
    ///
    /// # Errors
    /// As [`Self::query`]; [`Error::Query`] for a window of more than 100,000 records, more than 100
    /// calls, and numbers that contradict each other.
    pub fn expect(&self, expected: &Expectation) -> Result<Report, Error> {
        let size = self.head().size;
        let scope = Query { order: Order::OldestFirst, ..expected.scope.clone() };
        if scope.limit.is_some() || scope.page_token.is_some() {
            return Err(Error::Query("what is expected of a window has no pages"));
        }
        if expected.calls.len() > CALLS {
            return Err(Error::Query("100 calls can be expected at once"));
        }
        if expected.calls.iter().any(|(_, times)| times.most.is_some_and(|most| most < times.least))
        {
            return Err(Error::Query(
                "a call is expected more often at the least than at the most",
            ));
        }
        let scope = self.filter(&scope)?;
        let filters = expected.calls.iter().map(|(call, _)| self.filter(call));
        let filters = filters.collect::<Result<Vec<_>, _>>()?;
        let counted = expected.calls.iter().map(|(call, times)| Counted {
            call: call.clone(),
            times: *times,
            count: 0,
            found: Vec::new(),
            near: Vec::new(),
        });
        let start = expected.scope.start_index.unwrap_or(0).min(size);
        let window = start..expected.scope.end_index.unwrap_or(size).min(size);
        let (calls, others) = (counted.collect(), Vec::new());
        let mut report = Report { met: false, window, calls, others, other_count: 0 };
        let (mut from, mut looked_at) = (Some(start), 0);
        while let Some(start) = from {
            let (records, next, _) = self.search(&scope, start..report.window.end, 1000)?;
            looked_at += records.len();
            if looked_at > MOST {
                return Err(Error::Query(
                    "the window has more than 100,000 records: begin later or narrow the scope",
                ));
            }
            for record in records {
                let mut is_expected = false;
                for (counted, filter) in report.calls.iter_mut().zip(&filters) {
                    is_expected |= counted.look(filter, &record);
                }
                let event = &record.event;
                let is_call = event.action.starts_with("kms:") && !is_background(event);
                if expected.nothing_else && is_call && !is_expected {
                    report.other_count += 1;
                    if report.others.len() < SHOWN {
                        report.others.push(record);
                    }
                }
            }
            from = next;
        }
        report.met = report.other_count == 0 && report.calls.iter().all(Counted::is_met);
        Ok(report)
    }
}

/// Whether a record is of no call of a service under test.
fn is_background(event: &Event) -> bool {
    event.is_own() || event.principal == INTERNAL
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.window;
        let said = if self.met { "as expected" } else { "not as expected" };
        write!(f, "records {start}..{end} are {said}")?;
        for counted in &self.calls {
            let mark = if counted.is_met() { "  " } else { "! " };
            write!(f, "\n{mark}{}: {}, found {}", counted.call, counted.times, counted.count)?;
            let found: Vec<_> = counted.found.iter().map(u64::to_string).collect();
            let more = usize::try_from(counted.count).is_ok_and(|count| count > found.len());
            if !found.is_empty() {
                write!(f, " (record {}{})", found.join(", "), if more { ", …" } else { "" })?;
            }
            for near in counted.near.iter().filter(|_| !counted.is_met()) {
                write!(f, "\n      and yet {}", Line(near))?;
            }
        }
        if self.other_count > 0 {
            write!(f, "\n! nothing else, found {}", self.other_count)?;
            for other in &self.others {
                write!(f, "\n      {}", Line(other))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (0, Some(0)) => f.write_str("never"),
            (least, Some(most)) if least == most => write!(f, "exactly {least}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

/// The conditions as a command line has them.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operation.as_deref().unwrap_or("any call"))?;
        let given = [
            ("key", &self.key),
            ("resource", &self.resource),
            ("principal", &self.principal),
            ("account", &self.account),
            ("access-key", &self.access_key_id),
            ("source", &self.source),
            ("outcome", &self.outcome),
            ("error-code", &self.error_code),
            ("request-id", &self.request_id),
        ];
        for (name, value) in given {
            if let Some(value) = value {
                write!(f, " {name}={value}")?;
            }
        }
        self.context.iter().try_for_each(|(name, value)| write!(f, " context.{name}={value}"))
    }
}

/// A record in one line, with what expectations are about.
struct Line<'a>(&'a Record);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { index, event, .. } = self.0;
        let call = Query {
            operation: Some(event.operation.clone()),
            key: event.key.clone(),
            principal: Some(event.principal.clone()),
            outcome: Some(event.outcome.as_str().to_owned()),
            error_code: event.error_code.clone(),
            context: event.context.clone(),
            ..Query::default()
        };
        write!(f, "{index}: {call}")
    }
}

/// Expected calls at the most.
const CALLS: usize = 100;
/// Records of a window at the most.
const MOST: usize = 100_000;
/// Records that a report shows of each kind at the most.
const SHOWN: usize = 10;
/// Who does what this program does by itself.
const INTERNAL: &str = "strongroom.internal";

#[cfg(test)]
mod tests {
    use super::super::tests::Room;
    use super::*;

    /// Three calls, of which one has another context, with a read of the trail in between.
    fn room() -> Room {
        let call = |operation: &str, action: &str, case: &str| {
            let mut event = Event::new(chrono::DateTime::default(), "", operation, action);
            event.principal = "arn:aws:iam::111122223333:role/app".to_owned();
            event.context.insert("case".to_owned(), case.to_owned());
            event
        };
        let service =
            Event { principal: INTERNAL.to_owned(), ..call("DeleteKey", "kms:DeleteKey", "") };
        let room = Room::new();
        room.append_events(
            [
                call("Decrypt", "kms:Decrypt", "7"),
                call("Query", "strongroom:QueryAuditTrail", "7"),
                call("Decrypt", "kms:Decrypt", "8"),
                call("AssumeRole", "sts:AssumeRole", ""),
                service,
                call("Decrypt", "kms:Decrypt", "7"),
            ]
            .into_iter(),
        );
        room
    }

    fn seven() -> Query {
        Query::calls("Decrypt").with_context("case", "7")
    }

    #[test]
    fn what_is_as_expected_is_met() {
        let log = room().log;
        let any = || Query::calls("Decrypt");
        for expected in [
            Expectation::since(0).exactly(2, seven()),
            Expectation::since(1).exactly(1, seven()),
            Expectation::since(0).at_least(3, any()).at_most(3, any()).nothing_else(),
            Expectation::since(0).never(Query::calls("Encrypt")),
            Expectation::since(0).exactly(1, Query::calls("Query")),
            Expectation::within(seven()).exactly(2, any()).nothing_else(),
            Expectation::since(6).nothing_else(),
        ] {
            assert!(log.expect(&expected).unwrap().met, "{expected:?}");
        }
    }

    #[test]
    fn what_differs_is_said() {
        let log = room().log;
        let expected = Expectation::since(0)
            .exactly(3, seven())
            .at_least(1, Query::calls("Encrypt").on_key("alias/app"))
            .at_most(1, Query::default().by("arn:aws:iam::111122223333:role/app"))
            .never(seven());
        let report = log.expect(&expected).unwrap();
        assert!(!report.met);
        assert_eq!(report.calls.iter().map(|call| call.count).collect::<Vec<_>>(), [2, 0, 4, 2]);
        let expected = Expectation::since(0).exactly(3, seven()).nothing_else();
        let report = log.expect(&expected).unwrap().to_string();
        let other =
            "2: Decrypt principal=arn:aws:iam::111122223333:role/app outcome=failed context.case=8";
        assert_eq!(
            report,
            format!(
                "records 0..6 are not as expected\n! Decrypt context.case=7: exactly 3, found 2 \
                 (record 0, 5)\n      and yet {other}\n! nothing else, found 1\n      {other}"
            )
        );
    }

    #[test]
    fn an_expectation_without_sense_is_refused() {
        let log = room().log;
        let paged = Query { limit: Some(5), ..Query::default() };
        let contradiction = Times { least: 2, most: Some(1) };
        let many = vec![(Query::default(), Times { least: 0, most: None }); 101];
        for expected in [
            Expectation::within(paged),
            Expectation::since(0).times(contradiction, seven()),
            Expectation { calls: many, ..Expectation::since(0) },
            Expectation::since(0).exactly(1, seven().ending("well")),
        ] {
            assert!(matches!(log.expect(&expected), Err(Error::Query(_))), "{expected:?}");
        }
    }
}
