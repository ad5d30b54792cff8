//! The files of a store, made as they are read.

use tlog_tiles::tlog::stored_hash_index;

use super::{Files, LogFile};
use crate::audit::{Error, Log};

impl Files for Log {
    /// Every file of the newest durable head, and every partial one of a head before it.
    fn read(&self, file: LogFile) -> Result<Option<Vec<u8>>, Error> {
        let head = self.head();
        // Places of what a file holds, where as many of them exist.
        let range = |number: u64, width: u16, exist: u64| {
            let first = number.checked_mul(u64::from(LogFile::WIDTH))?;
            let end = first.checked_add(u64::from(width))?;
            (end <= exist).then_some(first..end)
        };
        match file {
            LogFile::Checkpoint => Ok((head.size > 0).then(|| head.checkpoint.clone())),
            LogFile::Entries { number, width } => {
                let Some(range) = range(number, width, head.size) else { return Ok(None) };
                let mut bundle = Vec::new();
                self.each_entry(range.start, |index, entry| {
                    let within = index < range.end;
                    if within {
                        let length = u16::try_from(entry.len()).map_err(|_| Error::Event)?;
                        bundle.extend_from_slice(&length.to_be_bytes());
                        bundle.extend_from_slice(entry);
                    }
                    Ok(within)
                })?;
                Ok(Some(bundle))
            }
            LogFile::Tile { level, number, width } => {
                let exist = head.size.checked_shr(u32::from(level) * 8).unwrap_or(0);
                let Some(range) = range(number, width, exist) else { return Ok(None) };
                let places: Vec<_> =
                    range.map(|number| stored_hash_index(level * 8, number)).collect();
                let hashes = self.read_hashes_of(&places)?;
                Ok(Some(hashes.iter().flat_map(|hash| hash.0).collect()))
            }
        }
    }
}
