//! The key record, as it is stored. Key material lies in rows of its own.
//!
//! Layout: docs/formats.md, "Key, material and alias rows".

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{KeyId, KeyPlace, Reach};
use super::key_version::{Imported, KeyVersion, Origin, Rotation};
use super::outputs::{KeyMetadata, KeyVersionEntry, MultiRegionConfiguration, MultiRegionKey};
use super::state::Act;
use super::{Error, KeySpec, KeyState, KeyUsage, Scope};
use crate::store::{RowId, Table, Value};

/// A key without its material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Account and region.
    pub scope: Scope,
    /// A UUID; of a multi-Region key `mrk-` and 32 hex digits.
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
    /// Days to wait once the last replica is gone; set while the state is `PendingReplicaDeletion`.
    pub pending_window_in_days: Option<i32>,
    /// Its part among keys of the same id in other regions, if there may be such.
    pub multi_region: Option<MultiRegionPart>,
    /// Where its material comes from.
    pub origin: Origin,
    /// Whether it is an AWS-managed key.
    pub managed: bool,
    /// From version 1, in order; empty only before the first import.
    pub versions: Vec<KeyVersion>,
    /// Imported material that the next rotation makes current.
    pub pending: Option<KeyVersion>,
    /// Automatic rotation, if it is on.
    pub rotation: Option<Rotation>,
    /// By name.
    pub tags: BTreeMap<String, String>,
    /// Its own policy's document; AWS's default one when absent.
    pub policy: Option<Arc<str>>,
}

/// A key's part among the multi-Region keys that share its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MultiRegionPart {
    /// The one that is replicated and rotated.
    Primary,
    /// Made after the primary.
    Replica,
}

impl MultiRegionPart {
    /// As AWS spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Replica => "REPLICA",
        }
    }
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending_window_in_days: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    multi_region: Option<MultiRegionPart>,
    #[serde(default, skip_serializing_if = "Origin::is_default")]
    origin: Origin,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    managed: bool,
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

    /// Which key it is.
    #[must_use]
    pub fn place(&self) -> KeyPlace {
        self.scope.place(self.id)
    }

    /// Whether it follows a primary key of another region.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.multi_region == Some(MultiRegionPart::Replica)
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

    /// Imported material that is here, not past its time, and made current by the next rotation.
    #[must_use]
    pub fn usable_pending(&self, now: DateTime<Utc>) -> Option<&KeyVersion> {
        self.pending.as_ref().filter(|version| version.is_present() && !version.is_lapsed(now))
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
            && !self.is_replica()
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

    /// As `DescribeKey` shows it. `related` are the keys of the same id in other regions.
    #[must_use]
    pub fn metadata<'a>(&'a self, related: impl IntoIterator<Item = &'a Self>) -> KeyMetadata {
        let current = self.versions.last();
        let imported: Vec<&Imported> =
            self.versions.iter().filter_map(|version| version.imported.as_ref()).collect();
        let expires = imported.iter().filter(|imported| imported.present);
        KeyMetadata {
            origin: self.origin.as_str(),
            key_manager: if self.managed { "AWS" } else { "CUSTOMER" },
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
            pending_window_in_days: self.pending_window_in_days,
            multi_region: self.multi_region.map(|part| self.configuration(part, related)),
            current_key_version: current.map_or(0, |current| current.number),
            current_key_material_id: current
                .map(|current| current.material_id.clone())
                .unwrap_or_default(),
        }
    }

    /// The set of multi-Region keys that this one belongs to.
    fn configuration<'a>(
        &'a self,
        part: MultiRegionPart,
        related: impl IntoIterator<Item = &'a Self>,
    ) -> MultiRegionConfiguration {
        let mut all: Vec<&Self> = related.into_iter().chain([self]).collect();
        all.sort_by(|one, two| one.scope.region().cmp(two.scope.region()));
        let shown =
            |key: &Self| MultiRegionKey { arn: key.arn(), region: key.scope.region().to_owned() };
        let (replicas, primary): (Vec<&Self>, Vec<&Self>) =
            all.into_iter().partition(|key| key.is_replica());
        MultiRegionConfiguration {
            part: part.as_str(),
            primary: primary.first().copied().map(shown),
            replicas: replicas.into_iter().map(shown).collect(),
        }
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
            pending_window_in_days: self.pending_window_in_days,
            multi_region: self.multi_region,
            origin: self.origin,
            managed: self.managed,
            versions: self.versions.clone(),
            pending: self.pending.clone(),
            rotation: self.rotation,
            tags: self.tags.clone(),
            policy: self.policy.as_deref().map(str::to_owned),
        };
        serde_json::to_vec(&stored).map(Value::from).map_err(|_| Error::Internal)
    }

    /// The reverse of [`Self::encode`].
    #[must_use]
    pub fn decode(place: &KeyPlace, bytes: &[u8]) -> Option<Self> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let numbered =
            stored.versions.iter().zip(1..).all(|(version, number)| version.number == number);
        let empty = stored.versions.is_empty() && stored.origin == Origin::AwsKms;
        let elsewhere = stored.region != place.region
            || stored.multi_region.is_some() != (place.id.reach() == Reach::MultiRegion);
        if stored.v != FORMAT || empty || !numbered || elsewhere {
            return None;
        }
        let spec = stored.spec.map_or(Some(KeySpec::default()), |name| KeySpec::parse(&name))?;
        let usage = match stored.usage {
            Some(name) => KeyUsage::parse(&name)?,
            None => *spec.usages().first()?,
        };
        Some(Self {
            scope: Scope::new(&stored.account, &stored.region).ok()?,
            id: place.id,
            spec,
            usage,
            created: stored.created,
            description: stored.description,
            state: stored.state,
            deletion_date: stored.deletion_date,
            pending_window_in_days: stored.pending_window_in_days,
            multi_region: stored.multi_region,
            origin: stored.origin,
            managed: stored.managed,
            versions: stored.versions,
            pending: stored.pending,
            rotation: stored.rotation,
            tags: stored.tags,
            policy: stored.policy.map(Into::into),
        })
    }
}

