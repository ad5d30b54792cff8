//! Bodies, bounded in time; those of AWS's protocols whole, and bounded in length. gRPC bounds the length
//! of its messages itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tokio::time::{Instant, Sleep};
use tonic::Status;

use crate::service::Unread;

/// How much of a body that is too long is read and dropped. Without it the connection would end while
/// the client still writes, and most clients would not come to read why.
const DROPPED_BYTES: usize = 16 * 1024 * 1024;
/// How long that may take.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);
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

/// The same body, of which something has to come every half minute: for objects, which may be large. Who
/// reads it later is given a status that says so.
pub(super) fn paced(body: Body) -> Body {
    let deadline = Instant::now() + BODY_TIMEOUT;
    Body::new(Timed { body, deadline, pace: Some(BODY_TIMEOUT), timer: None })
}

/// A body that is kept while somebody reads it, so that what that one leaves can be dropped.
pub(super) struct Kept(Arc<Mutex<Body>>);

impl Kept {
    /// Keeps a body; the other one reads it.
    pub(super) fn new(body: Body) -> (Self, Body) {
        let shared = Arc::new(Mutex::new(body));
        (Self(Arc::clone(&shared)), Body::new(Shared(shared)))
    }

    /// Reads and drops what was left: a client that still writes does not come to read why it need not. Whether
    /// that was all, so that the connection can carry another request.
    pub(super) async fn drop_rest(self) -> bool {
        tokio::time::timeout(DROP_TIMEOUT, self.drop_all()).await.unwrap_or(false)
    }

    async fn drop_all(self) -> bool {
        let mut body = Shared(self.0);
        let mut left = DROPPED_BYTES;
        loop {
            if body.is_end_stream() {
                return true;
            }
            match body.frame().await {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => {
                    let len = frame.data_ref().map_or(0, Bytes::len);
                    let Some(less) = left.checked_sub(len) else { return false };
                    left = less;
                }
            }
        }
    }
}

struct Shared(Arc<Mutex<Body>>);

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut *self.0.lock()).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().size_hint()
    }
}

fn timed_to(deadline: Instant, body: Body) -> Body {
    Body::new(Timed { body, deadline, pace: None, timer: None })
}

struct Timed {
    body: Body,
    deadline: Instant,
    /// How long each frame may take; none where the whole body has its time.
    pace: Option<Duration>,
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
            if let Some(pace) = self.pace {
                self.deadline = Instant::now() + pace;
                self.timer = None;
            }
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
    async fn each_frame_of_a_paced_body_has_its_time() {
        let pace = Some(Duration::from_millis(40));
        let body = |frames| {
            let deadline = Instant::now() + Duration::from_millis(40);
            Body::new(Timed { body: frames, deadline, pace, timer: None })
        };
        let slow = stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(25)).await;
            (count < 4).then(|| (Ok::<_, std::io::Error>(Bytes::from_static(b"x")), count + 1))
        });
        let whole = body(Body::from_stream(slow)).collect().await.unwrap();
        assert_eq!(whole.to_bytes(), "xxxx", "longer in all than one frame may take");
        let stuck = stream::iter([Ok(Bytes::from_static(b"x"))])
            .chain(stream::pending::<Result<_, std::io::Error>>());
        assert!(body(Body::from_stream(stuck)).collect().await.is_err());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_dropped_up_to_a_limit() {
        let pieces = |count: usize| {
            let piece = Bytes::from(vec![0; 1 << 20]);
            Body::from_stream(stream::iter(
                (0..count).map(move |_| Ok::<_, std::io::Error>(piece.clone())),
            ))
        };
        for (count, whole) in [(0, true), (3, true), (17, true), (18, false)] {
            let (kept, mut reading) = Kept::new(pieces(count));
            if count > 2 {
                reading.frame().await.unwrap().unwrap();
            }
            drop(reading);
            assert_eq!(kept.drop_rest().await, whole, "{count}");
        }
        let (kept, _) = Kept::new(pieces(18));
        assert!(!kept.drop_rest().await);
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
