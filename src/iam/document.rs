//! Policy documents: JSON, read strictly into statements.
//!
//! A member that is not part of the grammar, an operator that does not exist, a pattern that cannot be
//! one: whatever is not understood is refused, because a policy half obeyed is none.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language"; AWS KMS Developer Guide, "Key
//! policies in AWS KMS".

use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Conditions;
use super::pattern::Pattern;
use super::policy::{Actions, Effect, Listed, Policy, Statement};

/// Where a document is used, and so what it may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On a user, a role or a session, or as a boundary: for whoever holds it.
    Identity,
    /// On a bucket: says who.
    Bucket,
    /// On a key: says who.
    Key,
    /// On a role: who may assume it.
    Trust,
}

/// What is wrong with a document, for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Bytes of a document at the most, of any kind: a key policy's (API reference, `PutKeyPolicy`).
pub const LONGEST: usize = 32_768;

/// Characters of a session's policy at the most (STS API Reference, `AssumeRole`).
pub const LONGEST_SESSION_POLICY: usize = 2_048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Document {
    version: Option<String>,
    #[serde(rename = "Id")]
    _id: Option<String>,
    statement: OneOrMany<StatementDocument>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct StatementDocument {
    sid: Option<String>,
    effect: String,
    principal: Option<PrincipalDocument>,
    not_principal: Option<PrincipalDocument>,
    action: Option<OneOrMany<String>>,
    not_action: Option<OneOrMany<String>>,
    resource: Option<OneOrMany<String>>,
    not_resource: Option<OneOrMany<String>>,
    condition: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

enum PrincipalDocument {
    Anyone(String),
    Named(Named),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    #[serde(rename = "AWS")]
    aws: Option<OneOrMany<String>>,
    #[serde(rename = "Service")]
    service: Option<OneOrMany<String>>,
    #[serde(rename = "Federated")]
    federated: Option<OneOrMany<String>>,
    #[serde(rename = "CanonicalUser")]
    canonical_user: Option<OneOrMany<String>>,
}

impl Policy {
    /// Reads a document. Records call it `name`.
    ///
    /// # Errors
    /// [`Malformed`], which names the statement and what is wrong with it.
    pub fn parse(name: &str, text: &str, kind: Kind) -> Result<Self, Malformed> {
        if text.len() > LONGEST {
            return Err(Malformed(format!("the policy is longer than {LONGEST} bytes")));
        }
        let document: Document = serde_json::from_str(text).map_err(|error| {
            Malformed(format!(
                "the policy is not a policy document: {error}, line {}, column {}",
                error.line(),
                error.column()
            ))
        })?;
        let variables = match document.version.as_deref() {
            Some("2012-10-17") => true,
            None | Some("2008-10-17") => false,
            Some(_) => {
                return Err(Malformed("Version must be 2012-10-17 or 2008-10-17".to_owned()));
            }
        };
        let statements = document.statement.into_vec();
        if statements.is_empty() {
            return Err(Malformed("the policy has no statement".to_owned()));
        }
        let read = (1..).zip(statements).map(|(number, found)| found.read(number, kind, variables));
        let statements: Vec<Statement> = read.collect::<Result<_, _>>()?;
        if kind == Kind::Identity && !are_unique(&statements) {
            return Err(Malformed(
                "Statement IDs (SID) in a single policy must be unique.".to_owned(),
            ));
        }
        Ok(Self::new(name.to_owned(), statements))
    }
}

/// Reads one statement, the one at `number` of its document.
///
/// # Errors
/// What is wrong with it.
pub(super) fn statement(
    raw: &Value,
    number: usize,
    kind: Kind,
    variables: bool,
) -> Result<Statement, Malformed> {
    let found = StatementDocument::deserialize(raw);
    found.map_err(|error| Malformed(error.to_string()))?.read(number, kind, variables)
}

impl StatementDocument {
    fn read(self, number: usize, kind: Kind, variables: bool) -> Result<Statement, Malformed> {
        let name = self.sid.filter(|sid| !sid.is_empty());
        let name = name.unwrap_or_else(|| format!("statement {number}"));
        let wrong = |what: &dyn fmt::Display| Malformed(format!("{name}: {what}"));
        let effect = match self.effect.as_str() {
            "Allow" => Effect::Allow,
            "Deny" => Effect::Deny,
            _ => return Err(wrong(&"Effect must be Allow or Deny")),
        };
        let principals = match (self.principal, self.not_principal, kind) {
            (None, None, Kind::Identity) => None,
            (.., Kind::Identity) => {
                return Err(wrong(
                    &"a policy of a user or role has no Principal: it is its holder",
                ));
            }
            (Some(these), None, _) => {
                Some(Listed::These(these.read().map_err(|what| wrong(&what))?))
            }
            (None, Some(but), _) => Some(Listed::AllBut(but.read().map_err(|what| wrong(&what))?)),
            _ => return Err(wrong(&"exactly one of Principal and NotPrincipal is needed")),
        };
        // A key's policy may have a statement that says nothing, and it does nothing (AWS KMS API
        // Reference, `PutKeyPolicy`).
        let hollow = |these: &Option<_>, but: &Option<_>| {
            kind == Kind::Key && these.is_none() && but.is_none()
        };
        let actions = match hollow(&self.action, &self.not_action) {
            true => Listed::These(Vec::new()),
            false => either(self.action, self.not_action)
                .ok_or_else(|| wrong(&"exactly one of Action and NotAction is needed"))?,
        };
        if let Some(foreign) = actions.names().iter().find(|action| !is_action(action)) {
            return Err(wrong(&format!("{foreign} is not an action such as kms:Decrypt")));
        }
        let actions =
            actions.map(|text| Pattern::parse(text, false)).map_err(|what| wrong(&what))?;
        let resources = match (self.resource, self.not_resource, kind) {
            (None, None, Kind::Trust) => None,
            (.., Kind::Trust) => {
                return Err(wrong(&"a trust policy has no Resource: it is the role"));
            }
            (these, but, _) if hollow(&these, &but) => Some(Listed::These(Vec::new())),
            (these, but, _) => {
                let found = either(these, but)
                    .ok_or_else(|| wrong(&"exactly one of Resource and NotResource is needed"))?;
                if let (Kind::Identity, Some(foreign)) =
                    (kind, found.names().iter().find(|text| !is_resource(text)))
                {
                    return Err(wrong(&format!("{foreign} is neither an ARN nor *")));
                }
                Some(
                    found
                        .map(|text| Pattern::parse(text, variables))
                        .map_err(|what| wrong(&what))?,
                )
            }
        };
        let none = Value::Object(serde_json::Map::new());
        let conditions = Conditions::parse(self.condition.as_ref().unwrap_or(&none), variables);
        let conditions = conditions.map_err(|what| wrong(&what))?;
        Ok(Statement { name, effect, principals, actions: Actions(actions), resources, conditions })
    }
}

fn are_unique(statements: &[Statement]) -> bool {
    let mut names: Vec<&str> = statements.iter().map(|statement| statement.name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).all(|pair| pair.first() != pair.last())
}

/// `*`, or a service and what it does, with wildcards in the latter alone.
fn is_action(name: &str) -> bool {
    let letters = |text: &str, also: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    };
    let parts = name.split_once(':');
    name == "*" || parts.is_some_and(|(from, what)| letters(from, "-") && letters(what, "*?-"))
}

/// An ARN with its six parts, which patterns may stand for.
fn is_resource(text: &str) -> bool {
    text == "*" || text.starts_with("arn:") && text.split(':').count() >= 6
}

fn either(
    these: Option<OneOrMany<String>>,
    but: Option<OneOrMany<String>>,
) -> Option<Listed<String>> {
    let found = match (these, but) {
        (Some(these), None) => Listed::These(these.into_vec()),
        (None, Some(but)) => Listed::AllBut(but.into_vec()),
        _ => return None,
    };
    (!found.names().is_empty()).then_some(found)
}

impl<'de> Deserialize<'de> for PrincipalDocument {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => Ok(Self::Anyone(text)),
            other => Named::deserialize(other).map(Self::Named).map_err(serde::de::Error::custom),
        }
    }
}

