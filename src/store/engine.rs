//! sled 0.34.7 behind a barrier of our own.
//!
//! sled's `flush` writes with `sync_file_range`, which does not reach the disk's platter (sled
//! issues 1452, 1351), and its `flush_async` deadlocks (1308, 1241). So durability here is
//! `flush`, then `fdatasync` on our own descriptor of the database file; `flush_async` is never
//! called. sled panics on some damaged files instead of failing (1387): opening and reading are
//! guarded.

use std::cell::Cell;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Once;

use super::Error;
use super::rows::{Row, Space};

/// Which way a scan goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Ascending,
    /// Greatest key first.
    Descending,
}

/// Keys and values of a range, read as they are asked for.
pub type Scan<'a> = Box<dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>), Error>> + Send + 'a>;

/// Whether a commit reaches the disk before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `flush` and `fdatasync` before the answer.
    Disk,
    /// Written to the temporary store only: for tests that do not outlive the process.
    Memory,
}

/// One ordered map of bytes, split into [`Space`]s.
pub struct Engine {
    db: sled::Db,
    file: File,
    path: PathBuf,
    durability: Durability,
}

impl Engine {
    /// Opens or creates the database in `folder`.
    ///
    /// # Errors
    /// [`Error::Damaged`] when sled finds its files damaged (or panics over them),
    /// [`Error::Sled`] and [`Error::File`] otherwise.
    pub fn open(folder: &Path, durability: Durability) -> Result<Self, Error> {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .mode(sled::Mode::HighThroughput)
            .flush_every_ms(None);
        let db = guarded(|| config.open())??;
        let path = folder.join("db");
        let file = File::open(&path).map_err(Error::file("opening", &path))?;
        Ok(Self { db, file, path, durability })
    }

    /// Reads one value.
    ///
    /// # Errors
    /// [`Error::Sled`] or [`Error::Damaged`] when the store cannot be read.
    pub fn read(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let key = stored_key(space, key);
        Ok(guarded(|| self.db.get(&key))??.map(|value| value.to_vec()))
    }

    /// Keys and values of `space` in `[from, to)`, read as they are asked for.
    pub fn scan(
        &self,
        space: Space,
        from: &[u8],
        to: Option<&[u8]>,
        direction: Direction,
    ) -> Scan<'_> {
        let start = stored_key(space, from);
        let end = to.map_or_else(|| vec![space.prefix() + 1], |to| stored_key(space, to));
        if start >= end {
            return Box::new(std::iter::empty());
        }
        let mut range = self.db.range(start..end);
        Box::new(std::iter::from_fn(move || {
            let next = guarded(|| match direction {
                Direction::Ascending => range.next(),
                Direction::Descending => range.next_back(),
            });
            match next {
                Ok(item) => item.map(|item| {
                    let (key, value) = item.map_err(Error::Sled)?;
                    Ok((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()))
                }),
                Err(error) => Some(Err(error)),
            }
        }))
    }

    /// Writes `rows` as one atomic batch. Not durable before [`Self::make_durable`].
    ///
    /// # Errors
    /// [`Error::Sled`] or [`Error::Damaged`]; nothing may be acknowledged after either.
    pub fn write(&self, rows: &[Row]) -> Result<(), Error> {
        let mut batch = sled::Batch::default();
        for row in rows {
            let key = stored_key(row.space, &row.key);
            match &row.value {
                Some(value) => batch.insert(key, value.as_slice()),
                None => batch.remove(key),
            }
        }
        guarded(|| self.db.apply_batch(batch))??;
        Ok(())
    }

    /// Waits until everything written is on disk.
    ///
    /// # Errors
    /// [`Error::Sled`] or [`Error::File`]: after either, what is on disk is unknown.
    pub fn make_durable(&self) -> Result<(), Error> {
        if self.durability == Durability::Memory {
            return Ok(());
        }
        guarded(|| self.db.flush())??;
        self.file.sync_data().map_err(Error::file("syncing", &self.path))?;
        self.still_in_place()
    }

    /// Refuses to go on when the database file was deleted or replaced under us: our writes would
    /// reach a file that nobody will find again.
    fn still_in_place(&self) -> Result<(), Error> {
        let ours = self.file.metadata().map_err(Error::file("reading", &self.path))?;
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(()),
            _ => Err(Error::Damaged(format!(
                "{} was deleted or replaced while in use",
                self.path.display()
            ))),
        }
    }

    /// Writes every row into another database, which is empty, makes them durable there, and reads them
    /// back from it.
    ///
    /// # Errors
    /// [`Error::Sled`], [`Error::File`]; [`Error::Damaged`] when what is read back is something else.
    pub(super) fn copy_into(&self, other: &Self) -> Result<(), Error> {
        for space in Space::ALL {
            let (mut rows, mut bytes) = (Vec::new(), 0);
            for item in self.scan(space, &[], None, Direction::Ascending) {
                let (key, value) = item?;
                bytes += key.len() + value.len();
                rows.push(Row { space, key, value: Some(value) });
                if bytes > COPIED_AT_ONCE {
                    other.write(&rows)?;
                    (rows, bytes) = (Vec::new(), 0);
                }
            }
            other.write(&rows)?;
        }
        other.make_durable()?;
        for space in Space::ALL {
            let mut copies = other.scan(space, &[], None, Direction::Ascending);
            for item in self.scan(space, &[], None, Direction::Ascending) {
                let row = item?;
                if copies.next().transpose()?.as_ref() != Some(&row) {
                    return Err(Error::Damaged("a copy of it is not the same".to_owned()));
                }
            }
        }
        Ok(())
    }

    /// Bytes that the database takes on disk.
    ///
    /// # Errors
    /// [`Error::Sled`] when sled cannot tell.
    pub fn size_on_disk(&self) -> Result<u64, Error> {
        self.db.size_on_disk().map_err(Error::Sled)
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("path", &self.path).finish_non_exhaustive()
    }
}

