//! `strongroom audit seal`: the oldest records moved to the archive, and the database without their room.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::error::Error;
use super::super::output::Output;
use super::{Offline, progress};
use crate::audit::Keep;
use crate::instance::Strongroom;
use crate::service::{self, Sealed};

/// Move the oldest records to the archive and give back their room, with no service running
#[derive(Debug, Args)]
#[command(after_help = "\
Records move in blocks of 256. They stay in the tree: queries, proofs, exports and verification read them
from the archive, which is the log's files (C2SP tlog-tiles) up to a checkpoint of its own. A running
service moves them by itself (strongroom serve --audit-keep-records NUMBER), but its database gives nothing
back; this writes it anew.

Example: strongroom audit seal --data-dir ./strongroom-data --keep-records 100000")]
pub(super) struct Seal {
    /// Keep so many of the newest records in the store
    #[arg(long, value_name = "NUMBER", required_unless_present = "keep_age")]
    keep_records: Option<u64>,
    /// Keep records up to this age there (`30d`, `12h`)
    #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
    keep_age: Option<Duration>,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    output: Output,
}

impl Seal {
    pub(super) async fn run(self) -> Result<(), Error> {
        let room = self.offline.needed()?;
        let keep = Keep { records: self.keep_records, age: self.keep_age };
        let before = room.service().read_log(crate::audit::Log::sealed_size);
        let sealed = seal(&room, keep).await;
        let after = room.service().read_log(crate::audit::Log::sealed_size);
        let records = room.service().log_head().size;
        match &sealed {
            Ok(()) => room.close_compacted()?,
            Err(_) => room.close()?,
        }
        sealed?;
        self.output.one(&json!({
            "sealed": after,
            "newly_sealed": after - before,
            "in_the_store": records - after,
        }))
    }
}

/// Seals until nothing more is due.
async fn seal(room: &Strongroom, keep: Keep) -> Result<(), service::Error> {
    let bar = progress("sealing");
    while let Some(Sealed { end, .. }) = room.service().seal(keep).await? {
        bar.set_position(end);
    }
    bar.finish_and_clear();
    Ok(())
}
