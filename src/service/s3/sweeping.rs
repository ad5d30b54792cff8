//! What is nobody's: bytes that a write stored whose commit never came, because the process ended; rows of a
//! write that came while its bucket was removed, as earlier versions left them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::sync::watch;

use crate::audit::Event;
use crate::clock::Clock;
use crate::iam::Resource;
use crate::service::credential::{Caller, DEFAULT_ACCOUNT, DEFAULT_REGION};
use crate::service::hall::Service;
use crate::service::operation::{Circumstances, Executed, Operation, Rooms, Target};
use crate::service::operations::Registered;
use crate::service::pending::Writes;
use crate::service::permit::Permit;
use crate::service::targets::Named;
use crate::service::{Error, with_causes};
use crate::store::{Change, Revision, RowId};

/// How old bytes are before they are swept while the service runs: no write lasts longer.
const OLD: Duration = Duration::from_secs(24 * 3600);
/// How long between two looks.
const PAUSE: Duration = Duration::from_secs(3600);

impl Service {
    /// Removes bytes that no object names, once at start and then each hour. Runs on the current runtime, and
    /// ends when shutdown begins.
    pub fn sweep_bodies_in_background(self: &Arc<Self>) {
        let (service, mut closing) = (Arc::downgrade(self), self.closing());
        tokio::spawn(async move {
            let mut first = true;
            while sweep(&service, first).await && !closed(&mut closing).await {
                first = false;
            }
        });
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) -> bool {
    tokio::time::timeout(PAUSE, closing.wait_for(|closing| *closing)).await.is_ok()
}

/// Whether there is still a service.
async fn sweep(service: &Weak<Service>, first: bool) -> bool {
    let Some(service) = service.upgrade() else { return false };
    remove_lost(&service).await;
    let store = service.opened();
    if !store.bodies.may_sweep().await {
        return true;
    }
    // What was there when the store was opened, nobody writes any more.
    let before = store.bodies.since().filter(|_| first);
    let before = before.unwrap_or_else(|| Clock::default().now() - OLD);
    store.bodies.remove_unfinished(before).await;
    // What is stored is listed first: what comes later is named by then, or young.
    let stored: Result<Vec<_>, _> = store.bodies.stored().try_collect().await;
    let named = store.rooms.objects.blobs();
    match stored {
        Ok(stored) => {
            let nobodys: Vec<_> = stored
                .into_iter()
                .filter(|(id, modified)| *modified <= before && !named.contains(id))
                .map(|(id, _)| id)
                .collect();
            if !nobodys.is_empty() {
                tracing::info!(count = nobodys.len(), "bytes that no object names are removed");
            }
            // Listing may have taken long.
            if store.bodies.may_sweep().await {
                store.bodies.remove(&nobodys).await;
            }
        }
        Err(error) => {
            tracing::warn!(error = %with_causes(&error), "stored bytes cannot be listed");
        }
    }
    true
}

/// Removes rows of buckets that are no more. The service's own.
#[derive(Debug)]
pub(in crate::service) struct RemoveLost(Vec<(RowId, Revision)>);

/// Its part of the register.
pub(in crate::service) const SWEEPING: &[Registered] = &[Registered::of::<RemoveLost>(
    "Removes what was left of buckets that are no more (the service, by itself).",
)];

/// Rows that are removed in one call at the most.
const AT_ONCE: usize = 1_000;

async fn remove_lost(service: &Arc<Service>) {
    let mut lost = service.rooms().objects.unreachable();
    lost.truncate(AT_ONCE);
    if lost.is_empty() {
        return;
    }
    let caller = Caller::service(DEFAULT_ACCOUNT, DEFAULT_REGION);
    if let Err(error) = service.call(caller, RemoveLost(lost)).await.result {
        tracing::warn!(%error, "what was left of removed buckets could not be removed");
    }
}

impl Operation for RemoveLost {
    type Output = ();
    const NAME: &'static str = "RemoveLost";
    const ACTION: &'static str = "s3:RemoveLost";
    const READ_ONLY: bool = false;

    fn targets(&self, _: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        let resource = Resource::open("*", at.scope.account());
        Ok(vec![Named::bare(resource).named(Self::ACTION)])
    }

    fn execute(&self, _: &Rooms, _: &Circumstances<'_>, _: &Permit) -> Result<Executed<()>, Error> {
        let removed = |(row, expected): &(RowId, Revision)| Change {
            row: row.clone(),
            expected: *expected,
            value: None,
        };
        let changes = self.0.iter().map(removed).collect();
        let writes = Writes { changes, ..Writes::default() };
        Ok(Executed { writes, ..Executed::read(()) })
    }

    fn record(&self, event: &mut Event) {
        event.parameters.insert("rows".to_owned(), self.0.len().into());
    }
}
