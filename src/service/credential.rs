//! What a caller presents, and the principal that it proves.
//!
//! Without a credentials file, and on loopback only, every access key is accepted: an access key
//! id of 12 digits is the account, any other means account 000000000000, and the principal is that
//! account's root (docs/design.md, "Identity").

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::Error;
use crate::iam::Principal;

/// What a caller presents, before anything is believed of it.
#[derive(Debug, Clone, Default)]
pub struct Credential(Presented);

#[derive(Debug, Clone, Default)]
enum Presented {
    /// Nothing, where nothing is needed: the default account's root.
    #[default]
    Nothing,
    /// An access key id.
    AccessKey(String),
    /// Nothing, where AWS insists on a signature.
    Missing,
    /// A signature's header that cannot be read; what is wrong with it.
    Malformed(&'static str),
    /// The account for which the service itself calls.
    Own(String),
}

impl Credential {
    /// An access key id, as a door received it; none where none is needed.
    #[must_use]
    pub fn access_key(id: Option<String>) -> Self {
        Self(id.map_or(Presented::Nothing, Presented::AccessKey))
    }

    /// Nothing, at a door where AWS insists on a signature.
    #[must_use]
    pub const fn missing() -> Self {
        Self(Presented::Missing)
    }

    /// A signature that cannot be read.
    #[must_use]
    pub const fn malformed(what: &'static str) -> Self {
        Self(Presented::Malformed(what))
    }

    /// The access key id that was presented, believed or not.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&str> {
        match &self.0 {
            Presented::AccessKey(id) => Some(id),
            _ => None,
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
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (!region.is_empty() && region.len() <= 32 && region.chars().all(plain)).then_some(region)
    }
}

/// The region of callers that name none.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// The account of callers whose access key id is not one.
pub(super) const DEFAULT_ACCOUNT: &str = "000000000000";

/// Proves a credential. The first stage of the walk.
///
/// # Errors
/// [`Error::MissingAuthentication`], [`Error::IncompleteSignature`]; [`Error::Unauthenticated`] for an access key id over 128 characters or with others than
/// printable ASCII.
pub(super) fn authenticate(
    credential: &Credential,
    _now: DateTime<Utc>,
) -> Result<Principal, Error> {
    let id = match &credential.0 {
        Presented::Nothing => return Ok(Principal::root(DEFAULT_ACCOUNT, None)),
        Presented::Own(account) => return Ok(Principal::service(account)),
        Presented::Missing => return Err(Error::MissingAuthentication),
        Presented::Malformed(what) => return Err(Error::IncompleteSignature(what)),
        Presented::AccessKey(id) => id,
    };
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::Unauthenticated);
    }
    let is_account = id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    let account = if is_account { id } else { DEFAULT_ACCOUNT };
    Ok(Principal::root(account, Some(id.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(id: &str) -> Result<Principal, Error> {
        let credential = Credential::access_key(Some(id.to_owned()));
        authenticate(&credential, DateTime::default())
    }

    #[test]
    fn twelve_digits_are_the_account_and_anything_else_the_default_one() {
        assert_eq!(principal("111122223333").unwrap().arn, "arn:aws:iam::111122223333:root");
        for id in ["AKIAIOSFODNN7EXAMPLE", "11112222333", "1111222233334", "11112222333x"] {
            assert_eq!(principal(id).unwrap().arn, "arn:aws:iam::000000000000:root");
        }
        let nobody = authenticate(&Credential::default(), DateTime::default()).unwrap();
        assert_eq!(nobody.access_key_id, None);
    }

    #[test]
    fn an_access_key_id_that_is_none_is_refused() {
        for id in ["", "with space", "new\nline", "ключ", &"x".repeat(129)] {
            assert!(matches!(principal(id), Err(Error::Unauthenticated)));
        }
    }
}
