//! Amazon S3's REST protocol, on `s3s`: paths, queries, XML, forms and signatures are read and written by it; what
//! is asked is decided by the service. An adapter: no other file of this program knows that crate.
//!
//! A request goes through three hands. `callers.rs` reads who calls and has the signature checked, where callers are
//! known; what signs is then taken off. `s3s` finds the operation and reads its query and XML; it sees none of
//! the headers that `asked.rs` reads. The operation's handler translates, calls the service and translates
//! back; what became of the call lies in the `exchange::Exchange`, and `answers.rs` renders it.
//!
//! What `s3s` refuses by itself is recorded as every other refusal, and answered in S3's whole document.
//! Rules for pages of other sites (CORS) and lifecycle rules are stored and read back, not applied. `POST` of a
//! form keeps the file in memory, [`FORM_FILE_BYTES`] at the most.
//!
//! Source: Amazon S3 API Reference (2006-03-01).
//!
//! | file | noun |
//! |---|---|
//! | `callers.rs` | who calls: signatures of headers, URLs, forms and chunks |
//! | `chunked.rs` | bodies in chunks, where nobody checks their signatures |
//! | `documents.rs` | bodies that are no object's bytes, held against what is said of them |
//! | `forms.rs` | the fields of a form that come before its file, and its policy |
//! | `hosts.rs` | buckets in the name that a request is addressed to |
//! | `exchange.rs` | one request and its answer |
//! | `asked.rs` | what headers ask for |
//! | `answers.rs` | what every answer carries; the error document |
//! | `operations.rs` | which handler an operation has |
//! | `buckets.rs`, `settings.rs`, `objects.rs`, `tagging.rs`, `copies.rs`, `uploads.rs`, `listing.rs`, `unset.rs` | one translation each way an operation |
//! | `routes.rs`, `rules.rs` | what `s3s` has no operation for: re-encryption of an object; a bucket's encryption and its document |

mod answers;
mod asked;
mod buckets;
mod callers;
mod chunked;
mod copies;
mod documents;
mod exchange;
mod forms;
mod hosts;
mod listing;
mod objects;
mod operations;
mod routes;
mod rules;
mod settings;
mod tagging;
mod unset;
mod uploads;

use std::sync::Arc;

use axum::body::{Body as AxumBody, HttpBody as _};
use axum::extract::Request;
use axum::response::Response;
use futures_util::TryStreamExt;
use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, EXPECT,
    HOST, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use http_body_util::StreamBody;
use hyper::body::Frame;
use s3s::Body;
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::service::{S3Service, S3ServiceBuilder};

use self::callers::{Gate, Payload, Secrets};
use self::chunked::Trailers;
pub use self::chunked::decoded;
use self::exchange::{Exchange, Trailing};
use self::forms::{FIELDS_BYTES, Form};
pub use self::hosts::{Domain, Domains, NotADomain};
pub use self::rules::read_encryption;
use crate::service::{ByteStream, Caller, Credential, Error, Service};
use crate::transport::body::{Kept, paced};
use crate::transport::sigv4::{arriving, header, presented};

/// S3's door.
pub(super) struct Door {
    service: Arc<Service>,
    /// Checks signatures.
    gate: Gate,
    /// Finds operations.
    inner: S3Service,
}

/// Bytes of a form's file at the most; it is in memory until it is written.
pub const FORM_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// How old a form's signature is at the most, in seconds: a week, as presigned URLs.
const FORM_AGE: u32 = 7 * 24 * 60 * 60;

/// A request that goes no further, and by whom it is known.
struct Turned(Box<(Caller, Error)>);

impl Door {
    pub(super) fn new(service: &Arc<Service>, domains: &Domains) -> Self {
        let mut builder = S3ServiceBuilder::new(operations::Operations);
        let mut config = S3Config::default();
        config.xml_max_body_size = operations::XML_BYTES;
        config.post_object_max_file_size = FORM_FILE_BYTES;
        config.form_max_field_size = FIELDS_BYTES;
        config.form_max_fields_size = FIELDS_BYTES;
        config.form_max_parts = 100;
        config.normalize_forward_slash_path = false;
        // Here that is of forms alone, which hold as long as their policies say.
        config.presigned_url_max_skew_time_secs = FORM_AGE;
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        builder.set_auth(Secrets(Arc::clone(service)));
        builder.set_access(operations::Resolved);
        builder.set_route(routes::Routes::new(domains.clone()));
        builder.set_host(domains.clone());
        let gate = Gate::new(service, domains.clone());
        Self { service: Arc::clone(service), gate, inner: builder.build() }
    }

