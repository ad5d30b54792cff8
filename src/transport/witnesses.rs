//! The way to witnesses: the newest checkpoint goes to each of them, beside the calls and never in their way.
//!
//! Rounds begin when the log has grown, at most one a second. In a round every witness is asked at the same
//! time, once, and given ten seconds; one that did not sign is asked again after a pause, which doubles from
//! one second (ten for one that did not answer) up to a minute, so that it seldom keeps the others waiting.
//!
//! Source: C2SP tlog-witness 1.0.0.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::watch;
use tokio::time::Instant;

use super::client_authority::roots;
use super::tls::{self, provider};
use super::witness::SIZE;
use crate::audit::CosignatureKey;
use crate::service::{self, Asked, Gathered, Round, Service, with_causes};

/// Where a witness is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAddress {
    /// What `/add-checkpoint` is put behind: `http://…`, or `https://…` with a CA.
    pub url: String,
    /// Its verifier string, of type `04`.
    pub key: CosignatureKey,
    /// The CAs that its certificate is verified with, PEM.
    pub authority: Option<PathBuf>,
}

/// Why a witness cannot be asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody says whose certificates are believed.
    #[error("the witness at {0} is asked over TLS: name the CA of its certificate")]
    Authority(String),
    /// The CA's file cannot be used, or TLS not be offered.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// The address is none.
    #[error("{0:?} is no address of a witness; expected something like http://127.0.0.1:4567")]
    Url(String),
}

/// A witness that can be asked.
#[derive(Debug)]
pub struct WitnessClient {
    key: CosignatureKey,
    url: Uri,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Size of the tree that it has signed last, as far as is known.
    signed: u64,
    last: Option<Asked>,
    failures: u32,
    again: Instant,
}

impl WitnessClient {
    /// A client of a witness. Connects when it asks.
    ///
    /// # Errors
    /// [`Error`]
    pub fn new(address: &WitnessAddress) -> Result<Self, Error> {
        let refused = || Error::Url(address.url.clone());
        let url = format!("{}/add-checkpoint", address.url.trim_end_matches('/'));
        let url: Uri = url.parse().map_err(|_| refused())?;
        let authority = url.authority().map(ToString::to_string).unwrap_or_default();
        let secure = url.scheme_str() == Some("https");
        if !(secure || url.scheme_str() == Some("http"))
            || authority.is_empty()
            || authority.contains('@')
            || url.query().is_some()
        {
            return Err(refused());
        }
        if secure && address.authority.is_none() {
            return Err(Error::Authority(address.url.clone()));
        }
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(address.authority.as_deref())?)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let (key, again) = (address.key.clone(), Instant::now());
        Ok(Self { key, url, client, signed: 0, last: None, failures: 0, again })
    }

    /// Takes a round's checkpoint to the witness.
    async fn ask(&mut self, service: &Service, round: &Arc<Round>) {
        if !round.wants(&self.key) || self.again > Instant::now() {
            return;
        }
        let asked = tokio::time::timeout(PATIENCE, self.add_checkpoint(round)).await;
        let least = if asked.is_ok() { EVERY } else { PATIENCE };
        let asked = asked.unwrap_or(Asked::Unreachable);
        service.witness_answered(&self.key, asked, self.last);
        self.last = Some(asked);
        self.failures = if asked == Asked::Cosigned { 0 } else { self.failures.saturating_add(1) };
        if self.failures > 0 {
            let pause = EVERY * 2_u32.saturating_pow(self.failures.min(10) - 1);
            self.again = Instant::now() + pause.clamp(least, LONGEST_PAUSE);
        }
    }

    async fn add_checkpoint(&mut self, round: &Arc<Round>) -> Asked {
        for _ in 0..ATTEMPTS {
            // After a reset the log is another one, and begins anew.
            let old = if self.signed > round.size() { 0 } else { self.signed };
            let (status, kind, body) = match self.post(round, old).await {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::debug!(witness = self.key.name(), error, "asking a witness failed");
                    return Asked::Unreachable;
                }
            };
            match status {
                StatusCode::OK => return self.take(round, body).await,
                StatusCode::CONFLICT => match size(kind.as_deref(), &body) {
                    Some(size) if size > round.size() => return Asked::Rollback,
                    // It has a tree of this size, and it is another one.
                    Some(size) if size == old && old == round.size() => return Asked::Fork,
                    Some(size) if size != old => self.signed = size,
                    _ => return Asked::Invalid,
                },
                // The proof is this log's own, so it began at another tree.
                StatusCode::UNPROCESSABLE_ENTITY if old > 0 => return Asked::Fork,
                StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => return Asked::Refused,
                status if status.is_server_error() => return Asked::Unreachable,
                _ => return Asked::Invalid,
            }
        }
        // Somebody else asks it, too, for a log of the same name.
        Asked::Invalid
    }

    async fn take(&mut self, round: &Arc<Round>, answer: Bytes) -> Asked {
        let (taking, key) = (Arc::clone(round), self.key.clone());
        let taken = tokio::task::spawn_blocking(move || taking.take(&key, &answer)).await;
        match taken {
            Ok(Ok(())) => {
                self.signed = round.size();
                Asked::Cosigned
            }
            Ok(Err(error @ service::Error::Store(_))) => {
                let error = with_causes(&error);
                tracing::error!(error, "what witnesses have signed cannot be kept");
                Asked::Cosigned
            }
            Ok(Err(error)) => {
                let error = with_causes(&error);
                tracing::warn!(witness = self.key.name(), error, "an answer cannot be used");
                Asked::Invalid
            }
            Err(_) => Asked::Unreachable,
        }
    }

    /// Asks once; status, content type and body.
    async fn post(
        &self,
        round: &Arc<Round>,
        old: u64,
    ) -> Result<(StatusCode, Option<String>, Bytes), String> {
        let proving = Arc::clone(round);
        let body = tokio::task::spawn_blocking(move || proving.request(old)).await;
        let body = body.map_err(|_| "cut off")?.map_err(|error| error.to_string())?;
        let request = Request::post(self.url.clone())
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(body.into()))
            .map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| with_causes(&error))?;
        let (parts, body) = answer.into_parts();
        let kind = parts.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let kind = kind.map(str::to_owned);
        let body = Limited::new(body, ANSWER_BYTES).collect().await.map_err(|e| e.to_string())?;
        Ok((parts.status, kind, body.to_bytes()))
    }
}

