//! `strongroom audit reindex`: the index made anew.

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::output::Output;
use super::{Offline, progress};

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
        let room = self.offline.needed()?;
        let bar = progress("indexing");
        let done = room.service().reindex_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        room.close()?;
        self.output.one(&json!({ "indexed": true, "records": done?.size }))
    }
}
