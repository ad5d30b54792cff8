//! What is wrong with one statement, though it can be read.

use super::{Finding, Severity};
use crate::iam::condition_keys::{Known, look_up, namesake};
use crate::iam::document::Kind;
use crate::iam::operator::{Comparison, Expected, Set};
use crate::iam::policy::{Effect, Listed, Statement};
use crate::iam::{Condition, Context, Pattern};

/// The findings about one statement.
pub(super) struct About<'a> {
    pub(super) name: String,
    pub(super) line: Option<usize>,
    pub(super) findings: &'a mut Vec<Finding>,
}

impl About<'_> {
    pub(super) fn error(&mut self, message: &str) {
        self.add(
            Severity::Error,
            message.to_owned(),
            "The document is refused until it is corrected.",
        );
    }

    fn warn(&mut self, message: impl Into<String>, remedy: impl Into<String>) {
        self.add(Severity::Warning, message.into(), remedy);
    }

    fn add(&mut self, severity: Severity, message: String, remedy: impl Into<String>) {
        let (statement, line) = (Some(self.name.clone()), self.line);
        self.findings.push(Finding { severity, statement, line, message, remedy: remedy.into() });
    }
}

/// What statements of a kind of document are held against.
pub(super) struct Statements<'a> {
    pub(super) kind: Kind,
    pub(super) actions: &'a [&'a str],
}

impl Statements<'_> {
    pub(super) fn check(&self, statement: &Statement, about: &mut About<'_>) {
        self.elements(statement, about);
        self.principals(statement, about);
        for action in statement.actions.0.names() {
            self.action(action.as_str(), about);
        }
        if self.kind == Kind::Key {
            key_resources(statement, about);
        }
        for condition in statement.conditions().iter() {
            key_of(condition, about);
            sets(condition, statement, about);
            values(condition, about);
        }
    }

    fn elements(&self, statement: &Statement, about: &mut About<'_>) {
        let hollow = |element: &str, is: bool, about: &mut About<'_>| {
            if is {
                about.warn(
                    format!("the statement has no {element} and so says nothing"),
                    format!("Add {element}, or remove the statement."),
                );
            }
        };
        let Listed::These(actions) = &statement.actions.0 else { return };
        hollow("Action", self.kind == Kind::Key && actions.is_empty(), about);
        let none = matches!(&statement.resources, Some(Listed::These(all)) if all.is_empty());
        hollow("Resource", self.kind == Kind::Key && none, about);
    }

    fn principals(&self, statement: &Statement, about: &mut About<'_>) {
        let allows = statement.effect() == Effect::Allow;
        match &statement.principals {
            Some(Listed::These(names)) if names.is_empty() => about.warn(
                "Principal names only services, federated or canonical users, and nobody who calls \
                 here is one",
                "Name an account, a user or a role under \"AWS\", too, if somebody here is meant.",
            ),
            Some(Listed::These(names))
                if allows
                    && names.iter().any(|name| name == "*")
                    && statement.conditions().is_empty() =>
            {
                about.warn(
                    "it allows everybody, of every account and without credentials, on no condition",
                    "Name who is meant, or add a condition such as StringEquals kms:CallerAccount.",
                );
            }
            Some(Listed::AllBut(_)) if allows => about.warn(
                "NotPrincipal with Allow lets in everybody else, also of other accounts",
                "Name in Principal who is meant.",
            ),
            _ => {}
        }
    }

    fn action(&self, written: &str, about: &mut About<'_>) {
        let Some((service, name)) = written.split_once(':') else { return };
        let own = match self.kind {
            Kind::Key => Some("kms"),
            Kind::Bucket => Some("s3"),
            Kind::Trust => Some("sts"),
            Kind::Identity => None,
        };
        if let Some(own) = own
            && !own.eq_ignore_ascii_case(service)
        {
            about.warn(
                format!("{written} is never asked of such a policy, but of {own}: actions alone"),
                format!("Write {own}:{name} or remove it."),
            );
            return;
        }
        let of_service = |action: &&&str| {
            action.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(service))
        };
        let known: Vec<&str> = self.actions.iter().filter(of_service).copied().collect();
        let pattern = Pattern::parse(written, false);
        let Ok(pattern) = pattern else { return };
        let nothing = Context::default();
        if known.is_empty()
            || known.iter().any(|action| pattern.matches_ignoring_case(action, &nothing))
        {
            return;
        }
        let begins = |action: &&&str| {
            action.get(..written.len()).is_some_and(|start| start.eq_ignore_ascii_case(written))
        };
        let meant: Vec<&str> = known.iter().filter(begins).copied().collect();
        about.warn(
            match written.contains(['*', '?']) {
                true => format!("{written} is no action that there is"),
                false => format!("there is no action {written}"),
            },
            match meant.as_slice() {
                [] => "Correct its name or remove it.".to_owned(),
                meant => format!("Did you mean {}?", meant.join(", ")),
            },
        );
    }
}

