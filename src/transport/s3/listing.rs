//! Lists of objects, versions, uploads and parts: one translation each way an operation.

use s3s::dto;

use super::answers::encoded;
use super::asked::check_supported;
use super::buckets::{count, limit, owner, timestamp};
use super::exchange::{Call, Handled};
use super::objects::checksum_type;
use crate::objects::{self, Body, Listed};

/// Entries of one answer at the most.
const MOST: u32 = 1000;

/// How names are written: as they are, or for who cannot read every character of XML.
struct Names {
    url: bool,
}

impl Names {
    fn asked(encoding: Option<&dto::EncodingType>) -> Result<Self, objects::Error> {
        match encoding.map(dto::EncodingType::as_str) {
            None => Ok(Self { url: false }),
            Some(dto::EncodingType::URL) => Ok(Self { url: true }),
            Some(other) => Err(objects::Error::InvalidArgument {
                message: "Invalid Encoding Method specified in Request".to_owned(),
                name: "encoding-type",
                value: other.chars().take(64).collect(),
            }),
        }
    }

    fn write(&self, name: impl Into<String>) -> String {
        let name = name.into();
        if self.url { encoded(&name) } else { name }
    }

    fn some(&self, name: Option<String>) -> Option<String> {
        name.map(|name| self.write(name))
    }

    fn prefixes(&self, prefixes: Vec<String>) -> Option<dto::CommonPrefixList> {
        let prefix = |prefix| dto::CommonPrefix { prefix: Some(self.write(prefix)) };
        Some(prefixes.into_iter().map(prefix).collect())
    }
}

/// A length as `s3s` has it.
fn size(bytes: u64) -> Option<i64> {
    i64::try_from(bytes).ok()
}

fn storage_class(attributes: &objects::Attributes) -> String {
    attributes.headers.get("x-amz-storage-class").map_or("STANDARD", String::as_str).to_owned()
}

fn algorithms(body: &Body) -> Option<dto::ChecksumAlgorithmList> {
    Some(vec![body.checksum.clone()?.into()])
}

fn kind(body: &Body) -> Option<dto::ChecksumType> {
    let of = || dto::ChecksumType::from_static(checksum_type(body.full_object));
    body.checksum.as_ref().map(|_| of())
}

fn object(names: &Names, listed: Listed, with_owner: bool) -> Option<dto::Object> {
    let (attributes, body) = listed.version.object()?;
    Some(dto::Object {
        checksum_algorithm: algorithms(body),
        checksum_type: kind(body),
        e_tag: Some(dto::ETag::Strong(body.etag.clone())),
        key: Some(names.write(listed.key)),
        last_modified: Some(timestamp(listed.version.modified)),
        owner: with_owner.then(|| owner(&listed.version.owner)),
        size: size(body.size),
        storage_class: Some(storage_class(attributes).into()),
        ..Default::default()
    })
}

/// An empty delimiter is none.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

