//! The command line. One file or folder a command; each is a client of the service like any other.
//!
//! | file | noun |
//! |---|---|
//! | `serve.rs` | the service in the foreground |
//! | `witness.rs` | a witness of other logs in the foreground |
//! | `demo.rs` | the main job, shown |
//! | `key.rs`, `alias.rs` | keys and their names |
//! | `policy.rs` | policies explained and checked |
//! | `object.rs` | `seal` and `open` |
//! | `client_object.rs` | the same in the formats of the Amazon S3 Encryption Client |
//! | `wrapping.rs` | keys that wrap data keys, as a command line names them |
//! | `target.rs` | a file that takes its place when it is whole |
//! | `s3/` | objects of any S3 that are not encrypted as they should be |
//! | `audit/` | the trail |
//! | `hardening.rs` | no core dumps, no swap, private files |
//! | `connection.rs` | the way to a running service |
//! | `output.rs` | tables for people, JSON for scripts |
//! | `telemetry.rs` | logs and traces |
//! | `error.rs` | what went wrong, and what to do |

mod alias;
mod audit;
mod client_object;
mod connection;
mod demo;
mod error;
mod hardening;
mod key;
mod object;
mod output;
mod policy;
mod s3;
mod serve;
mod target;
mod telemetry;
mod witness;
mod wrapping;

use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use self::error::Error;

/// A key management service for local use: AWS KMS's behaviour, real cryptography, a signed trail.
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service until it is told to stop
    Serve(serve::Serve),
    /// Show the main job on a real file, in a temporary store
    Demo(demo::Demo),
    /// Create, list and change keys
    Key(key::Key),
    /// Name keys
    Alias(alias::Alias),
    /// Explain decisions, check policy documents
    Policy(policy::Policy),
    /// Find objects of an S3 that are not encrypted, and encrypt them
    S3(Box<s3::S3>),
    /// Seal a file with a new data key
    Seal(object::Seal),
    /// Open a sealed file
    Open(object::Open),
    /// Read, follow and verify the audit trail
    Audit(audit::Audit),
    /// Sign other logs' checkpoints, as a witness
    Witness(Box<witness::Witness>),
    /// Print a completion script
    #[command(
        after_help = "Example: strongroom completions bash > /etc/bash_completion.d/strongroom"
    )]
    Completions {
        /// For which shell
        shell: Shell,
    },
}

const EXAMPLES: &str = "\
Examples:
  strongroom demo
  strongroom serve --ephemeral
  strongroom key create --alias alias/app --output json
  strongroom seal report.pdf -o report.pdf.sealed --key alias/app
  strongroom audit query --operation GenerateDataKey";

/// Runs the command line of this process: exit code 0 done, 1 refused or failed, 2 wrong usage,
/// 130 interrupted.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.show();
            error.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::Runtime)?;
    let done = runtime.block_on(async {
        let collector = match &command {
            Command::Serve(serve) => serve.collector()?,
            _ => None,
        };
        let _telemetry = telemetry::begin(collector.as_deref())?;
        // Every command may hold keys or what they seal.
        hardening::keep_from_dumps();
        match command {
            Command::Serve(serve) => serve.run().await,
            Command::Demo(demo) => demo.run().await,
            Command::Key(key) => key.run().await,
            Command::Alias(alias) => alias.run().await,
            Command::Policy(policy) => policy.run().await,
            Command::S3(s3) => s3.run().await,
            Command::Seal(seal) => seal.run().await,
            Command::Open(open) => open.run().await,
            Command::Audit(audit) => audit.run().await,
            Command::Witness(witness) => witness.run().await,
            Command::Completions { shell } => {
                clap_complete::generate(
                    shell,
                    &mut Cli::command(),
                    "strongroom",
                    &mut io::stdout(),
                );
                Ok(())
            }
        }
    });
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_spellings_that_scripts_rely_on_are_read() {
        for line in [
            "strongroom key create --alias alias/x --output json",
            "strongroom audit verify --data-dir DIR",
            "strongroom audit key",
            "strongroom audit export --format tiles DIR",
            "strongroom audit prove 42 -o FILE --entry FILE",
            "strongroom audit verify DIR --verifier STRING --older FILE --older FILE",
            "strongroom audit verify --proof FILE --verifier STRING --entry FILE",
            "strongroom serve --listen 127.0.0.1:0 --ephemeral",
            "strongroom seal FILE -o OUT --key alias/x --context a=b --context c=d",
            "strongroom open IN -o OUT",
            "strongroom seal F -o OUT --format s3-client-v3 --metadata M --aes-key-file K",
            "strongroom open IN -o OUT --metadata M --instruction-file I --rsa-key-file K",
            "strongroom open IN -o OUT --metadata M --key alias/x --context a=b --legacy",
            "strongroom policy explain --principal P --action A --resource R --context a:b=c",
            "strongroom s3 scan",
            "strongroom s3 scan B --prefix P --mode aws:kms:dsse --key alias/x --fix --output json",
            "strongroom s3 scan --key alias/x --bucket-key --start-after B/K --ca FILE",
            "strongroom witness --listen 127.0.0.1:0 --data-dir DIR --log a --log b",
            "strongroom witness key --data-dir DIR",
            "strongroom policy check FILE FILE --kind trust --output json",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_ok(), "{line}");
        }
    }
}
