//! Operations that make and remove versions.
//!
//! A write of a bucket that keeps versions makes a row of its own, so that two of them never conflict. Those
//! with conditions, which must not both be done, are made to, by writing the bucket's row as it is
//! ([`Home::touch`]); and whatever is put into a bucket is made to conflict with its removal ([`Home::fill`]).

use std::sync::Arc;

use super::attributes::check_key;
use super::conditions::check_delete;
use super::directory::{Call, Done, Objects};
use super::memory::{Held, Home};
use super::outputs::{Deleted, Written};
use super::requests::{Asked, CopyObject, DeleteObject, PutObject};
use super::version::{BlobId, Content, Version, VersionId};
use super::versions::{find, parse_version_id};
use super::{Error, Versioning, row};
use crate::store::{Change, Revision, RowId};

/// `PutObject`
///
/// # Errors
/// [`Error::NoSuchBucket`], [`Error::KeyTooLong`], [`Error::InvalidArgument`] for a key that cannot be,
/// [`Error::MetadataTooLarge`], [`Error::InvalidTag`], [`Error::PreconditionFailed`]; [`Error::NoSuchKey`] for
/// `If-Match` where nothing is; [`Error::NotImplemented`] for `If-None-Match` with an ETag;
/// [`Error::Internal`] without a body.
pub fn put_object(
    objects: &Objects,
    call: &Call<'_>,
    request: &PutObject,
) -> Result<Done<Written>, Error> {
    check_key(&request.key)?;
    request.attributes.check()?;
    let body = request.body.clone().ok_or(Error::Internal)?;
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let latest = home.contents.versions_of(&request.key).first().map(|held| &*held.value);
    request.conditions.check_write(&request.key, latest)?;
    let content = Content::Object { attributes: request.attributes.clone(), body };
    let write = Write::of(&home, &request.key, !request.conditions.is_empty());
    write.version(call.now, content)
}

/// `CopyObject`. Storage class and redirect are not copied with the other attributes but the request's own, as on
/// AWS.
///
/// # Errors
/// As [`put_object`] for the target and [`Objects::find`] for the source; [`Error::InvalidRequest`] for a copy
/// onto itself that changes nothing, and a source that is a delete marker; [`Error::PreconditionFailed`] for the
/// source's conditions; [`Error::OperationAborted`] when the source is no longer what was copied.
pub fn copy_object(
    objects: &Objects,
    call: &Call<'_>,
    request: &CopyObject,
) -> Result<Done<Written>, Error> {
    let CopyObject { bucket, key, source_bucket, source_key, .. } = request;
    check_key(key)?;
    let onto_itself = bucket == source_bucket && key == source_key;
    let changes_nothing = request.attributes.is_none()
        && request.own.is_empty()
        && request.encryption == Asked::default();
    if onto_itself && changes_nothing && request.source_version_id.is_none() {
        return Err(Error::InvalidRequest(ILLEGAL_COPY.to_owned()));
    }
    let body = request.body.clone().ok_or(Error::Internal)?;
    let copied = request.source.as_ref().ok_or(Error::Internal)?;
    let memory = objects.read();
    let source_home = memory.home(source_bucket)?;
    let source = find(&source_home, source_key, request.source_version_id.as_deref());
    let source = source.map_err(|error| match error {
        Error::MethodNotAllowed => Error::InvalidRequest(MARKER_COPY.to_owned()),
        other => other,
    })?;
    let (kept, source_body) = source.value.object().ok_or(Error::Internal)?;
    request.source_conditions.check_source(&source_body.etag, source.value.modified)?;
    let blobs = copied.object().map(|(_, body)| &body.blobs);
    let is_same = (&copied.id, copied.sequence) == (&source.value.id, source.value.sequence);
    if !is_same || blobs != Some(&source_body.blobs) {
        return Err(Error::OperationAborted);
    }
    let home = memory.home(bucket)?;
    let latest = home.contents.versions_of(key).first().map(|held| &*held.value);
    request.conditions.check_write(key, latest)?;
    let mut attributes = match &request.attributes {
        Some(given) => given.clone(),
        None => {
            let mut kept = kept.clone();
            kept.headers.retain(|name, _| !NOT_COPIED.contains(&name.as_str()));
            let own = request.own.iter().filter(|(_, value)| *value != STANDARD);
            kept.headers.extend(own.map(|(name, value)| (name.clone(), value.clone())));
            kept
        }
    };
    attributes.tags = request.tags.as_ref().unwrap_or(&kept.tags).clone();
    attributes.check()?;
    let mut write = Write::of(&home, key, !request.conditions.is_empty());
    write.reads.extend([source_home.read(), source_home.version_read(source_key, source)]);
    write.reads.sort_unstable();
    write.reads.dedup();
    write.version(call.now, Content::Object { attributes, body })
}

