//! Bodies through readers, writers, streams and on several cores.

use std::io::{Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use bytes::Bytes;
use futures_util::Stream;
use proptest::prelude::*;

use super::tests::{begin, body, rising, two_layers};
use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_opens_whatever_the_pieces(
        len in prop::sample::select(vec![0, 1, 15, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1,
                                         2 * CHUNK_LEN - 1, 2 * CHUNK_LEN, 2 * CHUNK_LEN + 1]),
        piece in prop::sample::select(vec![1000, 4096, CHUNK_LEN - 1, CHUNK_LEN, 3 * CHUNK_LEN]),
        two in any::<bool>(),
    ) {
        let plaintext: Vec<u8> = (0..=250).cycle().take(len).collect();
        let object_key = if two { two_layers().1 } else { begin().1 };
        let salt = rising(1);
        let digests = || Digests::new(true, &Checksum::ALL);
        let sealer = || object_key.seal_part_with(1, salt).unwrap();
        let mut writer = SealWriter::new(Vec::new(), sealer(), digests());
        for piece in plaintext.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        let (body, sealed) = writer.finish().unwrap();
        let expected = object_key.sealed_len(len.try_into().unwrap()).unwrap();
        prop_assert_eq!(u64::try_from(body.len()).unwrap(), expected);
        let mut reader = OpenReader::new(body.as_slice(), Arc::clone(&object_key), 1);
        let (mut opened, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            let read = reader.read(&mut buffer).unwrap();
            if read == 0 { break; }
            opened.extend_from_slice(&buffer[..read]);
        }
        prop_assert_eq!(&opened, &plaintext);

        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut out = Vec::new();
        let done = seal_stream(plaintext.as_slice(), &mut out, sealer(), digests(), |_| ());
        prop_assert_eq!(&runtime.block_on(done).unwrap(), &sealed);
        prop_assert_eq!(&out, &body, "both ways give the same bytes");
        let mut opened = Vec::new();
        let key = Arc::clone(&object_key);
        let length =
            runtime.block_on(open_stream(out.as_slice(), &mut opened, key, 1, |_| ())).unwrap();
        prop_assert_eq!((length, opened), (u64::try_from(len).unwrap(), plaintext.clone()));

        let pieces = Pieces::of(&plaintext, piece);
        let (stream, told) = SealStream::new(pieces, sealer(), digests());
        let (out, error) = runtime.block_on(gathered(stream));
        prop_assert!(error.is_none());
        prop_assert_eq!(&out, &body, "and so does a stream");
        prop_assert_eq!(&runtime.block_on(told).unwrap(), &sealed);

        let info = ObjectInfo::new(vec![sealed.part], sealed.digested).unwrap();
        let opener = RangeOpener::whole(Arc::clone(&object_key), &info).unwrap();
        let (out, error) = runtime.block_on(gathered(OpenStream::new(Pieces::of(&body, piece), opener)));
        prop_assert!(error.is_none());
        prop_assert_eq!(&out, &plaintext);
    }

    #[test]
    fn a_range_is_what_it_is_of_the_whole_and_touches_its_chunks_alone(
        lens in prop::collection::vec(
            prop::sample::select(vec![0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 2 * CHUNK_LEN]), 1..4),
        (from, to) in (0.0..1.0_f64, 0.0..1.0_f64),
        two in any::<bool>(),
    ) {
        let object_key = if two { two_layers().1 } else { begin().1 };
        let (mut plaintext, mut stored, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for (index, len) in lens.iter().enumerate() {
            let part: Vec<u8> = (0..=250).cycle().skip(index).take(*len).collect();
            let (body, sealed) = body(&object_key, u16::try_from(2 * index + 1).unwrap(), &part);
            plaintext.extend(part);
            stored.extend(body);
            parts.push(sealed.part);
        }
        let info = ObjectInfo::new(parts, Digested::default()).unwrap();
        let info = ObjectInfo::open(&info.seal(&object_key).unwrap(), &object_key).unwrap();
        #[expect(clippy::as_conversions, clippy::cast_precision_loss, clippy::cast_possible_truncation,
                 clippy::cast_sign_loss, reason = "a position, any one")]
        let at = |share: f64| (share * plaintext.len() as f64) as u64;
        let (first, last) = (at(from.min(to)), at(from.max(to)));
        let Some(range) = info.positions(first, Some(last)) else {
            prop_assert!(plaintext.is_empty());
            let opener = RangeOpener::whole(object_key, &info).unwrap();
            let mut opened = Vec::new();
            RangeReader::new(stored.as_slice(), opener).read_to_end(&mut opened).unwrap();
            prop_assert!(opened.is_empty());
            return Ok(());
        };
        let opener = RangeOpener::new(Arc::clone(&object_key), &info, range.clone()).unwrap();
        let place = |range: &std::ops::Range<u64>| {
            usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
        };
        let touched = stored[place(opener.stored())].to_vec();
        let wanted = range.end - range.start;
        let most = wanted + 2 * 65_536 + (wanted / 65_536 + 5) * 48;
        prop_assert!(u64::try_from(touched.len()).unwrap() <= most);
        let expected = &plaintext[place(&range)];
        let mut opened = Vec::new();
        RangeReader::new(touched.as_slice(), opener).read_to_end(&mut opened).unwrap();
        prop_assert_eq!(opened.as_slice(), expected);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let opener = RangeOpener::new(Arc::clone(&object_key), &info, range.clone()).unwrap();
        let mut opened = Vec::new();
        runtime.block_on(open_range(touched.as_slice(), &mut opened, opener)).unwrap();
        prop_assert_eq!(opened.as_slice(), expected);
        // One byte short, or one altered anywhere in what is touched, is a refusal.
        let opener = RangeOpener::new(Arc::clone(&object_key), &info, range.clone()).unwrap();
        let short = &touched[..touched.len() - 1];
        prop_assert!(RangeReader::new(short, opener).read_to_end(&mut Vec::new()).is_err());
        let mut altered = touched.clone();
        let place = (altered.len() - 1).min(usize::try_from(first).unwrap());
        altered[place] ^= 1;
        let opener = RangeOpener::new(object_key, &info, range).unwrap();
        prop_assert!(RangeReader::new(altered.as_slice(), opener).read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Envelope::parse(&bytes);
        for mode in 1..=4 {
            let head = [b'S', b'R', b'S', b'E', 2, mode, 16, 0];
            let _ = Envelope::parse(&[&head, bytes.as_slice()].concat());
        }
        let (_, object_key) = begin();
        prop_assert!(ObjectInfo::open(&bytes, &object_key).is_err());
        // What is sealed well and says nonsense.
        let sealed = object_key.seal_small(crate::crypto::Purpose::ObjectInfo, &bytes).unwrap();
        let _ = ObjectInfo::open(&[&b"SRSI\x01"[..], &sealed].concat(), &object_key);
    }
}

