//! The record of calls that reached no operation: an oversized or malformed message, a method that does
//! not exist, one more than are answered in a second. They still belong into the trail.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Extensions;
use tonic::{Code, Status};

use super::answer::{LOG_INDEX, answer};
use super::caller::caller;
use crate::service::{Error, Service};
use crate::transport::body::timed;
use crate::transport::listener::Peer;

/// Notices answers that no operation gave.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Service>);

impl Recorder {
    pub(super) fn new(service: Arc<Service>) -> Self {
        Self(service)
    }
}

/// Passes a request on; records it when it came back refused and unrecorded.
pub(super) async fn record(
    State(recorder): State<Recorder>,
    request: Request,
    next: Next,
) -> Response {
    // Reflection alone is asked on a stream that stays open.
    let request = match request.uri().path().starts_with("/grpc.reflection.") {
        true => return next.run(request).await,
        false => request.map(timed),
    };
    let Some(operation) = request.uri().path().strip_prefix("/strongroom.v1.") else {
        return next.run(request).await;
    };
    let operation = operation.rsplit('/').next().unwrap_or_default();
    let operation: String =
        operation.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
    let (headers, peer) = (request.headers().clone(), request.extensions().get().cloned());
    let refuse = async |error| {
        let mut extensions = Extensions::new();
        if let Some(peer) = peer {
            extensions.insert::<ConnectInfo<Peer>>(peer);
        }
        let who = caller(&headers, &extensions);
        let action = format!("strongroom:{operation}");
        let reply = recorder.0.refuse(who, &operation, &action, error).await;
        let never = |never: Infallible| -> Infallible { match never {} };
        match answer(reply, never) {
            Ok(answered) => match answered.into_inner() {},
            Err(refused) => refused.into_http::<Body>(),
        }
    };
    if let Err(error) = recorder.0.admit() {
        return refuse(error).await;
    }
    let response = next.run(request).await;
    if response.headers().contains_key(LOG_INDEX) {
        return response;
    }
    let Some(refused) = Status::from_header_map(response.headers()) else {
        return response; // a stream that has begun was recorded by its operation
    };
    let error = match refused.code() {
        Code::Ok => return response,
        // The service already failed to record this call; trying again would fail the same way.
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => return response,
        Code::Unimplemented => Error::UnknownOperation,
        Code::OutOfRange | Code::ResourceExhausted => Error::RequestTooLarge,
        _ => Error::Malformed(refused.message().to_owned()),
    };
    refuse(error).await
}
