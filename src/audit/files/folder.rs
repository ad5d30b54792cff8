//! Files of a log in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{Files, LogFile};
use crate::audit::Error;

/// A folder that holds a log's files, or is to hold them.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder, which need not be there yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Makes the folder, for its owner alone, and holds it until the guard is dropped.
    pub(super) fn hold(&self) -> Result<File, Error> {
        let folder = &self.0;
        let is_new = !folder.exists();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(self.write())?;
        if is_new && let Some(above) = folder.parent().filter(|above| above.is_dir()) {
            File::open(above).and_then(|above| above.sync_all()).map_err(self.write())?;
        }
        let held = File::open(folder).map_err(self.write())?;
        match held.try_lock() {
            Ok(()) => Ok(held),
            Err(fs::TryLockError::WouldBlock) => {
                Err(self.unusable("another export writes into it at this moment"))
            }
            Err(fs::TryLockError::Error(source)) => Err(self.write()(source)),
        }
    }

    /// Whether it holds what a first export may have left, at the most.
    pub(super) fn is_fresh(&self) -> Result<bool, Error> {
        for entry in fs::read_dir(&self.0).map_err(self.write())? {
            if entry.map_err(self.write())?.file_name() != "tile" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes a file so that it is there whole or not at all, also after a power failure; its folder's
    /// entry for it needs [`Self::sync`].
    pub(super) fn write_file(&self, file: LogFile, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.0.join(file.path());
        let folder = path.parent().unwrap_or(&self.0).to_owned();
        let failed = |source| Error::Write { path: path.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut builder = tempfile::Builder::new();
        // As the umask has it: an export is meant to be read by others, in a folder that is not at first.
        builder.prefix(".new-").permissions(fs::Permissions::from_mode(0o666));
        let mut written = builder.tempfile_in(&folder).map_err(failed)?;
        written.write_all(bytes).map_err(failed)?;
        written.as_file().sync_all().map_err(failed)?;
        written.persist(&path).map_err(|error| failed(error.error))?;
        Ok(folder)
    }

    /// Makes durable what was renamed within a folder, and the folders above it.
    pub(super) fn sync(&self, within: &Path) -> Result<(), Error> {
        for folder in within.ancestors().take_while(|folder| folder.starts_with(&self.0)) {
            let failed = |source| Error::Write { path: folder.to_owned(), source };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    pub(super) fn unusable(&self, why: &'static str) -> Error {
        Error::Folder { path: self.0.clone(), why }
    }

    fn write(&self) -> impl Fn(io::Error) -> Error {
        |source| Error::Write { path: self.0.clone(), source }
    }
}

impl Files for Folder {
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        let path = self.0.join(file.path());
        let failed = |source: io::Error| Error::Read {
            what: path.display().to_string(),
            source: source.into(),
        };
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            // A file where a folder should be is no file of the log either.
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let most = u64::try_from(file.max_len()).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        opened.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() > file.max_len() {
            return Err(Error::Damage(format!("{} is longer than any such file", file.path())));
        }
        Ok(Some(bytes))
    }
}
