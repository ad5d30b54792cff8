//! What rows become in memory. Written to by [`super::Objects::apply`] alone.
//!
//! Rows come in any order: at start-up those of objects and parts are there before those of buckets and
//! uploads that they belong to are, or come without them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Error;
use super::bucket::{Bucket, BucketId};
use super::row;
use super::upload::{Part, Upload};
use super::version::{Version, VersionId};
use crate::store::{Applied, Change, Revision, RowId, Table};

/// A stored value and its row's revision.
#[derive(Debug)]
pub(super) struct Held<T> {
    pub(super) value: Arc<T>,
    pub(super) revision: Revision,
}

/// Every bucket and what is in it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) buckets: BTreeMap<String, Held<Bucket>>,
    pub(super) contents: HashMap<BucketId, Contents>,
    /// When something was last put into each, since the start.
    written: HashMap<BucketId, Revision>,
}

/// What is in one bucket.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The versions of each object, the latest first.
    pub(super) versions: BTreeMap<Arc<str>, Vec<Held<Version>>>,
    /// Those objects whose latest version is no delete marker.
    pub(super) objects: BTreeMap<Arc<str>, Arc<Version>>,
    /// The uploads for each object, by when they were begun.
    pub(super) uploads: BTreeMap<Arc<str>, Vec<HeldUpload>>,
    /// The parts of each upload, by its id; with the object's key.
    pub(super) parts: BTreeMap<String, Parts>,
}

/// An upload, its id and its row's revision.
#[derive(Debug)]
pub(super) struct HeldUpload {
    pub(super) id: String,
    pub(super) held: Held<Upload>,
}

/// The parts of one upload.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) key: Arc<str>,
    pub(super) by_number: BTreeMap<u16, Held<Part>>,
}

/// A bucket that was found, its row's revision, and what is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home<'a> {
    pub(super) name: &'a str,
    pub(super) bucket: &'a Arc<Bucket>,
    pub(super) revision: Revision,
    pub(super) contents: &'a Contents,
    written: Revision,
}

/// What is in a bucket of which no row says that anything is.
static NOTHING: Contents = Contents {
    versions: BTreeMap::new(),
    objects: BTreeMap::new(),
    uploads: BTreeMap::new(),
    parts: BTreeMap::new(),
};

impl Memory {
    /// A bucket, whoever's it is.
    ///
    /// # Errors
    /// [`Error::NoSuchBucket`]
    pub(super) fn home<'a>(&'a self, name: &'a str) -> Result<Home<'a>, Error> {
        let held = self.buckets.get(name).ok_or_else(|| Error::NoSuchBucket(name.to_owned()))?;
        let contents = self.contents.get(&held.value.id).unwrap_or(&NOTHING);
        let written = self.written.get(&held.value.id).copied().unwrap_or_default();
        Ok(Home { name, bucket: &held.value, revision: held.revision, contents, written })
    }

    /// Takes one row in; none when its bytes are not what this program writes.
    pub(super) fn apply(&mut self, applied: &Applied<'_>) -> Option<()> {
        let Applied { row, revision, value } = applied;
        match row.table {
            Table::Bucket => self.apply_bucket(&row.key, *revision, *value),
            Table::Contents => self.apply_contents(&row.key, *revision, *value),
            Table::Object => self.apply_object(&row.key, *revision, *value),
            Table::Part => self.apply_part(&row.key, *revision, *value),
            Table::Upload => self.apply_upload(&row.key, *revision, *value),
            // Other rooms' own; they have them.
            Table::Alias | Table::Grant | Table::Key | Table::LogKey | Table::Material => Some(()),
        }
    }

    fn apply_bucket(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let name = std::str::from_utf8(key).ok()?;
        let Some(bytes) = value else {
            self.buckets.remove(name);
            return Some(());
        };
        let bucket: Bucket =
            row::decode(bytes).filter(|bucket: &Bucket| bucket.v == Bucket::FORMAT)?;
        self.buckets.insert(name.to_owned(), Held { value: Arc::new(bucket), revision });
        Some(())
    }

    fn apply_contents(
        &mut self,
        key: &[u8],
        revision: Revision,
        value: Option<&[u8]>,
    ) -> Option<()> {
        let bucket = BucketId::parse(std::str::from_utf8(key).ok()?)?;
        match value {
            Some(_) => self.written.insert(bucket, revision),
            None => self.written.remove(&bucket),
        };
        Some(())
    }

    fn apply_object(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (bucket, key, id) = row::parse(key)?;
        let id = VersionId::parse(id)?;
        let version = match value {
            Some(bytes) => {
                let read: Version = row::decode(bytes)?;
                Some((read.v == Version::FORMAT && read.id == id).then_some(read)?)
            }
            None => None,
        };
        self.change(bucket, |contents| {
            let key = contents.key(key);
            let versions = contents.versions.entry(Arc::clone(&key)).or_default();
            versions.retain(|held| held.value.id != id);
            if let Some(version) = version {
                let after = |held: &Held<Version>| order(&held.value) > order(&version);
                let place = versions.partition_point(after);
                versions.insert(place, Held { value: Arc::new(version), revision });
            }
            let latest = versions.first().map(|held| Arc::clone(&held.value));
            if latest.is_none() {
                contents.versions.remove(&key);
            }
            match latest.filter(|latest| latest.object().is_some()) {
                Some(object) => contents.objects.insert(key, object),
                None => contents.objects.remove(&key),
            };
        });
        Some(())
    }

