//! Objects: one translation each way an operation.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::Body;
use s3s::dto::{self, StreamingBlob};
use s3s::stream::ByteStream as _;

use super::asked::{self, bare, check_supported, no_lists};
use super::buckets::{count, full_control, owner};
use super::exchange::{Call, Exchange, Handled, Stop};
use super::settings::read;
use super::tagging::tags;
use super::{documents, forms};
use crate::objects::{self, Etags};
use crate::service::{
    ByteStream, Caller, Credential, Incoming, OpenedObject, Reply, S3Refusal, Stored, Wanted,
};
use crate::sse::Headers;
use crate::transport::sigv4::header;

/// A date as HTTP has it (RFC 9110, section 5.6.7).
fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The number of a part in a query.
pub(super) fn part_number(given: i32) -> Result<u16, objects::Error> {
    match u16::try_from(given) {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err(objects::Error::InvalidArgument {
            message: "Part number must be an integer between 1 and 10000, inclusive".to_owned(),
            name: "partNumber",
            value: given.to_string(),
        }),
    }
}

/// What an answer says of an object: what goes with it, and how it is kept.
fn describe(exchange: &Exchange, opened: &OpenedObject) {
    let version = &opened.found.version;
    let Some((attributes, body)) = version.object() else { return };
    exchange.say("content-type", "binary/octet-stream");
    for (name, value) in &attributes.headers {
        exchange.say(name, value);
    }
    for (name, value) in &attributes.metadata {
        exchange.say(&format!("x-amz-meta-{name}"), value);
    }
    if !attributes.tags.is_empty() {
        exchange.say("x-amz-tagging-count", &attributes.tags.len().to_string());
    }
    exchange.say("accept-ranges", "bytes");
    exchange.say("etag", &format!("\"{}\"", body.etag));
    exchange.say("last-modified", &http_date(version.modified));
    exchange.say("content-length", &opened.len.to_string());
    if let Some(range) = &opened.range {
        let last = range.end.saturating_sub(1);
        exchange.say("content-range", &format!("bytes {}-{last}/{}", range.start, body.size));
        exchange.have_status(StatusCode::PARTIAL_CONTENT);
    }
    if let Some(parts) = opened.parts {
        exchange.say("x-amz-mp-parts-count", &parts.to_string());
    }
    if !opened.checksums.is_empty() {
        exchange.say("x-amz-checksum-type", checksum_type(body.full_object));
        exchange.say_all(&opened.checksums);
    }
    say_version(exchange, opened.found.version_id.as_deref());
    exchange.say_all(&opened.headers);
}

/// `FULL_OBJECT` or `COMPOSITE`.
pub(super) const fn checksum_type(full_object: bool) -> &'static str {
    if full_object { dto::ChecksumType::FULL_OBJECT } else { dto::ChecksumType::COMPOSITE }
}

pub(super) fn say_version(exchange: &Exchange, version_id: Option<&str>) {
    if let Some(version) = version_id {
        exchange.say("x-amz-version-id", version);
    }
}

/// Headers of the answer that a reader names in the query; a signature has to say so, as they change what a link
/// does in a browser.
fn overrides(exchange: &Exchange) -> Result<Vec<(&'static str, String)>, objects::Error> {
    const NAMES: [(&str, &str); 6] = [
        ("response-cache-control", "cache-control"),
        ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"),
        ("response-content-language", "content-language"),
        ("response-content-type", "content-type"),
        ("response-expires", "expires"),
    ];
    let found = |(asked, name)| Some((name, exchange.parameter(asked)?));
    let found: Vec<_> = NAMES.into_iter().filter_map(found).collect();
    if !found.is_empty() && exchange.caller.credential.is_anonymous() {
        let message =
            "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(objects::Error::InvalidRequest(message.to_owned()));
    }
    Ok(found)
}

fn check_part(exchange: &Exchange, part: Option<i32>) -> Result<Option<u16>, objects::Error> {
    if part.is_some() && exchange.headers.contains_key("range") {
        let message = "Cannot specify both Range header and partNumber query parameter";
        return Err(objects::Error::InvalidRequest(message.to_owned()));
    }
    part.map(part_number).transpose()
}

