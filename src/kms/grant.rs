//! One grant, as it is stored, and what it allows.
//!
//! Layout: docs/formats.md, "Key, material and alias rows".

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Error;
use super::id::KeyPlace;
use super::outputs::{GrantConstraints, Party};
use super::requests::EncryptionContext;
use crate::crypto::random;
use crate::store::{Revision, RowId, Table, Value};

/// Names a grant: 32 random bytes, in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; Self::LEN]);

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// On which key.
    pub key: KeyPlace,
    /// Its name for AWS.
    pub id: GrantId,
    /// Its name for its maker.
    pub name: Option<String>,
    /// Who may.
    pub grantee: Party,
    /// Who may end it.
    pub retiring: Option<Party>,
    /// What: `Decrypt` and the like.
    pub operations: Vec<String>,
    /// In which contexts.
    pub constraints: GrantConstraints,
    /// Whose caller made it: 12 digits.
    pub issuing_account: String,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// How often its row was written.
    pub revision: Revision,
}

/// The row's JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    grantee: Party,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retiring: Option<Party>,
    operations: Vec<String>,
    #[serde(default)]
    constraints: GrantConstraints,
    issuing_account: String,
    created: DateTime<Utc>,
}

const FORMAT: u8 = 1;
/// Characters of a grant token at the most: of a place and a grant id, with room.
const TOKEN_LEN: usize = 256;

impl GrantId {
    const LEN: usize = 32;

    /// Draws an id.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate() -> Result<Self, Error> {
        Ok(Self(random::array()?))
    }

    /// From 64 hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; Self::LEN];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// The same, out of a page's marker.
    pub(super) fn parse_marker(text: &str) -> Result<Self, Error> {
        Self::parse(text).ok_or(Error::InvalidMarker)
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl Grant {
    /// Whether the grant lets its grantee do `operation` in `context`. Constraints are on operations that
    /// have a context; `DescribeKey` and the like have none and are not constrained. The case of a
    /// pair's name does not matter (API reference, `GrantConstraints`).
    #[must_use]
    pub fn allows(&self, operation: &str, context: Option<&EncryptionContext>) -> bool {
        self.has(operation) && self.holds_in(context)
    }

    /// Whether it is for an operation, if its constraints hold.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.operations.iter().any(|granted| granted == operation)
    }

    /// Whether its constraints hold in a context.
    #[must_use]
    pub fn holds_in(&self, context: Option<&EncryptionContext>) -> bool {
        let GrantConstraints { equals, subset, source_arn } = &self.constraints;
        let within = |context: &EncryptionContext| {
            (equals.is_empty() || (contains(context, equals) && contains(equals, context)))
                && contains(context, subset)
        };
        // What a service does on behalf of a resource, no caller here does.
        source_arn.is_none() && context.is_none_or(within)
    }

    /// Whether another grant would allow no more: some of the operations, in constraints that are at least
    /// as strict (API reference, `GrantConstraints`).
    #[must_use]
    pub fn covers(&self, operations: &[String], constraints: &GrantConstraints) -> bool {
        let GrantConstraints { equals, subset, source_arn } = &self.constraints;
        let narrow = contains(&constraints.subset, subset) || contains(&constraints.equals, subset);
        operations.iter().all(|operation| self.operations.contains(operation))
            && (equals.is_empty() || *equals == constraints.equals)
            && (subset.is_empty() || narrow)
            && (source_arn.is_none() || *source_arn == constraints.source_arn)
    }

    /// What `CreateGrant` gives its caller to hand on: names key and grant, is no secret.
    #[must_use]
    pub fn token(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.row().key)
    }

    /// The reverse of [`Self::token`].
    #[must_use]
    pub fn parse_token(token: &str) -> Option<(KeyPlace, GrantId)> {
        let bytes = (token.len() <= TOKEN_LEN).then(|| URL_SAFE_NO_PAD.decode(token).ok())??;
        Self::parse_row(&bytes)
    }

    /// Where the grant lies: its key's place ‖ grant id.
    #[must_use]
    pub fn row(&self) -> RowId {
        let key = [self.key.encode().as_slice(), &self.id.0].concat();
        RowId { table: Table::Grant, key }
    }

    /// Whose grant a row is.
    #[must_use]
    pub fn parse_row(key: &[u8]) -> Option<(KeyPlace, GrantId)> {
        let (key, id) = KeyPlace::decode(key)?;
        Some((key, GrantId(id.try_into().ok()?)))
    }

    /// The row's bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: every field has a JSON form.
    pub fn encode(&self) -> Result<Value, Error> {
        let stored = Stored {
            v: FORMAT,
            name: self.name.clone(),
            grantee: self.grantee.clone(),
            retiring: self.retiring.clone(),
            operations: self.operations.clone(),
            constraints: self.constraints.clone(),
            issuing_account: self.issuing_account.clone(),
            created: self.created,
        };
        serde_json::to_vec(&stored).map(Value::from).map_err(|_| Error::Internal)
    }

    /// The reverse of [`Self::row`] and [`Self::encode`].
    #[must_use]
    pub fn decode(key: &[u8], bytes: &[u8], revision: Revision) -> Option<Self> {
        let (key, id) = Self::parse_row(key)?;
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        (stored.v == FORMAT).then_some(Self {
            key,
            id,
            name: stored.name,
            grantee: stored.grantee,
            retiring: stored.retiring,
            operations: stored.operations,
            constraints: stored.constraints,
            issuing_account: stored.issuing_account,
            created: stored.created,
            revision,
        })
    }
}

