//! Keeps other sites' web pages out where nobody is asked who they are.
//!
//! A page can have its own name point to 127.0.0.1 (DNS rebinding), and the browser then takes this
//! service for the page's own site. But the name that it asks for stays the page's. So only names that
//! nobody on the Internet can own are answered: addresses, `localhost`, names without a dot, and those
//! under `internal` (as containers have them: `host.docker.internal`). Pages that ask across sites are
//! known by their `Origin`. With credentials a page has none that it could use, but for the client
//! certificate that its browser shows by itself.
//!
//! Sources: RFC 9110, section 7.2 (`Host`); RFC 6761, section 6.3 (`localhost`); ICANN's resolution
//! 2024.07.29.06 (`internal`); RFC 6454, section 7 (`Origin`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::json;
use tonic::Status;

use super::listener::Peer;
use super::s3::Domains;
use crate::service::Service;

/// Passes on what no page of another site can have asked for. With credentials everything is passed on,
/// as no page has any, unless its browser has shown a certificate.
pub(super) async fn keep_out(
    State((service, domains)): State<(Arc<Service>, Domains)>,
    request: Request,
    next: Next,
) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    let certified = request.extensions().get::<ConnectInfo<Peer>>();
    let certified = certified.is_some_and(|ConnectInfo(peer)| peer.certificate.is_some());
    let refused = if service.knows_callers() {
        (certified && is_from_elsewhere(uri, headers)).then_some(FOREIGN_CERTIFICATE)
    } else if !is_asked_by_local_name(uri, headers, &domains) {
        Some(FOREIGN_NAME)
    } else if is_from_elsewhere(uri, headers) {
        Some(FOREIGN_ORIGIN)
    } else {
        None
    };
    let Some(message) = refused else { return next.run(request).await };
    let kind = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).unwrap_or_default();
    if kind.starts_with(b"application/grpc") {
        return Status::permission_denied(message).into_http::<Body>();
    }
    let body = json!({ "__type": "AccessDeniedException", "message": message });
    (StatusCode::FORBIDDEN, Json(body)).into_response()
}

/// Whether a page of another site asks: its `Origin` is not what the request is addressed to.
pub(super) fn is_from_elsewhere(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).map(http::HeaderValue::as_bytes);
    let own = host.or(uri.authority().map(|authority| authority.as_str().as_bytes()));
    headers.get_all(ORIGIN).iter().any(|origin| {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        !origin
            .zip(own)
            .is_some_and(|((_, origin), own)| origin.as_bytes().eq_ignore_ascii_case(own))
    })
}

/// Whether every name that a request is addressed to is one that nobody can point elsewhere. HTTP/2 has it
/// in its pseudo-header, `Host` or both.
fn is_asked_by_local_name(uri: &Uri, headers: &HeaderMap, domains: &Domains) -> bool {
    // The operator has said of a domain that it is this service's.
    let is_own = |host: &Authority| is_local(host) || domains.has(host.as_str());
    let mut hosts = headers.get_all(HOST).iter();
    uri.authority().is_none_or(is_own)
        && hosts.all(|host| Authority::try_from(host.as_bytes()).is_ok_and(|host| is_own(&host)))
}

fn is_local(authority: &Authority) -> bool {
    let host = authority.host().to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let own = !host.is_empty() && !host.contains('.');
    let reserved = [".localhost", ".internal"].iter().any(|zone| host.ends_with(zone));
    own || reserved || address.parse::<IpAddr>().is_ok()
}

const FOREIGN_CERTIFICATE: &str = "pages of other sites are not answered on a connection with a client \
                                   certificate, which the browser shows for any page";
const FOREIGN_NAME: &str = "without credentials strongroom answers to IP addresses, localhost, \
                            *.localhost, *.internal and names without a dot only, as any web page \
                            could ask by another name: use one of these, or start it with \
                            --credentials";
const FOREIGN_ORIGIN: &str = "without credentials strongroom does not answer pages of other sites: \
                              start it with --credentials";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_are_names_that_nobody_can_move() {
        for (name, local) in [
            ("127.0.0.1:4566", true),
            ("192.168.0.1", true),
            ("[::1]:4566", true),
            ("localhost", true),
            ("LocalHost:1", true),
            ("kms.localhost:4566", true),
            ("strongroom:4566", true),
            ("host.docker.internal:4566", true),
            ("evil.example", false),
            ("internal.evil.example", false),
            ("localhost.evil.example:4566", false),
            ("evil.localhost.example", false),
            ("127.0.0.1.evil.example", false),
            ("127.0.0.1@evil.example", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, name.parse().unwrap())]);
            assert_eq!(is_asked(&Uri::from_static("/"), &headers), local, "{name}");
            if let Ok(uri) = format!("http://{name}/").parse() {
                assert_eq!(is_asked(&uri, &HeaderMap::new()), local, "{name}");
            }
        }
        let both = HeaderMap::from_iter([(HOST, "evil.example".parse().unwrap())]);
        assert!(!is_asked(&Uri::from_static("http://localhost/"), &both));
    }

    #[test]
    fn the_domain_of_buckets_is_ones_own_name() {
        let domains = Domains::new(vec!["s3.example".parse().unwrap()]);
        for (name, own) in [
            ("s3.example:4566", true),
            ("photos.s3.example", true),
            ("evil.example", false),
            ("s3.example.evil.test", false),
            ("photos.s3.example@evil.test", false),
        ] {
            let headers = HeaderMap::from_iter([(HOST, name.parse().unwrap())]);
            let found = is_asked_by_local_name(&Uri::from_static("/"), &headers, &domains);
            assert_eq!(found, own, "{name}");
        }
    }

    fn is_asked(uri: &Uri, headers: &HeaderMap) -> bool {
        is_asked_by_local_name(uri, headers, &Domains::default())
    }

    #[test]
    fn an_origin_is_ones_own_or_from_elsewhere() {
        for (origin, elsewhere) in [
            ("http://127.0.0.1:4566", false),
            ("https://127.0.0.1:4566", false),
            ("http://127.0.0.1:3000", true),
            ("http://evil.example", true),
            ("null", true),
        ] {
            let origin = (ORIGIN, origin.parse().unwrap());
            let host = (HOST, "127.0.0.1:4566".parse().unwrap());
            let headers = HeaderMap::from_iter([host, origin.clone()]);
            assert_eq!(is_from_elsewhere(&Uri::from_static("/"), &headers), elsewhere);
            let uri = Uri::from_static("http://127.0.0.1:4566/");
            assert_eq!(is_from_elsewhere(&uri, &HeaderMap::from_iter([origin])), elsewhere);
        }
        assert!(!is_from_elsewhere(&Uri::from_static("/"), &HeaderMap::new()));
    }
}