/// What a reader asks for, of the bytes or of what is known of them.
struct Reading {
    overrides: Vec<(&'static str, String)>,
    caller: Caller,
    conditions: objects::Conditions,
    sse: Headers,
    wanted: Wanted,
}

impl Reading {
    fn of(exchange: &Exchange, part: Option<i32>) -> Handled<Self> {
        let headers = &exchange.headers;
        check_supported(headers)?;
        let (overrides, part) = (overrides(exchange)?, check_part(exchange, part)?);
        let (range, checksums) = (asked::range(headers), asked::wants_checksums(headers));
        Ok(Self {
            overrides,
            caller: exchange.caller.clone(),
            conditions: asked::conditions(headers),
            sse: asked::sse(headers)?,
            wanted: Wanted { range, part, checksums },
        })
    }
}

pub(super) async fn get_object(call: Call<dto::GetObjectInput>) -> Handled<dto::GetObjectOutput> {
    let Call { exchange, input, .. } = call;
    let Reading { overrides, caller, conditions, sse, wanted } =
        Reading::of(&exchange, input.part_number)?;
    let dto::GetObjectInput { bucket, key, version_id, .. } = input;
    let request = objects::GetObject { bucket, key, version_id, conditions };
    let reply = exchange.service.get_object(caller, request, sse, wanted).await;
    let opened = exchange.settle(reply)?;
    describe(&exchange, &opened);
    exchange.say_all(&overrides);
    let body = opened.body.map(blob);
    Ok(dto::GetObjectOutput { body, ..Default::default() })
}

/// Bytes as `s3s` takes them.
fn blob(bytes: ByteStream) -> StreamingBlob {
    Body::http_body_unsync(StreamBody::new(bytes.map_ok(Frame::data))).into()
}

pub(super) async fn head_object(
    call: Call<dto::HeadObjectInput>,
) -> Handled<dto::HeadObjectOutput> {
    let Call { exchange, input, .. } = call;
    let Reading { overrides, caller, conditions, sse, wanted } =
        Reading::of(&exchange, input.part_number)?;
    let dto::HeadObjectInput { bucket, key, version_id, .. } = input;
    let request = objects::HeadObject { bucket, key, version_id, conditions };
    let reply = exchange.service.head_object(caller, request, sse, wanted).await;
    describe(&exchange, &exchange.settle(reply)?);
    exchange.say_all(&overrides);
    Ok(dto::HeadObjectOutput::default())
}

pub(super) async fn get_object_attributes(
    call: Call<dto::GetObjectAttributesInput>,
) -> Handled<dto::GetObjectAttributesOutput> {
    let Call { exchange, input, .. } = call;
    check_supported(&exchange.headers)?;
    let listed = asked::joined(&exchange.headers, "x-amz-object-attributes").unwrap_or_default();
    let asked = |name: &str| listed.split(',').any(|it| it.trim() == name);
    let number = |name| header(&exchange.headers, name).and_then(|text| text.parse().ok());
    let marker: u16 = number("x-amz-part-number-marker").unwrap_or(0);
    let most: u16 = number("x-amz-max-parts").unwrap_or(1000).min(1000);
    let request = objects::GetObjectAttributes {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        version_id: input.version_id.clone(),
    };
    let (caller, sse) = (exchange.caller.clone(), asked::sse(&exchange.headers)?);
    let reply = exchange.service.get_object_attributes(caller, request, sse).await;
    let opened = exchange.settle(reply)?;
    let version = &opened.found.version;
    let Some((attributes, body)) = version.object() else { return Ok(Default::default()) };
    say_version(&exchange, opened.found.version_id.as_deref());
    exchange.say("last-modified", &http_date(version.modified));
    let size = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let class = attributes.headers.get("x-amz-storage-class").map_or("STANDARD", String::as_str);
    let checksum = || {
        let checksum_type = Some(checksum_type(body.full_object).to_owned().into());
        dto::Checksum { checksum_type, ..checksums(&opened.checksums) }
    };
    let parts = || {
        let mut rest = body.parts.iter().filter(|(number, _)| *number > marker).peekable();
        let page: Vec<_> = rest.by_ref().take(most.into()).collect();
        dto::GetObjectAttributesParts {
            is_truncated: Some(rest.peek().is_some()),
            max_parts: Some(most.into()),
            next_part_number_marker: page.last().map(|(number, _)| i32::from(*number)),
            part_number_marker: Some(marker.into()),
            total_parts_count: Some(count(body.parts.len())),
            parts: Some(
                page.into_iter()
                    .map(|(number, bytes)| dto::ObjectPart {
                        part_number: Some(i32::from(*number)),
                        size: Some(size(*bytes)),
                        ..Default::default()
                    })
                    .collect(),
            ),
        }
    };
    let has_checksum = asked("Checksum") && !opened.checksums.is_empty();
    Ok(dto::GetObjectAttributesOutput {
        checksum: has_checksum.then(checksum),
        e_tag: asked("ETag").then(|| dto::ETag::Strong(body.etag.clone())),
        object_parts: (asked("ObjectParts") && !body.parts.is_empty()).then(parts),
        object_size: asked("ObjectSize").then(|| size(body.size)),
        storage_class: asked("StorageClass").then(|| class.to_owned().into()),
        ..Default::default()
    })
}

/// Checksums as documents have them.
pub(super) fn checksums(headers: &[(&'static str, String)]) -> dto::Checksum {
    let value = |name: &str| {
        headers.iter().find(|(found, _)| *found == name).map(|(_, value)| value.clone())
    };
    dto::Checksum {
        checksum_crc32: value("x-amz-checksum-crc32"),
        checksum_crc32c: value("x-amz-checksum-crc32c"),
        checksum_crc64nvme: value("x-amz-checksum-crc64nvme"),
        checksum_sha1: value("x-amz-checksum-sha1"),
        checksum_sha256: value("x-amz-checksum-sha256"),
        checksum_type: None,
    }
}

pub(super) async fn put_object(call: Call<dto::PutObjectInput>) -> Handled<dto::PutObjectOutput> {
    let Call { exchange, input, .. } = call;
    let headers = &exchange.headers;
    check_supported(headers)?;
    let request = objects::PutObject {
        bucket: input.bucket,
        key: input.key,
        attributes: asked::attributes(headers)?,
        conditions: asked::conditions(headers),
        encryption: asked::encryption(headers),
        body: None,
    };
    let (sse, incoming) = (asked::sse(headers)?, asked::incoming(&exchange, input.body)?);
    let caller = exchange.caller.clone();
    let reply = exchange.service.put_object(caller, request, sse, incoming).await;
    say_stored(&exchange, reply)?;
    Ok(dto::PutObjectOutput::default())
}

/// Settles a write and says what was written; its ETag, too.
fn say_stored(exchange: &Exchange, reply: Reply<Stored>) -> Handled<String> {
    let Stored { written, headers } = exchange.settle(reply)?;
    let etag = written.version.object().map(|(_, body)| body.etag.clone()).unwrap_or_default();
    exchange.say("etag", &format!("\"{etag}\""));
    if headers.iter().any(|(name, _)| name.starts_with("x-amz-checksum-")) {
        exchange.say("x-amz-checksum-type", dto::ChecksumType::FULL_OBJECT);
    }
    exchange.say_all(&headers);
    say_version(exchange, written.version_id.as_deref());
    Ok(etag)
}

/// An object that a browser's form has. Its fields are what headers are elsewhere.
pub(super) async fn post_object(
    call: Call<dto::PostObjectInput>,
) -> Handled<dto::PostObjectOutput> {
    let Call { exchange, mut input, access_key } = call;
    let headers = &fields(&input);
    check_supported(headers)?;
    if let Some(policy) = &exchange.form_policy {
        forms::check_covered(policy, headers.keys().map(HeaderName::as_str))?;
    }
    let mut caller = exchange.caller.clone();
    if let Some(id) = access_key {
        let token = exchange.form_key.as_ref().and_then(|(_, token)| token.clone());
        caller.credential = Credential::proved(id, token);
    }
    let mut attributes = asked::attributes(headers)?;
    if let Some(document) = &input.tagging {
        attributes.tags = tags(&read::<dto::Tagging>("Tagging", document)?.tag_set)?;
    }
    let request = objects::PutObject {
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        attributes,
        conditions: objects::Conditions::default(),
        encryption: asked::encryption(headers),
        body: None,
    };
    let body = input.body.take();
    let length = body.as_ref().and_then(|body| body.remaining_length().exact());
    let incoming = Incoming {
        body: asked::bytes(body),
        length: length.and_then(|length| length.try_into().ok()),
        expected: asked::expected(&exchange, headers)?,
    };
    let sse = asked::sse(headers)?;
    let reply = exchange.service.put_object(caller, request, sse, incoming).await;
    let etag = say_stored(&exchange, reply)?;
    let e_tag = Some(dto::ETag::Strong(etag));
    Ok(dto::PostObjectOutput { e_tag, ..Default::default() })
}

/// A form's fields as headers.
fn fields(input: &dto::PostObjectInput) -> HeaderMap {
    let flag = input.bucket_key_enabled.map(|flag| flag.to_string());
    let text = |value: &Option<String>| value.clone();
    let pairs = [
        ("cache-control", text(&input.cache_control)),
        ("content-disposition", text(&input.content_disposition)),
        ("content-encoding", text(&input.content_encoding)),
        ("content-language", text(&input.content_language)),
        ("content-md5", text(&input.content_md5)),
        ("content-type", text(&input.content_type)),
        ("x-amz-acl", input.acl.as_ref().map(|it| it.as_str().to_owned())),
        ("x-amz-checksum-crc32", text(&input.checksum_crc32)),
        ("x-amz-checksum-crc32c", text(&input.checksum_crc32c)),
        ("x-amz-checksum-crc64nvme", text(&input.checksum_crc64nvme)),
        ("x-amz-checksum-sha1", text(&input.checksum_sha1)),
        ("x-amz-checksum-sha256", text(&input.checksum_sha256)),
        (
            "x-amz-server-side-encryption",
            input.server_side_encryption.as_ref().map(|it| it.as_str().to_owned()),
        ),
        ("x-amz-server-side-encryption-aws-kms-key-id", text(&input.ssekms_key_id)),
        ("x-amz-server-side-encryption-bucket-key-enabled", flag),
        ("x-amz-server-side-encryption-context", text(&input.ssekms_encryption_context)),
        ("x-amz-server-side-encryption-customer-algorithm", text(&input.sse_customer_algorithm)),
        ("x-amz-server-side-encryption-customer-key", text(&input.sse_customer_key)),
        ("x-amz-server-side-encryption-customer-key-md5", text(&input.sse_customer_key_md5)),
        ("x-amz-storage-class", input.storage_class.as_ref().map(|it| it.as_str().to_owned())),
        ("x-amz-website-redirect-location", text(&input.website_redirect_location)),
    ];
    let metadata = input.metadata.iter().flatten();
    let metadata = metadata.map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone()));
    let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    pairs
        .chain(metadata)
        .filter_map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            Some((HeaderName::try_from(name).ok()?, value))
        })
        .collect()
}

