//! What a caller presents, and the principal that it proves.
//!
//! With a credentials file, signatures, bearer tokens and client certificates are checked and nobody else
//! is let in. Without one, and on loopback only, every access key is accepted: an access key id of 12
//! digits is the account, any other means account 000000000000 (docs/design.md, "Identity"), and the
//! principal is the account's root. The keys of a session are the session's with and without a file.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

use super::Error;
use super::certificate::Certificate;
use super::credentials::Credentials;
use super::session::{SESSION_PREFIX, Session, secret_of};
use super::signature::Signed;
use super::trace::TraceParent;
use crate::crypto::{Plaintext, SecretKey};
use crate::iam::Principal;
use crate::kms::id::{is_account, is_region};

/// What a caller presents, before anything is believed of it.
#[derive(Debug, Clone, Default)]
pub struct Credential(Presented);

#[derive(Clone, Default)]
enum Presented {
    /// Nothing, by a caller inside this process: the default account's root.
    #[default]
    InProcess,
    /// Nothing, at a door where nothing may be enough.
    Nothing,
    /// A bearer's word: an access key id, or a token where there are credentials; a session's keys.
    Bearer(String),
    /// A client certificate that was verified when its connection began, and no word beside it.
    Certificate(Arc<Certificate>),
    /// An access key id, and what goes with it, whose signature nobody can check.
    Unproved(String, Option<String>),
    /// A signed request.
    Signed(Box<Signed>),
    /// An access key id, and what goes with it, whose signature the door has checked with the secret that
    /// this service gave it.
    Proved(String, Option<String>),
    /// An access key id whose signature the door has found wrong; what is wrong with it.
    Disproved(String, String),
    /// Nothing, at a door where everybody may be meant.
    Anonymous,
    /// An access key id with a body that was not read to its end, and so cannot be checked.
    Unread(String, Unread),
    /// Nothing, where AWS insists on a signature.
    Missing,
    /// A signature that cannot be read; what is wrong with it.
    Malformed(String),
    /// The account for which the service itself calls.
    Own(String),
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InProcess => "InProcess",
            Self::Nothing => "Nothing",
            Self::Bearer(_) => "Bearer(redacted)",
            Self::Certificate(_) => "Certificate",
            Self::Unproved(..) => "Unproved",
            Self::Signed(_) => "Signed",
            Self::Proved(..) => "Proved",
            Self::Disproved(..) => "Disproved",
            Self::Anonymous => "Anonymous",
            Self::Unread(..) => "Unread",
            Self::Missing => "Missing",
            Self::Malformed(_) => "Malformed",
            Self::Own(_) => "Own",
        })
    }
}

impl Credential {
    /// What a bearer said, as a door received it; none where nothing was said.
    #[must_use]
    pub fn bearer(text: Option<String>) -> Self {
        Self(text.map_or(Presented::Nothing, Presented::Bearer))
    }

    /// The client certificate of a connection, which its door has verified.
    #[must_use]
    pub const fn certificate(certificate: Arc<Certificate>) -> Self {
        Self(Presented::Certificate(certificate))
    }

    /// An access key id and the session token beside it, if there is one, where no secret is known.
    #[must_use]
    pub const fn unproved(id: String, session_token: Option<String>) -> Self {
        Self(Presented::Unproved(id, session_token))
    }

    /// A signed request.
    #[must_use]
    pub fn signed(signed: Signed) -> Self {
        Self(Presented::Signed(Box::new(signed)))
    }

    /// An access key id and the session token beside it, if there is one, whose signature its door has
    /// checked with [`super::Service::signing_secret`].
    #[must_use]
    pub const fn proved(id: String, session_token: Option<String>) -> Self {
        Self(Presented::Proved(id, session_token))
    }

    /// An access key id whose signature its door has checked in the same way and found wrong.
    #[must_use]
    pub const fn disproved(id: String, what: String) -> Self {
        Self(Presented::Disproved(id, what))
    }

    /// Nothing, at a door where a resource's policy may mean everybody.
    #[must_use]
    pub const fn anonymous() -> Self {
        Self(Presented::Anonymous)
    }