/// Whether a context has every pair of another, whatever the case of their names.
fn contains(context: &EncryptionContext, pairs: &EncryptionContext) -> bool {
    pairs.iter().all(|(name, value)| {
        context.get(name) == Some(value)
            || context
                .iter()
                .any(|(other, found)| other.eq_ignore_ascii_case(name) && found == value)
    })
}

#[cfg(test)]
mod tests {
    use super::super::Scope;
    use super::super::id::{KeyId, Reach};
    use super::*;

    fn grant() -> Grant {
        Grant {
            key: Scope::new("111122223333", "eu-west-1")
                .unwrap()
                .place(KeyId::generate(Reach::Regional).unwrap()),
            id: GrantId::generate().unwrap(),
            name: Some("n".to_owned()),
            grantee: Party::Principal("arn:aws:iam::444455556666:root".to_owned()),
            retiring: None,
            operations: vec!["Decrypt".to_owned(), "DescribeKey".to_owned()],
            constraints: GrantConstraints::default(),
            issuing_account: "111122223333".to_owned(),
            created: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
            revision: Revision(2),
        }
    }

    #[test]
    fn rows_and_tokens_come_back_as_they_were() {
        let grant = grant();
        let row = grant.row();
        let back = Grant::decode(&row.key, grant.encode().unwrap().expose(), Revision(2)).unwrap();
        assert_eq!(back, grant);
        assert_eq!(Grant::parse_token(&grant.token()), Some((grant.key.clone(), grant.id)));
        for bad in ["", "x", "AAAA", &grant.token()[1..]] {
            assert_eq!(Grant::parse_token(bad), None);
        }
    }

    #[test]
    fn what_and_where_must_both_fit() {
        let mut grant = grant();
        let pairs = |pairs: &[(&str, &str)]| -> EncryptionContext {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let (none, some, more) =
            (pairs(&[]), pairs(&[("a", "1")]), pairs(&[("a", "1"), ("b", "2")]));
        assert!(grant.allows("Decrypt", Some(&none)));
        assert!(!grant.allows("Encrypt", Some(&none)));
        grant.constraints.subset = some.clone();
        for (context, fits) in [(&none, false), (&some, true), (&more, true)] {
            assert_eq!(grant.allows("Decrypt", Some(context)), fits);
        }
        grant.constraints =
            GrantConstraints { equals: some.clone(), ..GrantConstraints::default() };
        for (context, fits) in [(&none, false), (&some, true), (&more, false)] {
            assert_eq!(grant.allows("Decrypt", Some(context)), fits);
        }
        let shouted = pairs(&[("A", "1")]);
        assert!(grant.allows("Decrypt", Some(&shouted)), "names in any case");
        assert!(!grant.allows("Decrypt", Some(&pairs(&[("A", "x")]))));
        assert!(grant.allows("DescribeKey", None));
        let source_arn = Some("arn:aws:s3:eu-west-1:111122223333:x".to_owned());
        grant.constraints = GrantConstraints { source_arn, ..GrantConstraints::default() };
        assert!(!grant.allows("DescribeKey", None), "no service calls here");
    }

    #[test]
    fn a_grant_covers_what_is_no_wider() {
        let pairs = |pairs: &[(&str, &str)]| -> EncryptionContext {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let (one, two) = (pairs(&[("a", "1")]), pairs(&[("a", "1"), ("b", "2")]));
        let free = GrantConstraints::default();
        let equals = |context: &EncryptionContext| GrantConstraints {
            equals: context.clone(),
            ..GrantConstraints::default()
        };
        let subset = |context: &EncryptionContext| GrantConstraints {
            subset: context.clone(),
            ..GrantConstraints::default()
        };
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (some, other) = (names(&["Decrypt"]), names(&["Decrypt", "Encrypt"]));
        let mut grant = grant();
        assert!(grant.covers(&some, &free) && grant.covers(&some, &subset(&one)));
        assert!(!grant.covers(&other, &free));
        grant.constraints = subset(&one);
        for (child, covered) in [
            (&free, false),
            (&subset(&one), true),
            (&subset(&two), true),
            (&equals(&two), true),
            (&subset(&pairs(&[("b", "2")])), false),
        ] {
            assert_eq!(grant.covers(&some, child), covered, "{child:?}");
        }
        grant.constraints = equals(&one);
        for (child, covered) in
            [(&free, false), (&subset(&one), false), (&equals(&one), true), (&equals(&two), false)]
        {
            assert_eq!(grant.covers(&some, child), covered, "{child:?}");
        }
    }
}
