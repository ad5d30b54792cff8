//! What AWS's front end finds wrong with a request before anything is looked up. Every violation is
//! reported, in AWS's wording.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::given::{Bytes, Text};
use super::outputs::{GrantConstraints, Tag};
use super::requests::Recipient;
use super::rules::{Form, Rule, SOURCE_ARN, is_required, rule};
use crate::crypto::Plaintext;

/// What is wrong with a request.
#[derive(Debug, Default)]
pub struct Violations {
    messages: Vec<String>,
    count: usize,
}

/// Violations that are told; more are counted. A request may have hundreds of thousands.
const TOLD: usize = 100;

impl Violations {
    /// Checks one member.
    pub(super) fn check(&mut self, request: &str, member: &str, value: &dyn Member) {
        let name = camel_case(member);
        if !value.is_missing() {
            value.check(&name, rule(request, member), self);
        } else if is_required(request, member).unwrap_or_else(|| value.is_required()) {
            self.null(&name);
        }
    }

    /// Checks a member of a structure that is required there.
    fn required(&mut self, value: &dyn Member, name: &str, rule: Rule) {
        match value.is_missing() {
            true => self.null(name),
            false => value.check(name, rule, self),
        }
    }

    fn null(&mut self, name: &str) {
        let constraint = "Member must not be null";
        self.found(|| format!("Value null at '{name}' failed to satisfy constraint: {constraint}"));
    }

    /// The message of a `ValidationException`, when there is something to say.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let (count, messages) = (self.count, &self.messages);
        let errors = if count == 1 { "error" } else { "errors" };
        (count > 0)
            .then(|| format!("{count} validation {errors} detected: {}", messages.join("; ")))
    }

    fn found(&mut self, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.messages.len() < TOLD {
            self.messages.push(message());
        }
    }

    fn add(&mut self, value: Option<&str>, name: &str, constraint: &str) {
        let shown = value.map_or_else(String::new, |value| {
            let shown: String = value.chars().take(256).collect();
            format!(" '{shown}'")
        });
        let told =
            || format!("Value{shown} at '{name}' failed to satisfy constraint: {constraint}");
        self.found(told);
    }

    fn bounds(
        &mut self,
        shown: Option<&str>,
        name: &str,
        length: usize,
        (least, most): (usize, usize),
    ) {
        if length < least {
            let constraint = format!("Member must have length greater than or equal to {least}");
            self.add(shown, name, &constraint);
        }
        if length > most {
            let constraint = format!("Member must have length less than or equal to {most}");
            self.add(shown, name, &constraint);
        }
    }

    fn text(&mut self, text: &str, name: &str, rule: Rule) {
        match rule {
            Rule::Text(least, most, form) => {
                self.bounds(Some(text), name, text.chars().count(), (least, most));
                if let Some(Form { shown, matches }) = form
                    && !matches(text)
                {
                    let constraint =
                        format!("Member must satisfy regular expression pattern: {shown}");
                    self.add(Some(text), name, &constraint);
                }
            }
            Rule::OneOf(set) if !set.contains(&text) => {
                let set = set.join(", ");
                let constraint = format!("Member must satisfy enum value set: [{set}]");
                self.add(Some(text), name, &constraint);
            }
            Rule::Any | Rule::Bytes(..) | Rule::OneOf(_) | Rule::Range(..) | Rule::List(..) => {}
        }
    }
}

/// A member's value, as far as constraints see it.
pub(super) trait Member {
    /// Whether a type that has no room for none is empty.
    fn is_required(&self) -> bool {
        false
    }
    /// Whether there is nothing to check.
    fn is_missing(&self) -> bool;
    /// Reports what violates the rule.
    fn check(&self, name: &str, rule: Rule, found: &mut Violations);
}

impl Member for Text {
    fn is_required(&self) -> bool {
        true
    }

    fn is_missing(&self) -> bool {
        Self::is_missing(self)
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        found.text(self, name, rule);
    }
}

impl Member for Option<String> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Some(text) = self {
            found.text(text, name, rule);
        }
    }
}

impl Member for Bytes {
    fn is_required(&self) -> bool {
        true
    }

    fn is_missing(&self) -> bool {
        Self::is_missing(self)
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Rule::Bytes(least, most) = rule {
            found.bounds(None, name, self.len(), (least, most));
        }
    }
}

