//! Key policies as they were read, kept so that no call reads one twice.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::iam::{Policy, PolicyKind};
use crate::kms::id::KeyPlace;
use crate::kms::{Key, default_policy};

/// Policies by their keys. What is kept of a key counts only as long as the key has the same text.
#[derive(Debug, Default)]
pub struct Policies {
    own: RwLock<HashMap<KeyPlace, Read>>,
    /// By account, of keys without one of their own.
    default: RwLock<HashMap<String, Arc<Policy>>>,
}

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
        let policy = Arc::new(read("key policy", text));
        let known = Read { text: Arc::clone(text), policy: Arc::clone(&policy) };
        keep(&mut self.own.write(), place, known);
        policy
    }

    fn default_of(&self, account: &str) -> Arc<Policy> {
        if let Some(policy) = self.default.read().get(account) {
            return Arc::clone(policy);
        }
        let policy = Arc::new(read("default key policy", &default_policy(account)));
        keep(&mut self.default.write(), account.to_owned(), Arc::clone(&policy));
        policy
    }
}

/// Only what was read before is stored; should it be unreadable, it allows nothing.
fn read(name: &str, text: &str) -> Policy {
    Policy::parse(name, text, PolicyKind::Key).unwrap_or_else(|error| {
        tracing::error!(%error, "a stored key policy cannot be read");
        Policy::empty(name)
    })
}

fn keep<K: std::hash::Hash + Eq, V>(kept: &mut HashMap<K, V>, key: K, value: V) {
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(key, value);
}
