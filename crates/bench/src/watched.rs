//! A store that counts what passes through it, so that a drain ends with the store's last acknowledgement and not
//! with the last handler.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Notify;
use windlass_core::{Incarnation, Job, JobId, Status};
use windlass_store::{
    Admin, Canceled, Exchange, Exchanged, Fate, Gates, Hints, Import, Lease, Query, Result, Schedules, Scope,
    SharedStore, Store, Swept,
};

use crate::handler::number_of;
use crate::moments::Moments;

/// How long nothing may complete before a run counts as stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// Wraps a store.
pub(crate) struct Watched {
    inner: SharedStore,
    calls: AtomicU64,
    completed: AtomicU64,
    target: u64,
    /// How many jobs may still be claimed.
    allowance: AtomicU64,
    reached: OnceLock<Instant>,
    bell: Notify,
    /// Where each completion is noted, if somebody wants to know.
    noted: Option<Arc<Moments>>,
}

impl Watched {
    /// Waits for `target` completions.
    pub(crate) fn new(inner: SharedStore, target: u64) -> Self {
        Self {
            inner,
            calls: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            target,
            allowance: AtomicU64::new(u64::MAX),
            reached: OnceLock::new(),
            bell: Notify::new(),
            noted: None,
        }
    }

    /// Gives out no more jobs than it waits for.
    pub(crate) fn rationed(mut self) -> Self {
        self.allowance = AtomicU64::new(self.target);
        self
    }

    /// Notes when each job was completed.
    pub(crate) fn noting(mut self, completed: Arc<Moments>) -> Self {
        self.noted = Some(completed);
        self
    }

    /// How often the store was asked anything.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// How many completions were acknowledged.
    pub(crate) fn completed(&self) -> u64 {
        self.completed.load(Ordering::Relaxed)
    }

    /// When the last of the awaited completions was acknowledged; `None` when they stopped coming.
    pub(crate) async fn all_completed(&self) -> Option<Instant> {
        let mut before = u64::MAX;
        loop {
            if let Some(moment) = self.reached.get() {
                return Some(*moment);
            }
            let waited = tokio::time::timeout(PATIENCE, self.bell.notified()).await;
            let now = self.completed.load(Ordering::Relaxed);
            if waited.is_err() && now == before {
                return None;
            }
            before = now;
        }
    }

    /// Takes what may be claimed from the allowance.
    fn ration(&self, turn: &mut Exchange) -> u64 {
        let Some(claim) = &mut turn.claim else { return 0 };
        let wanted = claim.limit as u64;
        let take = |left: u64| Some(left - wanted.min(left));
        let before = self.allowance.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        let granted = wanted.min(before);
        claim.limit = granted as usize;
        if granted == 0 {
            turn.claim = None;
        }
        granted
    }

    fn note(&self, settled: &[JobId], answer: &Exchanged) {
        let done = |fate: &&Fate| matches!(fate, Fate::Settled(Status::Completed));
        if let Some(noted) = &self.noted {
            let fates = settled.iter().zip(&answer.fates);
            fates.filter(|(_, fate)| done(fate)).for_each(|(id, _)| noted.note(number_of(*id)));
        }
        let count = answer.fates.iter().filter(done).count() as u64;
        if count > 0 && self.completed.fetch_add(count, Ordering::Relaxed) + count >= self.target {
            self.reached.get_or_init(Instant::now);
            self.bell.notify_one();
        }
    }

    fn called(&self) -> &SharedStore {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.inner
    }
}

#[async_trait]
impl Store for Watched {
    async fn exchange(&self, mut turn: Exchange) -> Result<Exchanged> {
        let granted = self.ration(&mut turn);
        let noting = self.noted.is_some();
        let settled: Vec<JobId> = turn.settle.iter().filter(|_| noting).map(|one| one.lease.id).collect();
        let answer = self.called().exchange(turn).await?;
        let unused = granted - (answer.claimed.jobs.len() as u64).min(granted);
        self.allowance.fetch_add(unused, Ordering::Relaxed);
        self.note(&settled, &answer);
        Ok(answer)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.called().get(id, scope).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        self.called().cancel(id, scope).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.called().sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.called().held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.called().ping().await
    }

    fn is_in_process(&self) -> bool {
        self.inner.is_in_process()
    }

    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn query(&self) -> Option<&dyn Query> {
        self.inner.query()
    }

    fn admin(&self) -> Option<&dyn Admin> {
        self.inner.admin()
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        self.inner.schedules()
    }

    fn gates(&self) -> Option<&dyn Gates> {
        self.inner.gates()
    }

    fn importer(&self) -> Option<&dyn Import> {
        self.inner.importer()
    }
}