/// What a key's policy says of resources: there is one, the key.
fn key_resources(statement: &Statement, about: &mut About<'_>) {
    let Some(resources) = &statement.resources else { return };
    for resource in resources.names() {
        match resource.as_str() {
            "*" => {}
            alias if alias.contains(":alias/") || alias.starts_with("alias/") => about.warn(
                format!("Resource {alias} is an alias, and a key is never asked for by one"),
                "Write \"*\": in a key's policy that is the key itself. Aliases are told apart by \
                 kms:RequestAlias and kms:ResourceAliases.",
            ),
            other => about.warn(
                format!("Resource {other} is not \"*\", which in a key's policy is the key itself"),
                "Write \"*\", so that the policy can be moved to another key.",
            ),
        }
    }
}

fn key_of(condition: &Condition, about: &mut About<'_>) {
    let key = condition.key();
    if look_up(key) == Known::Unknown {
        let remedy = match namesake(key) {
            Some(meant) => format!("Did you mean {meant}?"),
            None => "Correct its name; no call has such a key.".to_owned(),
        };
        about.warn(format!("there is no condition key {key}"), remedy);
    }
}

fn sets(condition: &Condition, statement: &Statement, about: &mut About<'_>) {
    let key = condition.key();
    if look_up(key) == Known::Multivalued && condition.compares_one() {
        let never = match condition.operator().negated {
            true => "holds only where the call has no such key",
            false => "never holds",
        };
        about.warn(
            format!("{condition} {never}: {key} has many values, and the operator compares one"),
            "Put ForAnyValue: or ForAllValues: before the operator.",
        );
    }
    let is_there = |other: &Condition| {
        let operator = other.operator();
        operator.comparison == Comparison::Null
            && other.key().eq_ignore_ascii_case(key)
            && other.values() == [Expected::Flag(false)]
    };
    if condition.operator().set == Set::All
        && condition.operator().comparison != Comparison::Null
        && statement.effect() == Effect::Allow
        && !statement.conditions().iter().any(is_there)
    {
        about.warn(
            format!(
                "{condition} holds, too, where the call has no {key}, so that this allows more"
            ),
            format!("Add \"Null\": {{\"{key}\": \"false\"}}, or use ForAnyValue:."),
        );
    }
}

fn values(condition: &Condition, about: &mut About<'_>) {
    let (comparison, written) = (condition.operator().comparison, condition.written_values());
    if written.is_empty() {
        let always = match condition.operator().negated {
            true => "always holds",
            false => "never holds",
        };
        about.warn(
            format!("{condition} has no value to compare with and {always}"),
            "Give it a value, or remove the condition.",
        );
    }
    if comparison == Comparison::Bool && written.len() > 1 {
        about.warn(
            format!("{condition} has more than one value"),
            "Keep the one that is meant: with both it holds whenever the key is there.",
        );
    }
    let odd = |expected: &&Expected| match expected {
        Expected::Text(pattern) => comparison == Comparison::Arn && !pattern.is_arn(),
        _ => false,
    };
    for expected in condition.values().iter().filter(odd) {
        let Expected::Text(pattern) = expected else { continue };
        about.warn(
            format!("{condition}: {pattern} has not the six parts of an ARN and matches none"),
            "Write all parts, such as arn:aws:iam::111122223333:role/*, or use StringLike.",
        );
    }
    let literal = matches!(comparison, Comparison::Equals | Comparison::EqualsIgnoringCase);
    for value in written.iter().filter(|value| literal && has_wildcard(value)) {
        about.warn(
            format!("{condition}: {value} is compared as it is, its wildcards too"),
            "Use StringLike or StringNotLike if they are to stand for other text.",
        );
    }
}

/// Whether a text has a `*` or `?` that is not written `${*}` or `${?}`.
fn has_wildcard(text: &str) -> bool {
    text.replace("${*}", "").replace("${?}", "").contains(['*', '?'])
}
