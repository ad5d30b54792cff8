//! Sealing and opening objects, beside the bare cipher of the same library on the same chunks.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use strongroom::crypto::SecretKey;
use strongroom::sse::client_side::{
    AesKeyring, CommitmentPolicy, Description, OpeningKey, Reading, SealingKey, open_buffered,
    open_delayed, seal_body,
};
use strongroom::sse::{
    CHUNK_LEN, Checksum, Digested, Digests, ObjectInfo, ObjectKey, RangeOpener, RangeReader,
    SealedPart, open_stream, seal_stream, seal_stream_on,
};
use tokio::io::AsyncReadExt as _;

const MIB: usize = 1 << 20;

/// How much more memory is resident, at its peak, while 1 GiB is sealed, and while it is sealed and opened. Says
/// so, and measures nothing else; before the others, as memory that was used once stays resident.
fn memory(_: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let key = Arc::new(ObjectKey::new(false).unwrap());
    let whole = u64::try_from(1024 * MIB).unwrap();
    let plaintext = || tokio::io::repeat(1).take(whole);
    let sealer = || key.seal_part(1).unwrap();
    let cores = std::num::NonZeroUsize::new(2).unwrap();
    let Some(idle) = peak() else { return };
    let said = |what: &str| eprintln!("{what}: {} KiB above idle", peak().unwrap_or(idle) - idle);
    let none = Digests::default;
    let sink = tokio::io::sink;
    runtime.block_on(seal_stream(plaintext(), sink(), sealer(), none(), |_| ())).unwrap();
    said("1 GiB, seal_stream");
    runtime.block_on(seal_stream_on(cores, plaintext(), sink(), sealer(), none())).unwrap();
    said("1 GiB, seal_stream_on two cores");
    let (into, from) = tokio::io::duplex(CHUNK_LEN);
    let opened = runtime.spawn(open_stream(from, sink(), Arc::clone(&key), 1, |_| ()));
    runtime.block_on(seal_stream(plaintext(), into, sealer(), none(), |_| ())).unwrap();
    assert_eq!(runtime.block_on(opened).unwrap().unwrap(), whole);
    said("1 GiB, seal_stream into open_stream");
}

/// KiB that were resident at the most; none where the operating system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// 64 MiB: bare cipher on one core and on two, chunks in place, streams beside what copying alone costs,
/// two layers, digests.
fn whole(criterion: &mut Criterion) {
    let chunks = 64 * MIB / CHUNK_LEN;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (one, two) = (Arc::new(ObjectKey::new(false).unwrap()), ObjectKey::new(true).unwrap());
    let mut group = criterion.benchmark_group("64 MiB");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(u64::try_from(64 * MIB).unwrap()));
    let bare = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    group.bench_function("bare AES-256-GCM, in place", |bencher| {
        bencher.iter(|| seal_bare(&bare, 0..chunks));
    });
    group.bench_function("bare AES-256-GCM, in place, two threads", |bencher| {
        bencher.iter(|| {
            std::thread::scope(|scope| {
                scope.spawn(|| seal_bare(&bare, 0..chunks / 2));
                seal_bare(&bare, chunks / 2..chunks);
            });
        });
    });
    for (name, key) in [("SSE-KMS", one.as_ref()), ("DSSE-KMS", &two)] {
        let cipher = key.part(1, &[0; 16]).unwrap();
        let mut sealed = Vec::with_capacity(cipher.sealed_chunk_len());
        sealed.resize(CHUNK_LEN, 1);
        group.bench_function(format!("{name}: seal chunks, in place"), |bencher| {
            bencher.iter(|| {
                for index in 0..u64::try_from(chunks).unwrap() {
                    sealed.truncate(CHUNK_LEN);
                    cipher.seal(index, &mut sealed).unwrap();
                }
            });
        });
    }
    let plaintext = vec![1; 64 * MIB];
    let mut body = Vec::new();
    group.bench_function("copied into chunks and out of them", |bencher| {
        bencher.iter(|| {
            body.clear();
            let mut chunk = Vec::with_capacity(CHUNK_LEN);
            for piece in plaintext.chunks(CHUNK_LEN) {
                chunk.clear();
                chunk.extend_from_slice(std::hint::black_box(piece));
                body.extend_from_slice(std::hint::black_box(&chunk));
            }
        });
    });
    let mut seal = |digests: fn() -> Digests| {
        body.clear();
        let sealer = one.seal_part(1).unwrap();
        let done = seal_stream(plaintext.as_slice(), &mut body, sealer, digests(), |_| ());
        runtime.block_on(done).unwrap()
    };
    group.bench_function("seal_stream", |bencher| bencher.iter(|| seal(Digests::default)));
    group.bench_function("seal_stream, CRC64NVME", |bencher| {
        bencher.iter(|| seal(|| Digests::new(false, &[Checksum::Crc64Nvme])));
    });
    group.bench_function("seal_stream, MD5", |bencher| {
        bencher.iter(|| seal(|| Digests::new(true, &[])));
    });
    let cores = std::num::NonZeroUsize::new(2).unwrap();
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    let mut many = Vec::with_capacity(65 * MIB);
    group.bench_function("seal_stream_on two cores", |bencher| {
        bencher.iter(|| {
            many.clear();
            let sealer = one.seal_part(1).unwrap();
            let done =
                seal_stream_on(cores, plaintext.as_slice(), &mut many, sealer, Digests::default());
            threads.block_on(done).unwrap()
        });
    });
    let mut opened = Vec::new();
    group.bench_function("open_stream", |bencher| {
        bencher.iter(|| {
            opened.clear();
            let done = open_stream(body.as_slice(), &mut opened, Arc::clone(&one), 1, |_| ());
            runtime.block_on(done).unwrap()
        });
    });
    group.finish();
}

