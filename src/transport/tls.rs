//! TLS on the port that speaks everything else too: a certificate that was given, or one of our own
//! with its CA beside it. Clients may be asked for theirs.
//!
//! Source: RFC 8446; ALPN names of RFC 7301.

use std::fs::DirBuilder;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use parking_lot::RwLock;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    NoServerSessionStorage, VerifierBuilderError, WantsServerCert, WebPkiClientVerifier,
};
use rustls::{ConfigBuilder, ServerConfig};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use super::client_authority::ClientAuthority;

/// Certificate and key, ready to serve. Clones are the same: what one of them asks of clients, all do.
#[derive(Clone)]
pub struct Tls {
    acceptor: Arc<RwLock<TlsAcceptor>>,
    authority: Option<PathBuf>,
}

/// PEM files of a certificate (its own first, then its issuers') and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The chain.
    pub certificate: PathBuf,
    /// PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file cannot be written.
    #[error("writing {path} failed")]
    Write {
        /// Which.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file is no PEM of what it should be.
    #[error("{path} cannot be read as PEM: {reason}")]
    Pem {
        /// Which.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// Certificate and key do not fit, or the library refuses them.
    #[error("the certificate {path} cannot be served: {source}")]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The library has no version of TLS to offer.
    #[error("TLS cannot be offered")]
    Protocol(#[source] rustls::Error),
    /// A CA's certificate is none that others can be verified with.
    #[error("{path} has a certificate that none can be verified with")]
    Authority {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// A list of revoked certificates is none.
    #[error("{path} has a list of revoked certificates that cannot be read")]
    Revoked {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: VerifierBuilderError,
    },
    /// The library could not make a certificate.
    #[error("a certificate of our own could not be made")]
    Make(#[from] rcgen::Error),
}

impl Tls {
    /// Serves the certificate that was given.
    ///
    /// # Errors
    /// [`Error::Pem`], [`Error::Refused`].
    pub fn given(given: &Given) -> Result<Self, Error> {
        Ok(Self::new(acceptor(&given.certificate, &given.key)?, None))
    }

    /// Serves a certificate of our own for this machine's loopback names and `address`, kept in
    /// `folder` with the CA that signed it. A new one is made when there is none, when it is about
    /// to expire, or when it cannot be read. The CA's private key is dropped once it has signed.
    ///
    /// # Errors
    /// [`Error::Write`], [`Error::Make`], [`Error::Refused`].
    pub fn own(folder: &Path, address: IpAddr, now: DateTime<Utc>) -> Result<Self, Error> {
        let now = SystemTime::from(now);
        let [authority, certificate, key] =
            ["ca.pem", "server.pem", "server-key.pem"].map(|name| folder.join(name));
        let common = [IpAddr::from([127, 0, 0, 1]), IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])];
        if common.contains(&address)
            && authority.exists()
            && is_fresh(&certificate, now)
            && let Ok(acceptor) = acceptor(&certificate, &key)
        {
            return Ok(Self::new(acceptor, Some(authority)));
        }
        let made = Made::new(address, now)?;
        let made_folder = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made_folder.map_err(|source| Error::Write { path: folder.to_owned(), source })?;
        write(&key, made.key.as_bytes())?;
        write(&certificate, made.certificate.as_bytes())?;
        write(&authority, made.authority.as_bytes())?;
        Ok(Self::new(acceptor(&certificate, &key)?, Some(authority)))
    }

    fn new(acceptor: TlsAcceptor, authority: Option<PathBuf>) -> Self {
        Self { acceptor: Arc::new(RwLock::new(acceptor)), authority }
    }

    /// Asks clients for a certificate of `authority` from the next connection on, and serves those that
    /// have none as before. Again, with files that have changed, it replaces what was there; connections
    /// that have begun go on.
    ///
    /// # Errors
    /// As [`ClientAuthority`]'s files are: [`Error::Pem`], [`Error::Authority`], [`Error::Revoked`]. Then
    /// all stays as it was.
    pub fn verify_clients(&self, authority: &ClientAuthority) -> Result<(), Error> {
        let verifier = authority.verifier(provider())?;
        let mut acceptor = self.acceptor.write();
        let served = Arc::clone(&acceptor.config().cert_resolver);
        let asking = asking(verifier).map_err(Error::Protocol)?;
        let mut config = offering(asking.with_cert_resolver(served));
        // A session that is taken up again brings its certificate along, and nobody looks at it anew: it
        // may have expired or been revoked since.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        *acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(())
    }

    /// The file of the CA that clients are to trust; none when the certificate was given.
    #[must_use]
    pub fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// What the next connection is accepted with.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().clone()
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("authority", &self.authority).finish_non_exhaustive()
    }
}

/// Days for which a certificate of our own is good. Clients refuse more than 398.
const VALID_DAYS: u64 = 397;
/// Days after which it is made anew at the next start.
const FRESH_DAYS: u64 = 300;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The PEM of a certificate of our own.
struct Made {
    authority: String,
    certificate: String,
    key: Zeroizing<String>,
}

impl Made {
    fn new(address: IpAddr, now: SystemTime) -> Result<Self, Error> {
        let until = now + DAY * u32::try_from(VALID_DAYS).unwrap_or(1);
        let dated = |mut params: CertificateParams, name: &str| {
            params.not_before = (now - DAY).into();
            params.not_after = until.into();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let mut authority =
            dated(CertificateParams::default(), "strongroom, this machine's own CA");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let signer = KeyPair::generate()?;
        let signed = authority.self_signed(&signer)?;
        let issuer = Issuer::new(authority, signer);
        let mut names: Vec<String> =
            ["localhost", "*.localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        names.push(address.to_string());
        names.dedup();
        let mut server = dated(CertificateParams::new(names)?, "strongroom");
        server.use_authority_key_identifier_extension = true;
        server.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = server.signed_by(&key, &issuer)?;
        Ok(Self {
            authority: signed.pem(),
            certificate: certificate.pem(),
            key: Zeroizing::new(key.serialize_pem()),
        })
    }
}

fn is_fresh(certificate: &Path, now: SystemTime) -> bool {
    let written = std::fs::metadata(certificate).and_then(|found| found.modified());
    let age = written.ok().and_then(|written| now.duration_since(written).ok());
    age.is_some_and(|age| age < DAY * u32::try_from(FRESH_DAYS).unwrap_or(0))
}

/// Writes a file that its owner alone may read. A new one takes the place of an old one, whose mode may
/// be wider.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    use std::io::Write;
    let failed = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?; // mode 0600
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map(|_| ()).map_err(|error| failed(error.error))
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, Error> {
    let refused = |source| Error::Refused { path: certificate.to_owned(), source };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| pem(certificate, &error))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| pem(key, &error))?;
    let asking = asking(WebPkiClientVerifier::no_client_auth()).map_err(Error::Protocol)?;
    let config = asking.with_single_cert(chain, private).map_err(refused)?;
    Ok(TlsAcceptor::from(Arc::new(offering(config))))
}

/// A server that asks its clients for what `verifier` says.
fn asking(
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<ConfigBuilder<ServerConfig, WantsServerCert>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(provider());
    Ok(builder.with_safe_default_protocol_versions()?.with_client_cert_verifier(verifier))
}

/// Offers both versions of HTTP.
fn offering(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// A file that is no PEM of what it should be.
pub(super) fn pem(path: &Path, error: &rustls::pki_types::pem::Error) -> Error {
    Error::Pem { path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::clock::Clock;

    const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn a_certificate_of_our_own_is_kept_until_it_cannot_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let made = Tls::own(folder.path(), LOOPBACK, Clock::default().now()).unwrap();
        let authority = made.authority().unwrap().to_owned();
        let first = std::fs::read(&authority).unwrap();
        Tls::own(folder.path(), LOOPBACK, Clock::default().now()).unwrap();
        assert_eq!(std::fs::read(&authority).unwrap(), first);
        let key = folder.path().join("server-key.pem");
        std::fs::write(&key, b"damaged").unwrap();
        std::fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        Tls::own(folder.path(), LOOPBACK, Clock::default().now()).unwrap();
        assert_ne!(std::fs::read(&authority).unwrap(), first);
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing else is left");
    }

    #[test]
    fn files_that_are_no_certificate_or_do_not_fit_are_named() {
        let folder = tempfile::tempdir().unwrap();
        Tls::own(folder.path(), LOOPBACK, Clock::default().now()).unwrap();
        let file = |name: &str| folder.path().join(name);
        let given = |certificate: &str, key: &str| {
            let given = Given { certificate: file(certificate), key: file(key) };
            Tls::given(&given).map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(given("server.pem", "server-key.pem"), Ok(()));
        assert!(given("ca.pem", "server-key.pem").unwrap_err().contains("ca.pem"));
        assert!(given("missing.pem", "server-key.pem").unwrap_err().contains("missing.pem"));
        assert!(given("server.pem", "server.pem").unwrap_err().contains("server.pem"));
        std::fs::write(file("empty.pem"), b"").unwrap();
        assert!(given("empty.pem", "server-key.pem").unwrap_err().contains("empty.pem"));
    }
}
