//! The gRPC contract, generated from `proto/`; the comments there are the API reference.

#![allow(missing_docs, reason = "generated code; its documentation is in the proto files")]
#![allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated code")]

/// `strongroom.v1`
pub mod v1 {
    tonic::include_proto!("strongroom.v1");
}
