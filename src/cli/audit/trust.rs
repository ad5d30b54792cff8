//! Whose signatures are believed: the log's, and as many witnesses' as are needed.

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat};
use clap::Args;
use serde_json::{Value, json};

use super::super::error::Error;
use crate::audit::{
    Checkpoint, CosignatureKey, HandOver, LogKeys, ProofFile, WitnessPolicy, Witnessed,
};

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
    /// File with the hand-overs from that key to newer ones (`audit key --hand-over`); of a service or a
    /// data directory they are asked for
    #[arg(long, value_name = "FILE", requires = "verifier")]
    hand_over: Option<PathBuf>,
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

    /// The keys that are believed: the one that is said, and those to which the log was handed over since,
    /// by the file or what was `found`.
    pub(super) fn keys(&self, found: Vec<HandOver>) -> Result<LogKeys, Error> {
        let hand_overs = match &self.hand_over {
            Some(path) => {
                HandOver::parse_all(&fs::read(path).map_err(Error::file("reading", path))?)?
            }
            None => found,
        };
        Ok(LogKeys::follow(self.verifier()?, &hand_overs)?)
    }

    /// The log's key.
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

    /// The witnesses, and how many are enough.
    pub(super) fn policy(&self) -> Result<WitnessPolicy, Error> {
        let keys: Result<Vec<_>, _> =
            self.witnesses.iter().map(|text| CosignatureKey::parse(text)).collect();
        Ok(WitnessPolicy::new(keys?, self.quorum)?)
    }

    /// Opens a checkpoint that the log has signed, and enough witnesses.
    pub(super) fn open(&self, keys: &LogKeys, note: &[u8]) -> Result<Believed, Error> {
        Ok(Believed { checkpoint: keys.open(note)?, witnessed: self.policy()?.check(note)? })
    }

    /// Verifies that an entry is the record that a proof says it is.
    pub(super) fn proof(&self, proof: &Path, entry: &Path) -> Result<Value, Error> {
        let read = |path: &Path| fs::read(path).map_err(Error::file("reading", path));
        let proof = ProofFile::parse(&read(proof)?)?;
        let keys = self.keys(Vec::new())?;
        let (_, key) = keys.open_by(&proof.checkpoint)?;
        let checkpoint = proof.verify(&read(entry)?, key)?;
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
