//! Keys and aliases in memory: what every operation reads.
//!
//! [`Directory::apply`] is the only way in, used for each row at start-up and for each row of a
//! commit, so memory never holds what the disk does not.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use parking_lot::RwLock;

use super::alias::Alias;
use super::blob::CiphertextBlob;
use super::grant::{Grant, GrantId};
use super::id::{AliasName, KeyId, KeyPlace, KeyReference};
use super::key::{Key, key_row};
use super::material::KeyEntry;
use super::memory::Memory;
use super::outputs::{KeyMetadata, Party};
use super::requests::EncryptionContext;
use super::{Error, Scope, managed};
use crate::crypto::SecretKey;
use crate::store::{Applied, Change, Revision, RowId, Value};

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
        let reads = vec![(key_row(&entry.key.place()), entry.revision)];
        Self { entry, reads }
    }
}

/// Every key and alias.
#[derive(Debug)]
pub struct Directory {
    secret: SecretKey,
    memory: RwLock<Memory>,
}

impl Directory {
    /// An empty one. `secret` is the same at every start.
    #[must_use]
    pub fn new(secret: SecretKey) -> Self {
        Self { secret, memory: RwLock::default() }
    }

    /// Publishes one row.
    ///
    /// # Errors
    /// The row's description, when its bytes are not what this program writes.
    pub fn apply(&self, applied: &Applied<'_>) -> Result<(), String> {
        let table = applied.row.table;
        let done = self.memory.write().apply(applied);
        done.ok_or_else(|| format!("a row of {table:?} cannot be read"))
    }

    /// Whether each key has the material of each of its versions. Checked once, at start.
    ///
    /// # Errors
    /// The ARN of the first key that lacks some.
    pub fn check(&self) -> Result<(), String> {
        let memory = self.memory.read();
        for entry in memory.keys.values() {
            let mut wanted = entry.key.versions.iter().chain(&entry.key.pending);
            let here = |number| entry.materials.contains_key(&number);
            if wanted.any(|version| version.is_present() && !here(version.number)) {
                return Err(format!("key material of {} is missing", entry.key.arn()));
            }
        }
        Ok(())
    }

    /// The key of a `KeyId` parameter in any of its four forms.
    ///
    /// # Errors
    /// As [`KeyReference::parse`], and [`Error::NotFound`]; [`Error::Hidden`] in another account.
    pub fn find(&self, call: &Call<'_>, reference: &str) -> Result<Found, Error> {
        let reference = KeyReference::parse(reference)?;
        let memory = self.memory.read();
        match reference {
            KeyReference::Key(scope, id) => {
                let scope = reachable(call, scope.as_ref())?;
                let missing = || {
                    absent(call, scope, || format!("Key '{}' does not exist", scope.key_arn(id)))
                };
                let entry = memory.live(&scope.place(id), call.now).ok_or_else(missing)?;
                (entry.key.scope == *scope).then(|| Found::by_id(entry)).ok_or_else(missing)
            }
            KeyReference::Alias(scope, name) => {
                let scope = reachable(call, scope.as_ref())?;
                let missing = || match managed::protects(&name) {
                    Some(_) if scope == call.scope => Error::ManagedKeyMissing {
                        arn: scope.alias_arn(&name),
                        name: name.to_string(),
                    },
                    _ => absent(call, scope, || {
                        format!("Alias {} is not found.", scope.alias_arn(&name))
                    }),
                };
                let named = memory.aliases.get(scope).and_then(|aliases| aliases.get(&name));
                let alias = named.ok_or_else(missing)?;
                let entry = memory.live(&alias.place(), call.now).ok_or_else(missing)?;
                let mut found = Found::by_id(entry);
                found.reads.push((Alias::row(scope, &name), alias.revision));
                Ok(found)
            }
        }
    }

