//! State values at rest: AES-256-GCM, with the row and its revision as associated data. Without the
//! root key a value can be neither made, changed, moved to another row, nor given another revision.
//!
//! The revision is read from the stored bytes, so that a whole older value of the same row opens:
//! whoever can write the data directory can put one back, or take a row out, and this does not see it.
//!
//! Stored form: revision (u64, big-endian) ‖ nonce (12) ‖ ciphertext ‖ tag (16). The nonce is
//! random; a table's key seals far fewer than 2^32 values, since only changes of state are sealed.

use super::Error;
use super::rows::{Revision, RowId, Table, Value};
use crate::crypto::{Purpose, SecretKey, aead, derive, random};

/// Seals and opens state values under keys derived from the root key, one a table.
#[derive(Debug)]
pub struct Sealer {
    alias: SecretKey,
    bucket: SecretKey,
    grant: SecretKey,
    key: SecretKey,
    log_key: SecretKey,
    material: SecretKey,
    object: SecretKey,
    part: SecretKey,
    upload: SecretKey,
}

impl Sealer {
    /// Derives the tables' keys. `store_id` is the store's own random salt.
    #[must_use]
    pub fn new(root: &SecretKey, store_id: &[u8]) -> Self {
        let table = |table: Table| derive(root, store_id, Purpose::StoredValue, &[table.tag()]);
        Self {
            alias: table(Table::Alias),
            bucket: table(Table::Bucket),
            grant: table(Table::Grant),
            key: table(Table::Key),
            log_key: table(Table::LogKey),
            material: table(Table::Material),
            object: table(Table::Object),
            part: table(Table::Part),
            upload: table(Table::Upload),
        }
    }

    const fn table_key(&self, table: Table) -> &SecretKey {
        match table {
            Table::Alias => &self.alias,
            Table::Bucket | Table::Contents => &self.bucket, // the latter has no bytes to seal
            Table::Grant => &self.grant,
            Table::Key => &self.key,
            Table::LogKey => &self.log_key,
            Table::Material => &self.material,
            Table::Object => &self.object,
            Table::Part => &self.part,
            Table::Upload => &self.upload,
        }
    }

    /// Seals `value` for `row` at `revision`.
    ///
    /// # Errors
    /// [`Error::Value`] when the random source fails.
    pub fn seal(&self, row: &RowId, revision: Revision, value: &Value) -> Result<Vec<u8>, Error> {
        let nonce = random::array()?;
        let sealed =
            aead::seal(self.table_key(row.table), &nonce, &place(row, revision), value.expose())?;
        let mut out = Vec::with_capacity(8 + nonce.len() + sealed.len());
        out.extend_from_slice(&revision.0.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what [`Self::seal`] made for the same row, at whichever revision.
    ///
    /// # Errors
    /// [`Error::Value`], whatever the reason.
    pub fn open(&self, row: &RowId, stored: &[u8]) -> Result<(Revision, Value), Error> {
        let open = || -> Option<(Revision, Value)> {
            let (revision, rest) = stored.split_first_chunk::<8>()?;
            let (nonce, sealed) = rest.split_first_chunk::<{ aead::NONCE_LEN }>()?;
            let revision = Revision(u64::from_be_bytes(*revision));
            let key = self.table_key(row.table);
            let opened = aead::open(key, nonce, &place(row, revision), sealed).ok()?;
            Some((revision, Value(opened.into_inner())))
        };
        open().ok_or(Error::Value(crate::crypto::Error::Open))
    }
}

/// Associated data: revision ‖ state key.
fn place(row: &RowId, revision: Revision) -> Vec<u8> {
    let mut place = revision.0.to_be_bytes().to_vec();
    place.extend_from_slice(&row.state_key());
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let sealer = Sealer::new(&SecretKey::from_bytes([1; 32]), b"store");
        let row = RowId { table: Table::Material, key: b"one".to_vec() };
        let stored = sealer.seal(&row, Revision(3), &Value::from(b"secret".to_vec())).unwrap();
        let (revision, value) = sealer.open(&row, &stored).unwrap();
        assert_eq!((revision, value.expose()), (Revision(3), b"secret".as_slice()));

        let moved = RowId { table: Table::Material, key: b"two".to_vec() };
        let other_table = RowId { table: Table::Key, key: b"one".to_vec() };
        let mut older = stored.clone();
        older[7] = 2;
        assert!(sealer.open(&moved, &stored).is_err());
        assert!(sealer.open(&other_table, &stored).is_err());
        assert!(sealer.open(&row, &older).is_err());
        assert!(sealer.open(&row, &stored[..19]).is_err());
        let next = sealer.seal(&row, Revision(4), &Value::from(b"next".to_vec())).unwrap();
        assert_eq!(sealer.open(&row, &next).unwrap().0, Revision(4));
        assert!(
            sealer.open(&row, &stored).is_ok(),
            "an older value still opens, SECURITY.md says so"
        );
        let other = Sealer::new(&SecretKey::from_bytes([1; 32]), b"other store");
        assert!(other.open(&row, &stored).is_err());
    }
}
