//! The operations on the audit trail. Reading it is recorded in it, as every other call.

use std::sync::{Arc, Weak};

use futures_util::stream::{self, Stream, TryStreamExt};
use tokio::sync::watch;

use super::Error;
use super::hall::Service;
use super::opening::Opened;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::permit::Permit;
use super::targets;
use crate::audit::{self, Cosigned, Event, Head, Record};

/// Records that meet every condition given, in pages.
#[derive(Debug, Default)]
pub struct Query(pub audit::Query);

/// The newest signed checkpoint.
#[derive(Debug, Default)]
pub struct GetCheckpoint;

/// What is signed of the log.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    /// The newest durable head.
    pub head: Head,
    /// The newest one that enough witnesses have signed, too.
    pub cosigned: Option<Arc<Cosigned>>,
    /// The C2SP verifier string of the log's key.
    pub verifier_key: String,
    /// How many keys the log has had.
    pub log_keys: u32,
}

/// Follows the log from an index; the answer says where to begin.
#[derive(Debug, Default)]
pub struct Tail {
    /// Where to start; at the end when absent.
    pub start_index: Option<u64>,
    /// What records have to meet; it ends before `end_index`. Order, pages and another start are not
    /// for it.
    pub conditions: audit::Query,
}

/// Compares a window of the trail with what a test expects of it.
#[derive(Debug, Default)]
pub struct Expect(pub audit::Expectation);

/// Recomputes the whole tree from its leaves.
#[derive(Debug, Default)]
pub struct VerifyLog;

/// Where a follower begins, and what it wants: pass it to [`super::Service::follow`].
#[derive(Debug, Clone)]
pub struct TailStart {
    /// The first index.
    pub index: u64,
    wanted: audit::Filter,
    end: u64,
}

impl Service {
    /// Records from an index on, then each new one as it is committed; ends with the service.
    pub fn follow(
        self: &Arc<Self>,
        start: TailStart,
    ) -> impl Stream<Item = Result<Record, Error>> + Send + 'static {
        let opened = self.opened();
        let place = Place {
            opened: Arc::downgrade(&opened),
            size: opened.size.clone(),
            closing: self.closing(),
            next: start.index,
            wanted: start.wanted,
            end: start.end,
        };
        let batches = stream::try_unfold(place, |mut place| async move {
            let Some(records) = place.wait().await? else { return Ok::<_, Error>(None) };
            Ok(Some((stream::iter(records.into_iter().map(Ok)), place)))
        });
        batches.try_flatten()
    }
}

/// Where a follower is.
struct Place {
    opened: Weak<Opened>,
    size: watch::Receiver<u64>,
    closing: watch::Receiver<bool>,
    next: u64,
    wanted: audit::Filter,
    end: u64,
}

impl Place {
    /// The wanted ones of the next records; none when the end is reached or the service ends.
    async fn wait(&mut self) -> Result<Option<Vec<Record>>, Error> {
        let next = self.next;
        if next >= self.end {
            return Ok(None);
        }
        tokio::select! {
            grown = self.size.wait_for(|size| *size > next) => if grown.is_err() {
                return Ok(None);
            },
            _ = self.closing.wait_for(|closing| *closing) => return Ok(None),
        }
        let Some(opened) = self.opened.upgrade() else { return Ok(None) };
        let read = move || opened.rooms.log.read(next, BATCH);
        let records = tokio::task::spawn_blocking(read).await.map_err(|_| Error::Internal)??;
        self.next = records.last().map_or(next, |record| record.index + 1);
        let mut wanted = Vec::new();
        for record in records {
            self.wanted.observe(&record);
            if self.wanted.matches(record.index, &record.event) {
                wanted.push(record);
            }
        }
        Ok(Some(wanted))
    }
}

/// Records that a follower reads at once.
const BATCH: usize = 256;

