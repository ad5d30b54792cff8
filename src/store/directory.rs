//! The data directory: who holds it, its root key, its database, and whether it was left clean.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use zeroize::Zeroizing;

use super::fingerprint;
use super::privacy::{close_to_others, private_folder};
use super::rows::{Row, Space};
use super::{Anchor, Durability, Engine, Error, Sealer};
use crate::crypto::{Purpose, SecretKey, derive, digest, random};

/// An open data directory. Dropping it releases the lock; [`DataDirectory::close`] also leaves the
/// fingerprint of a clean shutdown.
#[derive(Debug)]
pub struct DataDirectory {
    /// The database.
    pub engine: Arc<Engine>,
    /// The key from which everything at rest is derived.
    pub root: SecretKey,
    /// Seals and opens state values.
    pub sealer: Arc<Sealer>,
    /// The store's own random name, 16 bytes.
    pub store_id: Vec<u8>,
    /// Whether the database was created by this open.
    pub created: bool,
    /// Whether the files are exactly those that a clean shutdown left.
    pub clean: bool,
    path: PathBuf,
    lock: File,
}

impl DataDirectory {
    /// Opens or creates `path`. `root` is the root key from elsewhere (its text and where it came
    /// from); without it, `root.key` in the directory is read, or made for a new store.
    ///
    /// # Errors
    /// Everything that [`Error`] names except `Conflict` and `Stopped`.
    pub fn open(
        path: &Path,
        root: Option<(&str, &str)>,
        durability: Durability,
    ) -> Result<Self, Error> {
        private_folder(path)?;
        for ours in [ANCHOR, DATABASE, FINGERPRINT, LOCK, ROOT_KEY, TLS] {
            close_to_others(&path.join(ours))?;
        }
        let lock = take_lock(path)?;
        finish_replacing(path)?;
        let database = path.join(DATABASE);
        let exists = database.join("db").exists();
        if !exists && (path.join(ANCHOR).exists() || path.join(FINGERPRINT).exists()) {
            return Err(Error::Damaged(format!(
                "{} is missing, but the anchor beside it says that there were records",
                database.join("db").display()
            )));
        }
        let root = root_key(path, root, exists)?;
        let clean = take_fingerprint(path)?;
        private_folder(&database)?;
        let engine = Engine::open(&database, durability)?;
        close_to_others(&database)?; // sled makes its files as the umask has it
        let created = !exists;
        if created {
            initialise(&engine, &root)?;
            sync_folder(&database)?;
            sync_folder(path)?;
        }
        let store_id = recognise(&engine, &root)?;
        let sealer = Arc::new(Sealer::new(&root, &store_id));
        let engine = Arc::new(engine);
        Ok(Self { engine, root, sealer, store_id, created, clean, path: path.to_owned(), lock })
    }

