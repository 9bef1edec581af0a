//! Takes back what dead processes held, makes due jobs ready, fails those that wait too long, and removes what retention says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_store::Swept;

use crate::phase::Phase;
use crate::shared::Shared;

/// Jobs per list and call: enough to keep up, little enough to hold nobody up.
const SWEEP_LIMIT: usize = 1_000;

/// The loop.
pub(crate) struct Sweeper {
    shared: Arc<Shared>,
}

impl Sweeper {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sweeps once at the start, so that a restart takes back what its predecessor left, then at every interval,
    /// a tenth more or less so that processes spread out.
    pub(crate) async fn run(self) {
        let mut phase = self.shared.phases.watch();
        while *phase.borrow() == Phase::Running {
            let more = self.pass().await.is_ok_and(|swept| swept.more);
            let pause = if more { Duration::ZERO } else { self.interval() };
            let next = Instant::now() + pause;
            let _ = tokio::time::timeout_at(next, phase.wait_for(|phase| *phase > Phase::Running)).await;
        }
    }

    fn interval(&self) -> Duration {
        self.shared.settings.sweep_interval.mul_f64(0.9 + 0.2 * fastrand::f64())
    }

    /// One sweep.
    pub(crate) async fn pass(&self) -> windlass_store::Result<Swept> {
        let swept = self.shared.store.sweep(SWEEP_LIMIT).await;
        match &swept {
            Ok(swept) => {
                self.shared.beats.sweeper.good();
                self.shared.metrics.swept(swept);
                self.report(swept);
            }
            Err(error) => {
                self.shared.metrics.sweep_errors.increment(1);
                tracing::warn!(%error, "sweep failed; trying again");
            }
        }
        swept
    }

    fn report(&self, swept: &Swept) {
        if swept.reclaimed > 0 {
            tracing::warn!(jobs = swept.reclaimed, "took back jobs whose worker is gone");
        }
        if swept.quarantined > 0 {
            tracing::error!(jobs = swept.quarantined, "gave up jobs that ended their process too often");
        }
        if swept.expired > 0 {
            tracing::warn!(jobs = swept.expired, "gave up jobs that waited until they were not worth running");
        }
    }
}
