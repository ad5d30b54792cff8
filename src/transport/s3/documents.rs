//! Bodies that are documents (XML, a policy), held against what the request says of them: `Content-MD5`, a checksum in
//! a header or trailer, the payload's hash.
//!
//! An object's bytes are compared where they are stored; what else comes in a body is compared here, on its way to
//! `s3s`, once that knows the operation.
//!
//! Source: Amazon S3 User Guide, "Checking object integrity".

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use hyper::body::Body as _;
use s3s::Body;

use super::asked::{self, of_body};
use super::exchange::{Exchange, Stop};
use super::of_stream;
use crate::objects;
use crate::service::{ByteStream, Error, Expected};
use crate::sse::{Checksum, Digests};

/// Operations whose bodies are bytes of objects.
const BYTES: [&str; 3] = ["PostObject", "PutObject", "UploadPart"];

/// A body that ends with an error when it is not what was said; what is then answered lies in the exchange.
pub(super) fn held(body: Body, exchange: &Arc<Exchange>) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let exchange = Arc::clone(exchange);
    let held = async move {
        let body = body.map_err(of_body);
        if exchange.operation().is_some_and(|name| BYTES.contains(&name.as_str())) {
            return Ok::<ByteStream, std::io::Error>(Box::pin(body));
        }
        let mut headers = exchange.headers.clone();
        if exchange.operation().as_deref() == Some("CompleteMultipartUpload") {
            Checksum::ALL.iter().for_each(|it| drop(headers.remove(it.header()))); // the object's
        }
        match asked::expected(&exchange, &headers) {
            Ok(expected) => Ok(Box::pin(checked(Box::pin(body), expected, exchange))),
            Err(Stop::Refused(error)) => Err(broken(&exchange, error)),
            Err(Stop::Answered) => Err(std::io::Error::other("answered")),
        }
    };
    of_stream(Box::pin(stream::once(held).try_flatten()))
}

/// Says what is answered, and gives `s3s` something to stop at.
fn broken(exchange: &Exchange, error: Error) -> std::io::Error {
    exchange.break_off(error);
    std::io::Error::other("the body is not what was said of it")
}

/// A body on its way, and what was seen of it.
struct Held {
    body: ByteStream,
    seen: Option<(Digests, Expected)>,
    exchange: Arc<Exchange>,
}

fn checked(
    body: ByteStream,
    expected: Expected,
    exchange: Arc<Exchange>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let seen = Some((expected.digests(false), expected));
    stream::try_unfold(Held { body, seen, exchange }, |mut held| async move {
        match held.body.next().await {
            Some(Ok(bytes)) => {
                if let Some((digests, _)) = &mut held.seen {
                    digests.update(&bytes);
                }
                Ok(Some((bytes, held)))
            }
            Some(Err(error)) => match error.downcast::<objects::Error>() {
                Ok(error) => Err(broken(&held.exchange, error.into())),
                Err(error) => Err(error),
            },
            None => {
                if let Some((digests, expected)) = held.seen.take() {
                    let checked = expected.check(&mut digests.finish());
                    checked.map_err(|error| broken(&held.exchange, error.into()))?;
                }
                Ok(None)
            }
        }
    })
}

/// Whether a request says what its body is.
pub(super) fn is_said(exchange: &Exchange) -> bool {
    let named = |name: &str| name == "content-md5" || asked::is_value(name);
    exchange.headers.keys().any(|name| named(name.as_str()))
        || exchange
            .headers
            .get_all("x-amz-trailer")
            .iter()
            .any(|named| named.as_bytes().to_ascii_lowercase().starts_with(b"x-amz-checksum-"))
}
