//! A store that misbehaves on demand, for tests of whatever talks to one.

use std::sync::Mutex;

use async_trait::async_trait;
use tokio::sync::watch;
use windlass_core::gate::Edit;
use windlass_core::{Gate, Incarnation, Job, JobId, ScheduleName};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};
use windlass_store::{
    Admin, Canceled, Error, ErrorKind, Exchange, Exchanged, Gates, Hints, Import, Imported, Lease, Query, Result,
    Ruled, Schedules, Scope, Store, Swept,
};

/// Wraps a store. Without orders it passes everything through; `query` and `admin` always pass through.
pub struct Faulty<S> {
    inner: S,
    orders: Mutex<Orders>,
    blocked: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Orders {
    refuse: usize,
    forget: usize,
    calls: u64,
}

impl<S: Store> Faulty<S> {
    /// A wrapper that does nothing yet.
    pub fn new(inner: S) -> Self {
        Self { inner, orders: Mutex::default(), blocked: watch::Sender::new(false) }
    }

    /// The store inside, reached without faults.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The next `calls` fail with [`ErrorKind::Unavailable`] and never reach the store.
    pub fn refuse_next(&self, calls: usize) {
        self.orders().refuse = calls;
    }

    /// The next `calls` are applied, and then fail with [`ErrorKind::Unavailable`]: their outcome is unknown.
    pub fn forget_next(&self, calls: usize) {
        self.orders().forget = calls;
    }

    /// Every call from now on waits, before it reaches the store, until [`release`](Self::release).
    pub fn block(&self) {
        self.blocked.send_replace(true);
    }

    /// Lets the waiting calls go on.
    pub fn release(&self) {
        self.blocked.send_replace(false);
    }

    /// How many calls were made so far, whatever became of them.
    pub fn calls(&self) -> u64 {
        self.orders().calls
    }

    fn orders(&self) -> std::sync::MutexGuard<'_, Orders> {
        self.orders.lock().expect("nothing panics while it holds the orders")
    }

    async fn before(&self) -> Result<()> {
        self.orders().calls += 1;
        let mut blocked = self.blocked.subscribe();
        // It cannot fail: `self` holds the sender.
        let _ = blocked.wait_for(|blocked| !blocked).await;
        spend(&mut self.orders().refuse, "refused")
    }

    fn after<T>(&self, answer: Result<T>) -> Result<T> {
        spend(&mut self.orders().forget, "applied, and the reply lost")?;
        answer
    }
}

fn spend(left: &mut usize, what: &str) -> Result<()> {
    if *left == 0 {
        return Ok(());
    }
    *left -= 1;
    Err(Error::new(ErrorKind::Unavailable, format!("the faulty store was told so: {what}")))
}

#[async_trait]
impl<S: Store> Store for Faulty<S> {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        self.before().await?;
        self.after(self.inner.exchange(turn).await)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.before().await?;
        self.after(self.inner.get(id, scope).await)
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.before().await?;
        self.after(self.inner.cancel(id, scope).await)
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.before().await?;
        self.after(self.inner.sweep(limit).await)
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.before().await?;
        self.after(self.inner.held_by(worker).await)
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.before().await?;
        self.after(self.inner.ping().await)
    }

    fn is_in_process(&self) -> bool {
        self.inner.is_in_process()
    }

    fn name(&self) -> &'static str {
        "faulty"
    }

    fn query(&self) -> Option<&dyn Query> {
        self.inner.query()
    }

    fn admin(&self) -> Option<&dyn Admin> {
        self.inner.admin()
    }

    fn importer(&self) -> Option<&dyn Import> {
        self.inner.importer().map(|_| self as &dyn Import)
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        self.inner.schedules().map(|_| self as &dyn Schedules)
    }

    fn gates(&self) -> Option<&dyn Gates> {
        self.inner.gates().map(|_| self as &dyn Gates)
    }
}

impl<S: Store> Faulty<S> {
    fn inner_gates(&self) -> Result<&dyn Gates> {
        self.inner.gates().ok_or_else(|| Error::new(ErrorKind::Config, "the store inside keeps no rules"))
    }
}

#[async_trait]
impl<S: Store> Gates for Faulty<S> {
    async fn edit_gate(&self, gate: &Gate, edit: Edit) -> Result<()> {
        self.before().await?;
        self.after(self.inner_gates()?.edit_gate(gate, edit).await)
    }

    async fn list_gates(&self, after: Option<&Gate>, limit: usize) -> Result<Vec<Ruled>> {
        self.before().await?;
        self.after(self.inner_gates()?.list_gates(after, limit).await)
    }
}

impl<S: Store> Faulty<S> {
    fn inner_schedules(&self) -> Result<&dyn Schedules> {
        self.inner.schedules().ok_or_else(|| Error::new(ErrorKind::Config, "the store inside keeps no schedules"))
    }
}

#[async_trait]
impl<S: Store> Schedules for Faulty<S> {
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>> {
        self.before().await?;
        self.after(self.inner_schedules()?.write_schedule(write).await)
    }

    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>> {
        self.before().await?;
        self.after(self.inner_schedules()?.find_schedule(name).await)
    }

    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>> {
        self.before().await?;
        self.after(self.inner_schedules()?.list_schedules(after, limit).await)
    }

    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules> {
        self.before().await?;
        self.after(self.inner_schedules()?.due_schedules(limit).await)
    }

    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool> {
        self.before().await?;
        self.after(self.inner_schedules()?.remove_schedule(name).await)
    }
}

#[async_trait]
impl<S: Store> Import for Faulty<S> {
    async fn import(&self, jobs: Vec<Job>) -> Result<Vec<Imported>> {
        self.before().await?;
        let Some(importer) = self.inner.importer() else {
            return Err(Error::new(ErrorKind::Config, "the store inside takes nothing in"));
        };
        self.after(importer.import(jobs).await)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::FutureExt;
    use windlass_core::{ManualClock, NewJob};
    use windlass_store::{SubmitOutcome, Verbs};

    use super::*;
    use crate::jobs::plain;
    use crate::reference::Reference;

    fn faulty() -> Faulty<Reference> {
        Faulty::new(Reference::with_clock(Arc::new(ManualClock::default())))
    }

    async fn submit(store: &Faulty<Reference>, job: &NewJob) -> Result<SubmitOutcome> {
        Ok(store.submit(vec![job.clone()]).await?[0].outcome)
    }

    #[tokio::test]
    async fn a_refused_call_never_reaches_the_store() {
        let store = faulty();
        let job = plain();
        store.refuse_next(1);
        assert_eq!(submit(&store, &job).await.expect_err("refused").kind(), ErrorKind::Unavailable);
        assert!(matches!(submit(&store, &job).await, Ok(SubmitOutcome::Created(_))));
        assert_eq!(store.calls(), 2);
    }

    #[tokio::test]
    async fn a_forgotten_call_was_applied() {
        let store = faulty();
        let job = plain();
        store.forget_next(1);
        assert_eq!(submit(&store, &job).await.expect_err("forgotten").kind(), ErrorKind::Unavailable);
        assert_eq!(submit(&store, &job).await.expect("answered"), SubmitOutcome::Existing);
    }

    #[tokio::test]
    async fn a_blocked_call_waits_for_its_release() {
        let store = faulty();
        store.block();
        let mut ping = store.ping();
        assert!((&mut ping).now_or_never().is_none());
        store.release();
        ping.await.expect("released");
    }
}
