//! A whole strongroom inside this process: for tests of services that call KMS, and for the
//! command line, which is a thin shell around it.
//!
//! ```
//! use strongroom::Strongroom;
//! use strongroom::proto::v1::data_keys_client::DataKeysClient;
//! use strongroom::proto::v1::{CreateKeyRequest, GenerateDataKeyRequest, UnwrapDataKeyRequest};
//! use strongroom::proto::v1::keys_client::KeysClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // No socket, no file that outlives the test, no other instance in the way.
//! let room = Strongroom::builder().ephemeral().build()?;
//!
//! // What the service under test would be given: a gRPC channel.
//! let mut keys = KeysClient::new(room.channel()?);
//! let mut data_keys = DataKeysClient::new(room.channel()?);
//!
//! let key = keys.create_key(CreateKeyRequest::default()).await?.into_inner().key_metadata;
//! let key_id = key.ok_or("no key")?.key_id;
//! let request = GenerateDataKeyRequest { key_id, key_spec: "AES_256".into(), ..Default::default() };
//! let made = data_keys.generate_data_key(request).await?.into_inner();
//!
//! let ciphertext_blob = made.ciphertext_blob;
//! let request = UnwrapDataKeyRequest { ciphertext_blob, ..Default::default() };
//! let opened = data_keys.unwrap_data_key(request).await?.into_inner();
//! assert_eq!(opened.plaintext, made.plaintext);
//!
//! // What was called? The trail knows, without a mock.
//! let asked = strongroom::audit::Query { operation: Some("UnwrapDataKey".into()), ..Default::default() };
//! let page = room.call(strongroom::service::Query(asked)).await?;
//! assert_eq!(page.records.len(), 1);
//! room.close()?;
//! # Ok(())
//! # }
//! ```

use std::future::Future;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;
use zeroize::Zeroizing;

use crate::audit::{self, Expectation, Keep, Report, WitnessPolicy};
use crate::clock::Clock;
pub use crate::service::Keys;
pub use crate::service::StoreSettings;
use crate::service::{self, Caller, Credentials, Operation, Options, RootKey, Service, Witnessing};
use crate::transport::capacity::{default_connections, possible_connections};

pub use crate::transport::client_authority::ClientAuthority;
use crate::transport::listener::{self, Peer, Version};
use crate::transport::s3::Domains;
pub use crate::transport::s3::{Domain, NotADomain};
use crate::transport::tls;
pub use crate::transport::tls::{Given, Tls};
pub use crate::transport::witnesses::WitnessAddress;
use crate::transport::witnesses::{self, WitnessClient, ask_witnesses};
use crate::transport::{router, witness_router};

/// A strongroom in this process.
#[derive(Debug)]
pub struct Strongroom {
    service: Arc<Service>,
    max_connections: Option<usize>,
    witnesses: Vec<WitnessAddress>,
    domains: Domains,
}

/// How to make a [`Strongroom`].
#[derive(Debug, Default)]
pub struct Builder {
    options: Options,
    max_connections: Option<usize>,
    witnesses: Vec<WitnessAddress>,
    quorum: Option<usize>,
    domains: Vec<Domain>,
}

