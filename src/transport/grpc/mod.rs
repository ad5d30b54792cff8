//! gRPC: `strongroom.v1`, `grpc.health.v1` and server reflection.
//!
//! | file | noun |
//! |---|---|
//! | `caller.rs` | who calls, from a request's metadata |
//! | `answer.rs` | replies and errors as gRPC sends them |
//! | `unreadable.rs` | the record of calls that could not be decoded |
//! | `keys.rs`, `data_keys.rs`, `access.rs`, `audit.rs` | one translation each way an operation |
//! | `key_messages.rs` | keys, versions, aliases and tags as messages |

mod access;
mod answer;
mod audit;
mod caller;
mod data_keys;
mod key_messages;
mod keys;
mod unreadable;

pub(super) use caller::caller;

use std::sync::Arc;

use axum::Router;
use tonic::service::Routes;

use crate::proto::v1::access_server::AccessServer;
use crate::proto::v1::audit_server::AuditServer;
use crate::proto::v1::data_keys_server::DataKeysServer;
use crate::proto::v1::keys_server::KeysServer;
use crate::service::Service;

/// Bytes of one request message at the most. The largest that any operation takes is a blob of
/// 6,144 bytes with two contexts of 8,192.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// The descriptors of every service, for server reflection.
const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// Every gRPC service.
///
/// # Errors
/// When the compiled descriptors cannot be read.
pub fn router(service: &Arc<Service>) -> Result<Router, tonic_reflection::server::Error> {
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let watch = Arc::downgrade(service);
    tokio::spawn(report_health(health, watch));
    let keys = KeysServer::new(keys::Door::new(Arc::clone(service)))
        .max_decoding_message_size(MESSAGE_BYTES);
    let data_keys = DataKeysServer::new(data_keys::Door::new(Arc::clone(service)))
        .max_decoding_message_size(MESSAGE_BYTES);
    let access = AccessServer::new(access::Door::new(Arc::clone(service)))
        .max_decoding_message_size(MESSAGE_BYTES);
    let audit = AuditServer::new(audit::Door::new(Arc::clone(service)))
        .max_decoding_message_size(MESSAGE_BYTES);
    let routes = Routes::new(health_service)
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(keys)
        .add_service(data_keys)
        .add_service(access)
        .add_service(audit);
    let recorder = unreadable::Recorder::new(Arc::clone(service));
    Ok(routes
        .into_axum_router()
        .reset_fallback()
        .layer(axum::middleware::from_fn_with_state(recorder, unreadable::record)))
}

/// Keeps the health service's word in step with the service.
async fn report_health(
    health: tonic_health::server::HealthReporter,
    service: std::sync::Weak<Service>,
) {
    use tonic_health::ServingStatus::{NotServing, Serving};
    let services = ["Keys", "DataKeys", "Access", "Audit"];
    let named = services.map(|name| format!("strongroom.v1.{name}"));
    let names = || std::iter::once("").chain(named.iter().map(String::as_str));
    let mut last = None;
    while let Some(healthy) = service.upgrade().map(|service| service.is_healthy()) {
        if last != Some(healthy) {
            for name in names() {
                let status = if healthy { Serving } else { NotServing };
                health.set_service_status(name, status).await;
            }
            last = Some(healthy);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// A text that was given: proto3 has no other sign of absence.
fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A limit that was given.
fn limit(limit: i32) -> Option<i32> {
    (limit != 0).then_some(limit)
}
