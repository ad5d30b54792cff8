//! Whose signatures are believed: the log's, and as many witnesses' as are needed.

use std::fs;
use std::path::Path;

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use crate::audit::{Checkpoint, CosignatureKey, ProofFile, WitnessPolicy, Witnessed};

/// Whose signatures are believed.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// C2SP verifier string of the log's key: the last line of `strongroom audit key`
    #[arg(long, env = "STRONGROOM_VERIFIER", value_name = "STRING")]
    verifier: Option<String>,
    /// Verifier string of a witness that has to have signed the checkpoint, too; may be given several times
    #[arg(long = "witness", value_name = "STRING", requires = "verifier")]
    witnesses: Vec<String>,
    /// How many of the witnesses are enough [default: all]
    #[arg(long, value_name = "NUMBER", requires = "witnesses")]
    quorum: Option<usize>,
}

/// A checkpoint that is believed, and who has signed it beside the log.
pub(super) struct Believed {
    pub(super) checkpoint: Checkpoint,
    pub(super) witnessed: Vec<Witnessed>,
}

impl Trust {
    /// Whether it is said whose signature is believed.
    pub(super) const fn is_said(&self) -> bool {
        self.verifier.is_some()
    }

    /// Whether witnesses are asked for.
    pub(super) const fn wants_witnesses(&self) -> bool {
        !self.witnesses.is_empty()
    }

    /// The log's key.
    pub(super) fn verifier(&self) -> Result<&str, Error> {
        let missing = || {
            Error::Usage(
                "say with --verifier whose signature is believed: the last line of `strongroom \
                 audit key`, from where it cannot have been changed"
                    .to_owned(),
            )
        };
        self.verifier.as_deref().ok_or_else(missing)
    }

    /// The witnesses, and how many are enough.
    pub(super) fn policy(&self) -> Result<WitnessPolicy, Error> {
        let keys: Result<Vec<_>, _> =
            self.witnesses.iter().map(|text| CosignatureKey::parse(text)).collect();
        Ok(WitnessPolicy::new(keys?, self.quorum)?)
    }

    /// Opens a checkpoint that the log has signed, and enough witnesses.
    pub(super) fn open(&self, note: &[u8]) -> Result<Believed, Error> {
        let checkpoint = self.open_newest(note)?;
        Ok(Believed { checkpoint, witnessed: self.policy()?.check(note)? })
    }

    /// Opens a checkpoint that the log has signed. Witnesses come later.
    pub(super) fn open_newest(&self, note: &[u8]) -> Result<Checkpoint, Error> {
        Ok(Checkpoint::open(note, self.verifier()?)?)
    }

    /// Verifies that an entry is the record that a proof says it is.
    pub(super) fn proof(&self, proof: &Path, entry: &Path) -> Result<Value, Error> {
        let read = |path: &Path| fs::read(path).map_err(Error::file("reading", path));
        let proof = ProofFile::parse(&read(proof)?)?;
        let checkpoint = proof.verify(&read(entry)?, self.verifier()?)?;
        let witnessed = self.policy()?.check(&proof.checkpoint)?;
        let mut found = json!({
            "verified": true,
            "index": proof.index,
            "records": checkpoint.size,
            "root_hash": hex::encode(checkpoint.root),
            "log": checkpoint.origin,
        });
        if self.wants_witnesses() {
            add(&mut found, "witnesses", names(&witnessed));
        }
        Ok(found)
    }
}

/// Adds a member to what is said.
pub(super) fn add(found: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = found {
        members.insert(name.to_owned(), value);
    }
}

/// Who has signed, and when.
pub(super) fn names(witnessed: &[Witnessed]) -> Value {
    let named = witnessed.iter().map(|Witnessed { witness, cosignature }| {
        let seconds = i64::try_from(cosignature.time).ok();
        let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let time = time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true));
        json!({ "witness": witness, "time": time })
    });
    named.collect()
}
