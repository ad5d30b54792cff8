//! Sealing: whatever is asked of a log whose oldest records moved to an archive is answered as if they had
//! not; what is wrong with the archive is said, and loses nothing.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;
use strongroom::audit::files::{Destination, Files, Folder, Held, LogFile, export, verify};
use strongroom::audit::{Error, Keep, LogChange, LogKeys, Order, Query, TreeName};
use strongroom::crypto::SecretKey;
use strongroom::store::Space;
use tempfile::TempDir;

use crate::log::{MadeLog, leaf};

/// A log with an archive in a folder of its own.
fn sealable() -> (TempDir, MadeLog) {
    let folder = tempfile::tempdir().unwrap();
    let archive = Arc::new(Folder::at(folder.path()));
    let made = MadeLog::new().with_archive(archive);
    (folder, made)
}

/// What a log answers, in every way there is, at some places.
fn answers(made: &MadeLog, places: &[u64]) -> Vec<String> {
    let (log, size) = (&made.log, made.log.head().size);
    let mut said = vec![format!("{:?}", log.check_all().unwrap())];
    for place in places.iter().map(|place| place % size) {
        said.push(format!("{:?}", log.read(place, 300).unwrap()));
        said.push(format!("{:?}", log.entry(place).unwrap()));
        said.push(format!("{:?}", log.prove_inclusion(place, None).unwrap()));
        said.push(format!("{:?}", log.prove_inclusion(place, Some(place + 1)).unwrap()));
        if place > 0 {
            let (old, new) = (TreeName::Size(place), TreeName::Size(size));
            let proved = log.prove_consistency(&old, &new).unwrap();
            proved.check().unwrap();
            said.push(format!("{proved:?}"));
        }
        let query = Query {
            start_index: Some(place),
            operation: Some("GenerateMac".to_owned()),
            order: Order::OldestFirst,
            ..Query::default()
        };
        said.push(format!("{:?}", log.query(&query).unwrap()));
        let newest = Query { end_index: Some(place + 1), ..Query::default() };
        said.push(format!("{:?}", log.query(&newest).unwrap()));
        let whole = |number, width| LogFile::Entries { number, width };
        let tile = |level, number, width| LogFile::Tile { level, number, width };
        for file in [
            whole(place / 256, 256),
            whole(place / 256, 7),
            tile(0, place / 256, 256),
            tile(0, place / 256, 3),
            tile(1, 0, u16::try_from((size / 256).clamp(1, 255)).unwrap()),
        ] {
            said.push(format!("{:?}", Files::read(log, file).unwrap()));
        }
    }
    said
}

/// One thing that happens to a log.
#[derive(Debug, Clone)]
enum Step {
    Grow(u64),
    Seal(u64),
    Look(Vec<u64>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..700_u64).prop_map(Step::Grow),
        (0..4_u64).prop_map(Step::Seal),
        prop::collection::vec(any::<u64>(), 3).prop_map(Step::Look),
    ];
    prop::collection::vec(step, 4..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_sealed_log_answers_as_one_that_keeps_everything(steps in steps()) {
        let (_folder, sealed) = sealable();
        let model = MadeLog::new();
        let mut size = 300;
        for step in steps.into_iter().chain([Step::Seal(0), Step::Look(vec![0, 1, 255, 256, 1000])]) {
            for made in [&sealed, &model] {
                made.grow(if size % 2 == 0 { "GenerateMac" } else { "GenerateRandom" }, size);
            }
            match step {
                Step::Grow(more) => size += more,
                Step::Seal(kept) => {
                    let keep = Keep { records: Some(kept * 256), age: None };
                    if let Some(end) = sealed.log.due(&keep, DateTime::default()).unwrap() {
                        sealed.seal(end).unwrap();
                        model.grow("SealLog", size + 1);
                        size += 1;
                        prop_assert_eq!(sealed.log.sealed_size(), end);
                        for space in [Space::Leaf, Space::Hash] {
                            prop_assert_eq!(sealed.rows(space)[0], end, "nothing of it is left");
                        }
                    }
                }
                Step::Look(places) => {
                    prop_assert_eq!(answers(&sealed, &places), answers(&model, &places));
                }
            }
        }
        let again = sealed.reopened();
        prop_assert_eq!(again.head(), model.log.head());
        prop_assert_eq!(again.check_store().unwrap(), model.log.check_all().unwrap());
        sealed.log.reindex(|_| ()).unwrap();
        prop_assert_eq!(answers(&sealed, &[3, 700]), answers(&model, &[3, 700]));
    }
}

