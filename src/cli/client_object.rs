//! `strongroom seal` and `strongroom open` of objects in the formats of the Amazon S3 Encryption
//! Client: a body, and beside it what S3 keeps as user metadata.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::connection::Connection;
use super::error::Error;
use super::target::{Target, progress};
use super::wrapping::WrappingKey;
use crate::sse::client_side::{
    CommitmentPolicy, Description, Legacy, Metadata, OpeningKey, Reading, SealingKey, UserMetadata,
    open_delayed, seal_body,
};

/// What a sealed file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ObjectFormat {
    /// Envelope and 64 KiB chunks in one file
    Strongroom,
    /// Amazon S3 Encryption Client, V3: commits to its key
    S3ClientV3,
    /// Amazon S3 Encryption Client, V2: for readers that do not know V3
    S3ClientV2,
}

impl ObjectFormat {
    /// None for our own.
    pub(super) const fn policy(self) -> Option<CommitmentPolicy> {
        match self {
            Self::Strongroom => None,
            Self::S3ClientV3 => Some(CommitmentPolicy::RequireEncryptRequireDecrypt),
            Self::S3ClientV2 => Some(CommitmentPolicy::ForbidEncryptAllowDecrypt),
        }
    }
}

/// What may be opened, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    #[value(name = "forbid-encrypt-allow-decrypt")]
    Forbid,
    #[value(name = "require-encrypt-allow-decrypt")]
    Allow,
    #[value(name = "require-encrypt-require-decrypt")]
    Require,
}

/// Where the envelope of a client-side object is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Amazon S3 Encryption Client")]
pub(super) struct Beside {
    /// The object's user metadata: a JSON map, as `aws s3api put-object --metadata file://FILE` takes
    /// it; `open` also takes what `aws s3api head-object` or `get-object` prints
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
    /// The object's instruction file
    #[arg(long, value_name = "FILE", requires = "metadata")]
    instruction_file: Option<PathBuf>,
}

/// What may be opened.
#[derive(Debug, Args)]
#[command(next_help_heading = "Amazon S3 Encryption Client")]
pub(super) struct Opening {
    /// Which objects are opened: the first two let in what does not commit to its key
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = Policy::Require)]
    #[arg(requires = "metadata")]
    commitment_policy: Policy,
    /// Open CBC and other legacy algorithms, which authenticate nothing
    #[arg(long, requires = "metadata")]
    legacy: bool,
}

impl Beside {
    /// Where the metadata is, if the object is a client-side one.
    pub(super) fn metadata(&self) -> Option<&Path> {
        self.metadata.as_deref()
    }

    /// Seals `from` into `to`, and what belongs beside it.
    pub(super) async fn seal(
        &self,
        from: &Path,
        to: &Path,
        policy: CommitmentPolicy,
        (key, connection): (&WrappingKey, &Connection),
        said: &Description,
    ) -> Result<Value, Error> {
        let place = self.metadata.as_deref().ok_or_else(|| {
            Error::Usage("the format needs --metadata FILE, where the envelope goes".to_owned())
        })?;
        let reader = File::open(from).await.map_err(Error::file("opening", from))?;
        let length = reader.metadata().await.map_err(Error::file("reading", from))?.len();
        let mut keyring = key.keyring(connection)?;
        let (metadata, body_key) = SealingKey::generate(&mut keyring, policy, said).await?;
        let mut beside = Vec::new();
        let on_object = match &self.instruction_file {
            None => metadata.to_object()?,
            Some(path) => {
                let (on_object, instruction) = metadata.to_instruction()?;
                beside.push(Target::with(path, instruction.as_bytes()).await?);
                on_object
            }
        };
        let on_object = format!("{:#}\n", json!(on_object));
        beside.push(Target::with(place, on_object.as_bytes()).await?);
        let mut body = Target::new(to)?;
        let bar = progress(length, "sealing");
        let bytes =
            seal_body(reader, &mut body.writer, body_key, |done| bar.set_position(done)).await?;
        bar.finish_and_clear();
        body.keep().await?;
        for target in beside {
            target.keep().await?;
        }
        Ok(json!({
            "sealed": to,
            "metadata": place,
            "instruction_file": self.instruction_file,
            "bytes": bytes,
        }))
    }

    /// Opens `from` into `to`, which appears only when all of it was authenticated (or is CBC).
    pub(super) async fn open(
        &self,
        from: &Path,
        to: &Path,
        opening: &Opening,
        (key, connection): (&WrappingKey, &Connection),
        said: &Description,
    ) -> Result<Value, Error> {
        let place = self.metadata.as_deref().unwrap_or_else(|| Path::new(""));
        let on_object = user_metadata(&read(place).await?)
            .ok_or_else(|| Error::Usage(format!("{} is no user metadata", place.display())))?;
        let instruction = match &self.instruction_file {
            Some(path) => Some(read(path).await?),
            None => None,
        };
        let metadata = Metadata::parse(&on_object, instruction.as_deref())?;
        let reader = File::open(from).await.map_err(Error::file("opening", from))?;
        let length = reader.metadata().await.map_err(Error::file("reading", from))?.len();
        let reading = opening.reading();
        let mut keyring = key.keyring(connection)?;
        let body_key = OpeningKey::unwrap(&mut keyring, &metadata, reading, said).await?;
        let mut body = Target::new(to)?;
        let bar = progress(length, "opening");
        let opened =
            open_delayed(reader, &mut body.writer, &body_key, |done| bar.set_position(done)).await;
        bar.finish_and_clear();
        let bytes = opened?;
        body.keep().await?;
        Ok(json!({ "opened": to, "bytes": bytes }))
    }
}

impl Opening {
    const fn reading(&self) -> Reading {
        let policy = match self.commitment_policy {
            Policy::Forbid => CommitmentPolicy::ForbidEncryptAllowDecrypt,
            Policy::Allow => CommitmentPolicy::RequireEncryptAllowDecrypt,
            Policy::Require => CommitmentPolicy::RequireEncryptRequireDecrypt,
        };
        Reading { policy, legacy: if self.legacy { Legacy::Read } else { Legacy::Refuse } }
    }
}

/// A map of strings, or the answer of a call that has one under `Metadata`.
fn user_metadata(text: &[u8]) -> Option<UserMetadata> {
    match serde_json::from_slice(text).ok()? {
        Value::Object(mut members) => {
            let map = match members.remove("Metadata") {
                Some(metadata) => metadata,
                None => Value::Object(members),
            };
            serde_json::from_value(map).ok()
        }
        _ => None,
    }
}

/// A file of metadata, which is never long.
async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let file = File::open(path).await.map_err(Error::file("opening", path))?;
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).await.map_err(Error::file("reading", path))?;
    Ok(text)
}

/// Answers of `get-object` have more than the metadata, but not much more.
const LONGEST: u64 = 1 << 20;
