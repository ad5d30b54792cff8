//! What is wrong with a policy document before it is used: errors, for which it would be refused, and
//! warnings, for what its author hardly meant.
//!
//! Errors are [`Policy::parse`]'s own, asked for each statement by itself so that one does not hide the
//! next. Warnings follow IAM Access Analyzer's ("IAM policy validation check reference") where it has
//! them.
//!
//! | file | noun |
//! |---|---|
//! | `mod.rs` | a document, and what is found |
//! | `statement.rs` | one statement of it |

mod statement;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::statement::{About, Statements};
use super::document::{self, Kind, LONGEST};
use super::policy::{Effect, Listed, Policy, Question};
use super::{Context, Guard, Principal, Resource, decide};

/// Something that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How wrong.
    pub severity: Severity,
    /// The statement's `Sid` or place; none where it is the document's.
    pub statement: Option<String>,
    /// Where the statement begins, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What becomes of a document with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is refused.
    Error,
    /// It is obeyed, and may not do what is meant.
    Warning,
}

impl Severity {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Checks a document. `actions` are those that there are, such as `kms:Decrypt`: others of the same
/// services are told as unknown.
#[must_use]
pub fn check(text: &str, kind: Kind, actions: &[&str]) -> Vec<Finding> {
    let parsed: Value = match serde_json::from_str(text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let message = format!("the policy is not JSON: {error}");
            return vec![of_document(Severity::Error, &message, "Correct it at that place.")];
        }
    };
    let version = parsed.get("Version").and_then(Value::as_str);
    let variables = version == Some("2012-10-17");
    let (places, mut findings) = (lines(text), Vec::new());
    let raw = match parsed.get("Statement") {
        Some(Value::Array(all)) => all.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    let whole = Policy::parse("policy", text, kind);
    for (index, raw) in raw.iter().enumerate() {
        let sid = raw.get("Sid").and_then(Value::as_str).filter(|sid| !sid.is_empty());
        let name = sid.map_or_else(|| format!("statement {}", index + 1), str::to_owned);
        let mut about = About { name, line: places.get(index).copied(), findings: &mut findings };
        match document::statement(raw, index + 1, kind, variables) {
            Err(wrong) => about.error(&unreadable(raw, &about.name, &wrong.0)),
            Ok(statement) => Statements { kind, actions }.check(&statement, &mut about),
        }
    }
    match &whole {
        Err(error)
            if error.0.starts_with("Version")
                || findings.iter().all(|known| known.severity != Severity::Error) =>
        {
            findings.push(of_document(Severity::Error, &error.0, "Without that it is refused."));
        }
        Err(_) => {}
        Ok(policy) if kind == Kind::Key => findings.extend(lock_out(policy)),
        Ok(_) => {}
    }
    if !variables && version.is_none_or(|version| version == "2008-10-17") && text.contains("${") {
        let message = "${ is text like any other in a document without Version 2012-10-17";
        let remedy = "Say \"Version\": \"2012-10-17\" if it is to be a policy variable.";
        findings.push(of_document(Severity::Warning, message, remedy));
    }
    findings.extend(twice(raw, kind));
    findings.extend(size(text, kind));
    findings.sort_by_key(|finding| finding.severity);
    findings
}

fn of_document(severity: Severity, message: &str, remedy: &str) -> Finding {
    let (message, remedy) = (message.to_owned(), remedy.to_owned());
    Finding { severity, statement: None, line: None, message, remedy }
}

/// What is wrong with a statement that cannot be read.
fn unreadable(raw: &Value, name: &str, what: &str) -> String {
    let is_text = |value: &Value| match value {
        Value::Array(all) => all.iter().all(Value::is_string),
        one => one.is_string(),
    };
    let elements = ["Action", "NotAction", "Resource", "NotResource"];
    let odd = elements
        .into_iter()
        .find(|name| raw.get(name).is_some_and(|value| !value.is_null() && !is_text(value)));
    match odd {
        Some(element) => format!("{element} is neither a text nor a list of texts"),
        None => what
            .strip_prefix(name)
            .and_then(|what| what.strip_prefix(": "))
            .unwrap_or(what)
            .to_owned(),
    }
}

/// Whether nobody's account may replace the policy of a key, as `PutKeyPolicy` checks it of its caller.
fn lock_out(policy: &Policy) -> Option<Finding> {
    let names = policy.statements().iter().filter_map(|statement| match &statement.principals {
        Some(Listed::These(names)) if statement.effect() == Effect::Allow => Some(names),
        _ => None,
    });
    let fields = |name: &String| match name.as_str() {
        "*" => Some("000000000000".to_owned()),
        account if account.len() == 12 => Some(account.to_owned()),
        arn => arn.split(':').nth(4).map(str::to_owned),
    };
    let accounts: Vec<String> = names.flatten().filter_map(fields).collect();
    let may = |account: &String| {
        let principal = Principal::root(account, None);
        let mut context = Context::default();
        principal.observe(&mut context);
        context.put("kms:CallerAccount", account);
        let resource = Resource {
            arn: format!("arn:aws:kms:us-east-1:{account}:key/{}", uuid::Uuid::nil()),
            account: account.clone(),
            guard: Guard::Needed(std::sync::Arc::new(policy.clone())),
        };
        let context = Box::new(context);
        let question = Question {
            principal: &principal,
            action: "kms:PutKeyPolicy",
            resource: &resource.arn,
            context: &context,
        };
        decide(&question, &resource, || None).allows()
    };
    (!accounts.iter().any(may)).then(|| {
        of_document(
            Severity::Warning,
            "no account's root may replace the policy (kms:PutKeyPolicy), so that the key may become \
             one that nobody can administer",
            "Add a statement that allows kms:* to arn:aws:iam::ACCOUNT:root, as the default policy \
             does.",
        )
    })
}

/// Names that are there twice: records cite a statement by its name.
fn twice(raw: &[Value], kind: Kind) -> Option<Finding> {
    let mut names: Vec<&str> = raw
        .iter()
        .filter_map(|raw| raw.get("Sid")?.as_str())
        .filter(|sid| !sid.is_empty())
        .collect();
    names.sort_unstable();
    let pairs = names.windows(2);
    let twice = pairs.filter_map(|pair| match pair {
        [one, other] if one == other => Some(*one),
        _ => None,
    });
    let mut twice: Vec<&str> = twice.collect();
    twice.dedup();
    // Of an identity's policy that is an error already.
    (!twice.is_empty() && kind != Kind::Identity).then(|| {
        let message = format!("more than one statement is called {}", twice.join(", "));
        let remedy = "Give each a Sid of its own: decisions and records name statements by it.";
        of_document(Severity::Warning, &message, remedy)
    })
}

/// How near a document is to AWS's limit (IAM User Guide, "IAM and AWS STS quotas"; PutKeyPolicy;
/// PutBucketPolicy). White space does not count for IAM's own.
fn size(text: &str, kind: Kind) -> Option<Finding> {
    let bare = || text.chars().filter(|letter| !letter.is_whitespace()).count();
    let (size, limit, of) = match kind {
        Kind::Bucket => (text.len(), 20 * 1024, "a bucket policy's bytes"),
        Kind::Identity => (bare(), 6_144, "a managed policy's characters"),
        Kind::Key => (text.len(), LONGEST, "a key policy's bytes"),
        Kind::Trust => (bare(), 2_048, "a trust policy's characters"),
    };
    (size > limit / 10 * 9 && text.len() <= LONGEST).then(|| {
        let message = format!("it has {size} of the {limit} that are {of} at the most in AWS");
        of_document(Severity::Warning, &message, "Shorten it, or divide it where that is possible.")
    })
}

/// The lines on which the statements begin, of a text that is JSON.
fn lines(text: &str) -> Vec<usize> {
    let (mut found, mut depth, mut line) = (Vec::new(), 0_usize, 1);
    let (mut string, mut escaped, mut name) = (None, false, "");
    // The value of `Statement` is next; it is a list, and being read.
    let (mut next, mut listed) = (false, false);
    for (at, letter) in text.char_indices() {
        line += usize::from(letter == '\n');
        if let Some(start) = string {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    name = text.get(start..at).unwrap_or_default();
                    string = None;
                }
                _ => {}
            }
            continue;
        }
        match letter {
            '"' => string = Some(at + 1),
            ':' if depth == 1 => next = name == "Statement",
            '{' | '[' => {
                depth += 1;
                if letter == '{' && (next || (listed && depth == 3)) {
                    found.push(line);
                }
                listed |= next && letter == '[';
                next = false;
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                listed &= depth > 1;
            }
            _ => {}
        }
    }
    found
}
