//! The short verbs in which scenarios are written: each asks the store through the seam and unpacks the answer.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Incarnation, Job, JobId, Limits, ManualClock, NewJob, Progress, Status, Timestamp};
use windlass_store::store::SharedStore;
use windlass_store::{
    Admin, Canceled, Claim, Claimed, ClaimedJob, Exchange, Exchanged, Extend, Extension, Fate, Gates, Import, Lease,
    Outcome, Query, Scope, Settlement, SubmitOutcome, Swept, Verbs,
};

use crate::harness::{Fixture, Harness};
use crate::jobs::queue_named;
use crate::reference::Reference;

/// How long leases last unless a scenario says otherwise.
pub const LEASE: Duration = Duration::from_secs(30);
/// The smallest step of a store's clock.
pub const TICK: Duration = Duration::from_micros(1);
/// A sweep limit that no scenario reaches.
pub const ALL: usize = 10_000;

/// One scenario's hold on a store. Its verbs panic when the store returns an error.
pub struct Probe {
    harness: Arc<dyn Harness>,
    fixture: Fixture,
    worker: Incarnation,
}

impl Probe {
    /// A probe on a fresh store.
    pub async fn start(harness: Arc<dyn Harness>) -> Self {
        let fixture = harness.start().await;
        Self { harness, fixture, worker: Incarnation::random() }
    }

    /// Closes the store and opens it again; `None` when the backend keeps nothing.
    pub async fn reopen(self) -> Option<Self> {
        let Self { harness, fixture, worker } = self;
        let fixture = harness.reopen(fixture).await?;
        Some(Self { harness, fixture, worker })
    }

    /// A probe on another store, of another kind, that goes by the same clock.
    pub fn elsewhere(&self) -> Self {
        let clock = self.fixture.clock.clone();
        let store = Arc::new(Reference::with_clock(Arc::new(clock.clone())));
        let fixture = Fixture { store, clock, guard: Box::new(()) };
        Self { harness: Arc::clone(&self.harness), fixture, worker: Incarnation::random() }
    }

    /// The store.
    pub fn store(&self) -> &SharedStore {
        &self.fixture.store
    }

    /// Its clock.
    pub fn clock(&self) -> &ManualClock {
        &self.fixture.clock
    }

    /// The store's now.
    pub fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    /// Lets time pass for the store.
    pub fn advance(&self, span: Duration) {
        self.fixture.clock.advance(span);
    }

    /// The process that this probe claims for.
    pub fn worker(&self) -> Incarnation {
        self.worker
    }

    /// The store's lists and counts, if it has them.
    pub fn query(&self) -> Option<&dyn Query> {
        self.fixture.store.query()
    }

    /// The store's operator actions, if it has them.
    pub fn admin(&self) -> Option<&dyn Admin> {
        self.fixture.store.admin()
    }

    /// Its capability of taking in jobs from other stores.
    pub fn importer(&self) -> Option<&dyn Import> {
        self.fixture.store.importer()
    }

    /// Changes the rule at a gate, given as text.
    pub async fn edit(&self, gate: &str, edit: Edit) {
        let gate: Gate = gate.parse().expect("a valid gate");
        self.gates().edit_gate(&gate, edit).await.expect("edited");
    }

    /// Sets limits at a gate, given as text.
    pub async fn limit(&self, gate: &str, limits: Limits) {
        self.edit(gate, Edit::Limit(limits)).await;
    }

    /// The store's rules.
    pub fn gates(&self) -> &dyn Gates {
        self.fixture.store.gates().expect("the store keeps rules")
    }

    /// One turn.
    pub async fn exchange(&self, turn: Exchange) -> Exchanged {
        self.store().exchange(turn).await.expect("exchange")
    }

    /// Submits one job.
    pub async fn submit(&self, job: &NewJob) -> SubmitOutcome {
        self.submit_all(std::slice::from_ref(job)).await[0]
    }

    /// Submits jobs in one turn.
    pub async fn submit_all(&self, jobs: &[NewJob]) -> Vec<SubmitOutcome> {
        let answers = self.store().submit(jobs.to_vec()).await.expect("submit");
        answers.into_iter().map(|answer| answer.outcome).collect()
    }

    /// Submits jobs to queues that may hold `limit` waiting jobs.
    pub async fn submit_within(&self, limit: u64, jobs: &[NewJob]) -> Vec<SubmitOutcome> {
        let submit = jobs.iter().cloned().map(Arc::new).collect();
        let turn = Exchange { submit, queue_limit: Some(limit), ..Exchange::default() };
        self.exchange(turn).await.submitted.into_iter().map(|answer| answer.outcome).collect()
    }

