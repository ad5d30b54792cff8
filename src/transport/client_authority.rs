//! Client certificates: the CA that has to have issued them, and what is read from one.
//!
//! They are verified by rustls when a connection begins: one of another CA, one that has expired or one
//! that is revoked fails in the handshake. With lists of revoked certificates there has to be one for each
//! issuer of a chain, and none that is out of date: what is not known to be good is refused.
//!
//! Source: RFC 5280, sections 4 (certificates) and 5 (CRLs); RFC 8446, section 4.3.2.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use webpki::EndEntityCert;

use super::tls::{Error, pem};
use crate::service::Certificate;

/// PEM files that client certificates are verified with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthority {
    /// The CA's certificate, or several CAs'.
    pub certificates: PathBuf,
    /// The lists of certificates that they have revoked (CRLs); none is looked for where this is absent.
    pub revoked: Option<PathBuf>,
}

impl ClientAuthority {
    /// Reads the files. Who shows no certificate is let in, too, and can prove itself otherwise.
    ///
    /// # Errors
    /// [`Error::Pem`], [`Error::Authority`], [`Error::Revoked`].
    pub(super) fn verifier(
        &self,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, Error> {
        let roots = roots(&self.certificates)?;
        let lists = self.revoked.as_deref().map(all::<CertificateRevocationListDer<'static>>);
        WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .with_crls(lists.transpose()?.into_iter().flatten())
            .enforce_revocation_expiration()
            .allow_unauthenticated()
            .build()
            .map_err(|source| {
                let path = self.revoked.as_ref().unwrap_or(&self.certificates).clone();
                Error::Revoked { path, source }
            })
    }
}

/// What a certificate that was verified says of whose it is.
pub(super) fn read(certificate: &CertificateDer<'_>) -> Certificate {
    // The parser is the verifier's own, so it has read this one before; its hash is there in any case.
    let parsed = EndEntityCert::try_from(certificate).ok();
    let uris = parsed.iter().flat_map(|parsed| parsed.valid_uri_names());
    let dns = parsed.iter().flat_map(|parsed| parsed.valid_dns_names());
    Certificate::new(certificate, uris, dns)
}

/// The CAs of a PEM file.
///
/// # Errors
/// [`Error::Pem`], [`Error::Authority`].
pub(super) fn roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in all::<CertificateDer<'static>>(path)? {
        let refused = |source| Error::Authority { path: path.to_owned(), source };
        roots.add(certificate).map_err(refused)?;
    }
    Ok(roots)
}

/// Everything of a kind in a PEM file; there has to be something.
fn all<T: PemObject>(path: &Path) -> Result<Vec<T>, Error> {
    let found = T::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(rustls::pki_types::pem::Error::NoItemsFound),
        found => found,
    }
    .map_err(|error| pem(path, &error))
}

#[cfg(test)]
mod tests {
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, KeyPair, SanType};
    use rustls::crypto::aws_lc_rs::default_provider;

    use super::*;

    fn certificate(names: &[SanType]) -> rcgen::Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.to_vec();
        params.self_signed(&KeyPair::generate().unwrap()).unwrap()
    }

    fn text(text: &str) -> Ia5String {
        text.try_into().unwrap()
    }

    #[test]
    fn uris_dns_names_and_hash_are_read_from_a_certificate() {
        let address = SanType::IpAddress([127, 0, 0, 1].into());
        let mail = SanType::Rfc822Name(text("ci@example.com"));
        let uri = SanType::URI(text("spiffe://example.com/ci"));
        let dns = SanType::DnsName(text("ci.example.com"));
        let found = certificate(&[address, mail, uri, dns]);
        let expected =
            Certificate::new(found.der(), ["spiffe://example.com/ci"], ["ci.example.com"]);
        assert_eq!(read(found.der()), expected);
        let bare = certificate(&[]);
        assert_eq!(read(bare.der()), Certificate::new(bare.der(), [], []));
        let none = CertificateDer::from(b"none".to_vec());
        assert_eq!(read(&none), Certificate::new(b"none", [], []));
    }

    #[test]
    fn files_that_are_none_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let good = file("ca.pem", &certificate(&[]).pem());
        let block = |kind: &str| format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n");
        let verified = |certificates: &Path, revoked: Option<PathBuf>| {
            let authority = ClientAuthority { certificates: certificates.to_owned(), revoked };
            authority.verifier(Arc::new(default_provider())).map(|verifier| {
                assert!(verifier.offer_client_auth() && !verifier.client_auth_mandatory());
            })
        };
        assert!(verified(&good, None).is_ok());
        let missing = verified(&folder.path().join("missing.pem"), None).unwrap_err();
        assert!(missing.to_string().contains("missing.pem"), "{missing}");
        let empty = verified(&file("empty.pem", ""), None).unwrap_err();
        assert!(matches!(empty, Error::Pem { ref path, .. } if path.ends_with("empty.pem")));
        let wrong = verified(&file("wrong.pem", &block("CERTIFICATE")), None).unwrap_err();
        assert!(matches!(wrong, Error::Authority { ref path, .. } if path.ends_with("wrong.pem")));
        let none = verified(&good, Some(good.clone())).unwrap_err();
        assert!(matches!(none, Error::Pem { ref path, .. } if path == &good));
        let wrong = verified(&good, Some(file("crl.pem", &block("X509 CRL")))).unwrap_err();
        assert!(matches!(wrong, Error::Revoked { ref path, .. } if path.ends_with("crl.pem")));
    }
}
