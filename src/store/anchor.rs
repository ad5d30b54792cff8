//! The anchor: the last checkpoint, kept outside of sled, so that a database that lost its tail
//! (or was swapped for an older one) is noticed at start.
//!
//! Two slots of 4,096 bytes are written in turn, so that a torn write leaves the other whole.
//! A slot: magic (8) ‖ sequence (u64) ‖ length (u32) ‖ checkpoint ‖ SHA-256 of all before it.
//! Each commit group writes a slot after its data is durable; the anchor itself is synced by a
//! thread of its own once a second and at shutdown. A crash of the process loses nothing; a power
//! failure may leave the anchor up to a second older than the database, never newer.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::Error;
use crate::crypto::digest;

/// The anchor file, open for writing.
#[derive(Debug)]
pub struct Anchor {
    file: File,
    path: PathBuf,
    sequence: u64,
    checkpoint: Option<Vec<u8>>,
}

impl Anchor {
    /// Opens or creates the file and reads the newer whole slot.
    ///
    /// # Errors
    /// [`Error::Anchor`] when there are bytes but no whole slot; [`Error::File`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(Error::file("opening", path))?;
        let length = file.metadata().map_err(Error::file("reading", path))?.len();
        let mut anchor = Self { file, path: path.to_owned(), sequence: 0, checkpoint: None };
        if length == 0 {
            return Ok(anchor);
        }
        let mut newest = None;
        for slot in 0..2 {
            let mut bytes = vec![0; SLOT_LEN];
            if anchor.file.read_exact_at(&mut bytes, slot * SLOT).is_ok()
                && let Some((sequence, checkpoint)) = parse(&bytes)
                && newest.as_ref().is_none_or(|(best, _)| *best < sequence)
            {
                newest = Some((sequence, checkpoint));
            }
        }
        let (sequence, checkpoint) = newest.ok_or_else(|| Error::Anchor(path.to_owned()))?;
        anchor.sequence = sequence;
        anchor.checkpoint = Some(checkpoint);
        Ok(anchor)
    }

    /// The checkpoint that the file held when it was opened; `None` for a new file.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.checkpoint.as_deref()
    }

    /// Writes `checkpoint` into the older slot. Reaches the disk by [`Self::sync_handle`].
    ///
    /// # Errors
    /// [`Error::File`] when the write fails; [`Error::Damaged`] for a checkpoint over 4,000 bytes.
    pub fn write(&mut self, checkpoint: &[u8]) -> Result<(), Error> {
        let sequence = self.sequence + 1;
        let slot = encode(sequence, checkpoint)
            .ok_or_else(|| Error::Damaged("a checkpoint is larger than its slot".to_owned()))?;
        self.file
            .write_all_at(&slot, (sequence % 2) * SLOT)
            .map_err(Error::file("writing", &self.path))?;
        self.sequence = sequence;
        Ok(())
    }

    /// A second handle, with which another thread can sync the file.
    ///
    /// # Errors
    /// [`Error::File`] when the descriptor cannot be duplicated.
    pub fn sync_handle(&self) -> Result<File, Error> {
        self.file.try_clone().map_err(Error::file("opening", &self.path))
    }
}

const MAGIC: &[u8; 8] = b"sranchor";
const SLOT: u64 = 4096;
const SLOT_LEN: usize = 4096;
const HEADER: usize = 8 + 8 + 4;

fn encode(sequence: u64, checkpoint: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(checkpoint.len()).ok()?;
    let mut slot = Vec::with_capacity(SLOT_LEN);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&sequence.to_be_bytes());
    slot.extend_from_slice(&length.to_be_bytes());
    slot.extend_from_slice(checkpoint);
    slot.extend_from_slice(&digest::sha256(&[&slot]));
    (slot.len() <= SLOT_LEN).then(|| {
        slot.resize(SLOT_LEN, 0);
        slot
    })
}

fn parse(slot: &[u8]) -> Option<(u64, Vec<u8>)> {
    let rest = slot.strip_prefix(MAGIC)?;
    let (sequence, rest) = rest.split_first_chunk::<8>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let checkpoint = rest.get(..length)?;
    let sum = rest.get(length..length.checked_add(digest::LEN)?)?;
    (digest::sha256(&[slot.get(..HEADER + length)?]) == sum)
        .then(|| (u64::from_be_bytes(*sequence), checkpoint.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_is_read_and_a_torn_one_falls_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        let mut anchor = Anchor::open(&path).unwrap();
        assert_eq!(anchor.checkpoint(), None);
        for text in ["one", "two", "three"] {
            anchor.write(text.as_bytes()).unwrap();
        }
        assert_eq!(Anchor::open(&path).unwrap().checkpoint(), Some(b"three".as_slice()));

        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096 + 21] ^= 1; // sequence 3 is in slot 1
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(Anchor::open(&path).unwrap().checkpoint(), Some(b"two".as_slice()));

        bytes[21] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(Anchor::open(&path), Err(Error::Anchor(_))));
    }

    #[test]
    fn a_truncated_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("anchor");
        std::fs::write(&path, b"sranch").unwrap();
        assert!(matches!(Anchor::open(&path), Err(Error::Anchor(_))));
    }

    #[test]
    fn an_oversized_checkpoint_is_an_error_not_a_torn_slot() {
        let folder = tempfile::tempdir().unwrap();
        let mut anchor = Anchor::open(&folder.path().join("anchor")).unwrap();
        assert!(anchor.write(&[b'x'; 4096]).is_err());
    }
}