/// Why an instance could not be made or reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing says where the data lives.
    #[error("say .ephemeral() or .data_dir(…): an instance needs a place for its data")]
    NoPlace,
    /// The compiled descriptors cannot be served.
    #[error("the gRPC reflection service cannot be made")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The service refused to open or close.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// What is said to be a domain is none.
    #[error(transparent)]
    NotADomain(#[from] NotADomain),
    /// The operating system does not let this process have as many connections.
    #[error(
        "{asked} connections need more open files than this process may have: {possible} are \
         possible; raise the limit (ulimit -n, LimitNOFILE) or ask for fewer"
    )]
    TooManyConnections {
        /// As asked for.
        asked: usize,
        /// At the most.
        possible: usize,
    },
    /// No certificate can be served.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// A witness cannot be asked.
    #[error(transparent)]
    Witness(#[from] witnesses::Error),
    /// The witnesses do not fit together.
    #[error("the witnesses cannot be used")]
    Witnesses(#[source] audit::Error),
    /// The address cannot be listened on.
    #[error("listening on {address} failed")]
    Listen {
        /// As asked for.
        address: SocketAddr,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
}

impl Builder {
    /// Keeps everything in a temporary directory that goes with the instance, without the disk's
    /// barrier. The same code runs otherwise.
    #[must_use]
    pub fn ephemeral(mut self) -> Self {
        self.options.ephemeral = true;
        self
    }

    /// Keeps everything in `path`, which is made if need be.
    #[must_use]
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.options.data_dir = Some(path.into());
        self
    }

    /// The root key (64 hex digits or base64 of 32 bytes), which is wiped, and where it came from, for
    /// messages.
    #[must_use]
    pub fn root_key(mut self, text: impl Into<Zeroizing<String>>, from: impl Into<String>) -> Self {
        self.options.root_key = Some(RootKey::new(text, from));
        self
    }

    /// Takes the time from `clock`; one that is moved by hand makes deletion dates testable.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = clock;
        self
    }

    /// Lets in only who is known. Without, every access key is accepted.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.options.credentials = Some(credentials);
        self
    }

    /// Connections of one listener at a time; one more is answered 503 and closed. Otherwise 16,384, or as
    /// many as the limit of open files allows.
    #[must_use]
    pub fn max_connections(mut self, most: usize) -> Self {
        self.max_connections = Some(most);
        self
    }

    /// Calls a second that the doors answer, and that may come at once; others are refused with
    /// `ThrottlingException`. [`Strongroom::call`] is no door.
    #[must_use]
    pub fn max_requests_per_second(mut self, most: NonZeroU32) -> Self {
        self.options.max_requests_per_second = Some(most);
        self
    }

    /// Takes SSE-C's keys over connections on which others can listen, for test suites.
    #[must_use]
    pub fn customer_keys_in_clear(mut self) -> Self {
        self.options.customer_keys_in_clear = true;
        self
    }

    /// Answers for buckets by their names under `domain`, too: `bucket.s3.example`; may be said several times.
    /// Under `localhost` it always does.
    #[must_use]
    pub fn domain(mut self, domain: Domain) -> Self {
        self.domains.push(domain);
        self
    }

    /// Takes checkpoints to a witness while the instance serves; may be said several times.
    #[must_use]
    pub fn witness(mut self, witness: WitnessAddress) -> Self {
        self.witnesses.push(witness);
        self
    }

    /// How many witnesses have to have signed a checkpoint before it is shown as cosigned. Otherwise all.
    #[must_use]
    pub fn witness_quorum(mut self, quorum: usize) -> Self {
        self.quorum = Some(quorum);
        self
    }

    /// Where the trail's oldest records go: a folder, or the URL of an object store. Otherwise where they
    /// went before; at first, `archive` in the data directory.
    #[must_use]
    pub fn audit_archive(mut self, location: impl Into<String>) -> Self {
        self.options.audit_archive = Some(location.into());
        self
    }

    /// Where the bytes of objects are: a folder, or the URL of an object store. Otherwise where they were
    /// before; at first, `objects` in the data directory.
    #[must_use]
    pub fn objects(mut self, location: impl Into<String>) -> Self {
        self.options.objects = Some(location.into());
        self
    }

    /// How object stores are reached.
    #[must_use]
    pub fn object_store(mut self, settings: StoreSettings) -> Self {
        self.options.object_store = settings;
        self
    }

    /// What of the trail stays in the store while the instance is served; the rest moves to the archive
    /// and is read from there. Otherwise everything stays.
    #[must_use]
    pub fn audit_keep(mut self, keep: Keep) -> Self {
        self.options.audit_keep = keep;
        self
    }

    /// Opens the store, checks it, and starts the committing thread.
    ///
    /// # Errors
    /// [`Error::NoPlace`]; [`Error::TooManyConnections`]; [`Error::Witness`], [`Error::Witnesses`]; [`Error::Service`] when the store is not as it
    /// was left.
    pub fn build(mut self) -> Result<Strongroom, Error> {
        if self.options.data_dir.is_none() && !self.options.ephemeral {
            return Err(Error::NoPlace);
        }
        let possible = possible_connections();
        if let Some(asked) = self.max_connections.filter(|asked| *asked > possible) {
            return Err(Error::TooManyConnections { asked, possible });
        }
        for address in &self.witnesses {
            WitnessClient::new(address)?;
        }
        let keys = self.witnesses.iter().map(|address| address.key.clone()).collect();
        let policy = WitnessPolicy::new(keys, self.quorum);
        self.options.witnesses = policy.map_err(Error::Witnesses)?;
        let service = Service::open(self.options)?;
        let (max_connections, witnesses) = (self.max_connections, self.witnesses);
        let domains = Domains::new(self.domains);
        Ok(Strongroom { service, max_connections, witnesses, domains })
    }
}

