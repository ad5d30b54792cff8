//! The members of a request: each taken by name and type, blobs out of base64.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::kms::{Bytes, Recipient, Tag, Text};
use crate::service::Error;

/// A request's JSON object. Unknown members are passed over, as AWS does.
#[derive(Default)]
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Parses a body: an object, or nothing at all.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Error> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        // serde_json bounds the nesting (128); the body is bounded before.
        match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Error::Malformed("Start of structure or map expected".to_owned())),
            Err(error) => Err(Error::Malformed(format!(
                "line {}, column {}: no JSON",
                error.line(),
                error.column()
            ))),
        }
    }

    /// Whether a member was given.
    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A text that may be absent.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Error> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(unexpected(name, "a string", &other)),
        }
    }

    /// A text that is required; the service says so.
    pub(super) fn required(&mut self, name: &str) -> Result<Text, Error> {
        Ok(Text::received(self.text(name)?))
    }

    /// Bytes that are required, in base64; the service says so.
    pub(super) fn required_blob(&mut self, name: &str) -> Result<Bytes, Error> {
        Ok(Bytes::received(self.blob(name)?))
    }

    /// `Recipient`
    pub(super) fn recipient(&mut self) -> Result<Option<Recipient>, Error> {
        if !self.has("Recipient") {
            return Ok(None);
        }
        let mut recipient = self.structure("Recipient")?;
        Ok(Some(Recipient {
            key_encryption_algorithm: recipient.text("KeyEncryptionAlgorithm")?,
            attestation_document: recipient.blob("AttestationDocument")?,
        }))
    }

    /// A whole number that may be absent.
    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i32>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        number.map(Some).ok_or_else(|| unexpected(name, "an integer", &value))
    }

    /// Seconds since the epoch, perhaps with a fraction.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let wrong = || unexpected(name, "seconds since the epoch", &value);
        // Whole milliseconds: what a double holds of any date that there is.
        let text = value.as_f64().map(|seconds| format!("{:.0}", seconds * 1000.0));
        let milliseconds = text.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
        DateTime::from_timestamp_millis(milliseconds).map(Some).ok_or_else(wrong)
    }

    /// Yes or no; no when absent.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Error> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(unexpected(name, "a boolean", &other)),
        }
    }

    /// A structure; one without members when absent.
    pub(super) fn structure(&mut self, name: &str) -> Result<Self, Error> {
        match self.take(name) {
            None => Ok(Self::default()),
            Some(Value::Object(members)) => Ok(Self(members)),
            Some(other) => Err(unexpected(name, "a structure", &other)),
        }
    }

    /// A list of structures; none when absent.
    pub(super) fn structures(&mut self, name: &str) -> Result<Vec<Self>, Error> {
        let structure = |item| match item {
            Value::Object(members) => Ok(Self(members)),
            other => Err(unexpected(name, "structures", &other)),
        };
        self.list(name)?.into_iter().map(structure).collect()
    }

    /// Bytes, in base64; wiped where they were text.
    pub(super) fn blob(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut text) = self.text(name)? else { return Ok(None) };
        let bytes = STANDARD.decode(&text);
        text.zeroize();
        let wrong = |_| Error::Malformed(format!("{name} is not base64"));
        Ok(Some(bytes.map_err(wrong)?))
    }

    /// A list of texts; none when absent.
    pub(super) fn texts(&mut self, name: &str) -> Result<Vec<String>, Error> {
        Ok(self.some_texts(name)?.unwrap_or_default())
    }

    /// A list of texts that may be absent.
    pub(super) fn some_texts(&mut self, name: &str) -> Result<Option<Vec<String>>, Error> {
        if !self.has(name) {
            return Ok(None);
        }
        let text = |item| match item {
            Value::String(text) => Ok(text),
            other => Err(unexpected(name, "strings", &other)),
        };
        self.list(name)?.into_iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// `DryRunModifiers`, which mean something in a dry run alone.
    pub(super) fn dry_run_modifiers(&mut self) -> Result<Vec<String>, Error> {
        let given = self.texts("DryRunModifiers")?;
        let is_dry_run = self.0.get("DryRun") == Some(&Value::Bool(true));
        Ok(if is_dry_run { given } else { Vec::new() })
    }

    /// A map of texts; none when absent.
    pub(super) fn context(&mut self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let pairs = match self.take(name) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Object(pairs)) => pairs,
            Some(other) => return Err(unexpected(name, "a map", &other)),
        };
        let pair = |(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            other => Err(unexpected(name, "a map of strings", &other)),
        };
        pairs.into_iter().map(pair).collect()
    }

    /// `Tags`
    pub(super) fn tags(&mut self) -> Result<Vec<Tag>, Error> {
        let tag = |mut members: Self| {
            let tag_key = members.required("TagKey")?;
            Ok(Tag { tag_key, tag_value: members.required("TagValue")? })
        };
        self.structures("Tags")?.into_iter().map(tag).collect()
    }

    fn list(&mut self, name: &str) -> Result<Vec<Value>, Error> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => Ok(items),
            Some(other) => Err(unexpected(name, "a list", &other)),
        }
    }
}

/// Says what was expected; never shows what was found, which may be a secret.
fn unexpected(name: &str, expected: &str, found: &Value) -> Error {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a structure",
    };
    Error::Malformed(format!("{name}: expected {expected}, found {found}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wrong_types_are_named_and_never_shown() {
        let mut members =
            Members::parse(br#"{"KeyId": 5, "Plaintext": "!!", "Limit": 1.5}"#).unwrap();
        for refused in [
            members.text("KeyId").unwrap_err(),
            members.blob("Plaintext").unwrap_err(),
            members.integer("Limit").unwrap_err(),
        ] {
            let text = refused.to_string();
            assert!(!text.contains("!!") && !text.contains("1.5"), "{text}");
        }
        assert_eq!(members.text("Absent").unwrap(), None);
    }

    #[test]
    fn truncated_deep_and_foreign_bodies_are_refused() {
        let deep = "[".repeat(100_000);
        for body in ["{", "[]", "5", "{\"a\":}", "\u{0}", deep.as_str()] {
            assert!(matches!(Members::parse(body.as_bytes()), Err(Error::Malformed(_))));
        }
        assert!(Members::parse(b"\xff\xfe").is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Members::parse(&bytes);
        }
    }
}
