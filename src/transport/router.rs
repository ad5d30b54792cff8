//! Which door a request goes to.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::grpc;
use crate::service::Service;

/// Everything that one port answers.
///
/// # Errors
/// When the reflection service cannot read the compiled descriptors.
pub fn router(service: &Arc<Service>) -> Result<Router, tonic_reflection::server::Error> {
    let plain =
        Router::new().route("/_strongroom/health", get(health)).with_state(Arc::clone(service));
    Ok(plain.merge(grpc::router(service)?).fallback(unknown))
}

/// Whether calls are answered: 200, or 503 after a failed write.
async fn health(State(service): State<Arc<Service>>) -> Response {
    let healthy = service.is_healthy();
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = if healthy { "running" } else { "stopped" };
    (status, Json(json!({ "status": word, "version": env!("CARGO_PKG_VERSION") }))).into_response()
}

async fn unknown() -> Response {
    let text = "strongroom speaks gRPC here (strongroom.v1, with reflection); \
                health is at /_strongroom/health\n";
    (StatusCode::NOT_FOUND, text).into_response()
}
