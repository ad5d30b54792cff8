//! Uploads in parts: one translation each way an operation.

use s3s::dto;

use super::asked::{self, bare, check_supported};
use super::exchange::{Call, Exchange, Handled};
use super::objects::{checksum_type, part_number, say_version};
use crate::objects;
use crate::service::{Begun, PartStored, Stored};
use crate::sse::Checksum;
use crate::transport::sigv4::header;

/// The checksum that an upload is to have, and whether of all its bytes.
///
/// Source: Amazon S3 User Guide, "Checking object integrity", "Checksum types".
fn checksum(exchange: &Exchange) -> Result<(Option<String>, bool), objects::Error> {
    let named = header(&exchange.headers, "x-amz-checksum-algorithm");
    let kind = header(&exchange.headers, "x-amz-checksum-type");
    let refused = |message: String| Err(objects::Error::InvalidRequest(message));
    let Some(named) = named else {
        return match kind {
            None => Ok((None, false)),
            Some(_) => refused(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
                    .to_owned(),
            ),
        };
    };
    let algorithm = asked::algorithm(named)?;
    let name = named.to_ascii_uppercase();
    let (is_sum, is_whole) =
        (matches!(algorithm, Checksum::Sha1 | Checksum::Sha256), algorithm == Checksum::Crc64Nvme);
    let full_object = match kind {
        None => is_whole,
        Some(dto::ChecksumType::FULL_OBJECT) if !is_sum => true,
        Some(dto::ChecksumType::COMPOSITE) if !is_whole => false,
        Some(kind @ (dto::ChecksumType::FULL_OBJECT | dto::ChecksumType::COMPOSITE)) => {
            let name = name.to_ascii_lowercase();
            return refused(format!(
                "The {kind} checksum type cannot be used with the {name} checksum algorithm."
            ));
        }
        Some(_) => return refused("Value for x-amz-checksum-type header is invalid.".to_owned()),
    };
    Ok((Some(name), full_object))
}

pub(super) async fn create_multipart_upload(
    call: Call<dto::CreateMultipartUploadInput>,
) -> Handled<dto::CreateMultipartUploadOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let (checksum, full_object) = checksum(&exchange)?;
    let request = objects::CreateMultipartUpload {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        attributes: asked::attributes(headers)?,
        encryption: asked::encryption(headers),
        envelope: None,
        checksum: checksum.clone(),
        full_object,
    };
    let (caller, sse) = (exchange.caller.clone(), asked::sse(headers)?);
    let reply = exchange.service.create_multipart_upload(caller, request, sse).await;
    let Begun { upload_id, headers } = exchange.settle(reply)?;
    exchange.say_all(&headers);
    if let Some(name) = checksum {
        exchange.say("x-amz-checksum-algorithm", &name);
        exchange.say("x-amz-checksum-type", checksum_type(full_object));
    }
    Ok(dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        ..Default::default()
    })
}

pub(super) async fn upload_part(
    call: Call<dto::UploadPartInput>,
) -> Handled<dto::UploadPartOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let request = objects::UploadPart {
        bucket: input.bucket,
        key: input.key,
        upload_id: input.upload_id,
        part_number: part_number(input.part_number)?,
        source: None,
        body: None,
    };
    let (sse, incoming) = (asked::sse(headers)?, asked::incoming(&exchange, input.body)?);
    let caller = exchange.caller.clone();
    let reply = exchange.service.upload_part(caller, request, sse, incoming).await;
    let PartStored { etag, headers, .. } = exchange.settle(reply)?;
    exchange.say("etag", &format!("\"{etag}\""));
    exchange.say_all(&headers);
    Ok(dto::UploadPartOutput::default())
}

/// A part of the list that completes an upload.
fn completed(part: dto::CompletedPart) -> Result<objects::CompletedPart, objects::Error> {
    let number = part.part_number.ok_or(objects::Error::MalformedXml)?;
    let etag = part.e_tag.ok_or(objects::Error::MalformedXml)?;
    let checksums = [
        (Checksum::Crc32, part.checksum_crc32),
        (Checksum::Crc32C, part.checksum_crc32c),
        (Checksum::Crc64Nvme, part.checksum_crc64nvme),
        (Checksum::Sha1, part.checksum_sha1),
        (Checksum::Sha256, part.checksum_sha256),
    ];
    let checksums = checksums.into_iter();
    Ok(objects::CompletedPart {
        number: part_number(number)?,
        etag: bare(etag.value()).to_owned(),
        checksums: checksums
            .filter_map(|(checksum, value)| Some((checksum.header().to_owned(), value?)))
            .collect(),
    })
}

pub(super) async fn complete_multipart_upload(
    call: Call<dto::CompleteMultipartUploadInput>,
) -> Handled<dto::CompleteMultipartUploadOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let parts = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    if parts.is_empty() {
        return Err(objects::Error::MalformedXml.into());
    }
    let size = header(headers, "x-amz-mp-object-size");
    let size = size.map(|text| {
        text.parse().map_err(|_| objects::Error::InvalidArgument {
            message: "x-amz-mp-object-size must be a number".to_owned(),
            name: "x-amz-mp-object-size",
            value: text.chars().take(64).collect(),
        })
    });
    let checksum = Checksum::ALL.into_iter().find_map(|it| {
        header(headers, it.header()).map(|value| (it.header().to_owned(), value.to_owned()))
    });
    let request = objects::CompleteMultipartUpload {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        upload_id: input.upload_id,
        parts: parts.into_iter().map(completed).collect::<Result<_, _>>()?,
        conditions: asked::conditions(headers),
        checksum,
        size: size.transpose()?,
        body: None,
    };
    let (caller, sse) = (exchange.caller.clone(), asked::sse(headers)?);
    let reply = exchange.service.complete_multipart_upload(caller, request, sse).await;
    let Stored { written, headers } = exchange.settle(reply)?;
    exchange.say_all(&headers);
    say_version(&exchange, written.version_id.as_deref());
    let body = written.version.object().map(|(_, body)| body);
    let found = super::objects::checksums(&headers);
    let host = header(&exchange.headers, "host").unwrap_or("localhost");
    let scheme = if exchange.caller.secure { "https" } else { "http" };
    let location = format!("{scheme}://{host}/{}/{}", input.bucket, input.key);
    Ok(dto::CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        checksum_crc32: found.checksum_crc32,
        checksum_crc32c: found.checksum_crc32c,
        checksum_crc64nvme: found.checksum_crc64nvme,
        checksum_sha1: found.checksum_sha1,
        checksum_sha256: found.checksum_sha256,
        checksum_type: body
            .map(|body| dto::ChecksumType::from_static(checksum_type(body.full_object))),
        e_tag: body.map(|body| dto::ETag::Strong(body.etag.clone())),
        key: Some(input.key),
        location: Some(location),
        ..Default::default()
    })
}

pub(super) async fn abort_multipart_upload(
    call: Call<dto::AbortMultipartUploadInput>,
) -> Handled<dto::AbortMultipartUploadOutput> {
    let Call { exchange, input, .. } = call;
    check_supported(&exchange.headers)?;
    let dto::AbortMultipartUploadInput { bucket, key, upload_id, .. } = input;
    let request = objects::AbortMultipartUpload { bucket, key, upload_id };
    let reply = exchange.service.abort_multipart_upload(exchange.caller.clone(), request).await;
    exchange.settle(reply)?;
    Ok(dto::AbortMultipartUploadOutput::default())
}
