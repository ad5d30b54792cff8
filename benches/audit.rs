//! A log verified from its files, beside the bare hashes of its entries.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use strongroom::audit::files::{Folder, export, verify};
use tlog_tiles::tlog::record_hash;

#[path = "../tests/it/log.rs"]
#[expect(dead_code, reason = "the tests use the rest")]
mod log;

const RECORDS: u64 = 100_000;

fn audit(criterion: &mut Criterion) {
    let made = log::MadeLog::of(RECORDS);
    let (keys, folder) = (made.log.keys(), tempfile::tempdir().unwrap());
    let files = Folder::at(folder.path());
    export(&made.log, &files, &keys, |_| ()).unwrap();
    let entries: Vec<_> =
        (0..RECORDS).map(|number| log::leaf("GenerateRandom", number).bytes).collect();
    let mut group = criterion.benchmark_group("100,000 records");
    group.sample_size(10).throughput(Throughput::Elements(RECORDS));
    group.bench_function("their hashes alone", |bencher| {
        bencher.iter(|| {
            for entry in &entries {
                std::hint::black_box(record_hash(entry));
            }
        });
    });
    group.bench_function("audit verify DIR", |bencher| {
        bencher.iter(|| verify(&files, &keys, &[], |_| ()).unwrap());
    });
    group.bench_function("audit verify --data-dir", |bencher| {
        bencher.iter(|| made.log.check_all().unwrap());
    });
    group.finish();
}

criterion_group!(benches, audit);
criterion_main!(benches);
