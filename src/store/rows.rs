//! Rows, changes and revisions: what a commit writes and what start-up replays.

use std::fmt;

use zeroize::Zeroizing;

/// The key spaces of the one ordered map. The first byte of every stored key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Space {
    /// Index keys of the audit log; derived data.
    Index,
    /// Tree hashes of the audit log.
    Hash,
    /// Entries of the audit log.
    Leaf,
    /// What the store says of itself: format, root key check, checkpoint.
    Meta,
    /// Keys, material, aliases, buckets, objects: sealed values.
    State,
}

impl Space {
    /// Each of them.
    pub(super) const ALL: [Self; 5] =
        [Self::Index, Self::Hash, Self::Leaf, Self::Meta, Self::State];

    /// The prefix byte.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        match self {
            Self::Hash => b'h',
            Self::Index => b'i',
            Self::Leaf => b'l',
            Self::Meta => b'm',
            Self::State => b's',
        }
    }
}

/// One write of one key; `None` deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where.
    pub space: Space,
    /// Key within the space.
    pub key: Vec<u8>,
    /// Bytes as stored.
    pub value: Option<Vec<u8>>,
}

/// Tables of [`Space::State`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Alias name to key.
    Alias,
    /// Buckets.
    Bucket,
    /// What is in a bucket, as one: written with whatever is put into it. A revision alone; never stored.
    Contents,
    /// Grants on keys.
    Grant,
    /// Key metadata.
    Key,
    /// Seeds of the audit log's keys, but for the first.
    LogKey,
    /// Key material, one row a version.
    Material,
    /// Versions of objects.
    Object,
    /// Parts of uploads.
    Part,
    /// Uploads in parts.
    Upload,
}

impl Table {
    /// Each of those that are stored.
    pub(super) const ALL: [Self; 9] = [
        Self::Alias,
        Self::Bucket,
        Self::Grant,
        Self::Key,
        Self::LogKey,
        Self::Material,
        Self::Object,
        Self::Part,
        Self::Upload,
    ];

    /// The byte that names the table in stored keys and in associated data.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Alias => b'a',
            Self::Bucket => b'b',
            Self::Contents => b'c',
            Self::Grant => b'g',
            Self::Key => b'k',
            Self::LogKey => b'l',
            Self::Material => b'm',
            Self::Object => b'o',
            Self::Part => b'p',
            Self::Upload => b'u',
        }
    }

    /// Whether its rows are on the disk, too.
    #[must_use]
    pub const fn is_stored(self) -> bool {
        !matches!(self, Self::Contents)
    }

    /// The table of a tag byte.
    #[must_use]
    pub fn from_tag(tag: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.tag() == tag)
    }
}

/// One row of state, by table and key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowId {
    /// The table.
    pub table: Table,
    /// Key within the table.
    pub key: Vec<u8>,
}

impl RowId {
    /// The key within [`Space::State`]: table tag ‖ key.
    #[must_use]
    pub fn state_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + self.key.len());
        key.push(self.table.tag());
        key.extend_from_slice(&self.key);
        key
    }

    /// The reverse of [`Self::state_key`].
    #[must_use]
    pub fn from_state_key(key: &[u8]) -> Option<Self> {
        let (tag, rest) = key.split_first()?;
        Some(Self { table: Table::from_tag(*tag)?, key: rest.to_vec() })
    }
}

/// How often a row was written; 0 means that it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Expected by a write that fits whatever the row was: of a row that says nothing but that it was written.
    pub const ANY: Self = Self(u64::MAX);

    /// The revision that the next write of the row makes.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The bytes of a state row. Wiped on drop, redacted in `Debug`: some rows are key material.
pub struct Value(pub(super) Zeroizing<Vec<u8>>);

impl Value {
    /// Borrows the bytes; every call is a place for a reviewer to stop.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({} bytes, redacted)", self.0.len())
    }
}

/// One state write, checked at the commit against the revision that the operation read.
#[derive(Debug)]
pub struct Change {
    /// The row.
    pub row: RowId,
    /// Its revision when the operation read it.
    pub expected: Revision,
    /// The new bytes; `None` deletes.
    pub value: Option<Value>,
}

/// A state row as published to memory: after a commit, and for each row at start-up.
#[derive(Debug)]
pub struct Applied<'a> {
    /// The row.
    pub row: &'a RowId,
    /// Its revision now.
    pub revision: Revision,
    /// Its bytes; `None` when it was deleted.
    pub value: Option<&'a [u8]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_id_comes_back_from_its_stored_key() {
        for table in Table::ALL {
            let row = RowId { table, key: b"some key".to_vec() };
            assert_eq!(RowId::from_state_key(&row.state_key()), Some(row));
        }
        assert_eq!(RowId::from_state_key(b"?key"), None);
        assert_eq!(RowId::from_state_key(b""), None);
    }

    #[test]
    fn a_value_is_redacted() {
        assert_eq!(format!("{:?}", Value::from(vec![7; 3])), "Value(3 bytes, redacted)");
    }
}