/// `DeleteObject`. What is not there is deleted already.
///
/// # Errors
/// [`Error::NoSuchBucket`]; [`Error::InvalidArgument`] for what is no version's id; with `If-Match`
/// [`Error::PreconditionFailed`], and [`Error::NoSuchKey`] where nothing is.
pub fn delete_object(
    objects: &Objects,
    call: &Call<'_>,
    request: &DeleteObject,
) -> Result<Done<Deleted>, Error> {
    let key = request.key.as_str();
    let memory = objects.read();
    let home = memory.home(&request.bucket)?;
    let versions = home.contents.versions_of(key);
    let latest = versions.first().map(|held| &*held.value);
    check_delete(request.if_match.as_ref(), key, latest)?;
    let write = Write::of(&home, key, request.if_match.is_some());
    if let Some(asked) = &request.version_id {
        let id = parse_version_id(asked)?;
        let version_id = Some(id.as_str().to_owned());
        return write.removal(&id, version_id);
    }
    if home.bucket.versioning.is_none() {
        return write.removal(&VersionId::null(), None);
    }
    check_key(key)?;
    let done = write.version(call.now, Content::DeleteMarker)?;
    let Written { version_id, freed, .. } = done.output;
    let output = Deleted { version_id, delete_marker: true, freed };
    Ok(Done { output, changes: done.changes, reads: done.reads })
}

/// A write of one object, on its way.
pub(super) struct Write<'a> {
    home: &'a Home<'a>,
    key: &'a str,
    versions: &'a [Held<Version>],
    exclusive: bool,
    /// What else is relied on.
    pub(super) reads: Vec<(RowId, Revision)>,
}

impl<'a> Write<'a> {
    /// Of `key`; `exclusive` if it must not be done at the same time as another one that is.
    pub(super) fn of(home: &'a Home<'a>, key: &'a str, exclusive: bool) -> Self {
        let versions = home.contents.versions_of(key);
        // Who found something to be so relies on the latest version as well.
        let latest = versions.first().filter(|_| exclusive);
        let reads = latest.map(|latest| home.version_read(key, latest));
        let reads = std::iter::once(home.read()).chain(reads).collect();
        Self { home, key, versions, exclusive, reads }
    }

    /// A new version, in the place of the one that is called `null` unless the bucket keeps versions.
    ///
    /// It is the bucket's owner's, whoever writes it: there are no ACLs (`BucketOwnerEnforced`).
    pub(super) fn version(
        self,
        modified: chrono::DateTime<chrono::Utc>,
        content: Content,
    ) -> Result<Done<Written>, Error> {
        let home = self.home;
        let id = match home.bucket.versioning {
            Some(Versioning::Enabled) => VersionId::generate()?,
            Some(Versioning::Suspended) | None => VersionId::null(),
        };
        let sequence = self.versions.first().map_or(0, |latest| latest.value.sequence) + 1;
        let version = Arc::new(Version {
            v: Version::FORMAT,
            id,
            sequence,
            modified,
            owner: home.bucket.owner.clone(),
            content,
        });
        let replaced = self.versions.iter().find(|held| held.value.id == version.id);
        let freed = replaced.map(|held| freed(&held.value, Some(&version))).unwrap_or_default();
        let change = Change {
            row: row::object(&home.bucket.id, self.key, &version.id),
            expected: replaced.map_or(Revision(0), |held| held.revision),
            value: Some(row::encode(&*version)?),
        };
        let version_id = home.shown(&version.id);
        let fill = home.fill();
        self.done(Written { version, version_id, freed }, [change, fill])
    }

    /// Removes one version, if it is there.
    fn removal(self, id: &VersionId, version_id: Option<String>) -> Result<Done<Deleted>, Error> {
        let Some(held) = self.versions.iter().find(|held| held.value.id == *id) else {
            return self.done(Deleted { version_id, ..Deleted::default() }, []);
        };
        let (row, expected) = self.home.version_read(self.key, held);
        let delete_marker = held.value.object().is_none();
        let output = Deleted { version_id, delete_marker, freed: freed(&held.value, None) };
        self.done(output, [Change { row, expected, value: None }])
    }

    fn done<T>(
        self,
        output: T,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<Done<T>, Error> {
        let touch = self.exclusive.then(|| self.home.touch()).transpose()?;
        let changes = changes.into_iter().chain(touch).collect();
        Ok(Done::reading(output, self.reads).changing(changes))
    }
}

/// The blobs of a version that goes, but for those that its successor has.
fn freed(version: &Version, successor: Option<&Version>) -> Vec<BlobId> {
    let blobs = |version: &Version| match version.object() {
        Some((_, body)) => body.blobs.iter().map(|blob| blob.id.clone()).collect(),
        None => Vec::new(),
    };
    let kept = successor.map(blobs).unwrap_or_default();
    let mut freed: Vec<_> = blobs(version);
    freed.retain(|blob| !kept.contains(blob));
    freed
}

/// Attributes that a copy has only if it is given them (API reference, `CopyObject`).
pub const NOT_COPIED: [&str; 2] = ["x-amz-storage-class", "x-amz-website-redirect-location"];

/// The storage class that is none.
const STANDARD: &str = "STANDARD";

const ILLEGAL_COPY: &str = "This copy request is illegal because it is trying to copy an object to itself \
                            without changing the object's metadata, storage class, website redirect \
                            location or encryption attributes.";

const MARKER_COPY: &str =
    "The source of a copy request may not specifically refer to a delete marker by version id.";
