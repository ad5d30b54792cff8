//! The life of keys: one translation each way an operation.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::answer::seconds;
use super::members::Members;
use crate::kms;
use crate::service::Error;

type Read<T> = Result<T, Error>;

pub(super) fn cancel_key_deletion(asked: &mut Members) -> Read<kms::CancelKeyDeletion> {
    Ok(kms::CancelKeyDeletion { key_id: asked.required("KeyId")? })
}

pub(super) fn cancelled(done: kms::CancelKeyDeletionOutput) -> Value {
    json!({ "KeyId": done.key_id })
}

pub(super) fn create_alias(asked: &mut Members) -> Read<kms::CreateAlias> {
    let alias_name = asked.required("AliasName")?;
    Ok(kms::CreateAlias { alias_name, target_key_id: asked.required("TargetKeyId")? })
}

pub(super) fn create_key(asked: &mut Members) -> Read<kms::CreateKey> {
    Ok(kms::CreateKey {
        description: asked.text("Description")?,
        key_usage: asked.text("KeyUsage")?,
        key_spec: asked.text("KeySpec")?,
        customer_master_key_spec: asked.text("CustomerMasterKeySpec")?,
        tags: asked.tags()?,
        policy: asked.text("Policy")?,
        bypass_policy_lockout_safety_check: asked.flag("BypassPolicyLockoutSafetyCheck")?,
        origin: asked.text("Origin")?,
        custom_key_store_id: asked.text("CustomKeyStoreId")?,
        xks_key_id: asked.text("XksKeyId")?,
        multi_region: asked.flag("MultiRegion")?,
    })
}

pub(super) fn delete_alias(asked: &mut Members) -> Read<kms::DeleteAlias> {
    Ok(kms::DeleteAlias { alias_name: asked.required("AliasName")? })
}

pub(super) fn describe_key(asked: &mut Members) -> Read<kms::DescribeKey> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::DescribeKey { key_id, grant_tokens: asked.texts("GrantTokens")? })
}

pub(super) fn described(key: kms::KeyMetadata) -> Value {
    json!({ "KeyMetadata": metadata(key) })
}

fn metadata(key: kms::KeyMetadata) -> Value {
    let imported = key.origin == "EXTERNAL" && key.has_material;
    let rotates = key.key_spec == kms::KeySpec::SymmetricDefault && key.current_key_version > 0;
    json!({
        "AWSAccountId": key.account,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": seconds(key.creation_date),
        "Enabled": key.key_state == kms::KeyState::Enabled,
        "Description": key.description,
        "KeyUsage": key.key_usage.as_str(),
        "KeyState": key.key_state.as_str(),
        "DeletionDate": key.deletion_date.map(seconds),
        "PendingDeletionWindowInDays": key.pending_window_in_days,
        "Origin": key.origin,
        "ExpirationModel": imported.then(|| expiration_model(key.valid_to)),
        "ValidTo": key.valid_to.filter(|_| imported).map(seconds),
        "KeyManager": key.key_manager,
        "CustomerMasterKeySpec": key.key_spec.as_str(),
        "KeySpec": key.key_spec.as_str(),
        algorithms(key.key_usage): key.key_spec.algorithms(key.key_usage),
        "CurrentKeyMaterialId": rotates.then_some(key.current_key_material_id),
        "MultiRegion": key.multi_region.is_some(),
        "MultiRegionConfiguration": key.multi_region.map(multi_region),
    })
}

fn multi_region(set: kms::MultiRegionConfiguration) -> Value {
    let key = |key: kms::MultiRegionKey| json!({ "Arn": key.arn, "Region": key.region });
    json!({
        "MultiRegionKeyType": set.part,
        "PrimaryKey": set.primary.map(key),
        "ReplicaKeys": set.replicas.into_iter().map(key).collect::<Value>(),
    })
}

