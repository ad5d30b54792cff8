//! `GET /_strongroom/log/…`: the log as files (C2SP tlog-tiles), for monitors, witnesses and mirrors.
//!
//! Who asks says so as at the other doors: a bearer token as for gRPC, or AWS's Signature Version 4 with the
//! scope of KMS.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::request::Parts;
use serde_json::json;
use tonic::Code;

use super::{grpc, sigv4};
use crate::audit::files::LogFile;
use crate::service::{Caller, Error, ReadLog, Reply, Service};

/// Where the files are.
pub(super) const ROUTE: &str = "/_strongroom/log/{*path}";

/// Answers with one file.
pub(super) async fn read(
    State(service): State<Arc<Service>>,
    Path(path): Path<String>,
    request: Request,
) -> Response {
    let Some(file) = LogFile::parse(&path) else { return absent() };
    let (parts, _) = request.into_parts();
    let caller = caller(&service, &parts);
    let Reply { request_id, log_index, result, .. } = service.call(caller, ReadLog(file)).await;
    let mut response = match result {
        Ok(None) => absent(),
        Ok(Some(bytes)) => {
            let mut response = Response::new(Body::from(bytes));
            let (kind, caching) = match file {
                LogFile::Checkpoint => ("text/plain; charset=utf-8", "no-cache"),
                // The next log under this address will be another.
                _ if !service.keeps_its_log() => (BYTES, "no-store"),
                _ if service.knows_callers() => (BYTES, "private, max-age=31536000, immutable"),
                _ => (BYTES, "public, max-age=31536000, immutable"),
            };
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
            response
        }
        Err(error) => refused(&error),
    };
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.insert("x-request-id", id);
    }
    if let Some(index) = log_index {
        headers.insert("x-audit-log-index", HeaderValue::from(index));
    }
    response
}

/// A refusal in the words that it has at every door, with HTTP's own statuses for who asks.
fn refused(error: &Error) -> Response {
    let status = match error.grpc_code() {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        _ => StatusCode::from_u16(error.http_status()).unwrap_or_default(),
    };
    let body = json!({ "__type": error.code(), "message": error.to_string() });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn absent() -> Response {
    let none = "the log has no such file, or not yet\n";
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-cache")], none).into_response()
}

const BYTES: &str = "application/octet-stream";

/// Who asks: whoever signs, or else whoever bears a token.
fn caller(service: &Service, parts: &Parts) -> Caller {
    let authorization = parts.headers.get("authorization").map(HeaderValue::as_bytes);
    let signs = match authorization {
        Some(value) => value.starts_with(b"AWS4-"),
        None => parts.uri.query().is_some_and(|query| query.contains("X-Amz-Algorithm=")),
    };
    let mut caller = match signs {
        true => sigv4::caller(service, parts, Ok(&[]), "kms"),
        false => grpc::caller(&parts.headers, &parts.extensions),
    };
    caller.door = "http";
    caller
}
