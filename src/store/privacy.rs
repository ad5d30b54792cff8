//! Who else may read a data directory: nobody.
//!
//! A directory of ours is made with mode 0700. One that was there before is made private when it is empty,
//! as it is for us then; one with other things in it is refused while others may enter it, because it may
//! be more than ours (`--data-dir /tmp`). What is ours in it, by name, is always made private.

use std::fs::{self, DirBuilder, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use super::Error;

/// Makes a directory that nobody else may enter, or makes sure that nobody does.
///
/// # Errors
/// [`Error::File`], [`Error::OpenToOthers`]
pub(super) fn private_folder(path: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.map_err(Error::file("creating", path))?;
    let mode = fs::metadata(path).map_err(Error::file("reading", path))?.permissions().mode();
    if mode & OTHERS == 0 {
        return Ok(());
    }
    let mut entries = fs::read_dir(path).map_err(Error::file("listing", path))?;
    if entries.next().is_some() {
        return Err(Error::OpenToOthers { path: path.to_owned(), mode: mode & 0o777 });
    }
    fs::set_permissions(path, Permissions::from_mode(FOLDER)).map_err(Error::file("closing", path))
}

/// Takes a file or a folder with all that is in it from others, if it is there. What a link leads to is its
/// owner's.
///
/// # Errors
/// [`Error::File`]
pub(super) fn close_to_others(path: &Path) -> Result<(), Error> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::file("reading", path)(source)),
    };
    if found.is_symlink() {
        return Ok(());
    }
    let mode = found.permissions().mode();
    if mode & OTHERS != 0 {
        let owners = Permissions::from_mode(mode & 0o7777 & !OTHERS);
        fs::set_permissions(path, owners).map_err(Error::file("closing", path))?;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path).map_err(Error::file("listing", path))? {
            close_to_others(&entry.map_err(Error::file("listing", path))?.path())?;
        }
    }
    Ok(())
}

const FOLDER: u32 = 0o700;
/// What the group and everybody else may do.
const OTHERS: u32 = 0o077;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn an_empty_folder_is_made_private_and_a_full_one_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        private_folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        for wide in [0o755, 0o750, 0o701] {
            open(&path, wide);
            private_folder(&path).unwrap();
            assert_eq!(mode(&path), 0o700);
        }
        fs::write(path.join("somebody's"), "own").unwrap();
        private_folder(&path).unwrap();
        open(&path, 0o755);
        let refused = private_folder(&path).unwrap_err();
        assert!(refused.to_string().contains("mode 755"), "{refused}");
        assert_eq!(mode(&path), 0o755, "what may be another's is left alone");
    }

    #[test]
    fn what_is_ours_is_closed_and_what_is_linked_to_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, file, foreign] =
            ["ours", "ours/file", "foreign"].map(|name| folder.path().join(name));
        fs::create_dir(&ours).unwrap();
        fs::write(&file, "").unwrap();
        fs::write(&foreign, "").unwrap();
        for path in [&ours, &file, &foreign] {
            open(path, 0o755);
        }
        symlink(&foreign, ours.join("link")).unwrap();
        close_to_others(&ours).unwrap();
        assert_eq!([&ours, &file, &foreign].map(|path| mode(path)), [0o700, 0o700, 0o755]);
        close_to_others(&folder.path().join("missing")).unwrap();
    }
}
