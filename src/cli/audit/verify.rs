//! `strongroom audit verify` and `key`: what the log's key says, and whether the log agrees.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Output, say};
use super::Offline;
use crate::audit::ProofFile;
use crate::proto::v1;

/// Recompute the whole tree and compare it with the signed checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit verify                          of a running service
  strongroom audit verify --data-dir ./strongroom-data   offline
  strongroom audit verify --proof 42.tlog-proof --entry 42.json --verifier STRING   one record")]
pub(super) struct Verify {
    /// Verify this proof of one record, offline (C2SP tlog-proof)
    #[arg(long, value_name = "FILE", requires_all = ["entry", "verifier"])]
    proof: Option<PathBuf>,
    /// The record's exact bytes
    #[arg(long, value_name = "FILE", requires = "proof")]
    entry: Option<PathBuf>,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Verify {
    pub(super) async fn run(self) -> Result<(), Error> {
        if let (Some(proof), Some(entry)) = (&self.proof, &self.entry) {
            return self.output.one(&self.trust.proof(proof, entry)?);
        }
        let Some(room) = self.offline.open()? else {
            let request = v1::VerifyLogRequest {};
            let done = self.connection.audit()?.verify_log(request).await?.into_inner();
            return self.output.one(&verified(done.log_size, &done.root_hash));
        };
        let bar = ProgressBar::new(room.service().log_head().size).with_message("verifying");
        let checked = room.service().verify_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        room.close()?;
        let head = checked?;
        self.output.one(&verified(head.size, &head.root))
    }
}

/// Whose signatures are believed.
#[derive(Debug, Args)]
struct Trust {
    /// C2SP verifier string of the log's key: the last line of `strongroom audit key`
    #[arg(long, env = "STRONGROOM_VERIFIER", value_name = "STRING")]
    verifier: Option<String>,
}

impl Trust {
    fn verifier(&self) -> Result<&str, Error> {
        let missing = || {
            Error::Usage(
                "say with --verifier whose signature is believed: the last line of `strongroom \
                 audit key`, from where it cannot have been changed"
                    .to_owned(),
            )
        };
        self.verifier.as_deref().ok_or_else(missing)
    }

    /// Verifies that an entry is the record that a proof says it is.
    fn proof(&self, proof: &Path, entry: &Path) -> Result<Value, Error> {
        let read = |path: &Path| fs::read(path).map_err(Error::file("reading", path));
        let proof = ProofFile::parse(&read(proof)?)?;
        let checkpoint = proof.verify(&read(entry)?, self.verifier()?)?;
        Ok(json!({
            "verified": true,
            "index": proof.index,
            "records": checkpoint.size,
            "root_hash": hex::encode(checkpoint.root),
            "log": checkpoint.origin,
        }))
    }
}

fn verified(size: u64, root: &[u8]) -> Value {
    json!({ "verified": true, "records": size, "root_hash": hex::encode(root) })
}

/// Print the checkpoint and, as the last line, the verifier string.
#[derive(Debug, Args)]
#[command(after_help = "Example: strongroom audit key | tail -1")]
pub(super) struct Key {
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    connection: Connection,
}

impl Key {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (checkpoint, verifier) = if let Some(room) = self.offline.open()? {
            let head = room.service().log_head();
            let verifier = room.service().verifier_key();
            room.close()?;
            (String::from_utf8_lossy(&head.checkpoint).into_owned(), verifier)
        } else {
            let request = v1::GetCheckpointRequest {};
            let found = self.connection.audit()?.get_checkpoint(request).await?.into_inner();
            (found.checkpoint, found.verifier_key)
        };
        say(&format!("{checkpoint}\n{verifier}"))
    }
}
