//! Who is signed in: a session for each, in memory, for twelve hours at the most.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::Mutex;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::crypto::{Error, digest, random};
use crate::service::{Credential, Service};

/// 32 random bytes in hex: what a browser shows, or a form repeats. Wiped on drop, redacted in `Debug`.
pub(super) struct Token(Zeroizing<String>);

impl Token {
    /// # Errors
    /// [`Error::Random`]
    pub(super) fn generate() -> Result<Self, Error> {
        random::array::<32>().map(|bytes| Self(Zeroizing::new(hex::encode(bytes))))
    }

    /// Borrows the secret, for the cookie or form that carries it.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is this one; takes as long whatever is presented, but for its length.
    pub(super) fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// What somebody signed in with.
#[derive(Debug)]
pub(super) struct AccessKey {
    /// Its id.
    pub(super) id: String,
    /// What goes with a session's key.
    pub(super) session_token: Option<Zeroizing<String>>,
    /// The digest of the secret that was right; none where no secret is known.
    pub(super) proof: Option<[u8; digest::LEN]>,
}

impl AccessKey {
    /// Checks a secret against the one that the service knows. Where nobody is known, no secret is needed.
    pub(super) fn check(
        service: &Service,
        id: &str,
        secret: &str,
        session_token: Option<Zeroizing<String>>,
    ) -> Option<Self> {
        if !service.knows_callers() {
            return Some(Self { id: id.to_owned(), session_token, proof: None });
        }
        let presented = digest::sha256(&[secret.as_bytes()]);
        // Digests of one length are compared, of an unknown key's with one that nothing has.
        let known = service.signing_secret(id);
        let expected = known.as_ref().map(|known| digest::sha256(&[known.expose()]));
        let same = bool::from(presented.ct_eq(&expected.unwrap_or_default()));
        let is_proved = same && expected.is_some();
        is_proved.then(|| Self { id: id.to_owned(), session_token, proof: Some(presented) })
    }

    /// Whether it is still what it was: the same secret, and known or unknown callers as then.
    fn holds(&self, service: &Service) -> bool {
        match &self.proof {
            None => !service.knows_callers(),
            Some(proof) => {
                let known = service.signing_secret(&self.id);
                service.knows_callers()
                    && known.is_some_and(|known| digest::sha256(&[known.expose()]) == *proof)
            }
        }
    }

    /// What its calls present.
    pub(super) fn credential(&self) -> Credential {
        let token = self.session_token.as_ref().map(|token| token.as_str().to_owned());
        match self.proof {
            Some(_) => Credential::proved(self.id.clone(), token),
            None => Credential::unproved(self.id.clone(), token),
        }
    }
}

/// One sign-in.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) key: AccessKey,
    /// ARN of who it is.
    pub(super) principal: String,
    /// What its forms repeat.
    pub(super) form_token: Token,
    region: Mutex<String>,
    began: DateTime<Utc>,
}

impl Session {
    /// # Errors
    /// [`Error::Random`]
    pub(super) fn begin(
        key: AccessKey,
        principal: String,
        region: &str,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let (form_token, region) = (Token::generate()?, Mutex::new(region.to_owned()));
        Ok(Self { key, principal, form_token, region, began: now })
    }

    /// The region that its reader looks at.
    pub(super) fn region(&self) -> String {
        self.region.lock().clone()
    }

    pub(super) fn look_at(&self, region: &str) {
        region.clone_into(&mut self.region.lock());
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        now - self.began >= LONGEST
    }
}

/// All sessions, by the digest of what their browsers show.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; digest::LEN], Arc<Session>>>);

impl Sessions {
    /// Keeps a session; the token is for its browser. When there are too many, the oldest ends.
    ///
    /// # Errors
    /// [`Error::Random`]
    pub(super) fn keep(&self, session: Session) -> Result<Token, Error> {
        let token = Token::generate()?;
        let mut sessions = self.0.lock();
        sessions.retain(|_, kept| !kept.is_over(session.began));
        while sessions.len() >= MOST {
            let oldest = sessions.iter().min_by_key(|(_, kept)| kept.began).map(|(at, _)| *at);
            let Some(oldest) = oldest else { break };
            sessions.remove(&oldest);
        }
        sessions.insert(place(token.expose()), Arc::new(session));
        Ok(token)
    }

