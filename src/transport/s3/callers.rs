//! Who calls: what a request says of its signature, and whether that holds.
//!
//! Where callers are known, `s3s` compares signatures, with secrets that the service gives it: of headers,
//! presigned URLs, forms, and each chunk of a body. Otherwise they are read and believed, as at AWS's other
//! doors. Either way what signs is taken off before the operation is looked for.
//!
//! Sources: Amazon S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; AWS's own messages.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, Uri};
use parking_lot::Mutex;
use s3s::auth::{S3Auth, SecretKey};
use s3s::host::S3Host;
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders};

use super::answers::refusal;
use crate::service::{S3Refusal, Service};
use crate::transport::sigv4::{Presented, header};

/// Refuses what is older than Signature Version 4.
///
/// # Errors
/// `InvalidRequest`, as AWS's newer regions say it.
pub(super) fn refuse_version_2(parts: &Parts) -> Result<(), S3Refusal> {
    let value = parts.headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    let by_header = value.is_some_and(|value| value.starts_with(b"AWS "));
    let has = |name: &str| query_value(parts, name).is_some();
    match by_header || (has("Signature") && has("AWSAccessKeyId")) {
        true => Err(version_2()),
        false => Ok(()),
    }
}

/// Refuses what is signed twice: who reads the one and who reads the other would believe two callers.
///
/// # Errors
/// `InvalidArgument`, as AWS says it.
pub(super) fn refuse_several(parts: &Parts) -> Result<(), S3Refusal> {
    let headers = parts.headers.get_all(AUTHORIZATION).iter().count();
    let in_query = ["X-Amz-Signature", "X-Amz-Credential", "X-Amz-Algorithm"]
        .iter()
        .any(|name| query_value(parts, name).is_some());
    if headers + usize::from(in_query) < 2 {
        return Ok(());
    }
    Err(refused(
        "InvalidArgument",
        400,
        "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query \
         string parameter or the Authorization header should be specified",
    ))
}

