//! Signing in with an access key, and out; the region that is looked at.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, SET_COOKIE};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::html;
use zeroize::Zeroizing;

use super::Console;
use super::fields::Fields;
use super::frame;
use super::session::{AccessKey, Session};
use super::visit::{SESSION_COOKIE, Visit, caller, cookies, own_address, see_other, submitted};
use crate::kms::id::is_region;
use crate::service::{Credential, GetCallerIdentity};

/// `GET /_strongroom/sign-in`
pub(super) async fn form(State(console): State<Arc<Console>>, uri: Uri) -> Response {
    let mut fields = Fields::default();
    fields.read(uri.query().unwrap_or_default().as_bytes());
    page(&console, &fields, StatusCode::OK, None)
}

/// `POST /_strongroom/sign-in`
///
/// Whatever is wrong, the answer is the same. Each attempt is a call of `GetCallerIdentity`, and so in the
/// trail; the secret is never.
pub(super) async fn sign_in(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = match submitted(&parts, body).await {
        Ok(body) => Zeroizing::new(body.to_vec()),
        Err(refused) => return refused,
    };
    let mut fields = Fields::default();
    fields.read(&body);
    let service = &console.service;
    let mut caller = caller(&parts);
    let (now, source, secure) = (service.clock().now(), caller.source.clone(), caller.secure);
    if service.admit().is_err() || !console.failures.admit(&source, now) {
        return page(&console, &fields, StatusCode::TOO_MANY_REQUESTS, Some(TOO_MANY));
    }
    let token = fields.given("session_token").map(Zeroizing::new);
    let id = fields.text("access_key_id").trim();
    let key = AccessKey::check(service, id, fields.text("secret"), token);
    // A key that is not proved is nobody's where callers are known: so the record says.
    caller.credential = match &key {
        Some(key) => key.credential(),
        None => Credential::unproved(id.chars().take(128).collect(), None),
    };
    let who = service.call(caller, GetCallerIdentity).await.result;
    let (Some(key), Ok(who)) = (key, who) else {
        console.failures.count(&source, now);
        return page(&console, &fields, StatusCode::FORBIDDEN, Some(WRONG));
    };
    let kept = Session::begin(key, who.arn, REGION, now)
        .and_then(|session| console.sessions.keep(session));
    let Ok(token) = kept else {
        return frame::outside(StatusCode::INTERNAL_SERVER_ERROR, "No randomness is to be had.");
    };
    for before in cookies(&parts.headers) {
        console.sessions.end(before);
    }
    let mut response = see_other(own_address(fields.text("next")));
    set_cookie(&mut response, token.expose(), "43200", secure);
    response
}

/// `POST /_strongroom/sign-out`
pub(super) async fn sign_out(State(console): State<Arc<Console>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let secure = caller(&parts).secure;
    let shown: Vec<String> = cookies(&parts.headers).into_iter().map(str::to_owned).collect();
    let visit = Request::from_parts(parts, body);
    // As every form: with the session's token.
    if let Err(refused) =
        <Visit as axum::extract::FromRequest<_>>::from_request(visit, &console).await
    {
        return refused;
    }
    for token in shown {
        console.sessions.end(&token);
    }
    let mut response = see_other("/_strongroom/sign-in");
    set_cookie(&mut response, "", "0", secure);
    response
}

/// `POST /_strongroom/region`
pub(super) async fn region(visit: Visit) -> Response {
    let region = visit.fields.text("region").trim();
    if !is_region(region) {
        let words = "That is no region's name: it is like us-east-1.";
        return frame::outside(StatusCode::BAD_REQUEST, words);
    }
    visit.session.look_at(region);
    see_other(own_address(visit.fields.text("next")))
}

fn set_cookie(response: &mut Response, value: &str, age: &str, secure: bool) {
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!(
        "{SESSION_COOKIE}={value}; Path=/_strongroom/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
    );
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

fn page(console: &Console, fields: &Fields, status: StatusCode, wrong: Option<&str>) -> Response {
    let known = console.service.knows_callers();
    let wrong: Vec<_> = wrong.iter().map(|words| ("access_key_id", (*words).to_owned())).collect();
    let is_wrong = (!wrong.is_empty()).then_some("true");
    let described = (!wrong.is_empty()).then_some("access_key_id-wrong");
    let content = html! {
        (frame::summary(&wrong))
        form.card method="post" action="/_strongroom/sign-in" {
            input type="hidden" name="next" value=(own_address(fields.text("next")));
            div.field {
                label for="access_key_id" { "Access key ID" }
                input #access_key_id name="access_key_id" autocomplete="username" spellcheck="false"
                    autocapitalize="none" required maxlength="128" aria-invalid=[is_wrong]
                    aria-describedby=[described] value=(fields.text("access_key_id"));
                (frame::beside(&wrong, "access_key_id"))
            }
            @if known {
                div.field {
                    label for="secret" { "Secret access key" }
                    input #secret name="secret" type="password" autocomplete="current-password" required;
                }
                details {
                    summary { "Temporary credentials" }
                    div.field {
                        label for="session_token" { "Session token" }
                        textarea #session_token name="session_token" rows="4" autocomplete="off"
                            spellcheck="false" {}
                    }
                }
            } @else {
                p.hint {
                    "This service was started without credentials: it takes any access key ID and asks for no \
                     secret. Twelve digits are the account; any other means account 000000000000."
                }
            }
            button.primary type="submit" { "Sign in" }
        }
    };
    frame::plain(status, "Sign in", &content)
}

/// The region that a session begins with.
const REGION: &str = "us-east-1";
const WRONG: &str = "No such access key, or another secret.";
const TOO_MANY: &str = "Too many attempts: wait a minute, then try again.";
