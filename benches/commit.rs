//! 64 writers' records made durable, beside what the same disk does with bare grouped appends.
//!
//! Bare appends come in two kinds: records that are there already, in groups of 64; and records of 64 writers
//! who each wait until theirs is durable, as a commit has them. What differs between the second kind and the
//! commit is what the commit does: encode, hash, index, sign, and sled.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ed25519_dalek::{Signer, SigningKey};
use strongroom::Strongroom;
use strongroom::audit::{Event, Leaf, Log, LogSigner, Outcome};
use strongroom::crypto::SecretKey;
use strongroom::kms::GenerateRandom;
use strongroom::store::{
    Committed, Committer, DataDirectory, Durability, Entry, Error, GroupCommitted, Journaled,
    Medium,
};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// The one that the binary has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WRITERS: u64 = 64;

fn commit(criterion: &mut Criterion) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut group = criterion.benchmark_group("64 writers, records a second");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.throughput(Throughput::Elements(WRITERS));

    let mut file = File::create(folder.path().join("bare")).unwrap();
    let records = event(0).into_leaf().bytes.repeat(usize::try_from(WRITERS).unwrap());
    group.bench_function("bare appends of 64 records and fdatasync", |bencher| {
        bencher.iter(|| {
            file.write_all(&records).unwrap();
            file.sync_data().unwrap();
        });
    });

    let appends = Arc::new(Appends::start(&folder.path().join("waiting")));
    group.bench_function("bare appends, each writer waiting for its own", |bencher| {
        bencher.iter_custom(|rounds| {
            let appends = Arc::clone(&appends);
            each_writer(&runtime, rounds, move |number| {
                let (reply, told) = oneshot::channel();
                appends.queue.send((event(number).into_leaf().bytes, reply)).unwrap();
                told
            })
        });
    });
    eprintln!("{:.1} records a group", appends.groups.mean());

    for (durability, name) in [
        (Durability::Disk, "commits: encoded, hashed, indexed, signed and durable"),
        (Durability::Memory, "commits, without the disk's barrier"),
    ] {
        let commits = Arc::new(Commits::start(&folder.path().join(name), durability));
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let commits = Arc::clone(&commits);
                each_writer(&runtime, rounds, move |number| {
                    let (reply, told) = oneshot::channel();
                    commits.submit(event(number).into_leaf(), reply);
                    told
                })
            });
        });
        eprintln!("{:.1} records a group", commits.groups.mean());
    }

    // Each group has one.
    let (key, note) = (SigningKey::from_bytes(&[5; 32]), [b'x'; 100]);
    group.throughput(Throughput::Elements(1));
    group.bench_function("one signature", |bencher| bencher.iter(|| key.sign(&note)));
    group.throughput(Throughput::Elements(WRITERS));

    let room = Strongroom::builder().data_dir(folder.path().join("data")).build().unwrap();
    let room = Arc::new(room);
    group.bench_function("calls, authorised, recorded, signed and durable", |bencher| {
        bencher.iter_custom(|rounds| {
            let room = Arc::clone(&room);
            each_writer(&runtime, rounds, move |_| {
                let room = Arc::clone(&room);
                async move {
                    let number_of_bytes = Some(1);
                    let request = GenerateRandom { number_of_bytes, ..Default::default() };
                    room.call(request).await
                }
            })
        });
    });
    group.finish();
}

