//! What witnesses have signed of this log, and what became of asking them.
//!
//! A round takes the newest durable checkpoint to every witness. Once enough have signed it, the note with
//! their cosignatures is kept in the data directory and shown. Nothing waits for it, and whatever a witness
//! answers changes no call's outcome.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Error;
use super::hall::Service;
use super::opening::Opened;
use crate::audit::{
    AddCheckpoint, Cosignature, CosignatureKey, Cosigned, Head, TreeName, WitnessPolicy, cosigned,
};

/// What a witness made of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It has signed it.
    Cosigned,
    /// It has seen another tree where this one has its own.
    Fork,
    /// It answered what its key or the specification does not let it.
    Invalid,
    /// It did not want to: it does not know this log, or its key.
    Refused,
    /// It has seen a larger tree of this log than there is.
    Rollback,
    /// It did not answer, or not in time.
    Unreachable,
}

/// One checkpoint on its way to every witness.
#[derive(Debug)]
pub struct Round {
    opened: Arc<Opened>,
    head: Arc<Head>,
    policy: WitnessPolicy,
    gathered: Mutex<Gathered>,
}

/// Who has signed the newest checkpoint so far: from a round to the next one, while the log does not grow.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    root: [u8; 32],
    cosignatures: Vec<(CosignatureKey, Cosignature)>,
}

impl Asked {
    /// As metrics and logs say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cosigned => "cosigned",
            Self::Fork => "fork",
            Self::Invalid => "invalid",
            Self::Refused => "refused",
            Self::Rollback => "rollback",
            Self::Unreachable => "unreachable",
        }
    }

    /// Whether somebody was shown another past than this log has now.
    #[must_use]
    pub const fn is_alarm(self) -> bool {
        matches!(self, Self::Fork | Self::Rollback)
    }
}

impl Service {
    /// Begins a round with the newest durable checkpoint, after one that gathered what it did; none when
    /// there is no checkpoint, or all have signed it.
    #[must_use]
    pub fn begin_round(&self, before: &Gathered) -> Option<Round> {
        let opened = self.opened();
        let head = opened.rooms.log.head();
        let policy = self.witnesses().clone();
        let kept = opened.rooms.cosigned.read().clone();
        let same = kept.filter(|kept| kept.checkpoint.size == head.size);
        let found = same.and_then(|kept| policy.find(&kept.note).ok()).unwrap_or_default();
        let so_far: &[_] = if before.root == head.root { &before.cosignatures } else { &[] };
        let signed = |key: &CosignatureKey| {
            let kept = found.iter().find(|found| found.witness == key.name());
            let kept = kept.map(|found| &found.cosignature);
            kept.or_else(|| so_far.iter().find(|(by, _)| by == key).map(|(_, line)| line))
        };
        let keys = policy.witnesses().iter();
        let cosignatures: Vec<_> =
            keys.filter_map(|key| Some((key.clone(), signed(key)?.clone()))).collect();
        let done = head.size == 0 || cosignatures.len() == policy.witnesses().len();
        let gathered = Mutex::new(Gathered { root: head.root, cosignatures });
        (!done).then_some(Round { opened, head, policy, gathered })
    }

    /// The newest checkpoint that enough witnesses have signed, with their cosignatures.
    #[must_use]
    pub fn cosigned_head(&self) -> Option<Arc<Cosigned>> {
        self.rooms().cosigned.read().clone()
    }

    /// Tells watchers and the operator what a witness made of a round.
    pub fn witness_answered(&self, witness: &CosignatureKey, asked: Asked, before: Option<Asked>) {
        self.metrics().witness_answered(witness.name(), asked);
        let (witness, answer) = (witness.name(), asked.as_str());
        match asked {
            Asked::Rollback => tracing::error!(
                witness,
                "ALARM, rollback: this witness has signed a larger tree of this log than there is. Either \
                 the data directory is an older copy of itself, or another service goes on with a copy of it"
            ),
            Asked::Fork => tracing::error!(
                witness,
                "ALARM, fork: this witness has signed a tree of this log that is not in it. Another \
                 service goes on with a copy of the data directory, or the log was changed"
            ),
            // Once for each change: it is asked again and again.
            _ if before == Some(asked) => {}
            Asked::Cosigned => tracing::info!(witness, answer, "a witness was asked"),
            _ => tracing::warn!(witness, answer, "a witness has not signed the checkpoint"),
        }
    }
}

impl Round {
    /// Records in the tree that witnesses are asked to sign.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// Whether a witness still has to be asked.
    #[must_use]
    pub fn wants(&self, witness: &CosignatureKey) -> bool {
        self.gathered.lock().cosignatures.iter().all(|(key, _)| key != witness)
    }

    /// Who has signed so far.
    #[must_use]
    pub fn gathered(&self) -> Gathered {
        self.gathered.lock().clone()
    }

    /// What is sent to a witness that has signed a tree of `old` records. Reads the log's hashes.
    ///
    /// # Errors
    /// [`Error::Audit`] when there is no such tree, or hashes cannot be read.
    pub fn request(&self, old: u64) -> Result<Vec<u8>, Error> {
        let proof = if old == 0 {
            Vec::new()
        } else {
            let new = TreeName::Size(self.head.size);
            self.opened.rooms.log.prove_consistency(&TreeName::Size(old), &new)?.hashes
        };
        let checkpoint = self.head.checkpoint.clone();
        Ok(AddCheckpoint { old, proof, checkpoint }.encode())
    }

    /// Takes a witness's answer; keeps and shows the note when enough have signed. Waits for the disk.
    ///
    /// # Errors
    /// [`Error::Audit`] when it is no cosignature of that witness; [`Error::Store`] when the note cannot be
    /// kept.
    pub fn take(&self, witness: &CosignatureKey, answer: &[u8]) -> Result<(), Error> {
        let cosignature = witness.read(&self.head.checkpoint, answer)?;
        let mut gathered = self.gathered.lock();
        let cosignatures = &mut gathered.cosignatures;
        cosignatures.retain(|(key, _)| key != witness);
        cosignatures.push((witness.clone(), cosignature));
        if cosignatures.len() < self.policy.quorum() {
            return Ok(());
        }
        let lines: Vec<_> = cosignatures.iter().map(|(_, line)| line.clone()).collect();
        let note = cosigned(&self.head.checkpoint, &lines)?;
        self.opened.keep_cosigned(note)
    }
}
