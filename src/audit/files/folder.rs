//! Files of a log in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::PathBuf;

use super::{Destination, Files, Held, LogFile};
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

    fn failed(&self) -> impl Fn(io::Error) -> Error {
        |source| Error::Write { path: self.0.clone(), source }
    }
}

impl Destination for Folder {
    fn location(&self) -> String {
        self.0.display().to_string()
    }

    /// Makes the folder, for its owner alone, if it is not there.
    fn hold(&self) -> Result<Held, Error> {
        let folder = &self.0;
        let is_new = !folder.exists();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(self.failed())?;
        if is_new && let Some(above) = folder.parent().filter(|above| above.is_dir()) {
            File::open(above).and_then(|above| above.sync_all()).map_err(self.failed())?;
        }
        let held = File::open(folder).map_err(self.failed())?;
        match held.try_lock() {
            Ok(()) => Ok(Held(Some(held))),
            Err(fs::TryLockError::WouldBlock) => {
                Err(self.unusable("another export writes into it at this moment"))
            }
            Err(fs::TryLockError::Error(source)) => Err(self.failed()(source)),
        }
    }

    fn is_fresh(&self) -> Result<bool, Error> {
        for entry in fs::read_dir(&self.0).map_err(self.failed())? {
            if entry.map_err(self.failed())?.file_name() != "tile" {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write(&self, file: LogFile, bytes: &[u8]) -> Result<(), Error> {
        let path = self.0.join(file.path());
        let folder = path.parent().unwrap_or(&self.0);
        let failed = |source| Error::Write { path: path.clone(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        let mut builder = tempfile::Builder::new();
        // As the umask has it: an export is meant to be read by others, in a folder that is not at first.
        builder.prefix(".new-").permissions(fs::Permissions::from_mode(0o666));
        let mut written = builder.tempfile_in(folder).map_err(failed)?;
        written.write_all(bytes).map_err(failed)?;
        written.as_file().sync_all().map_err(failed)?;
        written.persist(&path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// The folder, and those above it.
    fn sync(&self, within: &str) -> Result<(), Error> {
        for folder in
            self.0.join(within).ancestors().take_while(|folder| folder.starts_with(&self.0))
        {
            let failed = |source| Error::Write { path: folder.to_owned(), source };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
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
