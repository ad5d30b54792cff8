//! Key policies: documents, read strictly, and what their statements say to a call.
//!
//! Conditions are not evaluated yet, so a document that has one is refused rather than half obeyed.
//!
//! Source: IAM User Guide, "Grammar of the IAM JSON policy language"; AWS KMS Developer Guide, "Key
//! policies in AWS KMS".

use serde::Deserialize;
use serde_json::Value;

use super::Principal;

/// A policy that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    name: String,
    allows: bool,
    principals: Principals,
    actions: Matched,
    resources: Matched,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Principals {
    These(Vec<String>),
    AllBut(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Matched {
    These(Vec<String>),
    AllBut(Vec<String>),
}

/// What a policy says to a call, with the name of the statement that says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Allowed.
    Allow(String),
    /// Forbidden, whatever else allows it.
    Deny(String),
    /// Nothing.
    Silent,
}

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

#[derive(Deserialize)]
#[serde(untagged)]
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
    /// Bytes of a key policy at the most (API reference, `PutKeyPolicy`).
    pub const LONGEST: usize = 32_768;

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it, for its author.
    pub fn parse(text: &str) -> Result<Self, String> {
        let document: Document = serde_json::from_str(text).map_err(|error| {
            format!(
                "the policy is not a policy document: {error}, line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        if !matches!(document.version.as_deref(), None | Some("2012-10-17" | "2008-10-17")) {
            return Err("Version must be 2012-10-17 or 2008-10-17".to_owned());
        }
        let statements = document.statement.into_vec();
        if statements.is_empty() {
            return Err("the policy has no statement".to_owned());
        }
        let statements = (1..).zip(statements).map(|(number, found)| found.read(number));
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// What the policy says when `principal` does `action` to `resource`. An explicit denial wins.
    #[must_use]
    pub fn evaluate(&self, principal: &Principal, action: &str, resource: &str) -> Verdict {
        let mut applying = self.statements.iter().filter(|statement| {
            statement.principals.include(principal)
                && statement.actions.include(action, true)
                && statement.resources.include(resource, false)
        });
        let mut allowed = Verdict::Silent;
        for statement in applying.by_ref() {
            if !statement.allows {
                return Verdict::Deny(statement.name.clone());
            }
            if allowed == Verdict::Silent {
                allowed = Verdict::Allow(statement.name.clone());
            }
        }
        allowed
    }
}

impl StatementDocument {
    fn read(self, number: usize) -> Result<Statement, String> {
        let name = self.sid.filter(|sid| !sid.is_empty());
        let name = name.unwrap_or_else(|| format!("statement {number}"));
        let wrong = |what: &str| format!("{name}: {what}");
        let allows = match self.effect.as_str() {
            "Allow" => true,
            "Deny" => false,
            _ => return Err(wrong("Effect must be Allow or Deny")),
        };
        if self.condition.is_some_and(|condition| condition != Value::Object(Default::default())) {
            return Err(wrong(
                "strongroom does not evaluate Condition yet, and obeys no half of it",
            ));
        }
        let principals = match (self.principal, self.not_principal) {
            (Some(these), None) => Principals::These(these.read().map_err(&wrong)?),
            (None, Some(but)) => Principals::AllBut(but.read().map_err(&wrong)?),
            _ => return Err(wrong("exactly one of Principal and NotPrincipal is needed")),
        };
        let actions = either(self.action, self.not_action)
            .ok_or_else(|| wrong("exactly one of Action and NotAction is needed"))?;
        let resources = either(self.resource, self.not_resource)
            .ok_or_else(|| wrong("exactly one of Resource and NotResource is needed"))?;
        let (Matched::These(named) | Matched::AllBut(named)) = &actions;
        if let Some(foreign) = named.iter().find(|action| !is_action(action)) {
            return Err(wrong(&format!("{foreign} is not an action such as kms:Decrypt")));
        }
        Ok(Statement { name, allows, principals, actions, resources })
    }
}

fn is_action(name: &str) -> bool {
    let letters = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "*?-".contains(c))
    };
    name == "*" || name.split_once(':').is_some_and(|(from, what)| letters(from) && letters(what))
}

fn either(these: Option<OneOrMany<String>>, but: Option<OneOrMany<String>>) -> Option<Matched> {
    let found = match (these, but) {
        (Some(these), None) => Matched::These(these.into_vec()),
        (None, Some(but)) => Matched::AllBut(but.into_vec()),
        _ => return None,
    };
    let (Matched::These(named) | Matched::AllBut(named)) = &found;
    (!named.is_empty()).then_some(found)
}

impl PrincipalDocument {
    /// The names that may mean a caller: AWS's. Services, federated and canonical users are known,
    /// and nobody here is one of them, so that a `*` among them means nobody.
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

/// `*`, an account, or an IAM or STS ARN.
fn is_principal(text: &str) -> bool {
    let account = |text: &str| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    match fields.as_slice() {
        ["arn", "aws", "iam" | "sts", "", owner, name] => account(owner) && !name.is_empty(),
        _ => text == "*" || account(text),
    }
}

impl Principals {
    fn include(&self, principal: &Principal) -> bool {
        match self {
            Self::These(named) => named.iter().any(|name| names(name, principal)),
            Self::AllBut(named) => !named.iter().any(|name| names(name, principal)),
        }
    }
}

/// Whether a name in a policy means a principal. An account's id stands for its root.
fn names(name: &str, principal: &Principal) -> bool {
    name == "*" || name == principal.arn || (name == principal.account && principal.is_root())
}

impl Matched {
    fn include(&self, found: &str, ignore_case: bool) -> bool {
        let matches = |pattern: &String| match ignore_case {
            true => matches(&pattern.to_ascii_lowercase(), &found.to_ascii_lowercase()),
            false => matches(pattern, found),
        };
        match self {
            Self::These(named) => named.iter().any(matches),
            Self::AllBut(named) => !named.iter().any(matches),
        }
    }
}

/// `*` is any text, `?` any one character. Linear in the product of both lengths at the worst.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(from) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(wanted) if wanted == byte || *wanted == b'?' => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((starred, taken)) = star else { return false };
                star = Some((starred, taken + 1));
                (at, from) = (starred + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
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

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/x";

    fn policy(statements: Value) -> Result<Policy, String> {
        Policy::parse(&json!({ "Version": "2012-10-17", "Statement": statements }).to_string())
    }

    fn root(account: &str) -> Principal {
        Principal::root(account, None)
    }

    #[test]
    fn a_denial_wins_and_silence_is_neither() {
        let policy = policy(json!([
            { "Sid": "all", "Effect": "Allow", "Principal": { "AWS": "111122223333" },
              "Action": "kms:*", "Resource": "*" },
            { "Effect": "Deny", "Principal": "*", "Action": ["kms:schedule*", "KMS:Dis?bleKey"],
              "Resource": KEY },
        ]));
        let policy = policy.unwrap();
        let owner = root("111122223333");
        assert_eq!(policy.evaluate(&owner, "kms:Decrypt", KEY), Verdict::Allow("all".to_owned()));
        for action in ["kms:ScheduleKeyDeletion", "kms:DisableKey"] {
            let denied = policy.evaluate(&owner, action, KEY);
            assert_eq!(denied, Verdict::Deny("statement 2".to_owned()));
        }
        assert_eq!(policy.evaluate(&root("444455556666"), "kms:Decrypt", KEY), Verdict::Silent);
    }

    #[test]
    fn exceptions_are_everything_else() {
        let policy = policy(json!({
            "Effect": "Allow",
            "NotPrincipal": { "AWS": "arn:aws:iam::444455556666:root" },
            "NotAction": "kms:Put*",
            "NotResource": "arn:aws:kms:*:*:key/y",
        }));
        let policy = policy.unwrap();
        let (owner, other) = (root("111122223333"), root("444455556666"));
        assert!(matches!(policy.evaluate(&owner, "kms:Sign", KEY), Verdict::Allow(_)));
        assert_eq!(policy.evaluate(&other, "kms:Sign", KEY), Verdict::Silent);
        assert_eq!(policy.evaluate(&owner, "kms:PutKeyPolicy", KEY), Verdict::Silent);
        let excepted = "arn:aws:kms:us-east-1:111122223333:key/y";
        assert_eq!(policy.evaluate(&owner, "kms:Sign", excepted), Verdict::Silent);
    }

    #[test]
    fn only_aws_principals_are_callers() {
        let owner = root("111122223333");
        for kind in ["Service", "Federated", "CanonicalUser"] {
            for name in ["*", "111122223333", &owner.arn] {
                let statement = |member: &str| {
                    policy(json!({ "Effect": "Allow", member: { kind: name },
                        "Action": "kms:*", "Resource": "*" }))
                    .unwrap()
                };
                let these = statement("Principal").evaluate(&owner, "kms:Sign", KEY);
                assert_eq!(these, Verdict::Silent, "{kind} {name}");
                let but = statement("NotPrincipal").evaluate(&owner, "kms:Sign", KEY);
                assert!(matches!(but, Verdict::Allow(_)), "{kind} {name}");
            }
        }
        let both = policy(json!({ "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": { "AWS": "444455556666", "Service": ["s3.amazonaws.com", "*"] } }));
        let both = both.unwrap();
        assert_eq!(both.evaluate(&owner, "kms:Sign", KEY), Verdict::Silent);
        assert!(matches!(both.evaluate(&root("444455556666"), "kms:Sign", KEY), Verdict::Allow(_)));
    }

    #[test]
    fn documents_that_are_none_say_why() {
        let whole =
            json!({ "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" });
        assert!(policy(json!([whole])).is_ok());
        for (member, value, part) in [
            ("Effect", json!("allow"), "Effect"),
            ("Principal", json!("me"), "Principal"),
            ("Principal", json!({ "AWS": "arn:aws:iam::1:root" }), "invalid principals"),
            ("Principal", json!({}), "nobody"),
            ("Principal", json!({ "Service": [] }), "nobody"),
            ("Action", json!("Decrypt"), "not an action"),
            ("Action", json!([]), "Action"),
            ("NotAction", json!("kms:*"), "Action"),
            ("Resource", json!(null), "Resource"),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } }), "Condition"),
            ("Colour", json!("red"), "Colour"),
        ] {
            let mut statement = whole.clone();
            statement[member] = value;
            let refused = policy(json!([statement])).unwrap_err();
            assert!(refused.contains(part) || refused.contains("variant"), "{refused}");
        }
        for text in
            ["", "{", "[]", "{\"Statement\": []}", "{\"Version\": \"1\", \"Statement\": []}"]
        {
            assert!(Policy::parse(text).is_err());
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_as_a_slow_matcher_does(pattern in "[ab*?]{0,6}", text in "[ab]{0,8}") {
            fn slow(pattern: &[u8], text: &[u8]) -> bool {
                match (pattern.split_first(), text.split_first()) {
                    (None, None) => true,
                    (Some((b'*', rest)), None) => slow(rest, text),
                    (Some((b'*', rest)), Some((_, tail))) => slow(rest, text) || slow(pattern, tail),
                    (Some((b'?', rest)), Some((_, tail))) => slow(rest, tail),
                    (Some((want, rest)), Some((have, tail))) => want == have && slow(rest, tail),
                    _ => false,
                }
            }
            prop_assert_eq!(matches(&pattern, &text), slow(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".{0,200}") {
            let _ = Policy::parse(&text);
        }
    }
}
