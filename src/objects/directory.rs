//! Buckets, objects and uploads in memory: what every operation reads.
//!
//! [`Objects::apply`] is the only way in, used for each row at start-up and for each row of a commit, so
//! memory never holds what the disk does not.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::{RwLock, RwLockReadGuard};

use super::bucket::Bucket;
use super::memory::Memory;
use super::outputs::Found;
use super::upload::{Part, Upload};
use super::version::{BlobId, Version};
use super::{Error, row, versions};
use crate::store::{Applied, Change, Revision, RowId};

/// What a room function is called with beside its request.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The caller's account: 12 digits.
    pub account: &'a str,
    /// The region of the endpoint that was called.
    pub region: &'a str,
    /// The caller's ARN.
    pub principal: &'a str,
    /// The time of the call.
    pub now: DateTime<Utc>,
}

/// What a room function gives: an output, what is to be written, and what was relied on.
#[derive(Debug)]
pub struct Done<T> {
    /// The answer.
    pub output: T,
    /// Writes, each checked at the commit.
    pub changes: Vec<Change>,
    /// Rows that must not have changed until the commit; none of them is among the writes.
    pub reads: Vec<(RowId, Revision)>,
}

impl<T> Done<T> {
    /// An output that relied on `reads`.
    pub(super) fn reading(output: T, reads: impl Into<Vec<(RowId, Revision)>>) -> Self {
        Self { output, changes: Vec::new(), reads: reads.into() }
    }

    /// The same with writes.
    pub(super) fn changing(mut self, changes: Vec<Change>) -> Self {
        self.reads.retain(|(row, _)| changes.iter().all(|change| change.row != *row));
        self.changes = changes;
        self
    }
}

/// Every bucket and what is in it.
#[derive(Debug, Default)]
pub struct Objects {
    memory: RwLock<Memory>,
}

impl Objects {
    /// Publishes one row.
    ///
    /// # Errors
    /// The row's description, when its bytes are not what this program writes.
    pub fn apply(&self, applied: &Applied<'_>) -> Result<(), String> {
        let table = applied.row.table;
        let done = self.memory.write().apply(applied);
        done.ok_or_else(|| format!("a row of {table:?} cannot be read"))
    }

    /// Everything as it is now. Not to be asked for again while it is held.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Memory> {
        self.memory.read()
    }

    /// A bucket, whoever's it is, and its row's revision.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]
    pub fn bucket(&self, name: &str) -> Result<(Arc<Bucket>, Revision), Error> {
        let memory = self.read();
        let home = memory.home(name)?;
        Ok((Arc::clone(home.bucket), home.revision))
    }

    /// An object, or a version of it.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchKey`], [`Error::NoSuchVersion`]; [`Error::MethodNotAllowed`]
    /// for a version that is a delete marker; [`Error::InvalidArgument`] for what is no version's id.
    pub fn find(&self, bucket: &str, key: &str, version_id: Option<&str>) -> Result<Found, Error> {
        let memory = self.read();
        let home = memory.home(bucket)?;
        let held = versions::find(&home, key, version_id)?;
        Ok(versions::found(&home, held))
    }

    /// An upload in parts.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`], [`Error::NoSuchUpload`].
    pub fn upload(&self, bucket: &str, key: &str, upload_id: &str) -> Result<Arc<Upload>, Error> {
        let memory = self.read();
        let upload = memory.home(bucket)?.contents.upload(key, upload_id)?;
        Ok(Arc::clone(&upload.value))
    }

    /// The version that an upload has become, as long as it is there.
    #[must_use]
    pub fn completed(&self, bucket: &str, key: &str, upload_id: &str) -> Option<Arc<Version>> {
        let memory = self.read();
        let versions = memory.home(bucket).ok()?.contents.versions_of(key);
        let upload = |version: &Version| version.object().and_then(|(_, body)| body.upload.clone());
        let mut versions = versions.iter().map(|held| &held.value);
        versions.find(|version| upload(version).as_deref() == Some(upload_id)).map(Arc::clone)
    }

    /// The parts of an upload, by number.
    ///
    /// # Errors
    /// As [`Self::upload`].
    pub fn parts(&self, bucket: &str, key: &str, upload_id: &str) -> Result<Vec<Arc<Part>>, Error> {
        let memory = self.read();
        let contents = memory.home(bucket)?.contents;
        contents.upload(key, upload_id)?;
        Ok(contents.parts(key, upload_id).map(|part| Arc::clone(&part.value)).collect())
    }

    /// Every blob that a row names.
    #[must_use]
    pub fn blobs(&self) -> HashSet<BlobId> {
        let memory = self.read();
        let mut blobs = HashSet::new();
        for contents in memory.contents.values() {
            let versions = contents.versions.values().flatten();
            let bodies = versions.filter_map(|held| held.value.object()).map(|(_, body)| body);
            blobs.extend(bodies.flat_map(|body| &body.blobs).map(|blob| blob.id.clone()));
            let parts = contents.parts.values().flat_map(|parts| parts.by_number.values());
            blobs.extend(parts.map(|part| part.value.blob.id.clone()));
        }
        blobs
    }

    /// Rows under the id of a bucket that is no more, and parts of an upload that is none any more. Earlier versions
    /// left some, when something was put into a bucket while it was removed.
    #[must_use]
    pub fn unreachable(&self) -> Vec<(RowId, Revision)> {
        let memory = self.read();
        let known: HashSet<_> = memory.buckets.values().map(|held| &held.value.id).collect();
        let mut rows = Vec::new();
        for (id, contents) in &memory.contents {
            let is_lost = !known.contains(id);
            for (key, versions) in contents.versions.iter().filter(|_| is_lost) {
                let row = |held| row::object(id, key, held);
                rows.extend(versions.iter().map(|held| (row(&held.value.id), held.revision)));
            }
            for (key, uploads) in contents.uploads.iter().filter(|_| is_lost) {
                let row = |upload_id| row::upload(id, key, upload_id);
                rows.extend(uploads.iter().map(|upload| (row(&upload.id), upload.held.revision)));
            }
            for (upload_id, parts) in &contents.parts {
                if is_lost || contents.upload(&parts.key, upload_id).is_err() {
                    let row = |number| row::part(id, &parts.key, upload_id, number);
                    let numbered = parts.by_number.iter();
                    rows.extend(numbered.map(|(number, part)| (row(*number), part.revision)));
                }
            }
        }
        rows
    }

    /// The names of an account's buckets, sorted.
    #[cfg(test)]
    pub(super) fn names(&self, account: &str) -> Vec<String> {
        let memory = self.read();
        let own = memory.buckets.iter().filter(|(_, held)| held.value.owner == account);
        own.map(|(name, _)| name.clone()).collect()
    }
}
