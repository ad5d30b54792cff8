//! `strongroom audit prove` and `consistency`: what the log can prove, and to whom it is handed.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::{Output, say};
use super::Offline;
use crate::audit::{ConsistencyProof, ProofFile, Tree, TreeName};
use crate::proto::v1;
use crate::proto::v1::get_consistency_proof_request::{New, Old};

/// Prove that a record is in the log: a C2SP `.tlog-proof` file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit prove 42 -o 42.tlog-proof --entry 42.json
  strongroom audit prove 42 -o 42.tlog-proof --entry 42.json --cosigned
  strongroom audit verify --proof 42.tlog-proof --entry 42.json --verifier \"$(strongroom audit key | tail -1)\"")]
pub(super) struct Prove {
    /// Number of the record, from 0
    index: u64,
    /// Where to put the proof; standard output when not given
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where to put the record's exact bytes, which the proof is about
    #[arg(long, value_name = "FILE")]
    entry: Option<PathBuf>,
    /// Prove up to the newest checkpoint that witnesses have signed, instead of the newest of all
    #[arg(long)]
    cosigned: bool,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Prove {
    pub(super) async fn run(self) -> Result<(), Error> {
        let (proof, entry) = if let Some(room) = self.offline.open()? {
            let cosigned = room.service().cosigned_head();
            let read = room.service().read_log(|log| {
                let proof = if self.cosigned {
                    let note = cosigned.ok_or(Error::NotCosigned)?.note.clone();
                    log.prove_up_to(self.index, note)?
                } else {
                    log.proof_file(self.index)?
                };
                Ok::<_, Error>((proof, log.entry(self.index)?))
            });
            room.close()?;
            read?
        } else {
            self.ask().await?
        };
        if let Some(path) = &self.entry {
            fs::write(path, entry).map_err(Error::file("writing", path))?;
        }
        let Some(path) = &self.out else {
            return say(String::from_utf8_lossy(&proof.encode()).trim_end());
        };
        fs::write(path, proof.encode()).map_err(Error::file("writing", path))?;
        self.output.one(&json!({
            "index": self.index,
            "proof": path,
            "entry": self.entry,
        }))
    }

    /// A running service, for the proof and, where it is wanted, the record.
    async fn ask(&self) -> Result<(ProofFile, Vec<u8>), Error> {
        let mut client = self.connection.audit()?;
        let cosigned = match self.cosigned {
            true => Some(cosigned(&self.connection).await?),
            false => None,
        };
        let tree_size = cosigned.as_ref().map(|(size, _)| *size);
        let request = v1::GetInclusionProofRequest { leaf_index: self.index, tree_size };
        let found = client.get_inclusion_proof(request).await?.into_inner();
        let checkpoint = cosigned.map_or_else(|| found.checkpoint.into_bytes(), |(_, note)| note);
        let proof =
            ProofFile { index: found.leaf_index, hashes: hashes(found.hashes)?, checkpoint };
        let mut entry = Vec::new();
        if self.entry.is_some() {
            let request = v1::QueryRequest {
                start_index: Some(self.index),
                end_index: Some(self.index.saturating_add(1)),
                ..Default::default()
            };
            let mut records = client.query(request).await?.into_inner().records;
            entry = records.pop().ok_or(Error::Incomplete)?.entry;
        }
        Ok((proof, entry))
    }
}

/// Prove that the log contains an older tree of its own
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom audit consistency last-week.checkpoint        up to the newest checkpoint
  strongroom audit consistency 1000 2000                   between two sizes")]
pub(super) struct Consistency {
    /// The older tree: a size, or a file with a checkpoint
    #[arg(value_name = "SIZE|FILE")]
    old: String,
    /// The newer tree; the newest when not given
    #[arg(value_name = "SIZE|FILE")]
    new: Option<String>,
    #[command(flatten)]
    offline: Offline,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Consistency {
    pub(super) async fn run(self) -> Result<(), Error> {
        let old = named(&self.old)?;
        let new = self.new.as_deref().map(named).transpose()?;
        let proof = if let Some(room) = self.offline.open()? {
            let proof = room.service().read_log(|log| {
                let newest = TreeName::Size(log.head().size);
                log.prove_consistency(&old, new.as_ref().unwrap_or(&newest))
            });
            room.close()?;
            proof?
        } else {
            consistency(&self.connection, old, new).await?.0
        };
        proof.check()?;
        let hashes: Vec<_> =
            proof.hashes.iter().map(|hash| Value::from(STANDARD.encode(hash))).collect();
        self.output.one(&json!({
            "old_size": proof.old.size,
            "old_root_hash": hex::encode(proof.old.root),
            "new_size": proof.new.size,
            "new_root_hash": hex::encode(proof.new.root),
            "hashes": hashes,
        }))
    }
}

/// Size and text of a running service's checkpoint that witnesses have signed. Neither is believed here.
pub(super) async fn cosigned(connection: &Connection) -> Result<(u64, Vec<u8>), Error> {
    let request = v1::GetCheckpointRequest {};
    let signed = connection.audit()?.get_checkpoint(request).await?.into_inner();
    match signed.cosigned_checkpoint.is_empty() {
        true => Err(Error::NotCosigned),
        false => Ok((signed.cosigned_log_size, signed.cosigned_checkpoint.into_bytes())),
    }
}

/// A running service's proof, and its newest checkpoint. Neither is believed here.
pub(super) async fn consistency(
    connection: &Connection,
    old: TreeName,
    new: Option<TreeName>,
) -> Result<(ConsistencyProof, Vec<u8>), Error> {
    let request = v1::GetConsistencyProofRequest {
        old: Some(match old {
            TreeName::Size(size) => Old::OldSize(size),
            TreeName::Checkpoint(note) => Old::OldCheckpoint(text(note)?),
        }),
        new: match new {
            None => None,
            Some(TreeName::Size(size)) => Some(New::NewSize(size)),
            Some(TreeName::Checkpoint(note)) => Some(New::NewCheckpoint(text(note)?)),
        },
    };
    let found = connection.audit()?.get_consistency_proof(request).await?.into_inner();
    let proof = ConsistencyProof {
        old: Tree { size: found.old_size, root: hash(found.old_root_hash)? },
        new: Tree { size: found.new_size, root: hash(found.new_root_hash)? },
        hashes: hashes(found.hashes)?,
    };
    Ok((proof, found.checkpoint.into_bytes()))
}

/// A size, or what a file says.
fn named(argument: &str) -> Result<TreeName, Error> {
    if let Ok(size) = argument.parse() {
        return Ok(TreeName::Size(size));
    }
    let note = fs::read(Path::new(argument)).map_err(Error::file("reading", argument))?;
    Ok(TreeName::Checkpoint(note))
}

fn text(note: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(note).map_err(|_| Error::Usage("the checkpoint is not text".to_owned()))
}

fn hashes(hashes: Vec<Vec<u8>>) -> Result<Vec<[u8; 32]>, Error> {
    hashes.into_iter().map(hash).collect()
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| Error::Incomplete)
}