/// The size in the body of a 409.
fn size(kind: Option<&str>, body: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(body).ok()?.strip_suffix('\n')?;
    let size: u64 = text.parse().ok()?;
    (kind == Some(SIZE) && size.to_string() == text).then_some(size)
}

/// Whose certificates are believed: a CA's, and nobody's without one.
fn trusting(authority: Option<&Path>) -> Result<ClientConfig, tls::Error> {
    let roots = authority.map_or_else(|| Ok(RootCertStore::empty()), roots)?;
    let builder = ClientConfig::builder_with_provider(provider());
    let builder = builder.with_safe_default_protocol_versions().map_err(tls::Error::Protocol)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Asks the witnesses for as long as the service lives, and ends when it shuts down.
pub async fn ask_witnesses(service: Arc<Service>, mut witnesses: Vec<WitnessClient>) {
    let mut closing = service.closing();
    let weak = Arc::downgrade(&service);
    drop(service);
    let mut gathered = Gathered::default();
    while !witnesses.is_empty() && !*closing.borrow() {
        let Some(service) = weak.upgrade() else { return };
        if let Some(round) = service.begin_round(&gathered) {
            let round = Arc::new(round);
            let asked = join_all(witnesses.iter_mut().map(|each| each.ask(&service, &round)));
            if ends(&mut closing, asked).await {
                return;
            }
            gathered = round.gathered();
        }
        drop(service);
        if ends(&mut closing, tokio::time::sleep(EVERY)).await {
            return;
        }
    }
}

/// Waits for something; true when shutdown began before.
async fn ends(closing: &mut watch::Receiver<bool>, done: impl Future) -> bool {
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => true,
        _ = done => false,
    }
}

/// Bytes of an answer at the most.
const ANSWER_BYTES: usize = 16 * 1024;
/// A size that is not known, the size that it has, and once more for who was faster.
const ATTEMPTS: usize = 3;
/// The least time between two rounds.
const EVERY: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// For everything that is said with a witness in a round.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str, authority: Option<&str>) -> WitnessAddress {
        let key = include_str!("../../tests/vectors/cosignature/verifier").trim();
        let key = CosignatureKey::parse(key).unwrap();
        WitnessAddress { url: url.to_owned(), key, authority: authority.map(Into::into) }
    }

    #[test]
    fn an_address_is_plain_or_names_its_ca() {
        for url in ["http://127.0.0.1:4567", "http://w.example/one/", "http://[::1]:1"] {
            let client = WitnessClient::new(&address(url, None)).unwrap();
            assert!(client.url.path().ends_with("/add-checkpoint"), "{}", client.url);
            assert!(!client.url.path().contains("//"));
        }
        for url in ["", "127.0.0.1:4567", "ftp://x", "http://", "http://a@b", "http://a?b=c"] {
            assert!(WitnessClient::new(&address(url, None)).is_err(), "{url}");
        }
        let without = WitnessClient::new(&address("https://w.example", None)).unwrap_err();
        assert!(without.to_string().contains("name the CA"));
        let missing = WitnessClient::new(&address("https://w.example", Some("no-such-file")));
        assert!(missing.unwrap_err().to_string().contains("no-such-file"));
    }

    #[test]
    fn a_size_is_read_as_the_specification_has_it() {
        assert_eq!(size(Some(SIZE), b"0\n"), Some(0));
        assert_eq!(size(Some(SIZE), b"20852163\n"), Some(20_852_163));
        for wrong in [&b"5"[..], b"05\n", b"+5\n", b"5\n\n", b"\xff\n", b"18446744073709551616\n"] {
            assert_eq!(size(Some(SIZE), wrong), None);
        }
        assert_eq!(size(None, b"5\n"), None);
        assert_eq!(size(Some("text/plain"), b"5\n"), None);
    }
}
