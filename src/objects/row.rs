//! Rows: their keys, and their values as JSON.
//!
//! Layout: docs/formats.md, "Bucket, object and upload rows".

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Error;
use super::bucket::BucketId;
use super::version::VersionId;
use crate::store::{RowId, Table, Value};

/// A bucket's row.
pub(super) fn bucket(name: &str) -> RowId {
    RowId { table: Table::Bucket, key: name.as_bytes().to_vec() }
}

/// What says when something was last put into a bucket.
pub(super) fn contents(bucket: &BucketId) -> RowId {
    RowId { table: Table::Contents, key: bucket.as_str().as_bytes().to_vec() }
}

/// The row of an object's version.
pub(super) fn object(bucket: &BucketId, key: &str, version: &VersionId) -> RowId {
    RowId { table: Table::Object, key: joined(&[bucket.as_str(), key, version.as_str()]) }
}

/// The row of an upload in parts.
pub(super) fn upload(bucket: &BucketId, key: &str, upload_id: &str) -> RowId {
    RowId { table: Table::Upload, key: joined(&[bucket.as_str(), key, upload_id]) }
}

/// The row of an upload's part.
pub(super) fn part(bucket: &BucketId, key: &str, upload_id: &str, number: u16) -> RowId {
    let number = format!("{number:05}");
    RowId { table: Table::Part, key: joined(&[bucket.as_str(), key, upload_id, &number]) }
}

/// Bucket, object key and version of an object's row, or upload id of an upload's.
///
/// An object's key is what is between the first and the last NUL.
pub(super) fn parse(row: &[u8]) -> Option<(BucketId, &str, &str)> {
    let (bucket, rest) = std::str::from_utf8(row).ok()?.split_once('\0')?;
    let (key, last) = rest.rsplit_once('\0')?;
    Some((BucketId::parse(bucket)?, key, last))
}

/// Bucket, object key, upload id and number of a part's row.
pub(super) fn parse_part(row: &[u8]) -> Option<(BucketId, &str, &str, u16)> {
    let (bucket, rest, number) = parse(row)?;
    let (key, upload_id) = rest.rsplit_once('\0')?;
    let number = (number.len() == 5).then(|| number.parse().ok())??;
    Some((bucket, key, upload_id, number))
}

/// A row's value.
///
/// # Errors
/// [`Error::Internal`], which no value of this room's is.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Value, Error> {
    serde_json::to_vec(value).map(Value::from).map_err(|_| Error::Internal)
}

/// The reverse of [`encode`].
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

fn joined(parts: &[&str]) -> Vec<u8> {
    parts.join("\0").into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_rows_key_is_read_back(key in "[\\PC\0\n/]{1,40}", number in 1_u16..=10_000) {
            let (id, version) = (BucketId::generate().unwrap(), VersionId::generate().unwrap());
            for version in [version, VersionId::null()] {
                let row = object(&id, &key, &version);
                prop_assert_eq!(parse(&row.key), Some((id.clone(), key.as_str(), version.as_str())));
            }
            let row = part(&id, &key, "0123", number);
            prop_assert_eq!(parse_part(&row.key), Some((id, key.as_str(), "0123", number)));
        }

        #[test]
        fn foreign_bytes_are_no_row(bytes: Vec<u8>) {
            prop_assert_eq!(parse(&bytes), None);
            prop_assert_eq!(parse_part(&bytes), None);
        }
    }
}
