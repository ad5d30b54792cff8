//! `strongroom.v1.Keys`: one translation each way an operation.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::answer::{answer, timestamp};
use super::caller::caller_of;
use super::key_messages::{alias, metadata, names, page, rotation, tag, tags, version};
use super::{given, limit};
use crate::kms;
use crate::proto::v1;
use crate::proto::v1::keys_server::Keys;
use crate::service::Service;

/// The `Keys` service.
pub(super) struct Door {
    service: Arc<Service>,
}

impl Door {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

#[tonic::async_trait]
impl Keys for Door {
    async fn create_key(
        &self,
        request: Request<v1::CreateKeyRequest>,
    ) -> Result<Response<v1::CreateKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::CreateKey {
                    description: given(asked.description),
                    key_usage: given(asked.key_usage),
                    key_spec: given(asked.key_spec),
                    tags: tags(asked.tags),
                    policy: given(asked.policy),
                    bypass_policy_lockout_safety_check: asked.bypass_policy_lockout_safety_check,
                    origin: given(asked.origin),
                    multi_region: asked.multi_region,
                    ..kms::CreateKey::default()
                },
            )
            .await;
        answer(reply, |key| v1::CreateKeyResponse { key_metadata: Some(metadata(key)) })
    }

    async fn describe_key(
        &self,
        request: Request<v1::DescribeKeyRequest>,
    ) -> Result<Response<v1::DescribeKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::DescribeKey { key_id: asked.key_id.into(), grant_tokens: asked.grant_tokens },
            )
            .await;
        answer(reply, |key| v1::DescribeKeyResponse { key_metadata: Some(metadata(key)) })
    }

    async fn list_keys(
        &self,
        request: Request<v1::ListKeysRequest>,
    ) -> Result<Response<v1::ListKeysResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ListKeys {
                    limit: limit(asked.limit),
                    marker: given(asked.marker),
                    ..kms::ListKeys::default()
                },
            )
            .await;
        answer(reply, |listed| {
            let (keys, next_marker, truncated) = page(listed, |entry| v1::KeyListEntry {
                key_id: entry.key_id,
                key_arn: entry.key_arn,
            });
            v1::ListKeysResponse { keys, next_marker, truncated }
        })
    }

    async fn enable_key(
        &self,
        request: Request<v1::EnableKeyRequest>,
    ) -> Result<Response<v1::EnableKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self.service.call(caller, kms::EnableKey { key_id: asked.key_id.into() }).await;
        answer(reply, |()| v1::EnableKeyResponse {})
    }

    async fn disable_key(
        &self,
        request: Request<v1::DisableKeyRequest>,
    ) -> Result<Response<v1::DisableKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply =
            self.service.call(caller, kms::DisableKey { key_id: asked.key_id.into() }).await;
        answer(reply, |()| v1::DisableKeyResponse {})
    }

    async fn schedule_key_deletion(
        &self,
        request: Request<v1::ScheduleKeyDeletionRequest>,
    ) -> Result<Response<v1::ScheduleKeyDeletionResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ScheduleKeyDeletion {
                    key_id: asked.key_id.into(),
                    pending_window_in_days: asked.pending_window_in_days,
                },
            )
            .await;
        answer(reply, |done| v1::ScheduleKeyDeletionResponse {
            key_id: done.key_id,
            deletion_date: done.deletion_date.map(timestamp),
            key_state: done.key_state.as_str().to_owned(),
            pending_window_in_days: done.pending_window_in_days,
        })
    }

    async fn cancel_key_deletion(
        &self,
        request: Request<v1::CancelKeyDeletionRequest>,
    ) -> Result<Response<v1::CancelKeyDeletionResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply =
            self.service.call(caller, kms::CancelKeyDeletion { key_id: asked.key_id.into() }).await;
        answer(reply, |done| v1::CancelKeyDeletionResponse { key_id: done.key_id })
    }

    async fn rotate_key_on_demand(
        &self,
        request: Request<v1::RotateKeyOnDemandRequest>,
    ) -> Result<Response<v1::RotateKeyOnDemandResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply =
            self.service.call(caller, kms::RotateKeyOnDemand { key_id: asked.key_id.into() }).await;
        answer(reply, |done| v1::RotateKeyOnDemandResponse {
            key_id: done.key_id,
            key_version: done.key_version,
        })
    }

    async fn enable_key_rotation(
        &self,
        request: Request<v1::EnableKeyRotationRequest>,
    ) -> Result<Response<v1::EnableKeyRotationResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::EnableKeyRotation {
                    key_id: asked.key_id.into(),
                    rotation_period_in_days: asked.rotation_period_in_days,
                },
            )
            .await;
        answer(reply, |()| v1::EnableKeyRotationResponse {})
    }

    async fn disable_key_rotation(
        &self,
        request: Request<v1::DisableKeyRotationRequest>,
    ) -> Result<Response<v1::DisableKeyRotationResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(caller, kms::DisableKeyRotation { key_id: asked.key_id.into() })
            .await;
        answer(reply, |()| v1::DisableKeyRotationResponse {})
    }

    async fn get_public_key(
        &self,
        request: Request<v1::GetPublicKeyRequest>,
    ) -> Result<Response<v1::GetPublicKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::GetPublicKey { key_id: asked.key_id.into(), grant_tokens: asked.grant_tokens },
            )
            .await;
        answer(reply, |found| v1::GetPublicKeyResponse {
            key_id: found.key_id,
            public_key: found.public_key,
            key_spec: found.key_spec.as_str().to_owned(),
            key_usage: found.key_usage.as_str().to_owned(),
            algorithms: names(found.key_spec.algorithms(found.key_usage)),
        })
    }

    async fn get_parameters_for_import(
        &self,
        request: Request<v1::GetParametersForImportRequest>,
    ) -> Result<Response<v1::GetParametersForImportResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::GetParametersForImport {
            key_id: asked.key_id.into(),
            wrapping_algorithm: asked.wrapping_algorithm.into(),
            wrapping_key_spec: asked.wrapping_key_spec.into(),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |found| v1::GetParametersForImportResponse {
            key_id: found.key_id,
            import_token: found.import_token,
            public_key: found.public_key,
            parameters_valid_to: Some(timestamp(found.parameters_valid_to)),
        })
    }

    async fn import_key_material(
        &self,
        request: Request<v1::ImportKeyMaterialRequest>,
    ) -> Result<Response<v1::ImportKeyMaterialResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let valid_to = asked.valid_to.and_then(|time| {
            chrono::DateTime::from_timestamp(time.seconds, u32::try_from(time.nanos).ok()?)
        });
        let request = kms::ImportKeyMaterial {
            key_id: asked.key_id.into(),
            import_token: asked.import_token.into(),
            encrypted_key_material: asked.encrypted_key_material.into(),
            valid_to,
            expiration_model: given(asked.expiration_model),
            import_type: given(asked.import_type),
            key_material_description: given(asked.key_material_description),
            key_material_id: given(asked.key_material_id),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::ImportKeyMaterialResponse {
            key_id: done.key_id,
            key_material_id: done.key_material_id,
        })
    }

    async fn delete_imported_key_material(
        &self,
        request: Request<v1::DeleteImportedKeyMaterialRequest>,
    ) -> Result<Response<v1::DeleteImportedKeyMaterialResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::DeleteImportedKeyMaterial {
            key_id: asked.key_id.into(),
            key_material_id: given(asked.key_material_id),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::DeleteImportedKeyMaterialResponse {
            key_id: done.key_id,
            key_material_id: done.key_material_id,
        })
    }

    async fn get_key_last_usage(
        &self,
        request: Request<v1::GetKeyLastUsageRequest>,
    ) -> Result<Response<v1::GetKeyLastUsageResponse>, Status> {
        let caller = caller_of(&request);
        let request = kms::GetKeyLastUsage { key_id: request.into_inner().key_id.into() };
        let reply = self.service.call(caller, request).await;
        answer(reply, |found| v1::GetKeyLastUsageResponse {
            key_id: found.key_id,
            creation_date: Some(timestamp(found.creation_date)),
            last_usage: found.last.map(|last| v1::KeyUsage {
                operation: last.operation,
                time: Some(timestamp(last.timestamp)),
                request_id: last.request_id,
            }),
        })
    }

    async fn get_key_rotation_status(
        &self,
        request: Request<v1::GetKeyRotationStatusRequest>,
    ) -> Result<Response<v1::GetKeyRotationStatusResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(caller, kms::GetKeyRotationStatus { key_id: asked.key_id.into() })
            .await;
        answer(reply, |found| v1::GetKeyRotationStatusResponse {
            key_id: found.key_id,
            key_rotation_enabled: found.key_rotation_enabled,
            rotation_period_in_days: found.rotation_period_in_days,
            next_rotation_date: found.next_rotation_date.map(timestamp),
        })
    }

    async fn list_key_rotations(
        &self,
        request: Request<v1::ListKeyRotationsRequest>,
    ) -> Result<Response<v1::ListKeyRotationsResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ListKeyRotations {
                    key_id: asked.key_id.into(),
                    include_key_material: given(asked.include_key_material),
                    limit: limit(asked.limit),
                    marker: given(asked.marker),
                },
            )
            .await;
        answer(reply, |listed| {
            let (rotations, next_marker, truncated) = page(listed, rotation);
            v1::ListKeyRotationsResponse { rotations, next_marker, truncated }
        })
    }

    async fn describe_key_versions(
        &self,
        request: Request<v1::DescribeKeyVersionsRequest>,
    ) -> Result<Response<v1::DescribeKeyVersionsResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::DescribeKeyVersions {
                    key_id: asked.key_id.into(),
                    limit: limit(asked.limit),
                    marker: given(asked.marker),
                },
            )
            .await;
        answer(reply, |listed| {
            let (versions, next_marker, truncated) = page(listed, version);
            v1::DescribeKeyVersionsResponse { versions, next_marker, truncated }
        })
    }

    async fn replicate_key(
        &self,
        request: Request<v1::ReplicateKeyRequest>,
    ) -> Result<Response<v1::ReplicateKeyResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::ReplicateKey {
            key_id: asked.key_id.into(),
            replica_region: asked.replica_region.into(),
            policy: given(asked.policy),
            bypass_policy_lockout_safety_check: asked.bypass_policy_lockout_safety_check,
            description: given(asked.description),
            tags: tags(asked.tags),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |done| v1::ReplicateKeyResponse {
            replica_key_metadata: Some(metadata(done.metadata)),
            replica_policy: done.policy,
            replica_tags: done.tags.into_iter().map(tag).collect(),
        })
    }

    async fn update_primary_region(
        &self,
        request: Request<v1::UpdatePrimaryRegionRequest>,
    ) -> Result<Response<v1::UpdatePrimaryRegionResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let request = kms::UpdatePrimaryRegion {
            key_id: asked.key_id.into(),
            primary_region: asked.primary_region.into(),
        };
        let reply = self.service.call(caller, request).await;
        answer(reply, |()| v1::UpdatePrimaryRegionResponse {})
    }

    async fn update_key_description(
        &self,
        request: Request<v1::UpdateKeyDescriptionRequest>,
    ) -> Result<Response<v1::UpdateKeyDescriptionResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::UpdateKeyDescription {
                    key_id: asked.key_id.into(),
                    description: Some(asked.description),
                },
            )
            .await;
        answer(reply, |()| v1::UpdateKeyDescriptionResponse {})
    }

    async fn tag_resource(
        &self,
        request: Request<v1::TagResourceRequest>,
    ) -> Result<Response<v1::TagResourceResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(caller, kms::TagResource { key_id: asked.key_id.into(), tags: tags(asked.tags) })
            .await;
        answer(reply, |()| v1::TagResourceResponse {})
    }

    async fn untag_resource(
        &self,
        request: Request<v1::UntagResourceRequest>,
    ) -> Result<Response<v1::UntagResourceResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::UntagResource { key_id: asked.key_id.into(), tag_keys: asked.tag_keys },
            )
            .await;
        answer(reply, |()| v1::UntagResourceResponse {})
    }

    async fn list_resource_tags(
        &self,
        request: Request<v1::ListResourceTagsRequest>,
    ) -> Result<Response<v1::ListResourceTagsResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ListResourceTags {
                    key_id: asked.key_id.into(),
                    limit: limit(asked.limit),
                    marker: given(asked.marker),
                },
            )
            .await;
        answer(reply, |listed| {
            let (tags, next_marker, truncated) = page(listed, tag);
            v1::ListResourceTagsResponse { tags, next_marker, truncated }
        })
    }

    async fn create_alias(
        &self,
        request: Request<v1::CreateAliasRequest>,
    ) -> Result<Response<v1::CreateAliasResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::CreateAlias {
                    alias_name: asked.alias_name.into(),
                    target_key_id: asked.target_key_id.into(),
                },
            )
            .await;
        answer(reply, |()| v1::CreateAliasResponse {})
    }

    async fn update_alias(
        &self,
        request: Request<v1::UpdateAliasRequest>,
    ) -> Result<Response<v1::UpdateAliasResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::UpdateAlias {
                    alias_name: asked.alias_name.into(),
                    target_key_id: asked.target_key_id.into(),
                },
            )
            .await;
        answer(reply, |()| v1::UpdateAliasResponse {})
    }

    async fn delete_alias(
        &self,
        request: Request<v1::DeleteAliasRequest>,
    ) -> Result<Response<v1::DeleteAliasResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(caller, kms::DeleteAlias { alias_name: asked.alias_name.into() })
            .await;
        answer(reply, |()| v1::DeleteAliasResponse {})
    }

    async fn list_aliases(
        &self,
        request: Request<v1::ListAliasesRequest>,
    ) -> Result<Response<v1::ListAliasesResponse>, Status> {
        let caller = caller_of(&request);
        let asked = request.into_inner();
        let reply = self
            .service
            .call(
                caller,
                kms::ListAliases {
                    key_id: given(asked.key_id),
                    limit: limit(asked.limit),
                    marker: given(asked.marker),
                },
            )
            .await;
        answer(reply, |listed| {
            let (aliases, next_marker, truncated) = page(listed, alias);
            v1::ListAliasesResponse { aliases, next_marker, truncated }
        })
    }
}
