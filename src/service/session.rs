//! Sessions: keys that are not for long, and the token that goes with them.
//!
//! Nothing of a session is stored. Its token says who it is, sealed under a key of this store, and its
//! secret is derived from its access key id; another server's tokens open nothing here.
//!
//! ```text
//! base64url(01 ‖ nonce (12) ‖ AES-256-GCM(JSON)), associated data: 01 ‖ access key id
//! secret = base64url(HKDF(session secret, access key id))
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Error;
use super::credentials::{Credentials, Role, unique_id};
use crate::crypto::{Plaintext, Purpose, SecretKey, aead, derive, random};
use crate::iam::{Policy, PolicyKind, Principal};

/// What a session token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    /// The access key id that it goes with.
    pub(super) id: String,
    /// Of the root, user or role.
    pub(super) arn: String,
    /// The session's name, of a role's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// A policy that limits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) policy: Option<String>,
    /// Tags of the session itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tags: BTreeMap<String, String>,
    /// When it began.
    pub(super) began: DateTime<Utc>,
    /// When it ends.
    pub(super) ends: DateTime<Utc>,
}

/// The keys of a session, as their holder gets them.
#[derive(Debug)]
pub struct SessionKeys {
    /// `ASIA` and 16 letters and digits.
    pub access_key_id: String,
    /// 43 characters.
    pub secret_access_key: Plaintext,
    /// Up to 16 KiB.
    pub session_token: String,
    /// When they end.
    pub expiration: DateTime<Utc>,
}

const FORMAT: u8 = 1;
/// Characters of a token at the most: of a session policy and 50 tags, with room.
const TOKEN_LEN: usize = 32 * 1024;

impl Session {
    /// A session of a root or user, whose access key id no other has.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub(super) fn begin(arn: &str, now: DateTime<Utc>, lasting: TimeDelta) -> Result<Self, Error> {
        let drawn: [u8; 16] = random::array().map_err(|_| Error::Internal)?;
        Ok(Self {
            id: unique_id(SESSION_PREFIX, &drawn),
            arn: arn.to_owned(),
            name: None,
            policy: None,
            tags: BTreeMap::new(),
            began: now,
            ends: now + lasting,
        })
    }

    /// The keys of the session.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub(super) fn keys(&self, secret: &SecretKey) -> Result<SessionKeys, Error> {
        let said = serde_json::to_vec(self).map_err(|_| Error::Internal)?;
        let nonce: [u8; aead::NONCE_LEN] = random::array().map_err(|_| Error::Internal)?;
        let key = derive(secret, b"", Purpose::SessionToken, b"");
        let sealed = aead::seal(&key, &nonce, &bound_to(&self.id), &said);
        let sealed = sealed.map_err(|_| Error::Internal)?;
        Ok(SessionKeys {
            access_key_id: self.id.clone(),
            secret_access_key: secret_of(secret, &self.id),
            session_token: URL_SAFE_NO_PAD.encode([&[FORMAT][..], &nonce, &sealed].concat()),
            expiration: self.ends,
        })
    }

    /// Opens the token that goes with an access key id; none if it is not this store's, or not that key's.
    pub(super) fn open(secret: &SecretKey, id: &str, token: &str) -> Option<Self> {
        let bytes = (token.len() <= TOKEN_LEN).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
        let (format, rest) = bytes.split_first()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        if *format != FORMAT {
            return None;
        }
        let key = derive(secret, b"", Purpose::SessionToken, b"");
        let said = aead::open(&key, nonce, &bound_to(id), sealed).ok()?;
        serde_json::from_slice(said.expose()).ok()
    }

    /// Whose it is, as they are known now.
    ///
    /// # Errors
    /// [`Error::ExpiredToken`]; [`Error::UnknownCredential`] for one who is not known any more.
    pub(super) fn principal(
        &self,
        known: Option<&Credentials>,
        now: DateTime<Utc>,
    ) -> Result<Principal, Error> {
        if self.ends <= now {
            return Err(Error::ExpiredToken);
        }
        let policy = self.policy.as_deref();
        let policy = policy.map(|text| Policy::parse("session policy", text, PolicyKind::Identity));
        let policies = policy.transpose().map_err(|_| Error::Internal)?.map(Arc::new);
        let policies: Vec<_> = policies.into_iter().collect();
        let mut principal = match (&self.name, known) {
            (Some(name), known) => {
                let role = Role::find(known, &self.arn).ok_or(Error::UnknownCredential)?;
                role.session(name, self.tags.clone(), policies)
            }
            (None, Some(known)) => known.principal(&self.arn).ok_or(Error::UnknownCredential)?,
            (None, None) => Principal::root(self.arn.split(':').nth(4).unwrap_or_default(), None),
        };
        Arc::make_mut(&mut principal.standing).session_began = Some(self.began.timestamp());
        principal.access_key_id = Some(self.id.clone());
        Ok(principal)
    }
}

