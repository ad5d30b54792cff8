//! One call through the walk, in process: what the audit and the commit cost without a wire.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use criterion::{Criterion, criterion_group, criterion_main};
use strongroom::Strongroom;
use strongroom::kms::{CreateKey, GenerateDataKey, GenerateRandom};

fn walk(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let room = Strongroom::builder().ephemeral().build().unwrap();
    let key_id = runtime.block_on(room.call(CreateKey::default())).unwrap().key_id;
    let mut group = criterion.benchmark_group("walk, ephemeral, one caller");
    group.bench_function("GenerateDataKey", |bencher| {
        bencher.iter(|| {
            let key_spec = Some("AES_256".to_owned());
            let key_id = key_id.clone();
            let request = GenerateDataKey { key_id: key_id.into(), key_spec, ..Default::default() };
            runtime.block_on(room.call(request)).unwrap()
        });
    });
    group.bench_function("GenerateRandom", |bencher| {
        bencher.iter(|| {
            let request = GenerateRandom { number_of_bytes: Some(32), ..Default::default() };
            runtime.block_on(room.call(request)).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, walk);
criterion_main!(benches);