fn expiration_model(valid_to: Option<DateTime<Utc>>) -> &'static str {
    match valid_to {
        Some(_) => "KEY_MATERIAL_EXPIRES",
        None => "KEY_MATERIAL_DOES_NOT_EXPIRE",
    }
}

pub(super) fn replicate_key(asked: &mut Members) -> Read<kms::ReplicateKey> {
    Ok(kms::ReplicateKey {
        key_id: asked.required("KeyId")?,
        replica_region: asked.required("ReplicaRegion")?,
        policy: asked.text("Policy")?,
        bypass_policy_lockout_safety_check: asked.flag("BypassPolicyLockoutSafetyCheck")?,
        description: asked.text("Description")?,
        tags: asked.tags()?,
    })
}

pub(super) fn replicated(done: kms::ReplicateKeyOutput) -> Value {
    json!({
        "ReplicaKeyMetadata": metadata(done.metadata),
        "ReplicaPolicy": done.policy,
        "ReplicaTags": done.tags.into_iter().map(tag).collect::<Value>(),
    })
}

pub(super) fn update_primary_region(asked: &mut Members) -> Read<kms::UpdatePrimaryRegion> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::UpdatePrimaryRegion { key_id, primary_region: asked.required("PrimaryRegion")? })
}

pub(super) fn disable_key(asked: &mut Members) -> Read<kms::DisableKey> {
    Ok(kms::DisableKey { key_id: asked.required("KeyId")? })
}

pub(super) fn disable_key_rotation(asked: &mut Members) -> Read<kms::DisableKeyRotation> {
    Ok(kms::DisableKeyRotation { key_id: asked.required("KeyId")? })
}

pub(super) fn enable_key_rotation(asked: &mut Members) -> Read<kms::EnableKeyRotation> {
    let key_id = asked.required("KeyId")?;
    let rotation_period_in_days = asked.integer("RotationPeriodInDays")?;
    Ok(kms::EnableKeyRotation { key_id, rotation_period_in_days })
}

pub(super) fn get_key_rotation_status(asked: &mut Members) -> Read<kms::GetKeyRotationStatus> {
    Ok(kms::GetKeyRotationStatus { key_id: asked.required("KeyId")? })
}

pub(super) fn rotation_status(found: kms::KeyRotationStatus) -> Value {
    json!({
        "KeyId": found.key_id,
        "KeyRotationEnabled": found.key_rotation_enabled,
        "RotationPeriodInDays": found.rotation_period_in_days,
        "NextRotationDate": found.next_rotation_date.map(seconds),
    })
}

pub(super) fn list_key_rotations(asked: &mut Members) -> Read<kms::ListKeyRotations> {
    Ok(kms::ListKeyRotations {
        key_id: asked.required("KeyId")?,
        include_key_material: asked.text("IncludeKeyMaterial")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn rotations(found: kms::Listed<kms::RotationEntry>) -> Value {
    page("Rotations", found, |entry| {
        let imported = entry.imported.as_ref();
        let here = |imported: &kms::ImportedEntry| match imported.present {
            true => "IMPORTED",
            false => "PENDING_IMPORT",
        };
        json!({
            "KeyId": entry.key_id,
            "KeyMaterialId": entry.key_material_id,
            "KeyMaterialState": entry.state,
            "RotationType": entry.rotation_type,
            "RotationDate": entry.rotation_type.map(|_| seconds(entry.rotation_date)),
            "ImportState": imported.map(here),
            "ExpirationModel": imported.map(|imported| expiration_model(imported.valid_to)),
            "ValidTo": imported.and_then(|imported| imported.valid_to).map(seconds),
            "KeyMaterialDescription": imported.and_then(|imported| imported.description.clone()),
        })
    })
}

pub(super) fn enable_key(asked: &mut Members) -> Read<kms::EnableKey> {
    Ok(kms::EnableKey { key_id: asked.required("KeyId")? })
}

pub(super) fn get_public_key(asked: &mut Members) -> Read<kms::GetPublicKey> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::GetPublicKey { key_id, grant_tokens: asked.texts("GrantTokens")? })
}

pub(super) fn public_key(found: kms::GetPublicKeyOutput) -> Value {
    json!({
        "KeyId": found.key_id,
        "PublicKey": STANDARD.encode(found.public_key),
        "CustomerMasterKeySpec": found.key_spec.as_str(),
        "KeySpec": found.key_spec.as_str(),
        "KeyUsage": found.key_usage.as_str(),
        algorithms(found.key_usage): found.key_spec.algorithms(found.key_usage),
    })
}

/// The member that lists the algorithms of a key made for `usage`.
const fn algorithms(usage: kms::KeyUsage) -> &'static str {
    match usage {
        kms::KeyUsage::EncryptDecrypt => "EncryptionAlgorithms",
        kms::KeyUsage::GenerateVerifyMac => "MacAlgorithms",
        kms::KeyUsage::SignVerify => "SigningAlgorithms",
        kms::KeyUsage::KeyAgreement => "KeyAgreementAlgorithms",
        kms::KeyUsage::EncapsulateDecapsulate => "EncapsulationAlgorithms",
    }
}