/// Where a key's record lies.
#[must_use]
pub(super) fn key_row(place: &KeyPlace) -> RowId {
    RowId { table: Table::Key, key: place.encode() }
}

/// Where a version's material lies.
#[must_use]
pub(super) fn material_row(place: &KeyPlace, version: u32) -> RowId {
    let key = [place.encode().as_slice(), &version.to_be_bytes()].concat();
    RowId { table: Table::Material, key }
}

/// Whose material a row is.
#[must_use]
pub(super) fn parse_material_row(key: &[u8]) -> Option<(KeyPlace, u32)> {
    let (place, version) = KeyPlace::decode(key)?;
    Some((place, u32::from_be_bytes(version.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_were() {
        let scope = Scope::new("111122223333", "eu-west-1").unwrap();
        let id = KeyId::generate(Reach::MultiRegion).unwrap();
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
            pending_window_in_days: Some(7),
            multi_region: Some(MultiRegionPart::Replica),
            origin: Origin::External,
            managed: true,
            pending: Some(KeyVersion {
                imported: Some(Imported { valid_to: Some(now), description: None, present: true }),
                ..version.clone()
            }),
            versions: vec![version],
            rotation: Some(Rotation { period_in_days: 90, next: now }),
            tags: BTreeMap::from([("a".to_owned(), String::new())]),
            policy: Some("{}".into()),
        };
        let bytes = key.encode().unwrap();
        assert_eq!(Key::decode(&key.place(), bytes.expose()).unwrap(), key);
        assert_eq!(Key::decode(&key.place(), b"{}"), None);
        for elsewhere in [
            KeyPlace { region: "us-east-1".to_owned(), ..key.place() },
            KeyPlace { id: KeyId::from_bytes(Reach::Regional, *id.as_bytes()), ..key.place() },
        ] {
            assert_eq!(Key::decode(&elsewhere, bytes.expose()), None);
        }
        assert_eq!(parse_material_row(&material_row(&key.place(), 7).key), Some((key.place(), 7)));
    }

    #[test]
    fn versions_out_of_order_are_no_key() {
        let id = KeyId::generate(Reach::Regional).unwrap();
        let place = KeyPlace { id, region: "eu-west-1".to_owned() };
        let text = r#"{"v":1,"account":"111122223333","region":"eu-west-1","state":"Enabled",
            "created":"2026-01-01T00:00:00Z","versions":[{"number":2,
            "created":"2026-01-01T00:00:00Z","material_id":"00"}]}"#;
        assert_eq!(Key::decode(&place, text.as_bytes()), None);
        let first = text.replace("\"number\":2", "\"number\":1");
        assert!(Key::decode(&place, first.as_bytes()).is_some());
    }
}
