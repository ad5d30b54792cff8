//! Truncated, flipped and replaced files: refused, or whole; never a shorter log that verifies.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom::Strongroom;
use strongroom::kms::{CreateKey, GenerateDataKey};
use strongroom::store::{Direction, Durability, Engine, Row, Space};

use crate::server::{Server, runtime, strongroom};

const RECORDS: u64 = 400;

/// A data directory with a log of [`RECORDS`] records, left clean or as a kill leaves it.
struct Made {
    _folder: tempfile::TempDir,
    path: PathBuf,
    head: [u8; 32],
}

fn made(clean: bool) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let runtime = runtime();
    let head = runtime.block_on(async {
        let room = Strongroom::builder().data_dir(&path).build().unwrap();
        let key_id = room.call(CreateKey::default()).await.unwrap().key_id;
        for _ in 1..RECORDS {
            let request = GenerateDataKey {
                key_id: key_id.clone().into(),
                key_spec: Some("AES_256".to_owned()),
                ..Default::default()
            };
            room.call(request).await.unwrap();
        }
        let head = room.service().log_head();
        assert_eq!(head.size, RECORDS);
        room.close().unwrap();
        head.root
    });
    if !clean {
        fs::remove_file(path.join("fingerprint")).unwrap();
    }
    Made { _folder: folder, path, head }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Opens a damaged copy: `Ok` when it opened with the whole log, `Err` with the refusal.
fn opened(made: &Made, damage: impl FnOnce(&Path)) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    copy(&made.path, &path);
    damage(&path);
    match Strongroom::builder().data_dir(&path).build() {
        Ok(room) => {
            let head = room.service().log_head();
            let checked = room.service().verify_log(|_| ());
            room.close().unwrap();
            assert_eq!((head.size, head.root), (RECORDS, made.head), "a shorter or other log");
            checked.map(|_| ()).map_err(|error| error.to_string())
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() > 20, "says what is wrong: {text}");
            Err(text)
        }
    }
}

fn database(path: &Path) -> PathBuf {
    path.join("store/db")
}

fn truncate(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// Places spread over a file, not on round numbers.
fn places(length: u64, count: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |i| (length - 1) * i / (count - 1)).map(move |at| at.min(length - 1))
}

#[test]
fn an_untouched_store_opens_again_clean_or_not() {
    for clean in [true, false] {
        opened(&made(clean), |_| ()).unwrap();
    }
}

#[test]
fn any_change_to_a_store_that_was_left_clean_is_refused() {
    let made = made(true);
    let length = fs::metadata(database(&made.path)).unwrap().len();
    for at in places(length, 25) {
        assert!(opened(&made, |path| truncate(&database(path), at)).is_err(), "cut at {at}");
    }
    for at in places(length, 40) {
        let bit = at * 8 + at % 8;
        assert!(opened(&made, |path| flip(&database(path), bit)).is_err(), "bit {bit}");
    }
    assert!(opened(&made, |path| fs::remove_file(database(path)).unwrap()).is_err());
    assert!(opened(&made, |path| fs::remove_dir_all(path.join("store")).unwrap()).is_err());
    let older = self::made(true);
    let replaced = opened(&made, |path| {
        fs::remove_dir_all(path.join("store")).unwrap();
        copy(&older.path.join("store"), &path.join("store"));
    });
    assert!(replaced.is_err());
}

#[test]
fn after_a_kill_a_damaged_store_is_refused_or_whole() {
    let made = made(false);
    let length = fs::metadata(database(&made.path)).unwrap().len();
    let mut refused = 0;
    for at in places(length, 25) {
        refused += u32::from(opened(&made, |path| truncate(&database(path), at)).is_err());
    }
    assert!(refused >= 10, "cutting the database was refused {refused} times only");
    for at in places(length, 60) {
        // Bits that no page uses may change without harm; `opened` insists on the whole log then.
        let bit = at * 8 + at % 8;
        refused += u32::from(opened(&made, |path| flip(&database(path), bit)).is_err());
    }
    assert!(refused >= 20, "damage was refused {refused} times only");
}

