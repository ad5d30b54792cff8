//! One port: accepts connections, with TLS or plain, serves HTTP/1.1 and HTTP/2 on each, and drains at
//! shutdown.

use std::future::Future;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

use super::capacity::Capacity;
use super::client_authority;
use super::router::HEADER_BYTES;
use super::tls::Tls;
use crate::service::{Certificate, Metrics};

/// Where a connection comes from, as a request extension: `ConnectInfo<Peer>`.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The door that the record names.
    pub door: &'static str,
    /// The address, or `in-process`.
    pub address: String,
    /// Whether nobody can listen in between.
    pub secure: bool,
    /// The client's certificate, if it has shown one; it was verified.
    pub certificate: Option<Arc<Certificate>>,
}

/// Accepts connections until `shutdown` resolves, then lets running calls finish.
///
/// With `tls`, a connection that begins as TLS does is served over it, any other one plain. While `most`
/// are open, one more is turned away.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    tls: Option<Tls>,
    most: usize,
    metrics: Arc<Metrics>,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let capacity = Capacity::new(most);
    let mut full = false;
    let (closing, closed) = watch::channel(false);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, address) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, or a connection that was gone before it was accepted.
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
        };
        let Some(place) = capacity.take() else {
            if !std::mem::replace(&mut full, true) {
                tracing::warn!(most, "connections are turned away: as many as may be are open");
            }
            metrics.turned_away();
            capacity.turn_away(stream);
            continue;
        };
        full = false;
        let _ = stream.set_nodelay(true);
        let address = address.ip().to_string();
        let mut peer = Peer { door: "grpc", address, secure: false, certificate: None };
        let (router, tls, watcher) = (router.clone(), tls.clone(), graceful.watcher());
        let (mut closed, metrics) = (closed.clone(), Arc::clone(&metrics));
        tokio::spawn(async move {
            let _place = place;
            // Who has not said anything yet is not waited for at shutdown.
            let begun = tokio::select! {
                begun = begin(stream, tls.as_ref()) => begun,
                _ = closed.wait_for(|closed| *closed) => return,
            };
            match begun {
                Some(Begun::Plain(stream, version)) => {
                    let _counted = metrics.connected(false);
                    connection(stream, version, router, peer, watcher).await;
                }
                Some(Begun::Tls(stream, version, certificate)) => {
                    let _counted = metrics.connected(true);
                    peer.secure = true;
                    peer.certificate = certificate.map(Arc::new);
                    connection(stream, version, router, peer, watcher).await;
                }
                None => {}
            }
        });
    }
    drop(listener);
    closing.send_replace(true);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("calls were still running {DRAIN:?} after shutdown began; they are cut off");
    }
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1
    Http1,
    /// HTTP/2
    Http2,
}

/// A connection that has begun.
enum Begun {
    Plain(TcpStream, Version),
    Tls(Box<dyn Duplex>, Version, Option<Certificate>),
}

/// Both ways of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// Finds out what a connection speaks: TLS by its first byte, HTTP/2 by its preface. None for one that
/// ended, failed to shake hands, or did not say it in time.
async fn begin(stream: TcpStream, tls: Option<&Tls>) -> Option<Begun> {
    let begun = async {
        let mut first = [0];
        if stream.peek(&mut first).await.ok()? == 0 {
            return None;
        }
        let Some(tls) = tls.filter(|_| first == [CLIENT_HELLO]) else {
            let version = spoken(&stream).await?;
            return Some(Begun::Plain(stream, version));
        };
        match tls.acceptor().accept(stream).await {
            Ok(stream) => secured(stream).await,
            Err(error) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
        }
    };
    tokio::time::timeout(HEADER_TIMEOUT, begun).await.ok()?
}

/// What a plain connection speaks. The whole preface of HTTP/2 is waited for here, as nothing behind
/// this bounds how long it takes.
async fn spoken(stream: &TcpStream) -> Option<Version> {
    let mut begin = [0; PREFACE.len()];
    let mut pause = PEEK_PAUSE;
    loop {
        let length = stream.peek(&mut begin).await.ok()?;
        let seen = begin.get(..length)?;
        if seen == PREFACE {
            return Some(Version::Http2);
        }
        if !PREFACE.starts_with(seen) {
            return Some(Version::Http1);
        }
        // What is there already would be seen again at once. Ever longer, so that thousands who begin
        // and say no more do not keep a core busy.
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// What a connection over TLS speaks, and what certificate it has shown: as was agreed in the handshake.
async fn secured(mut stream: TlsStream<TcpStream>) -> Option<Begun> {
    let agreed = stream.get_ref().1;
    let chain = agreed.peer_certificates().unwrap_or_default();
    let certificate = chain.first().map(client_authority::read);
    if agreed.alpn_protocol() != Some(b"h2") {
        return Some(Begun::Tls(Box::new(stream), Version::Http1, certificate));
    }
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await.ok()?;
    let (rest, back) = tokio::io::split(stream);
    let whole = tokio::io::join(Cursor::new(preface).chain(rest), back);
    Some(Begun::Tls(Box::new(whole), Version::Http2, certificate))
}

/// Serves one connection; the future ends with it.
pub fn connection<S>(
    stream: S,
    version: Version,
    router: Router,
    peer: Peer,
    watcher: Watcher,
) -> impl Future<Output = ()> + Send + 'static
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = router.map_request(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer.clone()));
        request.map(axum::body::Body::new)
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // Who has said all may close its side and still read the answer.
        .half_close(true)
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .adaptive_window(false)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_LIST)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    let builder = match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_only(),
    };
    let served = builder
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .into_owned();
    let served = watcher.watch(served);
    async move {
        if let Err(error) = served.await {
            tracing::debug!(%error, "a connection ended with an error");
        }
    }
}

/// The record type of a TLS handshake (RFC 8446, section 5.1); no HTTP request begins with it.
pub(super) const CLIENT_HELLO: u8 = 0x16;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const DRAIN: Duration = Duration::from_secs(10);
const HEADER_LIST: u32 = 64 * 1024;
/// For the first byte, the handshake and the preface; then for each HTTP/1 request's headers, from the
/// answer before on, so that a connection on which nothing comes is closed.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const PEEK_PAUSE: Duration = Duration::from_millis(10);
/// RFC 9113, section 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Calls at a time on one connection, as RFC 9113, section 6.5.2, has it at the least: 100.
const STREAMS: u32 = 128;
