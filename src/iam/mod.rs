//! Who is calling, and whether they may: pure functions on documents and requests.
//!
//! | file | noun |
//! |---|---|
//! | `principal.rs` | who is calling |
//! | `decision.rs` | may this principal do this to that |

mod decision;
mod principal;

pub use decision::{Decision, Resource, decide};
pub use principal::Principal;
