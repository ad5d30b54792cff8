//! Signature Version 4, as far as it needs no secret: who says to sign, for what, and the string that
//! was to be signed. Whether the signature is that string's is the service's business.
//!
//! `scratchstack-aws-signature` verifies whole requests, but takes secrets of 40 characters alone,
//! copies them, and logs the signature that it expected; `aws-sigv4` only signs. Hence these lines.
//!
//! Sources: IAM User Guide, "Create a signed AWS API request" and "Elements of an AWS API request
//! signature"; AWS's own messages.

use std::fmt::Write;

use axum::extract::ConnectInfo;
use chrono::{DateTime, NaiveDateTime, Utc};
use http::request::Parts;
use http::{HeaderMap, HeaderName};

use super::listener::Peer;
use crate::crypto::digest;
use crate::service::{Caller, Credential, Service, Signed, TraceParent, Unread};

/// Reads the caller of a request that AWS's SDKs sign for `name`. Without a whole body nothing is proved.
pub(super) fn caller(
    service: &Service,
    parts: &Parts,
    body: Result<&[u8], Unread>,
    name: &'static str,
) -> Caller {
    let mut caller = arriving(parts, "aws");
    caller.credential = match presented(parts) {
        Ok(None) => Credential::missing(),
        Ok(Some(found)) => {
            caller.region.clone_from(&found.region);
            match body {
                _ if !service.knows_callers() => {
                    Credential::unproved(found.id, found.session_token)
                }
                _ if !found.is_ordered() => Credential::malformed(UNORDERED.to_owned()),
                Ok(body) => Credential::signed(found.signed(parts, body, name)),
                Err(why) => Credential::unread(found.id, why),
            }
        }
        Err(what) => Credential::malformed(what),
    };
    caller
}

/// Whoever calls, as far as the connection and the headers tell; who that is, is still to be read.
pub(super) fn arriving(parts: &Parts, door: &'static str) -> Caller {
    let mut caller = Caller::in_process();
    caller.door = door;
    if let Some(ConnectInfo(peer)) = parts.extensions.get::<ConnectInfo<Peer>>() {
        caller.source.clone_from(&peer.address);
        caller.secure = peer.secure;
    }
    let agent = header(&parts.headers, "user-agent");
    caller.user_agent = agent.map(|agent| agent.chars().take(256).collect());
    caller.trace = header(&parts.headers, "traceparent").and_then(TraceParent::parse);
    caller
}

/// What a request says of its signature.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Presented {
    pub(super) id: String,
    date: String,
    pub(super) region: String,
    pub(super) service: String,
    term: String,
    pub(super) time: Option<DateTime<Utc>>,
    signed_headers: Vec<String>,
    signature: String,
    pub(super) session_token: Option<String>,
}

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNORDERED: &str = "'SignedHeaders' must name each header once, in alphabetical order.";

/// From the `Authorization` header, or else from the query.
pub(super) fn presented(parts: &Parts) -> Result<Option<Presented>, String> {
    if let Some(header) = parts.headers.get("authorization") {
        let header = header.to_str().map_err(|_| "Authorization is not text.".to_owned())?;
        return from_header(header, &parts.headers).map(Some);
    }
    let query = parts.uri.query().unwrap_or_default();
    if query.contains("X-Amz-Algorithm=") || query.contains("X-Amz-Credential=") {
        return from_query(query).map(Some);
    }
    Ok(None)
}

/// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
fn from_header(text: &str, headers: &HeaderMap) -> Result<Presented, String> {
    let (algorithm, rest) = text.split_once(' ').unwrap_or((text, ""));
    check_algorithm(algorithm)?;
    let field = |name: &str| {
        let mut pairs = rest.split(',').filter_map(|field| field.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    };
    let time = header(headers, "x-amz-date").or_else(|| header(headers, "date"));
    let mut missing = String::new();
    for name in ["Credential", "Signature", "SignedHeaders"] {
        if field(name).is_none() {
            let _ = write!(missing, "Authorization header requires '{name}' parameter. ");
        }
    }
    match (field("Credential"), field("SignedHeaders"), field("Signature")) {
        (Some(scope), Some(signed), Some(signature)) => {
            let token = header(headers, "x-amz-security-token");
            read(scope, signed, signature, time, token.map(str::to_owned))
        }
        // What was presented is not repeated: it goes into the trail.
        _ => Err(missing.trim_end().to_owned()),
    }
}

fn from_query(query: &str) -> Result<Presented, String> {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let field =
        |name: &str| pairs.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_ref());
    check_algorithm(field("X-Amz-Algorithm").unwrap_or_default())?;
    let wanted = |name: &str| {
        let missing = || format!("AWS query-string parameters must include '{name}'.");
        field(name).ok_or_else(missing)
    };
    read(
        wanted("X-Amz-Credential")?,
        wanted("X-Amz-SignedHeaders")?,
        wanted("X-Amz-Signature")?,
        Some(wanted("X-Amz-Date")?),
        field("X-Amz-Security-Token").map(str::to_owned),
    )
}

