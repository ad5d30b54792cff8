//! What operations answer: AWS's members in snake case. Secrets among them are
//! [`Plaintext`](crate::crypto::Plaintext).
//!
//! Source: AWS KMS API Reference, "Actions".
//!
//! | file | noun |
//! |---|---|
//! | `keys.rs` | answers about the life of keys, their aliases and tags |
//! | `data_keys.rs` | answers of operations that use keys |
//! | `access.rs` | answers about policies and grants |

mod access;
mod data_keys;
mod keys;

pub use access::*;
pub use data_keys::*;
pub use keys::*;

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The page.
    pub entries: Vec<T>,
    /// Gives the next page; absent on the last.
    pub next_marker: Option<String>,
}
