//! Rotation on demand, and the versions it leaves.

use super::Error;
use super::directory::{Call, Directory, Done};
use super::key::{KeyVersion, material_row};
use super::lifecycle::{update, with_output};
use super::page::Page;
use super::requests::{
    DescribeKeyVersions, KeyVersionEntry, Listed, RotateKeyOnDemand, RotateKeyOnDemandOutput,
};
use super::state::Act;
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
    let (id, arn) = (key.id, key.arn());
    key.state.permits(Act::Rotate, &arn)?;
    let number = key.current()?.number + 1;
    if number > ROTATIONS + 1 {
        return Err(Error::LimitExceeded(format!(
            "{arn} has been rotated on demand {ROTATIONS} times, which is the limit"
        )));
    }
    let (version, material) = KeyVersion::generate(id, number, call.now)?;
    let row = material_row(id, number);
    let value = Value::from(material.expose().to_vec());
    let material = Change { row, expected: Revision(0), value: Some(value) };
    let mut done = update(found, Act::Rotate, |key| key.versions.push(version))?;
    // Material first, so that no reader meets a version without it.
    done.changes.insert(0, material);
    done.touched.version = Some(number);
    Ok(with_output(done, RotateKeyOnDemandOutput { key_id: arn, key_version: number }))
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
    let after = page.after.as_deref().map(|text| text.parse().map_err(|_| Error::InvalidMarker));
    let after: u32 = after.transpose()?.unwrap_or_default();
    let entries = found.entry.key.version_entries().into_iter();
    let entries = entries.filter(|entry| entry.key_version > after).take(page.limit + 1).collect();
    let listed = page.cut(entries, |entry| entry.key_version.to_string());
    Ok(Done::of(found, None, listed))
}

/// Rotations on demand of one key at the most (AWS KMS Developer Guide, "Resource quotas").
const ROTATIONS: u32 = 25;