fn check_algorithm(algorithm: &str) -> Result<(), String> {
    if algorithm == ALGORITHM {
        return Ok(());
    }
    // What was presented may be a bare secret, and is not repeated: it goes into the trail.
    Err(format!("Unsupported AWS 'algorithm'; sign with '{ALGORITHM}'."))
}

fn read(
    scope: &str,
    signed: &str,
    signature: &str,
    time: Option<&str>,
    session_token: Option<String>,
) -> Result<Presented, String> {
    // An access key id may hold a slash, so the scope is read from its end.
    let mut fields = scope.rsplitn(5, '/');
    let mut next = || fields.next().filter(|field| !field.is_empty());
    let (term, service, region, date, id) = (next(), next(), next(), next(), next());
    let (Some(term), Some(service), Some(region), Some(date), Some(id)) =
        (term, service, region, date, id)
    else {
        return Err("Credential must have exactly 5 slash-delimited elements, e.g. \
                    keyid/date/region/service/term."
            .to_owned());
    };
    let dated = |text: &str| {
        let shown: String = text.chars().take(64).collect();
        let wrong = || format!("Date must be in ISO-8601 'basic format'. Got '{shown}'.");
        instant(text).ok_or_else(wrong)
    };
    Ok(Presented {
        id: id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        term: term.to_owned(),
        time: time.map(dated).transpose()?,
        signed_headers: signed.split(';').map(str::to_ascii_lowercase).collect(),
        signature: signature.to_owned(),
        session_token,
    })
}

/// `20261125T093000Z`, or the form of `Date` headers.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let basic = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").map(|time| time.and_utc());
    basic.or_else(|_| DateTime::parse_from_rfc2822(text).map(|time| time.to_utc())).ok()
}

impl Presented {
    /// Whether each signed header is named once and in order, as the canonical form wants it. Otherwise
    /// a header that is named a thousand times would be written out as often.
    fn is_ordered(&self) -> bool {
        self.signed_headers.is_sorted_by(|name, next| name < next)
    }

    /// What has to be signed and is not: `host`, and every `x-amz-` header that is there. Who could
    /// swap `x-amz-target` would have another operation done.
    ///
    /// Source: IAM User Guide, "Create a signed AWS API request", "Canonical headers".
    pub(super) fn unsigned_headers(&self, headers: &HeaderMap) -> Vec<String> {
        let present = headers.keys().map(HeaderName::as_str);
        let wanted = present.filter(|name| name.starts_with("x-amz-"));
        let unsigned = |name: &&str| !self.signed_headers.iter().any(|signed| signed == name);
        std::iter::once("host").chain(wanted).filter(unsigned).map(str::to_owned).collect()
    }

    fn signed(self, parts: &Parts, body: &[u8], service: &'static str) -> Signed {
        let canonical = canonical_request(parts, &self.signed_headers, body);
        let time = self.time.unwrap_or_default().format("%Y%m%dT%H%M%SZ");
        let scope = format!("{}/{}/{}/{}", self.date, self.region, self.service, self.term);
        let hash = hex::encode(digest::sha256(&[canonical.as_bytes()]));
        Signed {
            string_to_sign: format!("{ALGORITHM}\n{time}\n{scope}\n{hash}"),
            wanted_service: service,
            unsigned_headers: self.unsigned_headers(&parts.headers),
            id: self.id,
            date: self.date,
            region: self.region,
            service: self.service,
            term: self.term,
            time: self.time,
            signature: self.signature,
            session_token: self.session_token,
        }
    }
}

