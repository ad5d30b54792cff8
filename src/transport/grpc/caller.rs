//! Who calls, from a request's metadata.
//!
//! | metadata | means |
//! |---|---|
//! | `authorization: Bearer ID` | the access key id; 12 digits are the account. With a credentials file: a token |
//! | `x-strongroom-region` | the region; `us-east-1` when absent |
//! | `x-request-id` | the call's id, when it is a UUID; one is made otherwise |
//! | `x-strongroom-dry-run: true` | only asks if the call would succeed, where AWS has `DryRun` |
//! | `x-strongroom-proof: inclusion` | the answer brings the proof of the call's own record |
//! | `traceparent` | the caller's place in a trace (W3C Trace Context) |
//! | `grpc-timeout` | the deadline |
//!
//! Where there is no `authorization`, the connection's client certificate says who calls, if it has one.

use std::time::Duration;

use axum::extract::ConnectInfo;
use http::{Extensions, HeaderMap};
use tokio::time::Instant;
use uuid::Uuid;

use crate::service::{Caller, Credential, TraceParent};
use crate::transport::listener::Peer;

/// Reads a caller from headers and the connection's peer.
pub(super) fn caller(headers: &HeaderMap, extensions: &Extensions) -> Caller {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut caller = Caller::in_process();
    let mut certificate = None;
    if let Some(ConnectInfo(peer)) = extensions.get::<ConnectInfo<Peer>>() {
        certificate.clone_from(&peer.certificate);
        caller.door = peer.door;
        caller.source.clone_from(&peer.address);
        caller.secure = peer.secure;
    }
    if let Some(id) = text("x-request-id").and_then(|id| Uuid::try_parse(id).ok()) {
        caller.request_id = id.to_string();
    }
    if let Some(region) = text("x-strongroom-region") {
        region.clone_into(&mut caller.region);
    }
    caller.trace = text("traceparent").and_then(TraceParent::parse);
    caller.dry_run = text("x-strongroom-dry-run") == Some("true");
    caller.prove = text("x-strongroom-proof") == Some("inclusion");
    caller.user_agent = text("user-agent").map(|agent| agent.chars().take(256).collect());
    // A value that is not text is still a credential, and one that proves nothing; a certificate does not
    // stand in for it.
    let said = headers.get("authorization").map(|value| {
        let value = value.to_str().unwrap_or_default();
        value.strip_prefix("Bearer ").unwrap_or_default().to_owned()
    });
    caller.credential = match (said, certificate) {
        (None, Some(certificate)) => Credential::certificate(certificate),
        (said, _) => Credential::bearer(said),
    };
    caller.deadline = text("grpc-timeout").and_then(timeout).map(|after| Instant::now() + after);
    caller
}

/// Reads a caller from a request that tonic decoded.
pub(super) fn caller_of<T>(request: &tonic::Request<T>) -> Caller {
    caller(request.metadata().as_ref(), request.extensions())
}

/// A `grpc-timeout` value: up to eight digits and a unit (gRPC over HTTP/2, "Requests").
fn timeout(value: &str) -> Option<Duration> {
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount * 3600),
        "M" => Duration::from_secs(amount * 60),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::service::Certificate;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(timeout("100m"), Some(Duration::from_millis(100)));
        assert_eq!(timeout("2S"), Some(Duration::from_secs(2)));
        assert_eq!(timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for bad in ["", "S", "1", "-1S", "123456789S", "1x", "1é"] {
            assert_eq!(timeout(bad), None, "{bad}");
        }
    }

    #[test]
    fn metadata_are_read() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer 111122223333".parse().unwrap());
        headers.insert("x-strongroom-region", "eu-west-1".parse().unwrap());
        headers.insert("x-request-id", "not a uuid".parse().unwrap());
        let caller = caller(&headers, &Extensions::new());
        assert_eq!(caller.region, "eu-west-1");
        assert!(Uuid::try_parse(&caller.request_id).is_ok());
    }

    #[test]
    fn a_certificate_counts_where_nothing_is_said() {
        let certificate = Some(Arc::new(Certificate::new(b"der", [], [])));
        let peer = Peer { door: "grpc", address: String::new(), secure: true, certificate };
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(peer));
        let presented = |headers| format!("{:?}", caller(&headers, &extensions).credential);
        assert!(presented(HeaderMap::new()).contains("Certificate"));
        for said in ["Bearer token", "Basic x", ""] {
            let said = ("authorization".parse().unwrap(), said.parse().unwrap());
            assert!(presented(HeaderMap::from_iter([said])).contains("Bearer"));
        }
    }
}
