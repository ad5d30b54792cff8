//! Making, describing, enabling, disabling and removing keys.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::alias::Alias;
use super::directory::{Call, Directory, Done, Found};
use super::id::{KeyId, KeyReference, Reach};
use super::key::{Key, MultiRegionPart, key_row, material_row};
use super::key_version::{KeyVersion, Origin};
use super::outputs::{
    CancelKeyDeletionOutput, KeyListEntry, KeyMetadata, Listed, ScheduleKeyDeletionOutput,
};
use super::page::Page;
use super::requests::{
    CancelKeyDeletion, CreateKey, DeleteKey, DescribeKey, DisableKey, EnableKey, ListKeys,
    ScheduleKeyDeletion, UpdateKeyDescription,
};
use super::spec::{KeySpec, KeyUsage};
use super::state::{Act, KeyState};
use super::{Error, Scope, tags};
use crate::store::{Change, Revision};

/// `CreateKey`
///
/// # Errors
/// [`Error::Validation`], [`Error::Unsupported`], [`Error::Tag`], [`Error::LimitExceeded`].
pub fn create_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &CreateKey,
) -> Result<Done<KeyMetadata>, Error> {
    let (spec, usage) = check_kind(request)?;
    let tags = tags::merged(&BTreeMap::new(), &request.tags)?;
    let origin = check_origin(request)?;
    let multi_region = request.multi_region.then_some(MultiRegionPart::Primary);
    let id = KeyId::generate(multi_region.map_or(Reach::Regional, |_| Reach::MultiRegion))?;
    let place = call.scope.place(id);
    let (mut versions, mut changes) = (Vec::new(), Vec::new());
    if origin == Origin::AwsKms {
        let (version, material) = KeyVersion::generate(id, spec, 1, call.now, None)?;
        versions.push(version);
        let row = material_row(&place, 1);
        changes.push(Change { row, expected: Revision(0), value: Some(material) });
    }
    let key = Key {
        scope: call.scope.clone(),
        id,
        spec,
        usage,
        created: call.now,
        description: request.description.clone().unwrap_or_default(),
        state: match origin {
            Origin::AwsKms => KeyState::Enabled,
            Origin::External => KeyState::PendingImport,
        },
        deletion_date: None,
        pending_window_in_days: None,
        multi_region,
        origin,
        managed: false,
        versions,
        pending: None,
        rotation: None,
        tags,
        policy: request.policy.as_deref().map(Into::into),
    };
    let row = key_row(&place);
    changes.push(Change { row, expected: Revision(0), value: Some(key.encode()?) });
    let mut done = Done::plain(directory.metadata(&key));
    done.touched.key = Some(key.arn());
    done.touched.version = key.versions.last().map(|version| version.number);
    Ok(done.changing(changes))
}

/// `DescribeKey`
///
/// # Errors
/// As [`Directory::find`].
pub fn describe_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &DescribeKey,
) -> Result<Done<KeyMetadata>, Error> {
    // A token that names no grant is passed over here: AWS lists no error for it.
    let found = directory.find(call, &request.key_id)?;
    let metadata = directory.metadata(&found.entry.key);
    Ok(Done::of(found, None, metadata))
}

/// `ListKeys`
///
/// # Errors
/// [`Error::Validation`], [`Error::InvalidMarker`].
pub fn list_keys(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListKeys,
) -> Result<Done<Listed<KeyListEntry>>, Error> {
    let marker = request.marker.as_deref();
    let owners = request.resource_owners.as_deref().unwrap_or_default();
    let own = owners.is_empty() || owners.iter().any(|owner| owner == "SELF");
    let kind = if own { "keys" } else { "shared keys" };
    let page = Page::new(call.scope, &[kind], request.limit, (100, 1000), marker)?;
    let after = page.after.as_deref().map(|text| KeyId::parse(text).ok_or(Error::InvalidMarker));
    // Other accounts share no keys: there is no Resource Access Manager here.
    let limit = if own { page.limit + 1 } else { 0 };
    let keys = directory.keys(call, after.transpose()?, limit);
    let entry =
        |id: KeyId| KeyListEntry { key_id: id.to_string(), key_arn: call.scope.key_arn(id) };
    let entries = keys.into_iter().map(entry).collect();
    Ok(Done::plain(page.cut(entries, |entry| entry.key_id.clone())))
}