    fn apply_upload(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (bucket, key, id) = row::parse(key)?;
        let upload = match value {
            Some(bytes) => {
                let read: Upload = row::decode(bytes)?;
                Some((read.v == Upload::FORMAT).then_some(read)?)
            }
            None => None,
        };
        self.change(bucket, |contents| {
            let key = contents.key(key);
            let uploads = contents.uploads.entry(Arc::clone(&key)).or_default();
            uploads.retain(|other| other.id != id);
            if let Some(upload) = upload {
                let before = |other: &HeldUpload| {
                    (other.held.value.begun, other.id.as_str()) < (upload.begun, id)
                };
                let place = uploads.partition_point(before);
                let held = Held { value: Arc::new(upload), revision };
                uploads.insert(place, HeldUpload { id: id.to_owned(), held });
            }
            if uploads.is_empty() {
                contents.uploads.remove(&key);
            }
        });
        Some(())
    }

    fn apply_part(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (bucket, key, upload_id, number) = row::parse_part(key)?;
        let part = match value {
            Some(bytes) => {
                let read: Part = row::decode(bytes)?;
                Some((read.v == Upload::FORMAT && read.number == number).then_some(read)?)
            }
            None => None,
        };
        self.change(bucket, |contents| {
            let key = contents.key(key);
            let new = || Parts { key, by_number: BTreeMap::new() };
            let parts = contents.parts.entry(upload_id.to_owned()).or_insert_with(new);
            match part {
                Some(part) => {
                    parts.by_number.insert(number, Held { value: Arc::new(part), revision });
                }
                None => {
                    parts.by_number.remove(&number);
                }
            }
            if parts.by_number.is_empty() {
                contents.parts.remove(upload_id);
            }
        });
        Some(())
    }

    /// Changes what is in a bucket, and forgets a bucket in which nothing is.
    fn change(&mut self, bucket: BucketId, change: impl FnOnce(&mut Contents)) {
        let contents = self.contents.entry(bucket.clone()).or_default();
        change(contents);
        if contents.is_empty() && contents.parts.is_empty() {
            self.contents.remove(&bucket);
        }
    }
}

/// The greatest is the latest.
fn order(version: &Version) -> (u64, &VersionId) {
    (version.sequence, &version.id)
}

impl Contents {
    /// Whether neither an object nor an upload is there.
    pub(super) fn is_empty(&self) -> bool {
        self.versions.is_empty() && self.uploads.is_empty()
    }

    /// A key, in the one allocation that all maps share.
    fn key(&self, key: &str) -> Arc<str> {
        let version = self.versions.get_key_value(key).map(|(key, _)| key);
        let known = version.or_else(|| self.uploads.get_key_value(key).map(|(key, _)| key));
        known.map_or_else(|| Arc::from(key), Arc::clone)
    }

    /// The versions of an object, the latest first.
    pub(super) fn versions_of(&self, key: &str) -> &[Held<Version>] {
        self.versions.get(key).map(Vec::as_slice).unwrap_or_default()
    }

    /// An upload for an object.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`]
    pub(super) fn upload(&self, key: &str, upload_id: &str) -> Result<&Held<Upload>, Error> {
        let uploads = self.uploads.get(key).map(Vec::as_slice).unwrap_or_default();
        let found = uploads.iter().find(|upload| upload.id == upload_id).map(|upload| &upload.held);
        found.ok_or_else(|| Error::NoSuchUpload(upload_id.to_owned()))
    }

    /// The parts of an upload for an object, by number.
    pub(super) fn parts(&self, key: &str, upload_id: &str) -> impl Iterator<Item = &Held<Part>> {
        let parts = self.parts.get(upload_id).filter(|parts| *parts.key == *key);
        parts.into_iter().flat_map(|parts| parts.by_number.values())
    }
}

impl Home<'_> {
    /// The bucket's row as it is relied on.
    pub(super) fn read(&self) -> (RowId, Revision) {
        (row::bucket(self.name), self.revision)
    }

    /// The same row written anew as it is: whoever relied on it meanwhile meets a conflict.
    ///
    /// # Errors
    /// [`Error::Internal`]
    pub(super) fn touch(&self) -> Result<Change, Error> {
        let value = Some(row::encode(self.bucket.as_ref())?);
        Ok(Change { row: row::bucket(self.name), expected: self.revision, value })
    }

    /// What goes with whatever is put into the bucket: whoever found it empty meanwhile meets a conflict. Others who
    /// put something into it do not.
    pub(super) fn fill(&self) -> Change {
        let value = Some(Vec::new().into());
        Change { row: row::contents(&self.bucket.id), expected: Revision::ANY, value }
    }

    /// The bucket gone, if nothing was put into it since this was found.
    pub(super) fn removal(&self) -> Vec<Change> {
        let contents = row::contents(&self.bucket.id);
        vec![
            Change { row: row::bucket(self.name), expected: self.revision, value: None },
            Change { row: contents, expected: self.written, value: None },
        ]
    }

    /// An object's or marker's id as answers have it: none where no versions were ever kept.
    pub(super) fn shown(&self, id: &VersionId) -> Option<String> {
        self.bucket.versioning.map(|_| id.as_str().to_owned())
    }

    /// A version as a row that is relied on.
    pub(super) fn version_read(&self, key: &str, held: &Held<Version>) -> (RowId, Revision) {
        (row::object(&self.bucket.id, key, &held.value.id), held.revision)
    }
}
