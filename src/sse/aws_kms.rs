//! AWS KMS itself as a [`KeyProvider`], through its JSON 1.1 protocol: pooled, retried, with a deadline.
//!
//! `aws-sdk-kms` brings some eighty crates for calls of one shape.
//!
//! Source: AWS KMS API Reference.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Deserializer, Serialize};
use tokio::time::timeout_at;
use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::provider::{Context, DataKey, KeyProvider, ProviderError, WrappedKey, would};
use crate::crypto::SecretKey;
use crate::crypto::request_signature::{AwsCredentials, ToSign, amz_date};

/// AWS KMS as a [`KeyProvider`].
#[derive(Clone)]
pub struct AwsKms {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    endpoint: Uri,
    host: HeaderValue,
    region: String,
    credentials: Arc<RwLock<Arc<AwsCredentials>>>,
    deadline: Duration,
}

/// An address, a region or certificates that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0} cannot be used")]
pub struct BadEndpoint(&'static str);

impl AwsKms {
    /// How long a call may take, with its retries, unless [`Self::deadline`] says otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// KMS of a region, at `endpoint` or, without one, where AWS has it. Trusts the certificates that the
    /// operating system trusts.
    ///
    /// # Errors
    /// [`BadEndpoint`]
    pub fn new(
        region: &str,
        endpoint: Option<&str>,
        credentials: AwsCredentials,
    ) -> Result<Self, BadEndpoint> {
        let named = region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if region.is_empty() || !named {
            return Err(BadEndpoint("the region"));
        }
        let aws = format!("https://kms.{region}.amazonaws.com");
        let endpoint: Uri = endpoint
            .unwrap_or(&aws)
            .trim_end_matches('/')
            .parse()
            .map_err(|_| BadEndpoint("the endpoint"))?;
        let host = endpoint.authority().map(|host| HeaderValue::from_str(host.as_str()));
        let host = host.and_then(Result::ok).ok_or(BadEndpoint("the endpoint"))?;
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()
            .map_err(|_| BadEndpoint("the operating system's list of certificates"))?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let credentials = Arc::new(RwLock::new(Arc::new(credentials)));
        let (region, deadline) = (region.to_owned(), Self::DEADLINE);
        Ok(Self { client, endpoint, host, region, credentials, deadline })
    }

    /// How long a call may take, with its retries.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Replaces the credentials, for calls from now on, of every clone: temporary ones end.
    pub fn renew(&self, credentials: AwsCredentials) {
        *self.credentials.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(credentials);
    }

    /// Makes a call, again while that may help.
    async fn call<T: for<'a> Deserialize<'a>>(
        &self,
        operation: &str,
        message: &impl Serialize,
    ) -> Result<T, ProviderError> {
        let body = Bytes::from(serde_json::to_vec(message).map_err(|_| ProviderError::Answer)?);
        let mut attempts = Attempts::within(self.deadline);
        loop {
            let made = timeout_at(attempts.end(), self.once(operation, body.clone()));
            let error = match made.await {
                Ok(Ok(answer)) => {
                    return serde_json::from_slice(&answer).map_err(|_| ProviderError::Answer);
                }
                Ok(Err(error)) => error,
                Err(passed) => return Err(ProviderError::Unavailable(Box::new(passed))),
            };
            let may_help = match &error {
                ProviderError::Refused { exception, .. } => exception == "ThrottlingException",
                ProviderError::Unavailable(_) => true,
                ProviderError::Answer => false,
            };
            if !may_help || !attempts.again().await {
                return Err(error);
            }
        }
    }

    async fn once(
        &self,
        operation: &str,
        body: Bytes,
    ) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        #[expect(
            clippy::disallowed_methods,
            reason = "AWS wants the time of the machine that signs"
        )]
        let request = self.signed(operation, body, &self.credentials(), Utc::now())?;
        let unavailable =
            |error: Box<dyn std::error::Error + Send + Sync>| ProviderError::Unavailable(error);
        let answer =
            self.client.request(request).await.map_err(|error| unavailable(error.into()))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(unavailable)?.to_bytes();
        // The connection's own buffer is not ours to wipe; this copy is.
        let body = Zeroizing::new(body.to_vec());
        if status == StatusCode::OK { Ok(body) } else { Err(refusal(status, &body)) }
    }

    fn credentials(&self) -> Arc<AwsCredentials> {
        Arc::clone(&self.credentials.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn signed(
        &self,
        operation: &str,
        body: Bytes,
        credentials: &AwsCredentials,
        now: DateTime<Utc>,
    ) -> Result<Request<Full<Bytes>>, ProviderError> {
        let target = format!("TrentService.{operation}");
        let date = amz_date(now);
        let host = self.host.to_str().map_err(|_| ProviderError::Answer)?;
        let mut headers = BTreeMap::from([
            ("content-type", CONTENT_TYPE),
            ("host", host),
            ("x-amz-date", &date),
            ("x-amz-target", &target),
        ]);
        if let Some(token) = &credentials.session_token {
            headers.insert("x-amz-security-token", token);
        }
        let to_sign =
            ToSign { method: "POST", path: "/", query: "", headers: &headers, body: &body };
        let authorization = to_sign.authorization(credentials, &self.region, "kms");
        let mut request = Request::post(self.endpoint.clone());
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        request
            .header("authorization", authorization)
            .body(Full::new(body))
            .map_err(|error| ProviderError::Unavailable(Box::new(error)))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GenerateDataKey<'a> {
    key_id: &'a str,
    key_spec: &'a str,
    encryption_context: &'a Context,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt<'a> {
    ciphertext_blob: String,
    encryption_context: &'a Context,
    key_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    key_id: String,
    #[serde(deserialize_with = "wiped")]
    plaintext: Zeroizing<String>,
    ciphertext_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypted {
    #[serde(deserialize_with = "wiped")]
    plaintext: Zeroizing<String>,
}

fn wiped<'a, D: Deserializer<'a>>(from: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(from).map(Zeroizing::new)
}

#[derive(Deserialize)]
struct Failed {
    #[serde(rename = "__type")]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

#[async_trait]
impl KeyProvider for AwsKms {
    async fn generate(&self, key: &str, context: &Context) -> Result<DataKey, ProviderError> {
        let made: Made = self.call("GenerateDataKey", &generation(key, context, false)).await?;
        let blob = STANDARD.decode(made.ciphertext_blob).map_err(|_| ProviderError::Answer)?;
        let wrapped = WrappedKey { key_arn: made.key_id, blob };
        Ok(DataKey { plaintext: secret(&made.plaintext)?, wrapped })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        let ciphertext_blob = STANDARD.encode(&wrapped.blob);
        let message =
            Decrypt { ciphertext_blob, encryption_context: context, key_id: &wrapped.key_arn };
        let decrypted: Decrypted = self.call("Decrypt", &message).await?;
        secret(&decrypted.plaintext)
    }

    async fn may_generate(&self, key: &str, context: &Context) -> Result<(), ProviderError> {
        would(self.call::<Made>("GenerateDataKey", &generation(key, context, true)).await)
    }
}

/// Without credentials.
impl fmt::Debug for AwsKms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKms").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

const fn generation<'a>(
    key_id: &'a str,
    context: &'a Context,
    dry_run: bool,
) -> GenerateDataKey<'a> {
    GenerateDataKey { key_id, key_spec: "AES_256", encryption_context: context, dry_run }
}

fn secret(text: &str) -> Result<SecretKey, ProviderError> {
    let mut bytes = Zeroizing::new([0; 48]);
    let length = STANDARD.decode_slice(text, bytes.as_mut_slice());
    let key = length.ok().and_then(|length| SecretKey::from_slice(bytes.get(..length)?).ok());
    key.ok_or(ProviderError::Answer)
}

/// AWS's exception, whose type may have a namespace in front. What is none is the way to it: a gateway, or
/// KMS in trouble.
fn refusal(status: StatusCode, body: &[u8]) -> ProviderError {
    let failed: Option<Failed> = serde_json::from_slice(body).ok();
    match failed {
        Some(Failed { kind, message }) if status.as_u16() < 500 => {
            let exception = kind.rsplit('#').next().unwrap_or_default().to_owned();
            ProviderError::Refused { exception, message }
        }
        _ => ProviderError::Unavailable(format!("it answered {status}").into()),
    }
}

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// Bytes of an answer at the most.
const MAX_ANSWER: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_told_from_troubles_on_the_way() {
        let said = |status: u16, body: &[u8]| refusal(StatusCode::from_u16(status).unwrap(), body);
        for (body, expected) in [
            (
                &br#"{"__type":"DisabledException","message":"it is disabled."}"#[..],
                "it is disabled.",
            ),
            (br#"{"__type":"com.amazonaws.kms#DisabledException","Message":"m"}"#, "m"),
            (br#"{"__type":"DisabledException"}"#, ""),
        ] {
            let error = said(400, body);
            let ProviderError::Refused { exception, message } = error else { panic!("{error:?}") };
            assert_eq!((exception.as_str(), message.as_str()), ("DisabledException", expected));
        }
        for (status, body) in [
            (500, &br#"{"__type":"KMSInternalException"}"#[..]),
            (503, b"<html>"),
            (400, b"<html>"),
            (200, b"[]"),
        ] {
            assert!(matches!(said(status, body), ProviderError::Unavailable(_)));
        }
    }
}