    /// The session of a token, unless it is over or what it was begun with no longer holds.
    pub(super) fn find(&self, service: &Service, token: &str) -> Option<Arc<Session>> {
        let at = place(token);
        let found = self.0.lock().get(&at).map(Arc::clone)?;
        if found.is_over(service.clock().now()) || !found.key.holds(service) {
            self.0.lock().remove(&at);
            return None;
        }
        Some(found)
    }

    pub(super) fn end(&self, token: &str) {
        self.0.lock().remove(&place(token));
    }
}

fn place(token: &str) -> [u8; digest::LEN] {
    digest::sha256(&[token.as_bytes()])
}

/// Sign-ins that failed, by where they came from: so many a minute, no more are looked at.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<String, (DateTime<Utc>, u32)>>);

impl Failures {
    /// Whether another attempt from there is looked at.
    pub(super) fn admit(&self, source: &str, now: DateTime<Utc>) -> bool {
        let mut failures = self.0.lock();
        failures.retain(|_, (first, _)| now - *first < MINUTE && *first <= now);
        match failures.get(source) {
            Some((_, count)) => *count < FAILURES,
            None => failures.len() < SOURCES,
        }
    }

    pub(super) fn count(&self, source: &str, now: DateTime<Utc>) {
        self.0.lock().entry(source.to_owned()).or_insert((now, 0)).1 += 1;
    }
}

/// Sessions at the most.
const MOST: usize = 256;
/// How long a session lasts.
const LONGEST: TimeDelta = TimeDelta::hours(12);
/// Failed sign-ins of one address in a minute.
const FAILURES: u32 = 10;
/// Addresses whose failures are counted.
const SOURCES: usize = 1024;
const MINUTE: TimeDelta = TimeDelta::minutes(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::service::Options;

    fn service(now: DateTime<Utc>) -> Arc<Service> {
        let options = Options { ephemeral: true, clock: Clock::manual(now), ..Options::default() };
        Service::open(options).unwrap()
    }

    fn session(id: &str, now: DateTime<Utc>) -> Session {
        let key = AccessKey { id: id.to_owned(), session_token: None, proof: None };
        Session::begin(key, String::new(), "us-east-1", now).unwrap()
    }

    #[test]
    fn a_session_is_found_by_its_token_until_it_ends() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (service, sessions) = (service(now), Sessions::default());
        let token = sessions.keep(session("a", now)).unwrap();
        assert_eq!(token.expose().len(), 64);
        let found = sessions.find(&service, token.expose()).unwrap();
        assert_eq!(found.key.id, "a");
        assert!(sessions.find(&service, "").is_none());
        assert!(sessions.find(&service, found.form_token.expose()).is_none());
        service.clock().advance(LONGEST - TimeDelta::seconds(1));
        assert!(sessions.find(&service, token.expose()).is_some());
        service.clock().advance(TimeDelta::seconds(1));
        assert!(sessions.find(&service, token.expose()).is_none());
        let token = sessions.keep(session("b", service.clock().now())).unwrap();
        sessions.end(token.expose());
        assert!(sessions.find(&service, token.expose()).is_none());
    }

    #[test]
    fn sessions_are_bounded_and_the_oldest_goes() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let (service, sessions) = (service(now), Sessions::default());
        let first = sessions.keep(session("first", now)).unwrap();
        let later = now + TimeDelta::seconds(1);
        let second = sessions.keep(session("second", later)).unwrap();
        for _ in 2..MOST + 1 {
            sessions.keep(session("more", later + TimeDelta::seconds(1))).unwrap();
        }
        assert_eq!(sessions.0.lock().len(), MOST);
        assert!(sessions.find(&service, first.expose()).is_none());
        assert!(sessions.find(&service, second.expose()).is_some());
    }

    #[test]
    fn failures_are_counted_by_address_and_minute() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let failures = Failures::default();
        for _ in 0..FAILURES {
            assert!(failures.admit("10.0.0.1", now));
            failures.count("10.0.0.1", now);
        }
        assert!(!failures.admit("10.0.0.1", now));
        assert!(failures.admit("10.0.0.2", now));
        assert!(failures.admit("10.0.0.1", now + MINUTE));
        assert!(!format!("{:?}", Token::generate().unwrap()).contains(char::is_numeric));
    }
}
