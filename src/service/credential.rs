//! What a caller presents, and the principal that it proves.
//!
//! With a credentials file, signatures and bearer tokens are checked and nobody else is let in. Without
//! one, and on loopback only, every access key is accepted: an access key id of 12 digits is the
//! account, any other means account 000000000000 (docs/design.md, "Identity"). The principal is the
//! account's root.

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Error;
use super::credentials::Credentials;
use super::signature::Signed;
use super::trace::TraceParent;
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
    /// A bearer's word: an access key id, or a token where there are credentials.
    Bearer(String),
    /// A signed request.
    Signed(Box<Signed>),
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
            Self::Signed(_) => "Signed",
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

    /// A signed request.
    #[must_use]
    pub fn signed(signed: Signed) -> Self {
        Self(Presented::Signed(Box::new(signed)))
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
            Presented::Bearer(id) => known.is_none().then_some(id),
            Presented::Signed(signed) => Some(&signed.id),
            Presented::Unread(id, _) => Some(id),
            Presented::InProcess
            | Presented::Nothing
            | Presented::Missing
            | Presented::Malformed(_)
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
            request_id: uuid::Uuid::new_v4().to_string(),
            deadline: None,
            trace: None,
            secure: true,
            via: None,
            dry_run: false,
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

/// Proves a credential. The first stage of the walk. `known` are the credentials that are configured.
///
/// # Errors
/// [`Error::MissingAuthentication`], [`Error::IncompleteSignature`], [`Error::InvalidSignature`],
/// [`Error::UnknownCredential`]; [`Error::Unauthenticated`] for an access key id that none can be.
pub(super) fn authenticate(
    credential: &Credential,
    known: Option<&Credentials>,
    now: DateTime<Utc>,
) -> Result<Principal, Error> {
    match (&credential.0, known) {
        (Presented::InProcess, _) | (Presented::Nothing, None) => {
            Ok(Principal::root(DEFAULT_ACCOUNT, None))
        }
        (Presented::Own(account), _) => Ok(Principal::service(account)),
        (Presented::Missing, _) | (Presented::Nothing, Some(_)) => {
            Err(Error::MissingAuthentication)
        }
        (Presented::Malformed(what), _) => Err(Error::IncompleteSignature(what.clone())),
        (Presented::Bearer(id) | Presented::Unread(id, _), None) => unchecked(id),
        (Presented::Signed(signed), None) => unchecked(&signed.id),
        (Presented::Unread(_, why), Some(_)) => Err((*why).into()),
        (Presented::Bearer(token), Some(known)) => {
            let account = known.token(token).ok_or(Error::UnknownCredential)?;
            Ok(Principal::root(account, None))
        }
        (Presented::Signed(signed), Some(known)) => {
            signed.check_scope(now)?;
            // A session token goes with keys that are not for long, and none of these is one.
            let held = known.access_key(&signed.id).filter(|_| signed.session_token.is_none());
            let held = held.ok_or(Error::UnknownCredential)?;
            signed.check_signature(&held.secret)?;
            Ok(Principal::root(&held.account, Some(signed.id.clone())))
        }
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

    fn principal(id: &str) -> Result<Principal, Error> {
        let credential = Credential::bearer(Some(id.to_owned()));
        authenticate(&credential, None, DateTime::default())
    }

    #[test]
    fn twelve_digits_are_the_account_and_anything_else_the_default_one() {
        assert_eq!(principal("111122223333").unwrap().arn, "arn:aws:iam::111122223333:root");
        for id in ["AKIAIOSFODNN7EXAMPLE", "11112222333", "1111222233334", "11112222333x"] {
            assert_eq!(principal(id).unwrap().arn, "arn:aws:iam::000000000000:root");
        }
        let nobody = authenticate(&Credential::default(), None, DateTime::default()).unwrap();
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
        let check = |credential: &Credential| authenticate(credential, Some(&known), now);
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
    fn a_token_is_never_shown_as_an_access_key_id() {
        let token = Credential::bearer(Some("test".to_owned()));
        assert_eq!(token.access_key_id(Some(&credentials())), None);
        assert_eq!(token.access_key_id(None), Some("test"));
        assert!(!format!("{token:?}").contains("test"));
    }
}
