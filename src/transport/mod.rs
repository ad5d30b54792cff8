//! The doors: they translate a wire form to a typed operation and back, and decide nothing.
//!
//! | file | noun |
//! |---|---|
//! | `listener.rs` | one port: connections, draining |
//! | `capacity.rs` | how many connections there are |
//! | `tls.rs` | TLS: a certificate that was given, or one of our own |
//! | `client_authority.rs` | client certificates: the CA that has to have issued them |
//! | `router.rs` | which door a request goes to |
//! | `pages.rs` | keeps other sites' web pages out |
//! | `body.rs` | bodies, whole and bounded |
//! | `sigv4.rs` | who signs, from header or query |
//! | `aws_json/` | AWS KMS, JSON 1.1 |
//! | `console/` | pages for people, under `/_strongroom/` |
//! | `s3/` | Amazon S3, REST and XML |
//! | `log_files.rs` | the audit trail as files |
//! | `sts.rs` | AWS STS: who am I |
//! | `witness.rs` | a witness's `add-checkpoint` |
//! | `witnesses.rs` | the way to the witnesses of this log |
//! | `grpc/` | `strongroom.v1`, health, reflection |

pub mod aws_json;
mod body;
pub mod capacity;
pub mod client_authority;
mod console;
pub mod grpc;
pub mod listener;
mod log_files;
mod pages;
mod router;
pub mod s3;
mod sigv4;
mod sts;
pub mod tls;
mod witness;
pub mod witnesses;

pub use router::router;
pub use witness::witness_router;
