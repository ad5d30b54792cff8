//! One binary, a module per capability.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

mod audit_commands;
mod command_line;
mod corpus;
mod crash;
mod damage;
mod decisions;
mod in_process;
mod log;
mod log_files;
mod policy_call;
mod proofs;
mod sealing;
mod server;
mod store;
