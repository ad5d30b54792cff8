//! `strongroom audit export`: the log as files, or its records as CloudTrail has them.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::Output;
use super::cloudtrail::{Delivery, Selection};
use super::rotate::own_keys;
use super::{Offline, progress};
use crate::audit::files::{Exported, Folder, export};

/// Write the log into a folder; as tiles, as far as it is not there yet
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit export --format tiles ./log             of a running service
  strongroom audit export --format tiles ./log --data-dir ./strongroom-data
  strongroom audit verify ./log --verifier STRING
  strongroom audit export --format cloudtrail ./trail --since 2026-11-25T00:00:00Z")]
pub(super) struct Export {
    /// As what
    #[arg(long, value_enum, default_value_t = Format::Tiles)]
    format: Format,
    /// Where to; made for its owner alone if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// What the log is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// AWS CloudTrail's log files: gzipped JSON in its layout of folders, of the records that are asked for
    Cloudtrail,
    /// Files that anybody can serve and verify (C2SP tlog-tiles)
    Tiles,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Error> {
        match (self.format, &self.offline.data_dir) {
            (Format::Tiles, _) => self.tiles().await,
            (Format::Cloudtrail, None) => self.cloudtrail().await,
            (Format::Cloudtrail, Some(_)) => Err(Error::Usage(
                "CloudTrail's files are made of a running service's records".to_owned(),
            )),
        }
    }

    async fn cloudtrail(self) -> Result<(), Error> {
        let request = self.selection.request().unwrap_or_default();
        let Delivery { files, records, left_out } =
            Delivery::make(request, self.folder, &self.connection).await?;
        self.output.one(&json!({ "files": files, "records": records, "left_out": left_out }))
    }

    async fn tiles(self) -> Result<(), Error> {
        let Self { folder, offline, selection, connection, output, .. } = self;
        if selection.request().is_some() {
            let whole = "tiles are the whole log's: conditions are for --format cloudtrail";
            return Err(Error::Usage(whole.to_owned()));
        }
        let to = Folder::at(&folder);
        let bar = progress("exporting");
        let done = |done| bar.set_position(done);
        let exported = if let Some(room) = offline.open()? {
            let service = room.service();
            bar.set_length(service.log_head().size);
            let exported = service.read_log(|log| export(log, &to, &log.keys(), done));
            room.close()?;
            exported
        } else {
            // Whose log it is, the service says: what is exported is for others to verify.
            let (size, keys) = own_keys(&connection).await?;
            bar.set_length(size);
            export(&connection.log()?, &to, &keys, done)
        };
        bar.finish_and_clear();
        let Exported { checkpoint, before, files } = exported?;
        output.one(&json!({
            "exported": folder,
            "records": checkpoint.size,
            "new_records": checkpoint.size.saturating_sub(before),
            "files_written": files,
            "root_hash": hex::encode(checkpoint.root),
        }))
    }
}