pub(super) async fn delete_object(
    call: Call<dto::DeleteObjectInput>,
) -> Handled<dto::DeleteObjectOutput> {
    let Call { exchange, input, .. } = call;
    check_supported(&exchange.headers)?;
    let request = objects::DeleteObject {
        bucket: input.bucket,
        key: input.key,
        version_id: input.version_id,
        if_match: asked::conditions(&exchange.headers).if_match,
    };
    let reply = exchange.service.delete_object(exchange.caller.clone(), request).await;
    let deleted = exchange.settle(reply)?;
    Ok(dto::DeleteObjectOutput {
        delete_marker: deleted.delete_marker.then_some(true),
        version_id: deleted.version_id,
        ..Default::default()
    })
}

/// How many objects one request may name, and how many of them are under way at once.
const NAMED: usize = 1000;
const AT_ONCE: usize = 32;

/// Each object is a call, and a record, of its own.
pub(super) async fn delete_objects(
    call: Call<dto::DeleteObjectsInput>,
) -> Handled<dto::DeleteObjectsOutput> {
    let Call { exchange, input, .. } = call;
    check_supported(&exchange.headers)?;
    if !documents::is_said(&exchange) {
        let message = "Missing required header for this request: Content-MD5";
        return Err(objects::Error::InvalidRequest(message.to_owned()).into());
    }
    let dto::DeleteObjectsInput { bucket, delete, .. } = input;
    let quiet = delete.quiet.unwrap_or(false);
    if delete.objects.is_empty() || delete.objects.len() > NAMED {
        return Err(objects::Error::MalformedXml.into());
    }
    if delete.objects.iter().any(|it| it.last_modified_time.is_some() || it.size.is_some()) {
        let what = "LastModifiedTime and Size of objects to delete".to_owned();
        return Err(objects::Error::NotImplemented(what).into());
    }
    let replies = stream::iter(delete.objects).map(|object| {
        let (exchange, bucket) = (Arc::clone(&exchange), bucket.clone());
        async move {
            let request = objects::DeleteObject {
                bucket,
                key: object.key.clone(),
                version_id: object.version_id.clone(),
                if_match: object
                    .e_tag
                    .map(|etag| Etags::These(vec![bare(etag.value()).to_owned()])),
            };
            let reply = exchange.service.delete_object(exchange.caller.clone(), request).await;
            (object.key, object.version_id, reply)
        }
    });
    let mut replies = replies.buffered(AT_ONCE);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    while let Some((key, version_id, reply)) = replies.next().await {
        match exchange.settle_one(reply) {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(of_deleted(key, version_id, done)),
            Err(refusal) if OF_ALL.contains(&refusal.code.as_str()) => {
                return Err(exchange.answer_with(refusal));
            }
            Err(S3Refusal { code, message, .. }) => errors.push(dto::Error {
                code: Some(code),
                key: Some(key),
                message: Some(message),
                version_id,
            }),
        }
    }
    Ok(dto::DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..Default::default()
    })
}

