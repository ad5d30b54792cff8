//! The doors: they translate a wire form to a typed operation and back, and decide nothing.
//!
//! | file | noun |
//! |---|---|
//! | `listener.rs` | one port: connections, draining |
//! | `router.rs` | which door a request goes to |
//! | `grpc/` | `strongroom.v1`, health, reflection |

pub mod grpc;
pub mod listener;
mod router;

pub use router::router;
