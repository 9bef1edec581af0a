//! Many callers at once: exactly one of them wins, and nobody loses work.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use windlass_core::{Job, JobId, NewJob, Status};
use windlass_store::store::SharedStore;
use windlass_store::{Canceled, Exchange, Fate, Lease, Scope, SubmitOutcome, Swept, Verbs};

use crate::jobs::{complete, fail, many, plain, retry};
use crate::probe::{ALL, LEASE, Probe, settlement};

const CALLERS: usize = 8;
const ROUNDS: usize = 20;

async fn at_once<T: Send + 'static, F>(probe: &Probe, callers: usize, call: impl Fn(SharedStore, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let tasks = (0..callers).map(|number| tokio::spawn(call(probe.store().clone(), number)));
    join_all(tasks).await.into_iter().map(|done| done.expect("no caller panics")).collect()
}

async fn settle(store: &SharedStore, lease: Lease) -> Fate {
    store.settle(vec![settlement(lease, complete(), &[])]).await.expect("settle")[0]
}

pub async fn one_of_many_submissions_of_an_id_creates_it(probe: Probe) {
    for _ in 0..ROUNDS {
        let job = plain();
        let outcomes = at_once(&probe, CALLERS, |store, _| {
            let job = job.clone();
            async move { store.submit(vec![job]).await.expect("submit")[0].outcome }
        });
        let outcomes = outcomes.await;
        let created = |outcome: &&SubmitOutcome| matches!(outcome, SubmitOutcome::Created(_));
        assert_eq!(outcomes.iter().filter(created).count(), 1);
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == SubmitOutcome::Existing).count(), CALLERS - 1);
    }
}

pub async fn every_job_goes_to_one_claimer(probe: Probe) {
    let jobs = many(1_000);
    probe.submit_all(&jobs).await;
    let claim = probe.want(&["default"], 7);
    let taken = at_once(&probe, CALLERS, |store, _| drain(store, claim.clone())).await.concat();
    assert_eq!(taken.len(), jobs.len());
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), jobs.iter().map(|job| job.id).collect());
}

async fn drain(store: SharedStore, claim: windlass_store::Claim) -> Vec<JobId> {
    let mut ids = Vec::new();
    loop {
        let claimed = store.claim(claim.clone()).await.expect("claim");
        if claimed.jobs.is_empty() {
            return ids;
        }
        ids.extend(claimed.jobs.iter().map(|taken| taken.lease.id));
    }
}

pub async fn work_and_submissions_mix_without_loss(probe: Probe) {
    let claim = probe.want(&["default"], 5);
    at_once(&probe, CALLERS, |store, number| {
        let claim = claim.clone();
        async move {
            for _ in 0..ROUNDS {
                if number % 2 == 0 {
                    let _ = store.submit(many(5)).await.expect("submit");
                } else {
                    work(&store, claim.clone()).await;
                }
            }
        }
    })
    .await;
    while work(probe.store(), claim.clone()).await > 0 {}
    let Some(query) = probe.query() else { return };
    assert_eq!(query.counts().await.expect("counts").total(Status::Completed), (CALLERS / 2 * ROUNDS * 5) as u64);
}

async fn work(store: &SharedStore, claim: windlass_store::Claim) -> usize {
    let jobs = store.claim(claim).await.expect("claim").jobs;
    let settle = jobs.iter().map(|taken| settlement(taken.lease, complete(), &[])).collect();
    let fates = store.settle(settle).await.expect("settle");
    assert!(fates.iter().all(|fate| *fate == Fate::Settled(Status::Completed)));
    jobs.len()
}

pub async fn one_of_many_settlements_is_accepted(probe: Probe) {
    for _ in 0..ROUNDS {
        let lease = probe.run(&plain()).await.lease;
        let fates = at_once(&probe, CALLERS, move |store, _| async move { settle(&store, lease).await }).await;
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Settled(Status::Completed)).count(), 1);
        assert_eq!(fates.iter().filter(|fate| **fate == Fate::Repeated(Status::Completed)).count(), CALLERS - 1);
        assert_eq!(probe.job(lease.id).await.attempts.len(), 1);
    }
}

pub async fn a_settlement_and_a_cancellation_agree(probe: Probe) {
    for _ in 0..ROUNDS {
        let lease = probe.run(&plain()).await.lease;
        let (fate, canceled) = race(
            &probe,
            move |store| async move { settle(&store, lease).await },
            move |store| async move { store.cancel(lease.id, &Scope::Everything).await.expect("cancel") },
        )
        .await;
        assert_eq!(fate, Fate::Settled(Status::Completed));
        assert!(matches!(canceled, Some(Canceled::Requested(_) | Canceled::TooLate(_))));
        assert_eq!(probe.status(lease.id).await, Status::Completed);
    }
}

pub async fn a_settlement_and_a_sweep_agree(probe: Probe) {
    for _ in 0..ROUNDS {
        let lease = probe.run(&plain()).await.lease;
        let clock = probe.clock().clone();
        let (fate, swept) = race(
            &probe,
            move |store| async move { settle(&store, lease).await },
            move |store| async move {
                clock.advance(LEASE);
                store.sweep(ALL).await.expect("sweep")
            },
        )
        .await;
        one_side_won(&probe.job(lease.id).await, fate, swept);
        probe.sweep().await;
        probe.take(1).await;
        probe.cancel(lease.id).await;
        probe.crash().await;
    }
}

/// Either the settlement was accepted and the job is complete, or the lease was lost and the job is taken back.
fn one_side_won(job: &Job, fate: Fate, swept: Swept) {
    match fate {
        Fate::Settled(Status::Completed) => {
            assert_eq!((job.status, job.crashes, swept.reclaimed), (Status::Completed, 0, 0));
        }
        Fate::LeaseLost => assert_eq!((job.status, job.crashes, swept.reclaimed), (Status::Queued, 1, 1)),
        other => panic!("a first settlement cannot end as {other:?}"),
    }
}

