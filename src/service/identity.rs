//! Who am I? Terraform and the SDKs ask it first.
//!
//! Source: AWS STS API Reference, `GetCallerIdentity`, which needs no permission.

use super::Error;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target};
use super::operations::Registered;
use super::permit::Permit;
use crate::audit::Event;

/// Who the caller is.
#[derive(Debug, Default)]
pub struct GetCallerIdentity;

/// A principal as STS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// 12 digits.
    pub account: String,
    /// The principal's ARN.
    pub arn: String,
    /// The unique id: the account, for its root.
    pub user_id: String,
}

/// The identity's part of the register.
pub(super) const IDENTITY: &[Registered] = &[Registered {
    name: GetCallerIdentity::NAME,
    action: GetCallerIdentity::ACTION,
    actions: &[],
    about: "Who the caller is.",
    read_only: GetCallerIdentity::READ_ONLY,
    dry_run: false,
}];

impl Operation for GetCallerIdentity {
    type Output = CallerIdentity;
    const NAME: &'static str = "GetCallerIdentity";
    const ACTION: &'static str = "sts:GetCallerIdentity";
    const READ_ONLY: bool = true;

    fn targets(&self, _: &Rooms, _: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        // No permission is needed, and none can be taken away.
        Ok(Vec::new())
    }

    fn execute(
        &self,
        _: &Rooms,
        _: &Circumstances<'_>,
        permit: &Permit,
    ) -> Result<Executed<CallerIdentity>, Error> {
        let principal = permit.principal();
        Ok(Executed::read(CallerIdentity {
            account: principal.account.clone(),
            arn: principal.arn.clone(),
            user_id: principal.user_id.clone(),
        }))
    }

    fn record(&self, _: &mut Event) {}
}
