//! Which door a request goes to.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::sigv4::header;
use super::{aws_json, grpc, log_files, pages, sts};
use crate::service::{Credential, Error, Service};

/// Everything that one port answers.
///
/// # Errors
/// When the reflection service cannot read the compiled descriptors.
pub fn router(service: &Arc<Service>) -> Result<Router, tonic_reflection::server::Error> {
    let plain = Router::new()
        .route("/_strongroom/health", get(health))
        .route("/_strongroom/metrics", get(metrics))
        .route("/_strongroom/reset", post(reset))
        .route(log_files::ROUTE, get(log_files::read))
        .route("/", post(aws).get(query))
        .with_state(Arc::clone(service));
    let whole = plain.merge(grpc::router(service)?).fallback(unknown);
    let whole = whole.layer(from_fn_with_state(Arc::clone(service), pages::keep_out));
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
async fn aws(State(service): State<Arc<Service>>, request: Request) -> Response {
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
        None => unknown().await,
    }
}

/// `GET /`: AWS's query protocol, as presigned requests to STS use it.
async fn query(State(service): State<Arc<Service>>, request: Request) -> Response {
    match request.uri().query() {
        Some(query) if sts::is_query(query) => sts::handle(service, request).await,
        _ => unknown().await,
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

async fn unknown() -> Response {
    let text = "strongroom speaks gRPC (strongroom.v1, with reflection) and AWS KMS's JSON here; \
                health is at /_strongroom/health\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
