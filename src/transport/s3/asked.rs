//! What a request's headers ask for, whatever the operation.
//!
//! Sources: Amazon S3 API Reference, `PutObject`, `GetObject`, `CopyObject`; "Checking object integrity"; RFC 9110,
//! sections 13.1 (conditions) and 14.1 (ranges).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt;
use http::HeaderMap;
use s3s::StdError;
use s3s::dto::StreamingBlob;

use super::callers::{Payload, payload, refused};
use super::exchange::{Exchange, Stop, Trailing};
use crate::objects::{self, Asked, Attributes, Conditions, Etags};
use crate::service::{BucketOwners, ByteStream, Expected, Incoming, RangeAsked};
use crate::sse::{Checksum, Headers};
use crate::transport::sigv4::header;

/// What speaks of encryption.
pub(super) fn sse(headers: &HeaderMap) -> Result<Headers, Stop> {
    Ok(Headers::collect(headers.iter())?)
}

/// What of that policies look at.
pub(super) fn encryption(headers: &HeaderMap) -> Asked {
    let text = |name: &str| header(headers, name).map(|value| value.trim().to_owned());
    Asked {
        mode: text("x-amz-server-side-encryption"),
        key_id: text("x-amz-server-side-encryption-aws-kms-key-id"),
        customer_algorithm: text("x-amz-server-side-encryption-customer-algorithm"),
    }
}

/// System-defined metadata that is kept with an object.
const KEPT: [&str; 8] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
];

/// What a writer gives beside the bytes.
pub(super) fn attributes(headers: &HeaderMap) -> Result<Attributes, Stop> {
    let mut given = Attributes::default();
    for name in KEPT {
        let Some(value) = joined(headers, name) else { continue };
        let value = if name == "content-encoding" { without_chunks(&value) } else { value };
        let is_default = name == "x-amz-storage-class" && value == "STANDARD";
        if !value.is_empty() && !is_default {
            given.headers.insert(name.to_owned(), value);
        }
    }
    if let Some(class) = given.headers.get("x-amz-storage-class")
        && !CLASSES.contains(&class.as_str())
    {
        let message = "The storage class you specified is not valid";
        return Err(refused("InvalidStorageClass", 400, message).into());
    }
    for name in headers.keys() {
        if let Some(short) = name.as_str().strip_prefix("x-amz-meta-")
            && let Some(value) = joined(headers, name.as_str())
        {
            given.metadata.insert(short.to_owned(), value);
        }
    }
    if let Some(text) = header(headers, "x-amz-tagging") {
        given.tags = tags(text)?;
    }
    Ok(given)
}

/// Storage classes: kept as they are named; all are stored alike.
const CLASSES: [&str; 10] = [
    "DEEP_ARCHIVE",
    "EXPRESS_ONEZONE",
    "GLACIER",
    "GLACIER_IR",
    "INTELLIGENT_TIERING",
    "ONEZONE_IA",
    "OUTPOSTS",
    "REDUCED_REDUNDANCY",
    "SNOW",
    "STANDARD_IA",
];

/// All values of a header, as one.
pub(super) fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// A `Content-Encoding` without the one that ends at this door.
fn without_chunks(value: &str) -> String {
    let kept = value
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.eq_ignore_ascii_case("aws-chunked"));
    kept.filter(|coding| !coding.is_empty()).collect::<Vec<_>>().join(", ")
}

/// `a=b&c=d`
pub(super) fn tags(text: &str) -> Result<BTreeMap<String, String>, objects::Error> {
    let mut found = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if found.insert(name.into_owned(), value.into_owned()).is_some() {
            let message = "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL \
                           query parameters without tag name duplicates.";
            return Err(objects::Error::InvalidArgument {
                message: message.to_owned(),
                name: "x-amz-tagging",
                value: text.chars().take(256).collect(),
            });
        }
    }
    Ok(found)
}

/// What has to be so of the object.
pub(super) fn conditions(headers: &HeaderMap) -> Conditions {
    conditions_named(headers, "")
}

/// The same of a copy's source.
pub(super) fn source_conditions(headers: &HeaderMap) -> Conditions {
    conditions_named(headers, "x-amz-copy-source-")
}

