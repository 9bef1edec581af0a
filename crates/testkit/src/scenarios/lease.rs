//! How long the right to run a job lasts, by the store's clock and to the microsecond.

use std::collections::HashSet;
use std::time::Duration;

use windlass_core::{Incarnation, Status};
use windlass_store::{Claim, Exchange, Extend, Extension, Fate, Lease, Outcome, Verbs};

use crate::jobs::{complete, fail, many, plain, progress, retry};
use crate::probe::{LEASE, Probe, TICK, settlement};

pub async fn a_settlement_at_the_last_moment_is_accepted(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.advance(LEASE - TICK);
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
}

pub async fn a_settlement_is_refused_when_the_lease_ends(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.advance(LEASE);
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
}

pub async fn a_refused_settlement_changes_nothing(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    let before = probe.job(job.id).await;
    probe.advance(LEASE);
    for outcome in [complete(), fail(), retry(Duration::ZERO)] {
        assert_eq!(probe.settle(taken.lease, outcome).await, Fate::LeaseLost);
    }
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn an_expired_lease_cannot_be_extended(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.advance(LEASE);
    let before = probe.job(job.id).await;
    assert_eq!(probe.extend_for(taken.lease, LEASE, Some(progress(0.9))).await, Extension::Lost);
    assert_eq!(probe.job(job.id).await, before);
    assert_eq!(probe.sweep().await.reclaimed, 1);
}

pub async fn an_extension_counts_from_now(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.advance(Duration::from_secs(20));
    assert_eq!(probe.extend(taken.lease).await, Extension::Kept);
    probe.advance(LEASE - TICK);
    assert_eq!(probe.sweep().await.reclaimed, 0);
    probe.advance(TICK);
    assert_eq!(probe.sweep().await.reclaimed, 1);
}

pub async fn an_extension_may_shorten_a_lease(probe: Probe) {
    let taken = probe.run(&plain()).await;
    assert_eq!(probe.extend_for(taken.lease, Duration::from_secs(1), None).await, Extension::Kept);
    probe.advance(Duration::from_secs(1));
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
}

pub async fn many_extensions_keep_a_job_alive(probe: Probe) {
    let taken = probe.run(&plain()).await;
    for _ in 0..20 {
        probe.advance(LEASE / 3);
        assert_eq!(probe.extend(taken.lease).await, Extension::Kept);
        assert_eq!(probe.sweep().await.reclaimed, 0);
    }
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
}

pub async fn the_lease_of_a_settled_job_is_lost(probe: Probe) {
    for outcome in [complete(), fail(), retry(Duration::from_secs(1))] {
        let taken = probe.run_to(&plain(), outcome).await;
        assert_eq!(probe.extend(taken.lease).await, Extension::Lost);
    }
}

pub async fn the_lease_of_an_unknown_job_is_lost(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let unknown = Lease { id: plain().id, token: taken.lease.token };
    assert_eq!(probe.extend(unknown).await, Extension::Lost);
}

pub async fn settlements_come_before_extensions(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let turn = Exchange {
        settle: vec![settlement(taken.lease, complete(), &[])],
        extend: vec![Extend { lease: taken.lease, duration: LEASE, progress: None }],
        ..Exchange::default()
    };
    assert_eq!(probe.exchange(turn).await.extended, [Extension::Lost]);
}

pub async fn extensions_keep_their_order(probe: Probe) {
    probe.submit_all(&many(3)).await;
    let taken = probe.take(3).await;
    probe.finish(taken[1].lease, complete()).await;
    probe.cancel(taken[2].lease.id).await;
    let extend = taken.iter().map(|taken| Extend { lease: taken.lease, duration: LEASE, progress: None }).collect();
    let extended = probe.store().extend(extend).await.expect("extend");
    assert_eq!(extended, [Extension::Kept, Extension::Lost, Extension::CancelRequested]);
}

pub async fn progress_is_visible(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.advance(Duration::from_secs(1));
    probe.extend_for(taken.lease, LEASE, Some(progress(0.25))).await;
    let kept = probe.job(job.id).await;
    assert_eq!((kept.progress, kept.updated_at), (Some(progress(0.25)), probe.now()));
}

pub async fn an_extension_without_news_keeps_the_progress(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.extend_for(taken.lease, LEASE, Some(progress(0.25))).await;
    probe.extend(taken.lease).await;
    assert_eq!(probe.job(job.id).await.progress, Some(progress(0.25)));
    probe.extend_for(taken.lease, LEASE, Some(progress(0.5))).await;
    assert_eq!(probe.job(job.id).await.progress, Some(progress(0.5)));
}

pub async fn the_next_attempt_starts_without_progress(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.extend_for(taken.lease, LEASE, Some(progress(0.75))).await;
    probe.finish(taken.lease, retry(Duration::ZERO)).await;
    probe.take_one().await;
    assert_eq!(probe.job(job.id).await.progress, None);
}

pub async fn a_completed_job_keeps_its_last_progress(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.extend_for(taken.lease, LEASE, Some(progress(0.75))).await;
    probe.finish(taken.lease, complete()).await;
    assert_eq!(probe.job(job.id).await.progress, Some(progress(0.75)));
}

pub async fn a_clock_that_goes_back_frees_no_running_job(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.clock().set(probe.now().before(Duration::from_secs(3600)));
    assert_eq!(probe.sweep().await.reclaimed, 0);
    assert!(probe.take(1).await.is_empty());
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
}

pub async fn a_worker_holds_what_it_was_given(probe: Probe) {
    probe.submit_all(&many(5)).await;
    let mine: HashSet<Lease> = probe.take(3).await.iter().map(|taken| taken.lease).collect();
    let other = Incarnation::random();
    let theirs = probe.claim(Claim { worker: other, ..probe.want(&["default"], 9) }).await.jobs;
    let theirs: HashSet<Lease> = theirs.iter().map(|taken| taken.lease).collect();
    assert_eq!((mine.len(), theirs.len()), (3, 2));
    assert_eq!(held_by(&probe, probe.worker()).await, mine);
    assert_eq!(held_by(&probe, other).await, theirs);
    assert!(held_by(&probe, Incarnation::random()).await.is_empty());
}

pub async fn a_worker_holds_nothing_that_has_ended(probe: Probe) {
    for outcome in [complete(), fail(), retry(Duration::ZERO), Outcome::Release] {
        let taken = probe.run(&plain()).await;
        assert_eq!(held_by(&probe, probe.worker()).await, HashSet::from([taken.lease]));
        probe.finish(taken.lease, outcome).await;
        assert!(held_by(&probe, probe.worker()).await.is_empty());
        probe.take(9).await;
        probe.crash().await;
        assert!(held_by(&probe, probe.worker()).await.is_empty(), "a sweep has taken it back");
        for left in probe.take(9).await {
            probe.finish(left.lease, complete()).await;
        }
    }
}

pub async fn what_a_worker_never_heard_of_is_given_back_and_costs_nothing(probe: Probe) {
    let job = plain();
    let missed = probe.run(&job).await.lease;
    for lease in held_by(&probe, probe.worker()).await {
        assert_eq!(probe.settle(lease, Outcome::Release).await, Fate::Settled(Status::Queued));
    }
    let taken = probe.take_one().await;
    assert_eq!((taken.lease.id, taken.attempt(), taken.crashes), (job.id, 1, 0));
    assert_eq!(probe.settle(missed, complete()).await, Fate::LeaseLost);
}

async fn held_by(probe: &Probe, worker: Incarnation) -> HashSet<Lease> {
    let held = probe.store().held_by(worker).await.expect("held_by");
    let count = held.len();
    let held: HashSet<Lease> = held.into_iter().collect();
    assert_eq!(held.len(), count, "each once");
    held
}
