//! Keys and aliases in memory: what every operation reads.
//!
//! [`Directory::apply`] is the only way in, used for each row at start-up and for each row of a
//! commit, so memory never holds what the disk does not.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use super::blob::CiphertextBlob;
use super::id::{AliasName, KeyId, KeyReference};
use super::key::{Alias, Key, key_row, parse_material_row};
use super::{Error, KeySpec, KeyUsage, Scope};
use crate::crypto::agreement::AgreementKey;
use crate::crypto::encapsulation::KemKey;
use crate::crypto::pair::PairKind;
use crate::crypto::rsa::RsaKey;
use crate::crypto::signing::SigningKey;
use crate::crypto::{Plaintext, SecretKey};
use crate::store::{Applied, Change, Revision, RowId, Table};

/// What a room function is called with beside its request.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The caller's account and region.
    pub scope: &'a Scope,
    /// The time of the call.
    pub now: DateTime<Utc>,
}

/// What a room function gives: an output, what is to be written, and what was relied on.
#[derive(Debug)]
pub struct Done<T> {
    /// The answer.
    pub output: T,
    /// Writes, each checked at the commit.
    pub changes: Vec<Change>,
    /// Rows that must not have changed until the commit.
    pub reads: Vec<(RowId, Revision)>,
    /// For the record.
    pub touched: Touched,
}

/// The key that an operation used or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// ARN.
    pub key: Option<String>,
    /// The version that was used or made.
    pub version: Option<u32>,
}

impl<T> Done<T> {
    /// An output that relied on nothing.
    pub(super) fn plain(output: T) -> Self {
        Self { output, changes: Vec::new(), reads: Vec::new(), touched: Touched::default() }
    }

    /// An output about one key, which must stay as it is until the commit.
    pub(super) fn of(found: Found, version: Option<u32>, output: T) -> Self {
        let touched = Touched { key: Some(found.entry.key.arn()), version };
        Self { output, changes: Vec::new(), reads: found.reads, touched }
    }

    /// The same with writes.
    pub(super) fn changing(mut self, changes: Vec<Change>) -> Self {
        self.reads.retain(|(row, _)| changes.iter().all(|change| change.row != *row));
        self.changes = changes;
        self
    }
}

/// A key with its material, at one revision.
#[derive(Debug)]
pub struct KeyEntry {
    /// The record.
    pub key: Key,
    /// How often it was written.
    pub revision: Revision,
    materials: Vec<Arc<Material>>,
}

/// Key material, as spec and usage have it.
#[derive(Debug)]
enum Material {
    Symmetric(SecretKey),
    Mac(Plaintext),
    Signing(Box<SigningKey>),
    Rsa(Box<RsaKey>),
    Agreement(Box<AgreementKey>),
    Kem(Box<KemKey>),
}

