//! strongroom: a key management service for local use that behaves like AWS KMS, with real
//! cryptography and a signed audit trail.
//!
//! The floors of the house, from the ground up: [`crypto`] (pure functions on bytes), `store`
//! (durable bytes and the one commit), the rooms ([`kms`], [`iam`], `audit`, `objects`), `service` (the walk of
//! every call), `transport` (the doors), `instance` and `cli`. [`sse`], the companion module, stands
//! beside them on [`crypto`] and what of [`kms`] and [`proto`] needs no server. Imports point down
//! only; `tests/layering.rs` checks it.
//!
//! With default features off the library is [`sse`], the types of [`kms`] and the gRPC client in
//! [`proto`]: what S3-facing code links, without server, store and web.

#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
mod config;
pub mod crypto;
#[cfg(feature = "server")]
pub mod iam;
#[cfg(feature = "server")]
pub mod instance;
pub mod kms;
#[cfg(feature = "server")]
pub mod objects;
pub mod proto;
#[cfg(feature = "server")]
pub mod service;
pub mod sse;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
pub mod transport;

#[cfg(feature = "server")]
pub use instance::Strongroom;
