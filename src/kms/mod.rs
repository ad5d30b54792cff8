//! Keys: their names, states, and the blobs made under them. Synchronous and pure.
//!
//! | file | noun |
//! |---|---|
//! | `id.rs` | accounts, regions, key ids, ARNs, aliases, and how a caller may name a key |
//! | `context.rs` | the encryption context |
//! | `state.rs` | key states, and the one table of what each allows |
//! | `blob.rs` | ciphertext blobs |
//! | `error.rs` | refusals, in AWS's words |

pub mod blob;
pub mod context;
mod error;
pub mod id;
pub mod state;

pub use error::Error;
pub use id::Scope;
pub use state::KeyState;
