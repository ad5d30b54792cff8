//! The credentials file, as TOML has it.
//!
//! ```toml
//! [[account]]
//! id = "111122223333"
//!
//! [[account.access_key]]              # the account's root
//! id = "AKIAIOSFODNN7EXAMPLE"
//! secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
//!
//! [[account.token]]
//! sha256 = "…"                        # of a bearer token for gRPC, in hex
//!
//! [[account.certificate]]             # a client certificate for gRPC, by one of
//! uri = "spiffe://example.com/admin"  # - a URI of its subject alternative names
//! # dns = "admin.example.com"         # - a DNS name of them
//! # sha256 = "…"                      # - its DER's hash, in hex
//!
//! [[account.user]]
//! name = "alice"
//! path = "/team/"                     # `/` when absent
//! tags = { team = "red" }
//! policies = ["policies/reader.json"] # a file beside this one, or a document
//! boundary = "policies/team.json"
//! access_key = [{ id = "AKIAI44QH8DHBEXAMPLE", secret = "…" }]
//! token = [{ sha256 = "…" }]
//! certificate = [{ uri = "spiffe://example.com/alice" }]
//!
//! [[account.role]]
//! name = "deploy"
//! trust = '{ "Version": "2012-10-17", "Statement": … }'
//! policies = ["policies/deploy.json"]
//! max_session_seconds = 3600          # 3,600 to 43,200
//! ```
//! Whoever holds an access key, a token or a certificate of an account itself is its root. No two
//! principals may name the same certificate; one whose names are of several is nobody's.

use std::collections::BTreeMap;

use serde::Deserialize;
use zeroize::Zeroize;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) account: Vec<Account>,
}

/// An account, with what its root proves itself with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) id: String,
    #[serde(default)]
    pub(super) access_key: Vec<Key>,
    #[serde(default)]
    pub(super) token: Vec<Token>,
    #[serde(default)]
    pub(super) certificate: Vec<Certificate>,
    #[serde(default)]
    pub(super) user: Vec<User>,
    #[serde(default)]
    pub(super) role: Vec<Role>,
}

/// A user of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    pub(super) boundary: Option<String>,
    #[serde(default)]
    pub(super) access_key: Vec<Key>,
    #[serde(default)]
    pub(super) token: Vec<Token>,
    #[serde(default)]
    pub(super) certificate: Vec<Certificate>,
}

/// A role of an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) name: String,
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) policies: Vec<String>,
    pub(super) boundary: Option<String>,
    pub(super) trust: String,
    pub(super) max_session_seconds: Option<u32>,
}

/// An access key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) secret: String,
}

/// Wiped also when the file is refused because of another entry.
impl Drop for Key {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// A bearer token, which the file does not hold itself.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    pub(super) sha256: String,
}

/// A client certificate, by one of the names that it is known by.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Certificate {
    Dns(String),
    Sha256(String),
    Uri(String),
}

impl File {
    /// Reads a file's text.
    ///
    /// # Errors
    /// What is wrong with it, without its text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            // The library's own message quotes the line, which may hold a secret.
            let line = error.span().map_or(0, |span| {
                text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
            });
            format!("line {line}: {}", error.message())
        })
    }
}
