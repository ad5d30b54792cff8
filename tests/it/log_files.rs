//! The log as files: written as it grows, refused where it is not the log that is there, verified.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use strongroom::audit::files::{Files, Folder, LogFile, export, verify};
use strongroom::audit::{Checkpoint, Error};
use tempfile::TempDir;

use crate::log::MadeLog;

/// An export of a log's state now.
fn exported(made: &MadeLog) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(made, folder.path()).unwrap();
    folder
}

fn write(made: &MadeLog, to: &Path) -> Result<u64, Error> {
    let done = export(&made.log, &Folder::at(to), &made.log.keys(), |_| ())?;
    Ok(done.files)
}

fn check(made: &MadeLog, folder: &Path, older: &[Checkpoint]) -> Result<u64, Error> {
    let files = Folder::at(folder);
    verify(&files, &made.log.keys(), older, |_| ()).map(|found| found.size)
}

fn opened(made: &MadeLog) -> Checkpoint {
    Checkpoint::open(&made.checkpoint(), &made.log.verifier_key()).unwrap()
}

/// Every file below a folder, by its path there.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

#[test]
fn an_export_that_grew_has_every_file_of_one_made_at_once() {
    let (made, grown) = (MadeLog::new(), tempfile::tempdir().unwrap());
    let mut before: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for size in [1, 2, 255, 256, 257, 511, 512, 700, 65_536, 66_100] {
        made.grow("GenerateRandom", size);
        let files = write(&made, grown.path()).unwrap();
        let once = contents(exported(&made).path());
        let grew = contents(grown.path());
        for (name, bytes) in &once {
            assert!(grew.get(name) == Some(bytes), "{name} at {size}");
            let file = LogFile::parse(name).unwrap();
            assert!(
                Files::read(&made.log, file).unwrap().as_ref() == Some(bytes),
                "{name} at {size}"
            );
        }
        // What was published stays, and nothing is written that was there.
        for (name, bytes) in before.iter().filter(|(name, _)| *name != "checkpoint") {
            assert!(grew.get(name) == Some(bytes), "{name} at {size}");
        }
        let new = grew.len() - before.len() + usize::from(!before.is_empty());
        assert!(usize::try_from(files).unwrap() <= new + 1, "{files} for {new} at {size}");
        assert_eq!(check(&made, grown.path(), &[]).unwrap(), size);
        assert_eq!(write(&made, grown.path()).unwrap(), 0, "nothing is new");
        before = grew;
    }
    let names: Vec<_> = before.keys().filter(|name| name.starts_with("tile/2")).collect();
    assert_eq!(names, ["tile/2/000.p/1"]);
    for absent in ["tile/0/258", "tile/0/258.p/53", "tile/1/001", "tile/2/000.p/2", "tile/7/000"] {
        let file = LogFile::parse(absent).unwrap();
        assert_eq!(Files::read(&made.log, file).unwrap(), None, "{absent}");
    }
}

#[test]
fn a_folder_of_another_log_ahead_forked_or_damaged_is_refused_and_left_as_it_is() {
    let made = MadeLog::of(300);
    let refused = |folder: &Path| {
        let before = contents(folder);
        let refused = write(&made, folder).unwrap_err();
        assert!(contents(folder) == before, "{refused}");
        refused
    };
    let stranger = MadeLog::signed_by([6; 32]);
    stranger.grow("GenerateRandom", 200);
    let error = refused(exported(&stranger).path()).to_string();
    assert!(error.contains("another log"), "{error}");
    let ahead = refused(exported(&MadeLog::of(301)).path());
    assert!(matches!(ahead, Error::Rollback { size: 300, older: 301 }), "{ahead}");
    for size in [290, 300] {
        let fork = MadeLog::of(280);
        fork.grow("GenerateMac", size);
        let error = refused(exported(&fork).path());
        assert!(matches!(error, Error::Fork { .. }), "{error}");
    }
    let full = tempfile::tempdir().unwrap();
    fs::write(full.path().join("holiday.jpg"), b"x").unwrap();
    let error = refused(full.path()).to_string();
    assert!(error.contains("is not empty"), "{error}");
    let damaged = exported(&MadeLog::of(290));
    let tile = damaged.path().join("tile/0/001.p/34");
    let mut bytes = fs::read(&tile).unwrap();
    bytes[40] ^= 1;
    fs::write(&tile, bytes).unwrap();
    let error = refused(damaged.path());
    assert!(matches!(error, Error::Damage(_)), "{error}");
    let held = exported(&MadeLog::of(290));
    let lock = fs::File::open(held.path()).unwrap();
    lock.lock().unwrap();
    let error = refused(held.path()).to_string();
    assert!(error.contains("another export"), "{error}");
    drop(lock);
    write(&made, held.path()).unwrap();
}

