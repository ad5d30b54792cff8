//! The bodies of AWS's protocols, whole, bounded in length and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http_body_util::BodyExt;

use crate::service::Unread;

/// How much of a body that is too long is read and dropped. Without it the connection would end while
/// the client still writes, and most clients would not come to read why.
const DROPPED_BYTES: usize = 16 * 1024 * 1024;
/// How long a whole body may take. Without it, whoever sends all but the last byte holds its memory.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// A body of at most `limit` bytes.
///
/// # Errors
/// [`Unread::TooLarge`] for a longer one, [`Unread::Broken`] for one that ends before its end,
/// [`Unread::Late`] for one that takes longer than half a minute.
pub(super) async fn whole(body: Body, limit: usize) -> Result<Bytes, Unread> {
    within(BODY_TIMEOUT, body, limit).await
}

/// A body that ends after half a minute, whole or not: a message that is broken off cannot be decoded.
pub(super) fn in_time(body: Body) -> Body {
    ending(BODY_TIMEOUT, body)
}

fn ending(time: Duration, body: Body) -> Body {
    Body::from_stream(body.into_data_stream().take_until(tokio::time::sleep(time)))
}

async fn within(time: Duration, body: Body, limit: usize) -> Result<Bytes, Unread> {
    tokio::time::timeout(time, read(body, limit)).await.unwrap_or(Err(Unread::Late))
}

async fn read(mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    let mut kept = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let data = frame.map_err(|_| Unread::Broken)?.into_data().unwrap_or_default();
        length += data.len();
        if length <= limit {
            kept.extend_from_slice(&data);
        } else if length > DROPPED_BYTES {
            break;
        } else {
            kept = BytesMut::new();
        }
    }
    if length <= limit { Ok(kept.freeze()) } else { Err(Unread::TooLarge) }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn the_limit_is_the_last_length_that_is_taken() {
        for (length, taken) in [(0, true), (10, true), (11, false), (DROPPED_BYTES + 1, false)] {
            let body = whole(Body::from(vec![7; length]), 10).await;
            let wanted = if taken { Ok(length) } else { Err(Unread::TooLarge) };
            assert_eq!(body.map(|body| body.len()), wanted, "{length}");
        }
    }

    #[tokio::test]
    async fn what_ends_before_its_end_or_never_is_not_called_too_large() {
        let begun = || stream::iter([Ok(Bytes::from_static(b"{"))]);
        let broken = begun().chain(stream::iter([Err(std::io::Error::other("cut off"))]));
        assert_eq!(whole(Body::from_stream(broken), 10).await, Err(Unread::Broken));
        let endless = begun().chain(stream::pending::<Result<_, std::io::Error>>());
        let read = within(Duration::from_millis(1), Body::from_stream(endless), 10);
        assert_eq!(read.await, Err(Unread::Late));
    }

    #[tokio::test]
    async fn what_never_ends_is_ended() {
        let begun = || stream::iter([Ok(Bytes::from_static(b"begun"))]);
        let endless = begun().chain(stream::pending::<Result<_, std::io::Error>>());
        let ended = ending(Duration::from_millis(1), Body::from_stream(endless));
        assert_eq!(whole(ended, 10).await.unwrap(), "begun");
        let in_time = ending(BODY_TIMEOUT, Body::from_stream(begun()));
        assert_eq!(whole(in_time, 10).await.unwrap(), "begun");
    }
}