#[test]
fn a_database_older_than_its_anchor_is_refused_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    let runtime = runtime();
    let call = |count: usize| {
        runtime.block_on(async {
            let room = Strongroom::builder().data_dir(&path).build().unwrap();
            for _ in 0..count {
                room.call(CreateKey::default()).await.unwrap();
            }
            room.close().unwrap();
        });
    };
    call(10);
    let old = folder.path().join("old");
    copy(&path.join("store"), &old);
    call(5);
    fs::remove_file(path.join("fingerprint")).unwrap();
    fs::remove_dir_all(path.join("store")).unwrap();
    copy(&old, &path.join("store"));
    let refused = Strongroom::builder().data_dir(&path).build().unwrap_err().to_string();
    assert!(refused.contains("records 10..15 are missing"), "{refused}");
    assert!(refused.contains("restore the data directory from a backup"), "{refused}");
}

#[test]
fn a_missing_or_damaged_anchor_is_refused() {
    for clean in [true, false] {
        let made = made(clean);
        let refused = opened(&made, |path| fs::remove_file(path.join("anchor")).unwrap());
        assert!(refused.unwrap_err().contains("anchor"));
        let refused = opened(&made, |path| {
            let anchor = path.join("anchor");
            let mut bytes = fs::read(&anchor).unwrap();
            for byte in &mut bytes {
                *byte ^= 0x55;
            }
            fs::write(&anchor, bytes).unwrap();
        });
        assert!(refused.unwrap_err().contains("anchor"));
    }
}

/// As SECURITY.md says: only checkpoints that were kept elsewhere tell.
#[test]
fn an_older_copy_of_the_whole_directory_is_not_noticed() {
    let made = made(true);
    let older = made.path.with_extension("older");
    copy(&made.path, &older);
    let runtime = runtime();
    runtime.block_on(async {
        let room = Strongroom::builder().data_dir(&made.path).build().unwrap();
        room.call(CreateKey::default()).await.unwrap();
        room.close().unwrap();
    });
    fs::remove_dir_all(&made.path).unwrap();
    fs::rename(&older, &made.path).unwrap();
    runtime.block_on(async {
        let room = Strongroom::builder().data_dir(&made.path).build().unwrap();
        let head = room.service().log_head();
        assert_eq!((head.size, head.root), (RECORDS, made.head), "a record short, and whole");
        room.close().unwrap();
    });
}

#[test]
fn an_index_that_lost_a_row_refuses_queries_until_it_is_made_anew() {
    let made = made(false);
    {
        let engine = Engine::open(&made.path.join("store"), Durability::Disk).unwrap();
        let (key, _) =
            engine.scan(Space::Index, b"q", None, Direction::Ascending).next().unwrap().unwrap();
        engine.write(&[Row { space: Space::Index, key, value: None }]).unwrap();
        engine.make_durable().unwrap();
    }
    let server = Server::start(&made.path).unwrap();
    let query = |server: &Server| {
        let mut command = strongroom();
        command.args(["audit", "query", "--operation", "CreateKey", "--output", "json"]);
        command.env("STRONGROOM_ENDPOINT", &server.address).output().unwrap()
    };
    let refused = query(&server);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("strongroom audit reindex --data-dir DIR"), "{said}");
    let reindex = || {
        let mut command = strongroom();
        command.args(["audit", "reindex", "--data-dir"]).arg(&made.path).output().unwrap()
    };
    assert_eq!(reindex().status.code(), Some(1), "the service has the directory");
    assert_eq!(server.stop(), Some(0));
    let done = reindex();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let server = Server::start(&made.path).unwrap();
    let found = query(&server);
    assert_eq!(found.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&found.stdout).contains("\"index\": 0"));
    assert_eq!(server.stop(), Some(0));
}
