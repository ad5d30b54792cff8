//! What the service does when its time has come: removing keys and imported material, and automatic
//! rotation. Its own calls, recorded as every other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::credential::Caller;
use super::hall::Service;
use crate::kms;

/// How often a running service looks for keys to remove.
const EVERY: Duration = Duration::from_secs(60);

impl Service {
    /// Rotates every key whose rotation is due, removes imported material past its time, and every key
    /// whose waiting period is over; returns how many keys were changed.
    ///
    /// Until it runs a key to be removed already answers as if it did not exist.
    pub async fn sweep(self: &Arc<Self>) -> usize {
        let now = self.clock().now();
        let mut changed = 0;
        for (scope, key_id) in kms::due_rotations(&self.rooms().keys, now) {
            let caller = Caller::service(scope.account(), scope.region());
            match self.call(caller, kms::RotateKey { key_id: key_id.into() }).await.result {
                Ok(_) => changed += 1,
                Err(error) => tracing::warn!(%error, "a key could not be rotated"),
            }
        }
        for (scope, key_id) in kms::expired_key_material(&self.rooms().keys, now) {
            let caller = Caller::service(scope.account(), scope.region());
            match self
                .call(caller, kms::DeleteExpiredKeyMaterial { key_id: key_id.into() })
                .await
                .result
            {
                Ok(()) => changed += 1,
                Err(error) => tracing::warn!(%error, "expired key material could not be removed"),
            }
        }
        let expired = kms::expired_keys(&self.rooms().keys, now);
        for (scope, key_id) in expired {
            let caller = Caller::service(scope.account(), scope.region());
            let reply = self.call(caller, kms::DeleteKey { key_id: key_id.into() }).await;
            match reply.result {
                Ok(()) => changed += 1,
                Err(error) => tracing::warn!(%error, "an expired key could not be removed"),
            }
        }
        changed
    }

    /// Sweeps now and then for as long as the service lives. Runs on the current runtime.
    pub fn sweep_in_background(self: &Arc<Self>) {
        let service: Weak<Self> = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(service) = service.upgrade() {
                service.sweep().await;
                drop(service);
                tokio::time::sleep(EVERY).await;
            }
        });
    }
}
