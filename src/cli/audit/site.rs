//! A log's files over HTTP: of a running service, or wherever they were put (C2SP tlog-tiles).

use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Handle;

use super::super::error::Error;
use crate::audit;
use crate::audit::files::{Files, LogFile};

/// Files below an address. Reading waits: use it where a thread may.
#[derive(Debug)]
pub(in crate::cli) struct Site {
    prefix: String,
    authorization: Option<HeaderValue>,
    client: Client<HttpConnector, Empty<Bytes>>,
}

impl Site {
    /// A site whose `checkpoint` is directly below `prefix`.
    pub(in crate::cli) fn at(
        prefix: &str,
        authorization: Option<HeaderValue>,
    ) -> Result<Self, Error> {
        let prefix = prefix.trim_end_matches('/').to_owned();
        if !prefix.starts_with("http://") || prefix.parse::<Uri>().is_err() {
            return Err(Error::Usage(format!(
                "{prefix:?} is no http:// address; of what is served over TLS fetch the files (wget -r) \
                 and verify their folder"
            )));
        }
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { prefix, authorization, client })
    }

    async fn fetch(&self, url: &str, most: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut request = Request::get(url).body(Empty::new())?;
        if let Some(value) = &self.authorization {
            request.headers_mut().insert(AUTHORIZATION, value.clone());
        }
        let response = self.client.request(request).await?;
        let (parts, body) = response.into_parts();
        if matches!(parts.status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        let body = Limited::new(body, most).collect().await?.to_bytes();
        if parts.status == StatusCode::OK {
            return Ok(Some(body.into()));
        }
        let said: String = String::from_utf8_lossy(&body).chars().take(300).collect();
        Err(format!("{}: {}", parts.status, said.trim()).into())
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl Files for Site {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, audit::Error> {
        let url = format!("{}/{}", self.prefix, file.path());
        let fetch = tokio::time::timeout(PATIENCE, self.fetch(&url, file.max_len()));
        let fetched = tokio::task::block_in_place(|| Handle::current().block_on(fetch));
        fetched.unwrap_or_else(|late| Err(late.into())).map_err(|source| {
            if source.is::<LengthLimitError>() {
                return audit::Error::Damage(format!("{url} is longer than any such file"));
            }
            audit::Error::Read { what: url, source }
        })
    }
}

/// How long one file may take.
const PATIENCE: Duration = Duration::from_secs(30);
