//! One alias, as it is stored.
//!
//! Layout: docs/formats.md, "Key, material and alias rows".

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{AliasName, KeyId, KeyPlace};
use super::{Error, Scope};
use crate::store::{Revision, RowId, Table, Value};

/// An alias as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// Account and region.
    pub scope: Scope,
    /// With its prefix.
    pub name: AliasName,
    /// What it points at.
    pub target: KeyId,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// When it was last moved.
    pub updated: DateTime<Utc>,
    /// How often its row was written.
    pub revision: Revision,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAlias {
    v: u8,
    target: String,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
}

impl Alias {
    /// Where an alias lies: `ACCOUNT/REGION/alias/NAME`.
    #[must_use]
    pub fn row(scope: &Scope, name: &AliasName) -> RowId {
        let key = format!("{}/{}/{name}", scope.account(), scope.region()).into_bytes();
        RowId { table: Table::Alias, key }
    }

    /// The row's bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: every field has a JSON form.
    pub fn encode(
        target: KeyId,
        created: DateTime<Utc>,
        updated: DateTime<Utc>,
    ) -> Result<Value, Error> {
        let stored = StoredAlias { v: FORMAT, target: target.to_string(), created, updated };
        serde_json::to_vec(&stored).map(Value::from).map_err(|_| Error::Internal)
    }

    /// The key that it points at: one of its own region.
    #[must_use]
    pub fn place(&self) -> KeyPlace {
        self.scope.place(self.target)
    }

    /// From a row's key and bytes.
    #[must_use]
    pub fn decode(key: &[u8], bytes: &[u8], revision: Revision) -> Option<Self> {
        let (scope, name) = Self::parse_row(key)?;
        let stored: StoredAlias = serde_json::from_slice(bytes).ok()?;
        if stored.v != FORMAT {
            return None;
        }
        let target = KeyId::parse(&stored.target)?;
        let (created, updated) = (stored.created, stored.updated);
        Some(Self { scope, name, target, created, updated, revision })
    }

    /// Whose alias a row is.
    #[must_use]
    pub fn parse_row(key: &[u8]) -> Option<(Scope, AliasName)> {
        let text = std::str::from_utf8(key).ok()?;
        let mut fields = text.splitn(3, '/');
        let (account, region, name) = (fields.next()?, fields.next()?, fields.next()?);
        Some((Scope::new(account, region).ok()?, AliasName::parse(name).ok()?))
    }
}

const FORMAT: u8 = 1;

#[cfg(test)]
mod tests {
    use super::super::id::Reach;
    use super::*;

    #[test]
    fn a_row_comes_back_as_it_was() {
        let scope = Scope::new("111122223333", "eu-west-1").unwrap();
        let id = KeyId::generate(Reach::MultiRegion).unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 123_000).unwrap();
        let name = AliasName::parse("alias/a/b").unwrap();
        let row = Alias::row(&scope, &name);
        let value = Alias::encode(id, now, now).unwrap();
        let alias = Alias::decode(&row.key, value.expose(), Revision(3)).unwrap();
        assert_eq!(
            (alias.place().region, alias.name, alias.target),
            ("eu-west-1".to_owned(), name, id)
        );
        assert_eq!(Alias::decode(b"x", value.expose(), Revision(3)), None);
    }
}