/// Seals as many chunks as there are indexes with the bare cipher: one buffer, again and again.
fn seal_bare(key: &LessSafeKey, indexes: Range<usize>) {
    let mut chunk = vec![1; CHUNK_LEN];
    for index in indexes {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&index.to_be_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut chunk);
        let _ = std::hint::black_box(tag.unwrap());
    }
}

/// The S3 Encryption Client's bodies: 64 MiB in one message, on one core.
fn message(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let plaintext = vec![1; 64 * MIB];
    let (mut body, mut opened) = (Vec::new(), Vec::new());
    let mut group = criterion.benchmark_group("64 MiB");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(u64::try_from(64 * MIB).unwrap()));
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
            let done = open_buffered(message.as_slice(), &key, 64 * MIB);
            runtime.block_on(done).unwrap().len()
        });
    });
    group.finish();
}

/// 1 KiB and 1 MiB whole, beside an empty one; 1 MiB out of 1 GiB, beside 1 MiB out of 4 MiB.
fn small(criterion: &mut Criterion) {
    let key = Arc::new(ObjectKey::new(false).unwrap());
    let mut group = criterion.benchmark_group("small");
    for len in [0, 1024, MIB] {
        let plaintext = vec![1; len];
        group.bench_function(format!("seal {len} bytes"), |bencher| {
            bencher.iter(|| {
                let sealer = key.seal_part(1).unwrap();
                let mut writer =
                    strongroom::sse::SealWriter::new(Vec::new(), sealer, Digests::default());
                std::io::Write::write_all(&mut writer, &plaintext).unwrap();
                writer.finish().unwrap()
            });
        });
    }
    for total in [4 * MIB, 1024 * MIB] {
        // The chunks that are touched, as they are in the whole: its last one is not among them.
        let part = SealedPart { number: 1, len: u64::try_from(total).unwrap(), salt: [0; 16] };
        let info = ObjectInfo::new(vec![part], Digested::default()).unwrap();
        let first = part.len / 2;
        let range = first..first + u64::try_from(MIB).unwrap() - 1;
        let cipher = key.part(1, &part.salt).unwrap();
        let mut stored = Vec::new();
        for index in 0..16 {
            let mut chunk = vec![1; CHUNK_LEN];
            cipher.seal(first / u64::try_from(CHUNK_LEN).unwrap() + index, &mut chunk).unwrap();
            stored.extend(chunk);
        }
        let mut out = Vec::new();
        group.bench_function(format!("1 MiB out of {} MiB", total / MIB), |bencher| {
            bencher.iter(|| {
                out.clear();
                let opener = RangeOpener::new(Arc::clone(&key), &info, range.clone()).unwrap();
                RangeReader::new(stored.as_slice(), opener).read_to_end(&mut out).unwrap()
            });
        });
        group.bench_function(format!("1 MiB out of {} MiB, in place", total / MIB), |bencher| {
            let open = |stored: &mut Vec<u8>| {
                let mut opener = RangeOpener::new(Arc::clone(&key), &info, range.clone()).unwrap();
                let (mut rest, mut len) = (stored.as_mut_slice(), 0);
                while let Some(wanted) = opener.wants() {
                    let (piece, after) = rest.split_at_mut(wanted);
                    len += opener.open(piece).unwrap().len();
                    rest = after;
                }
                len
            };
            bencher.iter_batched_ref(|| stored.clone(), open, BatchSize::LargeInput);
        });
    }
    group.finish();
}

criterion_group!(benches, memory, whole, message, small);
criterion_main!(benches);
