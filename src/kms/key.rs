//! The key record and its versions, as they are stored. Key material lies in rows of its own.
//!
//! Layout: docs/formats.md, "Key, material and alias rows".

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{AliasName, KeyId};
use super::outputs::{KeyMetadata, KeyVersionEntry};
use super::state::Act;
use super::{Error, KeySpec, KeyState, KeyUsage, Scope};
use crate::crypto::digest;
use crate::store::{Revision, RowId, Table, Value};

/// A key without its material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Account and region.
    pub scope: Scope,
    /// A UUID.
    pub id: KeyId,
    /// What it is.
    pub spec: KeySpec,
    /// What it was made for.
    pub usage: KeyUsage,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// The caller's words.
    pub description: String,
    /// Where in its life it is.
    pub state: KeyState,
    /// When it is removed; set while the state is `PendingDeletion`.
    pub deletion_date: Option<DateTime<Utc>>,
    /// Where its material comes from.
    pub origin: Origin,
    /// From version 1, in order; empty only before the first import.
    pub versions: Vec<KeyVersion>,
    /// Imported material that the next rotation makes current.
    pub pending: Option<KeyVersion>,
    /// Automatic rotation, if it is on.
    pub rotation: Option<Rotation>,
    /// By name.
    pub tags: BTreeMap<String, String>,
    /// Its own policy's document; AWS's default one when absent.
    pub policy: Option<String>,
}

/// One generation of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyVersion {
    /// From 1.
    pub number: u32,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// Names the material: 64 hex digits.
    pub material_id: String,
    /// What made it; the first version was made with the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotated: Option<RotationType>,
    /// What is known of its import, if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// Where the material of a key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Origin {
    /// It was drawn here.
    #[default]
    AwsKms,
    /// It is imported.
    External,
}

impl Origin {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwsKms => "AWS_KMS",
            Self::External => "EXTERNAL",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What is known of imported material.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// When it is removed; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<DateTime<Utc>>,
    /// The importer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether the material is here; it may have been removed or be past its time.
    pub present: bool,
}

impl KeyVersion {
    /// Whether the material is here.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.imported.as_ref().is_none_or(|imported| imported.present)
    }

    fn is_lapsed(&self, now: DateTime<Utc>) -> bool {
        self.imported.as_ref().is_some_and(|imported| {
            imported.present && imported.valid_to.is_some_and(|date| date <= now)
        })
    }
}

/// What made a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RotationType {
    /// Its time had come.
    Automatic,
    /// `RotateKeyOnDemand`
    OnDemand,
}

impl RotationType {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "AUTOMATIC",
            Self::OnDemand => "ON_DEMAND",
        }
    }
}

/// Automatic rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// 90 to 2,560.
    pub period_in_days: i32,
    /// When the next version is made.
    pub next: DateTime<Utc>,
}

/// The row's JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    v: u8,
    account: String,
    region: String,
    /// Absent in rows of symmetric keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spec: Option<String>,
    /// Absent when it is the first that the spec allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<String>,
    created: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    state: KeyState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion_date: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Origin::is_default")]
    origin: Origin,
    versions: Vec<KeyVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<KeyVersion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotation: Option<Rotation>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

const FORMAT: u8 = 1;