    /// The same for operations of which AWS says that a foreign ARN names no key.
    ///
    /// # Errors
    /// As [`Self::find`], but [`Error::NotFound`] for [`Error::InvalidArn`].
    pub fn find_used(&self, call: &Call<'_>, reference: &str) -> Result<Found, Error> {
        self.find(call, reference).map_err(|error| match error {
            Error::InvalidArn(arn) => Error::NotFound(format!("Invalid arn {arn}")),
            other => other,
        })
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

    /// A key of the caller's region, whoever owns it.
    ///
    /// # Errors
    /// [`Error::NotFound`]
    pub fn find_place(&self, call: &Call<'_>, place: &KeyPlace) -> Result<Found, Error> {
        let here = (place.region == call.scope.region()).then_some(place);
        let entry = here.and_then(|place| self.memory.read().live(place, call.now));
        let missing = || Error::NotFound(format!("Key '{}' does not exist", place.id));
        entry.map(Found::by_id).ok_or_else(missing)
    }

    /// The key of the same id in another region, also past its last day.
    #[must_use]
    pub fn sibling(&self, id: KeyId, region: &str) -> Option<Found> {
        let place = KeyPlace { id, region: region.to_owned() };
        self.memory.read().keys.get(&place).cloned().map(Found::by_id)
    }

    /// The keys of the same id in other regions.
    #[must_use]
    pub fn related(&self, key: &Key) -> Vec<Arc<KeyEntry>> {
        if key.multi_region.is_none() {
            return Vec::new();
        }
        self.memory.read().related(&key.place()).cloned().collect()
    }

    /// A version's material as its row has it.
    ///
    /// # Errors
    /// [`Error::Internal`] for a version without material.
    pub(super) fn stored_material(&self, place: &KeyPlace, version: u32) -> Result<Value, Error> {
        let memory = self.memory.read();
        let material = memory.materials.get(place).and_then(|versions| versions.get(&version));
        material.map(|bytes| Value::from(bytes.expose().to_vec())).ok_or(Error::Internal)
    }

    /// A key as `DescribeKey` shows it.
    #[must_use]
    pub fn metadata(&self, key: &Key) -> KeyMetadata {
        key.metadata(self.related(key).iter().map(|entry| &entry.key))
    }

    /// The key that a blob names, if it lives in the caller's region.
    ///
    /// # Errors
    /// [`Error::InvalidCiphertext`], whatever the reason.
    pub fn find_by_blob(&self, call: &Call<'_>, blob: &[u8]) -> Result<Found, Error> {
        let place = call.scope.place(CiphertextBlob::parse(blob)?.key);
        let entry = self.memory.read().live(&place, call.now);
        entry.map(Found::by_id).ok_or(Error::InvalidCiphertext)
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

    /// One grant.
    #[must_use]
    pub fn grant(&self, key: &KeyPlace, id: GrantId) -> Option<Arc<Grant>> {
        self.memory.read().grants.get(key)?.get(&id).cloned()
    }

    /// The grant that a token names.
    #[must_use]
    pub fn grant_by_token(&self, token: &str) -> Option<Arc<Grant>> {
        let (key, id) = Grant::parse_token(token)?;
        self.grant(&key, id)
    }

    /// Whether each token names a grant.
    ///
    /// # Errors
    /// [`Error::InvalidGrantToken`]
    pub fn check_tokens(&self, tokens: &[String]) -> Result<(), Error> {
        let known = |token: &String| self.grant_by_token(token).is_some();
        if tokens.iter().all(known) { Ok(()) } else { Err(Error::InvalidGrantToken) }
    }

    /// How many grants a key has.
    #[must_use]
    pub fn grant_count(&self, key: &KeyPlace) -> usize {
        self.memory.read().grants.get(key).map_or(0, BTreeMap::len)
    }

    /// Up to `limit` grants on a key by id, from the one after `after`.
    #[must_use]
    pub fn grants_of(
        &self,
        key: &KeyPlace,
        after: Option<GrantId>,
        limit: usize,
        wanted: impl Fn(&Grant) -> bool,
    ) -> Vec<Arc<Grant>> {
        let memory = self.memory.read();
        let Some(grants) = memory.grants.get(key) else { return Vec::new() };
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let found = grants.range((start, Bound::Unbounded)).map(|(_, grant)| grant);
        found.filter(|grant| wanted(grant)).take(limit).cloned().collect()
    }

    /// Up to `limit` grants on the region's keys, of any account, that `principal` may retire, by id; each
    /// with its key's ARN.
    #[must_use]
    pub fn retirable_grants(
        &self,
        call: &Call<'_>,
        principal: &str,
        after: Option<GrantId>,
        limit: usize,
    ) -> Vec<(Arc<Grant>, String)> {
        let memory = self.memory.read();
        let here = memory.grants.iter().filter(|(place, _)| place.region == call.scope.region());
        // A principal is of one account; a service is everybody's, so of its grants one's own are shown.
        let is_arn = principal.starts_with("arn:");
        let shown = |key: &Key| is_arn || key.scope.account() == call.scope.account();
        let live = here.filter_map(|(place, grants)| {
            let entry = memory.live(place, call.now).filter(|entry| shown(&entry.key))?;
            Some((entry.key.arn(), grants))
        });
        let wanted = |grant: &Grant| {
            grant.retiring.as_ref().map(Party::name) == Some(principal)
                && after.is_none_or(|after| grant.id > after)
        };
        let mut found: Vec<_> = live
            .flat_map(|(arn, grants)| grants.values().map(move |grant| (grant, arn.clone())))
            .filter(|(grant, _)| wanted(grant))
            .map(|(grant, arn)| (Arc::clone(grant), arn))
            .collect();
        found.sort_by_key(|(grant, _)| grant.id);
        found.truncate(limit);
        found
    }

    /// A grant that differs in id and time alone.
    #[must_use]
    pub fn same_grant(&self, grant: &Grant) -> Option<Arc<Grant>> {
        let same = |known: &Grant| {
            let Grant { id, created, revision, .. } = known;
            *known == Grant { id: *id, created: *created, revision: *revision, ..grant.clone() }
        };
        self.grants_of(&grant.key, None, 1, same).pop()
    }

    /// The grant that lets do `operation` with a key whom `means` says a grantee to mean, in the
    /// strongest way that there is; of those that `within` takes.
    #[must_use]
    pub fn granting<N: Ord>(
        &self,
        key: &KeyPlace,
        operation: &str,
        context: Option<&EncryptionContext>,
        means: impl Fn(&str) -> Option<N>,
        within: impl Fn(&Grant) -> bool,
    ) -> Option<(Arc<Grant>, N)> {
        let memory = self.memory.read();
        let found = memory.grants.get(key)?.values().filter_map(|grant| {
            let naming = means(grant.grantee.name())?;
            (grant.allows(operation, context) && within(grant)).then_some((grant, naming))
        });
        let (grant, naming) = found.max_by(|(_, one), (_, two)| one.cmp(two))?;
        Some((Arc::clone(grant), naming))
    }

    /// Up to `limit` keys of a scope by id, from the one after `after`.
    #[must_use]
    pub fn keys(&self, call: &Call<'_>, after: Option<KeyId>, limit: usize) -> Vec<KeyId> {
        let memory = self.memory.read();
        let Some(keys) = memory.listed.get(call.scope) else { return Vec::new() };
        let start = after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        keys.range((start, Bound::Unbounded))
            .map(|(id, ())| *id)
            .filter(|id| memory.live(&call.scope.place(*id), call.now).is_some())
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

    /// Keys with imported material past its time.
    #[must_use]
    pub fn lapsed_keys(&self, now: DateTime<Utc>) -> Vec<(Scope, KeyId)> {
        let memory = self.memory.read();
        let live = memory.keys.values().filter(|entry| !entry.key.is_expired(now));
        let lapsed = live.filter(|entry| entry.key.lapsed(now).next().is_some());
        lapsed.map(|entry| (entry.key.scope.clone(), entry.key.id)).collect()
    }

    /// What tokens are sealed and imported material is named with.
    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// One key, also when its waiting period is over.
    #[must_use]
    pub fn entry(&self, place: &KeyPlace) -> Option<Arc<KeyEntry>> {
        self.memory.read().keys.get(place).cloned()
    }

    /// Keys whose waiting period is over.
    #[must_use]
    pub fn expired_keys(&self, now: DateTime<Utc>) -> Vec<(Scope, KeyId)> {
        let memory = self.memory.read();
        let expired = memory.keys.values().filter(|entry| entry.key.is_expired(now));
        expired.map(|entry| (entry.key.scope.clone(), entry.key.id)).collect()
    }
}

/// What is said of a name in `scope` that names nothing.
fn absent(call: &Call<'_>, scope: &Scope, message: impl FnOnce() -> String) -> Error {
    match scope.account() == call.scope.account() {
        true => Error::NotFound(message()),
        false => Error::Hidden,
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