impl PrincipalDocument {
    /// The names that may mean a caller: AWS's. Services, federated and canonical users are known,
    /// and nobody who calls here is one of them, so that a `*` among them means nobody.
    fn read(self) -> Result<Vec<String>, &'static str> {
        let named = match self {
            Self::Anyone(text) if text == "*" => return Ok(vec![text]),
            Self::Anyone(_) => return Err("Principal must be * or an object such as {\"AWS\": …}"),
            Self::Named(named) => named,
        };
        let found = named.aws.map(OneOrMany::into_vec).unwrap_or_default();
        if !found.iter().all(|name| is_principal(name)) {
            return Err("Policy contains a statement with one or more invalid principals.");
        }
        let others = [named.service, named.federated, named.canonical_user];
        let mut others = others.into_iter().flatten().flat_map(OneOrMany::into_vec);
        if found.is_empty() && others.next().is_none() {
            return Err("Principal names nobody");
        }
        Ok(found)
    }
}

/// `*`, an account, or an IAM or STS ARN. A wildcard is everybody or nobody: it is no part of a name.
fn is_principal(text: &str) -> bool {
    let account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let named = |service: &str, name: &str| match (service, name.split_once('/')) {
        ("iam", None) => name == "root",
        ("iam", Some((kind, rest))) => matches!(kind, "user" | "role") && !rest.is_empty(),
        ("sts", Some((kind, rest))) => {
            matches!(kind, "assumed-role" | "federated-user") && !rest.is_empty()
        }
        _ => false,
    };
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", "aws", service, "", owner, name] => {
            account(owner) && named(service, name) && !name.contains(['*', '?'])
        }
        _ => text == "*" || account(text),
    }
}