    /// A claim of up to `limit` jobs, suspects and all, for [`LEASE`].
    pub fn want(&self, queues: &[&str], limit: usize) -> Claim {
        let queues = queues.iter().map(|queue| queue_named(queue)).collect();
        Claim { queues, limit, lease: LEASE, worker: self.worker, suspects: limit, handlers: None }
    }

    /// Claims.
    pub async fn claim(&self, claim: Claim) -> Claimed {
        self.store().claim(claim).await.expect("claim")
    }

    /// Takes up to `limit` jobs from the default queue.
    pub async fn take(&self, limit: usize) -> Vec<ClaimedJob> {
        self.take_from(&["default"], limit).await
    }

    /// Takes up to `limit` jobs from these queues.
    pub async fn take_from(&self, queues: &[&str], limit: usize) -> Vec<ClaimedJob> {
        self.claim(self.want(queues, limit)).await.jobs
    }

    /// Takes the ids of up to `limit` jobs from the default queue, in the order they come.
    pub async fn take_ids(&self, limit: usize) -> Vec<JobId> {
        self.take(limit).await.iter().map(|taken| taken.lease.id).collect()
    }

    /// Takes the one job that must be ready in the default queue.
    pub async fn take_one(&self) -> ClaimedJob {
        self.take(1).await.pop().expect("a job is ready")
    }

    /// Submits `job` and claims it.
    pub async fn run(&self, job: &NewJob) -> ClaimedJob {
        assert!(matches!(self.submit(job).await, SubmitOutcome::Created(_)));
        let taken = self.take_from(&[job.queue.as_str()], 1).await.pop().expect("the job is ready");
        assert_eq!(taken.lease.id, job.id, "nothing else may be ready");
        taken
    }

    /// Submits `job`, claims it and settles it.
    pub async fn run_to(&self, job: &NewJob, outcome: Outcome) -> ClaimedJob {
        let taken = self.run(job).await;
        self.finish(taken.lease, outcome).await;
        taken
    }

    /// Settles one attempt.
    pub async fn settle(&self, lease: Lease, outcome: Outcome) -> Fate {
        self.settle_emitting(lease, outcome, &[]).await
    }

    /// Settles one attempt that emitted jobs.
    pub async fn settle_emitting(&self, lease: Lease, outcome: Outcome, emitted: &[NewJob]) -> Fate {
        self.store().settle(vec![settlement(lease, outcome, emitted)]).await.expect("settle")[0]
    }

    /// Settles one attempt, which must be accepted.
    pub async fn finish(&self, lease: Lease, outcome: Outcome) -> Status {
        match self.settle(lease, outcome).await {
            Fate::Settled(status) => status,
            refused => panic!("the settlement was refused: {refused:?}"),
        }
    }

    /// Extends one lease by [`LEASE`].
    pub async fn extend(&self, lease: Lease) -> Extension {
        self.extend_for(lease, LEASE, None).await
    }

    /// Extends one lease and reports progress.
    pub async fn extend_for(&self, lease: Lease, duration: Duration, progress: Option<Progress>) -> Extension {
        self.store().extend(vec![Extend { lease, duration, progress }]).await.expect("extend")[0]
    }

    /// The job, if it exists.
    pub async fn find(&self, id: JobId) -> Option<Job> {
        self.store().get(id, &Scope::Everything).await.expect("get")
    }

    /// The job, which must exist.
    pub async fn job(&self, id: JobId) -> Job {
        self.find(id).await.expect("the job exists")
    }

    /// Where the job stands.
    pub async fn status(&self, id: JobId) -> Status {
        self.job(id).await.status
    }

    /// Cancels a job that must exist.
    pub async fn cancel(&self, id: JobId) -> Canceled {
        self.cancel_as(id, &Scope::Everything).await.expect("the job exists")
    }

    /// Cancels on behalf of a scope.
    pub async fn cancel_as(&self, id: JobId, scope: &Scope) -> Option<Canceled> {
        self.store().cancel(id, scope).await.expect("cancel")
    }

    /// Sweeps everything there is to sweep.
    pub async fn sweep(&self) -> Swept {
        self.sweep_up_to(ALL).await
    }

    /// Sweeps at most `limit` of each kind.
    pub async fn sweep_up_to(&self, limit: usize) -> Swept {
        self.store().sweep(limit).await.expect("sweep")
    }

    /// Lets every lease run out and sweeps.
    pub async fn crash(&self) -> Swept {
        self.advance(LEASE);
        self.sweep().await
    }
}

/// A settlement.
pub fn settlement(lease: Lease, outcome: Outcome, emitted: &[NewJob]) -> Settlement {
    Settlement { lease, outcome, emitted: emitted.iter().cloned().map(Arc::new).collect() }
}
