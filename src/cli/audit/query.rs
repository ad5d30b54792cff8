//! `strongroom audit query` and `tail`: records found, records followed.

use chrono::{DateTime, Utc};
use clap::Args;
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::object::pair;
use super::super::output::{Format, Output, age, time};
use crate::proto::v1;

/// What records have to meet.
#[derive(Debug, Args)]
#[command(next_help_heading = "Conditions, which hold together")]
pub(super) struct Conditions {
    /// Key id or key ARN; or an alias, by name or ARN: the calls that named it, and those on the key
    /// that it named then
    #[arg(long)]
    key: Option<String>,
    /// ARN of the key, or of what else was named: an alias, another key, a role
    #[arg(long, value_name = "ARN")]
    resource: Option<String>,
    /// ARN of who called
    #[arg(long, value_name = "ARN")]
    principal: Option<String>,
    /// 12 digits: the caller's
    #[arg(long)]
    account: Option<String>,
    /// Access key id that was presented (--access-key-id is whose calls these are)
    #[arg(long, value_name = "ID")]
    by_access_key: Option<String>,
    /// Address that the call came from
    #[arg(long, value_name = "ADDRESS")]
    source: Option<String>,
    /// Such as `GenerateDataKey`
    #[arg(long)]
    operation: Option<String>,
    /// success, refused or failed
    #[arg(long)]
    outcome: Option<String>,
    /// Such as `DisabledException`
    #[arg(long)]
    error_code: Option<String>,
    /// A pair of the encryption context; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// A UUID
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// Not before, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Before, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// Index after the last
    #[arg(long, value_name = "INDEX")]
    to: Option<u64>,
}

impl Conditions {
    /// As the service takes them.
    pub(super) fn request(self) -> v1::QueryRequest {
        v1::QueryRequest {
            start_time: self.since.map(stamp),
            end_time: self.until.map(stamp),
            key_id: self.key.unwrap_or_default(),
            resource: self.resource.unwrap_or_default(),
            principal: self.principal.unwrap_or_default(),
            account: self.account.unwrap_or_default(),
            access_key_id: self.by_access_key.unwrap_or_default(),
            source_address: self.source.unwrap_or_default(),
            operation: self.operation.unwrap_or_default(),
            outcome: self.outcome.unwrap_or_default(),
            error_code: self.error_code.unwrap_or_default(),
            encryption_context: self.context.into_iter().collect(),
            request_id: self.request_id.unwrap_or_default(),
            end_index: self.to,
            ..v1::QueryRequest::default()
        }
    }
}

/// Find records.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit query --operation Decrypt --outcome failed --context case=7
  strongroom audit query --key alias/app --since 2026-11-25T09:00:00Z --output jsonl | jq .principal")]
pub(super) struct Query {
    #[command(flatten)]
    conditions: Conditions,
    /// First index
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    /// Oldest first instead of newest first
    #[arg(long)]
    oldest_first: bool,
    /// Records at the most
    #[arg(long, default_value_t = 20)]
    limit: usize,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Query {
    pub(super) async fn run(self) -> Result<(), Error> {
        let mut client = self.connection.audit()?;
        let order = if self.oldest_first { v1::Order::OldestFirst } else { v1::Order::NewestFirst };
        let mut request = self.conditions.request();
        request.start_index = self.from;
        request.order = order.into();
        let mut rows = Vec::new();
        while rows.len() < self.limit {
            request.limit = i32::try_from((self.limit - rows.len()).min(1000)).unwrap_or(1000);
            let page = client.query(request.clone()).await?.into_inner();
            for record in &page.records {
                rows.push(match self.output.output {
                    Format::Json | Format::Jsonl => json(record)?,
                    Format::Table => row(record),
                });
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        let columns =
            ["index", "time", "operation", "outcome", "error_code", "principal", "key_id"];
        self.output.list("records", &columns, &rows)
    }
}

/// Follow the trail.
#[derive(Debug, Args)]
#[command(after_help = "Example: strongroom audit tail --from 0 --outcome refused --output jsonl")]
pub(super) struct Tail {
    #[command(flatten)]
    conditions: Conditions,
    /// First index; the end when not given
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Tail {
    pub(super) async fn run(self) -> Result<(), Error> {
        let conditions = Some(self.conditions.request());
        let request = v1::TailRequest { start_index: self.from, conditions };
        let mut stream = self.connection.audit()?.tail(request).await?.into_inner();
        while let Some(record) = stream.message().await? {
            match self.output.output {
                Format::Json | Format::Jsonl => self.output.line(&json(&record)?.to_string())?,
                Format::Table => self.output.line(&line(&record))?,
            }
        }
        Ok(())
    }
}

fn stamp(at: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: at.timestamp(), nanos }
}

/// The entry itself, with its index.
fn json(record: &v1::Record) -> Result<Value, Error> {
    let mut entry: Value = serde_json::from_slice(&record.entry).map_err(|_| Error::Incomplete)?;
    if let Some(members) = entry.as_object_mut() {
        members.insert("index".to_owned(), record.index.into());
    }
    Ok(entry)
}

fn row(record: &v1::Record) -> Value {
    json!({
        "index": record.index,
        "time": age(record.time.as_ref()),
        "operation": record.operation,
        "outcome": record.outcome,
        "error_code": record.error_code,
        "principal": record.principal,
        "key_id": record.key_id.rsplit('/').next(),
    })
}

fn line(record: &v1::Record) -> String {
    let at = time(record.time.as_ref());
    let parts = [
        record.index.to_string(),
        at.as_str().unwrap_or_default().to_owned(),
        record.operation.clone(),
        record.outcome.clone(),
        record.error_code.clone(),
        record.key_id.clone(),
    ];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("  ")
}
