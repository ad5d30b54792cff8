//! Bucket keys: one data key for many objects of a bucket, so that most puts and gets call no KMS.
//!
//! A key is kept for a bucket, KMS key, requester and what the request adds to the context: who was not
//! let in by KMS is not let in by what another was given. Bounded in age, uses and number; whoever comes
//! at the same time waits for one call.
//!
//! **Disabled keys.** A put goes by a kept key only if KMS was asked within [`Limits::recheck`] (a dry
//! run, which makes nothing and is in KMS's trail) whether the requester may still make data keys; with
//! zero every put asks. A refusal drops the key at once, and so does [`BucketKeys::forget`], for who learns
//! of a change by itself. A get opens with a kept key for [`Limits::age`] at the most.
//!
//! Source: Amazon S3 User Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys".

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::provider::{Context, DataKey, KeyProvider, ProviderError, WrappedKey};
use crate::crypto::SecretKey;

/// How long, how often and how many keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a key is used. Five minutes unless said otherwise.
    pub age: Duration,
    /// Objects that are sealed under one key. A million unless said otherwise.
    pub uses: u64,
    /// Keys that are kept, to seal with and to open with, each. 1,000 unless said otherwise.
    pub entries: usize,
    /// How long KMS's last word on sealing holds. One second unless said otherwise.
    pub recheck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(300),
            uses: 1_000_000,
            entries: 1_000,
            recheck: Duration::from_secs(1),
        }
    }
}

/// Who asks: named by principal and session, with what asks KMS on its behalf.
#[derive(Debug, Clone)]
pub struct Requester {
    name: String,
    keys: Arc<dyn KeyProvider>,
}

impl Requester {
    /// `name` tells requesters apart: an ARN, with the session where there is one.
    pub fn new(name: impl Into<String>, keys: Arc<dyn KeyProvider>) -> Self {
        Self { name: name.into(), keys }
    }

    /// Its way to KMS.
    #[must_use]
    pub fn keys(&self) -> &dyn KeyProvider {
        self.keys.as_ref()
    }
}

/// The keys that are kept.
pub struct BucketKeys {
    limits: Limits,
    sealing: Kept<SealingScope, Sealing>,
    opening: Kept<OpeningScope, Opening>,
}

/// Bucket, KMS key as it is named, requester, context.
type SealingScope = (String, String, String, Context);
/// Wrapped key, context, requester.
type OpeningScope = (WrappedKey, Context, String);

struct Sealing {
    key: Arc<DataKey>,
    made: Instant,
    checked: Instant,
    uses: u64,
}

struct Opening {
    key: Arc<SecretKey>,
    made: Instant,
}

impl BucketKeys {
    /// Keeps keys within `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, sealing: Kept::default(), opening: Kept::default() }
    }

    /// The key that an object of `bucket` is sealed under now.
    ///
    /// # Errors
    /// [`ProviderError`], from KMS.
    pub async fn to_seal(
        &self,
        bucket: &str,
        key: &str,
        context: &Context,
        requester: &Requester,
        now: Instant,
    ) -> Result<Arc<DataKey>, ProviderError> {
        let scope = (bucket.to_owned(), key.to_owned(), requester.name.clone(), context.clone());
        let slot = self.sealing.slot(scope, self.limits.entries);
        // Held while KMS is asked, so that whoever else wants this key waits for the one answer.
        let mut slot = slot.lock().await;
        if let Some(kept) = slot.as_mut()
            && now.saturating_duration_since(kept.made) < self.limits.age
            && kept.uses < self.limits.uses
        {
            if now.saturating_duration_since(kept.checked) >= self.limits.recheck {
                let arn = &kept.key.wrapped.key_arn;
                if let Err(error) = requester.keys().may_generate(arn, context).await {
                    *slot = None;
                    return Err(error);
                }
                kept.checked = now;
            }
            kept.uses += 1;
            return Ok(Arc::clone(&kept.key));
        }
        *slot = None;
        let key = Arc::new(requester.keys().generate(key, context).await?);
        *slot = Some(Sealing { key: Arc::clone(&key), made: now, checked: now, uses: 1 });
        Ok(key)
    }

    /// The key that an object was sealed under, unwrapped.
    ///
    /// # Errors
    /// [`ProviderError`], from KMS.
    pub async fn to_open(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
        requester: &Requester,
        now: Instant,
    ) -> Result<Arc<SecretKey>, ProviderError> {
        let scope = (wrapped.clone(), context.clone(), requester.name.clone());
        let slot = self.opening.slot(scope, self.limits.entries);
        let mut slot = slot.lock().await;
        if let Some(kept) = slot.as_ref()
            && now.saturating_duration_since(kept.made) < self.limits.age
        {
            return Ok(Arc::clone(&kept.key));
        }
        *slot = None;
        let key = Arc::new(requester.keys().unwrap(wrapped, context).await?);
        *slot = Some(Opening { key: Arc::clone(&key), made: now });
        Ok(key)
    }

    /// Drops every key of a KMS key: the next put and get ask KMS.
    pub fn forget(&self, key_arn: &str) {
        // What is being asked for just now has no answer yet, and is left.
        let other = |kept: &Sealing| kept.key.wrapped.key_arn != key_arn;
        self.sealing.retain(|_, kept| kept.is_none_or(other));
        self.opening.retain(|(wrapped, ..), _| wrapped.key_arn != key_arn);
    }
}

/// Without keys.
impl fmt::Debug for BucketKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketKeys").field("limits", &self.limits).finish_non_exhaustive()
    }
}

type Slot<V> = Arc<tokio::sync::Mutex<Option<V>>>;

/// Slots by scope, each filled by whoever comes first; the ones that were not asked for longest go.
struct Kept<K, V>(Mutex<Slots<K, V>>);

struct Slots<K, V> {
    by_scope: HashMap<K, (u64, Slot<V>)>,
    turn: u64,
}

impl<K: Hash + Eq + Clone, V> Kept<K, V> {
    fn slot(&self, scope: K, most: usize) -> Slot<V> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.turn += 1;
        let turn = slots.turn;
        if !slots.by_scope.contains_key(&scope) && slots.by_scope.len() >= most.max(1) {
            let oldest = slots.by_scope.iter().min_by_key(|(_, (turn, _))| *turn);
            if let Some(oldest) = oldest.map(|(scope, _)| scope.clone()) {
                slots.by_scope.remove(&oldest);
            }
        }
        let (last, slot) = slots.by_scope.entry(scope).or_default();
        *last = turn;
        Arc::clone(slot)
    }

    fn retain(&self, keep: impl Fn(&K, Option<&V>) -> bool) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.by_scope.retain(|scope, (_, slot)| match slot.try_lock() {
            Ok(kept) => keep(scope, kept.as_ref()),
            Err(_) => keep(scope, None),
        });
    }
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Mutex::new(Slots { by_scope: HashMap::new(), turn: 0 }))
    }
}
