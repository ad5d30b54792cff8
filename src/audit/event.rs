//! What is written down of a call: the entry of the log, as JSON.
//!
//! Members that are empty are left out. The order is that of the struct, so equal events have
//! equal bytes; still, readers hash the stored bytes, never their own serialisation.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Error;
use super::checkpoint::LogSigner;
use super::sealed::Sealing;
use super::term::{Term, alias_name};

/// Bytes of an entry at the most: what a C2SP entry bundle can hold.
pub const MAX_LEN: usize = 65_535;

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered with a result.
    Success,
    /// The caller was not allowed, or proved nobody.
    Refused,
    /// What was asked could not be done.
    Failed,
}

impl Outcome {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// One call. Field by field: docs/formats.md, "Event".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "docs/formats.md describes each member once, in one table")]
pub struct Event {
    pub v: u8,
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub time: DateTime<Utc>,
    pub request_id: String,
    pub operation: String,
    pub action: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub principal: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub door: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_version: Option<u32>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    pub read_only: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
}

/// An encoded event on its way into the log.
#[derive(Debug, Clone)]
pub struct Leaf {
    /// The entry.
    pub bytes: Vec<u8>,
    pub(super) time: i64,
    pub(super) terms: Vec<Term>,
    pub(super) change: Option<LogChange>,
}

/// What the commit of an entry does to the log, beside appending it.
#[derive(Debug, Clone)]
pub enum LogChange {
    /// This key signs from the entry's checkpoint on, and that one, too.
    HandOver(Arc<LogSigner>),
    /// These records, which are in the archive, leave the store.
    Seal(Arc<Sealing>),
}

impl Leaf {
    /// The entry that says so of a change.
    #[must_use]
    pub fn changing(mut self, change: Option<LogChange>) -> Self {
        self.change = change;
        self
    }
}

impl Event {
    /// An event of a call that has just begun.
    #[must_use]
    pub fn new(time: DateTime<Utc>, request_id: &str, operation: &str, action: &str) -> Self {
        Self {
            v: FORMAT,
            time: time.trunc_subsecs(6),
            request_id: request_id.to_owned(),
            operation: operation.to_owned(),
            action: action.to_owned(),
            principal: String::new(),
            access_key_id: None,
            account: String::new(),
            region: String::new(),
            source: String::new(),
            door: String::new(),
            user_agent: None,
            outcome: Outcome::Failed,
            error_code: None,
            error_message: None,
            key: None,
            key_version: None,
            context: BTreeMap::new(),
            parameters: BTreeMap::new(),
            read_only: false,
            decided_by: None,
            cut: Vec::new(),
        }
    }

    /// Encodes the event; what makes it too large is left out and named in `cut`.
    #[must_use]
    pub fn into_leaf(mut self) -> Leaf {
        let mut bytes = self.encode();
        if bytes.len() > MAX_LEN {
            self.cut_down();
            bytes = self.encode();
        }
        let time = self.time.timestamp_micros();
        Leaf { bytes, time, terms: Term::of(&self), change: None }
    }

    /// Whether it is of this program's own operations (reading the trail, explaining access) and so no
    /// call of a service that is imitated.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.action.starts_with("strongroom:")
    }

    /// ARNs of the aliases that the request named; of none that the trail was asked for.
    #[must_use]
    pub fn aliases(&self) -> Vec<String> {
        let named = self.named(&NAMES);
        let arn = |name: &str| match name.starts_with("alias/") {
            true => format!("arn:aws:kms:{}:{}:{name}", self.region, self.account),
            false => name.to_owned(),
        };
        named.filter(|name| alias_name(name).is_some()).map(arn).collect()
    }

    /// Whether it is of a call of S3 that CloudTrail has among its data events: on objects, and on what is in a
    /// bucket, but not on what a bucket is set to.
    #[must_use]
    pub fn is_data(&self) -> bool {
        let settings = ["Bucket", "PublicAccessBlock"];
        let is_setting = settings.iter().any(|what| self.operation.contains(what));
        self.action.starts_with("s3:") && (!is_setting || self.operation == "HeadBucket")
    }

