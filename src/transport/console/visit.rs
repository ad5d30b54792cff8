//! One request of somebody who is signed in: who, what was said, and the calls that it makes.
//!
//! A request that changes something comes as a form (`POST`) with the session's token; one that has not got it,
//! or that a page of another site sent, is no visit and is answered here.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, FromRequest, Request};
use axum::http::header::{COOKIE, HeaderMap, LOCATION};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use maud::{Markup, html};

use super::Console;
use super::fields::{Fields, link};
use super::frame;
use super::refused::Refused;
use super::session::Session;
use crate::service::{Caller, Operation, Service};
use crate::transport::body::whole;
use crate::transport::listener::Peer;
use crate::transport::pages;

/// A request of a session.
pub(super) struct Visit {
    pub(super) console: Arc<Console>,
    pub(super) session: Arc<Session>,
    /// Of the query and, in a form that changes something, of its body.
    pub(super) fields: Fields,
    /// Path and query.
    pub(super) here: String,
    caller: Caller,
}

impl Visit {
    pub(super) fn service(&self) -> &Arc<Service> {
        &self.console.service
    }

    /// The session's principal, with a request id of its own.
    pub(super) fn caller(&self) -> Caller {
        Caller { request_id: Caller::in_process().request_id, ..self.caller.clone() }
    }

    /// The same in another region.
    pub(super) fn caller_in(&self, region: &str) -> Caller {
        Caller { region: region.to_owned(), ..self.caller() }
    }

    /// A call.
    pub(super) async fn ask<O: Operation>(&self, request: O) -> Result<O::Output, Refused> {
        Refused::or::<O, _>(self.service().call(self.caller(), request).await)
    }

    /// A call in another region than the session's.
    pub(super) async fn ask_in<O: Operation>(
        &self,
        region: &str,
        request: O,
    ) -> Result<O::Output, Refused> {
        Refused::or::<O, _>(self.service().call(self.caller_in(region), request).await)
    }

    /// What every form that changes something repeats.
    pub(super) fn form_token(&self) -> Markup {
        html! { input type="hidden" name=(FORM_TOKEN) value=(self.session.form_token.expose()); }
    }
}

impl FromRequest<Arc<Console>> for Visit {
    type Rejection = Response;

    async fn from_request(request: Request, console: &Arc<Console>) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let service = &console.service;
        if let Err(error) = service.admit() {
            return Err(frame::outside(StatusCode::TOO_MANY_REQUESTS, &error.to_string()));
        }
        let tokens = cookies(&parts.headers);
        let found = tokens.iter().find_map(|token| console.sessions.find(service, token));
        let Some(session) = found else { return Err(to_sign_in(&parts)) };
        let mut fields = Fields::default();
        fields.read(parts.uri.query().unwrap_or_default().as_bytes());
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            let body = submitted(&parts, body).await?;
            let mut said = Fields::default();
            said.read(&body);
            // In the body: an address is kept in histories.
            if !session.form_token.is(said.text(FORM_TOKEN)) {
                return Err(frame::outside(StatusCode::FORBIDDEN, FOREIGN_FORM));
            }
            fields.read(&body);
        }
        let mut caller = caller(&parts);
        caller.region = session.region();
        caller.credential = session.key.credential();
        let here = parts.uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        Ok(Self { console: Arc::clone(console), session, fields, here, caller })
    }
}

/// A form's body, unless a page of another site sent it.
pub(super) async fn submitted(parts: &Parts, body: Body) -> Result<Bytes, Response> {
    let site = parts.headers.get("sec-fetch-site").map(http::HeaderValue::as_bytes);
    let is_own = site.is_none_or(|site| matches!(site, b"same-origin" | b"none"));
    if !is_own || pages::is_from_elsewhere(&parts.uri, &parts.headers) {
        return Err(frame::outside(StatusCode::FORBIDDEN, FOREIGN_FORM));
    }
    whole(body, LONGEST).await.map_err(|_| {
        let words = "The form is too long, or did not come to its end.";
        frame::outside(StatusCode::PAYLOAD_TOO_LARGE, words)
    })
}

/// Who a connection's caller is, before it is said who signed in.
pub(super) fn caller(parts: &Parts) -> Caller {
    let mut caller = Caller::in_process();
    caller.door = "console";
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<Peer>>() {
        caller.source.clone_from(&peer.address);
        caller.secure = peer.secure;
    }
    let agent = parts.headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    caller.user_agent = agent.map(|agent| agent.chars().take(256).collect());
    caller
}

/// What a browser shows under the session's name. Cookies know no ports: another program on the same host
/// may have one of the same name.
pub(super) fn cookies(headers: &HeaderMap) -> Vec<&str> {
    let texts = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs =
        texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value).take(8).collect()
}

/// To the sign-in page, and back afterwards to what was to be read.
fn to_sign_in(parts: &Parts) -> Response {
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let back = parts.uri.path_and_query().map(|back| back.as_str()).filter(|_| reads);
    let back = back.filter(|back| *back != super::START).unwrap_or_default();
    see_other(&link("/_strongroom/sign-in", &[("next", back)]))
}

/// To another page, by `GET`.
pub(super) fn see_other(to: &str) -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// An address of the console's own, for what a request says to go on to; the start page for any other.
pub(super) fn own_address(asked: &str) -> &str {
    let is_own = asked.starts_with(super::START) && asked.parse::<Uri>().is_ok();
    let is_plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_own && is_plain { asked } else { super::START }
}

/// The session's cookie.
pub(super) const SESSION_COOKIE: &str = "strongroom-session";
const FORM_TOKEN: &str = "form_token";
/// Bytes of a form at the most: a hundred of the longest keys, encoded twice, and some.
const LONGEST: usize = 2 << 20;
const FOREIGN_FORM: &str = "This form is not of a page of your session: open the page again and send it \
                            from there. Nothing was changed.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_consoles_own_addresses_are_gone_on_to() {
        for (asked, wanted) in [
            ("/_strongroom/keys?a=b%20c", "/_strongroom/keys?a=b%20c"),
            ("/_strongroom/", "/_strongroom/"),
            ("", "/_strongroom/"),
            ("//evil.example/_strongroom/", "/_strongroom/"),
            ("https://evil.example/", "/_strongroom/"),
            ("/\\evil.example", "/_strongroom/"),
            ("/_strongroom/\\..\\x", "/_strongroom/"),
            ("/_strongroom/\r\nset-cookie: a=b", "/_strongroom/"),
        ] {
            assert_eq!(own_address(asked), wanted, "{asked}");
        }
    }

    #[test]
    fn cookies_of_the_sessions_name_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers
            .append(COOKIE, "a=b; strongroom-session=one;strongroom-session=two".parse().unwrap());
        headers.append(COOKIE, "strongroom-session=three; xstrongroom-session=no".parse().unwrap());
        assert_eq!(cookies(&headers), ["one", "two", "three"]);
    }
}
