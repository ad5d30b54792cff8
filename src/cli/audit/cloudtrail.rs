//! `strongroom audit export --format cloudtrail`: the trail as AWS CloudTrail delivers it to a bucket.
//!
//! ```text
//! DIR/AWSLogs/ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHMMZ_FIRST.json.gz
//! ```
//! A file is `{"Records": […]}` of five minutes, or of fewer when there are many records. FIRST is the
//! log index of its first record in sixteen hex digits, where CloudTrail has random letters: the same
//! trail gives the same names.
//!
//! Source: AWS CloudTrail User Guide, "CloudTrail log file name format".

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;

use super::super::connection::Connection;
use super::super::error::Error;
use super::progress;
use super::query::Conditions;
use crate::audit::{CloudTrailEvent, Event};
use crate::proto::v1;

/// Which records are delivered.
#[derive(Debug, Args)]
pub(super) struct Selection {
    /// First index
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    #[command(flatten)]
    conditions: Conditions,
}

impl Selection {
    /// As the service takes it; none where everything is.
    pub(super) fn request(self) -> Option<v1::QueryRequest> {
        let request = v1::QueryRequest { start_index: self.from, ..self.conditions.request() };
        (request != v1::QueryRequest::default()).then_some(request)
    }
}

/// What was written.
pub(super) struct Delivery {
    pub(super) files: u64,
    pub(super) records: u64,
    /// Records that are no calls of AWS's.
    pub(super) left_out: u64,
}

impl Delivery {
    /// Writes what `request` finds into a folder, which is made if need be.
    pub(super) async fn make(
        request: v1::QueryRequest,
        folder: PathBuf,
        connection: &Connection,
    ) -> Result<Self, Error> {
        let mut client = connection.audit()?;
        let order = v1::Order::OldestFirst.into();
        let mut request = v1::QueryRequest { order, limit: 1000, ..request };
        let mut files = Files { folder, open: BTreeMap::new(), files: 0, records: 0 };
        let (mut left_out, bar) = (0_u64, progress("exporting"));
        loop {
            let page = client.query(request.clone()).await?.into_inner();
            // The export's own reads are not in it.
            request.end_index.get_or_insert(page.log_size);
            for record in &page.records {
                let event = Event::decode(&record.entry)?;
                match CloudTrailEvent::of(record.index, &event) {
                    Some(event) => files.add(record.index, event)?,
                    None => left_out += 1,
                }
                bar.inc(1);
            }
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        files.finish()?;
        bar.finish_and_clear();
        let Files { files, records, .. } = files;
        Ok(Self { files, records, left_out })
    }
}

/// Account, region and the time that a file begins.
type Place = (String, String, DateTime<Utc>);

/// The files that are being filled.
struct Files {
    folder: PathBuf,
    /// With the index of their first record.
    open: BTreeMap<Place, (u64, Vec<CloudTrailEvent>)>,
    files: u64,
    records: u64,
}

impl Files {
    fn add(&mut self, index: u64, event: CloudTrailEvent) -> Result<(), Error> {
        let time = event.event_time;
        let begin = time.duration_trunc(TimeDelta::minutes(5)).unwrap_or(time);
        let key = (event.recipient_account_id.clone(), event.aws_region.clone(), begin);
        self.records += 1;
        let (first, events) = self.open.entry(key.clone()).or_insert_with(|| (index, Vec::new()));
        events.push(event);
        if events.len() >= FILE_RECORDS {
            let (first, events) = (*first, std::mem::take(events));
            self.open.remove(&key);
            self.write(&key, first, &events)?;
        } else if self.open.len() > OPEN {
            self.finish()?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        while let Some((key, (first, events))) = self.open.pop_first() {
            self.write(&key, first, &events)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        (account, region, begin): &Place,
        first: u64,
        events: &[CloudTrailEvent],
    ) -> Result<(), Error> {
        let day = begin.format("%Y/%m/%d");
        let folder = self.folder.join(format!("AWSLogs/{account}/CloudTrail/{region}/{day}"));
        fs::create_dir_all(&folder).map_err(Error::file("creating", &folder))?;
        let begin = begin.format("%Y%m%dT%H%MZ");
        let path =
            folder.join(format!("{account}_CloudTrail_{region}_{begin}_{first:016X}.json.gz"));
        compress(&path, events).map_err(Error::file("writing", &path))?;
        self.files += 1;
        Ok(())
    }
}

fn compress(path: &Path, events: &[CloudTrailEvent]) -> io::Result<()> {
    let mut file = GzEncoder::new(File::create(path)?, Compression::default());
    serde_json::to_writer(&mut file, &Delivered { records: events })?;
    file.finish()?.flush()
}

/// What a file holds.
#[derive(Serialize)]
struct Delivered<'a> {
    #[serde(rename = "Records")]
    records: &'a [CloudTrailEvent],
}

/// Records of a file at the most.
const FILE_RECORDS: usize = 5000;
/// Files that are filled at a time.
const OPEN: usize = 256;