    /// Answers one request.
    pub(super) async fn handle(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let is_head = parts.method == Method::HEAD;
        let resource = hosts::decoded(parts.uri.path());
        let expects = parts.headers.contains_key(EXPECT);
        let caller = arriving(&parts, DOOR);
        let is_empty = body.is_end_stream();
        let (kept, body) = Kept::new(paced(body));
        let (exchange, success) = match self.arrive(&mut parts, body, caller).await {
            Ok((mut exchange, body)) => {
                exchange.query = parts.uri.query().unwrap_or_default().to_owned();
                exchange.caller.bucket_owners = asked::bucket_owners(&exchange.headers);
                let exchange = Arc::new(exchange);
                let body = documents::held(body, &exchange);
                let answer = self.inner.call(inner_request(parts, &exchange, body)).await;
                if exchange.is_answered() {
                    (exchange, answer.ok().filter(|answer| !answer.status().is_server_error()))
                } else {
                    match exchange.broken() {
                        Some(error) => exchange.refuse(error).await,
                        None => self.refused_by_s3s(&exchange, callers::of_answer(answer)).await,
                    }
                    (exchange, None)
                }
            }
            Err(Turned(turned)) => {
                let (caller, error) = *turned;
                let exchange = Exchange::new(Arc::clone(&self.service), caller, HeaderMap::new());
                exchange.refuse(error).await;
                (Arc::new(exchange), None)
            }
        };
        let mut answer = match exchange.answered() {
            Some(answered) => answers::render(answered, success, is_head, &resource),
            None => answers::unanswered(),
        };
        // Who waits to be told to go on is told that it need not.
        let is_refusal = !(answer.status().is_success() || answer.status().is_informational());
        // And an empty body is never read, so that nobody was told: some clients then lose the next answer.
        let rests = !(expects && (is_refusal || is_empty)) && kept.drop_rest().await;
        if !rests {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // What somebody has stored is no page of this origin, which is the console's, too.
        let headers = answer.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    /// Finds out who calls, and makes a request of it that nobody needs to prove any more.
    async fn arrive(
        &self,
        parts: &mut Parts,
        body: AxumBody,
        mut caller: Caller,
    ) -> Result<(Exchange, Body), Turned> {
        caller.credential = Credential::anonymous();
        let turn = |caller: &Caller, error: Error| Turned(Box::new((caller.clone(), error)));
        self.service.admit().map_err(|error| turn(&caller, error))?;
        let presented_once = callers::refuse_version_2(parts).and(callers::refuse_several(parts));
        presented_once.map_err(|refusal| turn(&caller, Error::S3(refusal)))?;
        if is_form(parts) {
            return self.arrive_as_form(parts, body, caller).await;
        }
        let found = match presented(parts) {
            Ok(found) => found,
            Err(what) => {
                let malformed = Credential::malformed(what.clone());
                let caller = Caller { credential: malformed, ..caller };
                return Err(turn(&caller, Error::IncompleteSignature(what)));
            }
        };
        let Some(found) = found else { return self.read_only(parts, body, caller) };
        caller.region.clone_from(&found.region);
        let expiry = match callers::is_presigned(parts) {
            true => callers::check_expiry(parts, found.time, self.service.clock().now()),
            false => Ok(()),
        };
        if !self.service.knows_callers() {
            caller.credential = Credential::unproved(found.id, found.session_token);
            expiry.map_err(|refusal| turn(&caller, Error::S3(refusal)))?;
            return self.read_only(parts, body, caller);
        }
        let checked = callers::check_scope(parts, &found).and(expiry);
        checked.map_err(|refusal| turn(&caller, Error::S3(refusal)))?;
        let body = match callers::payload(&parts.headers) {
            Payload::Chunks => of_stream(chunked::bounded(to_stream(body))),
            _ => Body::http_body_unsync(body),
        };
        let passed = match self.gate.pass(parts, body).await {
            Ok(passed) => passed,
            Err(refusal) => {
                match refusal.code.as_str() {
                    "SignatureDoesNotMatch" => {
                        let what = refusal.message.clone();
                        caller.credential = Credential::disproved(found.id, what);
                    }
                    "InvalidAccessKeyId" => {
                        caller.credential = Credential::unproved(found.id, None);
                    }
                    _ => {}
                }
                return Err(turn(&caller, Error::S3(refusal)));
            }
        };
        // The signature that was checked has to be the one that is believed.
        if passed.access_key.as_deref() != Some(found.id.as_str()) {
            let what = "The signature is not that of the access key that the request names.";
            caller.credential = Credential::disproved(found.id, what.to_owned());
            return Err(turn(&caller, Error::InvalidSignature(what.to_owned())));
        }
        caller.credential = Credential::proved(found.id, found.session_token);
        parts.headers = passed.headers;
        callers::strip(parts);
        let headers = parts.headers.clone();
        let mut exchange = Exchange::new(Arc::clone(&self.service), caller, headers);
        exchange.trailers = asked::of_chunks(passed.trailers);
        exchange.hash_checked = true;
        Ok((exchange, passed.body))
    }

    /// The request of somebody who need not prove anything.
    fn read_only(
        &self,
        parts: &mut Parts,
        body: AxumBody,
        caller: Caller,
    ) -> Result<(Exchange, Body), Turned> {
        let chunks = callers::payload(&parts.headers) == Payload::Chunks;
        callers::strip(parts);
        if !chunks {
            let headers = parts.headers.clone();
            let exchange = Exchange::new(Arc::clone(&self.service), caller, headers);
            return Ok((exchange, Body::http_body_unsync(body)));
        }
        let length = header(&parts.headers, "x-amz-decoded-content-length");
        let Some(length) = length.and_then(|length| length.parse().ok()) else {
            let message = "You must provide the x-amz-decoded-content-length HTTP header.";
            let refusal = callers::refused("MissingContentLength", 411, message);
            return Err(Turned(Box::new((caller, Error::S3(refusal)))));
        };
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        let mut exchange = Exchange::new(Arc::clone(&self.service), caller, parts.headers.clone());
        let trailers = Trailers::default();
        exchange.trailers = Trailing::Read(trailers.clone());
        Ok((exchange, of_stream(chunked::decode(to_stream(body), length, trailers))))
    }

    /// A form is signed by its fields, which `s3s` reads.
    async fn arrive_as_form(
        &self,
        parts: &mut Parts,
        body: AxumBody,
        mut caller: Caller,
    ) -> Result<(Exchange, Body), Turned> {
        let form = Form::read(to_stream(body)).await;
        let mut form = form.map_err(|why| Turned(Box::new((caller.clone(), why.into()))))?;
        form.check_plain()
            .map_err(|refusal| Turned(Box::new((caller.clone(), Error::S3(refusal)))))?;
        if form.field("signature").is_some() || form.field("awsaccesskeyid").is_some() {
            return Err(Turned(Box::new((caller, Error::S3(callers::version_2())))));
        }
        let mut key = None;
        if let Some(scope) = form.field("x-amz-credential") {
            let mut fields = scope.rsplitn(5, '/').skip(2);
            caller.region = fields.next().unwrap_or_default().to_owned();
            let id = fields.nth(1).unwrap_or_default().to_owned();
            key = Some((id, form.field("x-amz-security-token")));
        }
        if !self.service.knows_callers() {
            form.ignore_signature();
            if let Some((id, token)) = key.clone() {
                caller.credential = Credential::unproved(id, token);
            }
        }
        callers::strip(parts);
        let headers = parts.headers.clone();
        let mut exchange = Exchange::new(Arc::clone(&self.service), caller, headers);
        exchange.form_key = key;
        exchange.form_policy = form.field("policy");
        Ok((exchange, of_stream(form.into_body())))
    }

    /// Records what `s3s` has refused.
    async fn refused_by_s3s(&self, exchange: &Exchange, mut refusal: crate::service::S3Refusal) {
        if exchange.form_policy.is_some() {
            forms::in_awss_words(&mut refusal);
        }
        let mut caller = exchange.caller.clone();
        if let Some((id, _)) = exchange.form_key.clone() {
            match refusal.code.as_str() {
                "SignatureDoesNotMatch" => {
                    caller.credential = Credential::disproved(id, refusal.message.clone());
                }
                "InvalidAccessKeyId" => caller.credential = Credential::unproved(id, None),
                _ => {}
            }
        }
        exchange.refuse_as(caller, Error::S3(refusal)).await;
    }
}

/// As records name this door.
const DOOR: &str = "s3";

/// The request that `s3s` looks an operation up for: of the headers, those alone that this takes.
fn inner_request(parts: Parts, exchange: &Arc<Exchange>, body: Body) -> http::Request<Body> {
    let mut request = http::Request::new(body);
    *request.method_mut() = parts.method;
    *request.uri_mut() = parts.uri;
    *request.version_mut() = parts.version;
    let headers = request.headers_mut();
    for name in [HOST.as_str(), "content-length", "x-amz-copy-source", "x-amz-object-attributes"] {
        for value in parts.headers.get_all(name) {
            headers.append(http::HeaderName::from_static(name), value.clone());
        }
    }
    let form = header(&parts.headers, "content-type").filter(|kind| is_multipart(kind));
    if let Some(kind) = form.and_then(|kind| HeaderValue::try_from(kind).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    headers.remove(CONTENT_ENCODING);
    request.extensions_mut().insert(Arc::clone(exchange));
    request
}

/// `POST` from a browser.
fn is_form(parts: &Parts) -> bool {
    parts.method == Method::POST && header(&parts.headers, "content-type").is_some_and(is_multipart)
}

fn is_multipart(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("multipart/form-data")
}

fn to_stream(body: AxumBody) -> ByteStream {
    Box::pin(body.into_data_stream().map_err(std::io::Error::other))
}

fn of_stream(body: ByteStream) -> Body {
    Body::http_body_unsync(StreamBody::new(body.map_ok(Frame::data)))
}
