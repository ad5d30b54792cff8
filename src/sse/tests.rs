//! The module as a whole.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use super::*;
use crate::crypto::SecretKey;

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn key() -> SecretKey {
    SecretKey::from_bytes([7; 32])
}

fn name() -> ObjectName {
    ObjectName { bucket: "bucket".to_owned(), name: "a/b".to_owned() }
}

fn context() -> BTreeMap<String, String> {
    BTreeMap::from([("purpose".to_owned(), "test".to_owned())])
}

fn data_key(byte: u8, blob: &[u8]) -> DataKey {
    let wrapped = WrappedKey { key_arn: ARN.to_owned(), blob: blob.to_vec() };
    DataKey { plaintext: SecretKey::from_bytes([byte; 32]), wrapped }
}

pub(super) fn begin() -> (Envelope, Arc<ObjectKey>) {
    let made = data_key(7, b"wrapped");
    let keys = SealingKeys::Kms { key: &made, bucket_key: false };
    let (envelope, key) = Envelope::seal(&keys, &name(), &context()).unwrap();
    (envelope, Arc::new(key))
}

pub(super) fn two_layers() -> (Envelope, Arc<ObjectKey>) {
    let (inner, outer) = (data_key(7, b"wrapped"), data_key(8, b"another"));
    let (envelope, key) =
        Envelope::seal(&SealingKeys::Dsse(&inner, &outer), &name(), &context()).unwrap();
    (envelope, Arc::new(key))
}

fn seal(plaintext: &[u8]) -> Vec<u8> {
    let made = data_key(7, b"wrapped");
    let keys = SealingKeys::Kms { key: &made, bucket_key: false };
    seal_bytes(&keys, &name(), &context(), plaintext).unwrap()
}

/// A part's body.
pub(super) fn body(key: &ObjectKey, number: u16, plaintext: &[u8]) -> (Vec<u8>, Sealed) {
    let sealer = key.seal_part(number).unwrap();
    let mut writer = SealWriter::new(Vec::new(), sealer, Digests::new(true, &Checksum::ALL));
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

fn sealed_size(len: usize) -> usize {
    usize::try_from(begin().1.sealed_len(len.try_into().unwrap()).unwrap()).unwrap()
}

fn is_refused(sealed: &[u8]) -> bool {
    matches!(
        open_bytes(&OpeningKeys::One(&key()), &name(), sealed),
        Err(Error::Open | Error::Envelope(_))
    )
}

/// tests/vectors/sse/README.md says how the vectors were made: by another implementation.
fn vector(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

/// Bytes that rise from `first`.
pub(super) fn rising<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first + u8::try_from(i).unwrap())
}

fn layer(byte: u8, salt: u8) -> object_key::Layer {
    object_key::Layer { key: SecretKey::from_bytes([byte; 32]), salt: rising(salt) }
}

/// An object whose salts are the vectors' own.
fn golden(keys: &SealingKeys<'_>, two: bool, context: &Context) -> (Envelope, ObjectKey) {
    let outer = two.then(|| layer(0x43, 64));
    let key = ObjectKey { inner: layer(0x42, 0), outer };
    let mut salts = [32, 96].into_iter();
    let salt = || Ok(rising(salts.next().unwrap()));
    (Envelope::seal_with(&key, keys, &name(), context, salt).unwrap(), key)
}

