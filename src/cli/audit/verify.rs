//! `strongroom audit verify` and `key`: what the log's key says, and whether the log agrees.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Output, say};
use super::Offline;
use super::prove::consistency;
use super::rotate::keys;
use super::trust::{Believed, Trust, add, names};
use crate::audit::{self, Checkpoint, HandOver, Log, LogKeys, TreeName};
use crate::proto::v1;

/// Recompute the whole tree and compare it with the signed checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit verify                          of a running service
  strongroom audit verify --data-dir ./strongroom-data   offline
  strongroom audit verify --verifier STRING --witness STRING --witness STRING --quorum 1
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
        let Some(room) = self.offline.open()? else { return self.online().await };
        let bar = ProgressBar::new(room.service().log_head().size).with_message("verifying");
        let checked = room.service().verify_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        let cosigned = room.service().cosigned_head();
        let contained = |older: &Checkpoint| {
            room.service().read_log(|log| log.contains_tree(older)).map_err(Error::from)
        };
        let found = checked.map_err(Error::from).and_then(|head| {
            let mut found = verified(head.size, &head.root);
            if !self.trust.is_said() || head.size == 0 {
                return Ok(found);
            }
            let keys = self.trust.keys(room.service().read_log(Log::hand_overs)?)?;
            keys.open(&head.checkpoint)?;
            if self.trust.wants_witnesses() {
                let believed = self.trust.open(&keys, &cosigned.ok_or(Error::NotCosigned)?.note)?;
                contained(&believed.checkpoint)?;
                add_cosigned(&mut found, &believed);
            }
            Ok(found)
        });
        room.close()?;
        self.output.one(&found?)
    }

    /// Has a running service recompute its log; of what it says, what is signed is held against the keys
    /// that are believed.
    async fn online(&self) -> Result<(), Error> {
        let mut client = self.connection.audit()?;
        let mut believed = None;
        if self.trust.wants_witnesses() {
            let signed = client.get_checkpoint(v1::GetCheckpointRequest {}).await?.into_inner();
            if signed.cosigned_checkpoint.is_empty() {
                return Err(Error::NotCosigned);
            }
            let note = signed.cosigned_checkpoint.as_bytes();
            believed = Some(self.trust.open(&self.keys_of(note).await?, note)?);
        }
        let done = client.verify_log(v1::VerifyLogRequest {}).await?.into_inner();
        let mut found = verified(done.log_size, &done.root_hash);
        if self.trust.is_said() {
            let note = done.checkpoint.as_bytes();
            let newest = self.keys_of(note).await?.open(note)?;
            if (newest.size, &newest.root[..]) != (done.log_size, &done.root_hash[..]) {
                return Err(Error::Incomplete);
            }
            if let Some(believed) = &believed {
                let older = &believed.checkpoint;
                let [old, new] = [older.size, newest.size].map(TreeName::Size);
                let (proof, _) = consistency(&self.connection, old, Some(new)).await?;
                let trees = (proof.old.size, proof.old.root, proof.new.size, proof.new.root);
                if trees != (older.size, older.root, newest.size, newest.root) {
                    return Err(Error::Audit(audit::Error::Fork { size: older.size }));
                }
                proof.check()?;
                add_cosigned(&mut found, believed);
            }
        }
        self.output.one(&found)
    }

    /// The keys that are believed; the service is asked for hand-overs when they are needed for this note.
    async fn keys_of(&self, note: &[u8]) -> Result<LogKeys, Error> {
        let known = self.trust.keys(Vec::new())?;
        if known.open(note).is_ok() {
            return Ok(known);
        }
        self.trust.keys(keys(&self.connection).await?.1)
    }
}

/// Says up to where witnesses have signed, too.
fn add_cosigned(found: &mut Value, believed: &Believed) {
    add(found, "cosigned_records", believed.checkpoint.size.into());
    add(found, "witnesses", names(&believed.witnessed));
}

fn verified(size: u64, root: &[u8]) -> Value {
    json!({ "verified": true, "records": size, "root_hash": hex::encode(root) })
}

/// Print the checkpoint and every verifier string that the log has had; the last line is the newest.
#[derive(Debug, Args)]
#[command(after_help = "Example: strongroom audit key | tail -1")]
pub(super) struct Key {
    /// Print the newest checkpoint that witnesses have signed, instead of the newest of all
    #[arg(long)]
    cosigned: bool,
    /// Where to put what lets who trusts an older key trust the newest: every hand-over, oldest first
    #[arg(long, value_name = "FILE")]
    hand_over: Option<PathBuf>,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    connection: Connection,
}

impl Key {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (newest, cosigned, history, hand_overs) = if let Some(room) = self.offline.open()? {
            let text = |note: &[u8]| String::from_utf8_lossy(note).into_owned();
            let newest = text(&room.service().log_head().checkpoint);
            let cosigned = room.service().cosigned_head().map(|it| text(&it.note));
            let history =
                room.service().read_log(|log| log.keys().all().map(str::to_owned).collect());
            let hand_overs = room.service().read_log(Log::hand_overs);
            room.close()?;
            (newest, cosigned.unwrap_or_default(), history, hand_overs?)
        } else {
            let request = v1::GetCheckpointRequest {};
            let found = self.connection.audit()?.get_checkpoint(request).await?.into_inner();
            let (history, hand_overs) = match &self.hand_over {
                None if found.log_keys < 2 => (vec![found.verifier_key], Vec::new()),
                _ => keys(&self.connection).await?,
            };
            (found.checkpoint, found.cosigned_checkpoint, history, hand_overs)
        };
        if let Some(path) = &self.hand_over {
            let bytes: Vec<_> = hand_overs.iter().flat_map(HandOver::encode).collect();
            fs::write(path, bytes).map_err(Error::file("writing", path))?;
        }
        let history: Vec<String> = history;
        let checkpoint = if self.cosigned { cosigned } else { newest };
        if self.cosigned && checkpoint.is_empty() {
            return Err(Error::NotCosigned);
        }
        say(&format!("{checkpoint}\n{}", history.join("\n")))
    }
}
