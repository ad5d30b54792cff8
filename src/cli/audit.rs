//! `strongroom audit`

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::connection::Connection;
use super::error::Error;
use super::object::pair;
use super::output::{Format, Output, time};
use crate::config;
use crate::instance::Strongroom;
use crate::proto::v1;

/// Read, follow and verify the audit trail
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find records; all conditions given hold together
    Query(Box<QueryArgs>),
    /// Follow the trail; ends with the service
    #[command(after_help = "Example: strongroom audit tail --from 0 --output json")]
    Tail {
        /// First index; the end when not given
        #[arg(long, value_name = "INDEX")]
        from: Option<u64>,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// Recompute the whole tree and compare it with the signed checkpoint
    #[command(after_help = "\
Examples:
  strongroom audit verify                          of a running service
  strongroom audit verify --data-dir ./strongroom-data   offline")]
    Verify {
        #[command(flatten)]
        offline: Offline,
        #[command(flatten)]
        connection: Connection,
        #[command(flatten)]
        output: Output,
    },
    /// Print the checkpoint and, as the last line, the verifier string of the log's key
    #[command(after_help = "Example: strongroom audit key | tail -1")]
    Key {
        #[command(flatten)]
        offline: Offline,
        #[command(flatten)]
        connection: Connection,
    },
}

/// A store that no service holds.
#[derive(Debug, Args)]
struct Offline {
    /// Read this data directory instead of asking a service
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// File with its root key, if not in it
    #[arg(long, env = "STRONGROOM_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example: strongroom audit query --operation Decrypt --outcome failed --context case=7")]
struct QueryArgs {
    /// Key id or key ARN
    #[arg(long)]
    key: Option<String>,
    /// ARN
    #[arg(long)]
    principal: Option<String>,
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
    #[arg(long)]
    request_id: Option<String>,
    /// Not before, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<DateTime<Utc>>,
    /// Before, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<DateTime<Utc>>,
    /// First index
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    /// Index after the last
    #[arg(long, value_name = "INDEX")]
    to: Option<u64>,
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

impl Audit {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Query(query) => query.run().await,
            Verb::Tail { from, connection, output } => {
                let request = v1::TailRequest { start_index: from };
                let mut stream = connection.audit()?.tail(request).await?.into_inner();
                while let Some(record) = stream.message().await? {
                    match output.output {
                        Format::Json => output.line(&json(&record)?.to_string())?,
                        Format::Table => output.line(&line(&record))?,
                    }
                }
                Ok(())
            }
            Verb::Verify { offline, connection, output } => match &offline.data_dir {
                Some(folder) => verify_offline(folder, &offline, &output),
                None => {
                    let request = v1::VerifyLogRequest {};
                    let done = connection.audit()?.verify_log(request).await?.into_inner();
                    output.one(&verified(done.log_size, &done.root_hash))
                }
            },
            Verb::Key { offline, connection } => key(&offline, &connection).await,
        }
    }
}

impl QueryArgs {
    async fn run(self) -> Result<(), Error> {
        let mut client = self.connection.audit()?;
        let order = if self.oldest_first { v1::Order::OldestFirst } else { v1::Order::NewestFirst };
        let mut request = v1::QueryRequest {
            start_time: self.since.map(stamp),
            end_time: self.until.map(stamp),
            key_id: self.key.unwrap_or_default(),
            principal: self.principal.unwrap_or_default(),
            operation: self.operation.unwrap_or_default(),
            outcome: self.outcome.unwrap_or_default(),
            error_code: self.error_code.unwrap_or_default(),
            encryption_context: self.context.into_iter().collect(),
            request_id: self.request_id.unwrap_or_default(),
            start_index: self.from,
            end_index: self.to,
            order: order.into(),
            limit: 0,
            page_token: String::new(),
        };
        let mut rows = Vec::new();
        while rows.len() < self.limit {
            request.limit = i32::try_from((self.limit - rows.len()).min(1000)).unwrap_or(1000);
            let page = client.query(request.clone()).await?.into_inner();
            for record in &page.records {
                rows.push(match self.output.output {
                    Format::Json => json(record)?,
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

impl Offline {
    fn open(&self, folder: &Path) -> Result<Strongroom, Error> {
        if !folder.join("store").is_dir() {
            let folder = folder.display();
            return Err(Error::Usage(format!("{folder} is no data directory of strongroom")));
        }
        let mut builder = Strongroom::builder().data_dir(folder);
        if let Some((text, from)) = config::root_key(self.root_key_file.as_deref())? {
            builder = builder.root_key(text, from);
        }
        Ok(builder.build()?)
    }
}

fn verify_offline(folder: &Path, offline: &Offline, output: &Output) -> Result<(), Error> {
    let room = offline.open(folder)?;
    let bar = ProgressBar::new(room.service().log_head().size).with_message("verifying");
    let checked = room.service().verify_log(|done| bar.set_position(done));
    bar.finish_and_clear();
    room.close()?;
    let head = checked?;
    output.one(&verified(head.size, &head.root))
}

fn verified(size: u64, root: &[u8]) -> Value {
    json!({ "verified": true, "records": size, "root_hash": hex::encode(root) })
}

async fn key(offline: &Offline, connection: &Connection) -> Result<(), Error> {
    let (checkpoint, verifier) = match &offline.data_dir {
        Some(folder) => {
            let room = offline.open(folder)?;
            let head = room.service().log_head();
            let verifier = room.service().verifier_key();
            room.close()?;
            (String::from_utf8_lossy(&head.checkpoint).into_owned(), verifier)
        }
        None => {
            let request = v1::GetCheckpointRequest {};
            let found = connection.audit()?.get_checkpoint(request).await?.into_inner();
            (found.checkpoint, found.verifier_key)
        }
    };
    super::output::say(&format!("{checkpoint}\n{verifier}"))
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
        "time": time(record.time.as_ref()),
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