fn golden_body(key: &ObjectKey, number: u16, salt: u8, plaintext: &[u8]) -> (Vec<u8>, Sealed) {
    let sealer = key.seal_part_with(number, rising(salt)).unwrap();
    let digests = Digests::new(true, &[Checksum::Crc32]);
    let mut writer = SealWriter::new(Vec::new(), sealer, digests);
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

fn arn_context(arn: &str) -> Context {
    BTreeMap::from([("aws:s3:arn".to_owned(), arn.to_owned())])
}

#[test]
fn the_golden_objects_are_made_and_opened() {
    let (one, two) = (data_key(7, b"wrapped"), data_key(8, b"another"));
    let bucket = arn_context("arn:aws:s3:::bucket");
    let object = arn_context("arn:aws:s3:::bucket/a/b");
    let (first, second) = (&one.plaintext, &two.plaintext);
    let rows = [
        (
            include_str!("../../tests/vectors/sse/kms.hex"),
            SealingKeys::Kms { key: &one, bucket_key: true },
            OpeningKeys::One(first),
            &bucket,
            &b"hello, object"[..],
        ),
        (
            include_str!("../../tests/vectors/sse/dsse.hex"),
            SealingKeys::Dsse(&one, &two),
            OpeningKeys::Two(first, second),
            &object,
            b"hello, object",
        ),
        (
            include_str!("../../tests/vectors/sse/customer.hex"),
            SealingKeys::Customer(first),
            OpeningKeys::One(first),
            &Context::new(),
            b"",
        ),
    ];
    for (expected, sealing, opening, context, plaintext) in rows {
        let expected = vector(expected);
        let (envelope, key) = golden(&sealing, matches!(sealing, SealingKeys::Dsse(..)), context);
        let made = [envelope.encode().unwrap(), golden_body(&key, 1, 128, plaintext).0].concat();
        assert_eq!(hex::encode(made), hex::encode(&expected));
        assert_eq!(open_bytes(&opening, &name(), &expected).unwrap(), plaintext);
        let (parsed, _) = Envelope::parse(&expected).unwrap();
        assert_eq!((parsed.mode(), parsed.context()), (envelope.mode(), context));
    }
}

#[test]
fn the_golden_parts_and_information_are_made_and_opened() {
    let mut lines = include_str!("../../tests/vectors/sse/parts.hex").lines();
    let made = data_key(7, b"wrapped");
    let keys = SealingKeys::Kms { key: &made, bucket_key: true };
    let (_, key) = golden(&keys, false, &arn_context("arn:aws:s3:::bucket"));
    let plaintext: Vec<u8> = (0..251).cycle().take(CHUNK_LEN + 1).collect();
    let (first, one) = golden_body(&key, 1, 128, &plaintext);
    let (second, three) = golden_body(&key, 3, 144, b"hello, object");
    let bodies = crate::crypto::digest::sha256(&[&first, &second]);
    assert_eq!(hex::encode(bodies), lines.next().unwrap());
    let mut digests = Digests::new(true, &[Checksum::Crc32]);
    digests.update(&plaintext);
    digests.update(b"hello, object");
    let info = ObjectInfo::new(vec![one.part, three.part], digests.finish()).unwrap();
    let expected = vector(lines.next().unwrap());
    assert_eq!(hex::encode(info.seal_with(&key, rising(160))), hex::encode(&expected));
    assert_eq!(ObjectInfo::open(&expected, &key).unwrap(), info);
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
    let chunks = body + object_key::PART_SALT_LEN;
    let borders = [body, chunks, chunks + CHUNK_LEN, chunks + SEALED_CHUNK_LEN, sealed.len()];
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
    let salts = [&one, &two].map(|sealed| sealed[..body].to_vec());
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
    // A whole body of another object.
    assert!(is_refused(&[&salts[0][..salts[0].len() - 16], &two[body - 16..]].concat()));
}

#[test]
fn another_key_name_bucket_mode_or_context_is_the_same_refusal() {
    let sealed = seal(b"plaintext");
    let opens = |key: &SecretKey, bucket: &str, name: &str| {
        let object = ObjectName { bucket: bucket.to_owned(), name: name.to_owned() };
        let opened = open_bytes(&OpeningKeys::One(key), &object, &sealed);
        assert!(matches!(opened, Ok(_) | Err(Error::Open)));
        opened.is_ok_and(|plaintext| plaintext == b"plaintext")
    };
    assert!(opens(&key(), "bucket", "a/b"));
    assert!(!opens(&SecretKey::from_bytes([8; 32]), "bucket", "a/b"));
    assert!(!opens(&key(), "bucke", "ta/b"));
    assert!(!opens(&key(), "bucket", "a/c"));
    let (envelope, length) = Envelope::parse(&sealed).unwrap();
    assert_eq!(envelope.wrapped_keys().next().unwrap(), data_key(7, b"wrapped").wrapped);
    assert_eq!((envelope.context(), envelope.key_arn()), (&context(), ARN));
    let altered = |at: usize, to: &[u8]| {
        let mut other = sealed.clone();
        other[at..at + to.len()].copy_from_slice(to);
        is_refused(&other)
    };
    let place = sealed[..length].windows(4).position(|window| window == b"test").unwrap();
    assert!(altered(place, b"tess"));
    for mode in [Mode::S3, Mode::Customer] {
        assert!(altered(5, &[mode.byte()]), "{mode:?}");
    }
    assert!(altered(7, &[1]), "a bucket's key");
}

#[test]
fn two_layers_need_both_keys_in_their_order() {
    let (inner, outer) = (data_key(7, b"wrapped"), data_key(8, b"another"));
    let keys = SealingKeys::Dsse(&inner, &outer);
    let sealed = seal_bytes(&keys, &name(), &context(), b"plaintext").unwrap();
    let (one, two) = (&inner.plaintext, &outer.plaintext);
    let opened = open_bytes(&OpeningKeys::Two(one, two), &name(), &sealed).unwrap();
    assert_eq!(opened, b"plaintext");
    for wrong in [
        OpeningKeys::One(one),
        OpeningKeys::One(two),
        OpeningKeys::Two(two, one),
        OpeningKeys::Two(one, one),
        OpeningKeys::Two(two, two),
    ] {
        assert!(matches!(open_bytes(&wrong, &name(), &sealed), Err(Error::Open)), "{wrong:?}");
    }
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(open_bytes(&OpeningKeys::Two(one, two), &name(), &altered).is_err(), "bit {bit}");
    }
}