pub(super) fn get_key_last_usage(asked: &mut Members) -> Read<kms::GetKeyLastUsage> {
    Ok(kms::GetKeyLastUsage { key_id: asked.required("KeyId")? })
}

/// A call has one id here, on the trail and in its answer.
pub(super) fn last_usage(found: kms::KeyLastUsage) -> Value {
    let last = found.last.map_or_else(
        || json!({}),
        |last| {
            json!({
                "Operation": last.operation,
                "Timestamp": seconds(last.timestamp),
                "CloudTrailEventId": last.request_id,
                "KmsRequestId": last.request_id,
            })
        },
    );
    json!({
        "KeyId": found.key_id,
        "KeyLastUsage": last,
        "TrackingStartDate": seconds(found.creation_date),
        "KeyCreationDate": seconds(found.creation_date),
    })
}

pub(super) fn delete_imported_key_material(
    asked: &mut Members,
) -> Read<kms::DeleteImportedKeyMaterial> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::DeleteImportedKeyMaterial { key_id, key_material_id: asked.text("KeyMaterialId")? })
}

pub(super) fn get_parameters_for_import(asked: &mut Members) -> Read<kms::GetParametersForImport> {
    Ok(kms::GetParametersForImport {
        key_id: asked.required("KeyId")?,
        wrapping_algorithm: asked.required("WrappingAlgorithm")?,
        wrapping_key_spec: asked.required("WrappingKeySpec")?,
    })
}

pub(super) fn parameters(found: kms::ParametersForImport) -> Value {
    json!({
        "KeyId": found.key_id,
        "ImportToken": STANDARD.encode(found.import_token),
        "PublicKey": STANDARD.encode(found.public_key),
        "ParametersValidTo": seconds(found.parameters_valid_to),
    })
}

pub(super) fn import_key_material(asked: &mut Members) -> Read<kms::ImportKeyMaterial> {
    Ok(kms::ImportKeyMaterial {
        key_id: asked.required("KeyId")?,
        import_token: asked.required_blob("ImportToken")?,
        encrypted_key_material: asked.required_blob("EncryptedKeyMaterial")?,
        valid_to: asked.time("ValidTo")?,
        expiration_model: asked.text("ExpirationModel")?,
        import_type: asked.text("ImportType")?,
        key_material_description: asked.text("KeyMaterialDescription")?,
        key_material_id: asked.text("KeyMaterialId")?,
    })
}

pub(super) fn imported(done: kms::ImportKeyMaterialOutput) -> Value {
    let material = Some(done.key_material_id).filter(|id| !id.is_empty());
    json!({ "KeyId": done.key_id, "KeyMaterialId": material })
}

