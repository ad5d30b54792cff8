//! Policies and grants: one translation each way an operation.

use serde_json::{Value, json};

use super::answer::seconds;
pub(super) use super::keys::nothing;
use super::keys::page;
use super::members::Members;
use crate::kms;
use crate::service::Error;

type Read<T> = Result<T, Error>;

pub(super) fn get_key_policy(asked: &mut Members) -> Read<kms::GetKeyPolicy> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::GetKeyPolicy { key_id, policy_name: asked.text("PolicyName")? })
}

pub(super) fn policy(found: kms::GetKeyPolicyOutput) -> Value {
    json!({ "Policy": found.policy, "PolicyName": found.policy_name })
}

pub(super) fn put_key_policy(asked: &mut Members) -> Read<kms::PutKeyPolicy> {
    Ok(kms::PutKeyPolicy {
        key_id: asked.required("KeyId")?,
        policy_name: asked.text("PolicyName")?,
        policy: asked.required("Policy")?,
        bypass_policy_lockout_safety_check: asked.flag("BypassPolicyLockoutSafetyCheck")?,
    })
}

pub(super) fn list_key_policies(asked: &mut Members) -> Read<kms::ListKeyPolicies> {
    Ok(kms::ListKeyPolicies {
        key_id: asked.required("KeyId")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn policies(found: kms::Listed<String>) -> Value {
    page("PolicyNames", found, Value::from)
}

pub(super) fn create_grant(asked: &mut Members) -> Read<kms::CreateGrant> {
    let mut constraints = asked.structure("Constraints")?;
    Ok(kms::CreateGrant {
        key_id: asked.required("KeyId")?,
        grantee_principal: asked.text("GranteePrincipal")?,
        grantee_service_principal: asked.text("GranteeServicePrincipal")?,
        retiring_principal: asked.text("RetiringPrincipal")?,
        retiring_service_principal: asked.text("RetiringServicePrincipal")?,
        operations: asked.texts("Operations")?,
        constraints: kms::GrantConstraints {
            equals: constraints.context("EncryptionContextEquals")?,
            subset: constraints.context("EncryptionContextSubset")?,
            source_arn: constraints.text("SourceArn")?,
        },
        name: asked.text("Name")?,
        grant_tokens: asked.texts("GrantTokens")?,
    })
}

pub(super) fn granted(made: kms::CreateGrantOutput) -> Value {
    json!({ "GrantId": made.grant_id, "GrantToken": made.grant_token })
}

pub(super) fn list_grants(asked: &mut Members) -> Read<kms::ListGrants> {
    Ok(kms::ListGrants {
        key_id: asked.required("KeyId")?,
        grant_id: asked.text("GrantId")?,
        grantee_principal: asked.text("GranteePrincipal")?,
        grantee_service_principal: asked.text("GranteeServicePrincipal")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn list_retirable_grants(asked: &mut Members) -> Read<kms::ListRetirableGrants> {
    Ok(kms::ListRetirableGrants {
        retiring_principal: asked.text("RetiringPrincipal")?,
        retiring_service_principal: asked.text("RetiringServicePrincipal")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn grants(found: kms::Listed<kms::GrantEntry>) -> Value {
    page("Grants", found, |entry| {
        json!({
            "KeyId": entry.key_id,
            "GrantId": entry.grant_id,
            "Name": entry.name,
            "CreationDate": seconds(entry.creation_date),
            "GranteePrincipal": principal(Some(&entry.grantee)),
            "GranteeServicePrincipal": service(Some(&entry.grantee)),
            "RetiringPrincipal": principal(entry.retiring.as_ref()),
            "RetiringServicePrincipal": service(entry.retiring.as_ref()),
            "IssuingAccount": entry.issuing_account,
            "Operations": entry.operations,
            "Constraints": constraints(entry.constraints),
        })
    })
}

fn principal(party: Option<&kms::Party>) -> Option<&str> {
    party.filter(|party| matches!(party, kms::Party::Principal(_))).map(kms::Party::name)
}

fn service(party: Option<&kms::Party>) -> Option<&str> {
    party.filter(|party| matches!(party, kms::Party::Service(_))).map(kms::Party::name)
}

fn constraints(found: kms::GrantConstraints) -> Option<Value> {
    let given = |context: kms::EncryptionContext| (!context.is_empty()).then_some(context);
    let (equals, subset) = (given(found.equals), given(found.subset));
    let source = found.source_arn;
    (equals.is_some() || subset.is_some() || source.is_some()).then(|| {
        json!({
            "EncryptionContextEquals": equals,
            "EncryptionContextSubset": subset,
            "SourceArn": source,
        })
    })
}

pub(super) fn retire_grant(asked: &mut Members) -> Read<kms::RetireGrant> {
    Ok(kms::RetireGrant {
        grant_token: asked.text("GrantToken")?,
        key_id: asked.text("KeyId")?,
        grant_id: asked.text("GrantId")?,
    })
}

pub(super) fn revoke_grant(asked: &mut Members) -> Read<kms::RevokeGrant> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::RevokeGrant { key_id, grant_id: asked.required("GrantId")? })
}