    /// ARNs of the objects and the buckets that the request named.
    fn stored(&self) -> Vec<String> {
        if !self.action.starts_with("s3:") {
            return Vec::new();
        }
        let text = |name: &str| self.parameters.get(name).and_then(Value::as_str);
        let mut arns = Vec::new();
        for (bucket, key) in [("bucket", "key"), ("source_bucket", "source_key")] {
            if let Some(bucket) = text(bucket) {
                arns.extend(text(key).map(|key| format!("arn:aws:s3:::{bucket}/{key}")));
                arns.push(format!("arn:aws:s3:::{bucket}"));
            }
        }
        arns
    }

    /// ARNs of what the request named: aliases, other keys than the one that was used, a role, objects and
    /// their buckets.
    #[must_use]
    pub fn resources(&self) -> Vec<String> {
        let named = self.named(&NAMES).chain(self.named(&["role_arn"]));
        let arns = named.filter(|name| name.starts_with("arn:") && alias_name(name).is_none());
        let others = arns.filter(|arn| self.key.as_deref() != Some(arn)).map(str::to_owned);
        self.aliases().into_iter().chain(others).chain(self.stored()).collect()
    }

    fn named(&self, parameters: &'static [&'static str]) -> impl Iterator<Item = &str> {
        let parameters = parameters.iter().filter(|_| !self.is_own());
        parameters.filter_map(|name| self.parameters.get(*name)?.as_str())
    }

    /// Parses an entry.
    ///
    /// # Errors
    /// [`Error::Event`] for bytes that are none.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_LEN {
            return Err(Error::Event);
        }
        let event: Self = serde_json::from_slice(bytes).map_err(|_| Error::Event)?;
        if event.v == FORMAT { Ok(event) } else { Err(Error::Event) }
    }

    fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Keeps who, what, when and how it ended. A caller cannot escape its record by its size, nor stop
    /// the log with an entry that it cannot hold.
    fn cut_down(&mut self) {
        let mut cut = Vec::new();
        if !self.parameters.is_empty() {
            self.parameters.clear();
            cut.push("parameters".to_owned());
        }
        if self.encode().len() > CUT_LEN && !self.context.is_empty() {
            self.context.clear();
            cut.push("context".to_owned());
        }
        for (name, text) in [
            ("error_message", self.error_message.as_mut()),
            ("user_agent", self.user_agent.as_mut()),
            ("access_key_id", self.access_key_id.as_mut()),
            ("region", Some(&mut self.region)),
            ("source", Some(&mut self.source)),
            ("operation", Some(&mut self.operation)),
            ("action", Some(&mut self.action)),
        ] {
            let Some(text) = text.filter(|text| text.len() > TEXT_LEN) else { continue };
            *text = text.chars().take(TEXT_LEN / 4).collect();
            cut.push(name.to_owned());
        }
        // What nobody has so long but by mistake: names of principals, keys, statements.
        if self.encode().len() > CUT_LEN {
            for (name, text) in [
                ("principal", Some(&mut self.principal)),
                ("account", Some(&mut self.account)),
                ("request_id", Some(&mut self.request_id)),
                ("door", Some(&mut self.door)),
                ("error_code", self.error_code.as_mut()),
                ("key", self.key.as_mut()),
                ("decided_by", self.decided_by.as_mut()),
            ] {
                let Some(text) = text.filter(|text| text.len() > TEXT_LEN) else { continue };
                *text = text.chars().take(TEXT_LEN / 4).collect();
                cut.push(name.to_owned());
            }
        }
        self.cut = cut;
    }
}

const FORMAT: u8 = 1;
/// The parameters that name keys or aliases.
const NAMES: [&str; 5] =
    ["key_id", "alias_name", "target_key_id", "source_key_id", "destination_key_id"];
/// Room for `cut` itself.
const CUT_LEN: usize = MAX_LEN - 1024;
/// Bytes of a text in an event that was cut: all fourteen fit, though each byte is escaped by six.
const TEXT_LEN: usize = 512;

