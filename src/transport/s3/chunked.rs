//! Bodies in chunks, as AWS's SDKs send what they have not hashed before: each chunk with its length in front,
//! trailers with the checksum behind.
//!
//! Signatures of chunks are read over: this is for who needs no proof. Nothing is kept but a line.
//!
//! Source: Amazon S3 API Reference, "Signature calculations: transferring payload in multiple chunks" and
//! "… with trailing headers".

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use parking_lot::Mutex;

use crate::objects::Error;
use crate::service::ByteStream;

/// What came after a body's end: header name in lower case, and value. Empty until the body has ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Trailers(Arc<Mutex<BTreeMap<String, String>>>);

impl Trailers {
    /// The value of one.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.0.lock().get(name).cloned()
    }

    /// Puts down what came.
    pub(super) fn put(&self, name: &str, value: &str) {
        self.0.lock().insert(name.to_ascii_lowercase(), value.to_owned());
    }
}

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a chunk's line: its length, perhaps its signature.
    Line,
    /// So many bytes of the chunk are to come.
    Data(u64),
    /// After a chunk's bytes: so many of its two line-ending bytes have come.
    Ending(u8),
    /// After the last chunk.
    Trailers,
}

/// Reads chunks.
#[derive(Debug)]
struct Decoder {
    state: State,
    /// The line, or the trailers, so far.
    text: Vec<u8>,
    /// Bytes of the content that are still to come.
    missing: u64,
    /// Bytes of one chunk at the most.
    longest: u64,
    trailers: Trailers,
}

impl Decoder {
    fn new(length: u64, trailers: Trailers) -> Self {
        Self { state: State::Line, text: Vec::new(), missing: length, longest: u64::MAX, trailers }
    }

    /// Takes bytes as they come; what of them is content goes to `out`.
    fn take(&mut self, mut input: Bytes, out: &mut VecDeque<Bytes>) -> Result<(), Error> {
        while !input.is_empty() {
            match self.state {
                State::Line => self.line(&mut input)?,
                State::Data(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    out.push_back(input.split_to(here));
                    let left = left.saturating_sub(here.try_into().unwrap_or(u64::MAX));
                    self.state = if left == 0 { State::Ending(0) } else { State::Data(left) };
                }
                State::Ending(seen) => {
                    let wanted = if seen == 0 { b'\r' } else { b'\n' };
                    if input.get_u8() != wanted {
                        return Err(malformed("a chunk is longer than it says"));
                    }
                    self.state = if seen == 0 { State::Ending(1) } else { State::Line };
                }
                State::Trailers => {
                    if self.text.len() + input.len() > TRAILER_BYTES {
                        return Err(malformed("its trailers are too long"));
                    }
                    self.text.extend_from_slice(&input);
                    input.clear();
                }
            }
        }
        Ok(())
    }

    /// A chunk's line, as much of it as is there.
    fn line(&mut self, input: &mut Bytes) -> Result<(), Error> {
        let end = memchr::memchr(b'\n', input).map_or(input.len(), |end| end + 1);
        if self.text.len() + end > LINE_BYTES {
            return Err(malformed("a chunk's line is too long"));
        }
        self.text.extend_from_slice(&input.split_to(end));
        if !self.text.ends_with(b"\n") {
            return Ok(());
        }
        let length = chunk_length(&self.text).ok_or_else(|| malformed("a chunk has no length"))?;
        self.text.clear();
        if length > self.longest {
            return Err(malformed("a chunk has more than 16 MiB"));
        }
        let longer = || malformed("it is longer than x-amz-decoded-content-length");
        self.missing = self.missing.checked_sub(length).ok_or_else(longer)?;
        self.state = if length == 0 { State::Trailers } else { State::Data(length) };
        Ok(())
    }

    /// After the last byte.
    fn end(&mut self) -> Result<(), Error> {
        let ended = self.text == b"\r\n" || self.text.ends_with(b"\r\n\r\n");
        if self.state != State::Trailers || self.missing > 0 || !ended {
            return Err(Error::IncompleteBody);
        }
        let text =
            std::str::from_utf8(&self.text).map_err(|_| malformed("a trailer is no text"))?;
        let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
        for (count, line) in lines.enumerate() {
            let pair = line.split_once(':').filter(|_| count < TRAILERS);
            let (name, value) = pair.ok_or_else(|| malformed("a trailer is none"))?;
            self.trailers.put(name, value.trim());
        }
        Ok(())
    }
}