    /// Opens the anchor file of this directory.
    ///
    /// # Errors
    /// As [`Anchor::open`].
    pub fn anchor(&self) -> Result<Anchor, Error> {
        Anchor::open(&self.path.join(ANCHOR))
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the database and leaves the fingerprint of a clean shutdown. The caller has dropped
    /// every other handle of the engine.
    ///
    /// # Errors
    /// [`Error::File`]; the next start then recomputes the whole log.
    pub fn close(self) -> Result<(), Error> {
        self.close_with(|_, _| Ok(()))
    }

    /// The same, and writes the database anew with nothing but what is in it: sled's file does not give
    /// back what was removed. A crash leaves the old one or the new one, both of which have every row.
    ///
    /// # Errors
    /// As [`Self::close`]; [`Error::Damaged`] when the new one does not read as the old one.
    pub fn close_compacted(self) -> Result<(), Error> {
        self.close_with(|engine, path| {
            let new = path.join(REPLACEMENT);
            private_folder(&new)?;
            let copy = Engine::open(&new, Durability::Disk)?;
            engine.copy_into(&copy)?;
            drop((engine, copy));
            close_to_others(&new)?;
            sync_files(&new)?;
            let rename = |from: &str, to: &str| {
                let from = path.join(from);
                fs::rename(&from, path.join(to)).map_err(Error::file("renaming", &from))?;
                sync_folder(path)
            };
            rename(DATABASE, REPLACED)?;
            rename(REPLACEMENT, DATABASE)?;
            finish_replacing(path)
        })
    }

    fn close_with(
        self,
        last: impl FnOnce(Engine, &Path) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Self { engine, path, lock, .. } = self;
        engine.make_durable()?;
        let Some(engine) = Arc::into_inner(engine) else {
            return Ok(()); // still read by somebody: the next start checks everything
        };
        last(engine, &path)?;
        let print = fingerprint::of_folder(&path.join(DATABASE))?;
        let target = path.join(FINGERPRINT);
        write_durably(&target, hex::encode(print).as_bytes())?;
        sync_folder(&path)?;
        drop(lock);
        Ok(())
    }
}

const ANCHOR: &str = "anchor";
const DATABASE: &str = "store";
const FINGERPRINT: &str = "fingerprint";
const FORMAT: &str = "strongroom-1";
const LOCK: &str = "lock";
/// A database that is to take the place of another, and one whose place was taken.
const REPLACEMENT: &str = "store.new";
const REPLACED: &str = "store.old";
const ROOT_KEY: &str = "root.key";
/// Certificate and key of the doors, which come after the store.
const TLS: &str = "tls";

const META_CHECK: &[u8] = b"root-key-check";
const META_FORMAT: &[u8] = b"format";
const META_STORE: &[u8] = b"store-id";

/// Ends what a crash broke off while the database was written anew: where it is not there, the old one is
/// put back; what is left over goes.
fn finish_replacing(path: &Path) -> Result<(), Error> {
    let (database, old) = (path.join(DATABASE), path.join(REPLACED));
    if !database.exists() && old.exists() {
        fs::rename(&old, &database).map_err(Error::file("renaming", &old))?;
        sync_folder(path)?;
    }
    for left in [REPLACEMENT, REPLACED].map(|name| path.join(name)) {
        if left.exists() {
            fs::remove_dir_all(&left).map_err(Error::file("removing", &left))?;
        }
    }
    Ok(())
}

/// Takes the advisory lock, or says who has it.
fn take_lock(path: &Path) -> Result<File, Error> {
    let file_path = path.join(LOCK);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&file_path)
        .map_err(Error::file("opening", &file_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            let _ = (&mut lock).take(32).read_to_string(&mut pid);
            let pid = if pid.trim().is_empty() { "unknown" } else { pid.trim() }.to_owned();
            return Err(Error::InUse { path: path.to_owned(), pid });
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::File { doing: "locking", path: file_path, source });
        }
    }
    lock.set_len(0).map_err(Error::file("writing", &file_path))?;
    writeln!(lock, "{}", std::process::id()).map_err(Error::file("writing", &file_path))?;
    Ok(lock)
}

