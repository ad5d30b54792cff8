//! Growing, random pauses between attempts, until a deadline.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::crypto::random;

/// Attempts at one call.
#[derive(Debug)]
pub(super) struct Attempts {
    end: Instant,
    pause: Duration,
}

impl Attempts {
    /// Begins; all attempts together may take this long.
    pub(super) fn within(deadline: Duration) -> Self {
        Self { end: Instant::now() + deadline, pause: FIRST }
    }

    /// When the call is given up.
    pub(super) const fn end(&self) -> Instant {
        self.end
    }

    /// Waits, somewhere in the second half of the pause so that callers do not come back together; false
    /// at once when there is no time for another attempt.
    pub(super) async fn again(&mut self) -> bool {
        let part = u32::from(random::array::<1>().map_or(0, |[byte]| byte));
        let next = Instant::now() + self.pause / 2 + self.pause * part / 512;
        if next >= self.end {
            return false;
        }
        sleep_until(next).await;
        self.pause = (self.pause * 2).min(LONGEST);
        true
    }
}

const FIRST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_secs(1);