/// What is wrong with the whole request, whichever object it was found out by.
const OF_ALL: [&str; 5] =
    ["ExpiredToken", "InternalError", "InvalidAccessKeyId", "NoSuchBucket", "ServiceUnavailable"];

fn of_deleted(
    key: String,
    version_id: Option<String>,
    done: objects::Deleted,
) -> dto::DeletedObject {
    let marker = done.delete_marker;
    dto::DeletedObject {
        delete_marker: marker.then_some(true),
        delete_marker_version_id: done.version_id.filter(|_| marker),
        key: Some(key),
        version_id,
    }
}

/// Whoever may read the object reads that its owner may do everything.
pub(super) async fn get_object_acl(
    call: Call<dto::GetObjectAclInput>,
) -> Handled<dto::GetObjectAclOutput> {
    check_supported(&call.exchange.headers)?;
    let dto::GetObjectAclInput { bucket, key, version_id, .. } = call.input.clone();
    let found = call.walk(objects::GetObjectAcl { bucket, key, version_id }).await?;
    say_version(&call.exchange, found.version_id.as_deref());
    let owner = owner(&found.version.owner);
    let grants = Some(vec![full_control(&owner)]);
    Ok(dto::GetObjectAclOutput { grants, owner: Some(owner), ..Default::default() })
}

pub(super) async fn put_object_acl(
    call: Call<dto::PutObjectAclInput>,
) -> Handled<dto::PutObjectAclOutput> {
    check_supported(&call.exchange.headers)?;
    if call.input.access_control_policy.is_some() {
        return Err(Stop::from(no_lists()));
    }
    let dto::PutObjectAclInput { bucket, key, version_id, .. } = call.input.clone();
    call.walk(objects::PutObjectAcl { bucket, key, version_id }).await?;
    Ok(dto::PutObjectAclOutput::default())
}