impl<T> OneOrMany<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn policy(statements: Value, kind: Kind) -> Result<Policy, String> {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        Policy::parse("a test's", &text, kind).map_err(|error| error.to_string())
    }

    #[test]
    fn documents_that_are_none_say_why() {
        let whole =
            json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" });
        assert!(policy(json!([whole]), Kind::Bucket).is_ok());
        for (member, value, part) in [
            ("Effect", json!("allow"), "Effect"),
            ("Principal", json!("me"), "Principal"),
            ("Principal", json!({ "AWS": "arn:aws:iam::1:root" }), "invalid principals"),
            (
                "Principal",
                json!({ "AWS": "arn:aws:iam::111122223333:user/*" }),
                "invalid principals",
            ),
            (
                "Principal",
                json!({ "AWS": "arn:aws:iam::111122223333:group/g" }),
                "invalid principals",
            ),
            ("Principal", json!({}), "nobody"),
            ("Principal", json!({ "Service": [] }), "nobody"),
            ("Action", json!("Decrypt"), "not an action"),
            ("Action", json!("k*:Decrypt"), "not an action"),
            ("Action", json!([]), "Action"),
            ("NotAction", json!("kms:*"), "Action"),
            ("Resource", json!(null), "Resource"),
            ("Condition", json!({ "Sounds": { "aws:SecureTransport": "true" } }), "Sounds"),
            ("Colour", json!("red"), "Colour"),
        ] {
            let mut statement = whole.clone();
            statement[member] = value;
            let refused = policy(json!([statement]), Kind::Bucket).unwrap_err();
            assert!(refused.contains(part) || refused.contains("variant"), "{refused}");
        }
        for text in
            ["", "{", "[]", "{\"Statement\": []}", "{\"Version\": \"1\", \"Statement\": []}"]
        {
            assert!(Policy::parse("a test's", text, Kind::Bucket).is_err());
        }
        let long = " ".repeat(LONGEST + 1);
        assert!(Policy::parse("a test's", &long, Kind::Bucket).unwrap_err().0.contains("32768"));
    }

    #[test]
    fn each_kind_says_what_it_may() {
        let identity = json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*" });
        let trust = json!({ "Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole" });
        let mut resource = identity.clone();
        resource["Principal"] = json!({ "AWS": "111122223333" });
        for (document, fits) in
            [(&identity, Kind::Identity), (&trust, Kind::Trust), (&resource, Kind::Bucket)]
        {
            for kind in [Kind::Identity, Kind::Trust, Kind::Bucket] {
                assert_eq!(policy(document.clone(), kind).is_ok(), kind == fits, "{document}");
            }
        }
        // A key's may say nothing of what it is about, and then does nothing.
        assert!(policy(trust, Kind::Key).is_ok());
        let mut named = identity.clone();
        named["Sid"] = json!("same");
        let twice = policy(json!([named, named]), Kind::Identity).unwrap_err();
        assert!(twice.contains("unique"), "{twice}");
        let mut elsewhere = identity;
        elsewhere["Resource"] = json!("my-key");
        let refused = policy(json!([elsewhere]), Kind::Identity).unwrap_err();
        assert!(refused.contains("ARN"), "{refused}");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            for kind in [Kind::Identity, Kind::Trust, Kind::Bucket] {
                let _ = Policy::parse("a test's", &text, kind);
            }
        }
    }
}