/// `EnableKey`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::InvalidState`].
pub fn enable_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &EnableKey,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    update(found, Act::Enable, |key| key.state = KeyState::Enabled)
}

/// `DisableKey`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::InvalidState`].
pub fn disable_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &DisableKey,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    update(found, Act::Disable, |key| key.state = KeyState::Disabled)
}

/// `UpdateKeyDescription`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::InvalidState`].
pub fn update_key_description(
    directory: &Directory,
    call: &Call<'_>,
    request: &UpdateKeyDescription,
) -> Result<Done<()>, Error> {
    let description = request.description.clone().unwrap_or_default();
    let found = directory.find_key(call, &request.key_id)?;
    update(found, Act::Describe, |key| key.description = description)
}

/// `ScheduleKeyDeletion`; a primary key that has replicas waits for their removal first.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::InvalidState`].
pub fn schedule_key_deletion(
    directory: &Directory,
    call: &Call<'_>,
    request: &ScheduleKeyDeletion,
) -> Result<Done<ScheduleKeyDeletionOutput>, Error> {
    let days = request.pending_window_in_days.unwrap_or(LONGEST_WINDOW);
    if days < SHORTEST_WINDOW {
        let constraint = "Member must have value greater than or equal to 7";
        return Err(Error::constraint(&days.to_string(), "pendingWindowInDays", constraint));
    }
    if days > LONGEST_WINDOW {
        let constraint = "Member must have value less than or equal to 30";
        return Err(Error::constraint(&days.to_string(), "pendingWindowInDays", constraint));
    }
    let found = directory.find_key(call, &request.key_id)?;
    let key = &found.entry.key;
    let waits = !key.is_replica() && !directory.related(key).is_empty();
    let output = ScheduleKeyDeletionOutput {
        key_id: key.arn(),
        deletion_date: (!waits).then(|| call.now + TimeDelta::days(i64::from(days))),
        key_state: match waits {
            true => KeyState::PendingReplicaDeletion,
            false => KeyState::PendingDeletion,
        },
        pending_window_in_days: days,
    };
    let done = update(found, Act::ScheduleDeletion, |key| {
        key.state = output.key_state;
        key.deletion_date = output.deletion_date;
        key.pending_window_in_days = waits.then_some(days);
    })?;
    Ok(with_output(done, output))
}

/// `CancelKeyDeletion`; the key is then disabled.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::InvalidState`].
pub fn cancel_key_deletion(
    directory: &Directory,
    call: &Call<'_>,
    request: &CancelKeyDeletion,
) -> Result<Done<CancelKeyDeletionOutput>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let output = CancelKeyDeletionOutput { key_id: found.entry.key.arn() };
    let done = update(found, Act::CancelDeletion, |key| {
        key.state = if key.is_whole() { KeyState::Disabled } else { KeyState::PendingImport };
        key.deletion_date = None;
        key.pending_window_in_days = None;
    })?;
    Ok(with_output(done, output))
}

/// Keys whose waiting period is over, by scope and ARN.
#[must_use]
pub fn expired_keys(directory: &Directory, now: DateTime<Utc>) -> Vec<(Scope, String)> {
    let arn = |(scope, id): (Scope, KeyId)| {
        let arn = scope.key_arn(id);
        (scope, arn)
    };
    directory.expired_keys(now).into_iter().map(arn).collect()
}

/// Removes a key whose waiting period is over: record, material and aliases. What was sealed under it
/// never opens again, unless another region has a key of the same id. The waiting period of a primary
/// key begins when its last replica is removed.
///
/// # Errors
/// [`Error::NotFound`] when there is no such key, or its period is not over.
pub fn delete_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &DeleteKey,
) -> Result<Done<()>, Error> {
    let missing = || Error::NotFound(format!("Key '{}' does not exist", request.key_id.as_str()));
    let KeyReference::Key(_, id) = KeyReference::parse(&request.key_id)? else {
        return Err(missing());
    };
    let place = call.scope.place(id);
    let entry = directory.entry(&place).ok_or_else(missing)?;
    let ours = entry.key.scope == *call.scope && entry.key.is_expired(call.now);
    if !ours {
        return Err(missing());
    }
    let mut changes = vec![Change { row: key_row(&place), expected: entry.revision, value: None }];
    let versions = entry.key.versions.iter().chain(&entry.key.pending);
    for version in versions.filter(|version| version.is_present()) {
        let row = material_row(&place, version.number);
        changes.push(Change { row, expected: Revision(1), value: None });
    }
    for alias in directory.aliases(&entry.key.scope, Some(id), None, usize::MAX) {
        let row = Alias::row(&alias.scope, &alias.name);
        changes.push(Change { row, expected: alias.revision, value: None });
    }
    for grant in directory.grants_of(&place, None, usize::MAX, |_| true) {
        changes.push(Change { row: grant.row(), expected: grant.revision, value: None });
    }
    let related = directory.related(&entry.key);
    if let Some(primary) = related.iter().find(|other| !other.key.is_replica()) {
        let mut key = primary.key.clone();
        if let (1, Some(days)) = (related.len(), key.pending_window_in_days) {
            key.state = KeyState::PendingDeletion;
            key.deletion_date = Some(call.now + TimeDelta::days(i64::from(days)));
            key.pending_window_in_days = None;
        }
        // Written also when nothing changes, so that who counts its replicas meanwhile counts again.
        changes.push(primary.replace(&key)?);
    }
    let mut done = Done::plain(());
    done.touched.key = Some(entry.key.arn());
    Ok(done.changing(changes))
}

