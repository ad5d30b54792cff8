//! `strongroom audit verify` and `key`: what the log's key says, and whether the log agrees.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Output, say};
use super::prove::consistency;
use super::site::Site;
use super::{Offline, progress};
use crate::audit::files::{Files, Folder, verify};
use crate::audit::{Checkpoint, ConsistencyProof, ProofFile, Tree, TreeName};
use crate::instance::Strongroom;
use crate::proto::v1;

/// Recompute everything, from entries up, and compare it with the signed checkpoint
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit verify                                  of a running service, by itself
  strongroom audit verify --data-dir ./strongroom-data     of a store that no service holds
  strongroom audit verify ./log --verifier STRING          of an export, with the public key alone
  strongroom audit verify http://127.0.0.1:4566/_strongroom/log --verifier STRING
  strongroom audit verify ./log --verifier STRING --older monday.checkpoint
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
            let checkpoint = if place.contains("://") {
                self.files(&Site::at(place, self.connection.authorization_at(place)?)?)?
            } else {
                self.files(&Folder::at(place))?
            };
            verified(checkpoint.size, &checkpoint.root)
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

    /// Files, with the public key alone.
    fn files(&self, files: &impl Files) -> Result<Checkpoint, Error> {
        let verifier = self.trust.needed()?;
        let older = self.older(verifier)?;
        let bar = progress("verifying");
        let checked = verify(files, verifier, &older, |done| bar.set_position(done));
        bar.finish_and_clear();
        Ok(checked?)
    }

    /// A data directory, which has its own key.
    fn store(&self, room: &Strongroom) -> Result<Value, Error> {
        let service = room.service();
        let own = service.verifier_key();
        let verifier = self.trust.verifier.as_deref().unwrap_or(&own);
        let bar = progress("verifying");
        bar.set_length(service.log_head().size);
        let checked = service.verify_log(|done| bar.set_position(done));
        bar.finish_and_clear();
        let head = checked?;
        if head.size > 0 {
            Checkpoint::open(&head.checkpoint, verifier)?;
        }
        for older in self.older(verifier)? {
            service.read_log(|log| log.contains_tree(&older))?;
        }
        Ok(verified(head.size, &head.root))
    }

    /// A running service, which recomputes its log itself; what it says of older trees is proved.
    async fn service(&self) -> Result<Value, Error> {
        let mut client = self.connection.audit()?;
        let done = client.verify_log(v1::VerifyLogRequest {}).await?.into_inner();
        let verifier = match &self.trust.verifier {
            Some(verifier) => verifier.clone(),
            None if self.older.is_empty() => return Ok(verified(done.log_size, &done.root_hash)),
            None => {
                client.get_checkpoint(v1::GetCheckpointRequest {}).await?.into_inner().verifier_key
            }
        };
        let checkpoint = Checkpoint::open(done.checkpoint.as_bytes(), &verifier)?;
        for path in &self.older {
            let note = read(path)?;
            let older = Checkpoint::open(&note, &verifier)?;
            let (proof, newest) =
                consistency(&self.connection, TreeName::Checkpoint(note), None).await?;
            let newest = Checkpoint::open(&newest, &verifier)?;
            let tree = |of: &Checkpoint| Tree { size: of.size, root: of.root };
            ConsistencyProof { old: tree(&older), new: tree(&newest), hashes: proof.hashes }
                .check()?;
        }
        Ok(verified(checkpoint.size, &checkpoint.root))
    }

    fn older(&self, verifier: &str) -> Result<Vec<Checkpoint>, Error> {
        self.older.iter().map(|path| Ok(Checkpoint::open(&read(path)?, verifier)?)).collect()
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
    /// The key of a log that does not say itself what its key is.
    fn needed(&self) -> Result<&str, Error> {
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
        let proof = ProofFile::parse(&read(proof)?)?;
        let checkpoint = proof.verify(&read(entry)?, self.needed()?)?;
        Ok(json!({
            "verified": true,
            "index": proof.index,
            "records": checkpoint.size,
            "root_hash": hex::encode(checkpoint.root),
            "log": checkpoint.origin,
        }))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    fs::read(path).map_err(Error::file("reading", path))
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
