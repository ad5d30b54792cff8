//! Who is calling, and what goes with it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::{Context, Policy};

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Principal {
    /// `arn:aws:iam::ACCOUNT:root`, `…:user/PATH/NAME`,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub arn: String,
    /// 12 digits.
    pub account: String,
    /// The unique id: the account for its root, `AROA…:SESSION` for a role's session.
    pub user_id: String,
    /// What it is.
    pub kind: Kind,
    /// The access key id that was presented, if any.
    pub access_key_id: Option<String>,
    /// What its own side says of what it may.
    pub standing: Arc<Standing>,
}

/// What a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The root of an account.
    Root,
    /// A user, also with keys that are not for long.
    User,
    /// A session of a role.
    Session {
        /// `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
        role: String,
    },
    /// Nobody in particular.
    Anonymous,
    /// The service itself.
    Service,
}

/// The policies and tags of a user or role, and of its session.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Identity policies: what it is allowed, in any of them.
    pub policies: Vec<Arc<Policy>>,
    /// What it can be allowed at the most.
    pub boundary: Option<Arc<Policy>>,
    /// What its session can be allowed at the most; in any of them.
    pub session: Vec<Arc<Policy>>,
    /// Tags of the principal and of its session.
    pub tags: BTreeMap<String, String>,
    /// When the keys of a session were made, in seconds since 1970.
    pub session_began: Option<i64>,
}

impl Principal {
    /// The root of an account.
    #[must_use]
    pub fn root(account: &str, access_key_id: Option<String>) -> Self {
        let arn = format!("arn:aws:iam::{account}:root");
        Self { access_key_id, ..Self::new(arn, account, account, Kind::Root) }
    }

    /// A caller without policies.
    #[must_use]
    pub fn new(arn: String, account: &str, user_id: &str, kind: Kind) -> Self {
        Self {
            arn,
            account: account.to_owned(),
            user_id: user_id.to_owned(),
            kind,
            access_key_id: None,
            standing: Arc::clone(&BARE),
        }
    }

    /// Whether this is the root of its account.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.kind == Kind::Root
    }

    /// The service itself: what it does without being asked, such as removing a key whose waiting
    /// period is over.
    #[must_use]
    pub fn service(account: &str) -> Self {
        Self::new("strongroom.internal".to_owned(), account, account, Kind::Service)
    }

    /// Nobody in particular: who calls without saying who, and may do what everybody may.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new("anonymous".to_owned(), NOBODY, NOBODY, Kind::Anonymous)
    }

    /// The ARN that stands for the caller in `aws:PrincipalArn`: the role's for its sessions.
    #[must_use]
    pub fn lasting_arn(&self) -> &str {
        match &self.kind {
            Kind::Session { role } => role,
            _ => &self.arn,
        }
    }

    /// A user's name, without its path.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        (self.kind == Kind::User).then(|| self.arn.rsplit('/').next())?
    }

    /// Puts down what conditions see of the caller.
    pub fn observe(&self, context: &mut Context) {
        let kind = match &self.kind {
            Kind::Root => "Account",
            Kind::User => "User",
            Kind::Session { .. } => "AssumedRole",
            Kind::Anonymous => "Anonymous",
            Kind::Service => return,
        };
        context.put("aws:PrincipalType", kind);
        if self.kind == Kind::Anonymous {
            return;
        }
        context.put("aws:PrincipalArn", self.lasting_arn());
        context.put("aws:PrincipalAccount", &self.account);
        context.put("aws:userid", &self.user_id);
        if let Some(name) = self.user_name() {
            context.put("aws:username", name);
        }
        for (name, value) in &self.standing.tags {
            context.put(format!("aws:PrincipalTag/{name}"), value);
        }
        if let Some(began) = self.standing.session_began {
            context.put("aws:TokenIssueTime", began.to_string());
        }
    }

    /// How a policy's `Principal` or a grant's grantee means this caller, if it does.
    #[must_use]
    pub fn named_by(&self, name: &str) -> Option<Naming> {
        if self.kind == Kind::Anonymous {
            return (name == "*").then_some(Naming::Everyone);
        }
        match name {
            "*" => Some(Naming::Everyone),
            _ if name == self.arn => {
                Some(if self.is_root() { Naming::Account } else { Naming::Itself })
            }
            _ if matches!(&self.kind, Kind::Session { role } if role == name) => Some(Naming::Role),
            _ => is_account_name(name, &self.account).then_some(Naming::Account),
        }
    }
}

/// How a caller is meant. What is said to its account is the account's to hand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Naming {
    /// By its account: its own side has to allow, too, unless it is the root.
    Account,
    /// By the role of its session.
    Role,
    /// As everybody.
    Everyone,
    /// By its own ARN.
    Itself,
}

/// Whether a name is an account's: its id, or its root's ARN.
fn is_account_name(name: &str, account: &str) -> bool {
    let root = || name.strip_prefix("arn:aws:iam::")?.strip_suffix(":root");
    name == account || root() == Some(account)
}

/// The account of who has none.
const NOBODY: &str = "000000000000";

/// What roots have: nothing, and nothing that limits them.
static BARE: LazyLock<Arc<Standing>> = LazyLock::new(Arc::default);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_meant_by_themselves_their_role_their_account_or_as_everybody() {
        let role = "arn:aws:iam::111122223333:role/ops/deploy".to_owned();
        let session = "arn:aws:sts::111122223333:assumed-role/deploy/ci";
        let kind = Kind::Session { role: role.clone() };
        let caller = Principal::new(session.to_owned(), "111122223333", "AROA:ci", kind);
        for (name, naming) in [
            (session, Some(Naming::Itself)),
            (&role, Some(Naming::Role)),
            ("111122223333", Some(Naming::Account)),
            ("arn:aws:iam::111122223333:root", Some(Naming::Account)),
            ("*", Some(Naming::Everyone)),
            ("arn:aws:iam::111122223333:role/deploy", None),
            ("444455556666", None),
            ("arn:aws:iam::444455556666:root", None),
        ] {
            assert_eq!(caller.named_by(name), naming, "{name}");
        }
        assert_eq!(caller.lasting_arn(), role);
        assert_eq!(caller.user_name(), None);
        let root = Principal::root("111122223333", None);
        assert_eq!(root.named_by(&root.arn), Some(Naming::Account));
        let nobody = Principal::anonymous();
        assert_eq!(nobody.named_by("*"), Some(Naming::Everyone));
        assert_eq!((nobody.named_by(&nobody.arn), nobody.named_by(NOBODY)), (None, None));
    }

    #[test]
    fn a_users_name_is_without_its_path() {
        let arn = "arn:aws:iam::111122223333:user/team/red/alice".to_owned();
        let alice = Principal::new(arn, "111122223333", "AIDA", Kind::User);
        assert_eq!(alice.user_name(), Some("alice"));
    }
}
