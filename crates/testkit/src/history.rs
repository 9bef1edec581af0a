//! Random histories: the same operations on the model and on a store, whose answers and jobs must be equal after
//! every step. proptest shrinks a history that fails to the shortest that still does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::test_runner::{Config, TestCaseError, TestRunner};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Clock, Gate, Incarnation, Job, JobId, Timestamp};
use windlass_store::{Canceled, Claim, ErrorKind, Exchange, Exchanged, Extend, Filter, Lease, Replayed, Scope};

use crate::compare::{self, Difference, same};
use crate::harness::{Fixture, Harness};
use crate::invariants::{Ledger, accounting, waits};
use crate::jobs::{job_named, progress, queue_named};
use crate::model::Model;
use crate::operation::{Change, IDS, Op, Turn, Want, edit, histories, id, importation, settlement, submission};
use crate::probe::ALL;

/// Plays `cases` random histories, each on a fresh store. Panics with the shortest history on which store and
/// model disagree.
pub fn random_histories(harness: impl Harness, cases: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    // Without persistence: a failure is worth a named scenario, not a line in a seed file.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4_096, ..Config::default() };
    let outcome = TestRunner::new(config).run(&histories(), |history| {
        let played = runtime.block_on(async { play(harness.start().await, &history).await });
        played.map_err(TestCaseError::fail)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

/// Plays one history on a fresh store.
pub async fn play(fixture: Fixture, history: &[Op]) -> Result<(), Difference> {
    let mut play = Play::new(fixture);
    for (number, op) in history.iter().enumerate() {
        let step = play.step(op).await;
        step.map_err(|difference| format!("step {number}, {op:?}: {difference}"))?;
    }
    play.last_accounts().await
}

struct Play {
    fixture: Fixture,
    model: Model,
    worker: Incarnation,
    /// Every lease ever given out: the model's and the store's.
    leases: Vec<(Lease, Lease)>,
    ids: BTreeSet<JobId>,
    ledger: Ledger,
    /// Whether there were ever rules, or claims for some handlers.
    ruled: bool,
}

impl Play {
    fn new(fixture: Fixture) -> Self {
        let worker = Incarnation::random();
        let ids = (0..IDS).map(id).collect();
        Self {
            fixture,
            model: Model::default(),
            worker,
            leases: Vec::new(),
            ids,
            ledger: Ledger::default(),
            ruled: false,
        }
    }

    fn now(&self) -> Timestamp {
        self.fixture.clock.now()
    }

    async fn step(&mut self, op: &Op) -> Result<(), Difference> {
        match op {
            Op::Turn(turn) => self.turn(turn).await?,
            Op::Advance(seconds) => self.fixture.clock.advance(Duration::from_secs(*seconds)),
            Op::Sweep => self.sweep().await?,
            Op::Cancel(number) => self.cancel(id(*number)).await?,
            Op::Replay(number) => self.replay(id(*number)).await?,
            Op::Import(draft, past) => self.import(importation(draft, past, self.now())).await?,
            Op::Edit(gate, change) => self.edit(gate, *change).await?,
        }
        self.check().await
    }

    async fn turn(&mut self, turn: &Turn) -> Result<(), Difference> {
        self.ruled |= turn.claim.as_ref().is_some_and(|want| want.handlers.is_some());
        let expected = self.model.exchange(self.now(), &self.exchange(turn, |pair| pair.0));
        let question = self.exchange(turn, |pair| pair.1);
        let asked: Vec<Lease> = question.settle.iter().map(|settlement| settlement.lease).collect();
        self.ids.extend(question.settle.iter().flat_map(|settlement| settlement.emitted.iter().map(|job| job.id)));
        let actual = self.fixture.store.exchange(question).await.map_err(|error| error.to_string())?;
        compare::exchanged(&expected, &actual, self.ruled)?;
        for (lease, fate) in asked.into_iter().zip(&actual.fates) {
            self.ledger.settled(lease, *fate)?;
        }
        self.adopt(&expected, &actual)
    }

    fn adopt(&mut self, expected: &Exchanged, actual: &Exchanged) -> Result<(), Difference> {
        for (expected, actual) in compare::claimed_by_both(&expected.claimed, &actual.claimed) {
            self.ledger.claimed(actual.lease)?;
            self.leases.push((expected.lease, actual.lease));
        }
        Ok(())
    }

    /// The turn as one of the two sides is asked it: `mine` picks that side's lease.
    fn exchange(&self, turn: &Turn, mine: impl Fn(&(Lease, Lease)) -> Lease) -> Exchange {
        let lease = |back: usize| self.leases.iter().rev().nth(back % self.leases.len().max(1)).map(&mine);
        let settle = turn.settle.iter().filter_map(|(back, end)| Some(settlement(lease(*back)?, end)));
        let extend = turn.extend.iter().filter_map(|(back, seconds, tenths)| {
            let progress = tenths.map(|tenths| progress(f64::from(tenths) / 10.0));
            Some(Extend { lease: lease(*back)?, duration: Duration::from_secs(*seconds), progress })
        });
        Exchange {
            settle: settle.collect(),
            extend: extend.collect(),
            submit: turn.submit.iter().map(|draft| Arc::new(submission(draft))).collect(),
            queue_limit: turn.queue_limit,
            claim: turn.claim.as_ref().map(|want| self.claim(want)),
        }
    }

    fn claim(&self, want: &Want) -> Claim {
        let queues = want.queues.iter().map(|queue| queue_named(queue)).collect();
        let lease = Duration::from_secs(want.lease);
        // Where suspects stand among others is the store's affair, and who comes first decides who passes a gate.
        let suspects = if self.model.has_rules() { 0 } else { want.suspects };
        let handlers = want.handlers.map(|names| names.iter().map(|name| job_named(name)).collect());
        Claim { queues, limit: want.limit, lease, worker: self.worker, suspects, handlers }
    }

    async fn sweep(&mut self) -> Result<(), Difference> {
        let expected = self.model.sweep(self.now(), ALL);
        let actual = self.fixture.store.sweep(ALL).await.map_err(|error| error.to_string())?;
        compare::swept(expected.promoted, &expected, &actual)
    }

    async fn cancel(&mut self, id: JobId) -> Result<(), Difference> {
        let expected = self.model.cancel(self.now(), id, &Scope::Everything);
        let actual = self.fixture.store.cancel(id, &Scope::Everything).await.map_err(|error| error.to_string())?;
        let kind = |canceled: &Option<Canceled>| canceled.as_ref().map(std::mem::discriminant);
        same("cancel", &kind(&expected), &kind(&actual)).map_err(|_| format!("cancel: {expected:?}, got {actual:?}"))
    }

    async fn replay(&mut self, id: JobId) -> Result<(), Difference> {
        let Some(admin) = self.fixture.store.admin() else { return Ok(()) };
        let expected = self.model.replay(self.now(), id, &Scope::Everything);
        let actual = admin.replay(id, &Scope::Everything).await.map_err(|error| error.to_string())?;
        let kind = |replayed: &Option<Replayed>| replayed.as_ref().map(std::mem::discriminant);
        same("replay", &kind(&expected), &kind(&actual)).map_err(|_| format!("replay: {expected:?}, got {actual:?}"))
    }

    async fn edit(&mut self, gate: &str, change: Change) -> Result<(), Difference> {
        let Some(gates) = self.fixture.store.gates() else { return Ok(()) };
        let gate: Gate = gate.parse().expect("a valid gate");
        let change = edit(change);
        match gates.edit_gate(&gate, change.clone()).await {
            // A store that is spread may keep pauses only.
            Err(error) if error.kind() == ErrorKind::Config => return Ok(()),
            edited => edited.map_err(|error| error.to_string())?,
        }
        self.ruled = true;
        self.model.edit_gate(self.now(), &gate, &change);
        let actual = gates.list_gates(None, PAGE_MAX).await.map_err(|error| error.to_string())?;
        same("gates", &self.model.gates(None, PAGE_MAX), &actual)
    }

    async fn import(&mut self, job: Job) -> Result<(), Difference> {
        let Some(importer) = self.fixture.store.importer() else { return Ok(()) };
        let expected = self.model.import(self.now(), &job);
        let actual = importer.import(vec![job]).await.map_err(|error| error.to_string())?;
        same("imported", &vec![expected], &actual)
    }

    /// Every job is as the model has it, and what was final still is.
    async fn check(&mut self) -> Result<(), Difference> {
        let now = self.now();
        for id in &self.ids {
            let actual = self.fixture.store.get(*id, &Scope::Everything).await.map_err(|error| error.to_string())?;
            let expected = self.model.get(*id, &Scope::Everything);
            compare::found(now, expected.as_ref(), actual.as_ref())?;
            self.ledger.seen(*id, actual.as_ref())?;
        }
        Ok(())
    }

    /// Counts and lists agree with each other after every history, and with the model on what exists, in order.
    async fn last_accounts(&self) -> Result<(), Difference> {
        let Some(query) = self.fixture.store.query() else { return Ok(()) };
        let jobs = accounting(query).await?;
        waits(query, self.now(), &jobs).await?;
        let listed: Vec<JobId> = jobs.iter().map(|job| job.new.id).collect();
        let expected = accounting_of(&self.model);
        same("listed jobs", &expected, &listed)
    }
}

fn accounting_of(model: &Model) -> Vec<JobId> {
    let filter = Filter { limit: usize::MAX, ..Filter::default() };
    model.list(&filter).jobs.iter().map(|job| job.new.id).collect()
}