impl From<sled::Error> for Error {
    fn from(error: sled::Error) -> Self {
        match error {
            sled::Error::Corruption { .. } => {
                Self::Damaged("sled finds a checksum that does not match".to_owned())
            }
            other => Self::Sled(other),
        }
    }
}

/// sled's page cache. Bounded: its default is a gigabyte.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of a copy that are written at once.
const COPIED_AT_ONCE: usize = 1024 * 1024;

fn stored_key(space: Space, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(1 + key.len());
    stored.push(space.prefix());
    stored.extend_from_slice(key);
    stored
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `call`; a panic of sled's over damaged files becomes [`Error::Damaged`], without the
/// panic's own report on standard error.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Error> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(call));
    QUIET.set(false);
    outcome.map_err(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Error::Damaged(format!("sled gave up over its files ({said})"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(space: Space, key: &[u8], value: &[u8]) -> Row {
        Row { space, key: key.to_vec(), value: Some(value.to_vec()) }
    }

    #[test]
    fn spaces_do_not_overlap_and_scans_go_both_ways() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), Durability::Disk).unwrap();
        engine
            .write(&[
                row(Space::Leaf, b"a", b"1"),
                row(Space::Leaf, b"b", b"2"),
                row(Space::Leaf, b"c", b"3"),
                row(Space::Meta, b"a", b"other"),
            ])
            .unwrap();
        engine.make_durable().unwrap();
        let keys = |from: &[u8], to: Option<&[u8]>, direction| -> Vec<u8> {
            engine.scan(Space::Leaf, from, to, direction).map(|item| item.unwrap().1[0]).collect()
        };
        assert_eq!(keys(b"", None, Direction::Ascending), b"123");
        assert_eq!(keys(b"", None, Direction::Descending), b"321");
        assert_eq!(keys(b"b", Some(b"c"), Direction::Ascending), b"2");
        assert_eq!(keys(b"c", Some(b"a"), Direction::Ascending), b"");
        assert_eq!(engine.read(Space::Meta, b"a").unwrap().unwrap(), b"other");
        assert_eq!(engine.read(Space::Hash, b"a").unwrap(), None);
    }

    #[test]
    fn a_database_file_replaced_in_use_stops_commits() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(folder.path(), Durability::Disk).unwrap();
        engine.write(&[row(Space::Meta, b"a", b"1")]).unwrap();
        engine.make_durable().unwrap();
        std::fs::rename(folder.path().join("db"), folder.path().join("gone")).unwrap();
        std::fs::write(folder.path().join("db"), b"").unwrap();
        assert!(matches!(engine.make_durable(), Err(Error::Damaged(_))));
    }
}
