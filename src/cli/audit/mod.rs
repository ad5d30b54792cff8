//! `strongroom audit`
//!
//! | file | noun |
//! |---|---|
//! | `cloudtrail.rs` | the trail as CloudTrail delivers it |
//! | `expect.rs` | what a test expects of the trail |
//! | `query.rs` | records found, records followed |
//! | `export.rs` | the log as files |
//! | `seal.rs` | the oldest records moved to the archive |
//! | `site.rs` | files over HTTP |
//! | `prove.rs` | proofs of records and of older trees |
//! | `reindex.rs` | the index made anew |
//! | `verify.rs` | the log recomputed, its key |
//! | `rotate.rs` | another key for the log |
//! | `trust.rs` | whose signatures are believed |

mod cloudtrail;
mod expect;
mod export;
mod prove;
mod query;
mod reindex;
mod rotate;
mod seal;
mod site;
mod trust;
mod verify;

pub(super) use site::Site;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};

use super::error::Error;
use crate::config;
use crate::instance::{StoreSettings, Strongroom};

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
    /// Print where the trail ends now: where a window of `expect` may begin
    Mark(expect::Mark),
    /// Compare a window of the trail with the calls that a test expects of it
    Expect(Box<expect::Expect>),
    /// Follow the trail; ends with the service
    Tail(Box<query::Tail>),
    /// Make the index anew from the records, with no service running
    Reindex(reindex::Reindex),
    /// Move the oldest records to the archive and give back their room, with no service running
    Seal(seal::Seal),
    /// Recompute everything, from entries up, and compare it with the signed checkpoint
    Verify(verify::Verify),
    /// Write the log into a folder, for others to serve, verify or read
    Export(Box<export::Export>),
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
            Verb::Mark(mark) => mark.run().await,
            Verb::Expect(expect) => expect.run().await,
            Verb::Tail(tail) => tail.run().await,
            Verb::Reindex(reindex) => reindex.run(),
            Verb::Seal(seal) => seal.run().await,
            Verb::Verify(verify) => verify.run().await,
            Verb::Export(export) => export.run().await,
            Verb::Prove(prove) => prove.run().await,
            Verb::Consistency(consistency) => consistency.run().await,
            Verb::Key(key) => key.run().await,
            Verb::RotateKey(rotate) => rotate.run().await,
        }
    }
}

/// Records that are done; drawn only when standard error is a terminal.
fn progress(verb: &'static str) -> ProgressBar {
    let bar = ProgressBar::no_length().with_message(verb);
    if let Ok(style) = ProgressStyle::with_template("{msg}: {human_pos} records, {per_sec}") {
        bar.set_style(style);
    }
    bar
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
    /// Where its sealed records are, if they were moved: a folder, or the URL of an object store
    #[arg(long, env = "STRONGROOM_AUDIT_ARCHIVE", value_name = "DIR|URL")]
    archive: Option<String>,
}

impl Offline {
    /// The store of the data directory, which has to be named.
    fn needed(&self) -> Result<Strongroom, Error> {
        let missing = || Error::Usage("name the data directory with --data-dir".to_owned());
        self.open()?.ok_or_else(missing)
    }

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
        let settings = StoreSettings::new(BTreeMap::new(), config::store_variables());
        builder = builder.object_store(settings);
        if let Some(location) = &self.archive {
            builder = builder.audit_archive(location);
        }
        Ok(Some(builder.build()?))
    }
}
