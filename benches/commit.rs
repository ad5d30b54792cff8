//! 64 writers' records made durable, beside what the same disk does with bare grouped appends.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strongroom::Strongroom;
use strongroom::kms::GenerateRandom;

const WRITERS: u64 = 64;
/// Bytes of the entry that a call of [`GenerateRandom`] leaves, about.
const ENTRY: usize = 400;

fn commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let mut group = criterion.benchmark_group("64 writers, records a second");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(WRITERS));

    let mut file = File::create(folder.path().join("bare")).unwrap();
    let records = vec![7; ENTRY * usize::try_from(WRITERS).unwrap()];
    group.bench_function("bare appends of 64 records and fdatasync", |bencher| {
        bencher.iter(|| {
            file.write_all(&records).unwrap();
            file.sync_data().unwrap();
        });
    });

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let room = Strongroom::builder().data_dir(folder.path().join("data")).build().unwrap();
    let room = Arc::new(room);
    group.bench_function("calls, authorised, recorded, signed and durable", |bencher| {
        bencher.iter_custom(|rounds| {
            let began = Instant::now();
            let writers: Vec<_> = (0..WRITERS)
                .map(|_| {
                    let room = Arc::clone(&room);
                    runtime.spawn(async move {
                        for _ in 0..rounds {
                            let number_of_bytes = Some(1);
                            let request = GenerateRandom { number_of_bytes, ..Default::default() };
                            room.call(request).await.unwrap();
                        }
                    })
                })
                .collect();
            for writer in writers {
                runtime.block_on(writer).unwrap();
            }
            began.elapsed()
        });
    });
    group.finish();
}

criterion_group!(benches, commit);
criterion_main!(benches);
