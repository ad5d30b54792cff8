//! AWS STS, as far as SDKs and Terraform ask it before anything else: `GetCallerIdentity`.
//!
//! Source: AWS STS API Reference, `GetCallerIdentity`; the query protocol, version 2011-06-15.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::aws_json::Answer;
use super::body::whole;
use super::sigv4::caller;
use crate::service::{CallerIdentity, Error, GetCallerIdentity, Service};

/// Answers a request whose parameters are in its form, or in its query (presigned, or a `GET`).
pub(super) async fn handle(service: Arc<Service>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = whole(body, FORM_BYTES).await;
    let body = body.as_deref().map_err(|why| *why);
    let caller = caller(&service, &parts, body, SERVICE);
    let query = parts.uri.query().unwrap_or_default();
    let action = body.map(|body| {
        form_urlencoded::parse(body)
            .chain(form_urlencoded::parse(query.as_bytes()))
            .find(|(name, _)| name == "Action")
            .map(|(_, action)| action.into_owned())
            .unwrap_or_default()
    });
    let answer = match action.as_deref() {
        Ok("GetCallerIdentity") => {
            Answer::of(service.call(caller, GetCallerIdentity).await, identity)
        }
        Ok(other) => {
            let name: String = other.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
            let action = format!("sts:{name}");
            let reply = service.refuse(caller, &name, &action, Error::UnknownOperation).await;
            Answer::of(reply, |never| match never {})
        }
        Err(why) => {
            let reply = service.refuse(caller, "", "sts:", (*why).into()).await;
            Answer::of(reply, |never| match never {})
        }
    };
    xml(&answer)
}

/// Whether a query is one of STS's.
pub(super) fn is_query(query: &str) -> bool {
    form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "Action")
}

/// The service that signatures are scoped to.
const SERVICE: &str = "sts";
const FORM_BYTES: usize = 64 * 1024;

fn identity(found: CallerIdentity) -> Value {
    json!({ "Arn": found.arn, "UserId": found.user_id, "Account": found.account })
}

/// Values are ARNs, digits and our own messages; those are escaped all the same.
fn xml(answer: &Answer) -> Response {
    let (request_id, result) = answer.result();
    let (status, body) = match result {
        Ok(output) => {
            let member = |name: &str| {
                let text = output.get(name).and_then(Value::as_str).unwrap_or_default();
                format!("<{name}>{}</{name}>", escaped(text))
            };
            let members: String = ["Arn", "UserId", "Account"].map(member).concat();
            let body = format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\"><GetCallerIdentityResult>\
                 {members}</GetCallerIdentityResult><ResponseMetadata><RequestId>{request_id}\
                 </RequestId></ResponseMetadata></GetCallerIdentityResponse>"
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
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    answer.label(headers);
    response
}

/// The query protocol has names and statuses of its own for who may not call.
fn named(error: &Error) -> (&'static str, u16) {
    match error {
        Error::InvalidSignature(_) => ("SignatureDoesNotMatch", 403),
        Error::MissingAuthentication => ("MissingAuthenticationToken", 403),
        Error::UnknownCredential | Error::Unauthenticated => ("InvalidClientTokenId", 403),
        Error::UnknownOperation => ("InvalidAction", 400),
        other => (other.code().trim_end_matches("Exception"), other.http_status()),
    }
}

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
