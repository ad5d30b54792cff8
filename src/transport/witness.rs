//! The door of a witness: `POST /add-checkpoint`, as C2SP tlog-witness has it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::body;
use crate::audit::{AddCheckpoint, Refusal};
use crate::service::{Unread, Witnessing};

/// Everything that a witness answers.
pub fn witness_router(witness: &Arc<Witnessing>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/_strongroom/health", get(async || "running\n"))
        .with_state(Arc::clone(witness))
}

async fn add_checkpoint(State(witness): State<Arc<Witnessing>>, sent: Body) -> Response {
    let sent = match body::whole(sent, AddCheckpoint::MAX_LEN).await {
        Ok(sent) => sent,
        Err(unread) => {
            let status = match unread {
                Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                _ => StatusCode::BAD_REQUEST,
            };
            return (status, "the request cannot be read\n").into_response();
        }
    };
    match witness.add_checkpoint(sent).await {
        Ok(lines) => ([(CONTENT_TYPE, "text/plain; charset=utf-8")], lines).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Backwards | Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::Conflict { size } => {
            let size = format!("{size}\n");
            return (StatusCode::CONFLICT, [(CONTENT_TYPE, SIZE)], size).into_response();
        }
        Refusal::Inconsistent { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Signature => StatusCode::FORBIDDEN,
        Refusal::Store(_) | Refusal::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        Refusal::UnknownLog => StatusCode::NOT_FOUND,
    };
    (status, format!("{refusal}\n")).into_response()
}

/// What a witness's size is sent as.
pub(super) const SIZE: &str = "text/x.tlog.size";