fn conditions_named(headers: &HeaderMap, prefix: &str) -> Conditions {
    let etags = |name: &str| joined(headers, &format!("{prefix}{name}")).map(|text| etags(&text));
    let time = |name: &str| header(headers, &format!("{prefix}{name}")).and_then(time);
    Conditions {
        if_match: etags("if-match"),
        if_none_match: etags("if-none-match"),
        if_modified_since: time("if-modified-since"),
        if_unmodified_since: time("if-unmodified-since"),
    }
}

fn etags(text: &str) -> Etags {
    if text.trim() == "*" {
        return Etags::Any;
    }
    Etags::These(text.split(',').map(|etag| bare(etag).to_owned()).collect())
}

/// An ETag without its quotes.
pub(super) fn bare(etag: &str) -> &str {
    let etag = etag.trim();
    let etag = etag.strip_prefix("W/").unwrap_or(etag);
    etag.strip_prefix('"').and_then(|etag| etag.strip_suffix('"')).unwrap_or(etag)
}

/// RFC 9110's date; one that is none is passed over, as that says.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc2822(text).ok().map(|time| time.to_utc())
}

/// The range that is asked for. Several, and what is none, ask for everything.
pub(super) fn range(headers: &HeaderMap) -> Option<RangeAsked> {
    let (first, last) = header(headers, "range")?.trim().strip_prefix("bytes=")?.split_once('-')?;
    match (number(first.trim()), last.trim()) {
        (Some(first), "") => Some(RangeAsked::FromTo(first, None)),
        (Some(first), last) => {
            let last = number(last).filter(|last| first <= *last)?;
            Some(RangeAsked::FromTo(first, Some(last)))
        }
        (None, last) if first.trim().is_empty() => Some(RangeAsked::Last(number(last)?)),
        (None, _) => None,
    }
}

/// The range of a part's source: `bytes=0-9`.
pub(super) fn source_range(headers: &HeaderMap) -> Result<Option<(u64, u64)>, objects::Error> {
    let Some(text) = header(headers, "x-amz-copy-source-range") else { return Ok(None) };
    let pair = text.strip_prefix("bytes=").and_then(|text| text.split_once('-'));
    let pair = pair.and_then(|(first, last)| Some((number(first)?, number(last)?)));
    pair.map(Some).ok_or_else(|| objects::Error::InvalidArgument {
        message: "The x-amz-copy-source-range value must be of the form bytes=first-last where first and \
                  last are the zero-based offsets of the first and last bytes to copy"
            .to_owned(),
        name: "x-amz-copy-source-range",
        value: text.chars().take(64).collect(),
    })
}

/// Digits and nothing else.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Whether the answer is to have checksums.
pub(super) fn wants_checksums(headers: &HeaderMap) -> bool {
    header(headers, "x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"))
}

/// A checksum's name in the API: `CRC64NVME`.
pub(super) fn algorithm(name: &str) -> Result<Checksum, objects::Error> {
    let header = format!("x-amz-checksum-{}", name.to_ascii_lowercase());
    by_header(&header).ok_or_else(|| {
        objects::Error::InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
             [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
                .to_owned(),
        )
    })
}

fn by_header(name: &str) -> Option<Checksum> {
    Checksum::ALL.into_iter().find(|checksum| checksum.header().eq_ignore_ascii_case(name))
}

/// Headers that begin as a checksum's do, and are none.
const ABOUT: [&str; 3] = ["x-amz-checksum-algorithm", "x-amz-checksum-mode", "x-amz-checksum-type"];

/// Whether a header is a checksum's value.
pub(super) fn is_value(name: &str) -> bool {
    name.starts_with("x-amz-checksum-") && !ABOUT.contains(&name)
}