impl Member for Option<Plaintext> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let (Rule::Bytes(least, most), Some(bytes)) = (rule, self) {
            found.bounds(None, name, bytes.len(), (least, most));
        }
    }
}

impl Member for Option<i32> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        let (Rule::Range(least, most), Some(number)) = (rule, *self) else { return };
        let shown = number.to_string();
        if number < least {
            let constraint = format!("Member must have value greater than or equal to {least}");
            found.add(Some(&shown), name, &constraint);
        }
        if number > most {
            let constraint = format!("Member must have value less than or equal to {most}");
            found.add(Some(&shown), name, &constraint);
        }
    }
}

impl Member for Vec<String> {
    fn is_missing(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        let Rule::List(least, most, of) = rule else { return };
        let shown = format!("[{}]", self.join(", "));
        found.bounds(Some(&shown), name, self.len(), (least, most));
        // Of a list's entries AWS names all constraints at once, and not which entry violates one.
        let mut inner = Violations::default();
        self.iter().for_each(|text| inner.text(text, name, *of));
        if inner.count > 0 {
            let constraint = format!("Member must satisfy constraint: [{}]", of.constraints());
            found.add(Some(&shown), name, &constraint);
        }
    }
}

impl Member for Option<Vec<String>> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, rule: Rule, found: &mut Violations) {
        if let Some(list) = self {
            list.check(name, rule, found);
        }
    }
}

impl Member for Vec<Tag> {
    fn is_missing(&self) -> bool {
        self.is_empty()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        for (number, tag) in (1..).zip(self) {
            let member = |part: &str| format!("{name}.{number}.member.{part}");
            found.required(&tag.tag_key, &member("tagKey"), Rule::Text(1, 128, None));
            found.required(&tag.tag_value, &member("tagValue"), Rule::Text(0, 256, None));
        }
    }
}

/// Types of which the model says nothing more.
macro_rules! unconstrained {
    ($($type:ty),+) => {$(
        impl Member for $type {
            fn is_missing(&self) -> bool {
                true
            }

            fn check(&self, _name: &str, _rule: Rule, _found: &mut Violations) {}
        }
    )+};
}

unconstrained!(bool, BTreeMap<String, String>, Option<DateTime<Utc>>, Option<bool>);

impl Member for GrantConstraints {
    fn is_missing(&self) -> bool {
        self.source_arn.is_none()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        let rule = Rule::Text(20, 512, Some(SOURCE_ARN));
        self.source_arn.check(&format!("{name}.sourceArn"), rule, found);
    }
}

impl Member for Option<Recipient> {
    fn is_missing(&self) -> bool {
        self.is_none()
    }

    fn check(&self, name: &str, _rule: Rule, found: &mut Violations) {
        let Some(Recipient { key_encryption_algorithm, attestation_document }) = self else {
            return;
        };
        let rule = Rule::OneOf(&["RSAES_OAEP_SHA_256"]);
        key_encryption_algorithm.check(&format!("{name}.keyEncryptionAlgorithm"), rule, found);
        if let Some(document) = attestation_document {
            let name = format!("{name}.attestationDocument");
            found.bounds(None, &name, document.len(), (1, 262_144));
        }
    }
}

/// `key_id` → `keyId`
fn camel_case(member: &str) -> String {
    let mut words = member.split('_');
    let mut name = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::super::requests::{CreateAlias, Encrypt, Request, Sign};
    use super::*;

    #[test]
    fn every_violation_is_reported_in_awss_words() {
        let request = CreateAlias { alias_name: "a b".to_owned().into(), ..CreateAlias::default() };
        assert_eq!(
            request.violations().message().unwrap(),
            "2 validation errors detected: Value 'a b' at 'aliasName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; Value \
             null at 'targetKeyId' failed to satisfy constraint: Member must not be null"
        );
        let tokens = vec!["t".to_owned(); 11];
        let request = Encrypt {
            key_id: "k".repeat(2049).into(),
            plaintext: Some(Plaintext::from(b"secret".repeat(1000))),
            encryption_algorithm: Some("ROT13".to_owned()),
            grant_tokens: tokens,
            ..Encrypt::default()
        };
        let message = request.violations().message().unwrap();
        assert!(message.starts_with("4 validation errors detected: "), "{message}");
        assert!(!message.contains("secret") && message.len() < 2000);
        assert_eq!(Sign::default().violations().count, 3);
    }
}
