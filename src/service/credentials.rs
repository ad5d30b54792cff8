//! Who is known: accounts, users and roles, their policies, and what they prove themselves with.
//!
//! The form of the file: `credentials_file.rs`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::Error as Refusal;
use super::certificate::{Certificate, Name};
use super::credentials_file::{Account, Certificate as Named, File, Key, Token};
use crate::crypto::{Plaintext, digest};
use crate::iam::{Kind, Policy, PolicyKind, Principal, Standing};
use crate::kms::id::is_account;

/// Every principal, key, token and client certificate that is known.
pub struct Credentials {
    keys: HashMap<String, AccessKey>,
    tokens: HashMap<[u8; 32], Arc<Principal>>,
    certificates: HashMap<Name, Arc<Principal>>,
    /// Roots and users, by their ARNs.
    principals: HashMap<String, Arc<Principal>>,
    /// By their ARNs.
    roles: HashMap<String, Arc<Role>>,
}

/// A secret, and whose it is.
pub(super) struct AccessKey {
    pub(super) secret: Plaintext,
    pub(super) principal: Arc<Principal>,
}

/// A role: who may assume it, and what its sessions may.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) account: String,
    pub(super) id: String,
    pub(super) trust: Arc<Policy>,
    pub(super) standing: Standing,
    pub(super) max_session_seconds: u32,
}

/// What is wrong with a credentials file. Never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(String);

