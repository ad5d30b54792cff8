//! The module as a whole.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;
use crate::crypto::SecretKey;

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32])
}

fn name() -> ObjectName {
    ObjectName { bucket: "bucket".to_owned(), name: "a/b".to_owned() }
}

fn context() -> BTreeMap<String, String> {
    BTreeMap::from([("purpose".to_owned(), "test".to_owned())])
}

fn seal(plaintext: &[u8]) -> Vec<u8> {
    seal_bytes(&key(), b"wrapped", &name(), &context(), plaintext).unwrap()
}

fn sealed_size(len: usize) -> usize {
    usize::try_from(sealed_len(len.try_into().unwrap()).unwrap()).unwrap()
}

fn is_refused(sealed: &[u8]) -> bool {
    matches!(open_bytes(&key(), &name(), sealed), Err(Error::Open | Error::Envelope(_)))
}

/// tests/vectors/sse/README.md says how the vector was made: by another implementation.
#[test]
fn the_golden_object_is_made_and_opened() {
    let expected = include_str!("../../tests/vectors/sse/v1.hex").split_whitespace();
    let expected = hex::decode(expected.collect::<String>()).unwrap();
    let object_key = SecretKey::from_bytes([0x42; 32]);
    let salt = std::array::from_fn(|i| u8::try_from(i).unwrap());
    let (envelope, object_key) =
        Envelope::seal_with(&key(), b"wrapped", &name(), &context(), object_key, salt).unwrap();
    let mut writer = SealWriter::new(envelope.encode().unwrap(), object_key.part(1).unwrap());
    writer.write_all(b"hello, object").unwrap();
    assert_eq!(hex::encode(writer.finish().unwrap()), hex::encode(&expected));
    assert_eq!(open_bytes(&key(), &name(), &expected).unwrap(), b"hello, object");
}

#[test]
fn any_flipped_bit_of_envelope_or_body_is_refused() {
    let sealed = seal(b"sixteen bytes, or so");
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(is_refused(&altered), "bit {bit}");
    }
}

#[test]
fn any_truncation_or_addition_is_refused() {
    let sealed = seal(&vec![3; CHUNK_LEN + 100]);
    let body = sealed.len() - sealed_size(CHUNK_LEN + 100);
    let borders = [body, body + CHUNK_LEN, body + SEALED_CHUNK_LEN, sealed.len()];
    let near = borders.iter().flat_map(|border| border.saturating_sub(20)..border + 20);
    for len in (0..body).chain(near).filter(|len| *len < sealed.len()) {
        assert!(is_refused(&sealed[..len]), "{len} of {}", sealed.len());
    }
    for more in [1, 16, 17, SEALED_CHUNK_LEN] {
        let longer = [&sealed[..], &vec![0; more]].concat();
        assert!(is_refused(&longer));
    }
}

#[test]
fn chunks_that_change_places_or_objects_are_refused() {
    let plaintext = vec![9; 3 * CHUNK_LEN];
    let (one, two) = (seal(&plaintext), seal(&plaintext));
    let body = one.len() - 3 * SEALED_CHUNK_LEN;
    let chunk = |sealed: &[u8], i: usize| {
        sealed[body + i * SEALED_CHUNK_LEN..body + (i + 1) * SEALED_CHUNK_LEN].to_vec()
    };
    let with = |chunks: &[Vec<u8>]| [&one[..body], &chunks.concat()].concat();
    let [a, b, c] = std::array::from_fn(|i| chunk(&one, i));
    assert!(!is_refused(&with(&[a.clone(), b.clone(), c.clone()])));
    for wrong in [
        vec![b.clone(), a.clone(), c.clone()],
        vec![a.clone(), c.clone(), b.clone()],
        vec![a.clone(), b.clone()],
        vec![a.clone(), c.clone()],
        vec![a.clone(), b.clone(), b.clone(), c.clone()],
        vec![a.clone(), b.clone(), c.clone(), c.clone()],
        vec![a.clone(), chunk(&two, 1), c.clone()],
        vec![chunk(&two, 0), chunk(&two, 1), chunk(&two, 2)],
        vec![],
    ] {
        assert!(is_refused(&with(&wrong)));
    }
}

