//! The binary: reads the command line and leaves with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    strongroom::cli::main()
}