/// The root key: given from elsewhere, read from the directory, or made for a new store.
fn root_key(path: &Path, given: Option<(&str, &str)>, exists: bool) -> Result<SecretKey, Error> {
    if let Some((text, source)) = given {
        return parse_root_key(text).ok_or_else(|| Error::RootKeyForm(source.to_owned()));
    }
    let file_path = path.join(ROOT_KEY);
    match fs::read_to_string(&file_path) {
        Ok(text) => {
            let text = Zeroizing::new(text);
            parse_root_key(&text).ok_or_else(|| Error::RootKeyForm(file_path.display().to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if exists {
                return Err(Error::RootKeyMissing(file_path));
            }
            let root = SecretKey::generate()?;
            let text = Zeroizing::new(format!("{}\n", hex::encode(root.expose())));
            write_durably(&file_path, text.as_bytes())?;
            sync_folder(path)?;
            Ok(root)
        }
        Err(source) => Err(Error::File { doing: "reading", path: file_path, source }),
    }
}

/// 32 bytes as 64 hex digits or in standard base64.
fn parse_root_key(text: &str) -> Option<SecretKey> {
    let text = text.trim();
    let bytes = Zeroizing::new(if text.len() == 2 * SecretKey::LEN {
        hex::decode(text).ok()?
    } else {
        base64::engine::general_purpose::STANDARD.decode(text).ok()?
    });
    SecretKey::from_slice(&bytes).ok()
}

/// Compares the fingerprint, if there is one, and removes it: from here on files change.
fn take_fingerprint(path: &Path) -> Result<bool, Error> {
    let file_path = path.join(FINGERPRINT);
    let left = match fs::read(&file_path) {
        Ok(left) => left,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::File { doing: "reading", path: file_path, source }),
    };
    let database = path.join(DATABASE);
    if hex::encode(fingerprint::of_folder(&database)?).as_bytes() != left {
        return Err(Error::Damaged(format!(
            "the files in {} are not those that the last shutdown left",
            database.display()
        )));
    }
    fs::remove_file(&file_path).map_err(Error::file("removing", &file_path))?;
    sync_folder(path)?;
    Ok(true)
}

/// Writes the rows by which a store says what it is.
fn initialise(engine: &Engine, root: &SecretKey) -> Result<(), Error> {
    let store_id: [u8; 16] = random::array()?;
    let check = root_check(root, &store_id);
    let meta = |key: &[u8], value: &[u8]| Row {
        space: Space::Meta,
        key: key.to_vec(),
        value: Some(value.to_vec()),
    };
    engine.write(&[
        meta(META_FORMAT, FORMAT.as_bytes()),
        meta(META_STORE, &store_id),
        meta(META_CHECK, &check),
    ])?;
    engine.make_durable()
}

/// Checks format and root key; returns the store's id.
fn recognise(engine: &Engine, root: &SecretKey) -> Result<Vec<u8>, Error> {
    let meta = |key: &[u8], name: &str| {
        engine
            .read(Space::Meta, key)?
            .ok_or_else(|| Error::Damaged(format!("the store's {name} row is missing")))
    };
    let format = meta(META_FORMAT, "format")?;
    if format != FORMAT.as_bytes() {
        let found = String::from_utf8_lossy(&format).into_owned();
        return Err(Error::Format { found, expected: FORMAT });
    }
    let store_id = meta(META_STORE, "identity")?;
    if meta(META_CHECK, "root key check")? != root_check(root, &store_id) {
        return Err(Error::RootKeyMismatch);
    }
    Ok(store_id)
}

/// A value that only this root key gives, and that gives nothing of it away.
fn root_check(root: &SecretKey, store_id: &[u8]) -> [u8; digest::LEN] {
    digest::sha256(&[derive(root, store_id, Purpose::RootKeyCheck, b"").expose()])
}

/// Writes a small file so that it is whole or absent: temporary name, sync, rename.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let draft = path.with_extension("draft");
    let write = || -> std::io::Result<()> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(Error::file("writing", path))
}

