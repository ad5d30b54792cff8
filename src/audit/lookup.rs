//! What AWS CloudTrail's `LookupEvents` finds: an account's calls in a region, newest first.
//!
//! Source: AWS CloudTrail API Reference, `LookupEvents`; botocore's service model (2013-11-01).

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Error;
use super::cloudtrail::{CloudTrailEvent, aws_name, our_names, resources, source, user_name};
use super::event::Event;
use super::log::Log;
use super::query::{Order, Query, Wanted};
use super::term::{Term, alias_name, key_id};

/// A lookup, as it was presented.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Name and value; one at the most.
    pub attributes: Vec<(String, String)>,
    /// Not before.
    pub start_time: Option<DateTime<Utc>>,
    /// Not after.
    pub end_time: Option<DateTime<Utc>>,
    /// `insight`, of which there are none.
    pub event_category: Option<String>,
    /// 1 to 50; 50 when absent.
    pub max_results: Option<i32>,
    /// Where the page before ended.
    pub next_token: Option<String>,
}

/// A page of events.
#[derive(Debug, Clone, PartialEq)]
pub struct LookedUp {
    /// Newest first.
    pub events: Vec<CloudTrailEvent>,
    /// Gives the next page.
    pub next_token: Option<String>,
}

/// What of a lookup is not valid; each is an exception of CloudTrail's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLookup {
    /// `InvalidLookupAttributesException`
    #[error("{0}")]
    Attributes(&'static str),
    /// `InvalidEventCategoryException`
    #[error("EventCategory can be insight alone")]
    EventCategory,
    /// `InvalidMaxResultsException`
    #[error("MaxResults must be 1 to 50")]
    MaxResults,
    /// `InvalidNextTokenException`
    #[error("NextToken is none, or of a lookup with other parameters")]
    NextToken,
    /// `InvalidTimeRangeException`
    #[error("StartTime must not be after EndTime")]
    TimeRange,
}

impl Log {
    /// Looks events up, for an account in a region. What lies more than 90 days back is not found.
    ///
    /// # Errors
    /// [`Error::Lookup`]; otherwise as [`Self::query`].
    pub fn look_up(
        &self,
        lookup: &Lookup,
        (account, region): (&str, &str),
        now: DateTime<Utc>,
    ) -> Result<LookedUp, Error> {
        let limit = match lookup.max_results {
            None => 50,
            Some(given) => usize::try_from(given)
                .ok()
                .filter(|given| (1..=50).contains(given))
                .ok_or(InvalidLookup::MaxResults)?,
        };
        if lookup.start_time.is_some_and(|start| lookup.end_time.is_some_and(|end| start > end)) {
            return Err(InvalidLookup::TimeRange.into());
        }
        let attribute = match lookup.attributes.as_slice() {
            [] => None,
            [(name, value)] => Some(Attribute::parse(name, value)?),
            _ => {
                return Err(InvalidLookup::Attributes("only one attribute can be looked up").into());
            }
        };
        let oldest = now - TimeDelta::days(90);
        let range = Query {
            start_time: Some(lookup.start_time.map_or(oldest, |start| start.max(oldest))),
            // The end is included, and an entry's time has whole microseconds.
            end_time: lookup.end_time.map(|end| end + TimeDelta::microseconds(1)),
            account: Some(account.to_owned()),
            order: Order::NewestFirst,
            ..Query::default()
        };
        // What names the lookup: not the oldest time, which moves on.
        let named = Query {
            start_time: lookup.start_time,
            operation: lookup.attributes.first().map(|(name, value)| format!("{name}={value}")),
            source: Some(region.to_owned()),
            ..range.clone()
        };
        let end = match &lookup.next_token {
            None => u64::MAX,
            Some(token) => named.parse_token(token).map_err(|_| InvalidLookup::NextToken)?,
        };
        match lookup.event_category.as_deref() {
            None => {}
            Some("insight") => return Ok(LookedUp { events: Vec::new(), next_token: None }),
            Some(_) => return Err(InvalidLookup::EventCategory.into()),
        }
        let wanted = Seen { range, region: region.to_owned(), attribute };
        let (records, next, _) = self.search(&wanted, 0..end, limit)?;
        let events = records.iter();
        let events = events.filter_map(|found| CloudTrailEvent::of(found.index, &found.event));
        Ok(LookedUp { events: events.collect(), next_token: next.map(|next| named.token(next)) })
    }
}

