//! The way to a running service.

use clap::Args;
use http::{HeaderValue, Uri};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use super::audit::Site;
use super::error::Error;
use crate::proto::v1::access_client::AccessClient;
use crate::proto::v1::audit_client::AuditClient;
use crate::proto::v1::data_keys_client::DataKeysClient;
use crate::proto::v1::keys_client::KeysClient;
use crate::sse::{BadSetting, GrpcKeys};

/// Which service, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Address of the service
    #[arg(
        long,
        env = "STRONGROOM_ENDPOINT",
        value_name = "URL",
        default_value = "http://127.0.0.1:4566"
    )]
    endpoint: String,
    /// Access key id; 12 digits are the account
    #[arg(long, env = "STRONGROOM_ACCESS_KEY_ID", value_name = "ID", conflicts_with = "token")]
    access_key_id: Option<String>,
    /// Bearer token, where the service has a credentials file; better in the variable, which other
    /// users cannot see
    #[arg(long, env = "STRONGROOM_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Region of keys that are named without one
    #[arg(long, env = "STRONGROOM_REGION", value_name = "REGION")]
    region: Option<String>,
}

/// A channel on which every call says who calls.
pub(super) type Wire = InterceptedService<Channel, Identity>;

impl Connection {
    /// Connects at the first call.
    pub(super) fn open(&self) -> Result<Wire, Error> {
        let endpoint = Endpoint::from_shared(self.endpoint.clone())
            .map_err(|_| Error::Endpoint(self.endpoint.clone()))?;
        let text = |value: &str| {
            MetadataValue::try_from(value)
                .map_err(|_| Error::Usage(format!("{value:?} is not printable ASCII")))
        };
        let bearer = self.token.as_deref().or(self.access_key_id.as_deref());
        let bearer = bearer.map(|bearer| text(&format!("Bearer {bearer}")));
        let region = self.region.as_deref().map(text);
        let identity = Identity { bearer: bearer.transpose()?, region: region.transpose()? };
        Ok(InterceptedService::new(endpoint.connect_lazy(), identity))
    }

    /// The log's files.
    pub(super) fn log(&self) -> Result<Site, Error> {
        let prefix = format!("{}/_strongroom/log", self.endpoint.trim_end_matches('/'));
        let authorization = self.authorization_at(&prefix)?;
        Site::at(&prefix, authorization)
    }

    /// What is said of the caller to who serves an address: to the endpoint alone anything.
    pub(super) fn authorization_at(&self, url: &str) -> Result<Option<HeaderValue>, Error> {
        let authority =
            |url: &str| url.parse::<Uri>().ok().and_then(|url| url.into_parts().authority);
        if authority(url).is_none() || authority(url) != authority(&self.endpoint) {
            return Ok(None);
        }
        let bearer = self.token.as_deref().or(self.access_key_id.as_deref());
        let text = |bearer: &str| {
            HeaderValue::try_from(format!("Bearer {bearer}"))
                .map_err(|_| Error::Usage("the token is not printable ASCII".to_owned()))
        };
        bearer.map(text).transpose()
    }

    pub(super) fn keys(&self) -> Result<KeysClient<Wire>, Error> {
        Ok(KeysClient::new(self.open()?))
    }

    pub(super) fn data_keys(&self) -> Result<DataKeysClient<Wire>, Error> {
        Ok(DataKeysClient::new(self.open()?))
    }

    /// The same as a provider of data keys.
    pub(super) fn provider(&self) -> Result<GrpcKeys, Error> {
        let endpoint = Endpoint::from_shared(self.endpoint.clone())
            .map_err(|_| Error::Endpoint(self.endpoint.clone()))?;
        let mut keys = GrpcKeys::over(endpoint.connect_lazy());
        let unusable = |error: BadSetting| Error::Usage(error.to_string());
        if let Some(bearer) = self.token.as_deref().or(self.access_key_id.as_deref()) {
            keys = keys.bearer(bearer).map_err(unusable)?;
        }
        if let Some(region) = &self.region {
            keys = keys.region(region).map_err(unusable)?;
        }
        Ok(keys)
    }

    pub(super) fn access(&self) -> Result<AccessClient<Wire>, Error> {
        Ok(AccessClient::new(self.open()?).max_decoding_message_size(ANSWER_BYTES))
    }

    pub(super) fn audit(&self) -> Result<AuditClient<Wire>, Error> {
        Ok(AuditClient::new(self.open()?).max_decoding_message_size(ANSWER_BYTES))
    }
}

/// What every call says of its caller.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    bearer: Option<MetadataValue<Ascii>>,
    region: Option<MetadataValue<Ascii>>,
}

impl Interceptor for Identity {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(bearer) = &self.bearer {
            metadata.insert("authorization", bearer.clone());
        }
        if let Some(region) = &self.region {
            metadata.insert("x-strongroom-region", region.clone());
        }
        Ok(request)
    }
}

/// Bytes of an answer at the most: a page of 1,000 records of 64 KiB, or 100 explanations.
const ANSWER_BYTES: usize = 80 * 1024 * 1024;