impl Key {
    /// The key's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        self.scope.key_arn(self.id)
    }

    /// The version that encrypts.
    ///
    /// # Errors
    /// [`Error::Internal`] for a key that waits for its first import: its state was to be looked at
    /// before.
    pub fn current(&self) -> Result<&KeyVersion, Error> {
        self.versions.last().ok_or(Error::Internal)
    }

    /// Names the material of a version of a symmetric key; key pairs have one version and no such
    /// name on AWS.
    #[must_use]
    pub fn material_id(&self, version: u32) -> Option<String> {
        let named = self.versions.iter().find(|known| known.number == version);
        let symmetric = self.spec == KeySpec::SymmetricDefault;
        named.filter(|_| symmetric).map(|version| version.material_id.clone())
    }

    /// Whether the waiting period is over: the key is as good as removed.
    #[must_use]
    pub fn is_expired(&self, now: DateTime<Utc>) -> bool {
        self.deletion_date.is_some_and(|date| date <= now)
    }

    /// Whether the material of every version is here.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.versions.is_empty() && self.versions.iter().all(KeyVersion::is_present)
    }

    /// Whether a version cannot be used because its imported material is past its time.
    #[must_use]
    pub fn has_lapsed(&self, now: DateTime<Utc>) -> bool {
        self.versions.iter().any(|version| version.is_lapsed(now))
    }

    /// Versions whose imported material is past its time and still here.
    pub fn lapsed(&self, now: DateTime<Utc>) -> impl Iterator<Item = u32> {
        let all = self.versions.iter().chain(&self.pending);
        all.filter(move |version| version.is_lapsed(now)).map(|version| version.number)
    }

    /// Whether automatic rotation is on and its time has come. Only an enabled key is rotated
    /// (Developer Guide, "Key states": automatic rotation waits while a key cannot be used).
    #[must_use]
    pub fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.state == KeyState::Enabled
            && self.rotation.is_some_and(|rotation| rotation.next <= now)
    }

    /// Whether the key may be used now, and as `operation` uses it.
    ///
    /// # Errors
    /// [`Error::Disabled`], [`Error::InvalidState`]; [`Error::InvalidKeyUsage`] in AWS's words.
    pub fn check_use(&self, usage: KeyUsage, operation: &str) -> Result<(), Error> {
        let arn = self.arn();
        self.state.permits(Act::Use, &arn)?;
        if self.usage == usage {
            return Ok(());
        }
        let own = self.usage.as_str();
        Err(Error::InvalidKeyUsage(format!(
            "{arn} key usage is {own} which is not valid for {operation}."
        )))
    }

    /// The algorithm of that name, if it is one of this key's.
    ///
    /// # Errors
    /// [`Error::InvalidKeyUsage`] in AWS's words.
    pub fn algorithm(&self, name: &str) -> Result<&'static str, Error> {
        let own = self.spec.algorithms(self.usage).iter().copied().find(|own| *own == name);
        own.ok_or_else(|| {
            let spec = self.spec.as_str();
            Error::InvalidKeyUsage(format!(
                "Algorithm {name} is incompatible with key spec {spec}."
            ))
        })
    }

    /// As `DescribeKey` shows it.
    ///
    /// # Errors
    /// As [`Self::current`].
    pub fn metadata(&self) -> Result<KeyMetadata, Error> {
        let current = self.versions.last();
        let imported: Vec<&Imported> =
            self.versions.iter().filter_map(|version| version.imported.as_ref()).collect();
        let expires = imported.iter().filter(|imported| imported.present);
        Ok(KeyMetadata {
            origin: self.origin.as_str(),
            valid_to: expires.filter_map(|imported| imported.valid_to).min(),
            has_material: self.is_whole(),
            account: self.scope.account().to_owned(),
            key_id: self.id.to_string(),
            arn: self.arn(),
            creation_date: self.created,
            description: self.description.clone(),
            key_spec: self.spec,
            key_usage: self.usage,
            key_state: self.state,
            deletion_date: self.deletion_date,
            current_key_version: current.map_or(0, |current| current.number),
            current_key_material_id: current
                .map(|current| current.material_id.clone())
                .unwrap_or_default(),
        })
    }

    /// As `DescribeKeyVersions` shows them, oldest first.
    #[must_use]
    pub fn version_entries(&self) -> Vec<KeyVersionEntry> {
        let current = self.versions.last().map(|version| version.number);
        let entry = |version: &KeyVersion| KeyVersionEntry {
            key_version: version.number,
            creation_date: version.created,
            key_material_id: version.material_id.clone(),
            current: Some(version.number) == current,
        };
        self.versions.iter().map(entry).collect()
    }

    /// The row's bytes.
    ///
    /// # Errors
    /// [`Error::Internal`] never in practice: every field has a JSON form.
    pub fn encode(&self) -> Result<Value, Error> {
        let stored = Stored {
            v: FORMAT,
            account: self.scope.account().to_owned(),
            region: self.scope.region().to_owned(),
            spec: Some(self.spec.as_str().to_owned()).filter(|_| self.spec != KeySpec::default()),
            usage: Some(self.usage.as_str().to_owned())
                .filter(|_| self.spec.usages().first() != Some(&self.usage)),
            created: self.created,
            description: self.description.clone(),
            state: self.state,
            deletion_date: self.deletion_date,
            origin: self.origin,
            versions: self.versions.clone(),
            pending: self.pending.clone(),
            rotation: self.rotation,
            tags: self.tags.clone(),
            policy: self.policy.clone(),
        };
        serde_json::to_vec(&stored).map(Value::from).map_err(|_| Error::Internal)
    }

    /// The reverse of [`Self::encode`].
    #[must_use]
    pub fn decode(id: KeyId, bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let numbered =
            stored.versions.iter().zip(1..).all(|(version, number)| version.number == number);
        let empty = stored.versions.is_empty() && stored.origin == Origin::AwsKms;
        if stored.v != FORMAT || empty || !numbered {
            return None;
        }
        let spec = stored.spec.map_or(Some(KeySpec::default()), |name| KeySpec::parse(&name))?;
        let usage = match stored.usage {
            Some(name) => KeyUsage::parse(&name)?,
            None => *spec.usages().first()?,
        };
        Some(Self {
            scope: Scope::new(&stored.account, &stored.region).ok()?,
            id,
            spec,
            usage,
            created: stored.created,
            description: stored.description,
            state: stored.state,
            deletion_date: stored.deletion_date,
            origin: stored.origin,
            versions: stored.versions,
            pending: stored.pending,
            rotation: stored.rotation,
            tags: stored.tags,
            policy: stored.policy,
        })
    }
}

