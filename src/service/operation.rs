//! What an operation is, for the walk.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use super::Error;
use super::credential::{Caller, Known};
use super::credentials::Credentials;
use super::log_files::Readers;
use super::pending::Writes;
use super::permit::Permit;
use super::policies::Policies;
use crate::audit::{Cosigned, Event, Log};
use crate::crypto::SecretKey;
use crate::iam::Resource;
use crate::kms::{self, Directory, Scope};
use crate::objects::{self, Objects};
use crate::store::{Revision, RowId};

/// What the rooms know: the memory that operations read, published by the commit.
#[derive(Debug)]
pub struct Rooms {
    /// Keys, aliases, key material.
    pub keys: Directory,
    /// Key policies, as they were read.
    pub policies: Policies,
    /// Buckets and objects.
    pub objects: Objects,
    /// The audit trail.
    pub log: Log,
    /// The newest checkpoint that enough witnesses have signed.
    pub(super) cosigned: RwLock<Option<Arc<Cosigned>>>,
    /// What sessions are made with.
    pub(super) sessions: SecretKey,
}

impl Rooms {
    /// What credentials are held against.
    pub(super) const fn known<'a>(
        &'a self,
        credentials: Option<&'a Credentials>,
        now: DateTime<Utc>,
    ) -> Known<'a> {
        Known { credentials, sessions: &self.sessions, now }
    }
}

/// One call's circumstances, as rooms see them.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// Account and region.
    pub scope: Scope,
    /// The time of the call.
    pub now: DateTime<Utc>,
    /// The call as its door received it.
    pub(super) caller: &'a Caller,
    /// Who is known; none where every access key is accepted.
    pub(super) known: Option<&'a Credentials>,
}

impl Circumstances<'_> {
    /// As the room of keys takes them.
    pub(super) const fn call(&self) -> kms::Call<'_> {
        kms::Call { scope: &self.scope, now: self.now }
    }

    /// As the room of objects takes them, for who may.
    pub(super) fn object_call<'a>(&'a self, permit: &'a Permit) -> objects::Call<'a> {
        let (account, region) = (self.scope.account(), self.scope.region());
        objects::Call { account, region, principal: &permit.principal().arn, now: self.now }
    }
}

/// An action and what it is done to.
#[derive(Debug)]
pub struct Target {
    /// `kms:Decrypt` and the like.
    pub(super) action: &'static str,
    /// To what.
    pub(super) resource: Resource,
    /// The key, when it is one.
    pub(super) key: Option<Arc<kms::KeyEntry>>,
    /// The alias by which the caller named it.
    pub(super) alias: Option<String>,
    /// What conditions see of it beside.
    pub(super) about: kms::Known,
    /// The rows by which it was found, that the commit compares: the decision holds for these.
    pub(super) reads: Vec<(RowId, Revision)>,
}

impl Target {
    /// The action as grants name it: `Decrypt` and the like.
    pub(super) fn operation(&self) -> &'static str {
        self.action.strip_prefix("kms:").unwrap_or(self.action)
    }

    /// Where its key lies, when it is one.
    pub(super) fn place(&self) -> Option<kms::id::KeyPlace> {
        self.key.as_ref().map(|entry| entry.key.place())
    }
}

/// What an execution gave: the output, what is to be written, and what the record says of it.
#[derive(Debug)]
pub struct Executed<T> {
    pub(super) output: T,
    pub(super) writes: Writes,
    /// The key that was used, and its version, for the record.
    pub(super) key: Option<String>,
    pub(super) key_version: Option<u32>,
}

impl<T> Executed<T> {
    /// An output that writes nothing and used no key.
    #[must_use]
    pub fn read(output: T) -> Self {
        Self { output, writes: Writes::default(), key: None, key_version: None }
    }
}

/// What an operation may take of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Less than a millisecond: it runs where it is called.
    Light,
    /// Long enough to need a thread of its own.
    Heavy,
    /// Seconds: it waits for its turn, and gives way to others.
    Slow,
}

/// One operation: a request as it was presented, and how to run it. Implemented by the register
/// (`operations.rs`) alone; nothing reaches a room by another way.
pub trait Operation: Send + Sync + 'static {
    /// What a successful call answers.
    type Output: Send + 'static;

    /// AWS's name for it, or ours where AWS has none.
    const NAME: &'static str;
    /// The action that policies name: that of the first target.
    const ACTION: &'static str;
    /// Whether it changes no state (CloudTrail's `readOnly`).
    const READ_ONLY: bool;
    /// Whether another account may be let do it to a key ("Cross-account use" in the API reference).
    const CROSS_ACCOUNT: bool = false;
    /// Whether a caller may only ask if it would succeed (AWS's `DryRun`); elsewhere that is ignored.
    const DRY_RUN: bool = false;

    /// What it may take.
    fn weight(&self) -> Weight {
        Weight::Light
    }

    /// What the model of the API forbids about the request as it is.
    fn violations(&self) -> kms::Violations {
        kms::Violations::default()
    }

    /// Puts down what conditions of policies see of the request, when it asks for `action`.
    fn observe(&self, _action: &str, _known: &mut kms::Known) {}

    /// The encryption context that `action` is done with, for those that have one.
    fn context(&self, _action: &str) -> Option<&kms::EncryptionContext> {
        None
    }

    /// Whether a grant that allows the action lets this be asked, too.
    fn within(&self, _grant: &kms::Grant) -> bool {
        true
    }

    /// What the caller must be allowed to do, and to what.
    ///
    /// # Errors
    /// When a name cannot be resolved: there is then nothing to be allowed.
    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error>;

    /// Runs it. May run again, when a row that it read changed before its commit.
    ///
    /// # Errors
    /// The room's own.
    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        permit: &Permit,
    ) -> Result<Executed<Self::Output>, Error>;

    /// Writes the request's parameters into the record. Never a secret.
    fn record(&self, event: &mut Event);

    /// Whether this read that succeeded needs no record of its own (`log_files.rs`); `event` is the one
    /// that it would leave.
    fn is_covered(&self, _output: &Self::Output, _event: &Event, _readers: &Readers) -> bool {
        false
    }
}