/// The trail's part of the register.
pub(super) const TRAIL: &[Registered] = &[
    Registered::of::<Expect>("Whether a window has the calls that a test expects of it."),
    Registered::of::<GetCheckpoint>("The newest signed checkpoint."),
    Registered::of::<Query>("Records that meet every condition given, in pages."),
    Registered::of::<Tail>("Follows the log from an index."),
    Registered::of::<VerifyLog>("Recomputes the whole tree from its leaves."),
];

/// Whoever may in any account reads the whole trail: it is one log, and verifying needs all of it.
pub(super) fn trail(
    action: &'static str,
    rooms: &Rooms,
    at: &Circumstances<'_>,
) -> Result<Vec<Target>, Error> {
    Ok(vec![targets::account(rooms, at)?.named(action)])
}

impl Operation for Query {
    type Output = audit::Page;
    const NAME: &'static str = "Query";
    const ACTION: &'static str = "strongroom:QueryAuditTrail";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<audit::Page>, Error> {
        Ok(Executed::read(rooms.log.query(&self.0)?))
    }

    fn record(&self, event: &mut Event) {
        event.parameters.extend(self.0.conditions());
    }
}

impl Operation for Expect {
    type Output = audit::Report;
    const NAME: &'static str = "Expect";
    const ACTION: &'static str = Query::ACTION;
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<audit::Report>, Error> {
        Ok(Executed::read(rooms.log.expect(&self.0)?))
    }

    fn record(&self, event: &mut Event) {
        let audit::Expectation { scope, calls, nothing_else } = &self.0;
        let calls = calls.iter().map(|(call, times)| format!("{call}: {times}"));
        event.parameters.extend(scope.conditions());
        event.parameters.insert("calls".to_owned(), calls.collect());
        event.parameters.insert("nothing_else".to_owned(), (*nothing_else).into());
    }
}

impl Operation for GetCheckpoint {
    type Output = Checkpoints;
    const NAME: &'static str = "GetCheckpoint";
    const ACTION: &'static str = "strongroom:GetCheckpoint";
    const READ_ONLY: bool = true;

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Checkpoints>, Error> {
        Ok(Executed::read(Checkpoints {
            head: rooms.log.head().as_ref().clone(),
            cosigned: rooms.cosigned.read().clone(),
            verifier_key: rooms.log.verifier_key(),
            log_keys: u32::try_from(rooms.log.keys().count()).unwrap_or(u32::MAX),
        }))
    }

    fn record(&self, _: &mut Event) {}
}

impl Operation for Tail {
    type Output = TailStart;
    const NAME: &'static str = "Tail";
    const ACTION: &'static str = "strongroom:TailAuditTrail";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<TailStart>, Error> {
        let audit::Query { start_index, limit, page_token, order, .. } = &self.conditions;
        let is_paged = limit.is_some() || page_token.is_some() || *order != audit::Order::default();
        if is_paged || start_index.is_some() {
            let message = "a tail takes no order, limit, page token or second start";
            return Err(audit::Error::Query(message).into());
        }
        let wanted = rooms.log.filter(&self.conditions)?;
        let index = self.start_index.unwrap_or_else(|| rooms.log.head().size);
        let end = self.conditions.end_index.unwrap_or(u64::MAX);
        Ok(Executed::read(TailStart { index, wanted, end }))
    }

    fn record(&self, event: &mut Event) {
        if let Some(start) = self.start_index {
            event.parameters.insert("start_index".to_owned(), start.into());
        }
        event.parameters.extend(self.conditions.conditions());
    }
}

impl Operation for VerifyLog {
    type Output = Head;
    const NAME: &'static str = "VerifyLog";
    const ACTION: &'static str = "strongroom:VerifyAuditTrail";
    const READ_ONLY: bool = true;

    // It reads the whole log: in its turn, out of the others' way.
    fn weight(&self) -> Weight {
        Weight::Slow
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        trail(Self::ACTION, rooms, at)
    }

    fn execute(
        &self,
        rooms: &Rooms,
        _: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Head>, Error> {
        Ok(Executed::read(rooms.log.check_all()?))
    }

    fn record(&self, _: &mut Event) {}
}
