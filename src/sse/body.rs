//! Bodies as streams of bytes, as HTTP libraries have them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::sync::oneshot;

use super::Error;
use super::digests::Digests;
use super::object_key::PartSealer;
use super::range::RangeOpener;
use super::stream::{Sealed, Sealing};

/// Seals a stream. What comes out is the body; when it has come to its end, the receiver that came with
/// it has the part and its digests. A stream that failed or was dropped has neither a last chunk nor a
/// part.
pub struct SealStream<S> {
    inner: S,
    sealing: Option<(Sealing, oneshot::Sender<Sealed>)>,
    held: Bytes,
    ended: bool,
}

impl<S> SealStream<S> {
    /// Begins a body; `digests` are computed of what goes in.
    pub fn new(
        inner: S,
        sealer: PartSealer,
        digests: Digests,
    ) -> (Self, oneshot::Receiver<Sealed>) {
        let (tell, told) = oneshot::channel();
        let sealing = Some((Sealing::new(sealer, digests), tell));
        (Self { inner, sealing, held: Bytes::new(), ended: false }, told)
    }
}

impl<S, E> Stream for SealStream<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<io::Error>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            // After a failure or the end there is nothing more.
            let Some((sealing, _)) = &mut this.sealing else { return Poll::Ready(None) };
            if this.held.is_empty() && !this.ended {
                match ready!(Pin::new(&mut this.inner).poll_next(context)) {
                    Some(Ok(bytes)) => this.held = bytes,
                    Some(Err(error)) => {
                        this.sealing = None;
                        return Poll::Ready(Some(Err(Error::Io(error.into()))));
                    }
                    None => this.ended = true,
                }
                continue;
            }
            let last = this.held.is_empty();
            if last || sealing.is_full() {
                let sealed = sealing.seal(last).map(Bytes::copy_from_slice);
                if (last || sealed.is_err())
                    && let Some((sealing, tell)) = this.sealing.take()
                    && sealed.is_ok()
                {
                    let _ = tell.send(sealing.finish()); // whoever does not listen does not care
                }
                return Poll::Ready(Some(sealed));
            }
            let taken = sealing.take(&this.held);
            this.held.advance(taken);
        }
    }
}

/// Without what is held, which is plaintext.
impl<S> fmt::Debug for SealStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealStream").field("ended", &self.ended).finish_non_exhaustive()
    }
}

/// Opens a range of an object. `inner` gives the stored bytes that the opener names. After a refusal, or
/// an error of `inner`, the stream is at its end; only a stream without one was whole.
pub struct OpenStream<S> {
    inner: S,
    opener: Option<RangeOpener>,
    held: Bytes,
    piece: Vec<u8>,
}

impl<S> OpenStream<S> {
    /// Begins to open.
    pub const fn new(inner: S, opener: RangeOpener) -> Self {
        Self { inner, opener: Some(opener), held: Bytes::new(), piece: Vec::new() }
    }
}

impl<S, E> Stream for OpenStream<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<io::Error>,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            let Some(opener) = &mut this.opener else { return Poll::Ready(None) };
            let Some(wanted) = opener.wants() else {
                this.opener = None;
                continue;
            };
            if this.piece.len() < wanted && this.held.is_empty() {
                match ready!(Pin::new(&mut this.inner).poll_next(context)) {
                    Some(Ok(bytes)) => {
                        this.held = bytes;
                        continue;
                    }
                    Some(Err(error)) => {
                        this.opener = None;
                        return Poll::Ready(Some(Err(Error::Io(error.into()))));
                    }
                    None => {} // it ends early, and is refused below
                }
            }
            let missing = wanted.saturating_sub(this.piece.len()).min(this.held.len());
            if missing > 0 {
                this.piece.extend_from_slice(&this.held.split_to(missing));
                if this.piece.len() < wanted {
                    continue;
                }
            }
            let mut piece = std::mem::take(&mut this.piece);
            match opener.open_within(&mut piece) {
                Ok(within) if within.is_empty() => {}
                Ok(within) => return Poll::Ready(Some(Ok(Bytes::from(piece).slice(within)))),
                Err(error) => {
                    this.opener = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }
}

/// Without what is held.
impl<S> fmt::Debug for OpenStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStream").field("opener", &self.opener).finish_non_exhaustive()
    }
}
