//! `strongroom seal` and `strongroom open`: the companion module on files.
//!
//! A file is envelope ‖ body. It can be renamed, so its name is not bound: bucket and object name
//! are empty.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tonic::codegen::{Body, Bytes, StdError};

use super::client_object::{Beside, ObjectFormat, Opening};
use super::connection::Connection;
use super::error::Error;
use super::output::Output;
use super::target::{Target, progress};
use super::wrapping::WrappingKey;
use crate::crypto::SecretKey;
use crate::proto::v1;
use crate::proto::v1::data_keys_client::DataKeysClient;
use crate::sse::{
    self, DataKey, Digests, Envelope, ObjectName, OpeningKeys, SealingKeys, WrappedKey,
};

/// Seal a file with a new data key
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom seal report.pdf -o report.pdf.sealed --key alias/app --context case=7
  strongroom seal report.pdf -o body --key alias/app --format s3-client-v3 --metadata user.json
  aws s3api put-object --bucket b --key report.pdf --body body --metadata file://user.json")]
#[command(group = WrappingKey::group().required(true))]
pub(super) struct Seal {
    /// What to seal
    file: PathBuf,
    /// Where to put the sealed file
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    wrapping: WrappingKey,
    /// Encryption context; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    context: Vec<(String, String)>,
    /// What the sealed file is
    #[arg(long, value_enum, default_value_t = ObjectFormat::Strongroom)]
    format: ObjectFormat,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

/// Open a sealed file
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom open report.pdf.sealed -o report.pdf
  aws s3api get-object --bucket b --key report.pdf body > answer.json
  strongroom open body -o report.pdf --key alias/app --metadata answer.json")]
#[command(group = WrappingKey::group())]
pub(super) struct Open {
    /// What to open
    file: PathBuf,
    /// Where to put the plaintext
    #[arg(short, long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    beside: Beside,
    #[command(flatten)]
    opening: Opening,
    #[command(flatten)]
    wrapping: WrappingKey,
    /// Encryption context that the object has to have; our own files bring theirs
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair, requires = "metadata")]
    context: Vec<(String, String)>,
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    output: Output,
}

impl Seal {
    pub(super) async fn run(self) -> Result<(), Error> {
        let context = self.context.into_iter().collect();
        if let Some(policy) = self.format.policy() {
            let key = (&self.wrapping, &self.connection);
            let done = self.beside.seal(&self.file, &self.out, policy, key, &context).await?;
            return self.output.one(&done);
        }
        if self.beside.metadata().is_some() {
            return Err(Error::Usage("--metadata is of the s3-client formats".to_owned()));
        }
        let Some(key) = &self.wrapping.key else {
            return Err(Error::Usage("this format's data keys are those of --key".to_owned()));
        };
        let mut client = self.connection.data_keys()?;
        let done = seal_file(&mut client, &self.file, &self.out, key, &context).await?;
        self.output.one(&json!({
            "sealed": self.out,
            "bytes": done.bytes,
            "key_id": done.key_id,
        }))
    }
}

impl Open {
    pub(super) async fn run(self) -> Result<(), Error> {
        if self.beside.metadata().is_some() {
            let context = self.context.into_iter().collect();
            let key = (&self.wrapping, &self.connection);
            let opened = self.beside.open(&self.file, &self.out, &self.opening, key, &context);
            return self.output.one(&opened.await?);
        }
        if self.wrapping.is_named() {
            return Err(Error::Usage(
                "a file names its key itself; --metadata says what an object's is".to_owned(),
            ));
        }
        let mut client = self.connection.data_keys()?;
        let done = open_file(&mut client, &self.file, &self.out).await?;
        self.output.one(&json!({
            "opened": self.out,
            "bytes": done.bytes,
            "key_id": done.key_id,
        }))
    }
}

/// What was done to a file.
#[derive(Debug)]
pub(super) struct Done {
    /// Bytes of plaintext.
    pub(super) bytes: u64,
    /// ARN of the key.
    pub(super) key_id: String,
}

