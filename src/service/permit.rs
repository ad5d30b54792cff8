//! Leave to run one operation. Made here alone, by the decision, and consumed by the execution.

use super::Error;
use crate::iam::{Decision, Principal, Resource, decide};

/// Proof that the principal may do the action to every resource that the operation names.
#[derive(Debug)]
pub struct Permit {
    principal: Principal,
    decided_by: &'static str,
}

impl Permit {
    /// Who may.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The statement that decided.
    #[must_use]
    pub fn decided_by(&self) -> &'static str {
        self.decided_by
    }
}

/// Decides on every (action, resource) pair of a call. The second stage of the walk.
///
/// # Errors
/// [`Error::AccessDenied`] at the first pair that nothing allows.
pub(super) fn authorise(
    principal: &Principal,
    targets: &[(&'static str, Resource)],
) -> Result<Permit, Error> {
    let mut decided_by = "";
    for (action, resource) in targets {
        match decide(principal, resource) {
            Decision::Allow(statement) => decided_by = statement,
            Decision::ImplicitDeny => {
                return Err(Error::AccessDenied {
                    principal: principal.arn.clone(),
                    action: (*action).to_owned(),
                    resource: resource.arn().to_owned(),
                });
            }
        }
    }
    Ok(Permit { principal: principal.clone(), decided_by })
}
