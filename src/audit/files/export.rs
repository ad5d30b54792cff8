//! The log written into a folder, or what else keeps files, as far as it is not there yet.
//!
//! Nothing that an earlier export published is touched: files are written beside, synced, and renamed; the
//! checkpoint comes last, when every tile that it needs is durable. Whatever goes wrong in between leaves
//! the earlier export as it was.

use std::collections::BTreeSet;

use tlog_tiles::tlog::{Hash, record_hash};

use super::tiling::{Tiling, read_tile};
use super::{Destination, EntryBundle, Files, LogFile, place};
use crate::audit::{Checkpoint, Error, LogKeys};

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Records that were there before.
    pub before: u64,
    /// What is published now.
    pub checkpoint: Checkpoint,
    /// Files that were written.
    pub files: u64,
}

/// Brings a folder up to the newest checkpoint of a log. All tiles are computed from the entries, and
/// must give the signed root. `progress` is told how many records are done.
///
/// # Errors
/// [`Error::Checkpoint`] when either checkpoint is not signed by the log's key (a folder of another log);
/// [`Error::Folder`] for one that holds something else; [`Error::Rollback`] when the folder is ahead of
/// the log and [`Error::Fork`] when its records are others; [`Error::Damage`]; [`Error::Read`] and
/// [`Error::Write`].
pub fn export(
    from: &impl Files,
    to: &(impl Destination + ?Sized),
    keys: &LogKeys,
    mut progress: impl FnMut(u64),
) -> Result<Exported, Error> {
    let _held = to.hold()?;
    let note = from.read(LogFile::Checkpoint)?;
    let note = note.ok_or_else(|| Error::Damage("there is no checkpoint".to_owned()))?;
    let checkpoint = keys.open(&note)?;
    let published = match to.read(LogFile::Checkpoint)? {
        Some(note) => Some(keys.open(&note).map_err(|_| {
            to.unusable(
                "it holds the export of another log: its checkpoint is not signed by this key",
            )
        })?),
        None if to.is_fresh()? => None,
        None => return Err(to.unusable("it is not empty, and holds no export")),
    };
    let before = published.as_ref().map_or(0, |published| published.size);
    if before > checkpoint.size {
        return Err(Error::Rollback { size: checkpoint.size, older: before });
    }
    let mut tree = match &published {
        Some(published) => edge(to, published)?,
        None => Tiling::default(),
    };
    // Before anything is written: of the same size, files would have the same names.
    if let Some(published) = published.as_ref().filter(|_| before == checkpoint.size) {
        let same = published.root == checkpoint.root;
        let done = Exported { before, files: 0, checkpoint };
        return if same { Ok(done) } else { Err(Error::Fork { size: before }) };
    }
    let mut written = Writer { to, folders: BTreeSet::new(), files: 0 };
    while tree.size() < checkpoint.size {
        let number = tree.size() / u64::from(LogFile::WIDTH);
        let bundle = EntryBundle::read(from, number, checkpoint.size)?;
        for (_, entry) in bundle.entries() {
            check(&tree, published.as_ref())?;
            tree.append(record_hash(entry), |file, hashes| written.write(file, hashes))?;
        }
        written.write(LogFile::Entries { number, width: bundle.count }, &bundle.bytes)?;
        progress(tree.size());
    }
    check(&tree, published.as_ref())?;
    if tree.root() != checkpoint.root {
        return Err(Error::Damage("the records do not give the root that was signed".to_owned()));
    }
    for (file, hashes) in tree.partial() {
        written.write(file, hashes)?;
    }
    written.sync()?;
    written.write(LogFile::Checkpoint, &note)?;
    written.sync()?;
    Ok(Exported { before, files: written.files, checkpoint })
}

/// The edge of what is published, at the last whole bundle: the entries after it are read again. The
/// tiles there must give the published root.
fn edge(to: &(impl Destination + ?Sized), published: &Checkpoint) -> Result<Tiling, Error> {
    let number = published.size / u64::from(LogFile::WIDTH);
    let (first, width) = place(number, published.size);
    let start = Tiling::read(to, first)?;
    let mut whole = start.clone();
    if width > 0 {
        for leaf in read_tile(to, 0, number, width)?.as_chunks::<32>().0 {
            whole.append(Hash(*leaf), |_, _| Ok(()))?;
        }
    }
    if whole.root() == published.root {
        Ok(start)
    } else {
        Err(Error::Damage(
            "the folder's own tiles do not give the root of its checkpoint; export into another"
                .to_owned(),
        ))
    }
}

/// Whether a tree that reached the size of what is published is what is published.
fn check(tree: &Tiling, published: Option<&Checkpoint>) -> Result<(), Error> {
    match published {
        Some(published) if published.size == tree.size() && published.root != tree.root() => {
            Err(Error::Fork { size: published.size })
        }
        _ => Ok(()),
    }
}

/// What is being written, and where directories are not durable yet.
struct Writer<'a, D: ?Sized> {
    to: &'a D,
    folders: BTreeSet<String>,
    files: u64,
}

impl<D: Destination + ?Sized> Writer<'_, D> {
    fn write(&mut self, file: LogFile, bytes: &[u8]) -> Result<(), Error> {
        self.to.write(file, bytes)?;
        let path = file.path();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.folders.insert(folder.to_owned());
        self.files += 1;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        std::mem::take(&mut self.folders).iter().try_for_each(|folder| self.to.sync(folder))
    }
}
