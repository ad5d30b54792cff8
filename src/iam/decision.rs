//! May this principal do this to that?
//!
//! A key without a policy of its own carries AWS's default key policy: the root of the account that
//! owns it may do everything (AWS KMS Developer Guide, "Default key policy"), nobody else may do
//! anything.

#[cfg(feature = "server")]
use super::Principal;
#[cfg(feature = "server")]
use super::policy::{Policy, Verdict};

/// What an action is done to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The caller's own account: listing, creating, random bytes, the trail.
    Account,
    /// A key.
    Key {
        /// 12 digits: who owns it.
        account: String,
        /// The key's ARN.
        arn: String,
        /// Its own policy's document, if it has one.
        policy: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes, by the statement named.
    Allow(String),
    /// No, by the statement named; nothing else can allow it.
    Deny(String),
    /// No: nothing allows it.
    ImplicitDeny,
}

/// Decides. Pure: the same arguments always give the same answer.
#[must_use]
#[cfg(feature = "server")]
pub fn decide(principal: &Principal, action: &str, resource: &Resource) -> Decision {
    match resource {
        Resource::Account => Decision::Allow("account root".to_owned()),
        Resource::Key { arn, policy: Some(text), .. } => match Policy::parse(text) {
            Ok(policy) => match policy.evaluate(principal, action, arn) {
                Verdict::Allow(name) => Decision::Allow(format!("key policy: {name}")),
                Verdict::Deny(name) => Decision::Deny(format!("key policy: {name}")),
                Verdict::Silent => Decision::ImplicitDeny,
            },
            // Only what was read before is stored; should it be unreadable, it allows nothing.
            Err(_) => Decision::ImplicitDeny,
        },
        Resource::Key { account, policy: None, .. } if *account == principal.account => {
            Decision::Allow("default key policy: Enable IAM User Permissions".to_owned())
        }
        Resource::Key { policy: None, .. } => Decision::ImplicitDeny,
    }
}

#[cfg(test)]
#[cfg(feature = "server")]
mod tests {
    use super::*;

    #[test]
    fn the_default_key_policy_lets_in_the_owning_account_alone() {
        let key = Resource::Key {
            account: "111122223333".to_owned(),
            arn: "arn:aws:kms:us-east-1:111122223333:key/x".to_owned(),
            policy: None,
        };
        let owner = Principal::root("111122223333", None);
        let other = Principal::root("444455556666", None);
        assert!(matches!(decide(&owner, "kms:Decrypt", &key), Decision::Allow(_)));
        assert_eq!(decide(&other, "kms:Decrypt", &key), Decision::ImplicitDeny);
        assert!(matches!(decide(&other, "kms:ListKeys", &Resource::Account), Decision::Allow(_)));
    }
}