/// What a request says of its body's bytes.
pub(super) fn expected(exchange: &Arc<Exchange>, headers: &HeaderMap) -> Result<Expected, Stop> {
    let mut expected = Expected::default();
    if let Some(text) = header(headers, "content-md5") {
        let md5 = STANDARD.decode(text).ok().and_then(|md5| <[u8; 16]>::try_from(md5).ok());
        expected.content_md5 = Some(md5.ok_or(objects::Error::InvalidDigest)?);
    }
    if let (false, Payload::Hashed(hash)) = (exchange.hash_checked, payload(headers)) {
        expected.sha256 = Some(hash);
    }
    let names = headers.keys().map(http::HeaderName::as_str);
    let given: Vec<&str> = names.filter(|name| is_value(name)).collect();
    let announced = header(headers, "x-amz-trailer").map(str::trim);
    let announced =
        announced.filter(|name| name.to_ascii_lowercase().starts_with("x-amz-checksum-"));
    let single = |name: &str| {
        by_header(name).map_or_else(|| algorithm("none"), Ok).map(Some) // its words are the same
    };
    match (given.as_slice(), announced) {
        ([], None) => {}
        ([name], None) => {
            expected.checksum = single(name)?;
            expected.value = header(headers, name).map(str::to_owned);
        }
        ([], Some(name)) => {
            expected.checksum = single(name)?;
            let (exchange, name) = (Arc::clone(exchange), name.to_ascii_lowercase());
            // One that was announced and did not come is no checksum.
            let value = move || Some(exchange.trailers.value(&name).unwrap_or_default());
            expected.trailer = Some(Box::new(value));
        }
        _ => {
            let message = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not \
                           allowed.";
            return Err(objects::Error::InvalidRequest(message.to_owned()).into());
        }
    }
    let said = header(headers, "x-amz-sdk-checksum-algorithm").map(algorithm).transpose()?;
    match (said, expected.checksum) {
        (Some(_), None) => {
            let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* \
                           or x-amz-trailer headers were found.";
            Err(objects::Error::InvalidRequest(message.to_owned()).into())
        }
        (Some(said), Some(found)) if said != found => {
            let message = "Value for x-amz-sdk-checksum-algorithm header is invalid.";
            Err(objects::Error::InvalidRequest(message.to_owned()).into())
        }
        _ => Ok(expected),
    }
}

/// A body that comes in, and what is said of it.
pub(super) fn incoming(
    exchange: &Arc<Exchange>,
    body: Option<StreamingBlob>,
) -> Result<Incoming, Stop> {
    let expected = expected(exchange, &exchange.headers)?;
    let length = header(&exchange.headers, "x-amz-decoded-content-length")
        .or_else(|| header(&exchange.headers, "content-length"));
    let Some(length) = length.and_then(number) else {
        let message = "You must provide the Content-Length HTTP header.";
        return Err(refused("MissingContentLength", 411, message).into());
    };
    Ok(Incoming { body: bytes(body), length: Some(length), expected })
}

/// A body's bytes.
pub(super) fn bytes(body: Option<StreamingBlob>) -> ByteStream {
    match body {
        Some(body) => Box::pin(body.map_err(of_body)),
        None => Box::pin(futures_util::stream::empty()),
    }
}

/// What went wrong with a body. Those of `s3s` have no type that can be named here.
pub(super) fn of_body(error: StdError) -> std::io::Error {
    let error = match error.downcast::<std::io::Error>() {
        Ok(error) => return *error,
        Err(error) => error.to_string(),
    };
    let says = |words: &[&str]| words.iter().any(|word| error.contains(word));
    std::io::Error::other(if says(&["Sha256Mismatch"]) {
        objects::Error::Sha256Mismatch
    } else if says(&["SignatureMismatch"]) {
        objects::Error::ChunkSignature
    } else if says(&["FormatError", "TooLarge", "TooMany"]) {
        objects::Error::InvalidRequest("The aws-chunked body cannot be read.".to_owned())
    } else {
        objects::Error::IncompleteBody
    })
}

