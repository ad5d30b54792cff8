//! `strongroom s3`: a client of any S3, this service's or AWS's.
//!
//! | file | noun |
//! |---|---|
//! | `scan.rs` | all objects looked at, in order, and encrypted |
//! | `wish.rs` | the encryption that objects should have, and what one has |
//! | `object.rs` | one object looked at, and encrypted |
//! | `report.rs` | what is said of objects, and at the end |
//! | `client.rs` | requests: address, signature, further attempts |
//! | `answers.rs` | lists and refusals, as S3 writes them |

mod answers;
mod client;
mod object;
mod report;
mod scan;
mod wish;

use clap::{Args, Subcommand};

pub(super) use self::client::Failure;
use super::error::Error;

/// Work on an S3, this service's or AWS's
#[derive(Debug, Args)]
pub(super) struct S3 {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List objects that are not encrypted as they should be, and encrypt them
    Scan(scan::Scan),
}

impl S3 {
    pub(super) async fn run(self) -> Result<(), Error> {
        match self.verb {
            Verb::Scan(scan) => scan.run().await,
        }
    }
}