#[test]
fn layers_do_not_change_with_the_envelope() {
    let (inner, outer) = (data_key(7, b"wrapped"), data_key(8, b"another"));
    let (one, two) = (ObjectKey::new(false).unwrap(), ObjectKey::new(true).unwrap());
    let dsse = SealingKeys::Dsse(&inner, &outer);
    let refused = [
        Envelope::seal_key(&one, &dsse, &name(), &context()),
        Envelope::seal_key(&two, &SealingKeys::S3(&inner), &name(), &context()),
    ];
    assert!(refused.iter().all(|refused| matches!(refused, Err(Error::Layers))));
    let mut foreign = data_key(8, b"another");
    foreign.wrapped.key_arn = "another".to_owned();
    let mixed = SealingKeys::Dsse(&inner, &foreign);
    let refused = Envelope::seal_key(&two, &mixed, &name(), &context());
    assert!(matches!(refused, Err(Error::Layers)));
}

#[test]
fn an_envelope_sealed_again_opens_the_same_data() {
    let (envelope, object_key) = begin();
    let (body, _) = body(&object_key, 1, b"plaintext");
    let moved = ObjectName { bucket: "other".to_owned(), name: "c".to_owned() };
    let customer = SecretKey::from_bytes([9; 32]);
    let again = SealingKeys::Customer(&customer);
    let again = Envelope::seal_key(&object_key, &again, &moved, &Context::new()).unwrap();
    let sealed = [again.encode().unwrap(), body.clone()].concat();
    let opened = open_bytes(&OpeningKeys::One(&customer), &moved, &sealed).unwrap();
    assert_eq!(opened, b"plaintext");
    // Sealed under the same key, name and context again, not a byte of what the key sealed is the same.
    let made = data_key(7, b"wrapped");
    let same = SealingKeys::Kms { key: &made, bucket_key: false };
    let twice = Envelope::seal_key(&object_key, &same, &name(), &context()).unwrap();
    assert_ne!(twice.encode().unwrap(), envelope.encode().unwrap());
    // Another object's envelope, with its own key, does not open this body.
    let foreign = [begin().0.encode().unwrap(), body].concat();
    assert!(is_refused(&foreign));
}

#[test]
fn an_envelope_that_would_be_too_large_is_not_made() {
    let made = data_key(7, &[0; 6144]);
    let (inner, outer) = (data_key(7, &[0; 6144]), data_key(8, &[0; 6144]));
    let pairs = |len: usize| BTreeMap::from([("n".to_owned(), "v".repeat(len))]);
    assert!(Envelope::seal(&SealingKeys::Dsse(&inner, &outer), &name(), &pairs(8192)).is_ok());
    let keys = SealingKeys::Kms { key: &made, bucket_key: false };
    let refused = Envelope::seal(&keys, &name(), &pairs(28_000));
    assert!(matches!(refused, Err(Error::TooLarge(_))));
}

#[test]
fn a_dropped_writer_leaves_nothing_that_opens() {
    let (envelope, object_key) = begin();
    let mut out = envelope.encode().unwrap();
    let sealer = object_key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(&mut out, sealer, Digests::default());
    writer.write_all(&vec![1; 2 * CHUNK_LEN]).unwrap();
    drop(writer);
    assert!(is_refused(&out));
}

#[test]
fn a_chunk_opens_alone_and_every_body_has_keys_of_its_own() {
    let (_, object_key) = begin();
    let (first, one) = body(&object_key, 1, &vec![5; 2 * CHUNK_LEN]);
    let (again, _) = body(&object_key, 1, &vec![5; 2 * CHUNK_LEN]);
    let (two, _) = body(&object_key, 2, &vec![5; 2 * CHUNK_LEN]);
    let second = first[16 + SEALED_CHUNK_LEN..].to_vec();
    assert_ne!(second, again[16 + SEALED_CHUNK_LEN..], "the same part, sent twice");
    assert_ne!(second, two[16 + SEALED_CHUNK_LEN..]);
    for (number, salt) in [(2, one.part.salt), (1, rising(0))] {
        let other = object_key.part(number, &salt).unwrap();
        assert!(other.open_last(1, &mut second.clone()).is_err());
    }
    let cipher = object_key.part(1, &one.part.salt).unwrap();
    assert!(cipher.open(1, &mut second.clone()).is_err(), "the last one says so");
    assert_eq!(cipher.open_last(1, &mut second.clone()).unwrap(), vec![5; CHUNK_LEN]);
    for number in [0, 10_001] {
        assert!(matches!(object_key.seal_part(number), Err(Error::TooLarge(_))));
    }
}