#[test]
fn another_key_name_bucket_or_context_is_the_same_refusal() {
    let sealed = seal(b"plaintext");
    let opens = |key: &SecretKey, bucket: &str, name: &str| {
        let object = ObjectName { bucket: bucket.to_owned(), name: name.to_owned() };
        matches!(open_bytes(key, &object, &sealed), Ok(plaintext) if plaintext == b"plaintext")
    };
    assert!(opens(&key(), "bucket", "a/b"));
    assert!(!opens(&SecretKey::from_bytes([8; 32]), "bucket", "a/b"));
    assert!(!opens(&key(), "bucke", "ta/b"));
    assert!(!opens(&key(), "bucket", "a/c"));
    let (envelope, length) = Envelope::parse(&sealed).unwrap();
    assert_eq!((envelope.wrapped_data_key(), envelope.context()), (&b"wrapped"[..], &context()));
    let mut other = sealed[..length].to_vec();
    let place = other.windows(4).position(|window| window == b"test").unwrap();
    other[place..place + 4].copy_from_slice(b"tess");
    assert!(is_refused(&[&other, &sealed[length..]].concat()));
}

#[test]
fn an_envelope_that_would_be_too_large_is_not_made() {
    let wrapped = vec![0; 6144];
    let pairs = |len: usize| BTreeMap::from([("n".to_owned(), "v".repeat(len))]);
    assert!(Envelope::seal(&key(), &wrapped, &name(), &pairs(8192)).is_ok());
    let refused = Envelope::seal(&key(), &wrapped, &name(), &pairs(12_000));
    assert!(matches!(refused, Err(Error::TooLarge(_))));
}

