//! Replies and errors as gRPC sends them.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::service::{Error, Reply};

/// Metadata: the call's id.
pub(super) const REQUEST_ID: &str = "x-request-id";
/// Metadata: index of the call's record.
pub(super) const LOG_INDEX: &str = "x-audit-log-index";
/// Metadata: the proof of that record, where the caller asked for it: a `.tlog-proof` file.
const PROOF: &str = "x-audit-log-proof-bin";
/// `ErrorInfo.domain`.
const DOMAIN: &str = "strongroom";

/// Turns a reply into a response or a status; both carry the request id and the log index.
pub(super) fn answer<T, M>(
    reply: Reply<T>,
    translate: impl FnOnce(T) -> M,
) -> Result<Response<M>, Status> {
    let Reply { request_id, log_index, proof, result } = reply;
    let mut answered = match result {
        Ok(output) => {
            let mut response = Response::new(translate(output));
            label(response.metadata_mut(), &request_id, log_index);
            Ok(response)
        }
        Err(error) => Err(status(&error, &request_id, log_index)),
    };
    if let Some(proof) = proof {
        let proof = MetadataValue::from_bytes(&proof.encode());
        match &mut answered {
            Ok(response) => response.metadata_mut().insert_bin(PROOF, proof),
            Err(status) => status.metadata_mut().insert_bin(PROOF, proof),
        };
    }
    answered
}

/// An error as a status with a `google.rpc.ErrorInfo`.
pub(super) fn status(error: &Error, request_id: &str, log_index: Option<u64>) -> Status {
    let mut metadata = HashMap::from([("request_id".to_owned(), request_id.to_owned())]);
    if let Some(index) = log_index {
        metadata.insert("audit_log_index".to_owned(), index.to_string());
    }
    let details = ErrorDetails::with_error_info(error.code(), DOMAIN, metadata);
    let mut status = Status::with_error_details(error.grpc_code(), error.to_string(), details);
    label(status.metadata_mut(), request_id, log_index);
    status
}

fn label(metadata: &mut MetadataMap, request_id: &str, log_index: Option<u64>) {
    if let Ok(value) = MetadataValue::try_from(request_id) {
        metadata.insert(REQUEST_ID, value);
    }
    if let Some(index) = log_index {
        metadata.insert(LOG_INDEX, MetadataValue::from(index));
    }
}

/// A time as protobuf has it.
pub(super) fn timestamp(time: DateTime<Utc>) -> Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or_default();
    Timestamp { seconds: time.timestamp(), nanos }
}
