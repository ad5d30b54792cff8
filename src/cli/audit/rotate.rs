//! `strongroom audit rotate-key`: another key signs the log.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::connection::Connection;
use super::super::error::Error;
use super::super::output::Output;
use crate::audit::{HandOver, LogKeys};
use crate::proto::v1;

/// Have another key sign the log from here on
#[derive(Debug, Args)]
#[command(after_help = "\
Example: strongroom audit rotate-key -o hand-overs     who has the older key's verifier string needs that file:
  strongroom audit verify --verifier OLD --hand-over hand-overs --proof 42.tlog-proof --entry 42.json")]
pub(super) struct RotateKey {
    /// Where to put what lets who trusts an older key trust the new one
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl RotateKey {
    pub(super) async fn run(self) -> Result<(), Error> {
        let mut client = self.connection.audit()?;
        let rotated = client.rotate_log_key(v1::RotateLogKeyRequest {}).await?.into_inner();
        if let Some(path) = &self.out {
            let (_, hand_overs) = keys(&self.connection).await?;
            let bytes: Vec<_> = hand_overs.iter().flat_map(HandOver::encode).collect();
            fs::write(path, bytes).map_err(Error::file("writing", path))?;
        }
        self.output.one(&json!({ "verifier_key": rotated.verifier_key, "hand_over": self.out }))
    }
}

/// A running service's keys and hand-overs. Neither is believed here.
pub(super) async fn keys(connection: &Connection) -> Result<(Vec<String>, Vec<HandOver>), Error> {
    let found = connection.audit()?.list_log_keys(v1::ListLogKeysRequest {}).await?.into_inner();
    let hand_overs: Result<Vec<_>, _> =
        found.hand_overs.iter().map(|bytes| HandOver::parse(bytes)).collect();
    Ok((found.verifier_keys, hand_overs?))
}

/// Size and keys that a running service says its log has. It is asked for hand-overs when there are any.
pub(super) async fn own_keys(connection: &Connection) -> Result<(u64, LogKeys), Error> {
    let request = v1::GetCheckpointRequest {};
    let newest = connection.audit()?.get_checkpoint(request).await?.into_inner();
    if newest.log_keys < 2 {
        return Ok((newest.log_size, LogKeys::new(&newest.verifier_key)));
    }
    let (verifiers, hand_overs) = keys(connection).await?;
    let first = verifiers.first().ok_or(Error::Incomplete)?;
    Ok((newest.log_size, LogKeys::follow(first, &hand_overs)?))
}