#[test]
fn a_dropped_writer_leaves_nothing_that_opens() {
    let (envelope, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
    let mut out = envelope.encode().unwrap();
    let mut writer = SealWriter::new(&mut out, object_key.part(1).unwrap());
    writer.write_all(&vec![1; 2 * CHUNK_LEN]).unwrap();
    drop(writer);
    assert!(is_refused(&out));
}

#[test]
fn a_chunk_opens_alone_and_parts_have_keys_of_their_own() {
    let sealed = seal(&vec![5; 2 * CHUNK_LEN]);
    let (envelope, length) = Envelope::parse(&sealed).unwrap();
    let object_key = envelope.open(&key(), &name()).unwrap();
    let mut second = sealed[length + SEALED_CHUNK_LEN..].to_vec();
    let other_part = object_key.part(2).unwrap();
    assert!(other_part.open_last(1, &mut second.clone()).is_err());
    let cipher = object_key.part(1).unwrap();
    assert!(cipher.open(1, &mut second.clone()).is_err(), "the last one says so");
    assert_eq!(cipher.open_last(1, &mut second).unwrap(), vec![5; CHUNK_LEN]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_sealed_opens_whatever_the_pieces(
        len in prop::sample::select(vec![0, 1, 15, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1,
                                         2 * CHUNK_LEN - 1, 2 * CHUNK_LEN, 2 * CHUNK_LEN + 1]),
        piece in prop::sample::select(vec![1000, 4096, CHUNK_LEN - 1, CHUNK_LEN, 3 * CHUNK_LEN]),
    ) {
        let plaintext: Vec<u8> = (0..=250).cycle().take(len).collect();
        let (envelope, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
        let mut writer = SealWriter::new(Vec::new(), object_key.part(1).unwrap());
        for piece in plaintext.chunks(piece) {
            writer.write_all(piece).unwrap();
        }
        let body = writer.finish().unwrap();
        prop_assert_eq!(body.len(), sealed_size(len));
        let cipher = envelope.open(&key(), &name()).unwrap().part(1).unwrap();
        let mut reader = OpenReader::new(body.as_slice(), cipher);
        let (mut opened, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            let read = reader.read(&mut buffer).unwrap();
            if read == 0 { break; }
            opened.extend_from_slice(&buffer[..read]);
        }
        prop_assert_eq!(&opened, &plaintext);

        let runtime = ::tokio::runtime::Builder::new_current_thread().build().unwrap();
        let part = object_key.part(1).unwrap();
        let mut sealed = Vec::new();
        runtime.block_on(seal_stream(plaintext.as_slice(), &mut sealed, &part, |_| ())).unwrap();
        prop_assert_eq!(&sealed, &body, "both ways give the same bytes");
        let mut opened = Vec::new();
        let length =
            runtime.block_on(open_stream(sealed.as_slice(), &mut opened, &part, |_| ())).unwrap();
        prop_assert_eq!((length, opened), (u64::try_from(len).unwrap(), plaintext));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Envelope::parse(&bytes);
        let _ = Envelope::parse(&[b"SRSE\x01\x01\x10\x00", bytes.as_slice()].concat());
    }
}

#[test]
fn debug_output_holds_no_plaintext() {
    let (_, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
    let mut writer = SealWriter::new(Vec::new(), object_key.part(1).unwrap());
    writer.write_all(&[0xab; 40]).unwrap();
    assert!(!format!("{writer:?}").contains("171, 171"), "writer");
    let body = writer.finish().unwrap();
    let mut reader = OpenReader::new(body.as_slice(), object_key.part(1).unwrap());
    reader.read_exact(&mut [0; 1]).unwrap();
    assert!(!format!("{reader:?}").contains("171, 171"), "reader");
}

#[test]
fn a_reader_that_refused_once_never_says_end_of_body() {
    let (_, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
    let mut writer = SealWriter::new(Vec::new(), object_key.part(1).unwrap());
    writer.write_all(&vec![1; 3 * CHUNK_LEN]).unwrap();
    let body = writer.finish().unwrap();
    for cut in [SEALED_CHUNK_LEN, SEALED_CHUNK_LEN + 5, 2 * SEALED_CHUNK_LEN] {
        let mut reader = OpenReader::new(&body[..cut], object_key.part(1).unwrap());
        let mut out = Vec::new();
        assert!(reader.read_to_end(&mut out).is_err());
        for _ in 0..3 {
            assert!(reader.read(&mut [0; 10]).is_err(), "cut at {cut}, {} given", out.len());
        }
    }
    let chunk = |i: usize| body[i * SEALED_CHUNK_LEN..(i + 1) * SEALED_CHUNK_LEN].to_vec();
    let inserted = [chunk(0), vec![0; SEALED_CHUNK_LEN], chunk(1), chunk(2)].concat();
    let mut reader = OpenReader::new(inserted.as_slice(), object_key.part(1).unwrap());
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
    let (_, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
    let mut writer = SealWriter::new(Full { left: 1000 }, object_key.part(1).unwrap());
    assert!(writer.write_all(&vec![1; 2 * CHUNK_LEN]).is_err());
    assert!(writer.write(&[1; 10]).is_err());
    assert!(matches!(writer.finish(), Err(Error::Io(_))));
}

#[test]
fn lengths_that_the_format_does_not_hold_are_none() {
    let most = (1_u64 << 32) * u64::try_from(CHUNK_LEN).unwrap();
    assert!(sealed_len(most).is_some());
    assert_eq!(sealed_len(most + 1), None);
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
    let (_, object_key) = Envelope::seal(&key(), b"w", &name(), &context()).unwrap();
    let mut writer = SealWriter::new(Vec::new(), object_key.part(1).unwrap());
    writer.write_all(&plaintext).unwrap();
    let body = writer.finish().unwrap();
    let source = Stutter { rest: &body, step: 30_000, fail: false };
    let mut reader = OpenReader::new(source, object_key.part(1).unwrap());
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
