//! The room's operations against a commit in memory, every row through its bytes.

mod buckets;
mod history;
mod listing;
mod uploads;
mod writes;

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::*;
use crate::store::{Applied, Change, Revision, RowId, Table};

/// Memory, and what the committer knows of rows.
#[derive(Default)]
struct World {
    objects: Objects,
    revisions: HashMap<RowId, Revision>,
    rows: BTreeMap<RowId, Vec<u8>>,
    clock: i64,
}

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";

impl World {
    /// One with a bucket `bucket`.
    fn new() -> Self {
        let mut world = Self::default();
        world.make("bucket");
        world
    }

    fn make(&mut self, bucket: &str) {
        let request = CreateBucket { bucket: bucket.into(), ..CreateBucket::default() };
        self.run(create_bucket, &request).unwrap();
    }

    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + self.clock, 0).unwrap()
    }

    /// What a room function decides now.
    fn decide<R, T>(&self, function: Function<R, T>, request: &R) -> Result<Done<T>, Error> {
        function(&self.objects, &call(self.now(), ACCOUNT, "us-east-1"), request)
    }

    /// Commits it; false for a conflict.
    fn commit<T>(&mut self, done: &Done<T>) -> bool {
        let current = |row: &RowId| self.revisions.get(row).copied().unwrap_or_default();
        let known = |change: &Change| {
            change.expected == Revision::ANY || current(&change.row) == change.expected
        };
        let fits = done.changes.iter().all(known)
            && done.reads.iter().all(|(row, revision)| current(row) == *revision);
        if !fits {
            return false;
        }
        for change in &done.changes {
            let row = &change.row;
            let revision = match change.expected {
                Revision::ANY => self.revisions.get(row).copied().unwrap_or_default().next(),
                expected => expected.next(),
            };
            let value = change.value.as_ref().map(|value| value.expose());
            match value {
                Some(bytes) => {
                    self.revisions.insert(row.clone(), revision);
                    if row.table.is_stored() {
                        self.rows.insert(row.clone(), bytes.to_vec());
                    }
                }
                None => {
                    self.revisions.remove(row);
                    self.rows.remove(row);
                }
            }
            self.objects.apply(&Applied { row, revision, value }).unwrap();
        }
        true
    }

    /// One call, from decision to commit.
    fn run<R, T>(&mut self, function: Function<R, T>, request: &R) -> Result<T, Error> {
        self.clock += 1;
        let done = self.decide(function, request)?;
        assert!(self.commit(&done), "nobody else was there to conflict with");
        Ok(done.output)
    }

    fn put(&mut self, key: &str) -> Written {
        self.run(put_object, &put(key, "e")).unwrap()
    }

    fn delete(&mut self, key: &str, version_id: Option<&str>) -> Deleted {
        self.run(delete_object, &delete(key, version_id)).unwrap()
    }

    fn version(&mut self, status: Versioning) {
        let request = PutBucketVersioning { bucket: "bucket".into(), status: Some(status) };
        self.run(put_bucket_versioning, &request).unwrap();
    }

    /// The same rows in a memory that begins with them, as after a restart.
    fn restarted(&self) -> Objects {
        self.remembered(|_| true)
    }

    /// The same of some rows.
    fn remembered(&self, kept: impl Fn(&RowId) -> bool) -> Objects {
        let objects = Objects::default();
        for (row, bytes) in self.rows.iter().filter(|(row, _)| kept(row)) {
            let revision = self.revisions[row];
            objects.apply(&Applied { row, revision, value: Some(bytes) }).unwrap();
        }
        objects
    }
}

type Function<R, T> = fn(&Objects, &Call<'_>, &R) -> Result<Done<T>, Error>;

fn call<'a>(now: DateTime<Utc>, account: &'a str, region: &'a str) -> Call<'a> {
    Call { account, region, principal: "arn:aws:iam::111122223333:root", now }
}

fn body(etag: &str) -> Body {
    Body {
        size: 1,
        etag: etag.into(),
        blobs: vec![Blob { id: BlobId::generate().unwrap(), len: 1 }],
        sealed: None,
        checksum: None,
        full_object: false,
        clear: BTreeMap::new(),
        parts: Vec::new(),
        salts: Vec::new(),
        upload: None,
    }
}

fn put(key: &str, etag: &str) -> PutObject {
    let body = Some(body(etag));
    PutObject { bucket: "bucket".into(), key: key.into(), body, ..PutObject::default() }
}

fn delete(key: &str, version_id: Option<&str>) -> DeleteObject {
    let version_id = version_id.map(str::to_owned);
    DeleteObject { bucket: "bucket".into(), key: key.into(), version_id, if_match: None }
}

fn blob(version: &Version) -> BlobId {
    version.object().unwrap().1.blobs[0].id.clone()
}

/// Code of a refusal; what was not refused is `-`.
fn code<T>(result: Result<T, Error>) -> String {
    result.err().map_or_else(|| "-".to_owned(), |error| error.code())
}
