//! Sealing: the trail's oldest records move to an archive, by hand or by themselves, and a record says so.
//!
//! The archive is written and read back beside all calls; the commit, which takes the records out of the
//! store, is that of the record `SealLog`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::credential::{Caller, DEFAULT_ACCOUNT, DEFAULT_REGION};
use super::hall::Service;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target};
use super::operations::Registered;
use super::permit::Permit;
use super::trail::trail;
use super::{Error, with_causes};
use crate::audit::{Event, Keep, LogChange, Sealing};

/// Takes records that are in the archive out of the store. The service's own.
#[derive(Debug)]
pub(super) struct SealLog(Arc<Sealing>);

/// What one sealing moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// The first record.
    pub from: u64,
    /// One past the last.
    pub end: u64,
}

/// Its part of the register.
pub(super) const SEALING: &[Registered] = &[Registered::of::<SealLog>(
    "Takes archived records out of the store (the service, by itself).",
)];

impl Service {
    /// Moves some of the records that need not be kept to the archive; none when there are none. As it
    /// takes many at the most, it is called again.
    ///
    /// # Errors
    /// [`Error::Audit`] when the archive cannot be written, or does not give back what was written; then
    /// nothing has left the store.
    pub async fn seal(self: &Arc<Self>, keep: Keep) -> Result<Option<Sealed>, Error> {
        let _alone = self.sealing().lock().await;
        let (rooms, now) = (self.rooms(), self.clock().now());
        let archive = move || match rooms.log.due(&keep, now)? {
            Some(end) => rooms.log.archive(end, |_| ()).map(Some),
            None => Ok(None),
        };
        let Some(sealing) = self.slow_lane().run(archive).await?? else { return Ok(None) };
        let caller = Caller::service(DEFAULT_ACCOUNT, DEFAULT_REGION);
        let sealed = self.call(caller, SealLog(Arc::new(sealing))).await.result?;
        Ok(Some(sealed))
    }

    /// Seals what need not be kept, for as long as the service lives; none where everything is kept.
    /// Runs on the current runtime, and ends when shutdown begins.
    pub fn seal_in_background(self: &Arc<Self>) -> Option<JoinHandle<()>> {
        let keep = self.audit_keep();
        let (service, closing) = (Arc::downgrade(self), self.closing());
        (!keep.is_everything()).then(|| tokio::spawn(keep_sealing(service, keep, closing)))
    }

    /// One round of it; what is waited for before the next one.
    async fn seal_what_is_due(self: &Arc<Self>, keep: Keep) -> Next {
        let opened = self.opened();
        match self.seal(keep).await {
            Ok(Some(_)) => Next { pause: SOON, size: None },
            Ok(None) => {
                let sealed = opened.rooms.log.sealed_size();
                let due = keep.records.map(|kept| sealed.saturating_add(kept).saturating_add(256));
                Next { pause: EVERY, size: due.map(|due| (opened.size.clone(), due)) }
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(error, "records could not be sealed; they stay in the store");
                self.metrics().sealing_failed();
                Next { pause: EVERY, size: None }
            }
        }
    }
}

/// What the next sealing waits for.
struct Next {
    pause: Duration,
    /// A size of the log, at which it is due before.
    size: Option<(watch::Receiver<u64>, u64)>,
}

async fn keep_sealing(service: Weak<Service>, keep: Keep, mut closing: watch::Receiver<bool>) {
    while let Some(service) = service.upgrade() {
        let Next { pause, size } = service.seal_what_is_due(keep).await;
        drop(service);
        let due = async {
            match size {
                Some((mut size, due)) => {
                    let _ = size.wait_for(|size| *size >= due).await; // or the store was closed
                    tokio::time::sleep(SOON).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = due => {}
            _ = closing.wait_for(|closing| *closing) => return,
        }
    }
}

/// How often a running service looks for records that have become too old, and tries again what failed.
const EVERY: Duration = Duration::from_secs(60);
/// Between two sealings that are due, so that they do not take the disk alone.
const SOON: Duration = Duration::from_millis(200);

impl Operation for SealLog {
    type Output = Sealed;
    const NAME: &'static str = "SealLog";
    const ACTION: &'static str = "strongroom:SealAuditTrail";
    const READ_ONLY: bool = false;

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        _: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Sealed>, Error> {
        let Sealing { from, tree, .. } = self.0.as_ref();
        let mut executed = Executed::read(Sealed { from: *from, end: tree.size });
        executed.writes.log = Some(LogChange::Seal(Arc::clone(&self.0)));
        Ok(executed)
    }

    fn record(&self, event: &mut Event) {
        let Sealing { from, tree, archive, .. } = self.0.as_ref();
        let mut put = |name: &str, value| event.parameters.insert(name.to_owned(), value);
        put("start_index", (*from).into());
        put("end_index", tree.size.into());
        put("root_hash", hex::encode(tree.root).into());
        put("archive", archive.as_str().into());
    }
}
