//! Who signs: access key id and region from Signature Version 4, in the header or the query.
//!
//! No key's secret is known here, so signatures are read and not checked (docs/design.md,
//! "Identity"). What cannot be read is reported, and refused by the service.
//!
//! Source: AWS General Reference, "Signature Version 4 signing process".

use axum::extract::ConnectInfo;
use http::request::Parts;

use crate::service::{Caller, Credential};
use crate::transport::listener::Peer;

/// Reads the caller of a request that AWS's SDKs sign.
pub(in crate::transport) fn caller(parts: &Parts) -> Caller {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mut caller = Caller::in_process();
    caller.door = "aws";
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<Peer>>() {
        caller.source.clone_from(&peer.address);
    }
    caller.user_agent = text("user-agent").map(|agent| agent.chars().take(256).collect());
    let query = parts.uri.query().unwrap_or_default();
    let presigned = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "X-Amz-Credential")
        .map(|(_, scope)| scope.into_owned());
    let signed = match (text("authorization"), presigned) {
        (Some(header), _) => from_header(header),
        (None, Some(scope)) => from_scope(&scope),
        (None, None) => {
            caller.credential = Credential::missing();
            return caller;
        }
    };
    match signed {
        Ok((id, region)) => {
            caller.credential = Credential::access_key(Some(id));
            caller.region = region;
        }
        Err(what) => caller.credential = Credential::malformed(what),
    }
    caller
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
fn from_header(header: &str) -> Result<(String, String), &'static str> {
    let fields = header
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .or_else(|| header.strip_prefix("AWS4-ECDSA-P256-SHA256 "))
        .ok_or("Authorization header requires an AWS4 algorithm.")?;
    let field = |name: &str| {
        let mut pairs = fields.split(',').filter_map(|field| field.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    };
    let scope =
        field("Credential").ok_or("Authorization header requires 'Credential' parameter.")?;
    field("Signature").ok_or("Authorization header requires 'Signature' parameter.")?;
    field("SignedHeaders").ok_or("Authorization header requires 'SignedHeaders' parameter.")?;
    from_scope(scope)
}

/// `ID/DATE/REGION/SERVICE/aws4_request`
fn from_scope(scope: &str) -> Result<(String, String), &'static str> {
    const FORM: &str = "Credential must have five slash-delimited elements, \
                        e.g. keyid/date/region/service/term";
    // An access key id may hold a slash, so the scope is read from its end.
    let mut fields = scope.rsplitn(5, '/');
    let term = fields.next().ok_or(FORM)?;
    let (_service, region) = (fields.next().ok_or(FORM)?, fields.next().ok_or(FORM)?);
    let (_date, id) = (fields.next().ok_or(FORM)?, fields.next().ok_or(FORM)?);
    if term != "aws4_request" || id.is_empty() {
        return Err(FORM);
    }
    Ok((id.to_owned(), region.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_and_region_come_from_the_scope() {
        let header = "AWS4-HMAC-SHA256 Credential=111122223333/20261124/eu-west-1/kms/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=00";
        let found = from_header(header).unwrap();
        assert_eq!(found, ("111122223333".to_owned(), "eu-west-1".to_owned()));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (header, part) in [
            ("Basic abc", "AWS4"),
            ("AWS4-HMAC-SHA256 SignedHeaders=a, Signature=b", "'Credential'"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, Signature=b", "'SignedHeaders'"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws4_request, SignedHeaders=b", "'Signature'"),
            ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=b, Signature=c", "five"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/aws3, SignedHeaders=b, Signature=c", "five"),
        ] {
            let refused = from_header(header).unwrap_err();
            assert!(refused.contains(part), "{header}: {refused}");
        }
    }
}
