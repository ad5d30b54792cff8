//! Leave to run one operation. Made here alone, by the decision, and consumed by the execution.

use std::cell::LazyCell;

use super::Error;
use super::operation::{Circumstances, Operation, Rooms, Target};
use super::surroundings;
use crate::iam::{Decision, Granted, Principal, Question, Resource, Side, decide};
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

/// A refusal, and the statement that decided it, if one did.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: Error,
    pub(super) decided_by: Option<String>,
}

/// Decides on every target of a call: whether another account may at all, then as [`decide`] does. The
/// second stage of the walk.
///
/// # Errors
/// [`Error::AccessDenied`] at the first target that nothing allows or something forbids;
/// [`Error::AccessHidden`] when it is another account's.
pub(super) fn authorise<O: Operation>(
    principal: &Principal,
    rooms: &Rooms,
    request: &O,
    at: &Circumstances<'_>,
    targets: &[Target],
) -> Result<Permit, Refusal> {
    let (mut decided_by, mut reads) = ("no permission is needed".to_owned(), Vec::new());
    for target in targets {
        let Target { action, resource, reads: found, .. } = target;
        reads.extend_from_slice(found);
        if !O::CROSS_ACCOUNT && resource.is_foreign(principal) {
            return Err(Refusal { error: hidden(principal, action), decided_by: None });
        }
        let context = LazyCell::new(|| {
            surroundings::of_call(principal, rooms, at, request, (target, targets))
        });
        let question = Question { principal, action, resource: &resource.arn, context: &context };
        let mut relied_on = None;
        let decision = decide(&question, resource, || {
            let means = |name: &str| principal.named_by(name);
            let within = |grant: &kms::Grant| request.within(grant);
            let place = target.place()?;
            let context = request.context(action);
            let (grant, naming) =
                rooms.keys.granting(&place, target.operation(), context, means, within)?;
            relied_on = Some((grant.row(), grant.revision));
            Some(Granted { name: format!("grant {}", grant.id), naming })
        });
        match decision {
            Decision::Allow { by, statement } => {
                decided_by = statement;
                reads.extend(relied_on.filter(|_| by == Side::Grant));
            }
            refused => {
                let error = denied(principal, action, resource, &refused);
                let decided_by = refused.statement().map(str::to_owned);
                return Err(Refusal { error, decided_by });
            }
        }
    }
    Ok(Permit { principal: principal.clone(), decided_by, reads })
}

/// A refusal: in full of what is the principal's account's own, [`hidden`] otherwise.
fn denied(principal: &Principal, action: &str, resource: &Resource, decision: &Decision) -> Error {
    if resource.is_foreign(principal) {
        return hidden(principal, action);
    }
    Error::AccessDenied {
        principal: principal.arn.clone(),
        action: action.to_owned(),
        resource: resource.arn.clone(),
        because: decision.because(action),
    }
}

/// A refusal that does not tell whether another account's resource exists.
pub(super) fn hidden(principal: &Principal, action: &str) -> Error {
    Error::AccessHidden { principal: principal.arn.clone(), action: action.to_owned() }
}