fn write_time<S: Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn read_time<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    let text = <&str>::deserialize(from)?;
    let time = DateTime::parse_from_rfc3339(text).map_err(serde::de::Error::custom)?;
    Ok(time.to_utc())
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn event(number: u32) -> Event {
        let time = DateTime::from_timestamp_micros(1_800_000_000_000_000 + i64::from(number));
        let mut event = Event::new(
            time.unwrap(),
            &format!("00000000-0000-4000-8000-{number:012}"),
            ["GenerateDataKey", "Decrypt", "ListKeys"][usize::try_from(number % 3).unwrap()],
            "kms:Action",
        );
        event.principal = format!("arn:aws:iam::{:012}:root", number % 2);
        event.outcome = [Outcome::Success, Outcome::Failed][usize::from(number.is_multiple_of(5))];
        if number.is_multiple_of(5) {
            event.error_code = Some("DisabledException".to_owned());
        }
        if number % 3 != 2 {
            let id = number % 4;
            event.key = Some(format!(
                "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-00000000000{id}"
            ));
        }
        event.context.insert("n".to_owned(), (number % 7).to_string());
        event
    }

    #[test]
    fn the_bytes_are_the_documented_ones() {
        let expected = r#"{"v":1,"time":"2027-01-15T08:00:00.000001Z","request_id":"00000000-0000-4000-8000-000000000001","operation":"Decrypt","action":"kms:Action","principal":"arn:aws:iam::000000000001:root","outcome":"success","key":"arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000001","context":{"n":"1"},"read_only":false}"#;
        let leaf = event(1).into_leaf();
        assert_eq!(String::from_utf8(leaf.bytes.clone()).unwrap(), expected);
        assert_eq!(Event::decode(&leaf.bytes).unwrap(), event(1));
        let documented = include_str!("../../docs/formats.md");
        let hash = hex::encode(tlog_tiles::tlog::record_hash(&leaf.bytes).0);
        assert!(documented.contains(expected) && documented.contains(&format!("entry) = {hash}")));
    }

    #[test]
    fn an_event_too_large_is_cut_and_says_so() {
        let mut event = event(1);
        event.context = (0..100).map(|i| (i.to_string(), "\u{1}".repeat(1000))).collect();
        event.error_message = Some("x".repeat(80_000));
        event.parameters.insert("p".to_owned(), "y".repeat(80_000).into());
        let leaf = event.into_leaf();
        assert!(leaf.bytes.len() <= MAX_LEN);
        let read = Event::decode(&leaf.bytes).unwrap();
        assert_eq!(read.cut, ["parameters", "context", "error_message"]);
        assert_eq!(read.operation, "Decrypt");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn whatever_an_event_holds_it_fits_and_says_what_it_left_out(
            lengths in prop::collection::vec(
                prop::sample::select(vec![0_usize, 1, 500, 512, 513, 5000, 70_000]), 16),
            filler in prop::sample::select(vec!["\u{1}", "x", "\"", "\u{10348}"]),
        ) {
            let text = |at: usize| filler.repeat(lengths[at]);
            let mut event = event(1);
            event.request_id = text(0);
            event.operation = text(1);
            event.action = text(2);
            event.principal = text(3);
            event.access_key_id = Some(text(4));
            event.account = text(5);
            event.region = text(6);
            event.source = text(7);
            event.door = text(8);
            event.user_agent = Some(text(9));
            event.error_code = Some(text(10));
            event.error_message = Some(text(11));
            event.key = Some(text(12));
            event.decided_by = Some(text(13));
            event.context = BTreeMap::from([(text(14), text(14))]);
            event.parameters.insert("p".to_owned(), text(15).into());
            let whole = event.clone();
            let leaf = event.into_leaf();
            prop_assert!(leaf.bytes.len() <= MAX_LEN);
            let read = Event::decode(&leaf.bytes).unwrap();
            prop_assert_eq!(read.cut.is_empty(), read == whole);
            prop_assert_eq!((read.time, read.outcome), (whole.time, whole.outcome));
        }

    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Event::decode(&bytes);
        }
    }
}
