//! Data keys from a running strongroom, over gRPC: pooled, retried, with a deadline.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt;
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::provider::{Context, DataKey, KeyProvider, ProviderError, WrappedKey, would};
use crate::crypto::SecretKey;
use crate::proto::v1;
use crate::proto::v1::data_keys_client::DataKeysClient;

/// A running strongroom as a [`KeyProvider`].
///
/// A channel is shared by all calls and connects again by itself; [`GrpcKeys::connect`] spreads calls
/// over several. A call that was not answered, or throttled, is made again after a growing, random pause,
/// until its deadline; what the service refuses is not asked again.
#[derive(Clone)]
pub struct GrpcKeys {
    channel: Channel,
    bearer: Option<MetadataValue<Ascii>>,
    region: Option<MetadataValue<Ascii>>,
    deadline: Duration,
}

/// Text that metadata cannot carry, or an address that is none.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not usable")]
pub struct BadSetting(&'static str);

impl GrpcKeys {
    /// How long a call may take, with its retries, unless [`Self::deadline`] says otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// Calls over `channel`, which may be one with TLS, or one over memory.
    #[must_use]
    pub const fn over(channel: Channel) -> Self {
        Self { channel, bearer: None, region: None, deadline: Self::DEADLINE }
    }

    /// Connects to `endpoint` (`http://127.0.0.1:4566`) at the first call, by `connections` connections.
    ///
    /// # Errors
    /// [`BadSetting`]
    pub fn connect(endpoint: &str, connections: usize) -> Result<Self, BadSetting> {
        let endpoint = Endpoint::from_shared(endpoint.to_owned())
            .map_err(|_| BadSetting("the endpoint's address"))?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true);
        let channel = match connections {
            0 | 1 => endpoint.connect_lazy(),
            many => Channel::balance_list(std::iter::repeat_n(endpoint, many)),
        };
        Ok(Self::over(channel))
    }

    /// Says who calls: a bearer token, or an access key id where the service knows no credentials.
    ///
    /// # Errors
    /// [`BadSetting`] for what is no printable ASCII.
    pub fn bearer(mut self, token: &str) -> Result<Self, BadSetting> {
        let text = Zeroizing::new(format!("Bearer {token}"));
        let mut value =
            MetadataValue::try_from(text.as_str()).map_err(|_| BadSetting("the bearer token"))?;
        value.set_sensitive(true);
        self.bearer = Some(value);
        Ok(self)
    }

    /// The region of keys that are named without one.
    ///
    /// # Errors
    /// [`BadSetting`]
    pub fn region(mut self, region: &str) -> Result<Self, BadSetting> {
        let value = MetadataValue::try_from(region).map_err(|_| BadSetting("the region"))?;
        self.region = Some(value);
        Ok(self)
    }

    /// How long a call may take, with its retries.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    fn request<T>(&self, message: T, until: Instant) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(until.saturating_duration_since(Instant::now()));
        if let Some(bearer) = &self.bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        if let Some(region) = &self.region {
            request.metadata_mut().insert("x-strongroom-region", region.clone());
        }
        request
    }

    /// Makes a call, again while that may help.
    async fn call<M, T, F>(
        &self,
        message: &M,
        call: impl Fn(DataKeysClient<Channel>, Request<M>) -> F + Send + Sync,
    ) -> Result<T, Status>
    where
        M: Clone + Send + Sync,
        F: Future<Output = Result<tonic::Response<T>, Status>> + Send,
    {
        let mut attempts = Attempts::within(self.deadline);
        loop {
            let client = DataKeysClient::new(self.channel.clone());
            let made = call(client, self.request(message.clone(), attempts.end()));
            let status = match timeout_at(attempts.end(), made).await {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => return Err(Status::deadline_exceeded("the call's deadline passed")),
            };
            if !may_help(&status) || !attempts.again().await {
                return Err(status);
            }
        }
    }
}

#[async_trait]
impl KeyProvider for GrpcKeys {
    async fn generate(&self, key: &str, context: &Context) -> Result<DataKey, ProviderError> {
        let message = generation(key, context);
        let call = |mut client: DataKeysClient<Channel>, request| async move {
            client.generate_data_key(request).await
        };
        let made = self.call(&message, call).await.map_err(provider_error)?;
        let plaintext = secret(made.plaintext)?;
        let wrapped = WrappedKey { key_arn: made.key_id, blob: made.ciphertext_blob };
        Ok(DataKey { plaintext, wrapped })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        let message = v1::UnwrapDataKeyRequest {
            ciphertext_blob: wrapped.blob.clone(),
            encryption_context: context.clone().into_iter().collect(),
            key_id: wrapped.key_arn.clone(),
            ..Default::default()
        };
        let call = |mut client: DataKeysClient<Channel>, request| async move {
            client.unwrap_data_key(request).await
        };
        let unwrapped = self.call(&message, call).await.map_err(provider_error)?;
        secret(unwrapped.plaintext)
    }

    async fn may_generate(&self, key: &str, context: &Context) -> Result<(), ProviderError> {
        let message = generation(key, context);
        let call = |mut client: DataKeysClient<Channel>, mut request: Request<_>| async move {
            request.metadata_mut().insert(DRY_RUN, MetadataValue::from_static("true"));
            client.generate_data_key(request).await
        };
        would(self.call(&message, call).await.map_err(provider_error))
    }
}

/// Without the token.
impl std::fmt::Debug for GrpcKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcKeys").field("region", &self.region).finish_non_exhaustive()
    }
}

fn generation(key: &str, context: &Context) -> v1::GenerateDataKeyRequest {
    v1::GenerateDataKeyRequest {
        key_id: key.to_owned(),
        key_spec: "AES_256".to_owned(),
        encryption_context: context.clone().into_iter().collect(),
        ..Default::default()
    }
}

/// The data key out of a message, whose copy is wiped.
fn secret(bytes: Vec<u8>) -> Result<SecretKey, ProviderError> {
    let bytes = Zeroizing::new(bytes);
    SecretKey::from_slice(&bytes).map_err(|_| ProviderError::Answer)
}

/// Whether the same call can be answered later: the service was not there, or had too much to do.
fn may_help(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable => true,
        Code::ResourceExhausted => {
            let info = status.get_details_error_info();
            info.is_some_and(|info| info.reason == "ThrottlingException")
        }
        _ => false,
    }
}

fn provider_error(status: Status) -> ProviderError {
    match status.get_details_error_info() {
        Some(info) if !matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
            ProviderError::Refused { exception: info.reason, message: status.message().to_owned() }
        }
        _ => ProviderError::Unavailable(Box::new(status)),
    }
}

const CONNECT: Duration = Duration::from_secs(3);
const DRY_RUN: &str = "x-strongroom-dry-run";