/// What Signature Version 2 is answered.
pub(super) fn version_2() -> S3Refusal {
    refused(
        "InvalidRequest",
        400,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

/// Holds a presigned URL against the time.
///
/// # Errors
/// `AuthorizationQueryParametersError`, or `AccessDenied` for one that is over.
pub(super) fn check_expiry(
    parts: &Parts,
    begun: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<(), S3Refusal> {
    let wrong = |message: &str| refused("AuthorizationQueryParametersError", 400, message);
    let text = query_value(parts, "X-Amz-Expires");
    let (text, begun) = text.zip(begun).ok_or_else(|| {
        wrong(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
             X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        )
    })?;
    let seconds: i64 = text.parse().map_err(|_| wrong("X-Amz-Expires should be a number"))?;
    if seconds < 0 {
        return Err(wrong("X-Amz-Expires must be non-negative"));
    }
    if seconds > WEEK {
        return Err(wrong(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
             must be less than 604800 seconds",
        ));
    }
    let over = begun + TimeDelta::seconds(seconds);
    if over < now {
        let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let mut expired = refused("AccessDenied", 403, "Request has expired");
        expired.details =
            vec![("X-Amz-Expires", text), ("Expires", time(over)), ("ServerTime", time(now))];
        return Err(expired);
    }
    Ok(())
}

/// Seconds that a presigned URL holds at the most.
const WEEK: i64 = 7 * 24 * 60 * 60;

/// What has to be so of a request before its signature is looked at: it is for S3, and covers what decides.
///
/// # Errors
/// `AuthorizationHeaderMalformed`, `AccessDenied`.
pub(super) fn check_scope(parts: &Parts, found: &Presented) -> Result<(), S3Refusal> {
    if found.service != "s3" {
        let message = format!(
            "The authorization header is malformed; incorrect service \"{}\". This endpoint belongs to \
             \"s3\".",
            found.service.chars().take(32).collect::<String>()
        );
        return Err(refused("AuthorizationHeaderMalformed", 400, &message));
    }
    let mut unsigned = found.unsigned_headers(&parts.headers);
    if is_presigned(parts) {
        // A URL is signed before the body is known.
        unsigned.retain(|name| name != "x-amz-content-sha256");
    }
    if unsigned.is_empty() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed";
    let mut refusal = refused("AccessDenied", 403, message);
    refusal.details = vec![("HeadersNotSigned", unsigned.join(", "))];
    Err(refusal)
}

/// Whether the URL has the signature.
pub(super) fn is_presigned(parts: &Parts) -> bool {
    !parts.headers.contains_key(AUTHORIZATION) && query_value(parts, "X-Amz-Signature").is_some()
}

/// Takes off what signs: the operation that is looked for next has no part in it. What a presigned URL says for
/// headers (some of AWS's SDKs write all of `x-amz-` there) becomes one.
pub(super) fn strip(parts: &mut Parts) {
    if is_presigned(parts) {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let name = name.to_ascii_lowercase();
            let is_header = name.starts_with("x-amz-") && name != "x-amz-content-sha256";
            let signs = SIGNING.iter().any(|signing| name.eq_ignore_ascii_case(signing));
            if let (true, false, Ok(name), Ok(value)) = (
                is_header,
                signs,
                HeaderName::try_from(name),
                HeaderValue::try_from(value.as_bytes()),
            ) {
                parts.headers.entry(name).or_insert(value);
            }
        }
    }
    for name in [AUTHORIZATION.as_str(), "x-amz-security-token", "x-amz-date"] {
        parts.headers.remove(name);
    }
    let Some(query) = parts.uri.query() else { return };
    let signs = |pair: &&str| {
        let name = pair.split_once('=').map_or(*pair, |(name, _)| name);
        SIGNING.iter().any(|signing| name.eq_ignore_ascii_case(signing))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !signs(pair)).collect();
    let path = parts.uri.path();
    let text = if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    if let Ok(text) = PathAndQuery::try_from(text) {
        let mut uri = std::mem::take(&mut parts.uri).into_parts();
        uri.path_and_query = Some(text);
        parts.uri = Uri::from_parts(uri).unwrap_or_default();
    }
}

/// The parameters of a presigned URL.
const SIGNING: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

fn query_value(parts: &Parts, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

pub(super) fn refused(code: &str, status: u16, message: &str) -> S3Refusal {
    let (code, message) = (code.to_owned(), message.to_owned());
    S3Refusal { code, status, message, details: Vec::new() }
}

/// The secrets that `s3s` checks signatures with.
pub(super) struct Secrets(pub(super) Arc<Service>);

#[async_trait::async_trait]
impl S3Auth for Secrets {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let secret = self.0.signing_secret(access_key);
        let secret = secret.as_ref().and_then(|secret| std::str::from_utf8(secret.expose()).ok());
        secret.map(SecretKey::from).ok_or_else(|| S3Error::new(S3ErrorCode::InvalidAccessKeyId))
    }
}

/// Checks signatures, and does nothing else: whatever passes is caught.
pub(super) struct Gate(S3Service);

/// A request whose signature holds.
pub(super) struct Passed {
    /// Whose signature it is that holds; none where `s3s` has found none.
    pub(super) access_key: Option<String>,
    pub(super) body: Body,
    pub(super) headers: HeaderMap,
    pub(super) trailers: Option<TrailingHeaders>,
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Option<S3Request<Body>>>>);

impl Gate {
    pub(super) fn new(service: &Arc<Service>, host: impl S3Host) -> Self {
        let mut builder = S3ServiceBuilder::new(Nothing);
        builder.set_auth(Secrets(Arc::clone(service)));
        builder.set_route(Catch);
        builder.set_host(host);
        Self(builder.build())
    }

    /// Compares a signature; those of chunks are compared while the body is read.
    ///
    /// # Errors
    /// What `s3s` refuses.
    pub(super) async fn pass(&self, parts: &Parts, body: Body) -> Result<Passed, S3Refusal> {
        let mut request = http::Request::new(body);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = parts.version;
        request.headers_mut().clone_from(&parts.headers);
        for (name, value) in request.headers_mut() {
            // It may be printed by `s3s`.
            value.set_sensitive(is_secret(name.as_str()));
        }
        let caught = Caught::default();
        request.extensions_mut().insert(caught.clone());
        let answer = self.0.call(request).await;
        if let Some(request) = caught.0.lock().take() {
            let S3Request { input, headers, trailing_headers, credentials, .. } = request;
            let access_key = credentials.map(|credentials| credentials.access_key);
            return Ok(Passed { access_key, body: input, headers, trailers: trailing_headers });
        }
        Err(of_answer(answer))
    }
}

/// What `s3s` has refused.
pub(super) fn of_answer(answer: Result<http::Response<Body>, s3s::HttpError>) -> S3Refusal {
    let document = |answer: &http::Response<Body>| answer.body().bytes();
    match &answer {
        Ok(answer) => {
            let document = document(answer).unwrap_or_default();
            refusal(answer.status(), &String::from_utf8_lossy(&document))
        }
        Err(_) => {
            refused("InternalError", 500, "We encountered an internal error. Please try again.")
        }
    }
}

/// Headers whose values are nobody's business.
pub(super) fn is_secret(name: &str) -> bool {
    let known = [AUTHORIZATION.as_str(), "x-amz-security-token"];
    known.contains(&name) || name.ends_with("-customer-key")
}

/// No operation at all.
struct Nothing;

impl S3 for Nothing {}

struct Catch;

#[async_trait::async_trait]
impl S3Route for Catch {
    fn is_match(&self, _: &Method, _: &Uri, _: &HeaderMap, _: &mut Extensions) -> bool {
        true
    }

    async fn check_access(&self, _: &mut S3Request<Body>) -> S3Result<()> {
        Ok(())
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        if let Some(caught) = request.extensions.get::<Caught>().cloned() {
            *caught.0.lock() = Some(request);
        }
        Ok(S3Response::new(Body::empty()))
    }
}

/// The hash of the payload that a request's header has, or how its body is cut into chunks.
pub(super) fn payload(headers: &HeaderMap) -> Payload {
    match header(headers, "x-amz-content-sha256").unwrap_or_default() {
        text if text.starts_with("STREAMING-") => Payload::Chunks,
        text => {
            let mut hash = [0; 32];
            match hex::decode_to_slice(text, &mut hash) {
                Ok(()) => Payload::Hashed(hash),
                Err(_) => Payload::Plain,
            }
        }
    }
}

/// How a body comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Payload {
    Plain,
    Hashed([u8; 32]),
    Chunks,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_signs_is_taken_off_and_nothing_else() {
        let uri = "http://h/b/a%2Fb//..?X-Amz-Algorithm=AWS4-HMAC-SHA256&versionId=%41&X-Amz-Signature=0\
                   &X-Amz-Credential=a%2Fb&uploads&X-Amz-Expires=1&x=1";
        let mut parts = parts(uri, &[("authorization", "a"), ("x-amz-date", "b"), ("range", "c")]);
        strip(&mut parts);
        assert_eq!(parts.uri.to_string(), "http://h/b/a%2Fb//..?versionId=%41&uploads&x=1");
        assert_eq!(parts.headers.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["range"]);
    }

    #[test]
    fn older_signatures_are_refused() {
        let v2 = [("authorization", "AWS AKID:sig")];
        assert!(refuse_version_2(&parts("/b", &v2)).is_err());
        assert!(
            refuse_version_2(&parts("/b?AWSAccessKeyId=a&Signature=b&Expires=1", &[])).is_err()
        );
        let v4 = [("authorization", "AWS4-HMAC-SHA256 Credential=…")];
        assert!(refuse_version_2(&parts("/b?Signature=only", &v4)).is_ok());
    }

    #[test]
    fn a_presigned_url_holds_for_its_time_and_a_week_at_the_most() {
        let begun = DateTime::from_timestamp(1_000_000, 0);
        let check = |query: &str, after: i64| {
            let now = DateTime::from_timestamp(1_000_000 + after, 0).unwrap();
            let parts = parts(&format!("/b?{query}"), &[]);
            check_expiry(&parts, begun, now).map_err(|refusal| (refusal.code, refusal.status))
        };
        assert_eq!(check("X-Amz-Expires=60", 60), Ok(()));
        assert_eq!(check("X-Amz-Expires=60", 61), Err(("AccessDenied".to_owned(), 403)));
        assert_eq!(check("X-Amz-Expires=604800", 604_800), Ok(()));
        for query in ["", "X-Amz-Expires=604801", "X-Amz-Expires=-1", "X-Amz-Expires=soon"] {
            let (code, status) = check(query, 0).unwrap_err();
            assert_eq!((code.as_str(), status), ("AuthorizationQueryParametersError", 400));
        }
    }

    #[test]
    fn what_decides_has_to_be_signed_and_for_s3() {
        let check = |service: &str, signed: &str, header: &'static str| {
            let scope = format!("AKID%2F20261125%2Fus-east-1%2F{service}%2Faws4_request");
            let uri = format!(
                "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={scope}&X-Amz-Expires=60\
                 &X-Amz-Date=20261125T000000Z&X-Amz-SignedHeaders={signed}&X-Amz-Signature=0"
            );
            let parts = parts(&uri, &[("host", "h"), (header, "x")]);
            let found = crate::transport::sigv4::presented(&parts).unwrap().unwrap();
            check_scope(&parts, &found).map_err(|refusal| refusal.code)
        };
        let denied = Err("AccessDenied".to_owned());
        assert_eq!(check("s3", "host", "x-amz-content-sha256"), Ok(()));
        assert_eq!(check("s3", "host", "content-type"), Ok(()));
        // Who has a link to write one object could have another one copied over it.
        assert_eq!(check("s3", "host", "x-amz-copy-source"), denied);
        assert_eq!(check("s3", "host%3Bx-amz-copy-source", "x-amz-copy-source"), Ok(()));
        assert_eq!(check("s3", "content-type", "content-type"), denied);
        let other = Err("AuthorizationHeaderMalformed".to_owned());
        assert_eq!(check("kms", "host", "content-type"), other);
    }

    #[test]
    fn a_payload_is_hashed_or_cut_or_neither() {
        let of = |value: &str| payload(&parts("/", &[("x-amz-content-sha256", value)]).headers);
        assert_eq!(of(&"ab".repeat(32)), Payload::Hashed([0xab; 32]));
        assert_eq!(of("STREAMING-UNSIGNED-PAYLOAD-TRAILER"), Payload::Chunks);
        assert_eq!(of("UNSIGNED-PAYLOAD"), Payload::Plain);
        assert_eq!(payload(&HeaderMap::new()), Payload::Plain);
    }
}