/// Whose the buckets have to be.
pub(super) fn bucket_owners(headers: &HeaderMap) -> BucketOwners {
    let text = |name: &str| {
        headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    BucketOwners {
        own: text("x-amz-expected-bucket-owner"),
        source: text("x-amz-source-expected-bucket-owner"),
    }
}

/// Refuses what is not done here, rather than passing over it.
pub(super) fn check_supported(headers: &HeaderMap) -> Result<(), Stop> {
    let is_refused = |name: &&str| {
        REFUSED.contains(name)
            || name.starts_with("x-amz-object-lock-")
            || name.starts_with("x-amz-grant-")
    };
    if let Some(name) = headers.keys().map(http::HeaderName::as_str).find(is_refused) {
        return Err(objects::Error::NotImplemented(name.to_owned()).into());
    }
    if header(headers, "x-amz-bucket-object-lock-enabled").is_some_and(|value| value != "false") {
        let name = "x-amz-bucket-object-lock-enabled";
        return Err(objects::Error::NotImplemented(name.to_owned()).into());
    }
    let BucketOwners { own, source } = bucket_owners(headers);
    let is_account = |id: &&String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    if let Some(wrong) = [own, source].iter().flatten().find(|id| !is_account(id)) {
        let shown: String = wrong.chars().take(64).collect();
        let message = format!(
            "The value of the expected bucket owner parameter must be an AWS Account ID... [{shown}]"
        );
        return Err(refused("InvalidBucketOwnerAWSAccountID", 400, &message).into());
    }
    match header(headers, "x-amz-acl") {
        None | Some("private" | "bucket-owner-full-control") => Ok(()),
        Some(_) => Err(no_lists().into()),
    }
}

/// As buckets are made since April 2023: access control lists are off.
pub(super) fn no_lists() -> crate::service::S3Refusal {
    refused("AccessControlListNotSupported", 400, "The bucket does not allow ACLs")
}

/// Headers that would change what is done.
const REFUSED: [&str; 5] = [
    "x-amz-bypass-governance-retention",
    "x-amz-if-match-last-modified-time",
    "x-amz-if-match-size",
    "x-amz-mfa",
    "x-amz-write-offset-bytes",
];

/// Whether a request's trailers are there to be asked.
pub(super) fn of_chunks(trailers: Option<s3s::TrailingHeaders>) -> Trailing {
    trailers.map_or(Trailing::None, Trailing::Checked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn one_range_is_a_range_and_anything_else_the_whole() {
        for (text, wanted) in [
            ("bytes=0-9", Some(RangeAsked::FromTo(0, Some(9)))),
            ("bytes=5-", Some(RangeAsked::FromTo(5, None))),
            ("bytes=-7", Some(RangeAsked::Last(7))),
            ("bytes=0-1,5-6", None),
            ("bytes=9-0", None),
            ("bytes=-", None),
            ("bytes=+1-2", None),
            ("bytes=99999999999999999999-", None),
            ("items=0-1", None),
            ("", None),
        ] {
            assert_eq!(range(&headers(&[("range", text)])), wanted, "{text}");
        }
    }

    #[test]
    fn attributes_are_what_is_kept_with_an_object() {
        let given = attributes(&headers(&[
            ("content-type", "text/plain"),
            ("content-encoding", "aws-chunked,gzip"),
            ("x-amz-storage-class", "STANDARD"),
            ("x-amz-meta-case", "7"),
            ("x-amz-tagging", "a=b%20c&d="),
            ("user-agent", "x"),
        ]));
        let Ok(given) = given else { panic!("refused") };
        assert_eq!(given.headers["content-type"], "text/plain");
        assert_eq!(given.headers["content-encoding"], "gzip");
        assert_eq!((given.headers.len(), given.metadata["case"].as_str()), (2, "7"));
        assert_eq!((given.tags["a"].as_str(), given.tags["d"].as_str()), ("b c", ""));
        assert!(attributes(&headers(&[("x-amz-tagging", "a=1&a=2")])).is_err());
        assert!(attributes(&headers(&[("x-amz-storage-class", "GOLD")])).is_err());
    }

    #[test]
    fn etags_lose_their_quotes() {
        let asked = conditions(&headers(&[
            ("if-match", "\"a\", W/\"b\",c"),
            ("if-none-match", "*"),
            ("if-modified-since", "Wed, 25 Nov 2026 10:00:00 GMT"),
            ("if-unmodified-since", "yesterday"),
        ]));
        let these = ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(asked.if_match, Some(Etags::These(these)));
        assert_eq!(asked.if_none_match, Some(Etags::Any));
        assert_eq!(asked.if_modified_since.unwrap().timestamp(), 1_795_600_800);
        assert_eq!(asked.if_unmodified_since, None);
    }

    #[test]
    fn what_is_not_done_is_refused() {
        for (name, value, refused) in [
            ("x-amz-acl", "private", false),
            ("x-amz-acl", "public-read", true),
            ("x-amz-grant-read", "id=1", true),
            ("x-amz-object-lock-mode", "COMPLIANCE", true),
            ("x-amz-mfa", "1 2", true),
            ("x-amz-expected-bucket-owner", "111122223333", false),
            ("x-amz-expected-bucket-owner", "somebody", true),
            ("x-amz-source-expected-bucket-owner", "", true),
            ("x-amz-request-payer", "requester", false),
        ] {
            assert_eq!(check_supported(&headers(&[(name, value)])).is_err(), refused, "{name}");
        }
    }
}
