//! The bodies of AWS's protocols, whole and bounded.

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::service::Error;

/// How much of a body that is too long is read and dropped. Without it the connection would end while
/// the client still writes, and most clients would not come to read why.
const DROPPED_BYTES: usize = 16 * 1024 * 1024;

/// A body of at most `limit` bytes.
///
/// # Errors
/// [`Error::RequestTooLarge`] for a longer one. What else can fail is a connection that ended: its answer
/// reaches nobody.
pub(super) async fn whole(mut body: Body, limit: usize) -> Result<Bytes, Error> {
    let mut kept = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Error::RequestTooLarge)?.into_data().unwrap_or_default();
        length += data.len();
        if length <= limit {
            kept.extend_from_slice(&data);
        } else if length > DROPPED_BYTES {
            break;
        } else {
            kept = BytesMut::new();
        }
    }
    if length <= limit { Ok(kept.freeze()) } else { Err(Error::RequestTooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_limit_is_the_last_length_that_is_taken() {
        for (length, taken) in [(0, true), (10, true), (11, false), (DROPPED_BYTES + 1, false)] {
            let body = whole(Body::from(vec![7; length]), 10).await;
            assert_eq!(body.ok().map(|body| body.len()), taken.then_some(length), "{length}");
        }
    }
}
