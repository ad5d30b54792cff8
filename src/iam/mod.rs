//! Who is calling, and whether they may: pure functions on documents and requests.
//!
//! | file | noun |
//! |---|---|
//! | `principal.rs` | who is calling, and its standing |
//! | `document.rs` | a policy's JSON, read strictly |
//! | `policy.rs` | a policy's statements, and what they say to a call |
//! | `condition.rs`, `operator.rs` | what has to hold for a statement to apply |
//! | `pattern.rs` | wildcards and policy variables |
//! | `context.rs` | what conditions look at |
//! | `decision.rs` | may this principal do this to that |
//! | `explain.rs`, `advice.rs`, `what_if.rs` | why, and what would change it |
//! | `lint/`, `condition_keys.rs` | what is wrong with a document, and what may be |

mod advice;
mod condition;
mod condition_keys;
mod context;
mod decision;
mod document;
mod explain;
mod glob;
mod lint;
mod operator;
mod pattern;
mod policy;
mod principal;
mod value;
mod what_if;

pub use condition::{Condition, Conditions};
pub use condition_keys::{is_multivalued, is_single_valued};
pub use context::Context;
pub use decision::{Decision, Granted, Guard, Resource, Side, decide};
pub use document::{Kind as PolicyKind, LONGEST, LONGEST_SESSION_POLICY, Malformed};
pub use explain::{
    Explanation, GrantFinding, PolicyFinding, Shown, StatementFinding, Tested, explain,
};
pub use lint::{Finding, Severity, check};
pub use pattern::Pattern;
pub use policy::{Effect, Policy, Question, Statement, Verdict};
pub use principal::{Kind, Naming, Principal, Standing};