/// Files that cannot be read any more after some.
struct Failing<'a>(&'a MadeLog, Cell<usize>);

impl Files for Failing<'_> {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        let left = self.1.get().checked_sub(1).ok_or_else(|| {
            let what = file.path();
            Error::Read { what, source: "unplugged".into() }
        })?;
        self.1.set(left);
        Files::read(&self.0.log, file)
    }
}

#[test]
fn what_breaks_off_leaves_the_export_before_it_and_is_taken_up_again() {
    let made = MadeLog::of(100);
    let folder = exported(&made);
    made.grow("GenerateRandom", 1500);
    for reads in 0..7 {
        let from = Failing(&made, Cell::new(reads));
        let to = Folder::at(folder.path());
        let broken = export(&from, &to, &made.log.keys(), |_| ()).unwrap_err();
        assert!(matches!(broken, Error::Read { .. }), "{broken}");
        assert_eq!(check(&made, folder.path(), &[]).unwrap(), 100, "after {reads} files");
    }
    write(&made, folder.path()).unwrap();
    assert_eq!(check(&made, folder.path(), &[]).unwrap(), 1500);
    assert!(contents(folder.path()).keys().all(|name| LogFile::parse(name).is_some()));
    // So does the very first export, which publishes nothing.
    let first = tempfile::tempdir().unwrap();
    let from = Failing(&made, Cell::new(3));
    export(&from, &Folder::at(first.path()), &made.log.keys(), |_| ()).unwrap_err();
    let none = check(&made, first.path(), &[]).unwrap_err();
    assert!(none.to_string().contains("no checkpoint"), "{none}");
    write(&made, first.path()).unwrap();
    assert_eq!(check(&made, first.path(), &[]).unwrap(), 1500);
}

/// Changes a file, looks, and changes it back.
fn with(path: PathBuf, change: impl FnOnce(&mut Vec<u8>), look: impl FnOnce()) {
    let bytes = fs::read(&path).unwrap();
    let mut changed = bytes.clone();
    change(&mut changed);
    assert_ne!(changed, bytes);
    fs::write(&path, changed).unwrap();
    look();
    fs::write(&path, bytes).unwrap();
}

