//! Objects and parts that are copied: one translation each way an operation.

use s3s::dto::{self, CopySource};

use super::asked::{self, check_supported};
use super::buckets::timestamp;
use super::exchange::{Call, Exchange, Handled};
use super::objects::{checksums, part_number, say_version};
use crate::objects;
use crate::service::{PartStored, Stored};
use crate::transport::sigv4::header;

/// Bucket, key and version of a copy's source.
fn source(given: &CopySource) -> Result<(String, String, Option<String>), objects::Error> {
    match given {
        CopySource::Bucket { bucket, key, version_id } => {
            let version_id = version_id.as_deref().map(str::to_owned);
            Ok((bucket.to_string(), key.to_string(), version_id))
        }
        CopySource::AccessPoint { .. } | CopySource::Outpost { .. } => {
            Err(objects::Error::NotImplemented("access points".to_owned()))
        }
    }
}

/// Whether a directive says to replace what the source has.
fn replaces(exchange: &Exchange, name: &'static str) -> Result<bool, objects::Error> {
    match header(&exchange.headers, name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(objects::Error::InvalidArgument {
            message: format!("Unknown directive in {name}"),
            name,
            value: other.chars().take(64).collect(),
        }),
    }
}

pub(super) async fn copy_object(
    call: Call<dto::CopyObjectInput>,
) -> Handled<dto::CopyObjectOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let (source_bucket, source_key, source_version_id) = source(&input.copy_source)?;
    let given = asked::attributes(headers)?;
    let new_tags = replaces(&exchange, "x-amz-tagging-directive")?.then(|| given.tags.clone());
    let replaced = replaces(&exchange, "x-amz-metadata-directive")?;
    let own = objects::NOT_COPIED.iter().filter_map(|name| {
        header(headers, name).map(|value| ((*name).to_owned(), value.to_owned()))
    });
    let own = own.collect();
    let attributes = objects::Attributes { tags: Default::default(), ..given };
    let request = objects::CopyObject {
        bucket: input.bucket,
        key: input.key,
        source_bucket,
        source_key,
        source_version_id: source_version_id.clone(),
        source_conditions: asked::source_conditions(headers),
        attributes: replaced.then_some(attributes),
        own,
        tags: new_tags,
        conditions: asked::conditions(headers),
        encryption: asked::encryption(headers),
        source: None,
        body: None,
    };
    let (caller, sse) = (exchange.caller.clone(), asked::sse(headers)?);
    let reply = exchange.service.copy_object(caller, request, sse).await;
    let Stored { written, headers } = exchange.settle(reply)?;
    exchange.say_all(headers.iter().filter(|(name, _)| !is_checksum(name)));
    say_version(&exchange, written.version_id.as_deref());
    let body = written.version.object().map(|(_, body)| body);
    let found = checksums(&headers);
    Ok(dto::CopyObjectOutput {
        copy_object_result: Some(dto::CopyObjectResult {
            checksum_crc32: found.checksum_crc32,
            checksum_crc32c: found.checksum_crc32c,
            checksum_crc64nvme: found.checksum_crc64nvme,
            checksum_sha1: found.checksum_sha1,
            checksum_sha256: found.checksum_sha256,
            checksum_type: Some(dto::ChecksumType::from_static(dto::ChecksumType::FULL_OBJECT)),
            e_tag: body.map(|body| dto::ETag::Strong(body.etag.clone())),
            last_modified: Some(timestamp(written.version.modified)),
        }),
        copy_source_version_id: source_version_id,
        ..Default::default()
    })
}

fn is_checksum(name: &str) -> bool {
    name.starts_with("x-amz-checksum-")
}

pub(super) async fn upload_part_copy(
    call: Call<dto::UploadPartCopyInput>,
) -> Handled<dto::UploadPartCopyOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let source = source(&input.copy_source)?;
    let version_id = source.2.clone();
    let request = objects::UploadPart {
        bucket: input.bucket,
        key: input.key,
        upload_id: input.upload_id,
        part_number: part_number(input.part_number)?,
        source: Some(source),
        body: None,
    };
    let (caller, sse) = (exchange.caller.clone(), asked::sse(headers)?);
    let range = asked::source_range(headers)?;
    let conditions = asked::source_conditions(headers);
    let reply = exchange.service.upload_part_copy(caller, request, sse, range, conditions).await;
    let PartStored { etag, headers, modified } = exchange.settle(reply)?;
    exchange.say_all(headers.iter().filter(|(name, _)| !is_checksum(name)));
    let found = checksums(&headers);
    Ok(dto::UploadPartCopyOutput {
        copy_part_result: Some(dto::CopyPartResult {
            checksum_crc32: found.checksum_crc32,
            checksum_crc32c: found.checksum_crc32c,
            checksum_crc64nvme: found.checksum_crc64nvme,
            checksum_sha1: found.checksum_sha1,
            checksum_sha256: found.checksum_sha256,
            e_tag: Some(dto::ETag::Strong(etag)),
            last_modified: Some(timestamp(modified)),
        }),
        copy_source_version_id: version_id,
        ..Default::default()
    })
}
