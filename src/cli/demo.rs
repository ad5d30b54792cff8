//! `strongroom demo`: the main job on a real file, every step shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use tonic::transport::Channel;

use super::error::Error;
use super::object::{open_file, seal_file};
use super::output::say;
use crate::crypto::digest;
use crate::instance::Strongroom;
use crate::proto::v1;
use crate::proto::v1::audit_client::AuditClient;
use crate::proto::v1::data_keys_client::DataKeysClient;
use crate::proto::v1::keys_client::KeysClient;

/// Show the main job on a real file, in a temporary store
#[derive(Debug, Args)]
#[command(after_help = "Example: strongroom demo --file holiday.mp4")]
pub(super) struct Demo {
    /// The file to seal and open [default: this program]
    #[arg(long)]
    file: Option<PathBuf>,
}

impl Demo {
    pub(super) async fn run(self) -> Result<(), Error> {
        let folder = tempfile::tempdir()?;
        let file = match self.file {
            Some(file) => file,
            None => std::env::current_exe()?,
        };
        let room = Strongroom::builder().data_dir(folder.path().join("data")).build()?;
        let shown = show(&room.channel()?, &file, folder.path()).await;
        room.close()?;
        shown
    }
}

async fn show(channel: &Channel, file: &Path, folder: &Path) -> Result<(), Error> {
    let mut keys = KeysClient::new(channel.clone());
    let mut data_keys = DataKeysClient::new(channel.clone());
    let mut audit = AuditClient::new(channel.clone());

    say("1. Create a key, and name it")?;
    let request = v1::CreateKeyRequest { description: "demo".to_owned(), ..Default::default() };
    let made = keys.create_key(request).await?.into_inner().key_metadata;
    let key = made.ok_or(Error::Incomplete)?;
    let request = v1::CreateAliasRequest {
        alias_name: "alias/demo".to_owned(),
        target_key_id: key.key_id.clone(),
    };
    keys.create_alias(request).await?;
    say(&format!("   {}  {}  alias/demo", key.arn, key.key_state))?;

    say("2. Generate a data key, and unwrap it from its ciphertext blob")?;
    let encryption_context = [("purpose".to_owned(), "demo".to_owned())];
    let request = v1::GenerateDataKeyRequest {
        key_id: "alias/demo".to_owned(),
        key_spec: "AES_256".to_owned(),
        encryption_context: encryption_context.clone().into(),
        ..Default::default()
    };
    let answer = data_keys.generate_data_key(request).await?;
    let index = answer.metadata().get("x-audit-log-index").cloned();
    let index = index.and_then(|index| index.to_str().map(str::to_owned).ok());
    let generated = answer.into_inner();
    say(&format!(
        "   plaintext {} bytes, wrapped {} bytes, key version {}, recorded as {}",
        generated.plaintext.len(),
        generated.ciphertext_blob.len(),
        generated.key_version,
        index.unwrap_or_default()
    ))?;
    let unwrap = |context: &[(String, String)]| v1::UnwrapDataKeyRequest {
        ciphertext_blob: generated.ciphertext_blob.clone(),
        encryption_context: context.iter().cloned().collect(),
        ..Default::default()
    };
    let unwrapped = data_keys.unwrap_data_key(unwrap(&encryption_context)).await?.into_inner();
    expect("   unwrapped: the same bytes", unwrapped.plaintext == generated.plaintext)?;
    let refused = data_keys.unwrap_data_key(unwrap(&[])).await.err().map(Error::from);
    let refused = refused.ok_or(Error::Incomplete)?;
    say(&format!("   without its context: {refused}"))?;

    say("3. Wrap a data key of one's own, rotate the key, unwrap it with the older version")?;
    let own = crate::crypto::Plaintext::generate(32).map_err(crate::sse::Error::from)?;
    let request = v1::WrapDataKeyRequest {
        key_id: "alias/demo".to_owned(),
        plaintext: own.expose().to_vec(),
        ..Default::default()
    };
    let wrapped = data_keys.wrap_data_key(request).await?.into_inner();
    let request = v1::RotateKeyOnDemandRequest { key_id: key.key_id.clone() };
    let rotated = keys.rotate_key_on_demand(request).await?.into_inner();
    let request =
        v1::UnwrapDataKeyRequest { ciphertext_blob: wrapped.ciphertext_blob, ..Default::default() };
    let unwrapped = data_keys.unwrap_data_key(request).await?.into_inner();
    expect(
        &format!(
            "   wrapped under version {}, key now at version {}, unwrapped: the same bytes",
            wrapped.key_version, rotated.key_version
        ),
        unwrapped.plaintext == own.expose(),
    )?;

    say(&format!("4. Seal {} and open it again", file.display()))?;
    let (sealed, opened) = (folder.join("sealed"), folder.join("opened"));
    let context = BTreeMap::from([("file".to_owned(), "demo".to_owned())]);
    let done = seal_file(&mut data_keys, file, &sealed, "alias/demo", &context).await?;
    let size = tokio::fs::metadata(&sealed).await?.len();
    say(&format!("   {} bytes sealed into {size}", done.bytes))?;
    open_file(&mut data_keys, &sealed, &opened).await?;
    let (before, after) = (tokio::fs::read(file).await?, tokio::fs::read(&opened).await?);
    let print = hex::encode(digest::sha256(&[&after]));
    expect(&format!("   opened: SHA-256 {print}, as before"), before == after)?;

    say("5. Disable the key: what it sealed stays closed")?;
    let request = v1::DisableKeyRequest { key_id: key.key_id.clone() };
    keys.disable_key(request).await?;
    let refused = open_file(&mut data_keys, &sealed, &opened).await.err();
    say(&format!("   {}", refused.ok_or(Error::Incomplete)?))?;

    say("6. Ask the audit trail what happened to the key, oldest first")?;
    let request = v1::QueryRequest {
        key_id: key.key_id,
        order: v1::Order::OldestFirst.into(),
        ..Default::default()
    };
    for record in audit.query(request).await?.into_inner().records {
        let outcome = match record.error_code.as_str() {
            "" => record.outcome,
            code => format!("{}: {code}", record.outcome),
        };
        say(&format!("   {:>3}  {:<18} {outcome}", record.index, record.operation))?;
    }

    say("7. Verify the whole trail against its signed checkpoint")?;
    let verified = audit.verify_log(v1::VerifyLogRequest {}).await?.into_inner();
    for line in verified.checkpoint.lines().filter(|line| !line.is_empty()) {
        say(&format!("   {line}"))?;
    }
    say(&format!("   {} records, every hash recomputed: verified", verified.log_size))
}

/// Shows a line that must be true.
fn expect(line: &str, holds: bool) -> Result<(), Error> {
    if holds { say(line) } else { Err(Error::Object(crate::sse::Error::Open)) }
}