impl Strongroom {
    /// Begins an instance.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Runs one operation, typed, without a wire; it walks and is recorded as every other.
    ///
    /// # Errors
    /// What the operation refuses, and what the walk does.
    pub async fn call<O: Operation>(&self, request: O) -> Result<O::Output, service::Error> {
        self.service.call(Caller::in_process(), request).await.result
    }

    /// Data keys for whoever `caller` is, in this process: see [`Service::keys`].
    #[must_use]
    pub fn keys(&self, caller: Caller) -> Keys {
        self.service.keys(caller)
    }

    /// The trail, for tests of what a service called.
    #[must_use]
    pub const fn audit(&self) -> Trail<'_> {
        Trail(self)
    }

    /// The service itself, for callers of one's own.
    #[must_use]
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// A gRPC channel over memory: no socket. Call it within a Tokio runtime.
    ///
    /// # Errors
    /// [`Error::Reflection`]
    pub fn channel(&self) -> Result<Channel, Error> {
        let router = router(&self.service, &self.domains)?;
        let connector = service_fn(move |_| {
            let (client, server) = tokio::io::duplex(PIPE_BYTES);
            let address = "in-process".to_owned();
            let peer = Peer { door: "grpc", address, secure: true, certificate: None };
            let router = router.clone();
            tokio::spawn(async move {
                let graceful = GracefulShutdown::new(); // dropping it would end the connection
                let watcher = graceful.watcher();
                listener::connection(server, Version::Http2, router, peer, watcher).await;
            });
            async move { Ok::<_, std::io::Error>(TokioIo::new(client)) }
        });
        let endpoint = Endpoint::from_static("http://strongroom.localhost");
        Ok(endpoint.connect_with_connector_lazy(connector))
    }

    /// Serves on `address` (port 0 picks one) until the handle is stopped.
    ///
    /// # Errors
    /// [`Error::Listen`], [`Error::Reflection`]; [`Error::Service`] when objects' bytes are not where they are to be.
    pub async fn serve(&self, address: SocketAddr) -> Result<Serving, Error> {
        self.service.claim_objects().await?;
        let listener = bind(address).await?;
        let address = listener.local_addr().map_err(|source| Error::Listen { address, source })?;
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move {
            let _ = stopped.await; // a dropped handle stops as well
        };
        let served = self.serve_until(listener, None, shutdown)?;
        Ok(Serving { address, stop, task: tokio::spawn(served) })
    }

    /// A certificate to serve: the one that is given, or one of our own, kept beside the data.
    ///
    /// # Errors
    /// [`Error::Tls`]
    pub fn tls(&self, given: Option<&Given>, address: SocketAddr) -> Result<Tls, Error> {
        tls_of(self.service.folder(), given, address)
    }

    /// Serves a listener of one's own until `shutdown` resolves, then drains. With `tls`, the port
    /// speaks TLS to those who begin so, and plain to all others.
    ///
    /// # Errors
    /// [`Error::Reflection`], [`Error::Witness`].
    pub fn serve_until(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
        let router: Router = router(&self.service, &self.domains)?;
        self.service.sweep_in_background();
        self.service.sweep_bodies_in_background();
        let sealing = self.service.seal_in_background();
        let metrics = Arc::clone(self.service.metrics());
        let service = Arc::downgrade(&self.service);
        let shutdown = async move {
            shutdown.await;
            if let Some(service) = service.upgrade() {
                service.begin_shutdown();
            }
        };
        let most = self.max_connections.unwrap_or_else(default_connections);
        let clients: Result<Vec<_>, _> = self.witnesses.iter().map(WitnessClient::new).collect();
        let asking = tokio::spawn(ask_witnesses(Arc::clone(&self.service), clients?));
        let served = listener::serve(listener, router, tls, most, metrics, shutdown);
        Ok(async move {
            served.await;
            // It holds the store while it asks, and ends when shutdown begins.
            let _ = asking.await;
            if let Some(sealing) = sealing {
                let _ = sealing.await; // so that the store is left as it is to be
            }
        })
    }

    /// Finishes what is queued; a store in a data directory is left with the mark of a clean
    /// shutdown.
    ///
    /// # Errors
    /// [`Error::Service`]; nothing acknowledged is lost then.
    pub fn close(self) -> Result<(), Error> {
        self.service.begin_shutdown();
        Ok(self.service.close()?)
    }

    /// The same, and gives back what was removed from the store: its database is written anew. Takes room
    /// for what is in it, and time.
    ///
    /// # Errors
    /// As [`Self::close`].
    pub fn close_compacted(self) -> Result<(), Error> {
        self.service.begin_shutdown();
        Ok(self.service.close_compacted()?)
    }
}

