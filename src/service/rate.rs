//! How many calls a second are answered, where a limit is set.
//!
//! The limit is the service's, not an account's: it protects the machine. AWS has limits by account,
//! region and operation, and refuses in the same words (AWS KMS Developer Guide, "Throttling").

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::Error;
use super::hall::Service;

/// The calls of a second; as many may come at once.
pub(super) struct Rate {
    limit: NonZeroU32,
    left: DefaultDirectRateLimiter,
}

impl Rate {
    pub(super) fn new(limit: NonZeroU32) -> Self {
        Self { limit, left: RateLimiter::direct(Quota::per_second(limit)) }
    }

    fn check(&self) -> Result<(), Error> {
        self.left.check().map_err(|_| Error::Throttled(self.limit))
    }
}

impl Service {
    /// Counts a call against the limit, if there is one. A door asks before it translates, and has what is
    /// refused recorded by [`Service::refuse`].
    ///
    /// # Errors
    /// [`Error::Throttled`]
    pub fn admit(&self) -> Result<(), Error> {
        self.rate().map_or(Ok(()), Rate::check)
    }
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rate({} a second)", self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_more_than_a_seconds_is_refused() {
        let rate = Rate::new(NonZeroU32::MIN);
        assert!(rate.check().is_ok());
        let refused = rate.check().unwrap_err();
        assert_eq!(refused.code(), "ThrottlingException");
        assert!(refused.to_string().contains("answers 1 a second"), "{refused}");
    }
}
