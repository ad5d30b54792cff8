//! Everything recomputed, from entries up.

use tlog_tiles::tlog::record_hash;

use super::tiling::{HASH, Tiling, leaves_of_a_hash, read_tile};
use super::{EntryBundle, Files, LogFile};
use crate::audit::{Checkpoint, Error, LogKeys};

/// Verifies a log's files with the public key alone: the checkpoint's signature, every entry against the
/// tiles, every tile against those below it, the root against the signed one, and that the trees of
/// `older` checkpoints are still in it. `progress` is told after each bundle how many records are done.
///
/// One pass, a bundle at a time: memory does not grow with the log.
///
/// # Errors
/// [`Error::Checkpoint`] when the log's key did not sign; [`Error::Damage`], naming the first record
/// that is not what was written; of a log that holds together [`Error::Rollback`] when it is shorter than
/// an older checkpoint and [`Error::Fork`] when it has other records; [`Error::Read`].
pub fn verify(
    files: &(impl Files + ?Sized),
    keys: &LogKeys,
    older: &[Checkpoint],
    mut progress: impl FnMut(u64),
) -> Result<Checkpoint, Error> {
    let note = files.read(LogFile::Checkpoint)?;
    let note = note.ok_or_else(|| Error::Damage("there is no checkpoint".to_owned()))?;
    let checkpoint = keys.open(&note)?;
    let size = checkpoint.size;
    let mut older: Vec<_> = older.iter().filter(|older| older.size > 0).collect();
    older.sort_by_key(|older| older.size);
    let mut older = older.into_iter().peekable();
    // Told when the rest holds together: damage could look like it.
    let mut fork = None;
    let mut tree = Tiling::default();
    let look = |tree: &Tiling| {
        while let Some(known) = older.next_if(|older| older.size == tree.size()) {
            if known.root != tree.root() && fork.is_none() {
                fork = Some(Error::Fork { size: known.size });
            }
        }
    };
    recompute(files, &mut tree, size, look, &mut progress)?;
    if tree.root() != checkpoint.root {
        return Err(Error::Damage(
            "records and tiles agree, but do not give the root that was signed".to_owned(),
        ));
    }
    if let Some(ahead) = older.next_back() {
        return Err(Error::Rollback { size, older: ahead.size });
    }
    fork.map_or(Ok(checkpoint), Err)
}

/// Grows `tree`, which ends with a whole bundle, up to `size` by the files' entries: each must be what was
/// hashed into its tile, and each tile what is computed from those below it. `look` sees the tree after
/// each entry.
pub(in crate::audit) fn recompute(
    files: &(impl Files + ?Sized),
    tree: &mut Tiling,
    size: u64,
    mut look: impl FnMut(&Tiling),
    mut progress: impl FnMut(u64),
) -> Result<(), Error> {
    while tree.size() < size {
        let number = tree.size() / u64::from(LogFile::WIDTH);
        let bundle = EntryBundle::read(files, number, size)?;
        let leaves = read_tile(files, 0, number, bundle.count)?;
        for ((index, entry), expected) in bundle.entries().zip(leaves.as_chunks::<HASH>().0) {
            let leaf = record_hash(entry);
            if leaf.0 != *expected {
                return Err(Error::Damage(format!(
                    "record {index} is not what was written: it is not what was hashed into its tile"
                )));
            }
            tree.append(leaf, |file, hashes| compare(files, file, hashes))?;
            look(tree);
        }
        progress(tree.size());
    }
    tree.partial().try_for_each(|(file, hashes)| compare(files, file, hashes))
}

/// Holds a tile above the leaves against what was computed; those of the leaves were, entry by entry.
fn compare(files: &(impl Files + ?Sized), file: LogFile, computed: &[u8]) -> Result<(), Error> {
    let LogFile::Tile { level: level @ 1.., number, width } = file else { return Ok(()) };
    let found = read_tile(files, level, number, width)?;
    let (found, computed) = (found.as_chunks::<HASH>().0, computed.as_chunks::<HASH>().0);
    let first = found.iter().zip(computed).position(|(found, computed)| found != computed);
    let Some(place) = first.and_then(|place| u64::try_from(place).ok()) else { return Ok(()) };
    let each = leaves_of_a_hash(level);
    let from = (number * u64::from(LogFile::WIDTH) + place).saturating_mul(each);
    let last = from.saturating_add(each - 1);
    Err(Error::Damage(format!(
        "one of the records {from} to {last} is not what was written, or {} is not: it has another \
         hash for them",
        file.path()
    )))
}
