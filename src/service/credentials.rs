//! The credentials file: which keys and tokens are known, and whose they are.
//!
//! ```toml
//! [[account]]
//! id = "111122223333"
//!
//! [[account.access_key]]
//! id = "AKIAIOSFODNN7EXAMPLE"
//! secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
//!
//! [[account.token]]
//! sha256 = "…"            # of a bearer token for gRPC, in hex
//! ```
//! Their holder is the account's root.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use zeroize::Zeroize;

use crate::crypto::{Plaintext, digest};
use crate::kms::id::is_account;

/// Every key and token that is known.
pub struct Credentials {
    keys: HashMap<String, AccessKey>,
    tokens: HashMap<[u8; 32], String>,
}

/// A secret, and whose it is.
pub(super) struct AccessKey {
    pub(super) secret: Plaintext,
    pub(super) account: String,
}

/// What is wrong with a credentials file. Never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: Vec<Account>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Account {
    id: String,
    #[serde(default)]
    access_key: Vec<Key>,
    #[serde(default)]
    token: Vec<Token>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    secret: String,
}

/// Wiped also when the file is refused because of another entry.
impl Drop for Key {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    sha256: String,
}

impl Credentials {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`Error`], which names the account or key and never shows a secret.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|error| {
            // The library's own message quotes the line, which may hold a secret.
            let line = error.span().map_or(0, |span| {
                text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
            });
            Error(format!("line {line}: {}", error.message()))
        })?;
        let mut found = Self { keys: HashMap::new(), tokens: HashMap::new() };
        for account in file.account {
            found.add(account)?;
        }
        if found.keys.is_empty() && found.tokens.is_empty() {
            return Err(Error(
                "it has no access key and no token, so nobody could call".to_owned(),
            ));
        }
        Ok(found)
    }

    fn add(&mut self, account: Account) -> Result<(), Error> {
        let id = account.id;
        if !is_account(&id) {
            return Err(Error(format!("account {id:?}: an account has 12 digits")));
        }
        for mut key in account.access_key {
            let secret = Plaintext::from(key.secret.as_bytes().to_vec());
            let name = std::mem::take(&mut key.id);
            let plain = !name.is_empty()
                && name.len() <= 128
                && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b',');
            if !plain {
                return Err(Error(format!(
                    "access key {name:?}: an id has 1 to 128 letters or digits"
                )));
            }
            if secret.is_empty() {
                return Err(Error(format!("access key {name}: its secret is empty")));
            }
            let held = AccessKey { secret, account: id.clone() };
            if self.keys.insert(name.clone(), held).is_some() {
                return Err(Error(format!("access key {name} is there twice")));
            }
        }
        for token in account.token {
            let mut hash = [0; 32];
            hex::decode_to_slice(&token.sha256, &mut hash)
                .map_err(|_| Error(format!("account {id}: a token's sha256 has 64 hex digits")))?;
            if self.tokens.insert(hash, id.clone()).is_some() {
                return Err(Error(format!("account {id}: a token is there twice")));
            }
        }
        Ok(())
    }

    /// An access key by its id.
    pub(super) fn access_key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id)
    }

    /// Whose a bearer token is. Only its hash is looked up, so time says nothing of others.
    pub(super) fn token(&self, token: &str) -> Option<&str> {
        self.tokens.get(&digest::sha256(&[token.as_bytes()])).map(String::as_str)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({} keys, {} tokens)", self.keys.len(), self.tokens.len())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const FILE: &str = r#"
        [[account]]
        id = "111122223333"
        [[account.access_key]]
        id = "AKIDEXAMPLE"
        secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
        [[account.token]]
        sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    "#;

    pub(in crate::service) fn credentials() -> Credentials {
        Credentials::parse(FILE).unwrap()
    }

    #[test]
    fn keys_and_tokens_are_found() {
        let found = credentials();
        assert_eq!(found.access_key("AKIDEXAMPLE").unwrap().account, "111122223333");
        assert!(found.access_key("AKIDEXAMPLF").is_none());
        assert_eq!(found.token("test"), Some("111122223333"));
        assert_eq!(found.token("tesu"), None);
        assert_eq!(format!("{found:?}"), "Credentials(1 keys, 1 tokens)");
    }

    #[test]
    fn what_is_wrong_is_said_without_its_secrets() {
        for (from, to, said) in [
            ("111122223333", "1111", "12 digits"),
            ("AKIDEXAMPLE", "", "1 to 128"),
            ("AKIDEXAMPLE", "a/b", "1 to 128"),
            ("9f86", "zz", "64 hex"),
            ("secret =", "sekret =", "line 6"),
            ("\"wJal", "wJal", "line 6"),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", "secret is empty"),
        ] {
            let refused = Credentials::parse(&FILE.replace(from, to)).unwrap_err().to_string();
            assert!(refused.contains(said), "{said}: {refused}");
            assert!(!refused.contains("wJalrX"), "{refused}");
        }
        assert!(Credentials::parse("").unwrap_err().to_string().contains("nobody"));
        let twice = FILE.replace(
            "[[account.token]]",
            &FILE[FILE.find("[[account.access").unwrap()..FILE.find("[[account.token]]").unwrap()],
        );
        assert!(
            Credentials::parse(&twice.replace("sha256", "#"))
                .unwrap_err()
                .to_string()
                .contains("twice")
        );
    }
}
