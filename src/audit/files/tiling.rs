//! A tree that grows, tile by tile.

use tlog_tiles::Tile;
use tlog_tiles::tlog::Hash;

use super::{Files, LogFile};
use crate::audit::Error;
use crate::audit::tree::Frontier;

/// The right edge of a tree, with the tiles there that are not whole yet.
#[derive(Debug, Clone, Default)]
pub(in crate::audit) struct Tiling {
    tree: Frontier,
    /// Hashes of each level's partial tile.
    levels: Vec<Vec<u8>>,
}

impl Tiling {
    /// The edge of a tree of `size` leaves, as its partial tiles have it. They are believed: the root
    /// tells whether they are that tree's.
    pub(in crate::audit) fn read(files: &(impl Files + ?Sized), size: u64) -> Result<Self, Error> {
        let mut levels = Vec::new();
        let mut exist = size;
        while exist > 0 {
            let (number, width) = (exist / WIDTH, u16::try_from(exist % WIDTH).unwrap_or(0));
            let level = u8::try_from(levels.len()).unwrap_or(u8::MAX);
            levels.push(match width {
                0 => Vec::new(),
                width => read_tile(files, level, number, width)?,
            });
            exist /= WIDTH;
        }
        // The largest subtrees first: from the highest level down, in each by the bits of its width.
        let mut subtrees = Vec::new();
        for tile in levels.iter().rev() {
            let mut rest = tile.as_slice();
            while !rest.is_empty() {
                let count = rest.len() / HASH;
                let most = 1 << count.checked_ilog2().unwrap_or(0);
                let (subtree, after) = rest.split_at_checked(most * HASH).unwrap_or((rest, &[]));
                subtrees.push(Tile::subtree_hash(subtree));
                rest = after;
            }
        }
        let tree = Frontier::new(size, subtrees);
        let tree = tree.ok_or_else(|| Error::Damage("tiles are of another size".to_owned()))?;
        Ok(Self { tree, levels })
    }

    /// Leaves in the tree.
    pub(in crate::audit) const fn size(&self) -> u64 {
        self.tree.size()
    }

    /// The root.
    pub(in crate::audit) fn root(&self) -> [u8; 32] {
        self.tree.root().0
    }

    /// The right edge alone.
    pub(in crate::audit) fn into_tree(self) -> Frontier {
        self.tree
    }

    /// Appends a leaf and hands over each tile that is whole by it, from the leaves up.
    pub(in crate::audit) fn append(
        &mut self,
        leaf: Hash,
        mut whole: impl FnMut(LogFile, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let levels = &mut self.levels;
        self.tree.append(leaf, |height, hash| {
            if height % 8 == 0 {
                let level = usize::from(height / 8);
                if levels.len() <= level {
                    levels.resize_with(level + 1, Vec::new);
                }
                if let Some(tile) = levels.get_mut(level) {
                    tile.extend_from_slice(&hash.0);
                }
            }
        });
        let mut exist = self.tree.size();
        for (level, tile) in (0..).zip(&mut self.levels) {
            if tile.len() < usize::from(LogFile::WIDTH) * HASH {
                break; // no tile above it has changed
            }
            let number = exist / WIDTH - 1;
            whole(LogFile::Tile { level, number, width: LogFile::WIDTH }, tile)?;
            tile.clear();
            exist /= WIDTH;
        }
        Ok(())
    }

    /// The partial tiles.
    pub(in crate::audit) fn partial(&self) -> impl Iterator<Item = (LogFile, &[u8])> {
        let size = self.tree.size();
        (0..).zip(&self.levels).filter_map(move |(level, tile)| {
            let width = u16::try_from(tile.len() / HASH).ok().filter(|width| *width > 0)?;
            let number = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            Some((LogFile::Tile { level, number, width }, tile.as_slice()))
        })
    }
}

/// A tile of hashes, or as much of a whole one: whoever serves may drop a partial one then.
pub(in crate::audit) fn read_tile(
    files: &(impl Files + ?Sized),
    level: u8,
    number: u64,
    width: u16,
) -> Result<Vec<u8>, Error> {
    let file = LogFile::Tile { level, number, width };
    let mut expected = width;
    let mut found = files.read(file)?;
    if found.is_none() {
        expected = LogFile::WIDTH;
        found = files.read(LogFile::Tile { level, number, width: expected })?;
    }
    let mut tile = found.ok_or_else(|| {
        let first = number.saturating_mul(WIDTH).saturating_mul(leaves_of_a_hash(level));
        Error::Damage(format!("there is no {}, from record {first} on", file.path()))
    })?;
    if tile.len() != usize::from(expected) * HASH {
        return Err(Error::Damage(format!("{} has not the length of its tile", file.path())));
    }
    tile.truncate(usize::from(width) * HASH);
    Ok(tile)
}

/// Leaves under one hash of a level.
pub(in crate::audit) fn leaves_of_a_hash(level: u8) -> u64 {
    1_u64.checked_shl(8 * u32::from(level)).unwrap_or(u64::MAX)
}

const WIDTH: u64 = 256;
/// Bytes of a hash.
pub(in crate::audit) const HASH: usize = 32;
