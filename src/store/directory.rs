//! The data directory: its database, and whether it was left clean.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use super::fingerprint;
use super::folder::{Folder, LOCK, ROOT_KEY, root_check, sync_folder};
use super::privacy::{close_to_others, private_folder};
use super::rows::{Row, Space};
use super::{Anchor, Durability, Engine, Error, Sealer};
use crate::crypto::{SecretKey, random};

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
    folder: Folder,
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
        let folder = Folder::hold(
            path,
            &[
                ANCHOR,
                COSIGNED,
                DATABASE,
                FINGERPRINT,
                LOCK,
                OBJECTS_CLAIM,
                OBJECTS_PLACE,
                ROOT_KEY,
                TLS,
            ],
        )?;
        finish_replacing(path)?;
        let database = path.join(DATABASE);
        let exists = database.join("db").exists();
        if !exists && (path.join(ANCHOR).exists() || path.join(FINGERPRINT).exists()) {
            return Err(Error::Damaged(format!(
                "{} is missing, but the anchor beside it says that there were records",
                database.join("db").display()
            )));
        }
        let root = folder.root_key(root, exists)?;
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
        Ok(Self { engine, root, sealer, store_id, created, clean, folder })
    }

    /// Opens the anchor file of this directory.
    ///
    /// # Errors
    /// As [`Anchor::open`].
    pub fn anchor(&self) -> Result<Anchor, Error> {
        Anchor::open(&self.folder.path().join(ANCHOR))
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The checkpoint that witnesses have signed, as it was kept last.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn cosigned(&self) -> Result<Option<Vec<u8>>, Error> {
        self.folder.read(COSIGNED, COSIGNED_BYTES)
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn keep_cosigned(&self, note: &[u8]) -> Result<(), Error> {
        self.folder.write(COSIGNED, note)
    }

    /// Where the bytes of objects are, if not in this directory.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn objects_place(&self) -> Result<Option<String>, Error> {
        Ok(self.text(OBJECTS_PLACE)?.map(|text| text.trim_end().to_owned()))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Error> {
        let kept = self.folder.read(name, TEXT_BYTES)?.map(String::from_utf8);
        kept.transpose().map_err(|_| Error::Damaged(format!("the file {name} is not text")))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn keep_objects_place(&self, place: &str) -> Result<(), Error> {
        self.folder.write(OBJECTS_PLACE, format!("{place}\n").as_bytes())
    }

    /// What this directory's claim on that place has been called, of which the last may not be there yet.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn objects_claim(&self) -> Result<Vec<String>, Error> {
        let text = self.text(OBJECTS_CLAIM)?.unwrap_or_default();
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// Keeps it.
    ///
    /// # Errors
    /// [`Error::File`]
    pub fn keep_objects_claim(&self, names: &[String]) -> Result<(), Error> {
        self.folder.write(OBJECTS_CLAIM, format!("{}\n", names.join("\n")).as_bytes())
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
        let Self { engine, folder, .. } = self;
        engine.make_durable()?;
        let Some(engine) = Arc::into_inner(engine) else {
            return Ok(()); // still read by somebody: the next start checks everything
        };
        last(engine, folder.path())?;
        let print = fingerprint::of_folder(&folder.path().join(DATABASE))?;
        folder.write(FINGERPRINT, hex::encode(print).as_bytes())
    }
}

const ANCHOR: &str = "anchor";
const COSIGNED: &str = "cosigned";
/// Where the bytes of objects are, if not here.
const OBJECTS_PLACE: &str = "objects-place";
/// What says that no other copy of this directory has written there since.
const OBJECTS_CLAIM: &str = "objects-claim";
/// Longer than any URL or path that is of use.
const TEXT_BYTES: usize = 8 * 1024;
/// A signed note at the most.
const COSIGNED_BYTES: usize = 16 * 1024;
const DATABASE: &str = "store";
const FINGERPRINT: &str = "fingerprint";
const FORMAT: &str = "strongroom-1";
/// A database that is to take the place of another, and one whose place was taken.
const REPLACEMENT: &str = "store.new";
const REPLACED: &str = "store.old";
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::crypto::digest;
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
