//! `strongroom audit expect` and `mark`: what a test expects of the trail.

use clap::Args;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Format, Output};
use super::query::Conditions;
use crate::proto::v1;

/// Print where the trail ends now.
#[derive(Debug, Args)]
#[command(after_help = "Example: mark=$(strongroom audit mark)")]
pub(super) struct Mark {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Mark {
    pub(super) async fn run(self) -> Result<(), Error> {
        let request = v1::GetCheckpointRequest {};
        let mark = self.connection.audit()?.get_checkpoint(request).await?.into_inner().log_size;
        match self.output.output {
            Format::Table => self.output.line(&mark.to_string()),
            Format::Json | Format::Jsonl => self.output.one(&json!({ "mark": mark })),
        }
    }
}

/// Compare a window of the trail with what is expected of it.
#[derive(Debug, Args)]
#[command(after_help = "\
A CALL is one argument: OPERATION[=TIMES] [CONDITION=VALUE]…

  TIMES       2 (exactly), 2+ (at least), ..2 (at most), 1..3, 0 (never); 1+ when not given
  CONDITION   key, resource, principal, account, access-key, source, outcome, error-code,
              request-id, context.NAME

Exits with 0 when everything is as expected, else with 1 and the difference. What reads the trail counts
only where it is named.

Example:
  mark=$(strongroom audit mark)
  ./the-app-under-test
  strongroom audit expect --from $mark --nothing-else \\
    'Decrypt=2 key=alias/app context.case=7' 'GenerateDataKey=..1 outcome=success'")]
pub(super) struct Expect {
    /// Calls that are expected
    #[arg(value_name = "CALL", value_parser = call)]
    calls: Vec<v1::ExpectedCall>,
    /// Fail on any other call of KMS that meets the conditions
    #[arg(long)]
    nothing_else: bool,
    /// First index, as `mark` printed it
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    #[command(flatten)]
    conditions: Conditions,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Expect {
    pub(super) async fn run(self) -> Result<(), Error> {
        if self.calls.is_empty() && !self.nothing_else {
            return Err(Error::Usage("expect a call, or --nothing-else".to_owned()));
        }
        let scope = v1::QueryRequest { start_index: self.from, ..self.conditions.request() };
        let Self { calls, nothing_else, .. } = self;
        let request = v1::ExpectRequest { scope: Some(scope), calls, nothing_else };
        let found = self.connection.audit()?.expect(request).await?.into_inner();
        match self.output.output {
            Format::Table if found.met => self.output.line(&found.report)?,
            Format::Table => {}
            Format::Json | Format::Jsonl => self.output.one(&told(&found))?,
        }
        if found.met { Ok(()) } else { Err(Error::Unexpected(found.report)) }
    }
}

fn told(found: &v1::ExpectResponse) -> Value {
    let indexes = |records: &[v1::Record]| -> Vec<u64> {
        records.iter().map(|record| record.index).collect()
    };
    let calls = found.calls.iter().map(|call| {
        json!({
            "met": call.met,
            "count": call.count,
            "indexes": call.indexes,
            "near": indexes(&call.near),
        })
    });
    json!({
        "met": found.met,
        "calls": calls.collect::<Vec<_>>(),
        "other_count": found.other_count,
        "others": indexes(&found.others),
    })
}

/// `Decrypt=2 key=alias/app context.case=7`
fn call(text: &str) -> Result<v1::ExpectedCall, String> {
    let mut words = text.split_whitespace();
    let first = words.next().ok_or("name an operation")?;
    let (operation, count) = first.split_once('=').unwrap_or((first, "1+"));
    let (at_least, at_most) = times(count)
        .ok_or_else(|| format!("{count:?} is no number of times: expected 2, 2+, ..2 or 1..3"))?;
    let mut asked = v1::QueryRequest { operation: operation.to_owned(), ..Default::default() };
    for word in words {
        let (name, value) = word
            .split_once('=')
            .ok_or_else(|| format!("{word:?} is no condition: expected NAME=VALUE"))?;
        let field = match name {
            "key" => &mut asked.key_id,
            "resource" => &mut asked.resource,
            "principal" => &mut asked.principal,
            "account" => &mut asked.account,
            "access-key" => &mut asked.access_key_id,
            "source" => &mut asked.source_address,
            "outcome" => &mut asked.outcome,
            "error-code" => &mut asked.error_code,
            "request-id" => &mut asked.request_id,
            _ => {
                let name = name.strip_prefix("context.").ok_or_else(|| {
                    format!("there is no condition {name:?}: see `strongroom audit expect --help`")
                })?;
                asked.encryption_context.entry(name.to_owned()).or_default()
            }
        };
        value.clone_into(field);
    }
    Ok(v1::ExpectedCall { call: Some(asked), at_least, at_most })
}

/// At least, at most.
fn times(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    if let Some(least) = text.strip_suffix('+') {
        return Some((Some(least.parse().ok()?), None));
    }
    match text.split_once("..") {
        Some(("", most)) => Some((Some(0), Some(most.parse().ok()?))),
        Some((least, most)) => Some((Some(least.parse().ok()?), Some(most.parse().ok()?))),
        None => text.parse().ok().map(|exactly| (Some(exactly), Some(exactly))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_read_with_its_times_and_conditions() {
        let read = call("Decrypt=2 key=alias/app context.case=a=b outcome=success").unwrap();
        assert_eq!((read.at_least, read.at_most), (Some(2), Some(2)));
        let asked = read.call.unwrap();
        assert_eq!((asked.operation.as_str(), asked.key_id.as_str()), ("Decrypt", "alias/app"));
        assert_eq!(asked.outcome, "success");
        assert_eq!(asked.encryption_context.get("case").map(String::as_str), Some("a=b"));
        for (text, expected) in [
            ("X", (Some(1), None)),
            ("X=3+", (Some(3), None)),
            ("X=..2", (Some(0), Some(2))),
            ("X=1..3", (Some(1), Some(3))),
            ("X=0", (Some(0), Some(0))),
        ] {
            let read = call(text).unwrap();
            assert_eq!((read.at_least, read.at_most), expected, "{text}");
        }
        for wrong in ["", "X=two", "X=-1", "X=1 key", "X=1 colour=red", "X=1 case=7"] {
            assert!(call(wrong).is_err(), "{wrong}");
        }
    }
}