    /// Whether nobody says to be calling.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        matches!(self.0, Presented::Anonymous)
    }

    /// A signed request whose body was not read to its end.
    #[must_use]
    pub const fn unread(id: String, why: Unread) -> Self {
        Self(Presented::Unread(id, why))
    }

    /// Nothing, at a door where AWS insists on a signature.
    #[must_use]
    pub const fn missing() -> Self {
        Self(Presented::Missing)
    }

    /// A signature that cannot be read.
    #[must_use]
    pub const fn malformed(what: String) -> Self {
        Self(Presented::Malformed(what))
    }

    /// The access key id that was presented, believed or not; never a token.
    #[must_use]
    pub(super) fn access_key_id(&self, known: Option<&Credentials>) -> Option<&str> {
        match &self.0 {
            // What follows the id of a session's key is its secret.
            Presented::Bearer(text) => match text.split_once(':') {
                Some((id, _)) if id.starts_with(SESSION_PREFIX) => Some(id),
                _ => known.is_none().then_some(text),
            },
            Presented::Unproved(id, _) | Presented::Proved(id, _) | Presented::Disproved(id, _) => {
                Some(id)
            }
            Presented::Signed(signed) => Some(&signed.id),
            Presented::Unread(id, _) => Some(id),
            Presented::InProcess
            | Presented::Nothing
            | Presented::Certificate(_)
            | Presented::Missing
            | Presented::Malformed(_)
            | Presented::Anonymous
            | Presented::Own(_) => None,
        }
    }
}

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread {
    /// It ended before its end, or its chunks are none.
    Broken,
    /// It did not come in time.
    Late,
    /// It is larger than any that is answered.
    TooLarge,
}

impl From<Unread> for Error {
    fn from(why: Unread) -> Self {
        match why {
            Unread::Broken => Self::Malformed("its body is broken off".to_owned()),
            Unread::Late => Self::Malformed("its body did not come in time".to_owned()),
            Unread::TooLarge => Self::RequestTooLarge,
        }
    }
}

/// A call as the door received it: who says to be calling, from where, and until when it waits.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What was presented.
    pub credential: Credential,
    /// The region that the call is for; `us-east-1` when the caller names none.
    pub region: String,
    /// The door: `grpc`, `in-process`.
    pub door: &'static str,
    /// The peer's address, or `in-process`.
    pub source: String,
    /// The client program, as it names itself.
    pub user_agent: Option<String>,
    /// A UUID that answer and record share.
    pub request_id: String,
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// The caller's place in a trace, if it has one.
    pub trace: Option<TraceParent>,
    /// Whether nobody can listen in between: TLS, or no wire at all.
    pub secure: bool,
    /// The service that calls on the principal's behalf: `s3.us-east-1.amazonaws.com`.
    pub via: Option<String>,
    /// Whether the call only asks if it would succeed (AWS's `DryRun`).
    pub dry_run: bool,
    /// Whether the answer is to prove that the call's record is in the log.
    pub prove: bool,
    /// Whose the buckets are that the call names, where the caller says so.
    pub bucket_owners: BucketOwners,
}

/// Whose buckets a caller expects: accounts. A bucket of another one is refused to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BucketOwners {
    /// Of the bucket (`x-amz-expected-bucket-owner`).
    pub own: Option<String>,
    /// Of the bucket that is copied from (`x-amz-source-expected-bucket-owner`).
    pub source: Option<String>,
}

impl Caller {
    /// A caller inside this process, without a credential: the root of account 000000000000.
    #[must_use]
    pub fn in_process() -> Self {
        Self {
            credential: Credential::default(),
            region: DEFAULT_REGION.to_owned(),
            door: "in-process",
            source: "in-process".to_owned(),
            user_agent: None,
            request_id: uuid::Uuid::now_v7().to_string(),
            deadline: None,
            trace: None,
            secure: true,
            via: None,
            dry_run: false,
            prove: false,
            bucket_owners: BucketOwners::default(),
        }
    }

    /// The service itself, in an account and region.
    pub(super) fn service(account: &str, region: &str) -> Self {
        let credential = Credential(Presented::Own(account.to_owned()));
        Self {
            credential,
            region: region.to_owned(),
            door: "service",
            source: "strongroom.internal".to_owned(),
            ..Self::in_process()
        }
    }

    /// The region, if it has the form of one (`us-east-1`).
    pub(super) fn valid_region(&self) -> Option<&str> {
        let region = self.region.as_str();
        is_region(region).then_some(region)
    }
}

/// The region of callers that name none.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// The account of callers whose access key id is not one.
pub(super) const DEFAULT_ACCOUNT: &str = "000000000000";

/// What credentials are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// Who is known; none where every access key is accepted.
    pub(super) credentials: Option<&'a Credentials>,
    /// What sessions are made with.
    pub(super) sessions: &'a SecretKey,
    /// The time.
    pub(super) now: DateTime<Utc>,
}

