//! A page of 100 out of a thousand records and out of a million: the bar is the same time, within twice. And
//! the proof of one record.
//!
//! The log lies in a store of its own, written in groups of the size that commits have under load.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};
use criterion::{Criterion, criterion_group, criterion_main};
use strongroom::audit::{Event, Log, LogSigner, Order, Outcome, Query};
use strongroom::crypto::SecretKey;
use strongroom::store::{Durability, Engine};

/// Records of a commit under load.
const GROUP: u64 = 11;

fn event(number: u64) -> Event {
    let time = DateTime::UNIX_EPOCH + TimeDelta::milliseconds(i64::try_from(number).unwrap());
    let operation = if number % 5 == 4 { "Decrypt" } else { "GenerateDataKey" };
    let request_id = format!("00000000-0000-4000-8000-{number:012}");
    let mut event = Event::new(time, &request_id, operation, "kms:Decrypt");
    event.principal = format!("arn:aws:iam::111122223333:user/{}", number % 4);
    event.access_key_id = Some(format!("AKIAIOSFODNN7EXAMP{}", number % 4));
    event.account = "111122223333".to_owned();
    event.region = "us-east-1".to_owned();
    event.source = "127.0.0.1".to_owned();
    event.door = "aws".to_owned();
    event.user_agent = Some("Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux".to_owned());
    event.outcome = Outcome::Success;
    if number % 10_000 == 77 {
        (event.outcome, event.error_code) = (Outcome::Failed, Some("DisabledException".to_owned()));
    }
    let key = number % 7;
    event.key = Some(format!(
        "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-00000000000{key}"
    ));
    event.context.insert("case".to_owned(), (number % 9).to_string());
    event.decided_by = Some("policy default, statement 1".to_owned());
    event
}

/// A log of so many records.
fn log(folder: &std::path::Path, size: u64) -> Log {
    let engine = Arc::new(Engine::open(folder, Durability::Memory).unwrap());
    let signer = LogSigner::new("bench.example/log", &SecretKey::from_bytes([5; 32])).unwrap();
    let log = Log::open(Arc::clone(&engine), signer).unwrap();
    let mut rows = 0;
    for first in (0..size).step_by(usize::try_from(GROUP).unwrap()) {
        let leaves = (first..size.min(first + GROUP)).map(|number| event(number).into_leaf());
        let extension = log.extend(leaves.collect()).unwrap();
        rows += extension.rows.len();
        engine.write(&extension.rows).unwrap();
        log.publish(&extension);
    }
    eprintln!("{size} records in groups of {GROUP}: {:.2} rows a record", ratio(rows, size));
    log
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(rows: usize, size: u64) -> f64 {
    rows as f64 / size as f64
}

fn queries(size: u64) -> Vec<(&'static str, Query)> {
    let text = |text: &str| Some(text.to_owned());
    let asked = Query { limit: Some(100), ..Query::default() };
    let key = text("00000000-0000-4000-8000-000000000003");
    let principal = text("arn:aws:iam::111122223333:user/1");
    let tenth = i64::try_from(size / 10).unwrap();
    let time = |tenths: i64| Some(DateTime::UNIX_EPOCH + TimeDelta::milliseconds(tenths * tenth));
    let request_id = Some(event(size / 3).request_id);
    vec![
        ("key", Query { key: key.clone(), ..asked.clone() }),
        ("principal", Query { principal: principal.clone(), ..asked.clone() }),
        ("operation", Query { operation: text("Decrypt"), ..asked.clone() }),
        (
            "operation, oldest first",
            Query { operation: text("Decrypt"), order: Order::OldestFirst, ..asked.clone() },
        ),
        (
            "key, principal and operation",
            Query { key, principal, operation: text("Decrypt"), ..asked.clone() },
        ),
        ("request id", Query { request_id, ..asked.clone() }),
        (
            "context pair",
            Query { context: [("case".to_owned(), "7".to_owned())].into(), ..asked.clone() },
        ),
        ("time range", Query { start_time: time(3), end_time: time(4), ..asked.clone() }),
        ("error code, one in 10,000", Query { error_code: text("DisabledException"), ..asked }),
    ]
}

fn query(criterion: &mut Criterion) {
    for size in [1_000, 1_000_000] {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), size);
        let mut group = criterion.benchmark_group(format!("a page of {size}"));
        for (name, query) in queries(size) {
            let found = log.query(&query).unwrap().records.len();
            eprintln!("{name}: {found} records");
            group.bench_function(name, |bencher| bencher.iter(|| log.query(&query).unwrap()));
        }
        group.bench_function("proof of a record", |bencher| {
            let mut index = 0;
            bencher.iter(|| {
                index = (index + 7919) % size;
                log.prove_inclusion(index, None).unwrap()
            });
        });
        group.finish();
    }
}

criterion_group!(benches, query);
criterion_main!(benches);