/// The trail of an instance, as tests ask it.
///
/// ```
/// use strongroom::Strongroom;
/// use strongroom::audit::{Expectation, Query};
/// use strongroom::kms::{CreateKey, DescribeKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let room = Strongroom::builder().ephemeral().build()?;
/// let key = room.call(CreateKey::default()).await?.key_id;
/// let mark = room.audit().mark();
/// // What is under test; here, it looks twice.
/// for _ in 0..2 {
///     room.call(DescribeKey { key_id: key.as_str().into(), ..DescribeKey::default() }).await?;
/// }
/// let looks = Query::calls("DescribeKey").on_key(&key);
/// let expected = Expectation::since(mark).exactly(2, looks.clone()).nothing_else();
/// room.audit().expect(expected).await?;
///
/// let difference = room.audit().expect(Expectation::since(mark).never(looks)).await.unwrap_err();
/// assert!(difference.to_string().contains(": never, found 2 (record 1, 2)"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Trail<'a>(&'a Strongroom);

impl Trail<'_> {
    /// Where the log ends now: where a window may begin.
    #[must_use]
    pub fn mark(&self) -> u64 {
        self.0.service.log_head().size
    }

    /// Compares a window with what is expected of it. The call is recorded, as every other.
    ///
    /// # Errors
    /// [`Unexpected::Difference`], and [`Unexpected::Service`] when the trail cannot be asked.
    pub async fn expect(&self, expected: Expectation) -> Result<(), Unexpected> {
        let report = self.0.call(service::Expect(expected)).await?;
        if report.met { Ok(()) } else { Err(Unexpected::Difference(Box::new(report))) }
    }
}

/// Why a trail is not as expected. Its `Debug` is the same text, as that is what a failed test shows.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Unexpected {
    /// It holds something else.
    #[error("{0}")]
    Difference(Box<Report>),
    /// It cannot be asked so.
    #[error(transparent)]
    Service(#[from] service::Error),
}

impl std::fmt::Debug for Unexpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Serves a witness until `shutdown` resolves, then drains; TLS and plain on the same port.
///
/// # Errors
/// [`Error::Tls`], [`Error::Listen`].
pub fn serve_witness(
    witness: &Arc<Witnessing>,
    listener: TcpListener,
    given: Option<&Given>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    let unbound = ([0, 0, 0, 0], 0).into();
    let address = listener.local_addr();
    let address = address.map_err(|source| Error::Listen { address: unbound, source })?;
    let tls = tls_of(witness.witness().path(), given, address)?;
    let metrics = Arc::clone(witness.metrics());
    let (router, most) = (witness_router(witness), default_connections());
    Ok(listener::serve(listener, router, Some(tls), most, metrics, shutdown))
}

/// The certificate that is given, or one of our own, kept in a folder of ours.
fn tls_of(folder: &Path, given: Option<&Given>, address: SocketAddr) -> Result<Tls, Error> {
    Ok(match given {
        Some(given) => Tls::given(given)?,
        // The clients' time, not the service's, which may be moved.
        None => Tls::own(&folder.join("tls"), address.ip(), Clock::default().now())?,
    })
}

/// Listens on an address.
///
/// # Errors
/// [`Error::Listen`]
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen { address, source })
}

/// A running listener.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Serving {
    /// Where it listens, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, lets running calls finish.
    pub async fn stop(self) {
        drop(self.stop);
        let _ = self.task.await;
    }
}

/// Bytes in flight of an in-process connection, each way.
const PIPE_BYTES: usize = 256 * 1024;
