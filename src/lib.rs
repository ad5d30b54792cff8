//! strongroom: a key management service for local use that behaves like AWS KMS, with real
//! cryptography and a signed audit trail.
//!
//! The floors of the house, from the ground up: [`crypto`] (pure functions on bytes), `store`
//! (durable bytes and the one commit), then the rooms: [`kms`], [`iam`]. Imports point down only.

#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
pub mod clock;
pub mod crypto;
pub mod iam;
#[cfg(feature = "server")]
pub mod instance;
pub mod kms;
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
