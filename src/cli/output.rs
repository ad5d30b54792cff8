//! Tables for people, JSON for scripts.

use std::io::{self, IsTerminal, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use prost_types::Timestamp;
use serde_json::{Value, json};

use super::error::Error;
use crate::clock::Clock;

/// How to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// One JSON document
    Json,
    /// One JSON document a line
    Jsonl,
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
            Format::Jsonl => self.line(&value.to_string()),
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
            Format::Jsonl => rows.iter().try_for_each(|row| self.line(&row.to_string())),
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
            Format::Json | Format::Jsonl => self.line("{}"),
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
    stamp
        .and_then(date)
        .map_or(Value::Null, |time| time.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
}

/// How long ago, for people at a terminal; elsewhere as [`time`].
pub(super) fn age(stamp: Option<&Timestamp>) -> Value {
    match stamp.and_then(date).filter(|_| io::stdout().is_terminal()) {
        Some(then) => ago(then, Clock::default().now()).into(),
        None => time(stamp),
    }
}

fn date(stamp: &Timestamp) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(stamp.seconds, u32::try_from(stamp.nanos).ok()?)
}

/// The largest whole unit of what lies between two times.
fn ago(then: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let (seconds, suffix) = match (now - then).num_seconds() {
        past @ 0.. => (past, "ago"),
        ahead => (-ahead, "ahead"),
    };
    let units = [("d", 86_400), ("h", 3600), ("min", 60)];
    let (unit, length) =
        units.into_iter().find(|(_, length)| seconds >= *length).unwrap_or(("s", 1));
    format!("{} {unit} {suffix}", seconds / length)
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn an_age_is_said_in_its_largest_unit() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for (seconds, said) in [
            (0, "0 s ago"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (7200, "2 h ago"),
            (200_000, "2 d ago"),
            (-5, "5 s ahead"),
        ] {
            assert_eq!(ago(now - TimeDelta::seconds(seconds), now), said);
        }
    }
}
