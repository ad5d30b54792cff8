//! Keys, versions, aliases and tags as messages.

use super::answer::timestamp;
use crate::kms;
use crate::proto::v1;

pub(super) fn metadata(key: kms::KeyMetadata) -> v1::KeyMetadata {
    v1::KeyMetadata {
        aws_account_id: key.account,
        key_id: key.key_id,
        arn: key.arn,
        creation_date: Some(timestamp(key.creation_date)),
        enabled: key.key_state == kms::KeyState::Enabled,
        description: key.description,
        key_usage: key.key_usage.as_str().to_owned(),
        key_state: key.key_state.as_str().to_owned(),
        deletion_date: key.deletion_date.map(timestamp),
        pending_deletion_window_in_days: key.pending_window_in_days,
        multi_region_configuration: key.multi_region.map(multi_region),
        origin: key.origin.to_owned(),
        key_manager: key.key_manager.to_owned(),
        key_spec: key.key_spec.as_str().to_owned(),
        algorithms: names(key.key_spec.algorithms(key.key_usage)),
        current_key_version: key.current_key_version,
        current_key_material_id: key.current_key_material_id,
    }
}

fn multi_region(set: kms::MultiRegionConfiguration) -> v1::MultiRegionConfiguration {
    let key = |key: kms::MultiRegionKey| v1::MultiRegionKey { arn: key.arn, region: key.region };
    v1::MultiRegionConfiguration {
        multi_region_key_type: set.part.to_owned(),
        primary_key: set.primary.map(key),
        replica_keys: set.replicas.into_iter().map(key).collect(),
    }
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn version(entry: kms::KeyVersionEntry) -> v1::KeyVersion {
    v1::KeyVersion {
        key_version: entry.key_version,
        creation_date: Some(timestamp(entry.creation_date)),
        key_material_id: entry.key_material_id,
        current: entry.current,
    }
}

pub(super) fn rotation(entry: kms::RotationEntry) -> v1::KeyRotation {
    v1::KeyRotation {
        key_id: entry.key_id,
        key_version: entry.key_version,
        key_material_id: entry.key_material_id,
        current: entry.current,
        rotation_date: Some(timestamp(entry.rotation_date)),
        rotation_type: entry.rotation_type.unwrap_or_default().to_owned(),
        key_material_state: entry.state.to_owned(),
    }
}

pub(super) fn alias(entry: kms::AliasEntry) -> v1::AliasListEntry {
    v1::AliasListEntry {
        alias_name: entry.alias_name,
        alias_arn: entry.alias_arn,
        target_key_id: entry.target_key_id.unwrap_or_default(),
        creation_date: entry.creation_date.map(timestamp),
        last_updated_date: entry.last_updated_date.map(timestamp),
    }
}

pub(super) fn tag(tag: kms::Tag) -> v1::Tag {
    v1::Tag {
        tag_key: tag.tag_key.as_str().to_owned(),
        tag_value: tag.tag_value.as_str().to_owned(),
    }
}

pub(super) fn tags(tags: Vec<v1::Tag>) -> Vec<kms::Tag> {
    let tag = |tag: v1::Tag| kms::Tag::new(&tag.tag_key, &tag.tag_value);
    tags.into_iter().map(tag).collect()
}

/// Entries, next marker, truncated.
pub(super) fn page<T, M>(listed: kms::Listed<T>, entry: impl Fn(T) -> M) -> (Vec<M>, String, bool) {
    let truncated = listed.next_marker.is_some();
    let entries = listed.entries.into_iter().map(entry).collect();
    (entries, listed.next_marker.unwrap_or_default(), truncated)
}