/// Method, path, query, headers and the body's hash, in the one form that both sides hash. The path is
/// `/` at every door that reads signatures so far, and stands for itself.
fn canonical_request(parts: &Parts, signed_headers: &[String], body: &[u8]) -> String {
    let mut text = format!("{}\n{}\n", parts.method, parts.uri.path());
    text.push_str(&canonical_query(parts.uri.query().unwrap_or_default()));
    text.push('\n');
    for name in signed_headers {
        let mut values: Vec<String> = Vec::new();
        for value in parts.headers.get_all(name) {
            let value = String::from_utf8_lossy(value.as_bytes());
            values.push(value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        }
        if values.is_empty() && name == "host" {
            // HTTP/2 has the host in its pseudo-header.
            values.extend(parts.uri.authority().map(ToString::to_string));
        }
        let _ = writeln!(text, "{name}:{}", values.join(","));
    }
    let hash = hex::encode(digest::sha256(&[body]));
    let _ = write!(text, "\n{}\n{hash}", signed_headers.join(";"));
    text
}

/// Names and values, decoded and encoded anew, in order, without the signature itself.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// Decodes percent escapes and encodes all but RFC 3986's unreserved characters. `+` is itself.
fn recoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let escaped = (byte == b'%').then(|| {
            let digits = [ahead.next()?, ahead.next()?];
            u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()
        });
        let byte = match escaped.flatten() {
            Some(decoded) => {
                bytes = ahead;
                decoded
            }
            None => byte,
        };
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A header's first value, if it is text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    /// The worked example of "Create a signed AWS API request": each of its steps.
    #[test]
    fn the_string_to_sign_is_that_of_awss_example() {
        let parts = parts(
            "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
            &[
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
                ("host", "iam.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
                (
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
                     SignedHeaders=content-type;host;x-amz-date, Signature=5d67",
                ),
            ],
        );
        let found = presented(&parts).unwrap().unwrap();
        let canonical = canonical_request(&parts, &found.signed_headers, b"");
        let hash = hex::encode(digest::sha256(&[canonical.as_bytes()]));
        assert_eq!(hash, "f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59");
        let signed = found.signed(&parts, b"", "iam");
        assert_eq!(
            signed.string_to_sign,
            format!(
                "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n{hash}"
            )
        );
    }

    #[test]
    fn what_is_missing_is_said() {
        let signed = "SignedHeaders=host, Signature=0";
        for (header, part) in [
            ("Basic abc", "Unsupported AWS 'algorithm'; sign with 'AWS4-HMAC-SHA256'."),
            ("AWS4-ECDSA-P256-SHA256 x", "Unsupported"),
            ("AWS4-HMAC-SHA256 SignedHeaders=a, Signature=b", "requires 'Credential' parameter"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, Signature=b", "'SignedHeaders'"),
            ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=b", "'Signature'"),
            (&format!("AWS4-HMAC-SHA256 Credential=a/b, {signed}"), "exactly 5"),
            (&format!("AWS4-HMAC-SHA256 Credential=/b/c/d/e, {signed}"), "exactly 5"),
        ] {
            let dated = [("authorization", header), ("x-amz-date", "20261125T000000Z")];
            let refused = presented(&parts("/", &dated)).unwrap_err();
            assert!(refused.contains(part), "{header}: {refused}");
        }
        let whole = format!("AWS4-HMAC-SHA256 Credential=a/b/c/d/e, {signed}");
        let undated = presented(&parts("/", &[("authorization", &whole)])).unwrap().unwrap();
        assert_eq!(undated.time, None, "the service wants one where it checks");
        let dated = [("authorization", whole.as_str()), ("x-amz-date", "yesterday")];
        let refused = presented(&parts("/", &dated)).unwrap_err();
        assert!(refused.contains("ISO-8601"), "{refused}");
        assert_eq!(presented(&parts("/?Action=x", &[])), Ok(None));
        let refused = presented(&parts("/?X-Amz-Algorithm=AWS4-HMAC-SHA256", &[])).unwrap_err();
        assert!(refused.contains("'X-Amz-Credential'"), "{refused}");
    }

    #[test]
    fn id_and_region_come_from_the_scope_also_of_a_query() {
        let query = "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2F20261125%2F\
                     eu-west-1%2Fkms%2Faws4_request&X-Amz-Date=20261125T000000Z&\
                     X-Amz-SignedHeaders=host&X-Amz-Signature=00&X-Amz-Security-Token=t";
        let found = presented(&parts(query, &[])).unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.region.as_str()), ("a/b", "eu-west-1"));
        assert_eq!(found.session_token.as_deref(), Some("t"));
        let canonical = canonical_query(query.strip_prefix("/?").unwrap());
        assert!(canonical.ends_with("X-Amz-Security-Token=t&X-Amz-SignedHeaders=host"));
    }

    #[test]
    fn what_has_to_be_signed_is_host_and_amazons_headers() {
        let found = |signed: &str| {
            let text = format!(
                "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders={signed}, Signature=0"
            );
            let parts = parts(
                "/",
                &[
                    ("authorization", &text),
                    ("content-type", "application/x-amz-json-1.1"),
                    ("x-amz-date", "20261125T000000Z"),
                    ("x-amz-target", "TrentService.ListKeys"),
                    ("x-amzn-trace-id", "Root=1"),
                ],
            );
            let found = presented(&parts).unwrap().unwrap();
            (found.is_ordered(), found.unsigned_headers(&parts.headers).join(" "))
        };
        assert_eq!(found("Host;x-amz-date;x-amz-target"), (true, String::new()));
        assert_eq!(found("host;x-amz-date"), (true, "x-amz-target".to_owned()));
        assert_eq!(found("x-amz-date;x-amz-target"), (true, "host".to_owned()));
        for wrong in ["host;host;x-amz-date;x-amz-target", "x-amz-date;x-amz-target;host"] {
            assert_eq!(found(wrong), (false, String::new()), "{wrong}");
        }
    }

    #[test]
    fn queries_are_ordered_and_encoded_anew() {
        assert_eq!(canonical_query("b=2&a=%7e&a=+&c&%41=%2f"), "A=%2F&a=%2B&a=~&b=2&c=");
        assert_eq!(canonical_query("a=%zz&b=%"), "a=%25zz&b=%25");
        assert_eq!(canonical_query(""), "");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(header in "\\PC{0,120}", query in "[ -~]{0,120}") {
            let _ = from_header(&format!("AWS4-HMAC-SHA256 {header}"), &HeaderMap::new());
            let _ = from_query(&format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&{query}"));
            let once = canonical_query(&query);
            prop_assert_eq!(canonical_query(&once), once);
        }
    }
}
