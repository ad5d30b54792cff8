//! Multi-Region keys: a primary key and its replicas in other regions, which share id, material and
//! rotation. Each is a key of its own otherwise, with its own policy, aliases, grants, tags and state.
//!
//! Every change of what they share is one commit for all of them, so no state of AWS's `Creating` and
//! `Updating` is ever seen.
//!
//! Source: AWS KMS API Reference, `ReplicateKey`, `UpdatePrimaryRegion`; Developer Guide,
//! "Multi-Region keys in AWS KMS".

use std::collections::BTreeMap;

use super::directory::{Call, Directory, Done, Found};
use super::key::{Key, MultiRegionPart, key_row, material_row};
use super::key_version::{Imported, KeyVersion, Origin};
use super::outputs::{ReplicateKeyOutput, Tag};
use super::policies::policy_of;
use super::requests::{ReplicateKey, UpdatePrimaryRegion};
use super::state::{Act, KeyState};
use super::{Error, Scope, tags};
use crate::store::{Change, Revision};

/// `ReplicateKey`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Unsupported`] for a key that is no primary key, and for a
/// region of another partition; [`Error::KeyExists`], [`Error::Validation`] for the key's own region,
/// [`Error::Disabled`], [`Error::InvalidState`], [`Error::Tag`].
pub fn replicate_key(
    directory: &Directory,
    call: &Call<'_>,
    request: &ReplicateKey,
) -> Result<Done<ReplicateKeyOutput>, Error> {
    let found = primary(directory, call, &request.key_id)?;
    let key = &found.entry.key;
    key.state.permits(Act::Use, &key.arn())?;
    let scope = Scope::new(key.scope.account(), &request.replica_region)?;
    if scope == key.scope {
        return Err(Error::Validation(format!(
            "ReplicaRegion must not be {}, the region of the primary key.",
            scope.region()
        )));
    }
    if partition(scope.region()) != partition(key.scope.region()) {
        return Err(Error::Unsupported(format!(
            "ReplicaRegion {} is not in the partition of {}, the region of the primary key.",
            scope.region(),
            key.scope.region()
        )));
    }
    if directory.sibling(key.id, scope.region()).is_some() {
        let arn = scope.key_arn(key.id);
        return Err(Error::KeyExists(arn));
    }
    let replica = Key {
        created: call.now,
        description: request.description.clone().unwrap_or_default(),
        state: match key.origin {
            Origin::AwsKms => KeyState::Enabled,
            Origin::External => KeyState::PendingImport,
        },
        multi_region: Some(MultiRegionPart::Replica),
        versions: key.versions.iter().map(without_material).collect(),
        pending: key.pending.as_ref().map(without_material),
        tags: tags::merged(&BTreeMap::new(), &request.tags)?,
        policy: request.policy.as_deref().map(Into::into),
        scope,
        ..key.clone()
    };
    let place = replica.place();
    let mut changes = Vec::new();
    if key.origin == Origin::AwsKms {
        for version in &key.versions {
            let row = material_row(&place, version.number);
            let value = Some(directory.stored_material(&key.place(), version.number)?);
            changes.push(Change { row, expected: Revision(0), value });
        }
    }
    let (row, value) = (key_row(&place), Some(replica.encode()?));
    changes.push(Change { row, expected: Revision(0), value });
    // Written though nothing changes, so that who counts its replicas meanwhile counts again.
    changes.push(found.entry.replace(key)?);
    let related = directory.related(key);
    let related = related.iter().map(|entry| &entry.key).chain([key]);
    let tag = |(name, value): (&String, &String)| Tag::new(name, value);
    let output = ReplicateKeyOutput {
        metadata: replica.metadata(related),
        policy: policy_of(&replica),
        tags: replica.tags.iter().map(tag).collect(),
    };
    Ok(Done::of(found, None, output).changing(changes))
}

/// `UpdatePrimaryRegion`
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::Unsupported`] for a key that is no primary key,
/// [`Error::NotFound`] where it has no replica, [`Error::Disabled`], [`Error::InvalidState`].
pub fn update_primary_region(
    directory: &Directory,
    call: &Call<'_>,
    request: &UpdatePrimaryRegion,
) -> Result<Done<()>, Error> {
    let found = primary(directory, call, &request.key_id)?;
    let replica = replica_in(directory, call, &request.key_id, &request.primary_region)?;
    let part = |entry: &Found, part: MultiRegionPart| {
        let key = &entry.entry.key;
        key.state.permits(Act::Use, &key.arn())?;
        entry.entry.replace(&Key { multi_region: Some(part), ..key.clone() })
    };
    let changes =
        vec![part(&found, MultiRegionPart::Replica)?, part(&replica, MultiRegionPart::Primary)?];
    Ok(Done::of(found, None, ()).changing(changes))
}

/// The key of the same id in another region, for authorisation and for the change itself.
///
/// # Errors
/// As [`Directory::find_key`]; [`Error::NotFound`] where there is none.
pub fn replica_in(
    directory: &Directory,
    call: &Call<'_>,
    reference: &str,
    region: &str,
) -> Result<Found, Error> {
    let key = directory.find_key(call, reference)?.entry.key.clone();
    let found = directory.sibling(key.id, region).filter(|other| other.entry.key.is_replica());
    found.filter(|other| !other.entry.key.is_expired(call.now)).ok_or_else(|| {
        let id = key.id;
        Error::NotFound(format!("{id} has no replica key in region {region}"))
    })
}

/// The partition of a region, by its name's beginning, as `regionRegex` in botocore's
/// `partitions.json` has it. Whether there is such a region is not asked, as new ones appear.
fn partition(region: &str) -> &'static str {
    let begins = |(start, _): &&(&str, &str)| region.starts_with(start);
    PARTITIONS.iter().find(begins).map_or("aws", |(_, name)| name)
}

/// Every partition but `aws`.
const PARTITIONS: [(&str, &str); 7] = [
    ("cn-", "aws-cn"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
];

/// A multi-Region primary key.
fn primary(directory: &Directory, call: &Call<'_>, reference: &str) -> Result<Found, Error> {
    let found = directory.find_key(call, reference)?;
    let key = &found.entry.key;
    if key.multi_region == Some(MultiRegionPart::Primary) {
        return Ok(found);
    }
    let arn = key.arn();
    Err(Error::Unsupported(format!("{arn} is not a multi-Region primary key.")))
}

/// A version as a replica has it that imports its material on its own.
fn without_material(version: &KeyVersion) -> KeyVersion {
    let awaited = Imported { valid_to: None, description: None, present: false };
    KeyVersion { imported: version.imported.as_ref().map(|_| awaited), ..version.clone() }
}
