//! `strongroom audit verify` and `key`: what the log's key says, and whether the log agrees.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Output, say};
use super::prove::{consistency, cosigned};
use super::rotate::{keys, own_keys};
use super::site::Site;
use super::trust::{Believed, Trust, add, names};
use super::{Offline, progress};
use crate::audit::files::{Files, Folder, LogFile, verify};
use crate::audit::{self, Checkpoint, HandOver, Log, LogKeys, Tree, TreeName};
use crate::instance::Strongroom;
use crate::proto::v1;

/// Recompute everything, from entries up, and compare it with the signed checkpoint.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit verify                                  of a running service, by itself
  strongroom audit verify --data-dir ./strongroom-data     of a store that no service holds
  strongroom audit verify ./log --verifier STRING          of an export, with the public key alone
  strongroom audit verify http://127.0.0.1:4566/_strongroom/log --verifier STRING
  strongroom audit verify ./log --verifier STRING --older monday.checkpoint
  strongroom audit verify --verifier STRING --witness STRING --witness STRING --quorum 1
  strongroom audit verify --proof 42.tlog-proof --entry 42.json --verifier STRING   one record

What does not verify is called damage (records or tiles are not what was written), rollback (fewer records
than an older checkpoint has) or fork (other records than it has).")]
pub(super) struct Verify {
    /// A log's files: a folder, or an http:// address (to the endpoint's own the token is sent, too)
    #[arg(value_name = "DIR|URL", conflicts_with_all = ["proof", "data_dir"])]
    place: Option<String>,
    /// A checkpoint of before, whose tree must still be in the log; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "proof")]
    older: Vec<PathBuf>,
    /// The checkpoint that witnesses have signed (`audit key --cosigned`), when the log's own place does not
    /// have it
    #[arg(long, value_name = "FILE", requires = "witnesses", conflicts_with = "proof")]
    cosigned: Option<PathBuf>,
    /// Verify this proof of one record, offline (C2SP tlog-proof)
    #[arg(long, value_name = "FILE", requires = "entry", conflicts_with = "data_dir")]
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
        let verified = if let (Some(proof), Some(entry)) = (&self.proof, &self.entry) {
            self.trust.proof(proof, entry)?
        } else if let Some(place) = &self.place {
            if place.contains("://") {
                self.files(&Site::at(place, self.connection.authorization_at(place)?)?)?
            } else {
                self.files(&Folder::at(place))?
            }
        } else {
            match self.offline.open()? {
                Some(room) => {
                    let checked = self.store(&room);
                    room.close()?;
                    checked?
                }
                None => self.service().await?,
            }
        };
        self.output.one(&verified)
    }

    /// Files, with the public key alone. What witnesses have signed is one more older tree.
    fn files(&self, files: &impl Files) -> Result<Value, Error> {
        let keys = self.trust.keys(Vec::new())?;
        let mut older = self.older(&keys)?;
        let own = || Ok(files.read(LogFile::Checkpoint)?.unwrap_or_default());
        let believed = self.witnessed(&keys, own)?;
        older.extend(believed.iter().map(|believed| believed.checkpoint.clone()));
        let bar = progress("verifying");
        let checked = verify(files, &keys, &older, |done| bar.set_position(done));
        bar.finish_and_clear();
        let checkpoint = checked?;
        Ok(verified(checkpoint.size, &checkpoint.root, believed.as_ref()))
    }

    /// A data directory, which has its own keys.
    fn store(&self, room: &Strongroom) -> Result<Value, Error> {
        let service = room.service();
        let keys = match self.trust.is_said() {
            true => self.trust.keys(service.read_log(Log::hand_overs)?)?,
            false => service.read_log(Log::keys),
        };
        let bar = progress("verifying");
        bar.set_length(service.log_head().size);
        let checked = service.verify_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        let head = checked?;
        if head.size > 0 {
            keys.open(&head.checkpoint)?;
        }
        let own = || Ok(service.cosigned_head().ok_or(Error::NotCosigned)?.note.clone());
        let believed = self.witnessed(&keys, own)?;
        let mut older = self.older(&keys)?;
        older.extend(believed.iter().map(|believed| believed.checkpoint.clone()));
        for older in &older {
            service.read_log(|log| log.contains_tree(older))?;
        }
        Ok(verified(head.size, &head.root, believed.as_ref()))
    }

    /// A running service, which recomputes its log itself; what it says of older trees is proved.
    async fn service(&self) -> Result<Value, Error> {
        let mut client = self.connection.audit()?;
        let mut believed = None;
        if self.trust.wants_witnesses() {
            let note = match &self.cosigned {
                Some(path) => read(path)?,
                None => cosigned(&self.connection).await?.1,
            };
            believed = Some(self.trust.open(&self.keys_of(&note).await?, &note)?);
        }
        let done = client.verify_log(v1::VerifyLogRequest {}).await?.into_inner();
        if self.trust.is_said() || !self.older.is_empty() {
            let keys = self.keys_of(done.checkpoint.as_bytes()).await?;
            let newest = keys.open(done.checkpoint.as_bytes())?;
            if (newest.size, &newest.root[..]) != (done.log_size, &done.root_hash[..]) {
                return Err(Error::Incomplete);
            }
            let mut older = self.older(&keys)?;
            older.extend(believed.iter().map(|believed| believed.checkpoint.clone()));
            for older in &older {
                self.contained(older, &newest).await?;
            }
        }
        Ok(verified(done.log_size, &done.root_hash, believed.as_ref()))
    }

    /// Has a service prove that its tree contains an older one.
    async fn contained(&self, older: &Checkpoint, newest: &Checkpoint) -> Result<(), Error> {
        if older.size > newest.size {
            let (size, older) = (newest.size, older.size);
            return Err(Error::Audit(audit::Error::Rollback { size, older }));
        }
        let [old, new] = [older.size, newest.size].map(TreeName::Size);
        let (proof, _) = consistency(&self.connection, old, Some(new)).await?;
        let tree = |of: &Checkpoint| Tree { size: of.size, root: of.root };
        if (proof.old, proof.new) != (tree(older), tree(newest)) {
            return Err(Error::Audit(audit::Error::Fork { size: older.size }));
        }
        Ok(proof.check()?)
    }

    /// The keys that are believed of a running service: its own word, when nothing is said. It is asked for
    /// hand-overs when they are needed for this note.
    async fn keys_of(&self, note: &[u8]) -> Result<LogKeys, Error> {
        if !self.trust.is_said() {
            return Ok(own_keys(&self.connection).await?.1);
        }
        let known = self.trust.keys(Vec::new())?;
        if known.open(note).is_ok() {
            return Ok(known);
        }
        self.trust.keys(keys(&self.connection).await?.1)
    }

    /// The checkpoint that enough witnesses have signed, where that is asked for: the one that is given, or
    /// the log's `own`.
    fn witnessed(
        &self,
        keys: &LogKeys,
        own: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Result<Option<Believed>, Error> {
        if !self.trust.wants_witnesses() {
            return Ok(None);
        }
        let note = match &self.cosigned {
            Some(path) => read(path)?,
            None => own()?,
        };
        self.trust.open(keys, &note).map(Some)
    }

    fn older(&self, keys: &LogKeys) -> Result<Vec<Checkpoint>, Error> {
        self.older.iter().map(|path| Ok(keys.open(&read(path)?)?)).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::file("reading", path))
}

fn verified(size: u64, root: &[u8], believed: Option<&Believed>) -> Value {
    let mut found = json!({ "verified": true, "records": size, "root_hash": hex::encode(root) });
    if let Some(believed) = believed {
        add(&mut found, "cosigned_records", believed.checkpoint.size.into());
        add(&mut found, "witnesses", names(&believed.witnessed));
    }
    found
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
