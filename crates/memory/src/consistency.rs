//! What must hold inside the table whatever happens to it. What callers see is the conformance suite's business.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use windlass_core::{
    Backlog, Incarnation, JobError, JobId, NewJob, Payload, Priority, QueueName, RetryPolicy, Start, Status, Timestamp,
};
use windlass_store::gatekeeper::Bounds;
use windlass_store::{Claim, Extend, Extension, Fate, Lease, Outcome, Scope, Settlement, SubmitOutcome};

use crate::entry::Seq;
use crate::options::MemoryOptions;
use crate::table::Table;

const OPTIONS: MemoryOptions =
    MemoryOptions { completed_retention: Duration::from_secs(60), failed_retention: Duration::from_secs(120) };
const LEASE: Duration = Duration::from_secs(10);

/// A table, its time, and every lease that it ever gave out.
struct World {
    table: Table,
    now: Timestamp,
    leases: Vec<Lease>,
    settled: HashSet<Lease>,
}

#[derive(Clone, Debug)]
enum Act {
    Submit { id: u8, queue: u8, priority: u8, delay: u64 },
    Claim { limit: usize, suspects: usize },
    Settle { lease: usize, outcome: Outcome },
    Extend { lease: usize },
    Cancel { id: u8 },
    Replay { id: u8 },
    Sweep { limit: usize },
    Wait { seconds: u64 },
}

fn job_id(id: u8) -> JobId {
    JobId::keyed(&[&[id]])
}

fn queue(queue: u8) -> QueueName {
    QueueName::new(format!("q{queue}")).expect("a valid name")
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn job(id: u8, in_queue: u8, priority: u8, delay: u64) -> Arc<NewJob> {
    let job = NewJob::build("Job", Payload::empty())
        .id(job_id(id))
        .queue(queue(in_queue).as_str())
        .priority(Priority::new(priority).expect("a valid level"))
        .retry(RetryPolicy { max_crashes: 2, ..RetryPolicy::default() })
        .start(Start::After(seconds(delay)));
    Arc::new(job.finish(Timestamp::UNIX_EPOCH).expect("valid"))
}

fn claim(limit: usize, suspects: usize) -> Claim {
    Claim {
        queues: vec![queue(0), queue(1)],
        limit,
        lease: LEASE,
        worker: Incarnation::random(),
        suspects,
        handlers: None,
    }
}

impl World {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        Self { table: Table::new(OPTIONS), now, leases: Vec::new(), settled: HashSet::new() }
    }

    fn submit(&mut self, id: u8, delay: u64) -> SubmitOutcome {
        self.table.submit(job(id, 0, 5, delay), Bounds::default(), self.now).outcome
    }

    fn claim(&mut self, limit: usize, suspects: usize) -> Vec<Lease> {
        let claimed = self.table.claim(&claim(limit, suspects), self.now).jobs;
        let leases: Vec<Lease> = claimed.into_iter().map(|job| job.lease).collect();
        self.leases.extend(&leases);
        leases
    }

    fn settle(&mut self, lease: Lease, outcome: Outcome) -> Fate {
        self.table.settle(Settlement { lease, outcome, emitted: Vec::new() }, self.now)
    }

    fn extend(&mut self, lease: Lease) -> Extension {
        self.table.extend(Extend { lease, duration: LEASE, progress: None }, self.now)
    }

    fn news(&mut self) -> bool {
        self.table.index.take_news(false, self.now)
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now.after(span);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Submit { id, queue, priority, delay } => {
                let _ = self.table.submit(
                    job(id, queue, priority, delay),
                    Bounds { queue: Backlog::most(4), ..Bounds::default() },
                    self.now,
                );
            }
            Act::Claim { limit, suspects } => self.claim_and_check(limit, suspects),
            Act::Settle { lease, outcome } => self.settle_and_check(lease, outcome),
            Act::Extend { lease } => {
                self.leases.get(lease).copied().map(|lease| self.extend(lease));
            }
            Act::Cancel { id } => drop(self.table.cancel(job_id(id), &Scope::Everything, self.now)),
            Act::Replay { id } => drop(self.table.replay(job_id(id), &Scope::Everything, self.now)),
            Act::Sweep { limit } => drop(self.table.sweep(limit, self.now)),
            Act::Wait { seconds } => self.wait(Duration::from_secs(seconds)),
        }
        self.news();
    }

    fn claim_and_check(&mut self, limit: usize, suspects: usize) {
        let before: HashSet<Lease> = self.leases.iter().copied().collect();
        let jobs = self.table.claim(&claim(limit, suspects), self.now).jobs;
        assert!(jobs.len() <= limit);
        assert!(jobs.iter().filter(|job| job.is_suspect()).count() <= suspects);
        assert!(jobs.iter().all(|job| !before.contains(&job.lease)), "a token was used twice");
        self.leases.extend(jobs.iter().map(|job| job.lease));
    }

    fn settle_and_check(&mut self, lease: usize, outcome: Outcome) {
        let Some(&lease) = self.leases.get(lease) else { return };
        if let Fate::Settled(_) = self.settle(lease, outcome) {
            assert!(self.settled.insert(lease), "a lease settled twice");
        }
    }

    /// The indexes, kept up to date step by step, are what they would be if they were built anew.
    fn check(&self) {
        let mut rebuilt = self.table.index.emptied();
        let mut queues = HashSet::new();
        for entry in self.table.jobs.after(0) {
            rebuilt.insert(entry);
            queues.insert(&entry.job.new.queue);
        }
        assert_eq!(rebuilt, self.table.index);
        assert_eq!(queues, self.table.index.queues().map(|queue| &queue.name).collect());
        let by_id: HashSet<(JobId, Seq)> = self.table.ids.iter().map(|(&id, &seq)| (id, seq)).collect();
        let by_seq = self.table.jobs.after(0).map(|entry| (entry.job.new.id, entry.seq)).collect();
        assert_eq!(by_id, by_seq);
    }
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    let error = || JobError::new("X", "failed");
    let delay = || (0_u64..8).prop_map(seconds);
    prop_oneof![
        Just(Outcome::Complete(Payload::empty())),
        delay().prop_map(move |delay| Outcome::Retry { delay, error: error() }),
        Just(Outcome::Fail(error())),
        delay().prop_map(|delay| Outcome::Snooze { delay }),
        Just(Outcome::Release),
        Just(Outcome::Stop),
    ]
}