#[test]
fn parts_that_are_left_out_moved_or_sent_before_are_refused() {
    let (_, object_key) = begin();
    let texts = [vec![1; CHUNK_LEN + 9], vec![2; CHUNK_LEN + 9], vec![3; 7]];
    let made: Vec<_> =
        (1..).zip(&texts).map(|(number, text)| body(&object_key, number, text)).collect();
    let (before, _) = body(&object_key, 2, &vec![4; CHUNK_LEN + 9]);
    let parts = made.iter().map(|(_, sealed)| sealed.part).collect();
    let info = ObjectInfo::new(parts, Digested::default()).unwrap();
    let opened = |bodies: &[&Vec<u8>]| {
        let stored: Vec<u8> = bodies.iter().flat_map(|body| body.iter().copied()).collect();
        let opener = RangeOpener::whole(Arc::clone(&object_key), &info).unwrap();
        let mut out = Vec::new();
        RangeReader::new(stored.as_slice(), opener).read_to_end(&mut out).map(|_| out)
    };
    let [one, two, three] = [0, 1, 2].map(|i: usize| &made[i].0);
    assert_eq!(opened(&[one, two, three]).unwrap(), texts.concat());
    for wrong in [
        vec![two, one, three],
        vec![one, three],
        vec![one, two],
        vec![one, &before, three],
        vec![one, one, three],
    ] {
        assert!(opened(&wrong).is_err());
    }
    assert!(ObjectInfo::open(&info.seal(&object_key).unwrap(), &begin().1).is_err(), "another's");
    let doubled = vec![made[0].1.part, made[0].1.part];
    for wrong in [vec![], doubled, vec![made[1].1.part, made[0].1.part]] {
        assert!(matches!(ObjectInfo::new(wrong, Digested::default()), Err(Error::Parts)));
    }
    let huge = SealedPart { len: ObjectInfo::MAX_OBJECT_LEN + 1, ..made[0].1.part };
    assert!(matches!(ObjectInfo::new(vec![huge], Digested::default()), Err(Error::TooLarge(_))));
    let largest = SealedPart { len: ObjectInfo::MAX_OBJECT_LEN, ..huge };
    let info = ObjectInfo::new(vec![largest], Digested::default()).unwrap();
    let range = info.positions(ObjectInfo::MAX_OBJECT_LEN - 1, None).unwrap();
    let opener = RangeOpener::new(Arc::clone(&object_key), &info, range).unwrap();
    let stored = opener.stored();
    assert_eq!(stored.end - stored.start, 65_552);
    assert_eq!(Some(stored.end), object_key.sealed_len(ObjectInfo::MAX_OBJECT_LEN));
}

#[test]
fn the_etag_is_the_md5_where_s3_says_so_and_nowhere_else() {
    let (_, object_key) = begin();
    let (_, sealed) = body(&object_key, 1, b"plaintext");
    let info = ObjectInfo::new(vec![sealed.part], sealed.digested).unwrap();
    let md5 = hex::encode(info.digested().md5.unwrap());
    assert_eq!(info.etag(Mode::S3, &object_key).unwrap(), md5);
    for mode in [Mode::Kms, Mode::Dsse, Mode::Customer] {
        let etag = info.etag(mode, &object_key).unwrap();
        assert_eq!((etag.len(), etag == md5), (32, false));
        assert_ne!(etag, info.etag(mode, &begin().1).unwrap(), "nobody else can compute it");
    }
    let sealed = info.seal(&object_key).unwrap();
    assert!(!sealed.windows(16).any(|window| *window == info.digested().md5.unwrap()));
}

#[test]
fn debug_output_holds_no_plaintext() {
    let (_, object_key) = begin();
    let sealer = object_key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(Vec::new(), sealer, Digests::default());
    writer.write_all(&[0xab; 40]).unwrap();
    assert!(!format!("{writer:?}").contains("171, 171"), "writer");
    let (body, _) = writer.finish().unwrap();
    let mut reader = OpenReader::new(body.as_slice(), Arc::clone(&object_key), 1);
    reader.read_exact(&mut [0; 1]).unwrap();
    assert!(!format!("{reader:?}").contains("171, 171"), "reader");
}

#[test]
fn lengths_that_the_format_does_not_hold_are_none() {
    let most = (1_u64 << 32) * u64::try_from(CHUNK_LEN).unwrap();
    let (_, object_key) = begin();
    assert!(object_key.sealed_len(most).is_some());
    assert_eq!(object_key.sealed_len(most + 1), None);
    assert_eq!((object_key.sealed_len(0), two_layers().1.sealed_len(1)), (Some(32), Some(49)));
}
