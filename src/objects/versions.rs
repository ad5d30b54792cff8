//! Operations on objects and their versions: what is read, and what changes in place.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::attributes::check_tags;
use super::directory::{Call, Done, Objects};
use super::memory::{Held, Home};
use super::outputs::{Found, Tags};
use super::requests::{
    Conditions, GetObject, GetObjectAcl, GetObjectAttributes, GetObjectTagging, HeadObject,
    PutObjectAcl, PutObjectTagging, UpdateObjectEncryption,
};
use super::version::{Attributes, Content, Version, VersionId};
use super::{Error, row};
use crate::store::Change;

/// `GetObject`
///
/// # Errors
/// As [`Objects::find`]; [`Error::PreconditionFailed`], [`Error::NotModified`].
pub fn get_object(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetObject,
) -> Result<Done<Found>, Error> {
    let GetObject { bucket, key, version_id, conditions } = request;
    find_for_read(objects, bucket, key, version_id.as_deref(), conditions)
}

/// `HeadObject`
///
/// # Errors
/// As [`get_object`].
pub fn head_object(
    objects: &Objects,
    _: &Call<'_>,
    request: &HeadObject,
) -> Result<Done<Found>, Error> {
    let HeadObject { bucket, key, version_id, conditions } = request;
    find_for_read(objects, bucket, key, version_id.as_deref(), conditions)
}

/// `GetObjectAttributes`
///
/// # Errors
/// As [`Objects::find`].
pub fn get_object_attributes(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetObjectAttributes,
) -> Result<Done<Found>, Error> {
    let GetObjectAttributes { bucket, key, version_id } = request;
    find_for_read(objects, bucket, key, version_id.as_deref(), &Conditions::default())
}

/// `GetObjectAcl`: whose it is says all of its list, which is off.
///
/// # Errors
/// As [`Objects::find`].
pub fn get_object_acl(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetObjectAcl,
) -> Result<Done<Found>, Error> {
    let GetObjectAcl { bucket, key, version_id } = request;
    find_for_read(objects, bucket, key, version_id.as_deref(), &Conditions::default())
}

/// `PutObjectAcl` of the list that it has.
///
/// # Errors
/// As [`Objects::find`].
pub fn put_object_acl(
    objects: &Objects,
    _: &Call<'_>,
    request: &PutObjectAcl,
) -> Result<Done<Found>, Error> {
    let PutObjectAcl { bucket, key, version_id } = request;
    find_for_read(objects, bucket, key, version_id.as_deref(), &Conditions::default())
}

fn find_for_read(
    objects: &Objects,
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    conditions: &Conditions,
) -> Result<Done<Found>, Error> {
    let memory = objects.read();
    let home = memory.home(bucket)?;
    let held = find(&home, key, version_id)?;
    if let Some((_, body)) = held.value.object() {
        conditions.check_read(&body.etag, held.value.modified)?;
    }
    Ok(Done::reading(found(&home, held), [home.read(), home.version_read(key, held)]))
}

/// `UpdateObjectEncryption`. ETag, time and place among the versions stay.
///
/// # Errors
/// As [`Objects::find`]; [`Error::OperationAborted`] when the object is sealed otherwise than it was when the
/// new envelope was made; [`Error::Internal`] without one.
pub fn update_object_encryption(
    objects: &Objects,
    _: &Call<'_>,
    request: &UpdateObjectEncryption,
) -> Result<Done<Found>, Error> {
    let (new, old) = request.sealed.as_ref().ok_or(Error::Internal)?;
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let held = find(&home, &request.key, request.version_id.as_deref())?;
    let mut version = Version::clone(&held.value);
    match &mut version.content {
        Content::Object { body, .. } if body.sealed.as_ref() == Some(old) => {
            body.sealed = Some(new.clone());
        }
        _ => return Err(Error::OperationAborted),
    }
    in_place(&home, &request.key, held, version, found)
}

/// `GetObjectTagging`
///
/// # Errors
/// As [`Objects::find`].
pub fn get_object_tagging(
    objects: &Objects,
    _: &Call<'_>,
    request: &GetObjectTagging,
) -> Result<Done<Tags>, Error> {
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let held = find(&home, &request.key, request.version_id.as_deref())?;
    let reads = [home.read(), home.version_read(&request.key, held)];
    Ok(Done::reading(tags(&home, held), reads))
}

/// `PutObjectTagging`, and without tags `DeleteObjectTagging`. The object's time stays.
///
/// # Errors
/// As [`Objects::find`]; [`Error::InvalidTag`].
pub fn put_object_tagging(
    objects: &Objects,
    _: &Call<'_>,
    request: &PutObjectTagging,
) -> Result<Done<Tags>, Error> {
    check_tags(&request.tags)?;
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let held = find(&home, &request.key, request.version_id.as_deref())?;
    let mut version = Version::clone(&held.value);
    if let Content::Object { attributes, .. } = &mut version.content {
        attributes.tags.clone_from(&request.tags);
    }
    in_place(&home, &request.key, held, version, tags)
}

/// An object that is there.
///
/// # Errors
/// As [`Objects::find`].
pub(super) fn find<'a>(
    home: &Home<'a>,
    key: &str,
    version_id: Option<&str>,
) -> Result<&'a Held<Version>, Error> {
    let versions = home.contents.versions_of(key);
    let Some(asked) = version_id else {
        let missing = |delete_marker| Error::NoSuchKey { key: key.to_owned(), delete_marker };
        let latest = versions.first().ok_or_else(|| missing(None))?;
        let marker = || missing(Some(latest.value.id.as_str().to_owned()));
        return latest.value.object().map(|_| latest).ok_or_else(marker);
    };
    let id = parse_version_id(asked)?;
    let missing =
        || Error::NoSuchVersion { key: key.to_owned(), version_id: id.as_str().to_owned() };
    let held = versions.iter().find(|held| held.value.id == id).ok_or_else(missing)?;
    held.value.object().map(|_| held).ok_or(Error::MethodNotAllowed)
}

/// A version's id out of a request.
///
/// # Errors
/// [`Error::InvalidArgument`]
pub(super) fn parse_version_id(text: &str) -> Result<VersionId, Error> {
    VersionId::parse(text).ok_or_else(|| Error::InvalidArgument {
        message: "Invalid version id specified".to_owned(),
        name: "versionId",
        value: text.chars().take(256).collect(),
    })
}

/// A version as operations answer it.
pub(super) fn found(home: &Home<'_>, held: &Held<Version>) -> Found {
    Found { version: Arc::clone(&held.value), version_id: home.shown(&held.value.id) }
}

fn tags(home: &Home<'_>, held: &Held<Version>) -> Tags {
    let of = |(attributes, _): (&Attributes, _)| attributes.tags.clone();
    let tags: BTreeMap<_, _> = held.value.object().map(of).unwrap_or_default();
    Tags { tags, version_id: home.shown(&held.value.id) }
}

/// A version in the place of what it was.
fn in_place<T>(
    home: &Home<'_>,
    key: &str,
    held: &Held<Version>,
    version: Version,
    output: impl FnOnce(&Home<'_>, &Held<Version>) -> T,
) -> Result<Done<T>, Error> {
    let value = Some(row::encode(&version)?);
    let (row, expected) = home.version_read(key, held);
    let revision = expected.next();
    let output = output(home, &Held { value: Arc::new(version), revision });
    let change = Change { row, expected, value };
    Ok(Done::reading(output, [home.read()]).changing(vec![change]))
}
