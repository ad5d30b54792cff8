//! `strongroom serve`

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::error::Error;
use super::hardening;
use super::output::{note, say};
use crate::audit::{CosignatureKey, Keep};
use crate::config;
use crate::instance::{
    self, ClientAuthority, Domain, Given, StoreSettings, Strongroom, Tls, WitnessAddress, bind,
};
use crate::service::{Credentials, Service, with_causes};

/// Run the service until it is told to stop (SIGINT or SIGTERM)
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  strongroom serve                                  data in ./strongroom-data
  strongroom serve --ephemeral --listen 127.0.0.1:0 nothing outlives the process
  STRONGROOM_ROOT_KEY=$(openssl rand -hex 32) strongroom serve --data-dir /srv/keys")]
pub(super) struct Serve {
    /// Address; port 0 picks one [default: 127.0.0.1:4566]
    #[arg(long, env = "STRONGROOM_LISTEN", value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where keys and trail are kept [default: ./strongroom-data]
    #[arg(long, env = "STRONGROOM_DATA_DIR", value_name = "DIR", conflicts_with = "ephemeral")]
    data_dir: Option<PathBuf>,
    /// Keep everything in a temporary directory that goes with the process
    #[arg(long)]
    ephemeral: bool,
    /// File with the root key, 32 bytes in hex or base64 (or set STRONGROOM_ROOT_KEY) [default:
    /// root.key in the data directory, made at first start]
    #[arg(long, env = "STRONGROOM_ROOT_KEY_FILE", value_name = "FILE")]
    root_key_file: Option<PathBuf>,
    /// Certificate in PEM, its issuers after it [default: one of our own, its CA in tls/ca.pem of the
    /// data directory]
    #[arg(long, env = "STRONGROOM_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key in PEM
    #[arg(long, env = "STRONGROOM_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// CA that issues client certificates, in PEM: who shows one that the credentials file names may
    /// call over gRPC without a token; read again on SIGHUP [default: none is asked for]
    #[arg(long, env = "STRONGROOM_CLIENT_CA", value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Client certificates that the CA has revoked: its CRL in PEM; read again on SIGHUP
    #[arg(long, env = "STRONGROOM_CLIENT_CRL", value_name = "FILE")]
    client_crl: Option<PathBuf>,
    /// Who is known: TOML with accounts, their access keys, tokens and client certificates; read again
    /// on SIGHUP [default: every access key is accepted, on loopback only]
    #[arg(long, env = "STRONGROOM_CREDENTIALS", value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// Connections at a time; one more is answered 503 and closed [default: 16384, or as many as the
    /// limit of open files allows]
    #[arg(long, env = "STRONGROOM_MAX_CONNECTIONS", value_name = "NUMBER")]
    max_connections: Option<NonZeroUsize>,
    /// Calls a second that are answered; others are refused with ThrottlingException [default: any number]
    #[arg(long, env = "STRONGROOM_MAX_REQUESTS_PER_SECOND", value_name = "NUMBER")]
    max_requests_per_second: Option<NonZeroU32>,
    /// Where the trail's oldest records move to, when they need not be kept: a folder, or the URL of an
    /// object store [default: `archive` in the data directory]
    #[arg(
        long,
        env = "STRONGROOM_AUDIT_ARCHIVE",
        value_name = "DIR|URL",
        conflicts_with = "ephemeral"
    )]
    audit_archive: Option<String>,
    /// Where the bytes of objects are, all of them ciphertext: a folder, or an object store, `s3://BUCKET/PREFIX`,
    /// `gs://…`, `az://…`, whose credentials are in AWS_…, GOOGLE_…, AZURE_… variables [default: where they were;
    /// at first, `objects` in the data directory]
    #[arg(long, env = "STRONGROOM_OBJECTS", value_name = "DIR|URL", conflicts_with = "ephemeral")]
    objects: Option<String>,
    /// Keep so many of the newest records in the store; older ones move to the archive, in blocks of 256,
    /// and are found and proved there [default: all]
    #[arg(long, env = "STRONGROOM_AUDIT_KEEP_RECORDS", value_name = "NUMBER")]
    audit_keep_records: Option<u64>,
    /// Keep records up to this age in the store (`30d`, `12h`); older ones move to the archive, even if
    /// there are few [default: any]
    #[arg(long, env = "STRONGROOM_AUDIT_KEEP_AGE", value_name = "AGE", value_parser = humantime::parse_duration)]
    audit_keep_age: Option<Duration>,
    /// Answer for buckets by their names under this one, too: `bucket.s3.example`; may be said several times
    /// [default: under `localhost` alone]
    #[arg(long, env = "STRONGROOM_DOMAIN", value_name = "NAME", value_delimiter = ',')]
    domain: Vec<Domain>,
    /// Take SSE-C's keys over plain HTTP, too, where everybody in between can read them: for test suites
    #[arg(long)]
    sse_c_over_http: bool,
    /// Send traces there: a collector's address, OTLP over gRPC
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// TOML with `listen`, `data_dir`, `root_key_file`, `tls_cert`, `tls_key`, `client_ca`, `client_crl`,
    /// `credentials`, `max_connections`, `max_requests_per_second`, `audit_archive`, `audit_keep_records`,
    /// `audit_keep_age`, `objects`, `domain`, `sse_c_over_http`, `otlp_endpoint`, `witness_quorum`, `[[witness]]` tables with
    /// `url`, `key` and `ca`, and a table `[object_store]` with what object stores are reached with: `endpoint`, `region`, …
    #[arg(long, env = "STRONGROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Serve {
    /// Where traces are to be sent.
    pub(super) fn collector(&self) -> Result<Option<String>, Error> {
        let given = self.otlp_endpoint.clone().filter(|address| !address.is_empty());
        Ok(given.or(config::read(self.config.as_deref())?.otlp_endpoint))
    }

    pub(super) async fn run(self) -> Result<(), Error> {
        take_small_pages();
        hardening::keep_from_swap();
        hardening::keep_files_private();
        let file = config::read(self.config.as_deref())?;
        let listen = self.listen.or(file.listen).unwrap_or_else(|| ([127, 0, 0, 1], 4566).into());
        let credentials = self.credentials.or(file.credentials);
        let listen = config::check_listen(listen, credentials.is_some())?;
        let (authority, revoked) =
            (self.client_ca.or(file.client_ca), self.client_crl.or(file.client_crl));
        config::check_clients(authority.is_some(), revoked.is_some(), credentials.is_some())?;
        let clients = authority.map(|certificates| ClientAuthority { certificates, revoked });
        let mut builder = Strongroom::builder();
        if self.ephemeral {
            builder = builder.ephemeral();
        } else {
            let data_dir = self.data_dir.or(file.data_dir);
            builder = builder.data_dir(data_dir.unwrap_or_else(|| "strongroom-data".into()));
        }
        let key_file = self.root_key_file.or(file.root_key_file);
        let (certificate, key) = (self.tls_cert.or(file.tls_cert), self.tls_key.or(file.tls_key));
        let secret = [&key_file, &key, &credentials];
        secret.into_iter().flatten().for_each(|path| hardening::look_at_readers(path));
        if let Some((text, from)) = config::root_key(key_file.as_deref())? {
            builder = builder.root_key(text, from);
        }
        if let Some(path) = &credentials {
            builder = builder.credentials(known(path, clients.is_some())?);
        }
        raise_descriptor_limit();
        if let Some(most) = self.max_connections.or(file.max_connections) {
            builder = builder.max_connections(most.get());
        }
        if let Some(most) = self.max_requests_per_second.or(file.max_requests_per_second) {
            builder = builder.max_requests_per_second(most);
        }
        if self.sse_c_over_http || file.sse_c_over_http {
            builder = builder.customer_keys_in_clear();
        }
        let named = match self.domain.is_empty() {
            true => {
                let named = file.domain.iter().map(|name| name.parse());
                named.collect::<Result<_, _>>().map_err(instance::Error::NotADomain)?
            }
            false => self.domain,
        };
        builder = named.into_iter().fold(builder, instance::Builder::domain);
        for witness in file.witness {
            let key = CosignatureKey::parse(&witness.key)?;
            let authority = witness.ca;
            builder = builder.witness(WitnessAddress { url: witness.url, key, authority });
        }
        if let Some(quorum) = file.witness_quorum {
            builder = builder.witness_quorum(quorum);
        }
        let records = self.audit_keep_records.or(file.audit_keep_records);
        let age = self.audit_keep_age.or(file.audit_keep_age);
        builder = builder.audit_keep(Keep { records, age });
        if let Some(location) = self.audit_archive.or(file.audit_archive) {
            builder = builder.audit_archive(location);
        }
        if let Some(location) = self.objects.or(file.objects) {
            builder = builder.objects(location);
        }
        let table = file.object_store.iter();
        let table = table.map(|(name, value)| (name.clone(), value.to_string())).collect();
        builder = builder.object_store(StoreSettings::new(table, config::store_variables()));
        let room = builder.build()?;
        room.service().claim_objects().await?;
        let listener = bind(listen).await?;
        let address = listener.local_addr()?;
        let given = certificate.zip(key).map(|(certificate, key)| Given { certificate, key });
        let tls = room.tls(given.as_ref(), address)?;
        if let Some(clients) = &clients {
            tls.verify_clients(clients).map_err(instance::Error::from)?;
        }
        if let Some(path) = credentials {
            reload_when_told(path, Arc::clone(room.service()), clients, tls.clone())?;
        }
        let authority = tls.authority().map(Path::to_owned);
        let serving = room.serve_until(listener, Some(tls), told_to_stop()?)?;
        say(&format!("strongroom ready on http://{address}"))?;
        if let Some(authority) = authority {
            let authority = authority.display();
            note(&format!("https://{address} too, for clients that trust {authority}"));
        }
        serving.await;
        Ok(room.close()?)
    }
}

