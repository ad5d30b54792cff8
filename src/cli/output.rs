//! Tables for people, JSON for scripts.

use std::io::{self, IsTerminal, Write};

use chrono::{DateTime, SecondsFormat};
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::error::Error;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
}

/// The choice of every command.
#[derive(Debug, Args)]
pub(super) struct Output {
    /// How to answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(super) output: Format,
}

impl Output {
    /// Prints one thing: name and value pairs, or the JSON object.
    pub(super) fn one(&self, value: &Value) -> Result<(), Error> {
        let Value::Object(members) = value else { return self.line(&value.to_string()) };
        match self.output {
            Format::Json => self.line(&format!("{value:#}")),
            Format::Table => {
                let mut table = table();
                for (name, value) in members {
                    table.add_row([name.clone(), shown(value)]);
                }
                self.line(&table.to_string())
            }
        }
    }

    /// Prints a list under column names, or the JSON array under `name`.
    pub(super) fn list(&self, name: &str, columns: &[&str], rows: &[Value]) -> Result<(), Error> {
        match self.output {
            Format::Json => self.line(&format!("{:#}", json!({ name: rows }))),
            Format::Table => {
                let mut table = table();
                table.set_header(columns.iter().copied());
                for row in rows {
                    table.add_row(
                        columns
                            .iter()
                            .map(|column| row.get(*column).map(shown).unwrap_or_default()),
                    );
                }
                self.line(&table.to_string())
            }
        }
    }

    /// Prints that something was done, to people only.
    pub(super) fn done(&self, text: &str) -> Result<(), Error> {
        match self.output {
            Format::Json => self.line("{}"),
            Format::Table => self.line(text),
        }
    }

    /// Prints one line.
    pub(super) fn line(&self, text: &str) -> Result<(), Error> {
        say(text)
    }
}

/// Writes one line to standard output; a reader that went away is no error.
pub(super) fn say(text: &str) -> Result<(), Error> {
    match writeln!(io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes one line to standard error: for people, not for scripts.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}"); // nobody reads it: nothing is lost
}

/// RFC 3339, or null.
pub(super) fn time(stamp: Option<&Timestamp>) -> Value {
    let nanos = |stamp: &Timestamp| u32::try_from(stamp.nanos).ok();
    stamp
        .and_then(|stamp| DateTime::from_timestamp(stamp.seconds, nanos(stamp)?))
        .map_or(Value::Null, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