impl KeyVersion {
    /// A version with fresh material.
    ///
    /// # Errors
    /// [`Error::Internal`] when the random source fails.
    pub fn generate(
        key: KeyId,
        spec: KeySpec,
        number: u32,
        now: DateTime<Utc>,
        rotated: Option<RotationType>,
    ) -> Result<(Self, Value), Error> {
        let material = spec.generate()?;
        let place = digest::sha256(&[key.as_bytes(), &number.to_be_bytes()]);
        let version =
            Self { number, created: now, material_id: hex::encode(place), rotated, imported: None };
        Ok((version, Value::from(material.expose().to_vec())))
    }
}

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

/// Where a key's record lies.
#[must_use]
pub(super) fn key_row(id: KeyId) -> RowId {
    RowId { table: Table::Key, key: id.as_bytes().to_vec() }
}

/// Where a version's material lies.
#[must_use]
pub(super) fn material_row(id: KeyId, version: u32) -> RowId {
    RowId { table: Table::Material, key: [&id.as_bytes()[..], &version.to_be_bytes()].concat() }
}

/// Whose material a row is.
#[must_use]
pub(super) fn parse_material_row(key: &[u8]) -> Option<(KeyId, u32)> {
    let (id, version) = key.split_first_chunk::<{ KeyId::LEN }>()?;
    let version: [u8; 4] = version.try_into().ok()?;
    Some((KeyId::from_bytes(*id), u32::from_be_bytes(version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let scope = Scope::new("111122223333", "eu-west-1").unwrap();
        let id = KeyId::generate().unwrap();
        let now = DateTime::from_timestamp(1_700_000_000, 123_000).unwrap();
        let (version, _) = KeyVersion::generate(id, KeySpec::default(), 1, now, None).unwrap();
        let key = Key {
            scope: scope.clone(),
            id,
            spec: KeySpec::parse("RSA_4096").unwrap(),
            usage: KeyUsage::EncryptDecrypt,
            created: now,
            description: "häuser".to_owned(),
            state: KeyState::PendingDeletion,
            deletion_date: Some(now),
            origin: Origin::External,
            pending: Some(KeyVersion {
                imported: Some(Imported { valid_to: Some(now), description: None, present: true }),
                ..version.clone()
            }),
            versions: vec![version],
            rotation: Some(Rotation { period_in_days: 90, next: now }),
            tags: BTreeMap::from([("a".to_owned(), String::new())]),
            policy: Some("{}".to_owned()),
        };
        assert_eq!(Key::decode(id, key.encode().unwrap().expose()).unwrap(), key);
        assert_eq!(Key::decode(id, b"{}"), None);

        let name = AliasName::parse("alias/a/b").unwrap();
        let row = Alias::row(&scope, &name);
        let value = Alias::encode(id, now, now).unwrap();
        let alias = Alias::decode(&row.key, value.expose(), Revision(3)).unwrap();
        assert_eq!((alias.scope, alias.name, alias.target), (scope, name, id));
        assert_eq!(parse_material_row(&material_row(id, 7).key), Some((id, 7)));
    }

    #[test]
    fn versions_out_of_order_are_no_key() {
        let id = KeyId::generate().unwrap();
        let text = r#"{"v":1,"account":"111122223333","region":"eu-west-1","state":"Enabled",
            "created":"2026-01-01T00:00:00Z","versions":[{"number":2,
            "created":"2026-01-01T00:00:00Z","material_id":"00"}]}"#;
        assert_eq!(Key::decode(id, text.as_bytes()), None);
        let first = text.replace("\"number\":2", "\"number\":1");
        assert!(Key::decode(id, first.as_bytes()).is_some());
    }
}