/// `1f4` or `1f4;chunk-signature=…`, with its line ending.
fn chunk_length(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let (length, extension) = line.split_once(';').unwrap_or((line, ""));
    let known = extension.is_empty() || extension.starts_with("chunk-signature=");
    let digits = (1..=16).contains(&length.len());
    let digits = digits && length.bytes().all(|byte| byte.is_ascii_hexdigit());
    if known && digits { u64::from_str_radix(length, 16).ok() } else { None }
}

fn malformed(what: &str) -> Error {
    Error::InvalidRequest(format!("The aws-chunked body cannot be read: {what}."))
}

/// Bytes of a chunk's line at the most; the longest that SDKs send has 85 and the length.
const LINE_BYTES: usize = 256;
/// Bytes of all trailers at the most, and how many there may be.
const TRAILER_BYTES: usize = 16 * 1024;
const TRAILERS: usize = 32;

/// A body in chunks as its content, of `length` bytes. Errors are this crate's
/// [`objects::Error`](crate::objects::Error) within the error of the stream.
pub(super) fn decode(body: ByteStream, length: u64, trailers: Trailers) -> ByteStream {
    let decoder = Decoder::new(length, trailers);
    Box::pin(Decoded { body, decoder, ready: VecDeque::new(), ended: false })
}

/// The same body, whose chunks are no longer than one that is held in memory whole: `s3s` compares the signature of a
/// chunk before it gives it out.
pub(super) fn bounded(body: ByteStream) -> ByteStream {
    let longest = CHUNK_BYTES;
    let mut decoder = Decoder { longest, ..Decoder::new(u64::MAX, Trailers::default()) };
    let mut content = VecDeque::new();
    Box::pin(body.map(move |bytes| {
        let bytes = bytes?;
        decoder.take(bytes.clone(), &mut content).map_err(std::io::Error::other)?;
        content.clear();
        Ok(bytes)
    }))
}

/// Bytes of a chunk at the most, where it is held in memory; SDKs send up to one MiB.
const CHUNK_BYTES: u64 = 16 * 1024 * 1024;

struct Decoded {
    body: ByteStream,
    decoder: Decoder,
    ready: VecDeque<Bytes>,
    ended: bool,
}

impl Stream for Decoded {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let read = match ready!(this.body.as_mut().poll_next(context)) {
                Some(Ok(bytes)) => this.decoder.take(bytes, &mut this.ready),
                Some(Err(error)) => {
                    this.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.ended = true;
                    this.decoder.end()
                }
            };
            if let Err(error) = read {
                this.ended = true;
                return Poll::Ready(Some(Err(std::io::Error::other(error))));
            }
        }
    }
}

/// The content and the trailers of a whole body in chunks that comes in pieces of `piece` bytes: what is read
/// of foreign bytes, for fuzzers. None when it is none.
#[must_use]
pub fn decoded(
    body: &[u8],
    length: u64,
    piece: usize,
) -> Option<(Vec<u8>, BTreeMap<String, String>)> {
    let trailers = Trailers::default();
    let mut decoder = Decoder::new(length, trailers.clone());
    let mut out = VecDeque::new();
    for bytes in body.chunks(piece.max(1)) {
        decoder.take(Bytes::copy_from_slice(bytes), &mut out).ok()?;
    }
    decoder.end().ok()?;
    let found = trailers.0.lock().clone();
    Some((out.iter().flatten().copied().collect(), found))
}

#[cfg(test)]
mod tests {
    use futures_util::{TryStreamExt, stream};
    use proptest::prelude::*;

    use super::*;

    const SIGNED: &str =
        ";chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497";

    fn encoded(chunks: &[Vec<u8>], extension: &str, trailers: &str) -> Vec<u8> {
        let mut body = Vec::new();
        for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()) {
            body.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(format!("0{extension}\r\n{trailers}\r\n").bytes());
        body
    }