#[test]
fn the_archive_is_a_log_of_its_own_that_its_key_verifies_at_every_size() {
    let (folder, made) = sealable();
    let (mut older, other) = (Vec::new(), MadeLog::new());
    for (size, end) in [(300, 256), (1100, 1024), (66_200, 65_536), (66_900, 66_560)] {
        made.grow("GenerateRandom", size);
        other.grow("GenerateRandom", size);
        made.seal(end).unwrap();
        other.grow("SealLog", size + 1);
        let archive = Folder::at(folder.path());
        let checked = verify(&archive, &made.log.keys(), &older, |_| ()).unwrap();
        assert_eq!((checked.size, made.log.sealed_size()), (end, end));
        other.log.contains_tree(&checked).unwrap();
        older.push(checked);
    }
    // Everything is still exported from archive and store.
    let exported = tempfile::tempdir().unwrap();
    let to = Folder::at(exported.path());
    export(&made.log, &to, &made.log.keys(), |_| ()).unwrap();
    assert_eq!(verify(&to, &made.log.keys(), &older, |_| ()).unwrap().size, 66_901);
    assert_eq!(made.log.head(), other.log.head());
    assert_eq!(made.log.check_all().unwrap().size, 66_901);
}

/// A key is believed about trees up to where it handed over, whenever they are signed.
#[test]
fn what_was_sealed_is_signed_by_the_key_whose_turn_it_was() {
    let (folder, made) = sealable();
    made.grow("GenerateRandom", 600);
    let first = LogKeys::new(&made.log.verifier_key());
    let successor = made.log.successor(&SecretKey::from_bytes([8; 32])).unwrap();
    made.append(leaf("RotateLogKey", 600).changing(Some(LogChange::HandOver(Arc::new(successor)))));
    made.seal(512).unwrap();
    let archive = Folder::at(folder.path());
    assert_eq!(verify(&archive, &first, &[], |_| ()).unwrap().size, 512);
    made.grow("GenerateRandom", 900);
    made.seal(768).unwrap();
    assert_eq!(verify(&archive, &made.log.keys(), &[], |_| ()).unwrap().size, 768);
    assert!(verify(&archive, &first, &[], |_| ()).is_err(), "it had handed over by then");
    assert_eq!(made.log.check_all().unwrap().size, 901);
}

#[test]
fn what_is_due_is_whole_blocks_past_number_or_age() {
    let (_folder, made) = sealable();
    made.grow("GenerateRandom", 1000);
    let start = DateTime::from_timestamp_micros(1_800_000_000_000_000).unwrap();
    let due = |records: Option<u64>, age: Option<u64>, now: u64| {
        let keep = Keep { records, age: age.map(Duration::from_micros) };
        made.log.due(&keep, start + Duration::from_micros(now)).unwrap()
    };
    assert_eq!(due(None, None, 5000), None);
    assert_eq!(due(Some(0), None, 0), Some(768));
    assert_eq!(due(Some(232), None, 0), Some(768));
    assert_eq!(due(Some(233), None, 0), Some(512));
    assert_eq!(due(Some(745), None, 0), None);
    assert_eq!(due(Some(u64::MAX), None, 0), None);
    // The last of the first block is of microsecond 255.
    assert_eq!((due(None, Some(100), 355), due(None, Some(100), 356)), (None, Some(256)));
    assert_eq!(due(None, Some(0), 5000), Some(768));
    assert_eq!(due(Some(400), Some(100), 356), Some(512));
    assert_eq!(due(Some(900), Some(100), 700), Some(512));
    made.seal(512).unwrap();
    assert_eq!((due(Some(400), None, 0), due(None, Some(100), 356)), (None, None));
    assert_eq!(due(None, Some(100), 900), Some(768));
    made.grow("GenerateRandom", 40_000);
    assert_eq!(due(Some(0), None, 0), Some(512 + 64 * 256), "not everything at once");
}

