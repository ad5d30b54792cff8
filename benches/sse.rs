//! Sealing and opening an object, beside the bare cipher of the same library on the same chunks.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strongroom::crypto::SecretKey;
use strongroom::sse::client_side::{
    AesKeyring, CommitmentPolicy, Description, OpeningKey, Reading, SealingKey, open_buffered,
    open_delayed, seal_body,
};
use strongroom::sse::{CHUNK_LEN, Envelope, ObjectName, open_stream, seal_stream};

const CHUNKS: usize = 256;

fn sse(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let data_key = SecretKey::from_bytes([7; 32]);
    let name = ObjectName { bucket: "bucket".to_owned(), name: "object".to_owned() };
    let (_, object_key) = Envelope::seal(&data_key, b"w", &name, &BTreeMap::new()).unwrap();
    let cipher = object_key.part(1).unwrap();
    let mut group = criterion.benchmark_group("16 MiB");
    group.throughput(Throughput::Bytes(u64::try_from(CHUNKS * CHUNK_LEN).unwrap()));
    let bare = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let mut chunk = vec![1; CHUNK_LEN];
    group.bench_function("bare AES-256-GCM, in place", |bencher| {
        bencher.iter(|| {
            for index in 0..CHUNKS {
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&index.to_be_bytes());
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = bare.seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk);
                let _ = std::hint::black_box(tag.unwrap());
            }
        });
    });
    let mut sealed = Vec::with_capacity(CHUNK_LEN + 16);
    sealed.resize(CHUNK_LEN, 1);
    group.bench_function("seal chunks, in place", |bencher| {
        bencher.iter(|| {
            for index in 0..u64::try_from(CHUNKS).unwrap() {
                sealed.truncate(CHUNK_LEN);
                cipher.seal(index, &mut sealed).unwrap();
            }
        });
    });
    let plaintext = vec![1; CHUNKS * CHUNK_LEN];
    let mut body = Vec::new();
    group.bench_function("seal_stream, memory to memory", |bencher| {
        bencher.iter(|| {
            body.clear();
            let sealed = seal_stream(plaintext.as_slice(), &mut body, &cipher, |_| ());
            runtime.block_on(sealed).unwrap()
        });
    });
    let mut opened = Vec::new();
    group.bench_function("open_stream, memory to memory", |bencher| {
        bencher.iter(|| {
            opened.clear();
            let done = open_stream(body.as_slice(), &mut opened, &cipher, |_| ());
            runtime.block_on(done).unwrap()
        });
    });
    let mut keyring = AesKeyring::new(SecretKey::from_bytes([7; 32]));
    let (policy, said) = (CommitmentPolicy::default(), Description::new());
    let made = runtime.block_on(SealingKey::generate(&mut keyring, policy, &said));
    let (metadata, key) = made.unwrap();
    let mut message = Vec::new();
    runtime.block_on(seal_body(plaintext.as_slice(), &mut message, key, |_| ())).unwrap();
    group.bench_function("client_side::seal_body", |bencher| {
        bencher.iter(|| {
            body.clear();
            let made = runtime.block_on(SealingKey::generate(&mut keyring, policy, &said));
            let sealed = seal_body(plaintext.as_slice(), &mut body, made.unwrap().1, |_| ());
            runtime.block_on(sealed).unwrap()
        });
    });
    let key = OpeningKey::unwrap(&mut keyring, &metadata, Reading::default(), &said);
    let key = runtime.block_on(key).unwrap();
    group.bench_function("client_side::open_delayed", |bencher| {
        bencher.iter(|| {
            opened.clear();
            let done = open_delayed(message.as_slice(), &mut opened, &key, |_| ());
            runtime.block_on(done).unwrap()
        });
    });
    group.bench_function("client_side::open_buffered", |bencher| {
        bencher.iter(|| {
            let done = open_buffered(message.as_slice(), &key, CHUNKS * CHUNK_LEN);
            runtime.block_on(done).unwrap().len()
        });
    });
    group.finish();
}

criterion_group!(benches, sse);
criterion_main!(benches);
