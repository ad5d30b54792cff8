//! Leave to run one operation. Made here alone, by the decision, and consumed by the execution.

use super::Error;
use super::operation::{Operation, Rooms, Target};
use crate::iam::{Decision, Principal, Resource, decide};
use crate::kms;
use crate::store::{Revision, RowId};

/// Proof that the principal may do the action to every resource that the operation names.
#[derive(Debug)]
pub struct Permit {
    principal: Principal,
    decided_by: String,
    reads: Vec<(RowId, Revision)>,
}

impl Permit {
    /// Who may.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The statement or the grant that decided.
    #[must_use]
    pub fn decided_by(&self) -> &str {
        &self.decided_by
    }

    /// The rows that the decision relied on.
    pub(super) fn reads(&self) -> &[(RowId, Revision)] {
        &self.reads
    }
}

/// Decides on every target of a call: whether another account may at all, the key's policy, and where
/// it is silent, grants. The second stage of the walk.
///
/// # Errors
/// [`Error::AccessDenied`] at the first target that nothing allows or something forbids;
/// [`Error::AccessHidden`] when it is another account's.
pub(super) fn authorise<O: Operation>(
    principal: &Principal,
    rooms: &Rooms,
    request: &O,
    targets: &[Target],
) -> Result<Permit, Error> {
    let (mut decided_by, mut reads) = (String::new(), Vec::new());
    for Target { action, resource, key, reads: found } in targets {
        reads.extend_from_slice(found);
        let denied = |because: String| denied(principal, action, resource, because);
        if !O::CROSS_ACCOUNT && is_foreign(principal, resource) {
            return Err(hidden(principal, action));
        }
        decided_by = match decide(principal, action, resource) {
            Decision::Allow(statement) => statement,
            Decision::Deny(_) => {
                return Err(denied("with an explicit deny in a resource-based policy".to_owned()));
            }
            Decision::ImplicitDeny => {
                let context = request.context(action);
                let operation = action.strip_prefix("kms:").unwrap_or(action);
                let within = |grant: &kms::Grant| request.within(grant);
                let grant = key.as_ref().and_then(|key| {
                    rooms.keys.granting(key, &principal.arn, operation, context, within)
                });
                let grant = grant.ok_or_else(|| denied(silent(action)))?;
                reads.push((grant.row(), grant.revision));
                format!("grant {}", grant.id)
            }
        };
    }
    Ok(Permit { principal: principal.clone(), decided_by, reads })
}

fn is_foreign(principal: &Principal, resource: &Resource) -> bool {
    matches!(resource, Resource::Key { account, .. } if *account != principal.account)
}

impl Permit {
    /// What a refusal says when the operation itself has a rule about who may.
    pub(super) fn denied(&self, action: &str, key: &kms::Key) -> Error {
        let (account, arn) = (key.scope.account().to_owned(), key.arn());
        let resource = Resource::Key { account, arn, policy: None };
        denied(&self.principal, action, &resource, silent(action))
    }
}

fn silent(action: &str) -> String {
    format!("because no resource-based policy allows the {action} action")
}

/// A refusal: in full of what is the principal's account's own, [`hidden`] otherwise.
fn denied(principal: &Principal, action: &str, resource: &Resource, because: String) -> Error {
    if is_foreign(principal, resource) {
        return hidden(principal, action);
    }
    Error::AccessDenied {
        principal: principal.arn.clone(),
        action: action.to_owned(),
        resource: resource.arn().to_owned(),
        because,
    }
}

/// A refusal that does not tell whether another account's resource exists.
pub(super) fn hidden(principal: &Principal, action: &str) -> Error {
    Error::AccessHidden { principal: principal.arn.clone(), action: action.to_owned() }
}
