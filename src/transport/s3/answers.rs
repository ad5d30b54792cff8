//! Answers as S3 gives them: what every one carries, and the error document.
//!
//! Source: Amazon S3 API Reference, "Common response headers" and "Error responses".

use std::fmt::Write;

use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use http::{HeaderMap, HeaderValue, StatusCode};
use s3s::Body;

use super::exchange::Answered;
use crate::service::S3Refusal;

/// Renders what became of a request. `success` is what `s3s` made of the operation's output.
pub(super) fn render(
    answered: Answered,
    success: Option<http::Response<Body>>,
    is_head: bool,
    resource: &str,
) -> Response {
    let id = &answered.request_id;
    let host_id = STANDARD.encode(id);
    let mut response = match (&answered.refusal, success) {
        (None, Some(success)) => {
            let mut response = success.map(axum::body::Body::new);
            if let Some(status) = answered.status {
                *response.status_mut() = status;
            }
            response
        }
        (Some(refusal), _) => refused(refusal, is_head, resource, id, &host_id),
        // A handler that gave an output and settled nothing, or the other way round: a bug.
        (None, None) => refused(&bug(), is_head, resource, id, &host_id),
    };
    let headers = response.headers_mut();
    headers.extend(answered.headers);
    label(headers, id, &host_id, answered.log_index);
    response
}

/// What is answered when nothing became of a request: a bug.
pub(super) fn unanswered() -> Response {
    refused(&bug(), false, "", "", "")
}

fn label(headers: &mut HeaderMap, request_id: &str, host_id: &str, log_index: Option<u64>) {
    for (name, value) in [("x-amz-request-id", request_id), ("x-amz-id-2", host_id)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    if let Some(index) = log_index {
        headers.insert("x-audit-log-index", HeaderValue::from(index));
    }
    headers.insert(SERVER, HeaderValue::from_static("AmazonS3"));
}

fn refused(
    refusal: &S3Refusal,
    is_head: bool,
    resource: &str,
    request_id: &str,
    host_id: &str,
) -> Response {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let bare = is_head || status == StatusCode::NOT_MODIFIED;
    let body = match bare {
        true => String::new(),
        false => document(refusal, resource, request_id, host_id),
    };
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    if !bare {
        headers.insert(CONTENT_LENGTH, length);
    }
    response
}

/// `<Error>`: code and message, what there is to say of this one, and which request it was.
fn document(refusal: &S3Refusal, resource: &str, request_id: &str, host_id: &str) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    let said = [("Code", refusal.code.as_str()), ("Message", refusal.message.as_str())];
    let details = refusal.details.iter().map(|(name, value)| (*name, value.as_str()));
    let place = [("Resource", resource), ("RequestId", request_id), ("HostId", host_id)];
    for (name, value) in said.into_iter().chain(details).chain(place) {
        let _ = write!(text, "<{name}>{}</{name}>", escaped(value));
    }
    text.push_str("</Error>");
    text
}

/// Text as XML 1.0 can hold it: what it cannot is shown as `U+FFFD`.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            letter => out.push(letter),
        }
    }
    out
}

/// A name with everything escaped but RFC 3986's unreserved characters and `/`.
pub(super) fn encoded(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            true => out.push(char::from(byte)),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// What `s3s` refuses by itself, in S3's words where it has none.
pub(super) fn refusal(status: StatusCode, document: &str) -> S3Refusal {
    let member = |name: &str| {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let (_, rest) = document.split_once(&open)?;
        let (text, _) = rest.split_once(&close)?;
        quick_xml::escape::unescape(text).ok().map(|text| text.into_owned())
    };
    let code = member("Code").unwrap_or_else(|| "InternalError".to_owned());
    let words = words(&code).map(str::to_owned).or_else(|| member("Message"));
    let message = words.unwrap_or_else(|| code.clone());
    S3Refusal { code, status: status.as_u16(), message, details: Vec::new() }
}

/// AWS's own words, where there is but one thing to say.
fn words(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedPOSTRequest" => {
            "The body of your POST request is not well-formed multipart/form-data."
        }
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the current time is too large."
        }
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header"
        }
        _ => return None,
    })
}

fn bug() -> S3Refusal {
    S3Refusal {
        code: "InternalError".to_owned(),
        status: 500,
        message: "We encountered an internal error. Please try again.".to_owned(),
        details: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(refusal: Option<S3Refusal>) -> Answered {
        Answered {
            request_id: "4442587fb7d0a2f9".to_owned(),
            log_index: Some(7),
            refusal,
            headers: HeaderMap::new(),
            status: None,
        }
    }

    fn no_such_key() -> S3Refusal {
        S3Refusal {
            code: "NoSuchKey".to_owned(),
            status: 404,
            message: "The specified key does not exist.".to_owned(),
            details: vec![("Key", "a<b>&\u{1}".to_owned())],
        }
    }

    #[tokio::test]
    async fn an_error_is_the_whole_document() {
        let response = render(answered(Some(no_such_key())), None, false, "/b/a<b>");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["x-amz-request-id"], "4442587fb7d0a2f9");
        assert_eq!(response.headers()["x-audit-log-index"], "7");
        let host_id = response.headers()["x-amz-id-2"].to_str().unwrap().to_owned();
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert_eq!(
            std::str::from_utf8(&body).unwrap(),
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
                 <Message>The specified key does not exist.</Message>\
                 <Key>a&lt;b&gt;&amp;\u{fffd}</Key><Resource>/b/a&lt;b&gt;</Resource>\
                 <RequestId>4442587fb7d0a2f9</RequestId><HostId>{host_id}</HostId></Error>"
            )
        );
    }

    #[tokio::test]
    async fn who_asks_for_no_body_gets_none() {
        let not_modified = S3Refusal { status: 304, ..no_such_key() };
        for (refusal, is_head) in [(no_such_key(), true), (not_modified, false)] {
            let response = render(answered(Some(refusal)), None, is_head, "/b/k");
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            assert!(body.is_empty());
        }
    }

    #[test]
    fn what_s3s_refuses_is_said_as_s3_says_it() {
        let found = refusal(
            StatusCode::BAD_REQUEST,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>InvalidRequest</Code>\
             <Message>missing &quot;boundary&quot; &amp; more</Message></Error>",
        );
        assert_eq!(found.code, "InvalidRequest");
        assert_eq!(found.message, "missing \"boundary\" & more");
        let bare = "<Error><Code>InvalidBucketName</Code></Error>";
        let found = refusal(StatusCode::BAD_REQUEST, bare);
        assert_eq!(found.message, "The specified bucket is not valid.");
        assert_eq!(refusal(StatusCode::INTERNAL_SERVER_ERROR, "").code, "InternalError");
    }
}
