//! Who is calling, and whether they may: pure functions on documents and requests.
//!
//! | file | noun |
//! |---|---|
//! | `principal.rs` | who is calling |
//! | `decision.rs` | may this principal do this to that |
//! | `policy.rs` | a policy document and its statements |
//! | `condition.rs` | what a statement asks of a call beyond that |
//! | `operator.rs` | how a condition compares |
//! | `value.rs` | numbers, dates and ranges of addresses |
//! | `pattern.rs` | text with wildcards and policy variables |
//! | `glob.rs` | wildcards alone |
//! | `context.rs` | what is known of a call |

#[cfg(feature = "server")]
mod condition;
#[cfg(feature = "server")]
mod context;
mod decision;
#[cfg(feature = "server")]
mod glob;
#[cfg(feature = "server")]
mod operator;
#[cfg(feature = "server")]
mod pattern;
#[cfg(feature = "server")]
mod policy;
mod principal;
#[cfg(feature = "server")]
mod value;

#[cfg(feature = "server")]
pub use condition::{Condition, Conditions};
#[cfg(feature = "server")]
pub use context::Context;
#[cfg(feature = "server")]
pub use decision::decide;
pub use decision::{Decision, Resource};
#[cfg(feature = "server")]
pub use pattern::Pattern;
#[cfg(feature = "server")]
pub use policy::{Policy, Verdict};
pub use principal::Principal;