    fn content(body: &str, length: u64) -> Option<String> {
        let found = decoded(body.as_bytes(), length, 3)?;
        Some(String::from_utf8(found.0).unwrap())
    }

    #[test]
    fn what_sdks_send_is_read() {
        for (body, wanted) in [
            ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "hello"),
            ("5\r\nhello\r\n2\r\n, \r\n0\r\n\r\n", "hello, "),
            ("0\r\n\r\n", ""),
            // As the API reference prints trailers, with a bare line feed in between.
            ("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", "hello"),
        ] {
            let length = wanted.len().try_into().unwrap();
            assert_eq!(content(body, length).as_deref(), Some(wanted), "{body}");
        }
        let body = encoded(&[b"hello".to_vec()], SIGNED, "x-amz-Checksum-crc32: NhCmhg==\r\n");
        let (content, trailers) = decoded(&body, 5, 1).unwrap();
        assert_eq!(content, b"hello");
        assert_eq!(trailers["x-amz-checksum-crc32"], "NhCmhg==");
    }

    #[test]
    fn what_is_not_as_it_says_is_refused() {
        for (body, length) in [
            ("5\r\nhello\r\n0\r\n\r\n", 4),
            ("5\r\nhello\r\n0\r\n\r\n", 6),
            ("5\r\nhello\r\n", 5),
            ("5\r\nhello\r\n0\r\n", 5),
            ("5\r\nhello!\r\n0\r\n\r\n", 5),
            ("5\r\nhell\r\n0\r\n\r\n", 4),
            ("5\nhello\r\n0\r\n\r\n", 5),
            ("+5\r\nhello\r\n0\r\n\r\n", 5),
            ("\r\nhello\r\n0\r\n\r\n", 5),
            ("5;ext=1\r\nhello\r\n0\r\n\r\n", 5),
            ("ffffffffffffffff\r\nhello", 5),
            ("11111111111111111\r\nhello", 5),
            ("0\r\nno trailer\r\n\r\n", 0),
            ("", 0),
        ] {
            assert_eq!(content(body, length), None, "{body:?} {length}");
        }
        let long = format!("5;chunk-signature={}\r\n", "a".repeat(LINE_BYTES));
        assert_eq!(content(&long, 5), None);
        let long = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILER_BYTES / 6 + 1));
        assert_eq!(content(&long, 0), None);
    }

    #[tokio::test]
    async fn a_stream_ends_with_what_was_wrong() {
        let pieces = |body: &'static [u8]| -> ByteStream {
            Box::pin(stream::iter(body.chunks(2).map(|piece| Ok(Bytes::from_static(piece)))))
        };
        let whole = decode(pieces(b"5\r\nhello\r\n0\r\na:b\r\n\r\n"), 5, Trailers::default());
        let whole: Vec<Bytes> = whole.try_collect().await.unwrap();
        assert_eq!(whole.concat(), b"hello");
        let cut = decode(pieces(b"5\r\nhello\r\n"), 5, Trailers::default());
        let last = cut.collect::<Vec<_>>().await.pop().unwrap().unwrap_err();
        let why = last.downcast::<Error>().unwrap();
        assert!(matches!(why, Error::IncompleteBody), "{why}");
    }

    proptest! {
        #[test]
        fn content_is_what_was_cut_into_chunks(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..70), 0..6),
            piece in 1..40_usize,
            signed in any::<bool>(),
        ) {
            let whole = chunks.concat();
            let body = encoded(&chunks, if signed { SIGNED } else { "" }, "a: b\r\n");
            let length = whole.len().try_into().unwrap();
            let (content, trailers) = decoded(&body, length, piece).unwrap();
            prop_assert_eq!(content, whole);
            prop_assert_eq!(trailers["a"].as_str(), "b");
            prop_assert_eq!(decoded(&body, length + 1, piece), None);
            for cut in 0..body.len() {
                prop_assert_eq!(decoded(&body[..cut], length, piece), None);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(
            body in prop::collection::vec(any::<u8>(), 0..200), piece in 1..20_usize,
        ) {
            prop_assert_eq!(decoded(&body, 10, piece), decoded(&body, 10, 1000));
        }
    }
}
