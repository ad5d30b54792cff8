//! What rows become in memory. Written to by [`super::Directory::apply`] alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::alias::Alias;
use super::grant::{Grant, GrantId};
use super::id::{AliasName, KeyId, KeyPlace};
use super::key::{Key, parse_material_row};
use super::material::{HeldMaterial, KeyEntry};
use super::{KeyState, Scope};
use crate::crypto::Plaintext;
use crate::store::{Applied, Revision, Table};

/// Every key, alias and grant.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) keys: BTreeMap<KeyPlace, Arc<KeyEntry>>,
    pub(super) listed: BTreeMap<Scope, BTreeMap<KeyId, ()>>,
    pub(super) aliases: BTreeMap<Scope, BTreeMap<AliasName, Arc<Alias>>>,
    pub(super) grants: HashMap<KeyPlace, BTreeMap<GrantId, Arc<Grant>>>,
    pub(super) materials: HashMap<KeyPlace, BTreeMap<u32, Plaintext>>,
}

impl Memory {
    /// Takes one row in; none when its bytes are not what this program writes.
    pub(super) fn apply(&mut self, applied: &Applied<'_>) -> Option<()> {
        let Applied { row, revision, value } = applied;
        match row.table {
            Table::Alias => self.apply_alias(&row.key, *revision, *value),
            Table::Grant => self.apply_grant(&row.key, *revision, *value),
            Table::Key => self.apply_key(&row.key, *revision, *value),
            // Other rooms' own; they have them.
            Table::Bucket
            | Table::Contents
            | Table::LogKey
            | Table::Object
            | Table::Part
            | Table::Upload => Some(()),
            Table::Material => self.apply_material(&row.key, *value),
        }
    }

    /// A key that is not past its last day.
    pub(super) fn live(&self, place: &KeyPlace, now: DateTime<Utc>) -> Option<Arc<KeyEntry>> {
        let entry = self.keys.get(place).filter(|entry| !entry.key.is_expired(now))?;
        let usable = matches!(entry.key.state, KeyState::Enabled | KeyState::Disabled);
        if !usable || !entry.key.has_lapsed(now) {
            return Some(Arc::clone(entry));
        }
        // Imported material past its time is as good as gone, also before it is removed.
        let key = Key { state: KeyState::PendingImport, ..entry.key.clone() };
        let (revision, materials) = (entry.revision, entry.materials.clone());
        Some(Arc::new(KeyEntry { key, revision, materials }))
    }

    /// The keys of an id in other regions than one.
    pub(super) fn related<'a>(
        &'a self,
        place: &'a KeyPlace,
    ) -> impl Iterator<Item = &'a Arc<KeyEntry>> {
        let from = KeyPlace { id: place.id, region: String::new() };
        let same = self.keys.range(from..).take_while(move |(found, _)| found.id == place.id);
        same.filter(move |(found, _)| *found != place).map(|(_, entry)| entry)
    }

    fn apply_alias(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (scope, name) = Alias::parse_row(key)?;
        let aliases = self.aliases.entry(scope).or_default();
        match value {
            Some(bytes) => {
                aliases.insert(name, Arc::new(Alias::decode(key, bytes, revision)?));
            }
            None => {
                aliases.remove(&name);
            }
        }
        Some(())
    }

    fn apply_grant(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (of, id) = Grant::parse_row(key)?;
        match value {
            Some(bytes) => {
                let grant = Grant::decode(key, bytes, revision)?;
                self.grants.entry(of).or_default().insert(id, Arc::new(grant));
            }
            None => {
                let grants = self.grants.get_mut(&of);
                let left = grants.map(|grants| {
                    grants.remove(&id);
                    grants.len()
                });
                if left == Some(0) {
                    self.grants.remove(&of);
                }
            }
        }
        Some(())
    }

    fn apply_key(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let (place, []) = KeyPlace::decode(key)? else { return None };
        let Some(bytes) = value else {
            if let Some(entry) = self.keys.remove(&place)
                && let Some(listed) = self.listed.get_mut(&entry.key.scope)
            {
                listed.remove(&place.id);
            }
            return Some(());
        };
        let key = Key::decode(&place, bytes)?;
        self.listed.entry(key.scope.clone()).or_default().insert(place.id, ());
        self.publish(place, key, revision)
    }

    /// Material may come before or after its key's row: a commit writes it first, so that no
    /// reader sees a version without material; start-up reads it last.
    fn apply_material(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<()> {
        let (place, version) = parse_material_row(key)?;
        let Some(bytes) = value else {
            if let Some(materials) = self.materials.get_mut(&place) {
                materials.remove(&version);
                if materials.is_empty() {
                    self.materials.remove(&place);
                }
            }
            return self.republish(place);
        };
        let material = Plaintext::from(bytes.to_vec());
        self.materials.entry(place.clone()).or_default().insert(version, material);
        self.republish(place)
    }

    /// Publishes a key anew after its material changed.
    fn republish(&mut self, place: KeyPlace) -> Option<()> {
        let Some(entry) = self.keys.get(&place) else { return Some(()) };
        let (key, revision) = (entry.key.clone(), entry.revision);
        self.publish(place, key, revision)
    }

    /// None when material is not what the key's spec says.
    fn publish(&mut self, place: KeyPlace, key: Key, revision: Revision) -> Option<()> {
        // What an earlier entry read of a row that is still there is kept: the material under one
        // version never becomes another one.
        let before = self.keys.get(&place);
        let mut materials = BTreeMap::new();
        for (version, bytes) in self.materials.get(&place).into_iter().flatten() {
            let read = before.and_then(|before| before.materials.get(version)).cloned();
            let read = match read {
                Some(read) => read,
                None => Arc::new(HeldMaterial::new(key.spec, key.usage, bytes.expose())?),
            };
            materials.insert(*version, read);
        }
        self.keys.insert(place, Arc::new(KeyEntry { key, revision, materials }));
        Some(())
    }
}