/// Proves a credential. The first stage of the walk.
///
/// # Errors
/// [`Error::MissingAuthentication`], [`Error::IncompleteSignature`], [`Error::InvalidSignature`],
/// [`Error::UnknownCredential`], [`Error::UnknownCertificate`], [`Error::SharedCertificate`],
/// [`Error::ExpiredToken`]; [`Error::Unauthenticated`] for an access key id that none can be.
pub(super) fn authenticate(credential: &Credential, known: Known<'_>) -> Result<Principal, Error> {
    match (&credential.0, known.credentials) {
        (Presented::InProcess, _) | (Presented::Nothing | Presented::Certificate(_), None) => {
            Ok(Principal::root(DEFAULT_ACCOUNT, None))
        }
        (Presented::Certificate(presented), Some(credentials)) => {
            credentials.certificate(presented).cloned()
        }
        (Presented::Own(account), _) => Ok(Principal::service(account)),
        (Presented::Disproved(_, what), _) => Err(Error::InvalidSignature(what.clone())),
        (Presented::Anonymous, _) => Ok(Principal::anonymous()),
        (Presented::Missing, _) | (Presented::Nothing, Some(_)) => {
            Err(Error::MissingAuthentication)
        }
        (Presented::Malformed(what), _) => Err(Error::IncompleteSignature(what.clone())),
        (Presented::Unread(id, _), None) => unchecked(id),
        (Presented::Signed(signed), None) => {
            unproved(&signed.id, signed.session_token.as_deref(), known)
        }
        (Presented::Unproved(id, token) | Presented::Proved(id, token), None) => {
            unproved(id, token.as_deref(), known)
        }
        (Presented::Unread(_, why), Some(_)) => Err((*why).into()),
        // A door looks for credentials before it reads a signature; these came in between.
        (Presented::Unproved(..), Some(_)) => Err(Error::UnknownCredential),
        (Presented::Bearer(text), credentials) => {
            match (bearer_session(text, known), credentials) {
                (Some(session), _) => session.principal(credentials, known.now),
                (None, None) => unchecked(text),
                (None, Some(credentials)) => {
                    credentials.token(text).cloned().ok_or(Error::UnknownCredential)
                }
            }
        }
        (Presented::Signed(signed), Some(credentials)) => {
            signed.check_scope(known.now)?;
            let check = |secret: &Plaintext| signed.check_signature(secret);
            keys_holder(&signed.id, signed.session_token.as_deref(), credentials, known, check)
        }
        (Presented::Proved(id, token), Some(credentials)) => {
            keys_holder(id, token.as_deref(), credentials, known, |_| Ok(()))
        }
    }
}

/// Whose an access key is, once `check` finds that its secret was used: of a session where there is a token.
fn keys_holder(
    id: &str,
    token: Option<&str>,
    credentials: &Credentials,
    known: Known<'_>,
    check: impl FnOnce(&Plaintext) -> Result<(), Error>,
) -> Result<Principal, Error> {
    let Some(token) = token else {
        let held = credentials.access_key(id).ok_or(Error::UnknownCredential)?;
        check(&held.secret)?;
        let access_key_id = Some(id.to_owned());
        return Ok(Principal { access_key_id, ..held.principal.as_ref().clone() });
    };
    let session = Session::open(known.sessions, id, token).ok_or(Error::UnknownCredential)?;
    check(&secret_of(known.sessions, id))?;
    session.principal(Some(credentials), known.now)
}

/// The session whose keys a bearer presents: `ID:SECRET:TOKEN`. A token without its secret proves nothing.
fn bearer_session(text: &str, known: Known<'_>) -> Option<Session> {
    let mut parts = text.splitn(3, ':');
    let (id, secret, token) = (parts.next()?, parts.next()?, parts.next()?);
    let session = Session::open(known.sessions, id, token)?;
    let expected = secret_of(known.sessions, id);
    bool::from(expected.expose().ct_eq(secret.as_bytes())).then_some(session)
}

/// Whose an access key is where none is known: of a session of ours, the session's.
fn unproved(id: &str, token: Option<&str>, known: Known<'_>) -> Result<Principal, Error> {
    match token.and_then(|token| Session::open(known.sessions, id, token)) {
        Some(session) => session.principal(None, known.now),
        None => unchecked(id),
    }
}

