//! Policies and grants: what operations answer.

use chrono::{DateTime, Utc};

use crate::kms::requests::EncryptionContext;

/// Answer of `CreateGrant`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateGrantOutput {
    /// 64 hex digits.
    pub grant_id: String,
    /// Names the grant.
    pub grant_token: String,
}

/// Answer of `GetKeyPolicy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetKeyPolicyOutput {
    /// A JSON document.
    pub policy: String,
    /// `default`
    pub policy_name: &'static str,
}

/// Contexts in which a grant holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantConstraints {
    /// The call's context is this.
    #[serde(default, skip_serializing_if = "EncryptionContext::is_empty")]
    pub equals: EncryptionContext,
    /// The call's context has at least these pairs.
    #[serde(default, skip_serializing_if = "EncryptionContext::is_empty")]
    pub subset: EncryptionContext,
    /// The call is made by a service on behalf of this. No caller here is a service, so that such a
    /// grant lets nobody in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_arn: Option<String>,
}

/// One grant in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantEntry {
    /// The key's ARN.
    pub key_id: String,
    /// 64 hex digits.
    pub grant_id: String,
    /// Empty when it has none.
    pub name: String,
    /// When it was made.
    pub creation_date: DateTime<Utc>,
    /// Who may.
    pub grantee: Party,
    /// Who may end it.
    pub retiring: Option<Party>,
    /// The account's root whose caller made it.
    pub issuing_account: String,
    /// What.
    pub operations: Vec<String>,
    /// In which contexts.
    pub constraints: GrantConstraints,
}

/// Whom a grant names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Party {
    /// An ARN of IAM or STS, or a service as older callers name it.
    Principal(String),
    /// A service, such as `s3.amazonaws.com`.
    Service(String),
}

impl Party {
    /// The ARN or the service.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Principal(name) | Self::Service(name) => name,
        }
    }
}
