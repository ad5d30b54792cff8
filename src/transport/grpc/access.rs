//! `strongroom.v1.Access`: one translation each way an operation.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer::{answer, timestamp};
use super::caller::caller_of;
use super::{given, limit};
use crate::kms;
use crate::proto::v1;
use crate::proto::v1::access_server::Access;
use crate::service::{ExplainAccess, Explained, PolicyFinding, Service};

/// The `Access` service.
pub(super) struct Door {
    service: Arc<Service>,
}

impl Door {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

#[tonic::async_trait]
impl Access for Door {
    async fn get_key_policy(
        &self,
        request: Request<v1::GetKeyPolicyRequest>,
    ) -> Result<Response<v1::GetKeyPolicyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let (key_id, policy_name) = (asked.key_id, given(asked.policy_name));
        let reply = self
            .service
            .call(caller, kms::GetKeyPolicy { key_id: key_id.into(), policy_name })
            .await;
        answer(reply, |found| v1::GetKeyPolicyResponse {
            policy: found.policy,
            policy_name: found.policy_name.to_owned(),
        })
    }

    async fn put_key_policy(
        &self,
        request: Request<v1::PutKeyPolicyRequest>,
    ) -> Result<Response<v1::PutKeyPolicyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::PutKeyPolicy {
            key_id: asked.key_id.into(),
            policy_name: given(asked.policy_name),
            policy: asked.policy.into(),
            bypass_policy_lockout_safety_check: asked.bypass_policy_lockout_safety_check,
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |()| v1::PutKeyPolicyResponse {})
    }

    async fn list_key_policies(
        &self,
        request: Request<v1::ListKeyPoliciesRequest>,
    ) -> Result<Response<v1::ListKeyPoliciesResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::ListKeyPolicies {
            key_id: asked.key_id.into(),
            limit: limit(asked.limit),
            marker: given(asked.marker),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |found| v1::ListKeyPoliciesResponse {
            policy_names: found.entries,
            next_marker: found.next_marker.unwrap_or_default(),
        })
    }

    async fn create_grant(
        &self,
        request: Request<v1::CreateGrantRequest>,
    ) -> Result<Response<v1::CreateGrantResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let constraints = asked.constraints.unwrap_or_default();
        let request = kms::CreateGrant {
            key_id: asked.key_id.into(),
            grantee_principal: given(asked.grantee_principal),
            grantee_service_principal: None,
            retiring_principal: given(asked.retiring_principal),
            retiring_service_principal: None,
            operations: asked.operations,
            constraints: kms::GrantConstraints {
                equals: constraints.encryption_context_equals.into_iter().collect(),
                subset: constraints.encryption_context_subset.into_iter().collect(),
                source_arn: None,
            },
            name: given(asked.name),
            grant_tokens: asked.grant_tokens,
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |made| v1::CreateGrantResponse {
            grant_id: made.grant_id,
            grant_token: made.grant_token,
        })
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::ListGrants {
            key_id: asked.key_id.into(),
            grant_id: given(asked.grant_id),
            grantee_principal: given(asked.grantee_principal),
            grantee_service_principal: None,
            limit: limit(asked.limit),
            marker: given(asked.marker),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, listed)
    }

    async fn list_retirable_grants(
        &self,
        request: Request<v1::ListRetirableGrantsRequest>,
    ) -> Result<Response<v1::ListGrantsResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::ListRetirableGrants {
            retiring_principal: given(asked.retiring_principal),
            retiring_service_principal: None,
            limit: limit(asked.limit),
            marker: given(asked.marker),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, listed)
    }

    async fn retire_grant(
        &self,
        request: Request<v1::RetireGrantRequest>,
    ) -> Result<Response<v1::RetireGrantResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::RetireGrant {
            grant_token: given(asked.grant_token),
            key_id: given(asked.key_id),
            grant_id: given(asked.grant_id),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |()| v1::RetireGrantResponse {})
    }

    async fn revoke_grant(
        &self,
        request: Request<v1::RevokeGrantRequest>,
    ) -> Result<Response<v1::RevokeGrantResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request =
            kms::RevokeGrant { key_id: asked.key_id.into(), grant_id: asked.grant_id.into() };
        let reply = self.service.call(caller, request).await;
        answer(reply, |()| v1::RevokeGrantResponse {})
    }

    async fn explain_access(
        &self,
        request: Request<v1::ExplainAccessRequest>,
    ) -> Result<Response<v1::ExplainAccessResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let context = asked.context.into_iter().map(|(key, found)| (key, found.values));
        let request = ExplainAccess {
            principal: asked.principal,
            actions: asked.actions,
            resources: asked.resources,
            context: context.collect(),
            policy: given(asked.policy),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |found| v1::ExplainAccessResponse {
            explanations: found.into_iter().map(explained).collect(),
        })
    }
}

fn explained(found: Explained) -> v1::Explanation {
    let Explained { action, resource, explanation } = found;
    let grants = explanation.grants.iter().map(|grant| v1::GrantFinding {
        name: grant.name.clone(),
        operation: grant.operation,
        constraints: grant.constraints,
        decides: grant.decides,
    });
    v1::Explanation {
        action: action.to_owned(),
        resource,
        decision: explanation.outcome().to_owned(),
        decided_by: explanation.decided_by(),
        statements: explanation.deciding(),
        policies: explanation.policies.iter().map(policy_finding).collect(),
        grants: grants.collect(),
        advice: explanation.advice,
    }
}

fn policy_finding(policy: &PolicyFinding) -> v1::PolicyFinding {
    let statements = policy.statements.iter().map(|statement| {
        let failing = statement.failing().map(|tested| v1::FailingCondition {
            condition: tested.condition.clone(),
            key: tested.key.clone(),
            found: tested.found.clone().unwrap_or_default(),
        });
        let failing: Vec<_> = failing.collect();
        v1::StatementFinding {
            name: statement.name.clone(),
            effect: statement.effect.as_str().to_owned(),
            principal: statement.naming.is_some(),
            action: statement.action,
            resource: statement.resource,
            conditions: failing.is_empty(),
            failing,
            applies: statement.applies(),
            decides: statement.decides,
            principal_as: statement.naming.map(|naming| naming.to_string()).unwrap_or_default(),
        }
    });
    v1::PolicyFinding {
        kind: policy.side.to_string(),
        name: policy.name.clone(),
        statements: statements.collect(),
    }
}

fn listed(found: kms::Listed<kms::GrantEntry>) -> v1::ListGrantsResponse {
    let grant = |entry: kms::GrantEntry| v1::Grant {
        key_id: entry.key_id,
        grant_id: entry.grant_id,
        name: entry.name,
        creation_date: Some(timestamp(entry.creation_date)),
        grantee_principal: entry.grantee.name().to_owned(),
        retiring_principal: entry.retiring.map(|party| party.name().to_owned()).unwrap_or_default(),
        issuing_account: entry.issuing_account,
        operations: entry.operations,
        constraints: Some(v1::GrantConstraints {
            encryption_context_equals: entry.constraints.equals.into_iter().collect(),
            encryption_context_subset: entry.constraints.subset.into_iter().collect(),
        }),
    };
    v1::ListGrantsResponse {
        grants: found.entries.into_iter().map(grant).collect(),
        next_marker: found.next_marker.unwrap_or_default(),
    }
}
