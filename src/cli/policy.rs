//! `strongroom policy`

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::connection::Connection;
use super::error::Error;
use super::object::pair;
use super::output::{Format, Output};
use crate::proto::v1;
use crate::service::{PolicyKind, Severity, check_policy};

/// Explain decisions, check policy documents
#[derive(Debug, Args)]
pub(super) struct Policy {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show why a principal may or may not do something, and what would change that
    Explain(ExplainArgs),
    /// Check documents without a service; exit code 1 when one would be refused
    Check(CheckArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom policy explain --principal arn:aws:iam::111122223333:root --action kms:Decrypt \\
    --resource alias/app --context kms:EncryptionContext:team=red
  strongroom policy explain --principal ARN --action kms:Encrypt --resource KEY --policy new.json")]
struct ExplainArgs {
    /// ARN of who would do it
    #[arg(long, value_name = "ARN")]
    principal: String,
    /// Such as kms:Decrypt; may be given several times
    #[arg(long, required = true)]
    action: Vec<String>,
    /// Key id, key ARN or alias; * for what is done to no key; may be given several times
    #[arg(long, required = true)]
    resource: Vec<String>,
    /// A condition key of the call that is thought of; again with the same key for one more value
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// Try this key policy instead of the key's own
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: strongroom policy check key-policy.json --output json")]
struct CheckArgs {
    /// Policy documents
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What they are used for
    #[arg(long, value_enum, default_value_t = Kind::Key)]
    kind: Kind,
    #[command(flatten)]
    output: Output,
}

/// Where a document is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// On a key
    Key,
    /// On a user, a role or a session, or as a boundary
    Identity,
    /// On a bucket
    Bucket,
    /// On a role: who may assume it
    Trust,
}

impl Policy {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Explain(explain) => explain.run().await,
            Verb::Check(check) => check.run(),
        }
    }
}

impl ExplainArgs {
    async fn run(self) -> Result<(), Error> {
        let mut context: HashMap<String, v1::ContextValues> = HashMap::new();
        for (key, value) in self.context {
            context.entry(key).or_default().values.push(value);
        }
        let request = v1::ExplainAccessRequest {
            principal: self.principal,
            actions: self.action,
            resources: self.resource,
            context,
            policy: self.policy.as_deref().map(read).transpose()?.unwrap_or_default(),
        };
        let found = self.connection.access()?.explain_access(request).await?.into_inner();
        match self.output.output {
            Format::Json | Format::Jsonl => {
                let all: Vec<Value> = found.explanations.iter().map(explanation).collect();
                self.output.line(&format!("{:#}", json!({ "explanations": all })))
            }
            Format::Table => found.explanations.iter().try_for_each(|one| show(one, &self.output)),
        }
    }
}

/// For people: the decision, what each statement says, and what would change it.
fn show(found: &v1::Explanation, output: &Output) -> Result<(), Error> {
    let by = match found.statements.as_slice() {
        [] if found.decision == "implicitDeny" => format!("no {} allows it", found.decided_by),
        [] => format!("by {}", found.decided_by),
        statements => format!("by {}", statements.join("; ")),
    };
    output.line(&format!("{} on {}: {}, {by}", found.action, found.resource, found.decision))?;
    let mut rows: Vec<Value> = Vec::new();
    for policy in &found.policies {
        for statement in &policy.statements {
            let failing: Vec<String> = statement.failing.iter().map(failing).collect();
            rows.push(json!({
                "policy": policy.name,
                "statement": statement.name,
                "effect": statement.effect,
                "principal": yes(statement.principal),
                "action": yes(statement.action),
                "resource": yes(statement.resource),
                "conditions": match failing.as_slice() {
                    [] => "yes".to_owned(),
                    failing => format!("no: {}", failing.join("; ")),
                },
            }));
        }
    }
    for grant in &found.grants {
        rows.push(json!({
            "policy": grant.name,
            "statement": "",
            "effect": "Allow",
            "principal": "yes",
            "action": yes(grant.operation),
            "resource": "yes",
            "conditions": yes(grant.constraints),
        }));
    }
    if !rows.is_empty() {
        let columns =
            ["policy", "statement", "effect", "principal", "action", "resource", "conditions"];
        output.list("statements", &columns, &rows)?;
    }
    found.advice.iter().try_for_each(|advice| output.line(&format!("- {advice}")))
}

