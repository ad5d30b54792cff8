//! `strongroom audit`
//!
//! | file | noun |
//! |---|---|
//! | `query.rs` | records found, records followed |
//! | `prove.rs` | proofs of records and of older trees |
//! | `verify.rs` | the log recomputed, its key |
//! | `rotate.rs` | another key for the log |
//! | `trust.rs` | whose signatures are believed |

mod prove;
mod query;
mod rotate;
mod trust;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::error::Error;
use crate::config;
use crate::instance::Strongroom;

/// Read, follow and verify the audit trail
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find records; all conditions given hold together
    Query(Box<query::Query>),
    /// Follow the trail; ends with the service
    Tail(query::Tail),
    /// Recompute the whole tree and compare it with the signed checkpoint
    Verify(verify::Verify),
    /// Prove that a record is in the log, for whoever has its public key
    Prove(prove::Prove),
    /// Prove that the log contains an older tree of its own
    Consistency(prove::Consistency),
    /// Have another key sign the log from here on
    RotateKey(rotate::RotateKey),
    /// Print the checkpoint and the verifier strings of the log's keys; the last line is the newest's
    Key(verify::Key),
}

impl Audit {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Query(query) => query.run().await,
            Verb::Tail(tail) => tail.run().await,
            Verb::Verify(verify) => verify.run().await,
            Verb::Prove(prove) => prove.run().await,
            Verb::Consistency(consistency) => consistency.run().await,
            Verb::Key(key) => key.run().await,
            Verb::RotateKey(rotate) => rotate.run().await,
        }
    }
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

impl Offline {
    /// The store of the data directory, where one was named.
    fn open(&self) -> Result<Option<Strongroom>, Error> {
        let Some(folder) = &self.data_dir else { return Ok(None) };
        if !folder.join("store").is_dir() {
            let folder = folder.display();
            return Err(Error::Usage(format!("{folder} is no data directory of strongroom")));
        }
        let mut builder = Strongroom::builder().data_dir(folder);
        if let Some((text, from)) = config::root_key(self.root_key_file.as_deref())? {
            builder = builder.root_key(text, from);
        }
        Ok(Some(builder.build()?))
    }
}
