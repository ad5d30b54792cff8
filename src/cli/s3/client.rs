//! A client of any S3: its address, its caller's signature, and another attempt where one may help.
//!
//! Buckets are asked for in the path, which every S3 understands. Source: Amazon S3 API Reference.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::super::error::Error;
use super::answers;
use crate::clock::Clock;
use crate::config;
use crate::crypto::digest;
use crate::crypto::request_signature::{AwsCredentials, ToSign, amz_date, encoded_path, query};

/// Which S3, and as whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Endpoint {
    /// Address of the S3 [default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, http://127.0.0.1:4566]
    #[arg(long, env = "STRONGROOM_ENDPOINT", value_name = "URL")]
    endpoint: Option<String>,
    /// CA of its certificate in PEM [default: those of the operating system]
    #[arg(long, env = "AWS_CA_BUNDLE", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Access key id, its secret in AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; on this machine 12 digits
    /// are the account and need none [default: AWS_ACCESS_KEY_ID]
    #[arg(long, env = "STRONGROOM_ACCESS_KEY_ID", value_name = "ID")]
    access_key_id: Option<String>,
    /// Region that is signed for [default: AWS_REGION, AWS_DEFAULT_REGION, us-east-1]
    #[arg(long, env = "STRONGROOM_REGION", value_name = "REGION")]
    region: Option<String>,
}

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Failure {
    /// S3 refused.
    #[error("{code}: {message}")]
    Refused { code: String, message: String, status: StatusCode },
    /// The answer is not one of S3.
    #[error("the answer is none of S3: {0}")]
    Strange(&'static str),
    /// The service cannot be reached, or is in trouble for longer than we try.
    #[error("the service cannot be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Failure {
    /// Whether it is of this request only, so that the next may do better.
    pub(super) fn is_of_one(&self) -> bool {
        match self {
            Self::Refused { code, .. } => !OF_ALL.contains(&code.as_str()),
            Self::Strange(_) => true,
            Self::Unreachable(_) => false,
        }
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// What is wrong with the caller, whatever is asked for.
const OF_ALL: [&str; 6] = [
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
];

/// An answer that is no refusal.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A request of S3.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    /// How long an attempt may take; a minute, if not said.
    pub(super) patience: Option<Duration>,
}

/// The way to an S3.
#[derive(Debug)]
pub(super) struct S3 {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    region: String,
    credentials: AwsCredentials,
}

impl Endpoint {
    /// Connects at the first request.
    pub(super) fn open(self) -> Result<S3, Error> {
        let aws = config::aws()?;
        let text = self.endpoint.or(aws.endpoint).unwrap_or_else(|| LOCAL.to_owned());
        let endpoint: Uri =
            text.trim_end_matches('/').parse().map_err(|_| Error::Endpoint(text.clone()))?;
        let is_address = matches!(endpoint.scheme_str(), Some("http" | "https"))
            && endpoint.authority().is_some_and(|authority| !authority.as_str().contains('@'))
            && endpoint.path() == "/"
            && endpoint.query().is_none();
        if !is_address {
            return Err(Error::Endpoint(text));
        }
        let region = self.region.or(aws.region).unwrap_or_else(|| "us-east-1".to_owned());
        let named = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if !region.bytes().all(named) {
            return Err(Error::Usage(format!("{region:?} is no region")));
        }
        let given = self.access_key_id.or(aws.access_key_id);
        let secret_access_key = match aws.secret_access_key {
            Some(secret) => secret,
            // Where nobody is known any secret will do, and whoever is known has one.
            None if is_here(&endpoint) => Zeroizing::new("any".to_owned()),
            None => {
                return Err(Error::Usage(format!(
                    "requests to {text} are signed: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                )));
            }
        };
        let access_key_id = given.unwrap_or_else(|| "000000000000".to_owned());
        if !access_key_id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::Usage(format!("{access_key_id:?} is no access key id")));
        }
        let credentials =
            AwsCredentials { access_key_id, secret_access_key, session_token: aws.session_token };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(self.ca.as_deref(), &endpoint)?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(S3 { client, endpoint, region, credentials })
    }
}

/// Whether an address is this machine's own.
fn is_here(endpoint: &Uri) -> bool {
    let host = endpoint.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn trusting(authority: Option<&Path>, endpoint: &Uri) -> Result<ClientConfig, Error> {
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Usage(error.to_string()))?;
    if endpoint.scheme_str() == Some("http") {
        let none = RootCertStore::empty();
        return Ok(builder.with_root_certificates(none).with_no_client_auth());
    }
    let Some(path) = authority else {
        use hyper_rustls::ConfigBuilderExt as _;
        let native = builder.with_native_roots().map_err(|error| {
            Error::Usage(format!(
                "the operating system has no certificates ({error}): name a CA with --ca"
            ))
        })?;
        return Ok(native.with_no_client_auth());
    };
    let unusable = |reason: String| Error::Usage(format!("{} has no CA: {reason}", path.display()));
    let mut roots = RootCertStore::empty();
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for certificate in found.map_err(|error| unusable(error.to_string()))? {
        roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unusable("there is no certificate in it".to_owned()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

impl S3 {
    /// Asks, and asks again where the service was in trouble. What changes something has to say what it
    /// expects, so that another attempt does nothing twice.
    pub(super) async fn ask(&self, asked: &Asked<'_>) -> Result<Answer, Failure> {
        let path = match (asked.bucket, asked.key) {
            ("", _) => "/".to_owned(),
            (bucket, "") => encoded_path(&format!("/{bucket}")),
            (bucket, key) => encoded_path(&format!("/{bucket}/{key}")),
        };
        let authority = self.endpoint.authority().map(ToString::to_string).unwrap_or_default();
        self.attempts(asked, &authority, &path, "s3").await
    }

    /// The ARN of a key that is named by id, alias or ARN: `DescribeKey` of the same service. On AWS KMS
    /// has an address of its own.
    pub(super) async fn key_arn(&self, key: &str) -> Result<String, Failure> {
        let host = self.endpoint.host().unwrap_or_default();
        let aws = ["amazonaws.com", "amazonaws.com.cn"];
        let authority = match aws.iter().find(|name| host.ends_with(&format!(".{name}"))) {
            Some(name) => format!("kms.{}.{name}", self.region),
            None => self.endpoint.authority().map(ToString::to_string).unwrap_or_default(),
        };
        let asked = Asked {
            method: Method::POST,
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", "TrentService.DescribeKey".to_owned()),
            ],
            body: Bytes::from(json!({ "KeyId": key }).to_string()),
            ..Default::default()
        };
        let answer = self.attempts(&asked, &authority, "/", "kms").await?;
        let answer: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let arn = answer.pointer("/KeyMetadata/Arn").and_then(Value::as_str);
        arn.map(str::to_owned).ok_or(Failure::Strange("DescribeKey named no key"))
    }

    async fn attempts(
        &self,
        asked: &Asked<'_>,
        authority: &str,
        path: &str,
        service: &str,
    ) -> Result<Answer, Failure> {
        let mut pause = FIRST_PAUSE;
        loop {
            let attempt = self.once(asked, authority, path, service);
            let made = tokio::time::timeout(asked.patience.unwrap_or(PATIENCE), attempt).await;
            let failure = match made.unwrap_or_else(|late| Err(Failure::Unreachable(late.into()))) {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let may_help = match &failure {
                Failure::Refused { status, code, .. } => {
                    status.is_server_error() && *status != StatusCode::NOT_IMPLEMENTED
                        || *status == StatusCode::TOO_MANY_REQUESTS
                        || code == "ThrottlingException"
                }
                Failure::Unreachable(_) => true,
                Failure::Strange(_) => false,
            };
            if !may_help || pause > LAST_PAUSE {
                return Err(match failure {
                    Failure::Refused { status, .. } if status.is_server_error() => {
                        Failure::Unreachable(Box::new(failure))
                    }
                    failure => failure,
                });
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn once(
        &self,
        asked: &Asked<'_>,
        authority: &str,
        path: &str,
        service: &str,
    ) -> Result<Answer, Failure> {
        let time = amz_date(Clock::default().now());
        let hash = hex::encode(digest::sha256(&[&asked.body]));
        let query = query(asked.query);
        let mut headers = BTreeMap::from([
            ("host", authority),
            ("x-amz-content-sha256", &hash),
            ("x-amz-date", &time),
        ]);
        headers.extend(asked.headers.iter().map(|(name, value)| (*name, value.as_str())));
        if let Some(token) = &self.credentials.session_token {
            headers.insert("x-amz-security-token", token);
        }
        let method = asked.method.as_str();
        let to_sign = ToSign { method, path, query: &query, headers: &headers, body: &asked.body };
        let signed = to_sign.authorization(&self.credentials, &self.region, service);
        let scheme = self.endpoint.scheme_str().unwrap_or("https");
        let mark = if query.is_empty() { "" } else { "?" };
        let mut request = Request::builder()
            .method(&asked.method)
            .uri(format!("{scheme}://{authority}{path}{mark}{query}"));
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let request = request
            .header("authorization", signed)
            .body(Full::new(asked.body.clone()))
            .map_err(|_| Failure::Strange("a name or value cannot be sent over HTTP"))?;
        let answer = self.client.request(request).await;
        let answer = answer.map_err(|error| Failure::Unreachable(error.into()))?;
        let (parts, body) = answer.into_parts();
        let body = Limited::new(body, MOST).collect().await.map_err(Failure::Unreachable)?;
        let body = body.to_bytes();
        // A copy may begin its answer and fail afterwards.
        let refused = answers::refusal(&body);
        if parts.status.is_success() && refused.is_none() {
            return Ok(Answer { headers: parts.headers, body });
        }
        let status = parts.status;
        let said = status.canonical_reason().unwrap_or("refused").to_owned();
        let (code, mut message) = refused.unwrap_or_else(|| (status.as_str().to_owned(), said));
        if let Some(region) =
            parts.headers.get("x-amz-bucket-region").and_then(|it| it.to_str().ok())
            && status.is_redirection()
        {
            message.push_str(&format!(" The bucket's region is {region}."));
        }
        Err(Failure::Refused { code, message, status })
    }
}

const LOCAL: &str = "http://127.0.0.1:4566";
const PATIENCE: Duration = Duration::from_secs(60);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);
/// Bytes of an answer at the most: a page of a thousand keys, each encoded.
const MOST: usize = 8 * 1024 * 1024;