/// Reads a file that is named beside the credentials file.
pub type Beside<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl Credentials {
    /// Reads a file's text; documents that are in files of their own come through `beside`.
    ///
    /// # Errors
    /// [`Error`], which names the account, user, role or key and never shows a secret.
    pub fn parse(text: &str, beside: Beside<'_>) -> Result<Self, Error> {
        let file = File::parse(text).map_err(Error)?;
        let mut found = Self {
            keys: HashMap::new(),
            tokens: HashMap::new(),
            certificates: HashMap::new(),
            principals: HashMap::new(),
            roles: HashMap::new(),
        };
        for account in file.account {
            found.add(account, beside)?;
        }
        if found.keys.is_empty() && found.tokens.is_empty() && found.certificates.is_empty() {
            return Err(Error(
                "it has no access key, no token and no certificate, so nobody could call"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    fn add(&mut self, account: Account, beside: Beside<'_>) -> Result<(), Error> {
        let Account { id, access_key, token, certificate, user, role } = account;
        // A name is an account's once, whatever its path (IAM User Guide, "IAM identifiers").
        let users = user.iter().map(|user| ("user", &user.name));
        let mut names = HashSet::new();
        for (kind, name) in users.chain(role.iter().map(|role| ("role", &role.name))) {
            if !names.insert((kind, name)) {
                return Err(Error(format!("account {id}: {kind} {name} is there twice")));
            }
        }
        if !is_account(&id) {
            return Err(Error(format!("account {id:?}: an account has 12 digits")));
        }
        let root = Arc::new(Principal::root(&id, None));
        if self.principals.contains_key(&root.arn) {
            return Err(Error(format!("account {id} is there twice")));
        }
        self.enrol(root, access_key, token, certificate)?;
        for user in user {
            let arn = arn(&id, "user", user.path.as_deref(), &user.name)?;
            let standing = standing(&arn, user.tags, &user.policies, user.boundary, beside)?;
            let user_id = lasting_id("AIDA", &arn);
            let principal = Principal::new(arn, &id, &user_id, Kind::User);
            let principal = Principal { standing: Arc::new(standing), ..principal };
            let principal = Arc::new(principal);
            self.enrol(principal, user.access_key, user.token, user.certificate)?;
        }
        for role in role {
            let arn = arn(&id, "role", role.path.as_deref(), &role.name)?;
            let standing = standing(&arn, role.tags, &role.policies, role.boundary, beside)?;
            let trust = document(&arn, "trust policy", &role.trust, PolicyKind::Trust, beside)?;
            let max_session_seconds = role.max_session_seconds.unwrap_or(3600);
            if !(3600..=LONGEST_SESSION).contains(&max_session_seconds) {
                return Err(Error(format!("{arn}: max_session_seconds is 3,600 to 43,200")));
            }
            let user_id = lasting_id("AROA", &arn);
            let account = id.clone();
            let role = Role {
                arn: arn.clone(),
                account,
                id: user_id,
                trust,
                standing,
                max_session_seconds,
            };
            self.roles.insert(arn, Arc::new(role));
        }
        Ok(())
    }

    /// Takes in a principal with what proves it.
    fn enrol(
        &mut self,
        principal: Arc<Principal>,
        keys: Vec<Key>,
        tokens: Vec<Token>,
        certificates: Vec<Named>,
    ) -> Result<(), Error> {
        let arn = &principal.arn;
        for mut key in keys {
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
            let held = AccessKey { secret, principal: Arc::clone(&principal) };
            if self.keys.insert(name.clone(), held).is_some() {
                return Err(Error(format!("access key {name} is there twice")));
            }
        }
        for token in tokens {
            let mut hash = [0; 32];
            hex::decode_to_slice(&token.sha256, &mut hash)
                .map_err(|_| Error(format!("{arn}: a token's sha256 has 64 hex digits")))?;
            if self.tokens.insert(hash, Arc::clone(&principal)).is_some() {
                return Err(Error(format!("{arn}: a token is there twice")));
            }
        }
        for certificate in certificates {
            let name = Name::parse(certificate);
            let name = name.map_err(|what| Error(format!("{arn}: a certificate's {what}")))?;
            if self.certificates.insert(name, Arc::clone(&principal)).is_some() {
                return Err(Error(format!("{arn}: a certificate is there twice")));
            }
        }
        self.principals.insert(arn.clone(), principal);
        Ok(())
    }

    /// An access key by its id.
    pub(super) fn access_key(&self, id: &str) -> Option<&AccessKey> {
        self.keys.get(id)
    }

    /// Whose a bearer token is. Only its hash is looked up, so time says nothing of others.
    pub(super) fn token(&self, token: &str) -> Option<&Principal> {
        self.tokens.get(&digest::sha256(&[token.as_bytes()])).map(Arc::as_ref)
    }

    /// Whether anybody is known by a client certificate.
    #[must_use]
    pub fn name_certificates(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Whose a client certificate is, by any of its names.
    ///
    /// # Errors
    /// [`Refusal::UnknownCertificate`] where it is nobody's, [`Refusal::SharedCertificate`]
    /// where its names are of several.
    pub(super) fn certificate(&self, certificate: &Certificate) -> Result<&Principal, Refusal> {
        let mut found = certificate.names().iter().filter_map(|name| self.certificates.get(name));
        let unknown = || Refusal::UnknownCertificate(certificate.fingerprint());
        let principal = found.next().ok_or_else(unknown)?;
        if found.any(|other| other.arn != principal.arn) {
            return Err(Refusal::SharedCertificate(certificate.fingerprint()));
        }
        Ok(principal)
    }

    /// A root or user by its ARN; a role, or a session of one, as a session of it.
    #[must_use]
    pub fn principal(&self, arn: &str) -> Option<Principal> {
        if let Some(principal) = self.principals.get(arn) {
            return Some(principal.as_ref().clone());
        }
        if let Some(role) = self.roles.get(arn) {
            return Some(role.bare_session("any"));
        }
        let (account, rest) = arn.strip_prefix("arn:aws:sts::")?.split_once(":assumed-role/")?;
        let (name, session_name) = rest.split_once('/')?;
        let named = |role: &&Arc<Role>| role.account == account && role.name() == name;
        Some(self.roles.values().find(named)?.bare_session(session_name))
    }
}

impl Role {
    /// The role of an ARN: one that is known, or where none is, [`Self::any`].
    pub(super) fn find(known: Option<&Credentials>, arn: &str) -> Option<Arc<Self>> {
        match known {
            Some(known) => known.roles.get(arn).cloned(),
            None => Some(Arc::new(Self::any(arn))),
        }
    }

    /// A role where none is known: everybody may assume it, and it may whatever resources let it.
    pub(super) fn any(arn: &str) -> Self {
        let everything = Arc::new(Policy::everything("no credentials file"));
        Self {
            arn: arn.to_owned(),
            account: arn.split(':').nth(4).unwrap_or_default().to_owned(),
            id: "AROA".to_owned(),
            trust: Arc::clone(&everything),
            standing: Standing { policies: vec![everything], ..Standing::default() },
            max_session_seconds: LONGEST_SESSION,
        }
    }

    /// Its name, without its path.
    pub(super) fn name(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// A session of it, with nothing of its own.
    pub(super) fn bare_session(&self, name: &str) -> Principal {
        self.session(name, BTreeMap::new(), Vec::new())
    }

    /// A session of it, with tags and policies of its own.
    pub(super) fn session(
        &self,
        name: &str,
        tags: BTreeMap<String, String>,
        policies: Vec<Arc<Policy>>,
    ) -> Principal {
        let arn = format!("arn:aws:sts::{}:assumed-role/{}/{name}", self.account, self.name());
        let kind = Kind::Session { role: self.arn.clone() };
        let principal = Principal::new(arn, &self.account, &format!("{}:{name}", self.id), kind);
        let mut standing = Standing { session: policies, ..self.standing.clone() };
        standing.tags.extend(tags);
        Principal { standing: Arc::new(standing), ..principal }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, tokens) = (self.keys.len(), self.tokens.len());
        let (principals, roles) = (self.principals.len(), self.roles.len());
        let certificates = self.certificates.len();
        write!(
            f,
            "Credentials({principals} principals, {roles} roles, {keys} keys, {tokens} tokens, \
             {certificates} certificates)"
        )
    }
}

/// The ARN of a user or role (IAM User Guide, "IAM identifiers").
fn arn(account: &str, kind: &str, path: Option<&str>, name: &str) -> Result<String, Error> {
    let path = path.unwrap_or("/");
    if !(1..=64).contains(&name.len()) || !is_name(name) {
        return Err(Error(format!(
            "account {account}, {kind} {name:?}: a name has 1 to 64 letters, digits or +=,.@_-"
        )));
    }
    let whole = path.starts_with('/') && path.ends_with('/') && path.len() <= 512;
    if !whole || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error(format!("account {account}, {kind} {name}: a path is such as /team/")));
    }
    Ok(format!("arn:aws:iam::{account}:{kind}{path}{name}"))
}

/// Whether a text has only what names of users, roles and sessions are made of.
pub(super) fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte))
}

