//! Policies and grants: one request type an operation.

use super::{Known, Request, Violations, requests};
use crate::kms::given::Text;
use crate::kms::outputs::{
    CreateGrantOutput, GetKeyPolicyOutput, GrantConstraints, GrantEntry, Listed,
};

requests! {
    /// Lets a principal do some operations with a key.
    CreateGrant {
        /// Key id or ARN.
        key_id: Text,
        /// An ARN of IAM or STS.
        grantee_principal: Option<String>,
        /// A service, instead.
        grantee_service_principal: Option<String>,
        /// Who may retire the grant.
        retiring_principal: Option<String>,
        /// A service, instead.
        retiring_service_principal: Option<String>,
        /// `Decrypt` and the like.
        operations: Vec<String>,
        /// Contexts in which it holds.
        constraints: GrantConstraints,
        /// The same grant with the same name is made once.
        name: Option<String>,
        /// Up to 10.
        grant_tokens: Vec<String>,
    } => CreateGrantOutput;

    /// The policy of a key.
    GetKeyPolicy {
        /// Key id or ARN.
        key_id: Text,
        /// `default`
        policy_name: Option<String>,
    } => GetKeyPolicyOutput;

    /// The grants on a key.
    ListGrants {
        /// Key id or ARN.
        key_id: Text,
        /// Only this one.
        grant_id: Option<String>,
        /// Only those of this grantee.
        grantee_principal: Option<String>,
        /// Only those of this service.
        grantee_service_principal: Option<String>,
        /// 1 to 1,000; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<GrantEntry>;

    /// The names of a key's policies: `default`.
    ListKeyPolicies {
        /// Key id or ARN.
        key_id: Text,
        /// 1 to 1,000; 100 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<String>;

    /// The grants that a principal may retire.
    ListRetirableGrants {
        /// An ARN of IAM or STS.
        retiring_principal: Option<String>,
        /// A service, instead.
        retiring_service_principal: Option<String>,
        /// 1 to 1,000; 50 when absent.
        limit: Option<i32>,
        /// Where the page before ended.
        marker: Option<String>,
    } => Listed<GrantEntry>;

    /// Replaces the policy of a key.
    PutKeyPolicy {
        /// Key id or ARN.
        key_id: Text,
        /// `default`
        policy_name: Option<String>,
        /// Up to 32,768 bytes.
        policy: Text,
        /// Whether the policy may lock its author out.
        bypass_policy_lockout_safety_check: bool,
    } => ();

    /// Ends a grant, by who holds it.
    RetireGrant {
        /// Names the grant alone.
        grant_token: Option<String>,
        /// Key ARN, with the grant's id.
        key_id: Option<String>,
        /// With the key.
        grant_id: Option<String>,
    } => ();

    /// Ends a grant, by who administers the key.
    RevokeGrant {
        /// Key id or ARN.
        key_id: Text,
        /// 64 hex digits.
        grant_id: Text,
    } => ();
}