#[test]
fn damage_is_named_by_the_first_record_that_it_touches() {
    let made = MadeLog::of(66_100);
    let folder = exported(&made);
    let file = |name: &str| folder.path().join(name);
    let damaged = |expected: &str| {
        let error = check(&made, folder.path(), &[]).unwrap_err();
        assert!(matches!(error, Error::Damage(_)), "{error}");
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    };
    let flip = |place: usize| move |bytes: &mut Vec<u8>| bytes[place] ^= 4;
    with(file("tile/entries/001"), flip(100), || damaged("record 256 is not what was written"));
    with(file("tile/entries/258.p/52"), flip(5), || damaged("record 66048 is not"));
    with(file("tile/0/001"), flip(32 * 9), || damaged("record 265 is not what was written"));
    with(file("tile/1/000"), flip(32 * 3), || damaged("records 768 to 1023"));
    with(file("tile/1/001.p/2"), flip(33), || damaged("records 65792 to 66047"));
    with(file("tile/2/000.p/1"), flip(0), || damaged("records 0 to 65535"));
    with(file("tile/entries/002"), |bytes| bytes.truncate(1000), || damaged("record 512 or one"));
    with(file("tile/entries/002"), Vec::clear, || damaged("record 512 is missing"));
    with(
        file("tile/0/003"),
        |bytes| bytes.truncate(32),
        || damaged("tile/0/003 has not the length"),
    );
    with(file("tile/entries/000"), |bytes| bytes.extend([0, 1, 7]), || damaged("more records"));
    with(file("tile/0/000"), |bytes| bytes.resize(9000, 0), || damaged("longer than any"));
    for name in ["tile/entries/004", "tile/0/004", "tile/entries/258.p/52", "tile/1/000"] {
        let away = folder.path().join("away");
        fs::rename(file(name), &away).unwrap();
        damaged(if name.starts_with("tile/1") { "tile/1/000" } else { "there is no" });
        fs::rename(&away, file(name)).unwrap();
    }
    // A record and its hash together: the tile above tells.
    let altered = |bundle: &mut Vec<u8>| bundle[20] ^= 1;
    with(file("tile/entries/001"), altered, || {
        let bundle = fs::read(file("tile/entries/001")).unwrap();
        let length = usize::from(u16::from_be_bytes([bundle[0], bundle[1]]));
        let leaf = Sha256::new().chain_update([0]).chain_update(&bundle[2..2 + length]).finalize();
        let rehashed = |tile: &mut Vec<u8>| tile[..32].copy_from_slice(&leaf);
        with(file("tile/0/001"), rehashed, || damaged("records 256 to 511"));
    });
    assert_eq!(check(&made, folder.path(), &[]).unwrap(), 66_100);
}

#[test]
fn rollback_fork_and_damage_are_told_apart() {
    let made = MadeLog::of(400);
    let (early, now) = (MadeLog::of(280), opened(&made));
    let older = [opened(&MadeLog::of(256)), opened(&MadeLog::of(279)), now.clone()];
    assert_eq!(check(&made, exported(&made).path(), &older).unwrap(), 400);

    let shorter = exported(&early);
    let error = check(&made, shorter.path(), &older).unwrap_err();
    assert!(matches!(error, Error::Rollback { size: 280, older: 400 }), "{error}");
    assert_eq!(check(&made, shorter.path(), &older[..2]).unwrap(), 280);

    // The same size, and larger.
    for size in [400, 500] {
        let fork = MadeLog::of(279);
        fork.grow("GenerateMac", size);
        let fork = exported(&fork);
        let error = check(&made, fork.path(), &older).unwrap_err();
        assert!(matches!(error, Error::Fork { size: 400 }), "{error}");
        assert_eq!(check(&made, fork.path(), &older[..2]).unwrap(), size, "the same until then");
        // Damage is told first: nothing of it can be believed.
        with(
            fork.path().join("tile/entries/000"),
            |bytes| bytes[9] ^= 1,
            || {
                let error = check(&made, fork.path(), &older).unwrap_err();
                assert!(matches!(error, Error::Damage(_)), "{error}");
            },
        );
    }
}

#[test]
fn partial_files_may_be_gone_once_there_are_whole_ones() {
    let made = MadeLog::of(300);
    let folder = exported(&made);
    let of_300 = made.checkpoint();
    made.grow("GenerateRandom", 600);
    write(&made, folder.path()).unwrap();
    fs::write(folder.path().join("checkpoint"), of_300).unwrap();
    for partial in ["tile/0/001.p", "tile/entries/001.p"] {
        fs::remove_dir_all(folder.path().join(partial)).unwrap();
    }
    assert_eq!(check(&made, folder.path(), &[]).unwrap(), 300);
}