impl Material {
    fn new(spec: KeySpec, usage: KeyUsage, bytes: &[u8]) -> Option<Self> {
        Some(match (spec, usage) {
            (KeySpec::SymmetricDefault, KeyUsage::EncryptDecrypt) => {
                Self::Symmetric(SecretKey::from_slice(bytes).ok()?)
            }
            (KeySpec::Hmac(hash), KeyUsage::GenerateVerifyMac) => {
                let fits = bytes.len() == hash.output_len();
                Self::Mac(fits.then(|| Plaintext::from(bytes.to_vec()))?)
            }
            (KeySpec::Pair(kind), KeyUsage::SignVerify) => {
                Self::Signing(Box::new(SigningKey::new(kind, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::Rsa(size)), KeyUsage::EncryptDecrypt) => {
                Self::Rsa(Box::new(RsaKey::new(size, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::Ecc(curve)), KeyUsage::KeyAgreement) => {
                Self::Agreement(Box::new(AgreementKey::new(curve, bytes).ok()?))
            }
            (KeySpec::Pair(PairKind::MlKem(size)), KeyUsage::EncapsulateDecapsulate) => {
                Self::Kem(Box::new(KemKey::new(size, bytes).ok()?))
            }
            (KeySpec::SymmetricDefault | KeySpec::Hmac(_) | KeySpec::Pair(_), _) => return None,
        })
    }
}

/// One accessor a kind of material. Spec and usage were looked at before, so that finding another
/// kind is [`Error::Internal`].
macro_rules! accessors {
    ($($(#[$about:meta])* $name:ident => $kind:ident: $type:ty;)+) => {$(
        $(#[$about])*
        ///
        /// # Errors
        /// [`Error::Internal`] for another kind of key.
        pub fn $name(&self, version: u32) -> Result<&$type, Error> {
            match self.of_version(version) {
                Some(Material::$kind(key)) => Ok(key),
                _ => Err(Error::Internal),
            }
        }
    )+};
}

impl KeyEntry {
    /// The material of a version of a symmetric key.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`] for a version that the key never had, or another kind of key.
    pub fn material(&self, version: u32) -> Result<&SecretKey, Error> {
        match self.of_version(version) {
            Some(Material::Symmetric(key)) => Ok(key),
            _ => Err(Error::InvalidCiphertext),
        }
    }

    accessors! {
        /// The material of an HMAC key.
        mac_key => Mac: Plaintext;
        /// The key pair of a key that signs.
        signing_key => Signing: SigningKey;
        /// The key pair of an RSA key that encrypts.
        rsa_key => Rsa: RsaKey;
        /// The key pair of a key that agrees.
        agreement_key => Agreement: AgreementKey;
        /// The key pair of a key that encapsulates.
        kem_key => Kem: KemKey;
    }

    /// The public half of a key pair, SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn public_der(&self) -> Option<&[u8]> {
        match self.of_version(1)? {
            Material::Signing(key) => Some(key.public_der()),
            Material::Rsa(key) => Some(key.public_der()),
            Material::Agreement(key) => Some(key.public_der()),
            Material::Kem(key) => Some(key.public_der()),
            Material::Symmetric(_) | Material::Mac(_) => None,
        }
    }

    fn of_version(&self, version: u32) -> Option<&Material> {
        let place = usize::try_from(version).ok()?.checked_sub(1)?;
        self.materials.get(place).map(AsRef::as_ref)
    }

    /// The change that writes `key` over this entry.
    pub(super) fn replace(&self, key: &Key) -> Result<Change, Error> {
        let (row, value) = (key_row(key.id), key.encode()?);
        Ok(Change { row, expected: self.revision, value: Some(value) })
    }
}

/// A key that was found by some name, and the rows by which.
#[derive(Debug)]
pub struct Found {
    /// The key.
    pub entry: Arc<KeyEntry>,
    /// Its row, and the alias's if one was followed.
    pub reads: Vec<(RowId, Revision)>,
}

impl Found {
    fn by_id(entry: Arc<KeyEntry>) -> Self {
        let reads = vec![(key_row(entry.key.id), entry.revision)];
        Self { entry, reads }
    }
}

/// Every key and alias.
#[derive(Debug, Default)]
pub struct Directory {
    memory: RwLock<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    keys: HashMap<KeyId, Arc<KeyEntry>>,
    listed: BTreeMap<Scope, BTreeMap<KeyId, ()>>,
    aliases: BTreeMap<Scope, BTreeMap<AliasName, Arc<Alias>>>,
    materials: HashMap<KeyId, BTreeMap<u32, Plaintext>>,
}

impl Directory {
    /// Publishes one row.
    ///
    /// # Errors
    /// The row's description, when its bytes are not what this program writes.
    pub fn apply(&self, applied: &Applied<'_>) -> Result<(), String> {
        let Applied { row, revision, value } = applied;
        let mut memory = self.memory.write();
        let done = match row.table {
            Table::Alias => memory.apply_alias(&row.key, *revision, *value),
            Table::Key => memory.apply_key(&row.key, *revision, *value),
            Table::Material => memory.apply_material(&row.key, *value),
        };
        done.ok_or_else(|| format!("a row of {:?} cannot be read", row.table))
    }

    /// Whether each key has the material of each of its versions. Checked once, at start.
    ///
    /// # Errors
    /// The ARN of the first key that lacks some.
    pub fn check(&self) -> Result<(), String> {
        let memory = self.memory.read();
        for entry in memory.keys.values() {
            if entry.materials.len() < entry.key.versions.len() {
                return Err(format!("key material of {} is missing", entry.key.arn()));
            }
        }
        Ok(())
    }

    /// The key of a `KeyId` parameter in any of its four forms.
    ///
    /// # Errors
    /// As [`KeyReference::parse`], and [`Error::NotFound`].
    pub fn find(&self, call: &Call<'_>, reference: &str) -> Result<Found, Error> {
        let reference = KeyReference::parse(reference)?;
        let memory = self.memory.read();
        match reference {
            KeyReference::Key(scope, id) => {
                let scope = reachable(call, scope.as_ref())?;
                let missing =
                    || Error::NotFound(format!("Key '{}' does not exist", scope.key_arn(id)));
                let entry = memory.live(id, call.now).ok_or_else(missing)?;
                (entry.key.scope == *scope).then(|| Found::by_id(entry)).ok_or_else(missing)
            }
            KeyReference::Alias(scope, name) => {
                let scope = reachable(call, scope.as_ref())?;
                let missing =
                    || Error::NotFound(format!("Alias {} is not found.", scope.alias_arn(&name)));
                let named = memory.aliases.get(scope).and_then(|aliases| aliases.get(&name));
                let alias = named.ok_or_else(missing)?;
                let entry = memory.live(alias.target, call.now).ok_or_else(missing)?;
                let mut found = Found::by_id(entry);
                found.reads.push((Alias::row(scope, &name), alias.revision));
                Ok(found)
            }
        }
    }

    /// The key of a parameter that takes no alias.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Error::NotFound`] for an alias.
    pub fn find_key(&self, call: &Call<'_>, reference: &str) -> Result<Found, Error> {
        match KeyReference::parse(reference)? {
            KeyReference::Key(..) => self.find(call, reference),
            KeyReference::Alias(..) => {
                let shown: String = reference.chars().take(256).collect();
                Err(Error::NotFound(format!("Invalid keyId '{shown}'")))
            }
        }
    }

    /// The key that a blob names, if it lives in the caller's region.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`], whatever the reason.
    pub fn find_by_blob(&self, call: &Call<'_>, blob: &[u8]) -> Result<Found, Error> {
        let blob = CiphertextBlob::parse(blob)?;
        let entry = self.memory.read().live(blob.key, call.now).ok_or(Error::InvalidCiphertext)?;
        if entry.key.scope.region() != call.scope.region() {
            return Err(Error::InvalidCiphertext);
        }
        Ok(Found::by_id(entry))
    }

    /// An alias of the caller's scope.
    #[must_use]
    pub fn alias(&self, scope: &Scope, name: &AliasName) -> Option<Arc<Alias>> {
        self.memory.read().aliases.get(scope)?.get(name).cloned()
    }

    /// Up to `limit` aliases of a scope by name, from the one after `after`; of one key, if given.
    #[must_use]
    pub fn aliases(
        &self,
        scope: &Scope,
        target: Option<KeyId>,
        after: Option<&AliasName>,
        limit: usize,
    ) -> Vec<Arc<Alias>> {
        let memory = self.memory.read();
        let Some(aliases) = memory.aliases.get(scope) else { return Vec::new() };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        aliases
            .range((start, Bound::Unbounded))
            .map(|(_, alias)| alias)
            .filter(|alias| target.is_none_or(|target| alias.target == target))
            .take(limit)
            .cloned()
            .collect()
    }

    /// Up to `limit` keys of a scope by id, from the one after `after`.
    #[must_use]
    pub fn keys(&self, call: &Call<'_>, after: Option<KeyId>, limit: usize) -> Vec<KeyId> {
        let memory = self.memory.read();
        let Some(keys) = memory.listed.get(call.scope) else { return Vec::new() };
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        keys.range((start, Bound::Unbounded))
            .map(|(id, ())| *id)
            .filter(|id| memory.live(*id, call.now).is_some())
            .take(limit)
            .collect()
    }

    /// Keys whose automatic rotation is due.
    #[must_use]
    pub fn due_rotations(&self, now: DateTime<Utc>) -> Vec<(Scope, KeyId)> {
        let memory = self.memory.read();
        let due = memory.keys.values().filter(|entry| entry.key.is_due(now));
        due.map(|entry| (entry.key.scope.clone(), entry.key.id)).collect()
    }

    /// One key, also when its waiting period is over.
    #[must_use]
    pub fn entry(&self, id: KeyId) -> Option<Arc<KeyEntry>> {
        self.memory.read().keys.get(&id).cloned()
    }

    /// Keys whose waiting period is over.
    #[must_use]
    pub fn expired_keys(&self, now: DateTime<Utc>) -> Vec<(Scope, KeyId)> {
        let memory = self.memory.read();
        let expired = memory.keys.values().filter(|entry| entry.key.is_expired(now));
        expired.map(|entry| (entry.key.scope.clone(), entry.key.id)).collect()
    }
}

impl Memory {
    fn live(&self, id: KeyId, now: DateTime<Utc>) -> Option<Arc<KeyEntry>> {
        self.keys.get(&id).filter(|entry| !entry.key.is_expired(now)).cloned()
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

    fn apply_key(&mut self, key: &[u8], revision: Revision, value: Option<&[u8]>) -> Option<()> {
        let id = KeyId::from_bytes(key.try_into().ok()?);
        let Some(bytes) = value else {
            if let Some(entry) = self.keys.remove(&id)
                && let Some(listed) = self.listed.get_mut(&entry.key.scope)
            {
                listed.remove(&id);
            }
            return Some(());
        };
        let key = Key::decode(id, bytes)?;
        self.listed.entry(key.scope.clone()).or_default().insert(id, ());
        self.publish(key, revision)
    }

    /// Material may come before or after its key's row: a commit writes it first, so that no
    /// reader sees a version without material; start-up reads it last.
    fn apply_material(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<()> {
        let (id, version) = parse_material_row(key)?;
        let Some(bytes) = value else {
            if let Some(materials) = self.materials.get_mut(&id) {
                materials.remove(&version);
                if materials.is_empty() {
                    self.materials.remove(&id);
                }
            }
            return Some(());
        };
        let material = Plaintext::from(bytes.to_vec());
        self.materials.entry(id).or_default().insert(version, material);
        if let Some(entry) = self.keys.get(&id) {
            let (key, revision) = (entry.key.clone(), entry.revision);
            self.publish(key, revision)?;
        }
        Some(())
    }

    /// None when material is not what the key's spec says.
    fn publish(&mut self, key: Key, revision: Revision) -> Option<()> {
        let mut materials = self.keys.get(&key.id).map(|entry| entry.materials.clone());
        let materials_of = materials.get_or_insert_default();
        // Only an unbroken run from version 1: a gap would shift every later version. Material
        // never changes, so what an earlier entry read is kept.
        let known = self.materials.get(&key.id);
        let from = u32::try_from(materials_of.len()).ok()?;
        for version in (from..).filter_map(|version| version.checked_add(1)) {
            let Some(bytes) = known.and_then(|known| known.get(&version)) else { break };
            materials_of.push(Arc::new(Material::new(key.spec, key.usage, bytes.expose())?));
        }
        let materials = materials.unwrap_or_default();
        self.keys.insert(key.id, Arc::new(KeyEntry { key, revision, materials }));
        Some(())
    }
}

/// The scope that a reference means: the caller's own, or that of an ARN in the same region.
fn reachable<'a>(call: &Call<'a>, named: Option<&'a Scope>) -> Result<&'a Scope, Error> {
    match named {
        None => Ok(call.scope),
        Some(scope) if scope.region() == call.scope.region() => Ok(scope),
        Some(scope) => Err(Error::NotFound(format!("Invalid arn {}", scope.region()))),
    }
}