/// A stream of pieces.
struct Pieces(std::vec::IntoIter<Bytes>);

impl Pieces {
    fn of(bytes: &[u8], len: usize) -> Self {
        let pieces: Vec<_> = bytes.chunks(len).map(Bytes::copy_from_slice).collect();
        Self(pieces.into_iter())
    }
}

impl Stream for Pieces {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

/// What a stream gives, and its error, after which it is at its end.
async fn gathered<S>(mut stream: S) -> (Vec<u8>, Option<Error>)
where
    S: Stream<Item = Result<Bytes, Error>> + Unpin,
{
    let mut out = Vec::new();
    loop {
        match std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context)).await {
            Some(Ok(bytes)) => out.extend_from_slice(&bytes),
            Some(Err(error)) => {
                let next = std::future::poll_fn(|context| Pin::new(&mut stream).poll_next(context));
                assert!(next.await.is_none(), "nothing after an error");
                return (out, Some(error));
            }
            None => return (out, None),
        }
    }
}

#[test]
fn a_stream_that_fails_or_is_dropped_tells_of_no_part() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (_, object_key) = begin();
    let sealer = || object_key.seal_part(1).unwrap();
    let (stream, told) = SealStream::new(Pieces::of(&[1; 100], 10), sealer(), Digests::default());
    drop(stream);
    assert!(runtime.block_on(told).is_err());
    let failing = Failing(Pieces::of(&vec![1; 2 * CHUNK_LEN], 5000));
    let (stream, told) = SealStream::new(failing, sealer(), Digests::default());
    let (out, error) = runtime.block_on(gathered(stream));
    assert!(matches!(error, Some(Error::Io(_))));
    assert!(runtime.block_on(told).is_err());
    let mut reader = OpenReader::new(out.as_slice(), object_key, 1);
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
}

