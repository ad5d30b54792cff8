//! The operations that prove what is in the audit trail. They tell hashes and sizes, and no record.

use serde_json::Value;

use super::Error;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::permit::Permit;
use super::trail::trail;
use crate::audit::{ConsistencyProof, Event, Head, InclusionProof, TreeName};

/// Proves that a record is in a tree of the log.
#[derive(Debug)]
pub struct GetInclusionProof {
    /// The record's number.
    pub index: u64,
    /// The tree's size; the newest durable one's when absent.
    pub size: Option<u64>,
}

/// Proves that a tree of the log contains an older one.
#[derive(Debug)]
pub struct GetConsistencyProof {
    /// The older tree.
    pub old: TreeName,
    /// The newer one; the newest durable one when absent.
    pub new: Option<TreeName>,
}

/// A proof with the head that was the newest when it was made, and which it need not lead to.
#[derive(Debug, Clone)]
pub struct Proved<P> {
    /// The proof.
    pub proof: P,
    /// The newest durable head.
    pub head: Head,
}

/// Their part of the register.
pub(super) const PROOFS: &[Registered] = &[
    Registered::of::<GetConsistencyProof>("Proves that a tree of the log contains an older one."),
    Registered::of::<GetInclusionProof>("Proves that a record is in a tree of the log."),
];

impl Operation for GetInclusionProof {
    type Output = Proved<InclusionProof>;
    const NAME: &'static str = "GetInclusionProof";
    const ACTION: &'static str = "strongroom:GetInclusionProof";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Self::Output>, Error> {
        let head = rooms.log.head().as_ref().clone();
        let size = self.size.unwrap_or(head.size);
        let proof = rooms.log.prove_inclusion(self.index, Some(size))?;
        Ok(Executed::read(Proved { proof, head }))
    }

    fn record(&self, event: &mut Event) {
        event.parameters.insert("leaf_index".to_owned(), self.index.into());
        if let Some(size) = self.size {
            event.parameters.insert("tree_size".to_owned(), size.into());
        }
    }
}

impl Operation for GetConsistencyProof {
    type Output = Proved<ConsistencyProof>;
    const NAME: &'static str = "GetConsistencyProof";
    const ACTION: &'static str = "strongroom:GetConsistencyProof";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Self::Output>, Error> {
        let head = rooms.log.head().as_ref().clone();
        let newest = TreeName::Size(head.size);
        let proof = rooms.log.prove_consistency(&self.old, self.new.as_ref().unwrap_or(&newest))?;
        Ok(Executed::read(Proved { proof, head }))
    }

    fn record(&self, event: &mut Event) {
        let mut put = |name: &str, tree: &TreeName| {
            let (suffix, value): (_, Value) = match tree {
                TreeName::Size(size) => ("size", (*size).into()),
                TreeName::Checkpoint(note) => {
                    let note = note.get(..note.len().min(RECORDED)).unwrap_or_default();
                    ("checkpoint", String::from_utf8_lossy(note).into_owned().into())
                }
            };
            event.parameters.insert(format!("{name}_{suffix}"), value);
        };
        put("old", &self.old);
        if let Some(new) = &self.new {
            put("new", new);
        }
    }
}

/// Bytes of a presented checkpoint that are written down: three lines and a signature.
const RECORDED: usize = 1024;
