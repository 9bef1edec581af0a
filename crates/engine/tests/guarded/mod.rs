//! A store that lets each turn through when its guard does.

use async_trait::async_trait;
use windlass_core::{Incarnation, Job, JobId};
use windlass_memory::Memory;
use windlass_store::{Canceled, Exchange, Exchanged, Gates, Hints, Lease, Result, Scope, Store, Swept};

/// What stands before the store.
#[async_trait]
pub(crate) trait Guard: Send + Sync + 'static {
    /// Looks at a turn. It goes on when this has ended, or is refused.
    async fn pass(&self, turn: &Exchange) -> Result<()>;
}

/// Jobs in memory behind a guard.
pub(crate) struct Guarded<G> {
    pub(crate) guard: G,
    inner: Memory,
}

impl<G> Guarded<G> {
    pub(crate) fn new(guard: G) -> Self {
        Self { guard, inner: Memory::new() }
    }
}

#[async_trait]
impl<G: Guard> Store for Guarded<G> {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        self.guard.pass(&turn).await?;
        self.inner.exchange(turn).await
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.inner.get(id, scope).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.inner.cancel(id, scope).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.inner.sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.inner.held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    fn name(&self) -> &'static str {
        "guarded"
    }

    fn gates(&self) -> Option<&dyn Gates> {
        self.inner.gates()
    }
}