/// An archive that fails, or keeps something else, from one write on.
#[derive(Debug)]
struct Faulty {
    folder: Folder,
    left: AtomicUsize,
    fault: Fault,
}

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// The disk is full.
    Refuse,
    /// It says that it was written.
    Forget,
    Shorten,
    Alter,
}

impl Files for Faulty {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        self.folder.read(file)
    }
}

impl Destination for Faulty {
    fn location(&self) -> String {
        self.folder.location()
    }

    fn hold(&self) -> Result<Held, Error> {
        self.folder.hold()
    }

    fn is_fresh(&self) -> Result<bool, Error> {
        self.folder.is_fresh()
    }

    fn write(&self, file: LogFile, bytes: &[u8]) -> Result<(), Error> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        let mut bytes = bytes.to_vec();
        match (left, self.fault) {
            (0, Fault::Refuse) => {
                let source = std::io::ErrorKind::StorageFull.into();
                return Err(Error::Write { path: file.path().into(), source });
            }
            (0, Fault::Forget) => return Ok(()),
            (0, Fault::Shorten) => bytes.truncate(bytes.len() / 2),
            (0, Fault::Alter) => bytes[9] ^= 1,
            _ => {}
        }
        self.folder.write(file, &bytes)
    }

    fn sync(&self, within: &str) -> Result<(), Error> {
        self.folder.sync(within)
    }
}

#[test]
fn what_does_not_come_back_from_the_archive_leaves_nothing_and_is_made_good() {
    for fault in [Fault::Refuse, Fault::Forget, Fault::Shorten, Fault::Alter] {
        let folder = tempfile::tempdir().unwrap();
        let honest = Arc::new(Folder::at(folder.path()));
        let made = MadeLog::of(700);
        let made = made.with_archive(honest);
        made.seal(256).unwrap();
        let made = std::cell::RefCell::new(Some(made));
        // A sealing of one more block writes a bundle, two tiles and a checkpoint.
        for writes in 0..4 {
            let (folder, left) = (Folder::at(folder.path()), AtomicUsize::new(writes));
            let faulty =
                made.take().unwrap().with_archive(Arc::new(Faulty { folder, left, fault }));
            let before = answers(&faulty, &[0, 300]);
            let refused = faulty.seal(512).map_err(|error| error.to_string());
            assert!(refused.is_err(), "{fault:?} {writes}");
            assert_eq!(faulty.log.sealed_size(), 256, "{fault:?} {writes}");
            assert_eq!(answers(&faulty, &[0, 300]), before, "{fault:?} {writes}");
            assert_eq!(faulty.reopened().check_store().unwrap().size, 701);
            made.replace(Some(faulty));
        }
        let archive = Arc::new(Folder::at(folder.path()));
        let mended = made.take().unwrap().with_archive(archive);
        mended.seal(512).unwrap();
        assert_eq!(mended.log.sealed_size(), 512);
        mended.log.check_all().unwrap();
        let archive = Folder::at(folder.path());
        verify(&archive, &mended.log.keys(), &[], |_| ()).unwrap();
    }
}

#[test]
fn a_sealing_that_was_not_committed_is_taken_up_again_also_when_more_is_kept() {
    let (_folder, made) = sealable();
    made.grow("GenerateRandom", 1500);
    made.seal(256).unwrap();
    let broken_off = made.log.archive(768, |_| ()).unwrap();
    assert_eq!((broken_off.from, broken_off.tree.size), (256, 768));
    let again = made.reopened();
    assert_eq!(again.sealed_size(), 256);
    again.check_store().unwrap();
    made.seal(512).unwrap();
    assert_eq!(made.log.sealed_size(), 768, "what is in the archive already is sealed with it");
    // One that was made before changes nothing any more.
    let late = crate::log::leaf("SealLog", made.log.head().size)
        .changing(Some(LogChange::Seal(Arc::new(broken_off))));
    let extension = made.log.extend(vec![late]).unwrap();
    assert!(extension.rows.iter().all(|row| row.value.is_some()));
}

