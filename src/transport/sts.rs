//! AWS STS: `AssumeRole`, `GetCallerIdentity` and `GetSessionToken`, in the query protocol.
//!
//! Source: AWS STS API Reference, version 2011-06-15; AWS Query protocol.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use chrono::SecondsFormat;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use serde_json::{Value, json};

use super::aws_json::Answer;
use super::body::whole;
use super::sigv4::caller;
use crate::kms;
use crate::service::{
    AssumeRole, AssumedRole, Caller, CallerIdentity, Error, GetCallerIdentity, GetSessionToken,
    Service, SessionKeys,
};

/// Answers a request whose parameters are in its form, or in its query (presigned, or a `GET`).
pub(super) async fn handle(service: Arc<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = whole(body, FORM_BYTES).await;
    let body = body.as_deref().map_err(|why| *why);
    let caller = caller(&service, &parts, body, SERVICE);
    let query = parts.uri.query().unwrap_or_default();
    let form = body.map(|body| Form::parse(body, query.as_bytes())).map_err(Error::from);
    let action = form.as_ref().map(Form::action).unwrap_or_default();
    let answer = match service.admit().and(form) {
        Ok(form) => answer(&service, caller, &action, &form).await,
        Err(why) => refused(&service, caller, &action, why).await,
    };
    xml(&action, &answer)
}

/// Whether a query is one of STS's.
pub(super) fn is_query(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "Action")
}

async fn answer(service: &Arc<Service>, caller: Caller, action: &str, form: &Form) -> Answer {
    match action {
        "AssumeRole" => match form.assume_role() {
            Ok(request) => Answer::of(service.call(caller, request).await, assumed_role),
            Err(error) => refused(service, caller, action, error).await,
        },
        "GetCallerIdentity" => Answer::of(service.call(caller, GetCallerIdentity).await, identity),
        "GetSessionToken" => match form.session_token() {
            Ok(request) => {
                let reply = service.call(caller, request).await;
                Answer::of(reply, |keys| json!({ "Credentials": credentials(keys) }))
            }
            Err(error) => refused(service, caller, action, error).await,
        },
        other => refused(service, caller, other, Error::UnknownOperation).await,
    }
}

async fn refused(service: &Arc<Service>, caller: Caller, name: &str, error: Error) -> Answer {
    let reply = service.refuse(caller, name, &format!("sts:{name}"), error).await;
    Answer::of(reply, |never| match never {})
}

/// A request's parameters; of one that is there twice, the first.
struct Form(BTreeMap<String, String>);

impl Form {
    fn parse(body: &[u8], query: &[u8]) -> Self {
        let mut found = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body).chain(form_urlencoded::parse(query)) {
            found.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        Self(found)
    }

    /// The operation's name, as far as it can be one.
    fn action(&self) -> String {
        let name = self.text("Action").unwrap_or_default();
        name.chars().filter(char::is_ascii_alphanumeric).take(64).collect()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn required(&self, name: &str) -> Result<String, Error> {
        self.text(name).map(str::to_owned).ok_or_else(|| {
            let mut member = name.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            let constraint = "Member must not be null";
            invalid(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: \
                 {constraint}"
            ))
        })
    }

    fn number(&self, name: &str) -> Result<Option<i64>, Error> {
        let read = |text: &str| text.parse().map_err(|_| invalid(format!("{name} is no number")));
        self.text(name).map(read).transpose()
    }

    /// What is not done here is refused, rather than half obeyed.
    fn without(&self, names: &[&str]) -> Result<(), Error> {
        let found = |name: &&&str| {
            self.0.keys().any(|key| key == *name || key.starts_with(&format!("{name}.")))
        };
        match names.iter().find(found) {
            Some(name) => Err(invalid(format!("strongroom does not take {name}"))),
            None => Ok(()),
        }
    }

