//! Client certificates: what one is known by, and what a credentials file may name it by.
//!
//! A certificate is known by the URIs and DNS names of its subject alternative names, and by its own
//! hash; never by its subject, whose text has as many forms as there are programs that print it. Names
//! that a CA has verified are compared, so a principal's certificate can be renewed; a hash is one
//! certificate's.
//!
//! Sources: RFC 5280, section 4.2.1.6 (subject alternative names); SPIFFE's X.509-SVID, section 2
//! (`spiffe://…` as the URI of a workload's certificate); RFC 9525, section 6.3 (DNS names are compared in
//! any case).

use super::credentials_file::Certificate as Entry;
use crate::crypto::digest;

/// A client certificate that a CA of ours has issued, as far as it says whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    sha256: [u8; 32],
    names: Vec<Name>,
}

/// What a certificate can be named by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Name {
    /// In lower case.
    Dns(String),
    /// Of the certificate's DER.
    Sha256([u8; 32]),
    /// As it is written.
    Uri(String),
}

impl Certificate {
    /// A certificate of these bytes (DER), with the URIs and DNS names of its subject alternative names.
    /// Whoever makes one has verified it.
    pub fn new<'a>(
        der: &[u8],
        uris: impl IntoIterator<Item = &'a str>,
        dns: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let sha256 = digest::sha256(&[der]);
        let uris = uris.into_iter().map(|name| Name::Uri(name.to_owned()));
        let dns = dns.into_iter().map(|name| Name::Dns(name.to_ascii_lowercase()));
        let names = uris.chain(dns).chain([Name::Sha256(sha256)]).collect();
        Self { sha256, names }
    }

    /// Everything that it is known by.
    pub(super) fn names(&self) -> &[Name] {
        &self.names
    }

    /// The SHA-256 of its DER, in hex: what messages call it.
    pub(super) fn fingerprint(&self) -> String {
        hex::encode(self.sha256)
    }
}

impl Name {
    /// Reads what a credentials file names a certificate by.
    ///
    /// # Errors
    /// What a name of that kind has to look like.
    pub(super) fn parse(entry: Entry) -> Result<Self, &'static str> {
        match entry {
            Entry::Dns(name) => {
                let fits = (1..=253).contains(&name.len()) && name.split('.').all(is_label);
                fits.then(|| Self::Dns(name.to_ascii_lowercase()))
                    .ok_or("dns is one whole name, such as ci.example.com")
            }
            Entry::Sha256(text) => {
                let mut hash = [0; 32];
                // With colons, as `openssl x509 -fingerprint -sha256` prints it, or without.
                hex::decode_to_slice(text.replace(':', ""), &mut hash)
                    .map(|()| Self::Sha256(hash))
                    .map_err(|_| "sha256 has 64 hex digits")
            }
            Entry::Uri(text) => {
                let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
                let fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                    && text.len() <= URI_LEN
                    && text.bytes().all(|byte| byte.is_ascii_graphic());
                fits.then_some(Self::Uri(text))
                    .ok_or("uri is a whole one, such as spiffe://example.com/ci")
            }
        }
    }
}

/// Bytes of a URI at the most (SPIFFE-ID, section 2.3).
const URI_LEN: usize = 2048;

/// Whether a text is a label of a DNS name; a wildcard is none, as it would be anybody's.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_by_its_names_and_its_hash() {
        let found = Certificate::new(b"der", ["spiffe://example.com/CI"], ["CI.Example.com"]);
        let hash = digest::sha256(&[b"der"]);
        let uri = Name::Uri("spiffe://example.com/CI".to_owned());
        let expected = [uri, Name::Dns("ci.example.com".to_owned()), Name::Sha256(hash)];
        assert_eq!(found.names(), expected);
        assert_eq!(found.fingerprint(), hex::encode(hash));
    }

    #[test]
    fn names_are_read_in_their_one_form() {
        let dns = |text: &str| Name::parse(Entry::Dns(text.to_owned()));
        let uri = |text: &str| Name::parse(Entry::Uri(text.to_owned()));
        let hash = |text: &str| Name::parse(Entry::Sha256(text.to_owned()));
        assert_eq!(dns("CI.Example.com"), Ok(Name::Dns("ci.example.com".to_owned())));
        for bad in
            ["", ".", "a..b", "a.", "*.example.com", "ci example", "ä.example", &"a".repeat(64)]
        {
            assert!(dns(bad).is_err(), "{bad}");
        }
        assert_eq!(uri("spiffe://a/B"), Ok(Name::Uri("spiffe://a/B".to_owned())));
        assert!(uri("urn:uuid:00000000-0000-4000-8000-000000000000").is_ok());
        for bad in ["", "ci", "://a", "1a:b", "spiffe://a b", &format!("a:{}", "b".repeat(2047))] {
            assert!(uri(bad).is_err(), "{bad}");
        }
        assert_eq!(hash(&"0A".repeat(32)), Ok(Name::Sha256([10; 32])));
        assert_eq!(hash(&["0A"; 32].join(":")), hash(&"0a".repeat(32)));
        for bad in ["", "0a", &"0a".repeat(33), &"zz".repeat(32)] {
            assert!(hash(bad).is_err(), "{bad}");
        }
    }
}
