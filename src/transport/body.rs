//! Bodies, bounded in time; those of AWS's protocols whole, and bounded in length. gRPC bounds the length
//! of its messages itself.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep};
use tonic::Status;

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

/// The same body, which has to end within half a minute; who reads it later is given a status that says so.
pub(super) fn timed(body: Body) -> Body {
    timed_to(Instant::now() + BODY_TIMEOUT, body)
}

fn timed_to(deadline: Instant, body: Body) -> Body {
    Body::new(Timed { body, deadline, timer: None })
}

struct Timed {
    body: Body,
    deadline: Instant,
    /// Made when a frame is waited for; most bodies are there whole.
    timer: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(context).map(|()| Some(Err(Status::invalid_argument(LATE).into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const LATE: &str = "the body did not end in time";

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};
    use tonic::Code;

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
    async fn a_timed_body_is_the_same_or_late() {
        let far = Instant::now() + BODY_TIMEOUT;
        let whole = timed_to(far, Body::from("whole")).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "whole");
        let endless = stream::iter([Ok(Bytes::from_static(b"{"))])
            .chain(stream::pending::<Result<_, std::io::Error>>());
        let late = timed_to(Instant::now(), Body::from_stream(endless)).collect().await;
        let status = Status::from_error(Box::new(late.unwrap_err()));
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, LATE));
    }
}
