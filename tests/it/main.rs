//! One binary, a module per capability.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, which is what it is for"
)]

mod audit_commands;
mod client_object;
mod command_line;
mod console;
mod corpus;
mod crash;
mod damage;
mod decisions;
mod in_process;
mod log;
mod log_files;
mod object_keys;
mod policy_call;
mod proofs;
mod rotation;
mod sealing;
mod server;
mod store;
mod witness;
