//! The binary: reads the command line and leaves with its exit code.

use std::process::ExitCode;

/// Half of the service's time under load went into glibc's allocator, whose arenas the committing
/// thread and the callers' threads fight over (docs/design.md, "Speed").
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    strongroom::cli::main()
}