pub async fn a_settlement_a_sweep_and_a_cancellation_leave_one_end(probe: Probe) {
    for _ in 0..ROUNDS {
        let lease = probe.run(&plain()).await.lease;
        let (clock, store) = (probe.clock().clone(), probe.store().clone());
        let cancel = tokio::spawn(async move { store.cancel(lease.id, &Scope::Everything).await.expect("cancel") });
        let (fate, _) = race(
            &probe,
            move |store| async move { settle(&store, lease).await },
            move |store| async move {
                clock.advance(LEASE);
                store.sweep(ALL).await.expect("sweep")
            },
        )
        .await;
        cancel.await.expect("no panic");
        let end = if fate == Fate::LeaseLost { Status::Canceled } else { Status::Completed };
        assert_eq!(probe.status(lease.id).await, end);
    }
}

pub async fn a_claim_and_a_cancellation_agree(probe: Probe) {
    for _ in 0..ROUNDS {
        let job = plain();
        probe.submit(&job).await;
        let claim = probe.want(&["default"], 1);
        let (taken, canceled) = race(
            &probe,
            move |store| async move { store.claim(claim).await.expect("claim").jobs },
            move |store| async move { store.cancel(job.id, &Scope::Everything).await.expect("cancel") },
        )
        .await;
        match canceled.expect("the job exists") {
            Canceled::Done(_) => assert!(taken.is_empty()),
            Canceled::Requested(_) => {
                assert_eq!(taken.len(), 1);
                probe.finish(taken[0].lease, fail()).await;
            }
            Canceled::TooLate(job) => panic!("nobody finished {job:?}"),
        }
        assert_eq!(probe.status(job.id).await, Status::Canceled);
    }
}

async fn race<A, B, F, G>(
    probe: &Probe,
    one: impl FnOnce(SharedStore) -> F,
    two: impl FnOnce(SharedStore) -> G,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
    F: Future<Output = A> + Send + 'static,
    G: Future<Output = B> + Send + 'static,
{
    let one = tokio::spawn(one(probe.store().clone()));
    let two = tokio::spawn(two(probe.store().clone()));
    (one.await.expect("no panic"), two.await.expect("no panic"))
}

pub async fn many_sweeps_take_each_job_back_once(probe: Probe) {
    let jobs = many(100);
    probe.submit_all(&jobs).await;
    probe.take(100).await;
    probe.advance(LEASE);
    let swept = at_once(&probe, CALLERS, |store, _| async move { store.sweep(ALL).await.expect("sweep") }).await;
    assert_eq!(swept.iter().map(|swept| swept.reclaimed).sum::<usize>(), 100);
    for job in &jobs {
        assert_eq!(probe.job(job.id).await.crashes, 1);
    }
}

pub async fn a_full_queue_holds_against_many(probe: Probe) {
    let outcomes = at_once(&probe, CALLERS, |store, _| async move {
        let submit = many(20).into_iter().map(Into::into).collect();
        let turn = Exchange { submit, queue_limit: Some(50), ..Exchange::default() };
        store.exchange(turn).await.expect("exchange").submitted
    });
    let created = |answer: &&windlass_store::Submitted| matches!(answer.outcome, SubmitOutcome::Created(_));
    assert_eq!(outcomes.await.concat().iter().filter(created).count(), 50);
    assert_eq!(probe.take(1_000).await.len(), 50);
}

pub async fn many_settlements_emit_each_child_once(probe: Probe) {
    let parent = probe.run(&plain()).await.lease;
    let child = NewJob { id: parent.id.emitted(0), ..plain() };
    at_once(&probe, CALLERS, |store, _| {
        let settle = vec![settlement(parent, complete(), std::slice::from_ref(&child))];
        async move { store.settle(settle).await.expect("settle") }
    })
    .await;
    assert_eq!(probe.take_ids(10).await, [child.id]);
}

/// A future that is dropped leaves its write done or not done, never half done.
pub async fn a_dropped_submission_is_done_or_not_done(probe: Probe) {
    for _ in 0..ROUNDS {
        let jobs = many(2);
        let dropped = probe.store().submit(jobs.clone()).now_or_never();
        drop(dropped);
        let outcomes = probe.submit_all(&jobs).await;
        assert!(outcomes[0] == outcomes[1] && outcomes[0] != SubmitOutcome::Conflict, "{outcomes:?}");
        assert_eq!(probe.take_ids(10).await, [jobs[0].id, jobs[1].id]);
    }
}

pub async fn a_dropped_claim_comes_back_with_its_lease(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let claim = probe.want(&["default"], 1);
    drop(probe.store().claim(claim).now_or_never());
    // Something the store answers after the dropped claim, so that it is past or never comes.
    probe.submit(&plain()).await;
    probe.advance(LEASE);
    probe.sweep().await;
    assert!(probe.take_ids(10).await.contains(&job.id));
}

pub async fn readers_see_whole_jobs(probe: Probe) {
    let job = crate::jobs::job(|draft| draft.retries(1_000));
    let mut taken = probe.run(&job).await;
    let reader = tokio::spawn({
        let store = probe.store().clone();
        async move {
            for _ in 0..200 {
                let seen = store.get(job.id, &Scope::Everything).await.expect("get").expect("it exists");
                assert_eq!(seen.attempts.len(), seen.retries.min(50) as usize);
            }
        }
    });
    for _ in 0..45 {
        probe.finish(taken.lease, retry(Duration::ZERO)).await;
        taken = probe.take_one().await;
    }
    reader.await.expect("the reader saw nothing half done");
}
