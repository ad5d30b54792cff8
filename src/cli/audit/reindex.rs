//! `strongroom audit reindex`: the index made anew.

use clap::Args;
use indicatif::ProgressBar;
use serde_json::json;

use super::super::error::Error;
use super::super::output::Output;
use super::Offline;

/// Make the trail's index anew from its records.
#[derive(Debug, Args)]
#[command(after_help = "\
Queries are refused while the index does not fit the log; nothing else depends on it. No service may
hold the data directory meanwhile.

Example: strongroom audit reindex --data-dir ./strongroom-data")]
pub(super) struct Reindex {
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    output: Output,
}

impl Reindex {
    pub(super) fn run(self) -> Result<(), Error> {
        let Some(room) = self.offline.open()? else {
            return Err(Error::Usage("name the data directory with --data-dir".to_owned()));
        };
        let bar = ProgressBar::new(room.service().log_head().size).with_message("indexing");
        let done = room.service().reindex_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        room.close()?;
        self.output.one(&json!({ "indexed": true, "records": done?.size }))
    }
}