/// Runs `look` with a file changed, or gone.
fn with(path: &Path, change: Option<fn(&mut Vec<u8>)>, look: impl FnOnce()) {
    let bytes = fs::read(path).unwrap();
    fs::remove_file(path).unwrap();
    if let Some(change) = change {
        let mut changed = bytes.clone();
        change(&mut changed);
        fs::write(path, changed).unwrap();
    }
    look();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_missing_short_or_altered_file_is_named_and_newer_records_are_read() {
    let (folder, made) = sealable();
    made.grow("GenerateRandom", 1500);
    made.seal(1280).unwrap();
    let flip: fn(&mut Vec<u8>) = |bytes| bytes[100] ^= 1;
    let cut: fn(&mut Vec<u8>) = |bytes| bytes.truncate(bytes.len() / 2);
    let long: fn(&mut Vec<u8>) = |bytes| bytes.extend([0, 1, 7]);
    for (name, change, record, word) in [
        ("tile/entries/002", None, 512, "is not there"),
        ("tile/entries/002", Some(flip), 512, "is not what was written"),
        ("tile/entries/002", Some(cut), 640, "is not what was written"),
        ("tile/entries/002", Some(long), 768, "is not what was written"),
        ("tile/1/000.p/5", None, 0, "is not there"),
        ("tile/1/000.p/5", Some(flip), 0, "is not what was written"),
        ("tile/1/000.p/5", Some(cut), 0, "is not what was written"),
    ] {
        with(&folder.path().join(name), change, || {
            // Nothing of it is kept from before.
            let log = made.reopened().with_archive(Arc::new(Folder::at(folder.path())), "");
            let said = log.entry(600).unwrap_err().to_string();
            assert!(said.contains(name) && said.contains(word), "{name}: {said}");
            assert!(said.contains(&format!("records from {record} on")), "{name}: {said}");
            assert!(log.check_all().is_err() && log.query(&Query::default()).is_ok());
            assert_eq!(log.read(1280, 1000).unwrap().len(), 221);
            log.check_store().unwrap();
        });
    }
    // Proofs read hashes alone, and say which file is missing, too.
    with(&folder.path().join("tile/0/002"), None, || {
        let log = made.reopened().with_archive(Arc::new(Folder::at(folder.path())), "");
        let said = log.prove_inclusion(600, None).unwrap_err().to_string();
        assert!(said.contains("tile/0/002 is not there"), "{said}");
        log.prove_inclusion(1300, None).unwrap();
        log.prove_inclusion(100, Some(256)).unwrap();
    });
    // Without any archive.
    fs::rename(folder.path().join("tile"), folder.path().join("gone")).unwrap();
    let log = made.reopened().with_archive(Arc::new(Folder::at(folder.path())), "");
    assert!(matches!(log.entry(0), Err(Error::Archive { record: 0, .. })));
    assert_eq!(log.check_store().unwrap().size, 1501);
    let more = log.archive(1280, |_| ()).unwrap_err().to_string();
    assert!(more.contains("there is no tile/1/000.p/5"), "nothing more is sealed into it: {more}");
}

#[test]
fn an_archive_of_another_log_is_refused_and_left_as_it_is() {
    let (folder, made) = sealable();
    made.grow("GenerateRandom", 600);
    let stranger = MadeLog::signed_by([6; 32]);
    stranger.grow("GenerateRandom", 300);
    let to = Folder::at(folder.path());
    export(&stranger.log, &to, &stranger.log.keys(), |_| ()).unwrap();
    let before = fs::read(folder.path().join("checkpoint")).unwrap();
    let refused = made.seal(256).unwrap_err().to_string();
    assert!(refused.contains("not signed by this log's key"), "{refused}");
    assert_eq!(fs::read(folder.path().join("checkpoint")).unwrap(), before);
    assert_eq!((made.log.sealed_size(), made.log.head().size), (0, 600));
}

#[test]
fn a_store_that_says_something_else_was_sealed_does_not_open() {
    let (_folder, made) = sealable();
    made.grow("GenerateRandom", 700);
    made.seal(512).unwrap();
    let altered = made.altered_meta("sealed", |row| row[20] ^= 1);
    assert!(altered.unwrap_err().to_string().contains("damaged"));
    for size in [256_u64, 511, 768, 1024] {
        let altered = made.altered_meta("sealed", |row| {
            row[..8].copy_from_slice(&size.to_be_bytes());
        });
        assert!(altered.is_err(), "{size}");
    }
    made.altered_meta("archive", Vec::clear).unwrap();
}
