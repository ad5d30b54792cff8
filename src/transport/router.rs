//! Which door a request goes to.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::s3::{self, Domains};
use super::sigv4::header;
use super::{aws_json, console, grpc, log_files, pages, sts};
use crate::service::{Credential, Error, Service};

/// What the handlers here have in common.
#[derive(Clone)]
struct Doors {
    service: Arc<Service>,
    s3: Arc<s3::Door>,
}

impl FromRef<Doors> for Arc<Service> {
    fn from_ref(doors: &Doors) -> Self {
        Self::clone(&doors.service)
    }
}

/// Everything that one port answers. `domains` are the names under which buckets are asked for by name.
///
/// # Errors
/// When the reflection service cannot read the compiled descriptors.
pub fn router(
    service: &Arc<Service>,
    domains: &Domains,
) -> Result<Router, tonic_reflection::server::Error> {
    let doors =
        Doors { service: Arc::clone(service), s3: Arc::new(s3::Door::new(service, domains)) };
    let plain = Router::new()
        .route("/_strongroom/health", get(health))
        .route("/_strongroom/metrics", get(metrics))
        .route("/_strongroom/reset", post(reset))
        .route(log_files::ROUTE, get(log_files::read))
        .route("/", post(aws).get(query).fallback(object))
        .with_state(doors.clone());
    let plain = plain.merge(console::routes(service));
    let of_buckets = (doors.clone(), domains.clone());
    let rest = move |request| object(State(doors.clone()), request);
    let whole = plain.merge(grpc::router(service)?).fallback(rest);
    let whole = whole.layer(from_fn_with_state(of_buckets, keys_like_ours));
    let own = (Arc::clone(service), domains.clone());
    let whole = whole.layer(from_fn_with_state(own, pages::keep_out));
    Ok(whole.layer(from_fn(bounded_headers)))
}

/// Bytes of all headers of a request at the most. The connection's own bound is on its buffer, which
/// may hold more by chance.
pub(super) const HEADER_BYTES: usize = 64 * 1024;

async fn bounded_headers(request: Request, next: Next) -> Response {
    let headers = request.headers().iter();
    let length: usize = headers.map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > HEADER_BYTES {
        let text = format!("the request's headers are longer than {HEADER_BYTES} bytes\n");
        return (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, text).into_response();
    }
    next.run(request).await
}

/// Objects of a bucket that is addressed by name may be called as this service's own pages are. Those are never asked
/// for with a signature of S3; so what is, is an object.
async fn keys_like_ours(
    State((doors, domains)): State<(Doors, Domains)>,
    request: Request,
    next: Next,
) -> Response {
    let uri = request.uri();
    if uri.path().starts_with(OURS) {
        let host = header(request.headers(), "host").or(uri.authority().map(Authority::as_str));
        let signed = header(request.headers(), "authorization")
            .is_some_and(|value| value.starts_with("AWS4-HMAC-SHA256"));
        let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let signed = signed || query.into_iter().any(|(name, _)| name == "X-Amz-Signature");
        if signed && host.is_some_and(|host| domains.bucket(host).is_some()) {
            return doors.s3.handle(request).await;
        }
    }
    next.run(request).await
}

/// What the paths of this service's own pages begin with.
const OURS: &str = "/_strongroom/";

/// Whether calls are answered: 200, or 503 after a failed write.
async fn health(State(service): State<Arc<Service>>) -> Response {
    let healthy = service.is_healthy();
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if healthy { "running" } else { "stopped" };
    (status, Json(json!({ "status": word, "version": env!("CARGO_PKG_VERSION") }))).into_response()
}

/// Counts and times, as Prometheus reads them.
async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, kind)], service.metrics_text()).into_response()
}

/// Back to empty, under `--ephemeral`. Never for pages of other sites, whoever is known.
async fn reset(State(service): State<Arc<Service>>, uri: Uri, headers: HeaderMap) -> Response {
    if pages::is_from_elsewhere(&uri, &headers) {
        let message = "a page of another site may not reset this service";
        return (StatusCode::FORBIDDEN, Json(json!({ "message": message }))).into_response();
    }
    let bearer = header(&headers, "authorization").and_then(|value| value.strip_prefix("Bearer "));
    let credential = Credential::bearer(bearer.map(str::to_owned));
    let reset = tokio::task::spawn_blocking(move || service.reset(&credential)).await;
    match reset.unwrap_or(Err(Error::Internal)) {
        Ok(()) => Json(json!({ "status": "reset" })).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.http_status()).unwrap_or_default();
            let body = json!({ "__type": error.code(), "message": error.to_string() });
            (status, Json(body)).into_response()
        }
    }
}

/// `POST /`: AWS's JSON and query protocols, told apart by their headers.
async fn aws(State(doors): State<Doors>, request: Request) -> Response {
    let service = Arc::clone(&doors.service);
    let (target, is_form) = {
        let text = |name: &str| header(request.headers(), name);
        let target = text("x-amz-target").and_then(aws_json::Target::parse);
        let kind = text("content-type").and_then(|kind| kind.get(..FORM.len()));
        let is_form = kind.is_some_and(|kind| kind.eq_ignore_ascii_case(FORM));
        (target, is_form)
    };
    match target {
        Some(target) => aws_json::handle(service, target, request).await,
        None if is_form || sts::is_query(request.uri().query().unwrap_or_default()) => {
            sts::handle(service, request).await
        }
        None => object(State(doors), request).await,
    }
}

/// `GET /`: AWS's query protocol, as presigned requests to STS use it.
async fn query(State(doors): State<Doors>, request: Request) -> Response {
    match request.uri().query() {
        Some(query) if sts::is_query(query) => sts::handle(doors.service, request).await,
        _ => object(State(doors), request).await,
    }
}

/// Everything else is a bucket or an object, but for what can only be meant for another door.
async fn object(State(doors): State<Doors>, request: Request) -> Response {
    let kind = header(request.headers(), "content-type").unwrap_or_default();
    if kind.starts_with("application/grpc") || request.uri().path().starts_with(OURS) {
        return unknown().await;
    }
    doors.s3.handle(request).await
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn unknown() -> Response {
    let text = "strongroom speaks gRPC (strongroom.v1, with reflection), AWS KMS's JSON and Amazon S3 \
                here; health is at /_strongroom/health\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