pub(super) fn list_aliases(asked: &mut Members) -> Read<kms::ListAliases> {
    Ok(kms::ListAliases {
        key_id: asked.text("KeyId")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn aliases(found: kms::Listed<kms::AliasEntry>) -> Value {
    page("Aliases", found, |entry| {
        json!({
            "AliasName": entry.alias_name,
            "AliasArn": entry.alias_arn,
            "TargetKeyId": entry.target_key_id,
            "CreationDate": entry.creation_date.map(seconds),
            "LastUpdatedDate": entry.last_updated_date.map(seconds),
        })
    })
}

pub(super) fn list_keys(asked: &mut Members) -> Read<kms::ListKeys> {
    Ok(kms::ListKeys {
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
        resource_owners: asked.some_texts("ResourceOwners")?,
    })
}

pub(super) fn listed(found: kms::Listed<kms::KeyListEntry>) -> Value {
    page("Keys", found, |entry| json!({ "KeyId": entry.key_id, "KeyArn": entry.key_arn }))
}

pub(super) fn list_resource_tags(asked: &mut Members) -> Read<kms::ListResourceTags> {
    Ok(kms::ListResourceTags {
        key_id: asked.required("KeyId")?,
        limit: asked.integer("Limit")?,
        marker: asked.text("Marker")?,
    })
}

pub(super) fn tags(found: kms::Listed<kms::Tag>) -> Value {
    page("Tags", found, tag)
}

fn tag(tag: kms::Tag) -> Value {
    json!({ "TagKey": tag.tag_key.as_str(), "TagValue": tag.tag_value.as_str() })
}

pub(super) fn rotate_key_on_demand(asked: &mut Members) -> Read<kms::RotateKeyOnDemand> {
    Ok(kms::RotateKeyOnDemand { key_id: asked.required("KeyId")? })
}

pub(super) fn rotated(done: kms::RotateKeyOnDemandOutput) -> Value {
    json!({ "KeyId": done.key_id })
}

pub(super) fn schedule_key_deletion(asked: &mut Members) -> Read<kms::ScheduleKeyDeletion> {
    let key_id = asked.required("KeyId")?;
    let pending_window_in_days = asked.integer("PendingWindowInDays")?;
    Ok(kms::ScheduleKeyDeletion { key_id, pending_window_in_days })
}

pub(super) fn scheduled(done: kms::ScheduleKeyDeletionOutput) -> Value {
    json!({
        "KeyId": done.key_id,
        "DeletionDate": done.deletion_date.map(seconds),
        "KeyState": done.key_state.as_str(),
        "PendingWindowInDays": done.pending_window_in_days,
    })
}

pub(super) fn tag_resource(asked: &mut Members) -> Read<kms::TagResource> {
    Ok(kms::TagResource { key_id: asked.required("KeyId")?, tags: asked.tags()? })
}

pub(super) fn untag_resource(asked: &mut Members) -> Read<kms::UntagResource> {
    Ok(kms::UntagResource { key_id: asked.required("KeyId")?, tag_keys: asked.texts("TagKeys")? })
}

pub(super) fn update_alias(asked: &mut Members) -> Read<kms::UpdateAlias> {
    let alias_name = asked.required("AliasName")?;
    Ok(kms::UpdateAlias { alias_name, target_key_id: asked.required("TargetKeyId")? })
}

pub(super) fn update_key_description(asked: &mut Members) -> Read<kms::UpdateKeyDescription> {
    let key_id = asked.required("KeyId")?;
    Ok(kms::UpdateKeyDescription { key_id, description: asked.text("Description")? })
}

/// Operations that answer with an empty body.
pub(super) const fn nothing((): ()) -> Value {
    Value::Null
}

pub(super) fn page<T>(name: &str, found: kms::Listed<T>, entry: impl Fn(T) -> Value) -> Value {
    json!({
        name: found.entries.into_iter().map(entry).collect::<Value>(),
        "Truncated": found.next_marker.is_some(),
        "NextMarker": found.next_marker,
    })
}
