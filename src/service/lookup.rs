//! CloudTrail's lookup in the trail: an account sees the calls of its own callers.

use super::Error;
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::Registered;
use super::permit::Permit;
use super::targets;
use crate::audit::{Event, LookedUp, Lookup};

/// Looks events up as CloudTrail does: the account's own, in the caller's region, newest first.
#[derive(Debug, Default)]
pub struct LookupEvents(pub Lookup);

/// This part of the register.
pub(super) const LOOKUP: &[Registered] =
    &[Registered::of::<LookupEvents>("Events of the caller's account, as CloudTrail has them.")];

impl Operation for LookupEvents {
    type Output = LookedUp;
    const NAME: &'static str = "LookupEvents";
    const ACTION: &'static str = "cloudtrail:LookupEvents";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        Ok(vec![targets::account(rooms, at)?.named(Self::ACTION)])
    }

    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<LookedUp>, Error> {
        let whose = (at.scope.account(), at.scope.region());
        Ok(Executed::read(rooms.log.look_up(&self.0, whose, at.now)?))
    }

    fn record(&self, event: &mut Event) {
        event.parameters.extend(self.0.conditions());
    }
}