    fn assume_role(&self) -> Result<AssumeRole, Error> {
        self.without(&[
            "PolicyArns",
            "ProvidedContexts",
            "SerialNumber",
            "SourceIdentity",
            "TokenCode",
            "TransitiveTagKeys",
        ])?;
        let mut tags = BTreeMap::new();
        for number in 1.. {
            let member = |part: &str| self.text(&format!("Tags.member.{number}.{part}"));
            let Some(name) = member("Key") else { break };
            tags.insert(name.to_owned(), member("Value").unwrap_or_default().to_owned());
        }
        Ok(AssumeRole {
            role_arn: self.required("RoleArn")?,
            role_session_name: self.required("RoleSessionName")?,
            duration_seconds: self.number("DurationSeconds")?,
            policy: self.text("Policy").map(str::to_owned),
            external_id: self.text("ExternalId").map(str::to_owned),
            tags,
        })
    }

    fn session_token(&self) -> Result<GetSessionToken, Error> {
        self.without(&["SerialNumber", "TokenCode"])?;
        Ok(GetSessionToken { duration_seconds: self.number("DurationSeconds")? })
    }
}

fn invalid(message: String) -> Error {
    Error::Kms(kms::Error::Validation(message))
}

/// The service that signatures are scoped to.
const SERVICE: &str = "sts";
const FORM_BYTES: usize = 64 * 1024;

fn identity(found: CallerIdentity) -> Value {
    json!({ "Arn": found.arn, "UserId": found.user_id, "Account": found.account })
}

fn assumed_role(made: AssumedRole) -> Value {
    json!({
        "AssumedRoleUser": { "Arn": made.arn, "AssumedRoleId": made.id },
        "Credentials": credentials(made.keys),
    })
}

fn credentials(keys: SessionKeys) -> Value {
    json!({
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": String::from_utf8_lossy(keys.secret_access_key.expose()),
        "SessionToken": keys.session_token,
        "Expiration": keys.expiration.to_rfc3339_opts(SecondsFormat::Secs, true),
    })
}

/// An answer in the query protocol's form.
fn xml(action: &str, answer: &Answer) -> Response {
    let (request_id, result) = answer.result();
    let (status, body) = match result {
        Ok(output) => {
            let mut members = String::new();
            write_members(&mut members, output);
            let body = format!(
                "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result>{members}</{action}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\
                 </{action}Response>"
            );
            (200, body)
        }
        Err(error) => {
            let (code, status) = named(error);
            let body = format!(
                "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                escaped(&error.to_string())
            );
            (status, body)
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    let private = "no-cache, no-store, must-revalidate, private";
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(private));
    answer.label(headers);
    response
}

/// Members are named by us; their values are text, or members again.
fn write_members(text: &mut String, output: &Value) {
    for (name, value) in output.as_object().into_iter().flatten() {
        let _ = write!(text, "<{name}>");
        match value {
            Value::Object(_) => write_members(text, value),
            other => text.push_str(&escaped(other.as_str().unwrap_or_default())),
        }
        let _ = write!(text, "</{name}>");
    }
}

/// The query protocol has names and statuses of its own.
fn named(error: &Error) -> (Cow<'static, str>, u16) {
    let (name, status) = match error {
        Error::AccessDenied { .. } | Error::AccessHidden { .. } | Error::SessionCannot => {
            ("AccessDenied", 403)
        }
        Error::ExpiredToken => ("ExpiredToken", 403),
        Error::InvalidSignature(_) => ("SignatureDoesNotMatch", 403),
        Error::Kms(kms::Error::MalformedPolicy(_)) => ("MalformedPolicyDocument", 400),
        Error::Kms(kms::Error::Validation(_)) => ("ValidationError", 400),
        Error::MissingAuthentication => ("MissingAuthenticationToken", 403),
        Error::PackedPolicyTooLarge => ("PackedPolicyTooLarge", 400),
        Error::UnknownCredential | Error::Unauthenticated => ("InvalidClientTokenId", 403),
        Error::UnknownOperation => ("InvalidAction", 400),
        other => {
            let name = other.code().trim_end_matches("Exception").to_owned();
            return (name.into(), other.http_status());
        }
    };
    (name.into(), status)
}

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
