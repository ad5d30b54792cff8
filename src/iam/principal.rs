//! Who is calling.

/// An authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `arn:aws:iam::ACCOUNT:root` and the like.
    pub arn: String,
    /// 12 digits.
    pub account: String,
    /// The access key id that was presented, if any.
    pub access_key_id: Option<String>,
}

impl Principal {
    /// The root of an account.
    #[must_use]
    pub fn root(account: &str, access_key_id: Option<String>) -> Self {
        Self {
            arn: format!("arn:aws:iam::{account}:root"),
            account: account.to_owned(),
            access_key_id,
        }
    }

    /// Whether this is the root of its account.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.arn.strip_suffix(":root").is_some_and(|start| start.ends_with(&self.account))
    }

    /// The service itself: what it does without being asked, such as removing a key whose waiting
    /// period is over.
    #[must_use]
    pub fn service(account: &str) -> Self {
        Self {
            arn: "strongroom.internal".to_owned(),
            account: account.to_owned(),
            access_key_id: None,
        }
    }
}
