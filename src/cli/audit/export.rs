//! `strongroom audit export`: the log as files.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::Output;
use super::{Offline, progress};
use crate::audit::files::{Exported, Folder, export};
use crate::proto::v1;

/// Write the log into a folder, as far as it is not there yet
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit export --format tiles ./log             of a running service
  strongroom audit export --format tiles ./log --data-dir ./strongroom-data
  strongroom audit verify ./log --verifier STRING")]
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
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// What the log is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Files that anybody can serve and verify (C2SP tlog-tiles)
    Tiles,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Error> {
        let exported = match self.format {
            Format::Tiles => self.tiles().await?,
        };
        self.output.one(&json!({
            "exported": self.folder,
            "records": exported.checkpoint.size,
            "new_records": exported.checkpoint.size.saturating_sub(exported.before),
            "files_written": exported.files,
            "root_hash": hex::encode(exported.checkpoint.root),
        }))
    }

    async fn tiles(&self) -> Result<Exported, Error> {
        let to = Folder::at(&self.folder);
        let bar = progress("exporting");
        let done = |done| bar.set_position(done);
        let exported = if let Some(room) = self.offline.open()? {
            let service = room.service();
            bar.set_length(service.log_head().size);
            let exported = service.read_log(|log| export(log, &to, &log.verifier_key(), done));
            room.close()?;
            exported
        } else {
            // Whose log it is, the service says: what is exported is for others to verify.
            let request = v1::GetCheckpointRequest {};
            let head = self.connection.audit()?.get_checkpoint(request).await?.into_inner();
            bar.set_length(head.log_size);
            export(&self.connection.log()?, &to, &head.verifier_key, done)
        };
        bar.finish_and_clear();
        Ok(exported?)
    }
}