/// Makes the files of a folder durable, and their names.
fn sync_files(folder: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("listing", folder))? {
        let path = entry.map_err(Error::file("listing", folder))?.path();
        if path.is_dir() {
            sync_files(&path)?;
        } else {
            let file = File::open(&path).map_err(Error::file("opening", &path))?;
            file.sync_all().map_err(Error::file("syncing", &path))?;
        }
    }
    sync_folder(folder)
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::file("syncing", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Direction;

    fn open(path: &Path) -> Result<DataDirectory, Error> {
        DataDirectory::open(path, None, Durability::Disk)
    }

    #[test]
    fn a_second_holder_is_refused_with_the_first_ones_pid() {
        let folder = tempfile::tempdir().unwrap();
        let _held = open(folder.path()).unwrap();
        let Err(Error::InUse { pid, .. }) = open(folder.path()) else { panic!("not refused") };
        assert_eq!(pid, std::process::id().to_string());
    }

    #[test]
    fn another_root_key_is_refused_and_a_missing_one_named() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).unwrap().close().unwrap();
        let other = "00".repeat(32);
        let given = Some((other.as_str(), "STRONGROOM_ROOT_KEY"));
        let refused = DataDirectory::open(folder.path(), given, Durability::Disk);
        assert!(matches!(refused, Err(Error::RootKeyMismatch)));
        let short = Some(("abcd", "STRONGROOM_ROOT_KEY"));
        let refused = DataDirectory::open(folder.path(), short, Durability::Disk);
        assert!(matches!(refused, Err(Error::RootKeyForm(_))));
        fs::remove_file(folder.path().join(ROOT_KEY)).unwrap();
        assert!(matches!(open(folder.path()), Err(Error::RootKeyMissing(_))));
    }

    #[test]
    fn a_root_key_is_read_in_hex_and_base64() {
        let folder = tempfile::tempdir().unwrap();
        let hex = "a5".repeat(32);
        let base64 = base64::engine::general_purpose::STANDARD.encode([0xa5; 32]);
        let first = DataDirectory::open(folder.path(), Some((&hex, "test")), Durability::Disk);
        first.unwrap().close().unwrap();
        DataDirectory::open(folder.path(), Some((&base64, "test")), Durability::Disk).unwrap();
        assert!(!folder.path().join(ROOT_KEY).exists());
    }

    #[test]
    fn a_byte_changed_after_a_clean_shutdown_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path()).unwrap().close().unwrap();
        assert!(open(folder.path()).unwrap().clean);
        // Dropped, not closed: the next start is not clean, and still opens.
        let again = open(folder.path()).unwrap();
        assert!(!again.clean);
        again.close().unwrap();
        let path = folder.path().join(DATABASE).join("db");
        let mut bytes = fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 0x10;
        fs::write(&path, bytes).unwrap();
        assert!(matches!(open(folder.path()), Err(Error::Damaged(_))));
    }

    #[test]
    fn a_compacted_database_is_smaller_and_has_every_row_also_when_that_was_broken_off() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |directory: &DataDirectory| -> Vec<_> {
            let all = Space::ALL.map(|space| {
                directory.engine.scan(space, b"", None, Direction::Ascending).map(Result::unwrap)
            });
            all.into_iter().flatten().collect()
        };
        let directory = open(folder.path()).unwrap();
        let row = |space, number: u32, value| {
            let key = digest::sha256(&[&number.to_be_bytes()]).to_vec();
            Row { space, key, value }
        };
        for number in 0..3000 {
            let index = row(Space::Index, number, Some(vec![1]));
            let leaf = row(Space::Leaf, number, Some(vec![7; 2000]));
            directory.engine.write(&[index, leaf]).unwrap();
        }
        for number in 0..2990 {
            directory.engine.write(&[row(Space::Leaf, number, None)]).unwrap();
        }
        let (expected, before) = (rows(&directory), directory.engine.size_on_disk().unwrap());
        assert_eq!(expected.len(), 3000 + 10 + 3);
        directory.close_compacted().unwrap();
        let again = open(folder.path()).unwrap();
        assert!(again.clean && rows(&again) == expected);
        assert!(again.engine.size_on_disk().unwrap() < before / 4);
        again.close().unwrap();
        // Broken off between the two renamings, and at other places.
        let at = |name: &str| folder.path().join(name);
        fs::rename(at(DATABASE), at(REPLACED)).unwrap();
        fs::create_dir(at(REPLACEMENT)).unwrap();
        let again = open(folder.path()).unwrap();
        assert!(again.clean && rows(&again) == expected);
        assert!(!at(REPLACED).exists() && !at(REPLACEMENT).exists());
        again.close().unwrap();
        fs::create_dir(at(REPLACED)).unwrap();
        fs::write(at(REPLACED).join("db"), b"older").unwrap();
        let again = open(folder.path()).unwrap();
        assert!(again.clean && rows(&again) == expected && !at(REPLACED).exists());
    }

    #[test]
    fn files_are_private_and_a_directory_that_is_not_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        drop(open(&path).unwrap());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let ours = [ROOT_KEY, LOCK, DATABASE, "store/db", "store/conf"];
        let modes = || ours.map(|name| mode(&path.join(name)));
        assert_eq!((mode(&path), modes()), (0o700, [0o600, 0o600, 0o700, 0o600, 0o600]));
        let wide = fs::Permissions::from_mode(0o644);
        fs::set_permissions(path.join(ROOT_KEY), wide).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(mode(&path.join(ROOT_KEY)), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(matches!(open(&path), Err(Error::OpenToOthers { mode: 0o750, .. })));
    }
}
