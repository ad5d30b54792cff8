//! Who am I, and for how long: the operations of AWS STS.
//!
//! Source: AWS STS API Reference, `AssumeRole`, `GetCallerIdentity` and `GetSessionToken`.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::TimeDelta;

use super::Error;
use super::credentials::{Role, is_name};
use super::operation::{Circumstances, Executed, Operation, Rooms, Target};
use super::operations::Registered;
use super::permit::Permit;
use super::session::{Session, SessionKeys};
use super::targets::Named;
use crate::audit::Event;
use crate::iam::{Guard, Kind, LONGEST_SESSION_POLICY, Policy, PolicyKind, Principal, Resource};
use crate::kms::id::is_account;
use crate::kms::{self, Known, Values};

/// A session of a role.
#[derive(Debug, Default)]
pub struct AssumeRole {
    /// ARN.
    pub role_arn: String,
    /// 2 to 64 characters.
    pub role_session_name: String,
    /// 900 to 43,200, and no more than the role allows; 3,600 when absent.
    pub duration_seconds: Option<i64>,
    /// What the session may at the most: a policy document.
    pub policy: Option<String>,
    /// What the role's trust policy may ask for.
    pub external_id: Option<String>,
    /// Tags of the session.
    pub tags: BTreeMap<String, String>,
}

/// Keys for the caller itself that are not for long.
#[derive(Debug, Default)]
pub struct GetSessionToken {
    /// 900 to 129,600, for roots to 3,600; 43,200 when absent.
    pub duration_seconds: Option<i64>,
}

/// Who the caller is.
#[derive(Debug, Default)]
pub struct GetCallerIdentity;

/// A role's session.
#[derive(Debug)]
pub struct AssumedRole {
    /// Its keys.
    pub keys: SessionKeys,
    /// Its ARN.
    pub arn: String,
    /// `AROA…:NAME`
    pub id: String,
}

/// A principal as STS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// 12 digits.
    pub account: String,
    /// The principal's ARN.
    pub arn: String,
    /// The unique id: the account, for its root.
    pub user_id: String,
}

/// This part of the register.
pub(super) const SESSIONS: &[Registered] = &[
    Registered::of::<AssumeRole>("A session of a role."),
    Registered::of::<GetCallerIdentity>("Who the caller is."),
    Registered::of::<GetSessionToken>("Keys for the caller itself that are not for long."),
];

impl Operation for AssumeRole {
    type Output = AssumedRole;
    const NAME: &'static str = "AssumeRole";
    const ACTION: &'static str = "sts:AssumeRole";
    const READ_ONLY: bool = true;
    const CROSS_ACCOUNT: bool = true;

    fn observe(&self, _: &str, known: &mut Known) {
        known.put("sts:RoleSessionName", &self.role_session_name);
        if let Some(id) = &self.external_id {
            known.put("sts:ExternalId", id);
        }
        for (name, value) in &self.tags {
            known.put(format!("aws:RequestTag/{name}"), value);
        }
        known.0.push(("aws:TagKeys".into(), Values::Many(self.tags.keys().cloned().collect())));
    }

    fn targets(&self, _: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        let account = account_of(&self.role_arn)
            .ok_or_else(|| invalid(&format!("{} is invalid", shown(&self.role_arn))))?;
        // Whether a role exists is not told: of one that does not, nobody is trusted.
        let trust = Role::find(at.known, &self.role_arn).map_or_else(
            || Arc::new(Policy::empty("trust policy")),
            |role| Arc::clone(&role.trust),
        );
        let target = |action: &'static str| {
            let (arn, account) = (self.role_arn.clone(), account.to_owned());
            let guard = Guard::Needed(Arc::clone(&trust));
            Named::bare(Resource { arn, account, guard }).named(action)
        };
        let tagging = (!self.tags.is_empty()).then(|| target("sts:TagSession"));
        Ok([target(Self::ACTION)].into_iter().chain(tagging).collect())
    }

    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        permit: &Permit,
    ) -> Result<Executed<AssumedRole>, Error> {
        let name = &self.role_session_name;
        if !(2..=64).contains(&name.len()) || !is_name(name) {
            return Err(kms_constraint(
                name,
                "roleSessionName",
                "Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}",
            ));
        }
        let role = Role::find(at.known, &self.role_arn).ok_or(Error::UnknownCredential)?;
        let chained = matches!(permit.principal().kind, Kind::Session { .. });
        let asked = duration(self.duration_seconds, 3600, 43_200)?;
        if asked > TimeDelta::seconds(role.max_session_seconds.into()) {
            return Err(invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        if chained && asked > TimeDelta::hours(1) {
            return Err(invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
                 role chaining",
            ));
        }
        if let Some(text) = &self.policy {
            if text.len() > LONGEST_SESSION_POLICY {
                return Err(Error::PackedPolicyTooLarge);
            }
            Policy::parse("session policy", text, PolicyKind::Identity)?;
        }
        check_tags(&self.tags)?;
        let session = Session {
            name: Some(name.clone()),
            policy: self.policy.clone(),
            tags: self.tags.clone(),
            ..Session::begin(&self.role_arn, at.now, asked)?
        };
        let keys = session.keys(&rooms.sessions)?;
        let Principal { arn, user_id: id, .. } = role.bare_session(name);
        Ok(Executed::read(AssumedRole { keys, arn, id }))
    }

    fn record(&self, event: &mut Event) {
        event.parameters.insert("role_arn".to_owned(), self.role_arn.as_str().into());
        let name = self.role_session_name.as_str();
        event.parameters.insert("role_session_name".to_owned(), name.into());
        if let Some(seconds) = self.duration_seconds {
            event.parameters.insert("duration_seconds".to_owned(), seconds.into());
        }
        if let Some(policy) = &self.policy {
            event.parameters.insert("policy".to_owned(), policy.as_str().into());
        }
        if !self.tags.is_empty() {
            event.parameters.insert("tags".to_owned(), serde_json::json!(self.tags));
        }
    }
}

