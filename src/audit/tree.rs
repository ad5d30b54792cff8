//! The right edge of a growing tree (RFC 6962, 2.1): all that appending needs.

use tlog_tiles::tlog::{EMPTY_HASH, Hash, node_hash};

/// The hashes of the complete subtrees at the right edge: as many as the size has ones, the largest
/// first.
#[derive(Debug, Clone, Default)]
pub(super) struct Frontier {
    size: u64,
    subtrees: Vec<Hash>,
}

impl Frontier {
    /// The edge of a tree of `size` leaves; none when there are not as many subtrees.
    pub(super) fn new(size: u64, subtrees: Vec<Hash>) -> Option<Self> {
        let expected = usize::try_from(size.count_ones()).ok()?;
        (subtrees.len() == expected).then_some(Self { size, subtrees })
    }

    /// The complete subtrees, the largest first.
    pub(super) fn subtrees(&self) -> &[Hash] {
        &self.subtrees
    }

    /// Leaves in the tree.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and tells `completed` of every subtree that it ends, by its level: the leaf
    /// itself first, then from the leaves up. That is the order in which tlog stores hashes.
    pub(super) fn append(&mut self, leaf: Hash, mut completed: impl FnMut(u8, Hash)) {
        let (mut hash, mut level) = (leaf, 0);
        completed(level, hash);
        let mut number = self.size;
        while number & 1 == 1
            && let Some(left) = self.subtrees.pop()
        {
            hash = node_hash(left, hash);
            level += 1;
            number >>= 1;
            completed(level, hash);
        }
        self.subtrees.push(hash);
        self.size += 1;
    }

    /// The root.
    pub(super) fn root(&self) -> Hash {
        let from_the_right = self.subtrees.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(left, right)).unwrap_or(EMPTY_HASH)
    }
}