/// Fails where the stream within ends.
struct Failing(Pieces);

impl Stream for Failing {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(Some(self.0.0.next().ok_or_else(|| std::io::ErrorKind::TimedOut.into())))
    }
}

/// A future that a runtime may move to another of its threads.
fn sent<T: Send>(future: T) -> T {
    future
}

#[test]
fn several_cores_make_and_read_the_same_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cores = |cores| std::num::NonZeroUsize::new(cores).unwrap();
    let lens =
        [0, 1, CHUNK_LEN, 16 * CHUNK_LEN - 1, 16 * CHUNK_LEN, 16 * CHUNK_LEN + 1, 70 * CHUNK_LEN];
    for (len, two) in lens.into_iter().zip([false, true].into_iter().cycle()) {
        let object_key = if two { two_layers().1 } else { begin().1 };
        let plaintext: Vec<u8> = (0..=250).cycle().take(len).collect();
        let salt = rising(1);
        let digests = || Digests::new(true, &[Checksum::Crc64Nvme]);
        let sealer = || object_key.seal_part_with(1, salt).unwrap();
        let mut body = Vec::new();
        let one = seal_stream(plaintext.as_slice(), &mut body, sealer(), digests(), |_| ());
        let sealed = runtime.block_on(one).unwrap();
        for count in [1, 3] {
            let (from, mut many) = (plaintext.as_slice(), Vec::new());
            let on = seal_stream_on(cores(count), from, &mut many, sealer(), digests());
            assert_eq!(runtime.block_on(sent(on)).unwrap(), sealed);
            assert_eq!(many, body, "{len}");
        }
        let info = ObjectInfo::new(vec![sealed.part], sealed.digested).unwrap();
        let opened = |stored: &[u8]| {
            let opener = RangeOpener::whole(Arc::clone(&object_key), &info).unwrap();
            let mut out = Vec::new();
            runtime.block_on(sent(open_range_on(cores(2), stored, &mut out, opener))).map(|_| out)
        };
        assert_eq!(opened(&body).unwrap(), plaintext);
        body.pop();
        assert!(matches!(opened(&body), Err(Error::Open)));
    }
}

#[test]
fn what_is_read_and_opened_at_once_is_one_buffer() {
    let (_, object_key) = begin();
    let plaintext: Vec<u8> = (0..=250).cycle().take(7 * CHUNK_LEN + 9).collect();
    let halves = [&plaintext[..5 * CHUNK_LEN], &plaintext[5 * CHUNK_LEN..]];
    let bodies = (1..).zip(halves).map(|(number, half)| body(&object_key, number, half));
    let (stored, sealed): (Vec<_>, Vec<_>) = bodies.unzip();
    let parts = sealed.into_iter().map(|sealed| sealed.part).collect();
    let info = ObjectInfo::new(parts, Digested::default()).unwrap();
    for (most, buffers) in [(0, 8), (CHUNK_LEN + 16, 8), (3 * CHUNK_LEN + 16, 3), (1 << 30, 2)] {
        let whole = RangeOpener::whole(Arc::clone(&object_key), &info).unwrap();
        let mut opener = PieceOpener::new(whole);
        let mut opened = Vec::new();
        for body in &stored {
            let (mut from, mut left) = (body.as_slice(), u64::try_from(body.len()).unwrap());
            while left > 0 {
                assert!(opener.finish().is_err());
                opened.push(opener.read(&mut from, &mut left, most).unwrap());
            }
        }
        opener.finish().unwrap();
        assert_eq!(opened.concat(), plaintext);
        assert_eq!(opened.len(), buffers, "{most}");
    }
    // The middle of an object, and then what ends too early or was altered.
    let range = || {
        let range = 70_000..300_000;
        PieceOpener::new(RangeOpener::new(Arc::clone(&object_key), &info, range).unwrap())
    };
    let run = range().stored().clone();
    let run = usize::try_from(run.start).unwrap()..usize::try_from(run.end).unwrap();
    let mut touched = stored[0][run].to_vec();
    let read = |touched: &[u8]| {
        let (mut opener, mut from) = (range(), touched);
        let mut left = u64::try_from(touched.len()).unwrap();
        let opened = opener.read(&mut from, &mut left, 1 << 20)?;
        opener.finish().map(|()| opened)
    };
    assert_eq!(read(&touched).unwrap(), plaintext[70_000..300_000]);
    for cut in [1, 16, SEALED_CHUNK_LEN - 16, SEALED_CHUNK_LEN, 2 * SEALED_CHUNK_LEN] {
        assert!(matches!(read(&touched[..touched.len() - cut]), Err(Error::Open)), "{cut}");
    }
    touched[2 * SEALED_CHUNK_LEN] ^= 1;
    assert!(matches!(read(&touched), Err(Error::Open)));
}

