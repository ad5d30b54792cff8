//! May this principal do this to that?
//!
//! Every key carries AWS's default key policy today: the root of the account that owns it may do
//! everything (AWS KMS Developer Guide, "Default key policy"), nobody else may do anything.
//! Policies of one's own, IAM policies and grants are evaluated here when they come.

use super::Principal;

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The caller's own account: listing, creating, random bytes, the trail.
    Account,
    /// A key, by the account that owns it and its ARN.
    Key {
        /// 12 digits.
        account: String,
        /// The key's ARN.
        arn: String,
    },
}

impl Resource {
    /// As AWS names it in a refusal.
    #[must_use]
    pub fn arn(&self) -> &str {
        match self {
            Self::Account => "*",
            Self::Key { arn, .. } => arn,
        }
    }
}

/// The outcome, with what decided it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes, by the statement named.
    Allow(&'static str),
    /// No: nothing allows it.
    ImplicitDeny,
}

/// Decides. Pure: the same arguments always give the same answer.
#[must_use]
pub fn decide(principal: &Principal, resource: &Resource) -> Decision {
    match resource {
        Resource::Account => Decision::Allow("account root"),
        Resource::Key { account, .. } if *account == principal.account => {
            Decision::Allow("default key policy: Enable IAM User Permissions")
        }
        Resource::Key { .. } => Decision::ImplicitDeny,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_key_policy_lets_in_the_owning_account_alone() {
        let key = Resource::Key {
            account: "111122223333".to_owned(),
            arn: "arn:aws:kms:us-east-1:111122223333:key/x".to_owned(),
        };
        let owner = Principal::root("111122223333", None);
        let other = Principal::root("444455556666", None);
        assert!(matches!(decide(&owner, &key), Decision::Allow(_)));
        assert_eq!(decide(&other, &key), Decision::ImplicitDeny);
        assert!(matches!(decide(&other, &Resource::Account), Decision::Allow(_)));
    }
}
