//! Policies of keys and buckets as they were read, kept so that no call reads one twice.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::iam::{Policy, PolicyKind};
use crate::kms::id::KeyPlace;
use crate::kms::{Key, default_policy};
use crate::objects::Bucket;

/// Policies by their keys. What is kept of a key counts only as long as the key has the same text.
#[derive(Debug, Default)]
pub struct Policies {
    own: RwLock<HashMap<KeyPlace, Read>>,
    /// By account, of keys without one of their own.
    default: RwLock<HashMap<String, Arc<Policy>>>,
    /// Of buckets, by name.
    buckets: RwLock<HashMap<String, ReadOfBucket>>,
}

/// A bucket's policy, and the bucket that it was read of.
type ReadOfBucket = (Arc<Bucket>, Arc<Policy>);

/// A policy, and the text that it was read from.
#[derive(Debug)]
struct Read {
    text: Arc<str>,
    policy: Arc<Policy>,
}

/// Policies that are kept at the most, of 32 KiB each; more are read again when they are needed.
const KEPT: usize = 10_000;

impl Policies {
    /// The policy of a key.
    pub(super) fn of(&self, key: &Key) -> Arc<Policy> {
        let Some(text) = &key.policy else { return self.default_of(key.scope.account()) };
        let place = key.place();
        if let Some(known) = self.own.read().get(&place)
            && Arc::ptr_eq(&known.text, text)
        {
            return Arc::clone(&known.policy);
        }
        let policy = Arc::new(read("key policy", text, PolicyKind::Key));
        let known = Read { text: Arc::clone(text), policy: Arc::clone(&policy) };
        keep(&mut self.own.write(), place, known);
        policy
    }

    /// The policy of a bucket, if it has one.
    pub(super) fn of_bucket(&self, name: &str, bucket: &Arc<Bucket>) -> Option<Arc<Policy>> {
        let text = bucket.policy.as_ref()?;
        if let Some((known, policy)) = self.buckets.read().get(name)
            && Arc::ptr_eq(known, bucket)
        {
            return Some(Arc::clone(policy));
        }
        let policy = Arc::new(read("bucket policy", text, PolicyKind::Bucket));
        let known = (Arc::clone(bucket), Arc::clone(&policy));
        keep(&mut self.buckets.write(), name.to_owned(), known);
        Some(policy)
    }

    fn default_of(&self, account: &str) -> Arc<Policy> {
        if let Some(policy) = self.default.read().get(account) {
            return Arc::clone(policy);
        }
        let text = default_policy(account);
        let policy = Arc::new(read("default key policy", &text, PolicyKind::Key));
        keep(&mut self.default.write(), account.to_owned(), Arc::clone(&policy));
        policy
    }
}

/// Only what was read before is stored; should it be unreadable, it allows nothing.
fn read(name: &str, text: &str, kind: PolicyKind) -> Policy {
    Policy::parse(name, text, kind).unwrap_or_else(|error| {
        tracing::error!(%error, "a stored {name} cannot be read");
        Policy::empty(name)
    })
}

fn keep<K: std::hash::Hash + Eq, V>(kept: &mut HashMap<K, V>, key: K, value: V) {
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(key, value);
}