/// Pages as the processor has them: the allocator asks for huge ones, of which a service that is begun touches a
/// tenth. They would be a fortieth faster, and two thirds more memory.
#[cfg(target_os = "linux")]
fn take_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "memory is taken in huge pages");
    }
}

/// Other systems have no such call.
#[cfg(not(target_os = "linux"))]
const fn take_small_pages() {}

/// As many open files as the operating system allows: each connection is one. Shells and service managers
/// begin with a lower limit for the sake of programs that use `select`.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Reads a credentials file. Who is known by a certificate cannot show it where none is asked for.
fn known(path: &Path, certificates: bool) -> Result<Credentials, Error> {
    let text = config::secrets(path)?;
    let beside = |name: &str| {
        let path = path.parent().unwrap_or(Path::new("")).join(name);
        std::fs::read_to_string(path).map_err(|error| error.to_string())
    };
    let known = Credentials::parse(&text, &beside)
        .map_err(|source| Error::Credentials { path: path.to_owned(), source })?;
    if known.name_certificates() && !certificates {
        let path = path.display();
        tracing::warn!(%path, "clients are not asked for the certificates in it: add --client-ca");
    }
    Ok(known)
}

/// Reads the credentials file, and what client certificates are verified with, again at each SIGHUP; what
/// cannot be used changes nothing.
fn reload_when_told(
    path: PathBuf,
    service: Arc<Service>,
    clients: Option<ClientAuthority>,
    tls: Tls,
) -> Result<(), Error> {
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Runtime)?;
    let service = Arc::downgrade(&service);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            let Some(service) = service.upgrade() else { return };
            match known(&path, clients.is_some()) {
                Ok(credentials) => service.replace_credentials(credentials),
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::error!(error, "the credentials stay as they were");
                }
            }
            if let Some(Err(error)) = clients.as_ref().map(|clients| tls.verify_clients(clients)) {
                let error = with_causes(&error);
                tracing::error!(error, "client certificates are verified as before");
            }
        }
    });
    Ok(())
}

/// Resolves at the first SIGINT or SIGTERM.
pub(super) fn told_to_stop() -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