/// Whose an access key is where every one is accepted.
fn unchecked(id: &str) -> Result<Principal, Error> {
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Unauthenticated);
    }
    let account = if is_account(id) { id } else { DEFAULT_ACCOUNT };
    Ok(Principal::root(account, Some(id.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::super::credentials::tests::credentials;
    use super::super::signature::tests::example;
    use super::*;

    fn prove(
        credential: &Credential,
        credentials: Option<&Credentials>,
        now: DateTime<Utc>,
    ) -> Result<Principal, Error> {
        let sessions = SecretKey::from_bytes([7; 32]);
        authenticate(credential, Known { credentials, sessions: &sessions, now })
    }

    fn principal(id: &str) -> Result<Principal, Error> {
        prove(&Credential::bearer(Some(id.to_owned())), None, DateTime::default())
    }

    #[test]
    fn twelve_digits_are_the_account_and_anything_else_the_default_one() {
        assert_eq!(principal("111122223333").unwrap().arn, "arn:aws:iam::111122223333:root");
        for id in ["AKIAIOSFODNN7EXAMPLE", "11112222333", "1111222233334", "11112222333x"] {
            assert_eq!(principal(id).unwrap().arn, "arn:aws:iam::000000000000:root");
        }
        let nobody = prove(&Credential::default(), None, DateTime::default()).unwrap();
        assert_eq!(nobody.access_key_id, None);
    }

    #[test]
    fn an_access_key_id_that_is_none_is_refused() {
        for id in ["", "with space", "new\nline", "ключ", &"x".repeat(129)] {
            assert!(matches!(principal(id), Err(Error::Unauthenticated)));
        }
    }

    #[test]
    fn with_credentials_nobody_is_believed_without_proof() {
        let known = credentials();
        let (signed, _, now) = example();
        let check = |credential: &Credential| prove(credential, Some(&known), now);
        let proved = check(&Credential::signed(signed.clone())).unwrap();
        assert_eq!(proved.arn, "arn:aws:iam::111122223333:root");
        let proved = check(&Credential::bearer(Some("test".to_owned()))).unwrap();
        assert_eq!((proved.account.as_str(), proved.access_key_id), ("111122223333", None));
        let unknown = Signed { id: "AKIDOTHER".to_owned(), ..signed.clone() };
        let foreign = Signed { session_token: Some("t".to_owned()), ..signed.clone() };
        let bearer = |text: &str| Credential::bearer(Some(text.to_owned()));
        for stranger in [
            Credential::signed(unknown),
            Credential::signed(foreign),
            bearer("111122223333"),
            bearer("AKIDEXAMPLE"),
        ] {
            assert!(matches!(check(&stranger), Err(Error::UnknownCredential)));
        }
        let nothing = check(&Credential::bearer(None));
        assert!(matches!(nothing, Err(Error::MissingAuthentication)));
        let altered = Signed { string_to_sign: "altered".to_owned(), ..signed.clone() };
        let altered = check(&Credential::signed(altered));
        assert!(matches!(altered, Err(Error::InvalidSignature(_))));
        let unread = |why| check(&Credential::unread("a".to_owned(), why));
        assert!(matches!(unread(Unread::TooLarge), Err(Error::RequestTooLarge)));
        assert!(matches!(unread(Unread::Broken), Err(Error::Malformed(_))));
        assert!(check(&Credential::default()).is_ok(), "this process needs no proof");
    }

    #[test]
    fn a_certificate_proves_whom_the_file_names_by_it() {
        let check = |uri: &str, known: Option<&Credentials>| {
            let presented = Credential::certificate(Certificate::new(b"der", [uri], []).into());
            assert_eq!(presented.access_key_id(known), None);
            prove(&presented, known, DateTime::default())
        };
        let known = credentials();
        let alice = check("spiffe://example.com/alice", Some(&known)).unwrap();
        assert_eq!(alice.arn, "arn:aws:iam::111122223333:user/team/alice");
        assert_eq!((alice.access_key_id.as_deref(), alice.standing.policies.len()), (None, 1));
        let stranger = check("spiffe://example.com/mallory", Some(&known));
        assert!(matches!(stranger, Err(Error::UnknownCertificate(_))));
        // Where nobody is asked who they are, a certificate is worth as much as nothing.
        let free = check("spiffe://example.com/mallory", None).unwrap();
        assert_eq!(free.arn, "arn:aws:iam::000000000000:root");
    }

    #[test]
    fn a_token_is_never_shown_as_an_access_key_id() {
        let token = Credential::bearer(Some("test".to_owned()));
        assert_eq!(token.access_key_id(Some(&credentials())), None);
        assert_eq!(token.access_key_id(None), Some("test"));
        assert!(!format!("{token:?}").contains("test"));
    }
}
