//! May this principal do this to that?
//!
//! In this order: an explicit denial anywhere decides; then the resource's own policy, which may mean
//! the caller itself, its role, or its account; then grants; and where the account is meant, or
//! another account's resource is, the policies of the caller's own side, within its boundary and its
//! session's policies.
//!
//! Source: IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic" and
//! "Permissions boundaries for IAM entities"; AWS KMS Developer Guide, "Determining access to AWS KMS
//! keys".

use std::fmt;
use std::sync::Arc;

use super::policy::{Question, Verdict};
use super::principal::{Kind, Naming};
use super::{Policy, Principal};

/// What an action is done to.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its ARN; `*` for what has none: listing, creating, random bytes.
    pub arn: String,
    /// 12 digits: who owns it.
    pub account: String,
    /// Who guards it.
    pub guard: Guard,
}

/// What a resource itself says of who may.
#[derive(Debug, Clone)]
pub enum Guard {
    /// Its policy has to allow, by itself or by its account: keys.
    Needed(Arc<Policy>),
    /// Its policy, if it has one, or the caller's own side has to allow: buckets.
    Beside(Option<Arc<Policy>>),
    /// It says itself whom it is for: grants, of who may retire them.
    Named {
        /// What it is called.
        name: String,
        /// Who may.
        principals: Vec<String>,
    },
}

impl Resource {
    /// What has no policy: the account's own.
    #[must_use]
    pub fn open(arn: &str, account: &str) -> Self {
        let (arn, account) = (arn.to_owned(), account.to_owned());
        Self { arn, account, guard: Guard::Beside(None) }
    }

    /// Its policy.
    #[must_use]
    pub fn policy(&self) -> Option<&Arc<Policy>> {
        match &self.guard {
            Guard::Needed(policy) => Some(policy),
            Guard::Beside(policy) => policy.as_ref(),
            Guard::Named { .. } => None,
        }
    }

    /// Whether it is another account's than the caller's.
    #[must_use]
    pub fn is_foreign(&self, principal: &Principal) -> bool {
        self.account != principal.account || principal.kind == Kind::Anonymous
    }
}

/// A grant that lets the caller do it, and whom it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// What it is called.
    pub name: String,
    /// How it means the caller.
    pub naming: Naming,
}

/// Where a decision comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The boundary of the caller's user or role.
    Boundary,
    /// A grant.
    Grant,
    /// The policies of the caller's user or role.
    Identity,
    /// The resource's own policy.
    Resource,
    /// The caller is the root of its account, which owns all that is in it.
    Root,
    /// The policies of the caller's session.
    Session,
}

/// The outcome, with what decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow {
        /// By what.
        by: Side,
        /// The statements or the grant that decided.
        statement: String,
    },
    /// No; nothing else can allow it.
    Deny {
        /// By what.
        by: Side,
        /// The statement that decided.
        statement: String,
    },
    /// No: something is needed that does not allow it.
    ImplicitDeny {
        /// What would have to.
        missing: Side,
    },
}

impl Decision {
    /// Whether it is a yes.
    #[must_use]
    pub const fn allows(&self) -> bool {
        matches!(self, Self::Allow { .. })
    }

    /// What decided, for the record; nothing where nothing did.
    #[must_use]
    pub fn statement(&self) -> Option<&str> {
        match self {
            Self::Allow { statement, .. } | Self::Deny { statement, .. } => Some(statement),
            Self::ImplicitDeny { .. } => None,
        }
    }

    /// What a refusal says after naming principal, action and resource, in AWS's words (IAM User
    /// Guide, "Troubleshoot access denied error messages").
    #[must_use]
    pub fn because(&self, action: &str) -> String {
        match self {
            Self::Allow { .. } => String::new(),
            Self::Deny { by, .. } => format!("with an explicit deny in {}", by.with_article()),
            Self::ImplicitDeny { missing } => {
                format!("because no {missing} allows the {action} action")
            }
        }
    }
}

