//! What the service checks of operations on policies and grants, where two rooms meet: the decision
//! reads a policy before keys store it.

use super::Error;
use super::operation::{Circumstances, Rooms};
use super::permit::Permit;
use crate::iam::{Decision, Policy, Principal, Resource, decide};
use crate::kms::id::{KeyId, Reach};
use crate::kms::{self, Scope};

/// The policy of a key that is to be made.
pub(super) fn new_key_policy(
    request: &kms::CreateKey,
    _rooms: &Rooms,
    at: &Circumstances,
    permit: &Permit,
) -> Result<(), Error> {
    let Some(text) = &request.policy else { return Ok(()) };
    // The key has no name yet; a policy that names keys at all is one that was written for another.
    let arn = at.scope.key_arn(KeyId::from_bytes(Reach::Regional, [0; KeyId::LEN]));
    let bypass = request.bypass_policy_lockout_safety_check;
    check(text, &arn, at.scope.account(), permit.principal(), bypass)
}

/// The policy of a replica that is to be made.
pub(super) fn replica_policy(
    request: &kms::ReplicateKey,
    rooms: &Rooms,
    at: &Circumstances,
    permit: &Permit,
) -> Result<(), Error> {
    let Some(text) = &request.policy else { return Ok(()) };
    let found = rooms.keys.find_key(&at.call(), &request.key_id)?;
    let key = &found.entry.key;
    let scope = Scope::new(key.scope.account(), &request.replica_region)?;
    let bypass = request.bypass_policy_lockout_safety_check;
    check(text, &scope.key_arn(key.id), scope.account(), permit.principal(), bypass)
}

/// The policy that is to be put on a key.
pub(super) fn key_policy(
    request: &kms::PutKeyPolicy,
    rooms: &Rooms,
    at: &Circumstances,
    permit: &Permit,
) -> Result<(), Error> {
    let found = rooms.keys.find_key(&at.call(), &request.key_id)?;
    let key = &found.entry.key;
    let bypass = request.bypass_policy_lockout_safety_check;
    check(&request.policy, &key.arn(), key.scope.account(), permit.principal(), bypass)
}

/// Whether the caller is one of those who may retire the grant.
pub(super) fn retirement(
    request: &kms::RetireGrant,
    rooms: &Rooms,
    at: &Circumstances,
    permit: &Permit,
) -> Result<(), Error> {
    let (found, principals) = kms::retirable_by(&rooms.keys, &at.call(), request)?;
    if principals.contains(&permit.principal().arn) {
        return Ok(());
    }
    Err(permit.denied("kms:RetireGrant", &found.entry.key))
}

/// A policy is stored when it can be obeyed, and when its author can still replace it (API
/// reference, `PutKeyPolicy`, `BypassPolicyLockoutSafetyCheck`).
fn check(
    text: &str,
    arn: &str,
    account: &str,
    author: &Principal,
    bypass: bool,
) -> Result<(), Error> {
    let malformed = |what: String| Error::Kms(kms::Error::MalformedPolicy(what));
    if text.len() > Policy::LONGEST {
        let longest = Policy::LONGEST;
        return Err(Error::Kms(kms::Error::LimitExceeded(format!(
            "The policy is longer than {longest} bytes"
        ))));
    }
    Policy::parse(text).map_err(malformed)?;
    let resource = Resource::Key {
        account: account.to_owned(),
        arn: arn.to_owned(),
        policy: Some(text.to_owned()),
    };
    let keeps = matches!(decide(author, "kms:PutKeyPolicy", &resource), Decision::Allow(_));
    if keeps || bypass {
        return Ok(());
    }
    Err(malformed(
        "The new key policy will not allow you to update the key policy in the future.".to_owned(),
    ))
}
