//! What happens while the store fails: it is left alone for a moment, longer each time, and then tried with a turn that
//! brings no new jobs. Until it answers, submitters hear at once that it is away, as with a circuit breaker (Nygard,
//! *Release It!*): nobody waits in line for an answer that may not come.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::error::Error;

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LAST_PAUSE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Outage {
    backoff: Option<ExponentialBackoff>,
    failure: Option<Failure>,
}

struct Failure {
    error: Error,
    until: Instant,
    /// The store did not answer at all. Otherwise it refused, new jobs perhaps and nothing else.
    away: bool,
}

impl Outage {
    /// Notes that a turn failed. The end of the pause, and whether this is the first failure since the store worked.
    pub(crate) fn fail(&mut self, error: Error, away: bool, now: Instant) -> (Instant, bool) {
        let first = self.backoff.is_none();
        let backoff = self.backoff.get_or_insert_with(|| {
            let builder = ExponentialBuilder::new().with_min_delay(FIRST_PAUSE).with_max_delay(LAST_PAUSE);
            builder.with_jitter().without_max_times().build()
        });
        let until = now + backoff.next().unwrap_or(LAST_PAUSE);
        self.failure = Some(Failure { error, until, away });
        (until, first)
    }

    /// Notes that a turn succeeded. When it took new jobs too, or none waited, all is well again: whether it was not before.
    pub(crate) fn succeed(&mut self, with_jobs: bool) -> bool {
        self.failure = None;
        with_jobs && self.backoff.take().is_some()
    }

    /// Whether the store is left alone.
    pub(crate) fn rests(&self) -> bool {
        self.failure.as_ref().is_some_and(Failure::is_fresh)
    }

    /// Whether the last turn failed. The next one settles and brings no new jobs: what refuses those must not refuse that.
    pub(crate) fn failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Whether somebody must find out if the store is back, even with nothing to ask.
    pub(crate) fn wants_trial(&self) -> bool {
        self.failure.as_ref().is_some_and(|failure| failure.away)
    }

    /// What submitters hear instead of waiting.
    pub(crate) fn refusal(&self) -> Option<&Error> {
        let failure = self.failure.as_ref().filter(|failure| failure.away || failure.is_fresh());
        failure.map(|failure| &failure.error)
    }
}

impl Failure {
    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_store_that_is_away_is_tried_before_anybody_submits_again() {
        let mut outage = Outage::default();
        assert!(outage.refusal().is_none() && !outage.wants_trial());
        let (until, first) = outage.fail(Error::Busy, true, Instant::now());
        assert!(first && outage.rests());
        tokio::time::sleep_until(until).await;
        assert!(!outage.rests() && outage.refusal().is_some() && outage.wants_trial());
        let (_, first) = outage.fail(Error::Busy, true, Instant::now());
        assert!(!first);
        assert!(outage.succeed(true) && outage.refusal().is_none());
        assert!(!outage.succeed(true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_is_asked_again_after_the_pause() {
        let mut outage = Outage::default();
        let (until, _) = outage.fail(Error::Busy, false, Instant::now());
        assert!(outage.refusal().is_some());
        tokio::time::sleep_until(until).await;
        assert!(outage.refusal().is_none());
        assert!(outage.failed() && !outage.wants_trial());
        assert!(!outage.succeed(false), "jobs are still held back");
        assert!(outage.succeed(true));
    }
}