/// Shortest and longest waiting period (API reference, `ScheduleKeyDeletion`), in days.
const SHORTEST_WINDOW: i32 = 7;
const LONGEST_WINDOW: i32 = 30;

/// Writes a key anew, if its state lets `act` be done to it.
pub(super) fn update(
    found: Found,
    act: Act,
    change: impl FnOnce(&mut Key),
) -> Result<Done<()>, Error> {
    let mut key = found.entry.key.clone();
    key.state.permits(act, &key.arn())?;
    change(&mut key);
    let changes = vec![found.entry.replace(&key)?];
    Ok(Done::of(found, None, ()).changing(changes))
}

/// The same for a key and those of its id in other regions, whatever their state.
pub(super) fn update_all(
    directory: &Directory,
    found: Found,
    act: Act,
    change: impl Fn(&mut Key),
) -> Result<Done<()>, Error> {
    let related = directory.related(&found.entry.key);
    let mut done = update(found, act, &change)?;
    for entry in related {
        let mut key = entry.key.clone();
        change(&mut key);
        done.changes.push(entry.replace(&key)?);
    }
    Ok(done)
}

/// The same with an answer.
pub(super) fn with_output<T>(done: Done<()>, output: T) -> Done<T> {
    Done { output, changes: done.changes, reads: done.reads, touched: done.touched }
}

/// Where material is to come from.
fn check_origin(request: &CreateKey) -> Result<Origin, Error> {
    let unsupported = |what: &str| Err(Error::Unsupported(what.to_owned()));
    if request.custom_key_store_id.is_some() || request.xks_key_id.is_some() {
        return unsupported("strongroom has no custom key stores");
    }
    match request.origin.as_deref() {
        None | Some("AWS_KMS") => Ok(Origin::AwsKms),
        Some("EXTERNAL") => Ok(Origin::External),
        Some(_) => unsupported("strongroom has no custom key stores"),
    }
}

/// What is to be made.
fn check_kind(request: &CreateKey) -> Result<(KeySpec, KeyUsage), Error> {
    let name = match (request.key_spec.as_deref(), request.customer_master_key_spec.as_deref()) {
        (Some(_), Some(_)) => {
            return Err(Error::Validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
                 CustomerMasterKeySpec is deprecated."
                    .to_owned(),
            ));
        }
        (name, older) => name.or(older).unwrap_or("SYMMETRIC_DEFAULT"),
    };
    let spec = KeySpec::parse(name).ok_or_else(|| {
        Error::Unsupported(format!("KeySpec {name} is not supported in this region."))
    })?;
    let asked = request.key_usage.as_deref();
    // Where a spec has one usage, AWS asks for it all the same, but for symmetric keys.
    let usage = match (asked.and_then(KeyUsage::parse), spec) {
        (Some(usage), _) => usage,
        (None, KeySpec::SymmetricDefault) => KeyUsage::EncryptDecrypt,
        (None, KeySpec::Hmac(_) | KeySpec::Pair(_)) => {
            return Err(Error::Validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric \
                 encryption keys."
                    .to_owned(),
            ));
        }
    };
    if spec.usages().contains(&usage) {
        return Ok((spec, usage));
    }
    let usage = usage.as_str();
    Err(Error::Validation(format!("KeyUsage {usage} is not compatible with KeySpec {name}")))
}
