//! Whether a record is one that was asked for.
//!
//! A key may be asked for by an alias. What an alias named at the time of a record, the trail itself
//! tells: the records of the calls that made, moved and removed it.

use std::collections::BTreeMap;

use super::Error;
use super::event::{Event, Outcome};
use super::log::{Log, Record};
use super::query::{Order, Query, Wanted};
use super::term::{Term, alias_name, key_id};

/// A query's conditions on single records, with what the log knows of the alias in them.
#[derive(Debug, Clone)]
pub struct Filter {
    query: Query,
    alias: Option<Alias>,
}

impl Filter {
    /// Whether a record meets every condition.
    #[must_use]
    pub fn matches(&self, index: u64, event: &Event) -> bool {
        let Query { start_index, end_index, .. } = self.query;
        let in_range = start_index.is_none_or(|start| index >= start)
            && end_index.is_none_or(|end| index < end);
        let aliased = |alias: &Alias| alias.matches(index, event);
        in_range
            && self.query.matches_but_key(event)
            && match &self.alias {
                Some(alias) => aliased(alias),
                None => self.query.matches_key(event),
            }
    }

    /// Learns from a record that was written after the filter was made.
    pub fn observe(&mut self, record: &Record) {
        if let Some(alias) = &mut self.alias {
            alias.observe(record.index, &record.event);
        }
    }
}

impl Wanted for Filter {
    fn range(&self) -> &Query {
        &self.query
    }

    fn terms(&self) -> Vec<Vec<Term>> {
        let query = &self.query;
        let one = |asked: &Option<String>, term: fn(&str) -> Term| {
            asked.as_deref().map(|asked| vec![term(asked)])
        };
        let key = match &self.alias {
            Some(alias) => Some(alias.terms()),
            None => one(&query.key, Term::key),
        };
        let resource = query.resource.as_deref();
        let pairs = query.context.iter();
        [
            one(&query.request_id, Term::request),
            one(&query.error_code, Term::error_code),
            key,
            resource.map(|arn| vec![Term::resource(arn), Term::key(arn)]),
            one(&query.operation, Term::operation),
            one(&query.access_key_id, Term::access_key_id),
            one(&query.principal, Term::principal),
            one(&query.source, Term::source),
            one(&query.account, Term::account),
            one(&query.outcome, Term::outcome),
        ]
        .into_iter()
        .flatten()
        .chain(pairs.map(|(name, value)| vec![Term::pair(name, value), Term::many_pairs()]))
        .collect()
    }

    fn matches(&self, index: u64, event: &Event) -> bool {
        Self::matches(self, index, event)
    }
}

impl Log {
    /// Makes a query's conditions ready.
    ///
    /// # Errors
    /// [`Error::Query`] for conditions that make no sense, or an alias that was moved too often;
    /// [`Error::Index`] and what reading fails with.
    pub fn filter(&self, query: &Query) -> Result<Filter, Error> {
        query.check()?;
        let asked = query.key.as_deref().filter(|key| alias_name(key).is_some());
        let alias = asked.map(|asked| self.alias(asked)).transpose()?;
        Ok(Filter { query: query.clone(), alias })
    }

    /// What an alias named, and when.
    fn alias(&self, asked: &str) -> Result<Alias, Error> {
        let mut alias = Alias { asked: asked.to_owned(), named: BTreeMap::new() };
        let mut changes = Vec::new();
        for operation in CHANGES {
            let query = Query {
                operation: Some(operation.to_owned()),
                outcome: Some(Outcome::Success.as_str().to_owned()),
                order: Order::OldestFirst,
                ..Query::default()
            };
            let filter = Filter { query, alias: Some(alias.clone()) };
            let mut from = Some(0);
            while let Some(start) = from {
                let (found, next, _) = self.search(&filter, start..u64::MAX, MOST)?;
                changes.extend(found);
                if changes.len() >= MOST {
                    return Err(Error::Query("the alias changed too often: ask by key id"));
                }
                from = next;
            }
        }
        changes.sort_unstable_by_key(|record| record.index);
        changes.iter().for_each(|record| alias.observe(record.index, &record.event));
        Ok(alias)
    }
}

/// An alias, or those of one name in several accounts and regions, and the key of each over time.
#[derive(Debug, Clone)]
struct Alias {
    asked: String,
    /// By ARN: from which record on it named which key.
    named: BTreeMap<String, Vec<(u64, Option<String>)>>,
}

impl Alias {
    /// Whether a call named it, or was about the key that it named then.
    fn matches(&self, index: u64, event: &Event) -> bool {
        let named_then = |key: &str| {
            self.named.values().any(|keys| {
                let then = keys.iter().rev().find(|(from, _)| *from <= index);
                then.is_some_and(|(_, named)| named.as_deref() == Some(key))
            })
        };
        event.aliases().iter().any(|arn| self.is(arn))
            || event.key.as_deref().is_some_and(named_then)
    }

    fn observe(&mut self, index: u64, event: &Event) {
        if event.outcome != Outcome::Success || !CHANGES.contains(&event.operation.as_str()) {
            return;
        }
        let key = event.key.clone().filter(|_| event.operation != "DeleteAlias");
        for arn in event.aliases().into_iter().filter(|arn| self.is(arn)).collect::<Vec<_>>() {
            let keys = self.named.entry(arn).or_default();
            if keys.last().is_none_or(|(known, _)| *known < index) {
                keys.push((index, key.clone()));
            }
        }
    }

    fn is(&self, arn: &str) -> bool {
        arn == self.asked || alias_name(arn) == Some(&self.asked)
    }

    fn terms(&self) -> Vec<Term> {
        let keys = self.named.values().flatten().filter_map(|(_, key)| key.as_deref());
        let mut terms: Vec<_> = keys.map(Term::key).collect();
        terms.push(Term::alias(&self.asked));
        terms.sort_unstable();
        terms.dedup();
        terms
    }
}

impl Query {
    pub(super) fn matches_but_key(&self, event: &Event) -> bool {
        let is = |asked: &Option<String>, found: Option<&str>| {
            asked.as_deref().is_none_or(|asked| found == Some(asked))
        };
        let named =
            |arn: &String| event.key.as_ref() == Some(arn) || event.resources().contains(arn);
        self.start_time.is_none_or(|start| event.time >= start)
            && self.end_time.is_none_or(|end| event.time < end)
            && is(&self.request_id, Some(&event.request_id))
            && is(&self.error_code, event.error_code.as_deref())
            && is(&self.operation, Some(&event.operation))
            && is(&self.principal, Some(&event.principal))
            && is(&self.account, Some(&event.account))
            && is(&self.access_key_id, event.access_key_id.as_deref())
            && is(&self.source, Some(&event.source))
            && is(&self.outcome, Some(event.outcome.as_str()))
            && self.resource.as_ref().is_none_or(named)
            && self.context.iter().all(|(name, value)| event.context.get(name) == Some(value))
    }

    fn matches_key(&self, event: &Event) -> bool {
        let Some(asked) = &self.key else { return true };
        event.key.as_deref().is_some_and(|arn| {
            if asked.starts_with("arn:") { arn == asked } else { key_id(arn) == asked }
        })
    }
}

/// What makes, moves and removes aliases.
const CHANGES: [&str; 4] = ["CreateAlias", "CreateManagedKey", "DeleteAlias", "UpdateAlias"];
/// Changes of an alias that are followed at the most.
const MOST: usize = 1000;
