//! Bodies as streams of bytes, as HTTP libraries have them.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
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

/// Opens a range of an object out of stored bytes as they were read: no I/O, in place but for chunks that two
/// pieces share.
pub struct PieceOpener {
    opener: RangeOpener,
    /// What came of a chunk whose end did not.
    held: BytesMut,
}

impl PieceOpener {
    /// Begins to open.
    pub fn new(opener: RangeOpener) -> Self {
        Self { opener, held: BytesMut::new() }
    }

    /// Which bytes of the stored object are to be given.
    #[must_use]
    pub const fn stored(&self) -> &Range<u64> {
        self.opener.stored()
    }

    /// Opens the next piece, of any length; adds to `opened` what of it was asked for.
    ///
    /// # Errors
    /// [`Error::Open`], whatever the reason, and from then on always.
    pub fn open(&mut self, mut piece: BytesMut, opened: &mut Vec<Bytes>) -> Result<(), Error> {
        while let Some(wanted) = self.opener.wants() {
            let mut chunk = if self.held.is_empty() && piece.len() >= wanted {
                piece.split_to(wanted)
            } else {
                let missing = wanted.saturating_sub(self.held.len());
                self.held.reserve(missing);
                self.held.extend_from_slice(&piece.split_to(missing.min(piece.len())));
                if self.held.len() < wanted {
                    return Ok(());
                }
                std::mem::take(&mut self.held)
            };
            let within = self.opener.open_within(&mut chunk)?;
            if !within.is_empty() {
                opened.push(chunk.freeze().slice(within));
            }
        }
        Ok(())
    }

    /// Reads and opens what comes next, instead of a piece: about `most` bytes at once, of the `left` ones that
    /// `from` still gives, which have to end where a chunk does. Each chunk is read to where the one before it
    /// ends when opened, and so all of them are one buffer.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Open`], and from then on always.
    pub fn read<R: Read>(
        &mut self,
        from: &mut R,
        left: &mut u64,
        most: usize,
    ) -> Result<Bytes, Error> {
        let mut opened = Vec::with_capacity(most);
        while let Some(wanted) = self.opener.wants().filter(|_| *left > 0) {
            let start = opened.len();
            if start > 0 && start + wanted > most {
                break;
            }
            let asked = u64::try_from(wanted).map_err(|_| Error::Open)?;
            from.take(asked.min(*left)).read_to_end(&mut opened)?;
            *left = left.saturating_sub(asked);
            let chunk = opened.get_mut(start..).unwrap_or_default();
            let within = self.opener.open_within(chunk)?;
            opened.truncate(start + within.end);
            opened.drain(start..start + within.start);
        }
        Ok(opened.into())
    }

    /// After the last piece.
    ///
    /// # Errors
    /// [`Error::Open`] when more should have come.
    pub fn finish(&self) -> Result<(), Error> {
        if self.opener.wants().is_none() { Ok(()) } else { Err(Error::Open) }
    }
}

/// Without what is held.
impl fmt::Debug for PieceOpener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceOpener").field("opener", &self.opener).finish_non_exhaustive()
    }
}

/// Opens a range of an object. `inner` gives the stored bytes that the opener names. After a refusal, or
/// an error of `inner`, the stream is at its end; only a stream without one was whole.
pub struct OpenStream<S> {
    inner: S,
    opener: PieceOpener,
    opened: std::vec::IntoIter<Bytes>,
    /// What comes after what is opened: more, nothing, or why there is no more.
    then: Then,
}

enum Then {
    More,
    End,
    Error(Error),
}

impl<S> OpenStream<S> {
    /// Begins to open.
    pub fn new(inner: S, opener: RangeOpener) -> Self {
        let opened = Vec::new().into_iter();
        Self { inner, opener: PieceOpener::new(opener), opened, then: Then::More }
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
            if let Some(bytes) = this.opened.next() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            match std::mem::replace(&mut this.then, Then::End) {
                Then::More if this.opener.finish().is_ok() => {}
                Then::More => {
                    this.then = Then::More;
                    let piece = ready!(Pin::new(&mut this.inner).poll_next(context));
                    let mut opened = Vec::new();
                    let result = match piece {
                        Some(Ok(bytes)) => {
                            let bytes = bytes
                                .try_into_mut()
                                .unwrap_or_else(|bytes| BytesMut::from(&*bytes));
                            this.opener.open(bytes, &mut opened)
                        }
                        Some(Err(error)) => Err(Error::Io(error.into())),
                        None => this.opener.finish(),
                    };
                    this.opened = opened.into_iter();
                    if let Err(error) = result {
                        this.then = Then::Error(error);
                    }
                }
                Then::End => return Poll::Ready(None),
                Then::Error(error) => return Poll::Ready(Some(Err(error))),
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
