//! The hall: every request walks authenticate → authorise → execute → record → respond, once, here.
//!
//! Each stage is a type made in one file: [`Credential`] → `Principal` → `Permit` → `Pending<T>` →
//! `T`. A result leaves `Pending` only by the commit that also stores its audit leaf. A refused or
//! failed call commits a leaf and no other write. Reads of the log's files alone may need none
//! (`log_files.rs`).
//!
//! | file | noun |
//! |---|---|
//! | `credential.rs` | what a caller presents, and the principal it proves |
//! | `credentials.rs`, `credentials_file.rs` | who is known; the file that says it |
//! | `certificate.rs` | what a client certificate is known by |
//! | `session.rs` | keys that are not for long, and the token that goes with them |
//! | `signature.rs` | whether a signature is a known key's |
//! | `permit.rs` | leave to run one operation on one resource |
//! | `pending.rs` | a result that is not yet recorded |
//! | `operation.rs` | what an operation is |
//! | `targets.rs` | what an action is done to |
//! | `policies.rs` | key policies as they were read |
//! | `surroundings.rs` | what conditions of policies look at |
//! | `operations.rs` | the register: every operation there is |
//! | `access.rs` | what is checked of policies before keys store them |
//! | `walk.rs` | the walk itself |
//! | `rate.rs` | how many calls a second are answered |
//! | `slow_lane.rs` | where calls wait that take seconds |
//! | `sweep.rs` | what is done when its time has come |
//! | `sessions.rs` | who the caller is, and for how long: STS |
//! | `lookup.rs` | CloudTrail's lookup in the trail |
//! | `s3/` | Amazon S3: bytes stored, sealed and opened around their walk |
//! | `data_keys.rs` | data keys for one caller, each by a walk of its own |
//! | `last_usage.rs` | when a key was last used |
//! | `explain.rs` | why somebody may do something, or may not |
//! | `trace.rs` | the caller's place in a trace |
//! | `trail.rs` | the operations on the audit trail |
//! | `log_files.rs` | the trail read as files, and what that leaves in it |
//! | `sealing.rs`, `archive.rs` | its oldest records moved to an archive; where that is |
//! | `proofs.rs` | the operations that prove what is in it |
//! | `cosigning.rs` | what witnesses have signed of this log |
//! | `witnessing.rs` | the witness that strongroom is to other logs |
//! | `log_key.rs` | the operations on the log's own key |
//! | `hall.rs` | the service: a store, who is known, the time, what watchers see |
//! | `opening.rs` | opening, checking and closing a store |
//! | `metrics.rs` | counts and times, for watchers |
//! | `error.rs` | the one error table |

mod access;
mod archive;
mod certificate;
mod cosigning;
mod credential;
mod credentials;
mod credentials_file;
mod data_keys;
mod error;
mod explain;
mod hall;
mod last_usage;
mod log_files;
mod log_key;
mod lookup;
mod metrics;
mod opening;
mod operation;
mod operations;
mod pending;
mod permit;
mod place;
mod policies;
mod proofs;
mod rate;
mod s3;
mod sealing;
mod session;
mod sessions;
mod signature;
mod slow_lane;
mod surroundings;
mod sweep;
mod targets;
mod trace;
mod trail;
mod walk;
mod witnessing;

pub use certificate::Certificate;
pub use cosigning::{Asked, Gathered, Round};
pub use credential::{BucketOwners, Caller, Credential, Unread};
pub use credentials::{Beside, Credentials, Error as CredentialsError};
pub use data_keys::Keys;
pub use error::Error;
pub use explain::{ExplainAccess, Explained, check_policy};
pub use hall::{Options, RootKey, Service};
pub use log_files::{ReadLog, Readers};
pub use log_key::{ListLogKeys, LogKeyHistory, RotateLogKey};
pub use lookup::LookupEvents;
pub use metrics::{ConnectionCounted, Metrics};
pub use operation::{Operation, Rooms};
pub use operations::{Registered, registered};
pub use place::{PlaceError, StoreSettings};
pub use proofs::{GetConsistencyProof, GetInclusionProof, Proved};
pub use s3::{
    AnswerHeaders, Begun, ByteStream, Expected, Incoming, Opened as OpenedObject, PartStored,
    RangeAsked, S3Refusal, Stored, Wanted,
};
pub use sealing::Sealed;
pub use session::SessionKeys;
pub use sessions::{AssumeRole, AssumedRole, CallerIdentity, GetCallerIdentity, GetSessionToken};
pub use signature::Signed;
pub use trace::TraceParent;
pub use trail::{Checkpoints, Expect, GetCheckpoint, Query, Tail, TailStart, VerifyLog};
pub use walk::Reply;
pub use witnessing::{WitnessOptions, Witnessing};

pub use crate::iam::{PolicyFinding, PolicyKind, Severity};
pub use crate::store::with_causes;