pub(super) async fn list_objects(
    call: Call<dto::ListObjectsInput>,
) -> Handled<dto::ListObjectsOutput> {
    check_supported(&call.exchange.headers)?;
    let input = call.input.clone();
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_keys = limit(input.max_keys, MOST, "maxKeys")?;
    let delimiter = given(input.delimiter);
    let request = objects::ListObjects {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        start_after: given(input.marker.clone()),
        continuation_token: None,
        max_keys,
    };
    let found = call.walk(request).await?;
    let next = found.next_marker.filter(|_| delimiter.is_some());
    let objects = found.objects.into_iter();
    Ok(dto::ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        marker: Some(names.write(input.marker.unwrap_or_default())),
        max_keys: i32::try_from(max_keys).ok(),
        is_truncated: Some(found.is_truncated),
        contents: Some(objects.filter_map(|it| object(&names, it, true)).collect()),
        common_prefixes: names.prefixes(found.common_prefixes),
        delimiter: names.some(delimiter),
        next_marker: names.some(next),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

pub(super) async fn list_objects_v2(
    call: Call<dto::ListObjectsV2Input>,
) -> Handled<dto::ListObjectsV2Output> {
    check_supported(&call.exchange.headers)?;
    let input = call.input.clone();
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_keys = limit(input.max_keys, MOST, "max-keys")?;
    let delimiter = given(input.delimiter);
    let token = input.continuation_token.clone();
    if token.as_ref().is_some_and(String::is_empty) {
        return Err(objects::Error::InvalidArgument {
            message: "The continuation token provided is incorrect".to_owned(),
            name: "continuation-token",
            value: String::new(),
        }
        .into());
    }
    let request = objects::ListObjects {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        start_after: given(input.start_after.clone()),
        continuation_token: token.clone(),
        max_keys,
    };
    let found = call.walk(request).await?;
    let with_owner = input.fetch_owner.unwrap_or(false);
    let keys = found.objects.len() + found.common_prefixes.len();
    let objects = found.objects.into_iter();
    Ok(dto::ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        max_keys: i32::try_from(max_keys).ok(),
        key_count: Some(count(keys)),
        continuation_token: token,
        is_truncated: Some(found.is_truncated),
        next_continuation_token: found.continuation_token,
        contents: Some(objects.filter_map(|it| object(&names, it, with_owner)).collect()),
        common_prefixes: names.prefixes(found.common_prefixes),
        delimiter: names.some(delimiter),
        encoding_type: input.encoding_type,
        start_after: names.some(input.start_after),
        ..Default::default()
    })
}

pub(super) async fn list_object_versions(
    call: Call<dto::ListObjectVersionsInput>,
) -> Handled<dto::ListObjectVersionsOutput> {
    check_supported(&call.exchange.headers)?;
    let input = call.input.clone();
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_keys = limit(input.max_keys, MOST, "max-keys")?;
    let delimiter = given(input.delimiter);
    let (key_marker, version_marker) = (given(input.key_marker), given(input.version_id_marker));
    if version_marker.is_some() && key_marker.is_none() {
        return Err(objects::Error::InvalidArgument {
            message: "A version-id marker cannot be specified without a key marker.".to_owned(),
            name: "version-id-marker",
            value: version_marker.unwrap_or_default(),
        }
        .into());
    }
    let request = objects::ListObjectVersions {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        key_marker: key_marker.clone(),
        version_id_marker: version_marker.clone(),
        max_keys,
    };
    let found = call.walk(request).await?;
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for Listed { key, version, is_latest } in found.versions {
        let (key, version_id) = (names.write(key), version.id.as_str().to_owned());
        let (owner, modified) = (owner(&version.owner), timestamp(version.modified));
        match version.object() {
            Some((attributes, body)) => versions.push(dto::ObjectVersion {
                checksum_algorithm: algorithms(body),
                checksum_type: kind(body),
                e_tag: Some(dto::ETag::Strong(body.etag.clone())),
                is_latest: Some(is_latest),
                key: Some(key),
                last_modified: Some(modified),
                owner: Some(owner),
                size: size(body.size),
                storage_class: Some(storage_class(attributes).into()),
                version_id: Some(version_id),
                ..Default::default()
            }),
            None => markers.push(dto::DeleteMarkerEntry {
                is_latest: Some(is_latest),
                key: Some(key),
                last_modified: Some(modified),
                owner: Some(owner),
                version_id: Some(version_id),
            }),
        }
    }
    Ok(dto::ListObjectVersionsOutput {
        common_prefixes: names.prefixes(found.common_prefixes),
        delete_markers: Some(markers),
        delimiter: names.some(delimiter),
        encoding_type: input.encoding_type,
        is_truncated: Some(found.is_truncated),
        key_marker: Some(names.write(key_marker.unwrap_or_default())),
        max_keys: i32::try_from(max_keys).ok(),
        name: Some(input.bucket),
        next_key_marker: names.some(found.next_key_marker),
        next_version_id_marker: found.next_version_id_marker,
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        version_id_marker: Some(version_marker.unwrap_or_default()),
        versions: Some(versions),
        ..Default::default()
    })
}

pub(super) async fn list_multipart_uploads(
    call: Call<dto::ListMultipartUploadsInput>,
) -> Handled<dto::ListMultipartUploadsOutput> {
    check_supported(&call.exchange.headers)?;
    let input = call.input.clone();
    let names = Names::asked(input.encoding_type.as_ref())?;
    let max_uploads = limit(input.max_uploads, MOST, "max-uploads")?;
    let delimiter = given(input.delimiter);
    let (key_marker, upload_marker) = (given(input.key_marker), given(input.upload_id_marker));
    let request = objects::ListMultipartUploads {
        bucket: input.bucket.clone(),
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone(),
        // Without a key the other marker means nothing.
        upload_id_marker: upload_marker.clone().filter(|_| key_marker.is_some()),
        key_marker: key_marker.clone(),
        max_uploads,
    };
    let found = call.walk(request).await?;
    let upload = |listed: objects::ListedUpload| {
        let upload = &listed.upload;
        dto::MultipartUpload {
            checksum_algorithm: upload.checksum.clone().map(Into::into),
            checksum_type: upload_kind(upload),
            initiated: Some(timestamp(upload.begun)),
            initiator: Some(initiator(upload)),
            key: Some(names.write(listed.key)),
            owner: Some(owner(&upload.owner)),
            storage_class: Some(storage_class(&upload.attributes).into()),
            upload_id: Some(listed.upload_id),
        }
    };
    Ok(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: names.prefixes(found.common_prefixes),
        delimiter: names.some(delimiter),
        encoding_type: input.encoding_type.clone(),
        is_truncated: Some(found.is_truncated),
        key_marker: Some(names.write(key_marker.unwrap_or_default())),
        max_uploads: i32::try_from(max_uploads).ok(),
        next_key_marker: names.some(found.next_key_marker),
        next_upload_id_marker: found.next_upload_id_marker,
        prefix: Some(names.write(input.prefix.unwrap_or_default())),
        upload_id_marker: Some(upload_marker.unwrap_or_default()),
        uploads: Some(found.uploads.into_iter().map(upload).collect()),
        ..Default::default()
    })
}