fn acts() -> impl Strategy<Value = Act> {
    let id = || 0_u8..10;
    prop_oneof![
        3 => (id(), 0_u8..2, 4_u8..6, 0_u64..8)
            .prop_map(|(id, queue, priority, delay)| Act::Submit { id, queue, priority, delay: delay.saturating_sub(4) }),
        4 => (0_usize..4, 0_usize..2).prop_map(|(limit, suspects)| Act::Claim { limit, suspects }),
        4 => (0_usize..20, outcomes()).prop_map(|(lease, outcome)| Act::Settle { lease, outcome }),
        1 => (0_usize..20).prop_map(|lease| Act::Extend { lease }),
        1 => id().prop_map(|id| Act::Cancel { id }),
        1 => id().prop_map(|id| Act::Replay { id }),
        2 => (0_usize..4).prop_map(|limit| Act::Sweep { limit }),
        3 => prop_oneof![0_u64..12, Just(70), Just(130)].prop_map(|seconds| Act::Wait { seconds }),
    ]
}

proptest! {
    #[test]
    fn the_indexes_never_drift_and_no_lease_settles_twice(acts in prop::collection::vec(acts(), 1..80)) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
            world.check();
        }
    }
}

#[test]
fn jobs_that_the_same_turn_claims_are_no_news() {
    let mut world = World::new();
    let _ = world.submit(1, 0);
    world.claim(1, 0);
    assert!(!world.news());
    let _ = (world.submit(2, 0), world.submit(3, 0));
    world.claim(1, 0);
    assert!(world.news(), "one of the two is left");
    assert!(!world.news(), "news is told once");
}

#[test]
fn a_due_time_is_news_only_when_it_is_the_soonest() {
    let mut world = World::new();
    let _ = world.submit(1, 30);
    assert!(world.news());
    let _ = world.submit(2, 60);
    assert!(!world.news());
    let _ = world.submit(3, 10);
    assert!(world.news());
}

#[test]
fn a_lease_is_lost_from_the_moment_it_ends() {
    let mut world = World::new();
    let _ = world.submit(1, 0);
    let lease = world.claim(1, 0)[0];
    world.wait(LEASE);
    assert_eq!(world.extend(lease), Extension::Lost);
    assert_eq!(world.settle(lease, Outcome::Release), Fate::LeaseLost);
    assert_eq!(world.table.sweep(10, world.now).reclaimed, 1);
    assert_eq!(world.settle(lease, Outcome::Release), Fate::LeaseLost);
}

#[test]
fn an_answer_repeats_until_the_next_claim() {
    let mut world = World::new();
    let _ = world.submit(1, 0);
    let lease = world.claim(1, 0)[0];
    assert_eq!(world.settle(lease, Outcome::Release), Fate::Settled(Status::Queued));
    assert_eq!(world.settle(lease, Outcome::Release), Fate::Repeated(Status::Queued));
    world.claim(1, 0);
    assert_eq!(world.settle(lease, Outcome::Release), Fate::LeaseLost);
}

#[test]
fn a_job_that_comes_back_goes_before_younger_ones() {
    let mut world = World::new();
    let _ = (world.submit(1, 0), world.submit(2, 0));
    let lease = world.claim(1, 0)[0];
    world.settle(lease, Outcome::Snooze { delay: Duration::ZERO });
    assert_eq!(world.claim(1, 0)[0].id, lease.id);
}

#[test]
fn one_suspect_at_a_time_and_the_last_strike_is_out() {
    let mut world = World::new();
    let _ = (world.submit(1, 0), world.submit(2, 0));
    assert_eq!(world.claim(9, 0).len(), 2);
    world.wait(LEASE);
    assert_eq!(world.table.sweep(10, world.now).reclaimed, 2);
    let refused = world.table.claim(&claim(9, 0), world.now);
    assert!(refused.jobs.is_empty() && refused.more);
    assert_eq!(world.claim(9, 1).len(), 1);
    world.wait(LEASE);
    assert_eq!(world.table.sweep(10, world.now).quarantined, 1);
}

#[test]
fn the_allowance_of_suspects_is_for_all_queues_together() {
    let mut world = World::new();
    for (id, in_queue) in [(1, 0), (2, 1)] {
        let _ = world.table.submit(job(id, in_queue, 5, 0), Bounds::default(), world.now);
    }
    world.claim(9, 0);
    world.wait(LEASE);
    world.table.sweep(10, world.now);
    assert_eq!(world.claim(9, 1).len(), 1);
}

#[test]
fn a_queue_is_forgotten_with_its_last_job() {
    let mut world = World::new();
    let _ = world.submit(1, 0);
    let lease = world.claim(1, 0)[0];
    world.settle(lease, Outcome::Complete(Payload::empty()));
    world.wait(OPTIONS.completed_retention);
    assert_eq!(world.table.sweep(10, world.now).pruned, 1);
    assert!(world.table.index.queues().next().is_none() && world.table.ids.is_empty());
}