/// Seals `from` into `to` with a data key that the service generates.
pub(super) async fn seal_file<T>(
    client: &mut DataKeysClient<T>,
    from: &Path,
    to: &Path,
    key: &str,
    context: &BTreeMap<String, String>,
) -> Result<Done, Error>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let reader = File::open(from).await.map_err(Error::file("opening", from))?;
    let length = reader.metadata().await.map_err(Error::file("reading", from))?.len();
    let request = v1::GenerateDataKeyRequest {
        key_id: key.to_owned(),
        key_spec: "AES_256".to_owned(),
        encryption_context: context.clone().into_iter().collect(),
        ..Default::default()
    };
    let made = client.generate_data_key(request).await?.into_inner();
    let wrapped = WrappedKey { key_arn: made.key_id.clone(), blob: made.ciphertext_blob };
    let data_key = DataKey { plaintext: secret(made.plaintext)?, wrapped };
    let keys = SealingKeys::Kms { key: &data_key, bucket_key: false };
    let (envelope, object_key) = Envelope::seal(&keys, &a_file(), context)?;
    let mut target = Target::with(to, &envelope.encode()?).await?;
    let bar = progress(length, "sealing");
    let sealer = object_key.seal_part(1)?;
    let sealed = sse::seal_stream(reader, &mut target.writer, sealer, Digests::default(), |done| {
        bar.set_position(done);
    })
    .await?;
    bar.finish_and_clear();
    target.keep().await?;
    Ok(Done { bytes: sealed.part.len, key_id: made.key_id })
}

/// Opens `from` into `to`, which appears only when all of it was authenticated.
pub(super) async fn open_file<T>(
    client: &mut DataKeysClient<T>,
    from: &Path,
    to: &Path,
) -> Result<Done, Error>
where
    T: tonic::client::GrpcService<tonic::body::Body>,
    T::Error: Into<StdError>,
    T::ResponseBody: Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as Body>::Error: Into<StdError> + Send,
{
    let mut reader = File::open(from).await.map_err(Error::file("opening", from))?;
    let length = reader.metadata().await.map_err(Error::file("reading", from))?.len();
    let mut head = Vec::new();
    let most = u64::try_from(Envelope::MAX_LEN).unwrap_or(u64::MAX);
    (&mut reader).take(most).read_to_end(&mut head).await.map_err(Error::file("reading", from))?;
    let (envelope, start) = Envelope::parse(&head)?;
    let start = std::io::SeekFrom::Start(u64::try_from(start).unwrap_or(u64::MAX));
    reader.seek(start).await.map_err(Error::file("reading", from))?;
    let wrapped = envelope.wrapped_keys().next().ok_or(sse::Error::Open)?;
    let request = v1::UnwrapDataKeyRequest {
        ciphertext_blob: wrapped.blob,
        encryption_context: envelope.context().clone().into_iter().collect(),
        ..Default::default()
    };
    let unwrapped = client.unwrap_data_key(request).await?.into_inner();
    let data_key = secret(unwrapped.plaintext)?;
    let object_key = Arc::new(envelope.open(&OpeningKeys::One(&data_key), &a_file())?);
    let mut target = Target::new(to)?;
    let bar = progress(length, "opening");
    let bytes =
        sse::open_stream(reader, &mut target.writer, object_key, 1, |done| bar.set_position(done))
            .await?;
    bar.finish_and_clear();
    target.keep().await?;
    Ok(Done { bytes, key_id: unwrapped.key_id })
}

/// `NAME=VALUE`
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

const fn a_file() -> ObjectName {
    ObjectName { bucket: String::new(), name: String::new() }
}

/// The data key out of a message, whose copy is wiped.
fn secret(bytes: Vec<u8>) -> Result<SecretKey, Error> {
    let bytes = zeroize::Zeroizing::new(bytes);
    Ok(SecretKey::from_slice(&bytes).map_err(sse::Error::from)?)
}
