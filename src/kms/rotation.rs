//! Rotation, on demand and by itself, and the versions it leaves.
//!
//! Source: AWS KMS API Reference, `EnableKeyRotation`, `RotateKeyOnDemand`, `ListKeyRotations`.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::directory::{Call, Directory, Done, Found};
use super::id::KeyId;
use super::key::{Key, material_row};
use super::key_version::{KeyVersion, Origin, Rotation, RotationType};
use super::lifecycle::{update_all, with_output};
use super::material::KeyEntry;
use super::outputs::{
    ImportedEntry, KeyRotationStatus, KeyVersionEntry, Listed, RotateKeyOnDemandOutput,
    RotationEntry,
};
use super::page::Page;
use super::requests::{
    DescribeKeyVersions, DisableKeyRotation, EnableKeyRotation, GetKeyRotationStatus,
    ListKeyRotations, RotateKey, RotateKeyOnDemand,
};
use super::state::{Act, KeyState};
use super::{Error, KeySpec, Scope};
use crate::store::{Change, Revision, Value};

/// `RotateKeyOnDemand`: a version with fresh material encrypts from now on; every older version
/// goes on decrypting.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Disabled`], [`Error::InvalidState`],
/// [`Error::LimitExceeded`] after 25 rotations.
pub fn rotate_key_on_demand(
    directory: &Directory,
    call: &Call<'_>,
    request: &RotateKeyOnDemand,
) -> Result<Done<RotateKeyOnDemandOutput>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let key = &found.entry.key;
    check_rotates(key)?;
    check_primary(key)?;
    key.state.permits(Act::Rotate, &key.arn())?;
    let on_demand = |version: &&KeyVersion| version.rotated == Some(RotationType::OnDemand);
    if key.versions.iter().filter(on_demand).count() >= ROTATIONS {
        return Err(Error::LimitExceeded(format!(
            "{} has been rotated on demand {ROTATIONS} times, which is the limit",
            key.arn()
        )));
    }
    add_version(directory, found, call.now, RotationType::OnDemand)
}

/// Adds a version to a key whose automatic rotation is due.
///
/// # Errors
/// [`Error::NotFound`] when there is no such key, or its time has not come.
pub fn rotate_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &RotateKey,
) -> Result<Done<RotateKeyOnDemandOutput>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    if !found.entry.key.is_due(call.now) {
        let arn = found.entry.key.arn();
        return Err(Error::NotFound(format!("Key '{arn}' has no rotation that is due")));
    }
    add_version(directory, found, call.now, RotationType::Automatic)
}

/// Keys whose automatic rotation is due, by scope and ARN.
#[must_use]
pub fn due_rotations(directory: &Directory, now: DateTime<Utc>) -> Vec<(Scope, String)> {
    let arn = |(scope, id): (Scope, KeyId)| {
        let arn = scope.key_arn(id);
        (scope, arn)
    };
    directory.due_rotations(now).into_iter().map(arn).collect()
}

/// `EnableKeyRotation`; called again, it changes the period and counts from now.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::Disabled`], [`Error::InvalidState`].
pub fn enable_key_rotation(
    directory: &Directory,
    call: &Call<'_>,
    request: &EnableKeyRotation,
) -> Result<Done<()>, Error> {
    let period_in_days = request.rotation_period_in_days.unwrap_or(365);
    let next = call.now + TimeDelta::days(i64::from(period_in_days));
    let found = directory.find_key(call, &request.key_id)?;
    check_rotates(&found.entry.key)?;
    check_primary(&found.entry.key)?;
    if found.entry.key.origin == Origin::External {
        let arn = found.entry.key.arn();
        return Err(Error::Unsupported(format!(
            "{arn} origin is EXTERNAL which is not valid for this operation."
        )));
    }
    let rotation = Some(Rotation { period_in_days, next });
    update_all(directory, found, Act::Rotate, |key| key.rotation = rotation)
}

