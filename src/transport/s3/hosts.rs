//! Buckets in the name that a request is addressed to: `bucket.s3.example:4566/key`.
//!
//! Source: Amazon S3 User Guide, "Virtual hosting of general purpose buckets".

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use s3s::S3Result;
use s3s::host::{S3Host, VirtualHost};
use s3s::path::check_bucket_name;

/// A name under which buckets are asked for by name: labels of letters, digits and hyphens, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

/// What is no domain.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no domain: expected labels of letters, digits and hyphens, such as s3.example")]
pub struct NotADomain(String);

impl FromStr for Domain {
    type Err = NotADomain;

    fn from_str(text: &str) -> Result<Self, NotADomain> {
        let is_label = |label: &str| {
            let hyphen = label.starts_with('-') || label.ends_with('-');
            let allowed = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            !label.is_empty() && label.len() < 64 && allowed && !hyphen
        };
        match text.len() < 254 && text.split('.').all(is_label) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(NotADomain(text.chars().take(254).collect())),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Every such name; `localhost` is always one, as nobody else can own it.
#[derive(Debug, Clone, Default)]
pub struct Domains(Arc<[Domain]>);

impl Domains {
    /// These, and `localhost`.
    #[must_use]
    pub fn new(given: Vec<Domain>) -> Self {
        Self(given.into())
    }

    /// The bucket that a host names, and the domain under it.
    pub(in crate::transport) fn bucket<'a>(&self, host: &'a str) -> Option<&'a str> {
        let name = without_port(host);
        let under = |domain: &str| {
            let cut = name.len().checked_sub(domain.len())?;
            let (before, after) = (name.get(..cut)?, name.get(cut..)?);
            let bucket = before.strip_suffix('.').filter(|_| after.eq_ignore_ascii_case(domain))?;
            check_bucket_name(bucket).then_some(bucket)
        };
        // Of two domains the longer one: `a.s3.example` may be asked for under `s3.example` and `example`.
        let given = self.0.iter().map(|domain| domain.0.as_str()).chain(["localhost"]);
        given.filter_map(under).min_by_key(|bucket| bucket.len())
    }

    /// Whether a host is one of these names, or a bucket's under one.
    pub(in crate::transport) fn has(&self, host: &str) -> bool {
        let name = without_port(host);
        self.0.iter().any(|domain| name.eq_ignore_ascii_case(&domain.0))
            || self.bucket(host).is_some()
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

impl S3Host for Domains {
    /// Never fails: what names no bucket has it in its path.
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let found = VirtualHost::new(host);
        Ok(match self.bucket(host) {
            Some(bucket) => found.with_bucket(bucket),
            None => found,
        })
    }
}

/// A path as people read it; what is no UTF-8 is shown as `U+FFFD`.
pub(super) fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_names_a_bucket_under_a_domain_and_nowhere_else() {
        let domains = Domains::new(vec!["s3.example".parse().unwrap(), "example".parse().unwrap()]);
        for (host, bucket) in [
            ("photos.s3.example:4566", Some("photos")),
            ("photos.S3.Example", Some("photos")),
            ("a.b.c.s3.example", Some("a.b.c")),
            ("photos.example", Some("photos")),
            ("photos.localhost:4566", Some("photos")),
            ("s3.example", None),
            ("s3.localhost:4566", None),
            ("localhost:4566", None),
            ("127.0.0.1:4566", None),
            ("[::1]:4566", None),
            ("photoss3.example.evil", None),
            ("photos.s3.example.evil", None),
            ("UPPER.s3.example", None),
            (".s3.example", None),
        ] {
            assert_eq!(domains.bucket(host), bucket, "{host}");
        }
        assert!(domains.has("s3.example:80") && domains.has("photos.s3.example"));
        assert!(!domains.has("evil.test") && !Domains::default().has("s3.example"));
    }

    #[test]
    fn a_domain_is_labels() {
        for (text, is_one) in [
            ("s3.example", true),
            ("localhost", true),
            ("S3.Example", true),
            ("", false),
            ("s3..example", false),
            ("s3.example:80", false),
            ("-a.example", false),
            ("http://s3.example", false),
        ] {
            assert_eq!(text.parse::<Domain>().is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn a_path_is_decoded_for_people() {
        assert_eq!(decoded("/b/a%20b%2Fc%zz%"), "/b/a b/c%zz%");
        assert_eq!(decoded("/b/%ff"), "/b/\u{fffd}");
    }
}
