//! A folder of ours: held by one process, closed to all others, with a root key and small files that are
//! whole or absent.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use zeroize::Zeroizing;

use super::Error;
use super::privacy::{close_to_others, private_folder};
use crate::crypto::{Purpose, SecretKey, derive, digest};

/// A folder that this process holds. Dropping it lets go.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Holds `path`, which is made if need be; what is in it under the names of `ours` is closed to
    /// others.
    ///
    /// # Errors
    /// [`Error::InUse`] when another process holds it; [`Error::OpenToOthers`], [`Error::File`].
    pub fn hold(path: &Path, ours: &[&str]) -> Result<Self, Error> {
        private_folder(path)?;
        for name in ours {
            close_to_others(&path.join(name))?;
        }
        let lock = take_lock(path)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The root key: given from elsewhere, read from the folder, or made when nothing `exists` yet that
    /// was sealed under one.
    ///
    /// # Errors
    /// [`Error::RootKeyForm`], [`Error::RootKeyMissing`], [`Error::File`], [`Error::Value`].
    pub fn root_key(&self, given: Option<(&str, &str)>, exists: bool) -> Result<SecretKey, Error> {
        if let Some((text, source)) = given {
            return parse_root_key(text).ok_or_else(|| Error::RootKeyForm(source.to_owned()));
        }
        let file_path = self.path.join(ROOT_KEY);
        match fs::read_to_string(&file_path) {
            Ok(text) => {
                let text = Zeroizing::new(text);
                parse_root_key(&text)
                    .ok_or_else(|| Error::RootKeyForm(file_path.display().to_string()))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if exists {
                    return Err(Error::RootKeyMissing(file_path));
                }
                let root = SecretKey::generate()?;
                let text = Zeroizing::new(format!("{}\n", hex::encode(root.expose())));
                self.write(ROOT_KEY, text.as_bytes())?;
                Ok(root)
            }
            Err(source) => Err(Error::File { doing: "reading", path: file_path, source }),
        }
    }

    /// Replaces a small file, durably: after a crash it is the old one or the new one.
    ///
    /// # Errors
    /// [`Error::File`]: which of the two is there is unknown then.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path.join(name);
        write_durably(&path, bytes)?;
        sync_folder(path.parent().unwrap_or(&self.path))
    }

    /// Reads a small file of at most `limit` bytes; none when it is not there.
    ///
    /// # Errors
    /// [`Error::File`], also for one that is longer.
    pub fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path.join(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(Error::file("reading", &path)(source)),
        };
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).map_err(Error::file("reading", &path))?;
        if bytes.len() > limit {
            let source = std::io::Error::from(std::io::ErrorKind::FileTooLarge);
            return Err(Error::file("reading", &path)(source));
        }
        Ok(Some(bytes))
    }

    /// Makes a folder in it, closed to others.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::OpenToOthers`].
    pub fn make_folder(&self, name: &str) -> Result<(), Error> {
        private_folder(&self.path.join(name))?;
        sync_folder(&self.path)
    }
}

pub(super) const LOCK: &str = "lock";
pub(super) const ROOT_KEY: &str = "root.key";

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

/// A value that only this root key gives, and that gives nothing of it away.
pub fn root_check(root: &SecretKey, store_id: &[u8]) -> [u8; digest::LEN] {
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

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::file("syncing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_read_up_to_its_bound() {
        let there = tempfile::tempdir().unwrap();
        let folder = Folder::hold(there.path(), &[]).unwrap();
        assert_eq!(folder.read("state", 10).unwrap(), None);
        folder.write("state", b"one").unwrap();
        folder.write("state", b"three").unwrap();
        assert_eq!(folder.read("state", 5).unwrap().unwrap(), b"three");
        assert!(folder.read("state", 4).is_err());
        let names = fs::read_dir(there.path()).unwrap().count();
        assert_eq!(names, 2, "the file and the lock, and no draft");
    }
}