/// `DisableKeyRotation`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Disabled`], [`Error::InvalidState`].
pub fn disable_key_rotation(
    directory: &Directory,
    call: &Call<'_>,
    request: &DisableKeyRotation,
) -> Result<Done<()>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    check_rotates(&found.entry.key)?;
    check_primary(&found.entry.key)?;
    update_all(directory, found, Act::Rotate, |key| key.rotation = None)
}

/// `GetKeyRotationStatus`. While a key is pending deletion rotation is off; it is on again when the
/// deletion is cancelled (API reference, "Pending deletion").
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Unsupported`] for another than a symmetric key.
pub fn get_key_rotation_status(
    directory: &Directory,
    call: &Call<'_>,
    request: &GetKeyRotationStatus,
) -> Result<Done<KeyRotationStatus>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let key = &found.entry.key;
    check_rotates(key)?;
    let going = matches!(key.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion);
    let rotation = key.rotation.filter(|_| !going);
    let output = KeyRotationStatus {
        key_id: key.arn(),
        key_rotation_enabled: rotation.is_some(),
        rotation_period_in_days: rotation.map(|rotation| rotation.period_in_days),
        next_rotation_date: rotation.map(|rotation| rotation.next),
    };
    Ok(Done::of(found, None, output))
}

/// `ListKeyRotations`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::InvalidMarker`].
pub fn list_key_rotations(
    directory: &Directory,
    call: &Call<'_>,
    request: &ListKeyRotations,
) -> Result<Done<Listed<RotationEntry>>, Error> {
    let all = request.include_key_material.as_deref() == Some("ALL_KEY_MATERIAL");
    let found = directory.find_key(call, &request.key_id)?;
    check_rotates(&found.entry.key)?;
    let (key, marker) = (&found.entry.key, request.marker.as_deref());
    let kind = if all { "material" } else { "rotations" };
    let arn = key.arn();
    let page = Page::new(call.scope, &[kind, &arn], request.limit, (100, 1000), marker)?;
    let after = after(&page)?;
    let current = key.versions.last().map(|version| version.number);
    let ready = |entry: &Arc<KeyEntry>| entry.key.usable_pending(call.now).is_some();
    let here = directory.related(key).iter().all(ready);
    let waiting = key.pending.as_ref().map(|version| version.number);
    let shown =
        |version: &&KeyVersion| version.number > after && (all || version.rotated.is_some());
    let entry = |version: &KeyVersion| RotationEntry {
        key_id: arn.clone(),
        key_version: version.number,
        key_material_id: version.material_id.clone(),
        current: Some(version.number) == current,
        state: match Some(version.number) {
            number if number == current => "CURRENT",
            number if number != waiting => "NON_CURRENT",
            _ if here => "PENDING_ROTATION",
            _ => "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
        },
        imported: version.imported.as_ref().map(|imported| ImportedEntry {
            present: imported.present,
            valid_to: imported.valid_to,
            description: imported.description.clone(),
        }),
        rotation_date: version.created,
        rotation_type: version.rotated.map(RotationType::as_str),
    };
    let versions = key.versions.iter().chain(&key.pending);
    let entries = versions.filter(shown).take(page.limit + 1).map(entry).collect();
    let listed = page.cut(entries, |entry| entry.key_version.to_string());
    Ok(Done::of(found, None, listed))
}

/// `DescribeKeyVersions`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Validation`], [`Error::InvalidMarker`].
pub fn describe_key_versions(
    directory: &Directory,
    call: &Call<'_>,
    request: &DescribeKeyVersions,
) -> Result<Done<Listed<KeyVersionEntry>>, Error> {
    let found = directory.find_key(call, &request.key_id)?;
    let arn = found.entry.key.arn();
    let marker = request.marker.as_deref();
    let page = Page::new(call.scope, &["versions", &arn], request.limit, (100, 1000), marker)?;
    let after = after(&page)?;
    let entries = found.entry.key.version_entries().into_iter();
    let entries = entries.filter(|entry| entry.key_version > after).take(page.limit + 1).collect();
    let listed = page.cut(entries, |entry| entry.key_version.to_string());
    Ok(Done::of(found, None, listed))
}

/// Rotations on demand of one key at the most (AWS KMS Developer Guide, "Resource quotas").
const ROTATIONS: usize = 25;

