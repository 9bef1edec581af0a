//! Asks the store, again and again, which breakers other processes have opened and closed. There is none where no handler
//! has a breaker.

use std::sync::Arc;

use tokio::time::Instant;

use crate::phase::Phase;
use crate::shared::Shared;

/// The loop.
pub(crate) struct Lookout {
    shared: Arc<Shared>,
}

impl Lookout {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Looks at every interval, a tenth more or less so that processes spread out.
    pub(crate) async fn run(self) {
        let Some(interval) = self.shared.breakers.interval() else { return };
        let mut phase = self.shared.phases.watch();
        while *phase.borrow() == Phase::Running {
            let next = Instant::now() + interval.mul_f64(0.9 + 0.2 * fastrand::f64());
            let _ = tokio::time::timeout_at(next, phase.wait_for(|phase| *phase > Phase::Running)).await;
            self.pass().await;
        }
    }

    /// One look. A breaker that nobody can tell others of, or hear of, holds in its own process.
    pub(crate) async fn pass(&self) {
        let Some(gates) = self.shared.store.gates() else { return };
        if let Err(error) = self.shared.breakers.look(gates).await {
            tracing::debug!(%error, "the store does not say which breakers are open");
        }
    }
}
