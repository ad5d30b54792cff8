//! What is said of objects while they are looked at, and at the end. Nothing is kept but counts and the first
//! failures, so that buckets may be of any size.

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::super::error::Error;
use super::super::output::{Format, Output, note};
use super::wish::{CUSTOMER, Fault, Found, Way};

/// What became of an object that was found, or of one that could not be looked at.
#[derive(Debug)]
pub(super) enum Became {
    /// It was only looked for.
    Listed,
    Fixed(Way, Found),
    /// It is as it was, and why.
    NotDone(String),
}

/// What was found.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) size: u64,
    /// None where S3 did not say.
    pub(super) found: Option<(&'a Found, Fault)>,
    pub(super) became: Became,
}

/// How many of what.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) looked_at: u64,
    pub(super) found: u64,
    pub(super) fixed: u64,
    pub(super) not_fixed: u64,
    pub(super) not_looked_at: u64,
}

#[derive(Debug)]
pub(super) struct Report {
    output: Output,
    bar: ProgressBar,
    fixes: bool,
    pub(super) counts: Counts,
    failures: Vec<String>,
}

impl Report {
    pub(super) fn new(output: Output, fixes: bool) -> Self {
        // Drawn only when standard error is a terminal.
        let bar = ProgressBar::new_spinner();
        if let Ok(style) =
            ProgressStyle::with_template("{spinner} {pos} objects ({per_sec}) {wide_msg}")
        {
            bar.set_style(style);
        }
        Self { output, bar, fixes, counts: Counts::default(), failures: Vec::new() }
    }

    /// One more object is looked at, and as it should be.
    pub(super) fn passed(&mut self) {
        self.counts.looked_at += 1;
        self.bar.inc(1);
    }

    /// One more is not.
    pub(super) fn row(&mut self, row: &Row<'_>) -> Result<(), Error> {
        self.bar.inc(1);
        match &row.found {
            Some(_) => {
                self.counts.looked_at += 1;
                self.counts.found += 1;
            }
            None => self.counts.not_looked_at += 1,
        }
        match (&row.became, &row.found) {
            (Became::Fixed(..), _) => self.counts.fixed += 1,
            (Became::NotDone(_), Some(_)) => self.counts.not_fixed += 1,
            _ => {}
        }
        if let Became::NotDone(reason) = &row.became
            && self.failures.len() < MOST_FAILURES
        {
            self.failures.push(format!("{}: {reason}", address(row.bucket, row.key)));
        }
        self.bar.set_message(format!("{} found, {} fixed", self.counts.found, self.counts.fixed));
        let line = match self.output.output {
            Format::Json | Format::Jsonl => json_of(row).to_string(),
            Format::Table => line_of(row),
        };
        let output = &self.output;
        self.bar.suspend(|| output.line(&line))
    }

    /// A bucket whose objects cannot be listed.
    pub(super) fn closed(&mut self, bucket: &str, reason: &str) -> Result<(), Error> {
        let became = Became::NotDone(reason.to_owned());
        self.row(&Row { bucket, key: "", size: 0, found: None, became })
    }

    /// Says the end, and whether all is well. `resume` is where another run goes on.
    pub(super) fn end(self, resume: Option<&str>) -> Result<(), Error> {
        self.bar.finish_and_clear();
        let Counts { looked_at, found, fixed, not_fixed, not_looked_at } = self.counts;
        let summary = json!({
            "looked_at": looked_at,
            "found": found,
            "fixed": fixed,
            "not_fixed": not_fixed,
            "not_looked_at": not_looked_at,
            "start_after": resume,
        });
        match self.output.output {
            Format::Json | Format::Jsonl => {
                self.output.line(&json!({ "summary": summary }).to_string())?
            }
            Format::Table => {
                let fixed = if self.fixes { format!(", {fixed} fixed") } else { String::new() };
                let unseen = match not_looked_at {
                    0 => String::new(),
                    unseen => format!(", {unseen} could not be looked at"),
                };
                self.output.line(&format!(
                    "{looked_at} objects looked at: {found} found{fixed}{unseen}"
                ))?;
            }
        }
        for failure in &self.failures {
            note(failure);
        }
        let told = u64::try_from(self.failures.len()).unwrap_or(u64::MAX);
        if let Some(more) = (not_fixed + not_looked_at).checked_sub(told).filter(|more| *more > 0) {
            note(&format!("and {more} more"));
        }
        if resume.is_some() {
            return Ok(());
        }
        match found - fixed + not_looked_at {
            0 => Ok(()),
            1 => Err(Error::Encryption(
                "1 object is not encrypted as it should be, or not known to be".to_owned(),
            )),
            left => Err(Error::Encryption(format!(
                "{left} objects are not encrypted as they should be, or not known to be"
            ))),
        }
    }
}

fn json_of(row: &Row<'_>) -> Value {
    let found = row.found.as_ref();
    let (result, how, reason, after) = match &row.became {
        Became::Listed => ("found", None, None, None),
        Became::Fixed(way, found) => ("fixed", Some(way.name()), None, Some(encryption(found))),
        Became::NotDone(reason) => {
            (if found.is_some() { "not fixed" } else { "not looked at" }, None, Some(reason), None)
        }
    };
    json!({
        "bucket": row.bucket,
        "key": row.key,
        "size": row.size,
        "encryption": found.map(|(found, _)| encryption(found)),
        "fault": found.map(|(_, fault)| fault.name()),
        "result": result,
        "how": how,
        "now": after,
        "reason": reason,
    })
}

fn encryption(found: &Found) -> Value {
    json!({ "mode": found.mode, "key_arn": found.key_arn, "bucket_key": found.bucket_key })
}

/// In columns that are as wide for each object, as there is no last one to wait for.
fn line_of(row: &Row<'_>) -> String {
    let mode = match row.found.as_ref().map(|(found, _)| found.mode.as_deref()) {
        Some(Some(CUSTOMER)) => "SSE-C",
        Some(Some("AES256")) => "SSE-S3",
        Some(Some("aws:kms")) => "SSE-KMS",
        Some(Some("aws:kms:dsse")) => "DSSE-KMS",
        Some(Some(_)) => "another",
        Some(None) => "Not encrypted",
        None => "unknown",
    };
    let said = match (&row.became, &row.found) {
        (Became::Listed, Some((_, Fault::Clear))) | (Became::NotDone(_), None) => "",
        (Became::Listed, found) => found.as_ref().map_or("", |(_, fault)| fault.name()),
        (Became::Fixed(way, _), _) => way.name(),
        (Became::NotDone(_), Some(_)) => "not fixed",
    };
    format!(" {mode:<13}  {:>13}  {said:<22}  {}", row.size, address(row.bucket, row.key))
}

/// An object's address, with nothing in it that a terminal would obey.
fn address(bucket: &str, key: &str) -> String {
    let escaped = |letter: char| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    format!("s3://{bucket}/{}", key.chars().map(escaped).collect::<String>())
}

/// Failures that are told once more at the end.
const MOST_FAILURES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert_eq!(address("b", "a\u{1b}[2J\né"), "s3://b/a\\u{1b}[2J\\né");
    }
}
