//! A digest of the database's files, left behind by a clean shutdown.
//!
//! sled verifies what it happens to read, and silently drops a damaged tail. A database that was
//! shut down cleanly is therefore compared, byte for byte, with what it was; one that was not has
//! no fingerprint, and the whole log is recomputed instead (docs/design.md, "Starting").

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Error;
use crate::crypto::digest;

/// SHA-256 over the sorted names, lengths and 4 MiB blocks of every file below `folder`.
///
/// # Errors
/// [`Error::File`] when a file cannot be read.
pub(super) fn of_folder(folder: &Path) -> Result<[u8; digest::LEN], Error> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    let mut summary = Vec::new();
    for path in &files {
        let name = path.strip_prefix(folder).unwrap_or(path).to_string_lossy().into_owned();
        let file = File::open(path).map_err(Error::file("opening", path))?;
        let length = file.metadata().map_err(Error::file("reading", path))?.len();
        summary.extend_from_slice(&digest::sha256(&[name.as_bytes()]));
        summary.extend_from_slice(&length.to_be_bytes());
        summary.extend_from_slice(&of_blocks(&file, length, path)?);
    }
    Ok(digest::sha256(&[&summary]))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in fs::read_dir(folder).map_err(Error::file("listing", folder))? {
        let path = entry.map_err(Error::file("listing", folder))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

/// The digest of the digests of a file's blocks, taken on all cores.
fn of_blocks(file: &File, length: u64, path: &Path) -> Result<[u8; digest::LEN], Error> {
    let blocks = usize::try_from(length.div_ceil(BLOCK)).unwrap_or(usize::MAX);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(blocks.max(1));
    let next = AtomicUsize::new(0);
    let work = || -> std::io::Result<Vec<(usize, [u8; digest::LEN])>> {
        let mut done = Vec::new();
        let mut buffer = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= blocks {
                return Ok(done);
            }
            let offset = u64::try_from(index).unwrap_or(u64::MAX).saturating_mul(BLOCK);
            let size = BLOCK.min(length - offset);
            buffer.resize(usize::try_from(size).unwrap_or(0), 0);
            file.read_exact_at(&mut buffer, offset)?;
            done.push((index, digest::sha256(&[&buffer])));
        }
    };
    let mut digests = std::thread::scope(|scope| -> std::io::Result<Vec<_>> {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::with_capacity(blocks);
        for thread in threads {
            all.extend(thread.join().map_err(|_| std::io::Error::other("a thread panicked"))??);
        }
        Ok(all)
    })
    .map_err(Error::file("reading", path))?;
    digests.sort_unstable_by_key(|(index, _)| *index);
    let digests: Vec<&[u8]> = digests.iter().map(|(_, digest)| digest.as_slice()).collect();
    Ok(digest::sha256(&digests))
}

const BLOCK: u64 = 4 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_name_and_length_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        let mut bytes = vec![0_u8; 5 * 1024 * 1024];
        fs::write(&path, &bytes).unwrap();
        let whole = of_folder(folder.path()).unwrap();
        assert_eq!(of_folder(folder.path()).unwrap(), whole);
        for position in [0, 1024, bytes.len() - 1] {
            bytes[position] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_ne!(of_folder(folder.path()).unwrap(), whole);
            bytes[position] ^= 1;
        }
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_ne!(of_folder(folder.path()).unwrap(), whole);
        fs::write(&path, &bytes).unwrap();
        assert_eq!(of_folder(folder.path()).unwrap(), whole);
        fs::rename(&path, folder.path().join("bd")).unwrap();
        assert_ne!(of_folder(folder.path()).unwrap(), whole);
    }
}
