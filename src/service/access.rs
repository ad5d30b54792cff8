//! What the service checks of a policy where two rooms meet: the decision reads it before keys store it.

use std::cell::LazyCell;
use std::sync::Arc;

use super::Error;
use super::operation::{Circumstances, Rooms};
use super::permit::Permit;
use super::surroundings;
use crate::iam::{Guard, LONGEST, Policy, PolicyKind, Principal, Question, Resource, decide};
use crate::kms::id::{KeyId, Reach};
use crate::kms::{self, Scope};

/// The policy of a key that is to be made.
pub(super) fn new_key_policy(
    request: &kms::CreateKey,
    _rooms: &Rooms,
    at: &Circumstances<'_>,
    permit: &Permit,
) -> Result<(), Error> {
    let Some(text) = &request.policy else { return Ok(()) };
    // The key has no name yet; a policy that names keys at all is one that was written for another.
    let arn = at.scope.key_arn(KeyId::from_bytes(Reach::Regional, [0; KeyId::LEN]));
    let bypass = request.bypass_policy_lockout_safety_check;
    check(text, arn, at.scope.account(), at, permit.principal(), bypass)
}

/// The policy of a replica that is to be made.
pub(super) fn replica_policy(
    request: &kms::ReplicateKey,
    rooms: &Rooms,
    at: &Circumstances<'_>,
    permit: &Permit,
) -> Result<(), Error> {
    let Some(text) = &request.policy else { return Ok(()) };
    let found = rooms.keys.find_key(&at.call(), &request.key_id)?;
    let key = &found.entry.key;
    let scope = Scope::new(key.scope.account(), &request.replica_region)?;
    let bypass = request.bypass_policy_lockout_safety_check;
    check(text, scope.key_arn(key.id), scope.account(), at, permit.principal(), bypass)
}

/// The policy that is to be put on a key.
pub(super) fn key_policy(
    request: &kms::PutKeyPolicy,
    rooms: &Rooms,
    at: &Circumstances<'_>,
    permit: &Permit,
) -> Result<(), Error> {
    let found = rooms.keys.find_key(&at.call(), &request.key_id)?;
    let key = &found.entry.key;
    let bypass = request.bypass_policy_lockout_safety_check;
    check(&request.policy, key.arn(), key.scope.account(), at, permit.principal(), bypass)
}

/// A policy is stored when it can be obeyed, and when its author can still replace it (API
/// reference, `PutKeyPolicy`, `BypassPolicyLockoutSafetyCheck`).
fn check(
    text: &str,
    arn: String,
    account: &str,
    at: &Circumstances<'_>,
    author: &Principal,
    bypass: bool,
) -> Result<(), Error> {
    if text.len() > LONGEST {
        return Err(Error::Kms(kms::Error::LimitExceeded(format!(
            "The policy is longer than {LONGEST} bytes"
        ))));
    }
    let policy = Policy::parse("key policy", text, PolicyKind::Key)?;
    if bypass {
        return Ok(());
    }
    let guard = Guard::Needed(Arc::new(policy));
    let resource = Resource { arn, account: account.to_owned(), guard };
    let context = LazyCell::new(|| surroundings::of_caller(author, at));
    let question = Question {
        principal: author,
        action: "kms:PutKeyPolicy",
        resource: &resource.arn,
        context: &context,
    };
    if decide(&question, &resource, || None).allows() {
        return Ok(());
    }
    let locks_out = "The new key policy will not allow you to update the key policy in the future.";
    Err(Error::Kms(kms::Error::MalformedPolicy(locks_out.to_owned())))
}