fn initiator(upload: &objects::Upload) -> dto::Initiator {
    dto::Initiator { display_name: None, id: Some(upload.initiator.clone()) }
}

fn upload_kind(upload: &objects::Upload) -> Option<dto::ChecksumType> {
    let of = || dto::ChecksumType::from_static(checksum_type(upload.full_object));
    upload.checksum.as_ref().map(|_| of())
}

pub(super) async fn list_parts(call: Call<dto::ListPartsInput>) -> Handled<dto::ListPartsOutput> {
    check_supported(&call.exchange.headers)?;
    let input = call.input.clone();
    let max_parts = limit(input.max_parts, MOST, "max-parts")?;
    let marker = limit(input.part_number_marker.or(Some(0)), 10_000, "part-number-marker")?;
    let marker = u16::try_from(marker).unwrap_or(u16::MAX);
    let request = objects::ListParts {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        upload_id: input.upload_id.clone(),
        part_number_marker: marker,
        max_parts,
    };
    let found = call.walk(request).await?;
    let part = |part: &std::sync::Arc<objects::Part>| {
        let value = |name: &str| {
            let mut values = part.checksums.iter();
            values.find(|(found, _)| found == name).map(|(_, value)| value.clone())
        };
        dto::Part {
            checksum_crc32: value("x-amz-checksum-crc32"),
            checksum_crc32c: value("x-amz-checksum-crc32c"),
            checksum_crc64nvme: value("x-amz-checksum-crc64nvme"),
            checksum_sha1: value("x-amz-checksum-sha1"),
            checksum_sha256: value("x-amz-checksum-sha256"),
            e_tag: Some(dto::ETag::Strong(part.etag.clone())),
            last_modified: Some(timestamp(part.modified)),
            part_number: Some(part.number.into()),
            size: size(part.size),
        }
    };
    let upload = &found.upload;
    Ok(dto::ListPartsOutput {
        bucket: Some(input.bucket),
        checksum_algorithm: upload.checksum.clone().map(Into::into),
        checksum_type: upload_kind(upload),
        initiator: Some(initiator(upload)),
        is_truncated: Some(found.is_truncated),
        key: Some(input.key),
        max_parts: i32::try_from(max_parts).ok(),
        next_part_number_marker: found.next_part_number_marker.map(Into::into),
        owner: Some(owner(&upload.owner)),
        part_number_marker: Some(marker.into()),
        parts: Some(found.parts.iter().map(part).collect()),
        storage_class: Some(storage_class(&upload.attributes).into()),
        upload_id: Some(input.upload_id),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_for_who_asks() {
        let url = dto::EncodingType::from_static(dto::EncodingType::URL);
        let Ok(names) = Names::asked(Some(&url)) else { panic!("refused") };
        assert_eq!(names.write("a/b c\u{1}é+"), "a/b%20c%01%C3%A9%2B");
        let Ok(names) = Names::asked(None) else { panic!("refused") };
        assert_eq!(names.write("a b"), "a b");
        assert!(Names::asked(Some(&"base64".to_owned().into())).is_err());
    }
}