/// What the ids of sessions' access keys begin with.
pub(super) const SESSION_PREFIX: &str = "ASIA";

/// The secret of a session's access key.
pub(super) fn secret_of(secret: &SecretKey, id: &str) -> Plaintext {
    let derived = derive(secret, b"", Purpose::SessionSecret, id.as_bytes());
    Plaintext::from(URL_SAFE_NO_PAD.encode(derived.expose()).into_bytes())
}

fn bound_to(id: &str) -> Vec<u8> {
    [&[FORMAT], id.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::super::credentials::tests::credentials;
    use super::*;
    use crate::iam::Kind;

    fn session(name: Option<&str>, arn: &str) -> Session {
        let began = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Session {
            name: name.map(str::to_owned),
            tags: [("team".to_owned(), "blue".to_owned())].into(),
            ..Session::begin(arn, began, TimeDelta::hours(1)).unwrap()
        }
    }

    #[test]
    fn a_token_opens_with_its_key_on_its_server_and_unaltered() {
        let secret = SecretKey::generate().unwrap();
        let made = session(Some("ci"), "arn:aws:iam::111122223333:role/deploy");
        let keys = made.keys(&secret).unwrap();
        let token = &keys.session_token;
        assert_eq!(Session::open(&secret, &made.id, token), Some(made.clone()));
        assert_eq!(keys.secret_access_key.expose(), secret_of(&secret, &made.id).expose());
        assert_eq!(Session::open(&secret, &session(None, "arn").id, token), None);
        assert_eq!(Session::open(&SecretKey::generate().unwrap(), &made.id, token), None);
        for at in [0, 1, 30, token.len() - 1] {
            let mut altered = token.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            let altered = String::from_utf8(altered).unwrap();
            assert_eq!(Session::open(&secret, &made.id, &altered), None);
            assert_eq!(Session::open(&secret, &made.id, &token[..at]), None);
        }
        assert!(!format!("{keys:?}").contains(&hex::encode(keys.secret_access_key.expose())));
    }

    #[test]
    fn a_session_ends_and_goes_with_its_role() {
        let known = credentials();
        let role = "arn:aws:iam::111122223333:role/deploy";
        let made = session(Some("ci"), role);
        let found = made.principal(Some(&known), made.began).unwrap();
        assert_eq!(found.arn, "arn:aws:sts::111122223333:assumed-role/deploy/ci");
        assert_eq!(found.standing.tags["team"], "blue");
        let ended = made.principal(Some(&known), made.ends);
        assert!(matches!(ended, Err(Error::ExpiredToken)));
        let gone = session(Some("ci"), "arn:aws:iam::111122223333:role/gone");
        let gone = gone.principal(Some(&known), made.began);
        assert!(matches!(gone, Err(Error::UnknownCredential)));
        let alice = session(None, "arn:aws:iam::111122223333:user/team/alice");
        let alice = alice.principal(Some(&known), made.began).unwrap();
        assert_eq!(alice.kind, Kind::User);
        let free = made.principal(None, made.began).unwrap();
        assert_eq!(free.arn, found.arn);
    }
}