#[test]
fn a_reader_that_refused_once_never_says_end_of_body() {
    let (_, object_key) = begin();
    let sealer = object_key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(Vec::new(), sealer, Digests::default());
    writer.write_all(&vec![1; 3 * CHUNK_LEN]).unwrap();
    let (body, _) = writer.finish().unwrap();
    for cut in
        [SEALED_CHUNK_LEN, 16 + SEALED_CHUNK_LEN, 21 + SEALED_CHUNK_LEN, 16 + 2 * SEALED_CHUNK_LEN]
    {
        let mut reader = OpenReader::new(&body[..cut], Arc::clone(&object_key), 1);
        let mut out = Vec::new();
        assert!(reader.read_to_end(&mut out).is_err());
        for _ in 0..3 {
            assert!(reader.read(&mut [0; 10]).is_err(), "cut at {cut}, {} given", out.len());
        }
    }
    let chunk =
        |i: usize| body[16 + i * SEALED_CHUNK_LEN..16 + (i + 1) * SEALED_CHUNK_LEN].to_vec();
    let inserted =
        [body[..16].to_vec(), chunk(0), vec![0; SEALED_CHUNK_LEN], chunk(1), chunk(2)].concat();
    let mut reader = OpenReader::new(inserted.as_slice(), Arc::clone(&object_key), 1);
    assert!(reader.read_to_end(&mut Vec::new()).is_err());
    assert!(reader.read_to_end(&mut Vec::new()).is_err(), "stays refused");
}

/// Refuses every write after the first `left` bytes.
#[derive(Debug)]
struct Full {
    left: usize,
}

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let taken = data.len().min(self.left);
        self.left -= taken;
        if taken == 0 { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(taken) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_failed_once_refuses_what_follows() {
    let (_, object_key) = begin();
    let sealer = object_key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(Full { left: 1000 }, sealer, Digests::default());
    assert!(writer.write_all(&vec![1; 2 * CHUNK_LEN]).is_err());
    assert!(writer.write(&[1; 10]).is_err());
    assert!(matches!(writer.finish(), Err(Error::Io(_))));
}

/// Gives `step` bytes at a time, and an error between any two reads.
struct Stutter<'a> {
    rest: &'a [u8],
    step: usize,
    fail: bool,
}

impl Read for Stutter<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.fail = !self.fail;
        if self.fail {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let length = self.step.min(out.len());
        self.rest.read(&mut out[..length])
    }
}

#[test]
fn a_reader_goes_on_after_an_error_of_its_source() {
    let plaintext: Vec<u8> = (0..=250).cycle().take(2 * CHUNK_LEN + 7).collect();
    let (_, object_key) = begin();
    let sealer = object_key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(Vec::new(), sealer, Digests::default());
    writer.write_all(&plaintext).unwrap();
    let (body, _) = writer.finish().unwrap();
    let source = Stutter { rest: &body, step: 30_000, fail: false };
    let mut reader = OpenReader::new(source, Arc::clone(&object_key), 1);
    let (mut opened, mut buffer) = (Vec::new(), [0; 5000]);
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => opened.extend_from_slice(&buffer[..read]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut),
        }
    }
    assert_eq!(opened, plaintext);
}