/// An id that is the same at every start: of 17 bytes of the ARN's hash.
fn lasting_id(prefix: &str, arn: &str) -> String {
    unique_id(prefix, digest::sha256(&[arn.as_bytes()]).iter().take(17))
}

/// An id as AWS makes them: a prefix of four letters, and a letter or digit for each byte.
pub(super) fn unique_id<'a>(prefix: &str, bytes: impl IntoIterator<Item = &'a u8>) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| LETTERS.get(usize::from(byte & 31)).map(|byte| char::from(*byte));
    prefix.chars().chain(bytes.into_iter().filter_map(letter)).collect()
}

/// Seconds of a role's session at the most (STS API Reference, `AssumeRole`).
const LONGEST_SESSION: u32 = 43_200;

fn standing(
    arn: &str,
    tags: BTreeMap<String, String>,
    policies: &[String],
    boundary: Option<String>,
    beside: Beside<'_>,
) -> Result<Standing, Error> {
    let read = |text: &String| {
        let name = if is_document(text) { "identity policy" } else { text };
        document(arn, name, text, PolicyKind::Identity, beside)
    };
    let policies = policies.iter().map(read).collect::<Result<_, _>>()?;
    let boundary = boundary
        .map(|text| document(arn, "permissions boundary", &text, PolicyKind::Identity, beside));
    Ok(Standing { policies, boundary: boundary.transpose()?, tags, ..Standing::default() })
}