impl Operation for GetSessionToken {
    type Output = SessionKeys;
    const NAME: &'static str = "GetSessionToken";
    const ACTION: &'static str = "sts:GetSessionToken";
    const READ_ONLY: bool = true;

    fn targets(&self, _: &Rooms, _: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        // No permission is needed.
        Ok(Vec::new())
    }

    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        permit: &Permit,
    ) -> Result<Executed<SessionKeys>, Error> {
        let principal = permit.principal();
        if principal.standing.session_began.is_some() {
            return Err(Error::SessionCannot);
        }
        // A root's are for an hour at the most, whatever is asked.
        let asked = duration(self.duration_seconds, 43_200, 129_600)?;
        let asked = if principal.is_root() { asked.min(TimeDelta::hours(1)) } else { asked };
        let session = Session::begin(&principal.arn, at.now, asked)?;
        Ok(Executed::read(session.keys(&rooms.sessions)?))
    }

    fn record(&self, event: &mut Event) {
        if let Some(seconds) = self.duration_seconds {
            event.parameters.insert("duration_seconds".to_owned(), seconds.into());
        }
    }
}

impl Operation for GetCallerIdentity {
    type Output = CallerIdentity;
    const NAME: &'static str = "GetCallerIdentity";
    const ACTION: &'static str = "sts:GetCallerIdentity";
    const READ_ONLY: bool = true;

    fn targets(&self, _: &Rooms, _: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        // No permission is needed, and none can be taken away.
        Ok(Vec::new())
    }

    fn execute(
        &self,
        _: &Rooms,
        _: &Circumstances<'_>,
        permit: &Permit,
    ) -> Result<Executed<CallerIdentity>, Error> {
        let principal = permit.principal();
        Ok(Executed::read(CallerIdentity {
            account: principal.account.clone(),
            arn: principal.arn.clone(),
            user_id: principal.user_id.clone(),
        }))
    }

    fn record(&self, _: &mut Event) {}
}

/// The account of a role's ARN, if it is one.
fn account_of(arn: &str) -> Option<&str> {
    let (account, name) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"*?:".contains(&byte);
    let named = !name.is_empty() && name.len() <= 576 && name.bytes().all(plain);
    (is_account(account) && named && !name.ends_with('/')).then_some(account)
}

fn duration(asked: Option<i64>, default: i64, most: i64) -> Result<TimeDelta, Error> {
    let seconds = asked.unwrap_or(default);
    let bound = match seconds {
        ..900 => "greater than or equal to 900".to_owned(),
        _ if seconds > most => format!("less than or equal to {most}"),
        _ => return Ok(TimeDelta::seconds(seconds)),
    };
    let constraint = format!("Member must have value {bound}");
    Err(kms_constraint(&seconds.to_string(), "durationSeconds", &constraint))
}

fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Error> {
    let fits = |name: &str, value: &str| {
        (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() <= 50 && tags.iter().all(|(name, value)| fits(name, value)) {
        return Ok(());
    }
    Err(invalid("a session has 50 tags at the most, of 128 and 256 characters"))
}

fn kms_constraint(value: &str, member: &str, constraint: &str) -> Error {
    Error::Kms(kms::Error::constraint(value, member, constraint))
}

fn invalid(message: &str) -> Error {
    Error::Kms(kms::Error::Validation(message.to_owned()))
}

fn shown(text: &str) -> String {
    text.chars().take(256).collect()
}