impl Lookup {
    /// What was asked, by name, for the record of the lookup itself.
    #[must_use]
    pub fn conditions(&self) -> BTreeMap<String, Value> {
        let attributes: Vec<_> = self
            .attributes
            .iter()
            .map(|(name, value)| json!({ "attributeKey": name, "attributeValue": value }))
            .collect();
        let given = [
            ("lookup_attributes", (!attributes.is_empty()).then(|| json!(attributes))),
            ("start_time", self.start_time.map(|time| json!(time))),
            ("end_time", self.end_time.map(|time| json!(time))),
            ("event_category", self.event_category.as_ref().map(|category| json!(category))),
            ("max_results", self.max_results.map(|most| json!(most))),
            ("next_token", self.next_token.as_ref().map(|token| json!(token))),
        ];
        given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

/// What a lookup finds: events that are seen in an account and region, and meet an attribute.
struct Seen {
    range: Query,
    region: String,
    attribute: Option<Attribute>,
}

impl Wanted for Seen {
    fn range(&self) -> &Query {
        &self.range
    }

    fn terms(&self) -> Vec<Vec<Term>> {
        let account = self.range.account.as_deref().map(|account| vec![Term::account(account)]);
        let attribute = self.attribute.as_ref().and_then(Attribute::terms);
        attribute.into_iter().chain(account).collect()
    }

    fn matches(&self, _: u64, event: &Event) -> bool {
        !event.is_own()
            && !event.is_data() // as on AWS, which looks up management events alone
            && event.region == self.region
            && self.range.matches_but_key(event)
            && self.attribute.as_ref().is_none_or(|attribute| attribute.matches(event))
    }
}

/// The attribute that a lookup has.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Attribute {
    AccessKeyId(String),
    EventId(String),
    EventName(String),
    EventSource(String),
    ReadOnly(bool),
    ResourceName(String),
    ResourceType(String),
    Username(String),
}

impl Attribute {
    fn parse(name: &str, value: &str) -> Result<Self, InvalidLookup> {
        let text = value.to_owned();
        if !(1..=2000).contains(&value.chars().count()) {
            return Err(InvalidLookup::Attributes("AttributeValue has 1 to 2,000 characters"));
        }
        Ok(match name {
            "AccessKeyId" => Self::AccessKeyId(text),
            "EventId" => Self::EventId(text),
            "EventName" => Self::EventName(text),
            "EventSource" => Self::EventSource(text),
            "ReadOnly" => match value {
                "true" => Self::ReadOnly(true),
                "false" => Self::ReadOnly(false),
                _ => return Err(InvalidLookup::Attributes("ReadOnly is true or false")),
            },
            "ResourceName" => Self::ResourceName(text),
            "ResourceType" => Self::ResourceType(text),
            "Username" => Self::Username(text),
            _ => {
                return Err(InvalidLookup::Attributes(
                    "AttributeKey is AccessKeyId, EventId, EventName, EventSource, ReadOnly, \
                     ResourceName, ResourceType or Username",
                ));
            }
        })
    }

    /// What leads to it, where something is indexed.
    fn terms(&self) -> Option<Vec<Term>> {
        Some(match self {
            Self::AccessKeyId(id) => vec![Term::access_key_id(id)],
            Self::EventId(id) => vec![Term::request(id)],
            Self::EventName(name) => our_names(name).map(Term::operation).collect(),
            Self::ReadOnly(is) => vec![Term::read_only(*is)],
            Self::ResourceName(name) => {
                vec![Term::key(name), Term::alias(name), Term::resource(name)]
            }
            Self::Username(name) => vec![Term::user_name(name)],
            Self::EventSource(_) | Self::ResourceType(_) => return None,
        })
    }

    fn matches(&self, event: &Event) -> bool {
        let names = |arn: &str, name: &str| {
            arn == name
                || alias_name(arn) == Some(name)
                || (arn.contains(":key/") && key_id(arn) == name)
        };
        match self {
            Self::AccessKeyId(id) => event.access_key_id.as_ref() == Some(id),
            Self::EventId(id) => event.request_id == *id,
            Self::EventName(name) => aws_name(&event.operation) == name,
            Self::EventSource(name) => source(event) == *name,
            Self::ReadOnly(is) => event.read_only == *is,
            Self::ResourceName(name) => {
                resources(event).iter().any(|found| names(&found.arn, name))
            }
            Self::ResourceType(kind) => resources(event).iter().any(|found| found.kind == kind),
            Self::Username(name) => user_name(&event.principal) == Some(name),
        }
    }
}