/// Reads a document that stands in the file, or in one beside it.
fn document(
    arn: &str,
    name: &str,
    text: &str,
    kind: PolicyKind,
    beside: Beside<'_>,
) -> Result<Arc<Policy>, Error> {
    let wrong = |what: &dyn fmt::Display| Error(format!("{arn}, {name}: {what}"));
    let found = match is_document(text) {
        true => Ok(text.to_owned()),
        false => beside(text),
    };
    let found = found.map_err(|error| wrong(&format!("{text}: {error}")))?;
    Policy::parse(name, &found, kind).map(Arc::new).map_err(|error| wrong(&error))
}

fn is_document(text: &str) -> bool {
    text.trim_start().starts_with('{')
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
        [[account.certificate]]
        dns = "root.example.com"
        [[account.user]]
        name = "alice"
        path = "/team/"
        tags = { team = "red" }
        policies = ["reader.json"]
        access_key = [{ id = "AKIDALICE", secret = "s3cr3t" }]
        certificate = [
            { uri = "spiffe://example.com/alice" },
            { sha256 = "c1fb8b14e4d1e3ff5b4ca6d4d1ea2d9b5a3e2c55d5b1f1b1a5f9b4a6f0c5d7e8" },
        ]
        [[account.role]]
        name = "deploy"
        trust = '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}}'
    "#;

    fn beside(name: &str) -> Result<String, String> {
        match name {
            "reader.json" => Ok(
                r#"{"Statement": {"Effect": "Allow", "Action": "kms:Describe*", "Resource": "*"}}"#
                    .to_owned(),
            ),
            _ => Err("there is no such file".to_owned()),
        }
    }

    pub(in crate::service) fn credentials() -> Credentials {
        Credentials::parse(FILE, &beside).unwrap()
    }

    #[test]
    fn keys_and_tokens_are_found() {
        let found = credentials();
        let root = "arn:aws:iam::111122223333:root";
        assert_eq!(found.access_key("AKIDEXAMPLE").unwrap().principal.arn, root);
        assert!(found.access_key("AKIDEXAMPLF").is_none());
        assert_eq!(found.token("test").unwrap().arn, root);
        assert!(found.token("tesu").is_none());
        assert_eq!(
            format!("{found:?}"),
            "Credentials(2 principals, 1 roles, 2 keys, 1 tokens, 3 certificates)"
        );
    }

    #[test]
    fn a_certificate_is_whoevers_all_its_names_are() {
        let found = credentials();
        let whose = |uris: &[&str], dns: &[&str]| {
            let uris = uris.iter().copied();
            let presented = Certificate::new(b"der", uris, dns.iter().copied());
            let principal = found.certificate(&presented);
            principal.map(|principal| principal.arn.clone()).map_err(|error| error.to_string())
        };
        let alice = "arn:aws:iam::111122223333:user/team/alice".to_owned();
        let root = "arn:aws:iam::111122223333:root".to_owned();
        assert_eq!(whose(&["spiffe://example.com/alice"], &["other.example.com"]), Ok(alice));
        assert_eq!(whose(&[], &["Root.Example.Com"]), Ok(root));
        let hash = hex::encode(digest::sha256(&[b"der"]));
        for (uris, dns) in [
            (&["spiffe://example.com/Alice"][..], &["alice.example.com"][..]),
            (&["spiffe://example.com/alice/x"], &["*.example.com", "example.com"]),
            (&["root.example.com"], &["spiffe://example.com/alice"]),
        ] {
            let refused = whose(uris, dns).unwrap_err();
            assert!(refused.contains("no principal") && refused.contains(&hash), "{refused}");
        }
        let shared = whose(&["spiffe://example.com/alice"], &["root.example.com"]).unwrap_err();
        assert!(shared.contains("several principals") && shared.contains(&hash), "{shared}");
        let text =
            FILE.replace("c1fb8b14e4d1e3ff5b4ca6d4d1ea2d9b5a3e2c55d5b1f1b1a5f9b4a6f0c5d7e8", &hash);
        let found = Credentials::parse(&text, &beside).unwrap();
        let presented = Certificate::new(b"der", [], []);
        assert!(found.certificate(&presented).unwrap().arn.ends_with("alice"));
    }

    #[test]
    fn users_and_roles_have_their_standing() {
        let found = credentials();
        let alice = &found.access_key("AKIDALICE").unwrap().principal;
        assert_eq!(alice.arn, "arn:aws:iam::111122223333:user/team/alice");
        assert_eq!((alice.standing.policies.len(), &*alice.standing.tags["team"]), (1, "red"));
        assert_eq!(alice.user_id.len(), 21);
        let role = Role::find(Some(&found), "arn:aws:iam::111122223333:role/deploy").unwrap();
        let session = found.principal("arn:aws:sts::111122223333:assumed-role/deploy/ci").unwrap();
        assert_eq!(session.user_id, format!("{}:ci", role.id));
        assert_eq!(session.lasting_arn(), role.arn);
        assert!(found.principal("arn:aws:sts::111122223333:assumed-role/other/ci").is_none());
    }

    #[test]
    fn what_is_wrong_is_said_without_its_secrets() {
        for (from, to, said) in [
            (
                "111122223333\"\n        [[account.access",
                "1111\"\n        [[account.access",
                "12 digits",
            ),
            ("AKIDEXAMPLE", "", "1 to 128"),
            ("AKIDEXAMPLE", "a/b", "1 to 128"),
            ("AKIDALICE", "AKIDEXAMPLE", "twice"),
            ("9f86", "zz", "64 hex"),
            ("secret =", "sekret =", "line 6"),
            ("root.example.com", "*.example.com", "a certificate's dns is one whole name"),
            ("spiffe://example.com/alice", "alice", "a certificate's uri is a whole one"),
            ("c1fb", "zz", "a certificate's sha256 has 64 hex digits"),
            ("uri = ", "urn = ", "unknown variant `urn`"),
            ("{ uri = ", "{ dns = \"a.b\", uri = ", "line 18"),
            ("{ uri = \"spiffe://example.com/alice\"", "{ dns = \"ROOT.example.com\"", "twice"),
            ("\"wJal", "wJal", "line 6"),
            ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", "secret is empty"),
            ("reader.json", "writer.json", "no such file"),
            ("reader.json", "{", "alice, identity policy"),
            ("\"alice\"", "\"al ice\"", "1 to 64"),
            ("/team/", "team", "such as /team/"),
            ("trust = '", "trust = '{", "trust policy"),
            ("name = \"deploy\"", "name = \"deploy\"\nmax_session_seconds = 1", "43,200"),
        ] {
            let altered = FILE.replacen(from, to, 1);
            let refused = Credentials::parse(&altered, &beside).unwrap_err().to_string();
            assert!(refused.contains(said), "{said}: {refused}");
            assert!(!refused.contains("wJalrX") && !refused.contains("s3cr3t"), "{refused}");
        }
        assert!(Credentials::parse("", &beside).unwrap_err().to_string().contains("nobody"));
        let twice = format!("{FILE}\n[[account]]\nid = \"111122223333\"");
        let twice = Credentials::parse(&twice, &beside).unwrap_err().to_string();
        assert!(twice.contains("twice"), "{twice}");
        let elsewhere = FILE
            .replace("[[account.role]]", "[[account.user]]\nname = \"alice\"\n[[account.role]]");
        let twice = Credentials::parse(&elsewhere, &beside).unwrap_err().to_string();
        assert!(twice.contains("user alice is there twice"), "{twice}");
    }
}
