//! Submitting where there may be no room at first: [`Engine::submit_within`].

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::Instant;
use windlass_core::NewJob;
use windlass_store::Submitted;

use crate::engine::Engine;
use crate::error::Error;

/// Room shows itself by trying only: soon at first, and then this rarely.
const TRIES_APART: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

impl Engine {
    /// [`submit`](Self::submit), but where there is no room it tries again for as long as `patience` says: when the queue is full,
    /// as many jobs of the owner wait as may, the process is busy, or the owner over its rate, which says when to try. What it answers in the end is the last answer; one that
    /// would come too late is not waited for.
    pub async fn submit_within(&self, job: NewJob, patience: Duration) -> Result<Submitted, Error> {
        let deadline = Instant::now().checked_add(patience);
        let (first, last) = TRIES_APART;
        let backoff = ExponentialBuilder::new().with_min_delay(first).with_max_delay(last).with_jitter();
        let mut pauses = backoff.without_max_times().build();
        loop {
            let pause = match self.submit(job.clone()).await {
                Err(Error::OverRate { retry_after }) => retry_after,
                Err(Error::QueueFull { .. } | Error::OwnerFull { .. } | Error::Busy) => pauses.next().unwrap_or(last),
                answer => return answer,
            };
            let next = Instant::now().checked_add(pause);
            if deadline.is_some_and(|deadline| next.is_none_or(|next| next > deadline)) {
                return self.submit(job).await;
            }
            tokio::time::sleep(pause).await;
        }
    }
}