/// Adds a version to a key, and to those of its id in other regions.
fn add_version(
    directory: &Directory,
    found: Found,
    now: DateTime<Utc>,
    kind: RotationType,
) -> Result<Done<RotateKeyOnDemandOutput>, Error> {
    let (id, key_id) = (found.entry.key.id, found.entry.key.arn());
    if found.entry.key.origin == Origin::External {
        return promote(directory, found, now);
    }
    let key_version = found.entry.key.current()?.number + 1;
    let spec = found.entry.key.spec;
    let (version, material) = KeyVersion::generate(id, spec, key_version, now, Some(kind))?;
    let related = directory.related(&found.entry.key);
    let places = related.iter().map(|entry| entry.key.place()).chain([found.entry.key.place()]);
    let rows: Vec<_> = places.map(|place| material_row(&place, key_version)).collect();
    let mut done = update_all(directory, found, Act::Rotate, |key| {
        rotate(key, version.clone(), now, kind);
    })?;
    for row in rows {
        let value = Some(Value::from(material.expose().to_vec()));
        // Material first, so that no reader meets a version without it.
        done.changes.insert(0, Change { row, expected: Revision(0), value });
    }
    done.touched.version = Some(key_version);
    Ok(with_output(done, RotateKeyOnDemandOutput { key_id, key_version }))
}

/// Makes imported material that waited current; of a set of multi-Region keys, in all of them.
fn promote(
    directory: &Directory,
    found: Found,
    now: DateTime<Utc>,
) -> Result<Done<RotateKeyOnDemandOutput>, Error> {
    let key_id = found.entry.key.arn();
    let wrong = |state| Error::InvalidState { arn: key_id.clone(), state };
    let none = "without key material to rotate to: import it as NEW_KEY_MATERIAL first";
    // Material past its time is as good as gone, also before it is removed.
    let key_version = found.entry.key.usable_pending(now).ok_or_else(|| wrong(none))?.number;
    let ready = |entry: &Arc<KeyEntry>| entry.key.usable_pending(now).is_some();
    if !directory.related(&found.entry.key).iter().all(ready) {
        return Err(wrong("waiting for the same key material to be imported into its replicas"));
    }
    let mut done = update_all(directory, found, Act::Rotate, |key| {
        if let Some(version) = key.pending.take() {
            let rotated = Some(RotationType::OnDemand);
            rotate(
                key,
                KeyVersion { created: now, rotated, ..version },
                now,
                RotationType::OnDemand,
            );
        }
    })?;
    done.touched.version = Some(key_version);
    Ok(with_output(done, RotateKeyOnDemandOutput { key_id, key_version }))
}

fn rotate(key: &mut Key, version: KeyVersion, now: DateTime<Utc>, kind: RotationType) {
    key.versions.push(version);
    // Rotation on demand leaves the schedule of automatic rotation alone, as on AWS.
    if let (RotationType::Automatic, Some(rotation)) = (kind, key.rotation.as_mut()) {
        rotation.next = now + TimeDelta::days(i64::from(rotation.period_in_days));
    }
}

/// Only symmetric encryption keys have versions beyond the first.
fn check_rotates(key: &Key) -> Result<(), Error> {
    if key.spec == KeySpec::SymmetricDefault {
        return Ok(());
    }
    let (arn, spec) = (key.arn(), key.spec.as_str());
    Err(Error::Unsupported(format!("{arn} is a {spec} key, which cannot be rotated")))
}

/// The rotation of a set of multi-Region keys is its primary key's.
fn check_primary(key: &Key) -> Result<(), Error> {
    if !key.is_replica() {
        return Ok(());
    }
    let arn = key.arn();
    Err(Error::Unsupported(format!(
        "{arn} is a multi-Region replica key; its rotation is that of its primary key"
    )))
}

/// The last version of the page before.
fn after(page: &Page) -> Result<u32, Error> {
    let parse = |text: &str| text.parse().map_err(|_| Error::InvalidMarker);
    Ok(page.after.as_deref().map(parse).transpose()?.unwrap_or_default())
}