/// How long it takes until each of 64 writers has written so many records, one after the other.
fn each_writer<F, T, E>(
    runtime: &Runtime,
    rounds: u64,
    write: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Duration
where
    F: Future<Output = Result<T, E>> + Send,
    E: std::fmt::Debug,
{
    let began = Instant::now();
    let writer = |number: u64| {
        let write = write.clone();
        async move {
            for round in 0..rounds {
                write(round * WRITERS + number).await.unwrap();
            }
        }
    };
    let writers: Vec<_> = (0..WRITERS).map(|number| runtime.spawn(writer(number))).collect();
    for writer in writers {
        runtime.block_on(writer).unwrap();
    }
    began.elapsed()
}

/// What a call of [`GenerateRandom`] leaves.
fn event(number: u64) -> Event {
    let time = DateTime::UNIX_EPOCH + TimeDelta::microseconds(i64::try_from(number).unwrap());
    // As a service's are: their time in front, then a counter.
    let (millis, counter) = (format!("{:012x}", number / 64), number % 64);
    let (high, low) = millis.split_at(8);
    let id = format!("{high}-{low}-7{counter:03x}-8000-{number:012}");
    let mut event = Event::new(time, &id, "GenerateRandom", "kms:GenerateRandom");
    event.outcome = Outcome::Success;
    event.principal = "arn:aws:iam::111122223333:root".to_owned();
    event.account = "111122223333".to_owned();
    event.region = "us-east-1".to_owned();
    event.door = "in-process".to_owned();
    event.parameters.insert("number_of_bytes".to_owned(), 1.into());
    event.decided_by = Some("no credentials file: everything".to_owned());
    event
}

/// How many records were made durable at once.
#[derive(Debug, Clone, Default)]
struct Groups(Arc<[AtomicU64; 2]>);

impl Groups {
    fn count(&self, records: usize) {
        let [groups, all] = self.0.as_ref();
        groups.fetch_add(1, Ordering::Relaxed);
        all.fetch_add(u64::try_from(records).unwrap(), Ordering::Relaxed);
    }

    #[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for people")]
    fn mean(&self) -> f64 {
        let [groups, all] = self.0.as_ref();
        all.load(Ordering::Relaxed) as f64 / groups.load(Ordering::Relaxed) as f64
    }
}

/// One thread that appends whatever waits to a file, syncs it, and answers.
struct Appends {
    queue: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    groups: Groups,
}

impl Appends {
    fn start(path: &Path) -> Self {
        let mut file = File::create(path).unwrap();
        let (queue, waiting) = mpsc::channel::<(Vec<u8>, oneshot::Sender<()>)>();
        let groups = Groups::default();
        let counted = groups.clone();
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let (records, replies): (Vec<_>, Vec<_>) =
                    std::iter::once(first).chain(waiting.try_iter()).unzip();
                file.write_all(&records.concat()).unwrap();
                file.sync_data().unwrap();
                counted.count(replies.len());
                replies.into_iter().for_each(|reply| reply.send(()).unwrap());
            }
        });
        Self { queue, groups }
    }
}

/// A committer that extends a log, as the service has one, without a service.
struct Commits {
    committer: Committer<Leaf>,
    groups: Groups,
    _directory: DataDirectory,
}

impl Commits {
    fn start(path: &Path, durability: Durability) -> Self {
        let directory = DataDirectory::open(path, None, durability).unwrap();
        let signer = LogSigner::new(ORIGIN, &SecretKey::from_bytes([5; 32])).unwrap();
        let log = Arc::new(Log::open(Arc::clone(&directory.engine), signer).unwrap());
        let medium = Medium {
            engine: Arc::clone(&directory.engine),
            sealer: Arc::clone(&directory.sealer),
            anchor: directory.anchor().unwrap(),
            durability,
        };
        let extend = move |leaves: Vec<Leaf>| {
            let mut extension = log.extend(leaves).map_err(|error| error.to_string())?;
            let log = Arc::clone(&log);
            Ok(Journaled {
                rows: std::mem::take(&mut extension.rows),
                checkpoint: extension.checkpoint.clone(),
                first_index: extension.first_index,
                publish: Box::new(move || log.publish(&extension)),
            })
        };
        let groups = Groups::default();
        let counted = groups.clone();
        let observe = move |group: GroupCommitted| counted.count(group.entries);
        let committer =
            Committer::start(medium, HashMap::new(), 0, extend, |_| (), observe).unwrap();
        Self { committer, groups, _directory: directory }
    }

    fn submit(&self, leaf: Leaf, told: oneshot::Sender<()>) {
        let leaf_len = leaf.bytes.len();
        let reply = Box::new(move |done: Result<Committed<'_>, Error>| {
            done.unwrap();
            told.send(()).unwrap();
        });
        let (changes, reads) = (Vec::new(), Vec::new());
        self.committer.submit(Entry { changes, reads, leaf, leaf_len, reply });
    }
}

const ORIGIN: &str = "bench.example/log";

criterion_group!(benches, commit);
criterion_main!(benches);