/// Decides. Pure: the same arguments always give the same answer. `granted` is asked for a grant when
/// nothing else allows.
#[must_use]
pub fn decide(
    question: &Question<'_>,
    resource: &Resource,
    granted: impl FnOnce() -> Option<Granted>,
) -> Decision {
    let policy = resource.policy().map(|policy| (policy, policy.evaluate(question)));
    if let Some((policy, Verdict { denied: Some(statement), .. })) = &policy {
        return Decision::Deny { by: Side::Resource, statement: policy.cite(statement) };
    }
    let own = match Own::of(question) {
        Ok(own) => own,
        Err(denial) => return denial,
    };
    let foreign = resource.is_foreign(question.principal);
    let said = match &resource.guard {
        Guard::Needed(_) | Guard::Beside(_) => policy.as_ref().and_then(|(policy, verdict)| {
            let (statement, naming) = verdict.allowed?;
            Some(own.follow(Side::Resource, policy.cite(statement), naming, foreign))
        }),
        Guard::Named { name, principals } => {
            let named = principals.iter().filter_map(|name| question.principal.named_by(name));
            named.max().map(|naming| own.follow(Side::Grant, name.clone(), naming, foreign))
        }
    };
    let beside = matches!(resource.guard, Guard::Beside(_));
    let alone = || match beside && !foreign {
        true => own.alone(),
        false => Decision::ImplicitDeny { missing: Side::Resource },
    };
    let first = match said {
        // A bucket's owner lets in whom its own policies let in, whatever the bucket's says to others.
        Some(said) if !said.allows() && beside && !foreign => {
            Some(alone()).filter(Decision::allows).unwrap_or(said)
        }
        Some(said) => said,
        None => alone(),
    };
    if first.allows() {
        return first;
    }
    let granted =
        granted().map(|Granted { name, naming }| own.follow(Side::Grant, name, naming, foreign));
    granted.filter(Decision::allows).unwrap_or(first)
}

/// What the caller's own side says: its user's or role's policies, boundary and session.
struct Own<'a> {
    principal: &'a Principal,
    /// The statement of its policies that allows.
    allowed: Option<String>,
    /// What keeps the caller within less.
    limit: Option<Side>,
}

impl<'a> Own<'a> {
    fn of(question: &Question<'a>) -> Result<Self, Decision> {
        let standing = &question.principal.standing;
        let identity = any(&standing.policies, Side::Identity, question)?;
        let boundary = any(standing.boundary.as_slice(), Side::Boundary, question)?;
        let session = any(&standing.session, Side::Session, question)?;
        let limit = if standing.boundary.is_some() && boundary.is_none() {
            Some(Side::Boundary)
        } else {
            (!standing.session.is_empty() && session.is_none()).then_some(Side::Session)
        };
        Ok(Self { principal: question.principal, allowed: identity, limit })
    }

    /// What becomes of being let in by a resource's policy or a grant.
    fn follow(&self, by: Side, statement: String, naming: Naming, foreign: bool) -> Decision {
        let limited = match naming {
            _ if self.principal.kind == Kind::Anonymous => None,
            // What is said to the account is the account's to hand on.
            Naming::Account => return self.second(by, false, statement),
            // Another account's resource needs both sides, but where a grant is made for the caller.
            _ if foreign && by != Side::Grant => return self.second(by, true, statement),
            Naming::Role => self.limit,
            Naming::Everyone | Naming::Itself => None,
        };
        match limited {
            Some(missing) => Decision::ImplicitDeny { missing },
            None => Decision::Allow { by, statement },
        }
    }

    /// The second of two sides that have to allow, after what `first` says. The first is what decides
    /// for a root, and for whom it means otherwise than by the account.
    fn second(&self, first: Side, decides: bool, said: String) -> Decision {
        match self.alone() {
            Decision::Allow { by: Side::Root, .. } => {
                Decision::Allow { by: first, statement: said }
            }
            Decision::Allow { by, statement } => {
                let by = if decides { first } else { by };
                Decision::Allow { by, statement: format!("{said}; {statement}") }
            }
            refused => refused,
        }
    }

    /// What the side says by itself.
    fn alone(&self) -> Decision {
        if matches!(self.principal.kind, Kind::Root | Kind::Service) {
            return Decision::Allow { by: Side::Root, statement: "account root".to_owned() };
        }
        match (&self.allowed, self.limit) {
            (None, _) => Decision::ImplicitDeny { missing: Side::Identity },
            (_, Some(missing)) => Decision::ImplicitDeny { missing },
            (Some(statement), None) => {
                Decision::Allow { by: Side::Identity, statement: statement.clone() }
            }
        }
    }
}

/// The statement that allows, of any of the policies of one side.
fn any(
    policies: &[Arc<Policy>],
    by: Side,
    question: &Question<'_>,
) -> Result<Option<String>, Decision> {
    let mut allowed = None;
    for policy in policies {
        let verdict = policy.evaluate(question);
        if let Some(statement) = verdict.denied {
            return Err(Decision::Deny { by, statement: policy.cite(statement) });
        }
        if let (Some((statement, _)), None) = (verdict.allowed, &allowed) {
            allowed = Some(policy.cite(statement));
        }
    }
    Ok(allowed)
}

impl Side {
    pub(super) const fn with_article(self) -> &'static str {
        match self {
            Self::Boundary => "a permissions boundary",
            Self::Grant => "a grant",
            Self::Identity | Self::Root => "an identity-based policy",
            Self::Resource => "a resource-based policy",
            Self::Session => "a session policy",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.with_article();
        f.write_str(named.split_once(' ').map_or(named, |(_, name)| name))
    }
}