fn failing(condition: &v1::FailingCondition) -> String {
    let found = match condition.found.as_slice() {
        [] => "absent".to_owned(),
        [one] => format!("found {one:?}"),
        all => format!("found {all:?}"),
    };
    format!("{}, {found}", condition.condition)
}

const fn yes(matches: bool) -> &'static str {
    if matches { "yes" } else { "no" }
}

fn explanation(found: &v1::Explanation) -> Value {
    let statement = |found: &v1::StatementFinding| {
        let failing = |one: &v1::FailingCondition| {
            let found = (!one.found.is_empty()).then_some(&one.found);
            json!({ "condition": one.condition, "key": one.key, "found": found })
        };
        json!({
            "name": found.name,
            "effect": found.effect,
            "principal": found.principal,
            "principal_as": (!found.principal_as.is_empty()).then_some(&found.principal_as),
            "action": found.action,
            "resource": found.resource,
            "conditions": found.conditions,
            "failing": found.failing.iter().map(failing).collect::<Vec<_>>(),
            "applies": found.applies,
            "decides": found.decides,
        })
    };
    let policy = |found: &v1::PolicyFinding| {
        let statements: Vec<Value> = found.statements.iter().map(statement).collect();
        json!({ "kind": found.kind, "name": found.name, "statements": statements })
    };
    let grant = |found: &v1::GrantFinding| {
        json!({
            "name": found.name,
            "operation": found.operation,
            "constraints": found.constraints,
            "decides": found.decides,
        })
    };
    json!({
        "action": found.action,
        "resource": found.resource,
        "decision": found.decision,
        "decided_by": found.decided_by,
        "statements": found.statements,
        "policies": found.policies.iter().map(policy).collect::<Vec<_>>(),
        "grants": found.grants.iter().map(grant).collect::<Vec<_>>(),
        "advice": found.advice,
    })
}

impl CheckArgs {
    fn run(&self) -> Result<(), Error> {
        let kind = match self.kind {
            Kind::Key => PolicyKind::Key,
            Kind::Identity => PolicyKind::Identity,
            Kind::Bucket => PolicyKind::Bucket,
            Kind::Trust => PolicyKind::Trust,
        };
        let (mut rows, mut refused) = (Vec::new(), Vec::new());
        for path in &self.files {
            let found = check_policy(&read(path)?, kind);
            let file = path.display().to_string();
            if found.iter().any(|finding| finding.severity == Severity::Error) {
                refused.push(file.clone());
            }
            rows.extend(found.into_iter().map(|finding| {
                json!({
                    "file": file,
                    "line": finding.line,
                    "severity": finding.severity.as_str(),
                    "statement": finding.statement,
                    "message": finding.message,
                    "remedy": finding.remedy,
                })
            }));
        }
        match self.output.output {
            Format::Json | Format::Jsonl => self.output.list("findings", &[], &rows)?,
            Format::Table => rows.iter().try_for_each(|row| self.output.line(&told(row)))?,
        }
        match refused.as_slice() {
            [] if rows.is_empty() && self.output.output == Format::Table => {
                self.output.line("nothing to say against it")
            }
            [] => Ok(()),
            files => Err(Error::Policies(files.join(", "))),
        }
    }
}

/// As compilers tell it: `policy.json:4: warning: statement 1: there is no …`.
fn told(row: &Value) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let line = row.get("line").and_then(Value::as_u64).map(|line| format!(":{line}"));
    let statement = row.get("statement").and_then(Value::as_str);
    let statement = statement.map(|name| format!("{name}: ")).unwrap_or_default();
    format!(
        "{}{}: {}: {statement}{}\n  {}",
        text("file"),
        line.unwrap_or_default(),
        text("severity"),
        text("message"),
        text("remedy")
    )
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file("reading", path))
}
