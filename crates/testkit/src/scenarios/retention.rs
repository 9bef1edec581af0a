//! How long finished jobs are kept: a day when they completed or were canceled, two weeks as dead letters.

use std::time::Duration;

use windlass_core::Status;
use windlass_store::{Fate, SubmitOutcome};

use crate::jobs::{complete, delayed, fail, plain};
use crate::probe::Probe;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);

pub async fn completed_jobs_are_kept_for_a_day(probe: Probe) {
    let job = plain();
    probe.run_to(&job, complete()).await;
    probe.advance(DAY - SECOND);
    assert_eq!(probe.sweep().await.pruned, 0);
    assert_eq!(probe.status(job.id).await, Status::Completed);
    probe.advance(2 * SECOND);
    assert_eq!(probe.sweep().await.pruned, 1);
    assert_eq!(probe.find(job.id).await, None);
}

pub async fn canceled_jobs_are_kept_for_a_day(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.advance(HOUR);
    probe.cancel(job.id).await;
    probe.advance(DAY - SECOND);
    assert_eq!(probe.sweep().await.pruned, 0);
    probe.advance(2 * SECOND);
    assert_eq!(probe.sweep().await.pruned, 1);
    assert_eq!(probe.find(job.id).await, None);
}

pub async fn dead_letters_are_kept_for_two_weeks(probe: Probe) {
    let job = plain();
    probe.run_to(&job, fail()).await;
    probe.advance(14 * DAY - SECOND);
    assert_eq!(probe.sweep().await.pruned, 0);
    assert_eq!(probe.status(job.id).await, Status::Failed);
    probe.advance(2 * SECOND);
    assert_eq!(probe.sweep().await.pruned, 1);
    assert_eq!(probe.find(job.id).await, None);
}

pub async fn retention_counts_from_the_end_not_the_beginning(probe: Probe) {
    let job = delayed(10 * DAY);
    probe.submit(&job).await;
    probe.advance(10 * DAY);
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    assert_eq!(probe.sweep().await.pruned, 0);
    probe.advance(DAY - SECOND);
    assert_eq!(probe.sweep().await.pruned, 0);
}

pub async fn unfinished_jobs_are_kept_for_ever(probe: Probe) {
    let (queued, scheduled) = (plain(), delayed(1_000 * DAY));
    probe.submit_all(&[queued.clone(), scheduled.clone()]).await;
    probe.advance(365 * DAY);
    assert_eq!(probe.sweep().await.pruned, 0);
    assert_eq!(probe.status(queued.id).await, Status::Queued);
    assert_eq!(probe.status(scheduled.id).await, Status::Scheduled);
}

pub async fn a_pruned_id_is_free_again(probe: Probe) {
    let job = plain();
    let old = probe.run_to(&job, complete()).await;
    probe.advance(DAY + SECOND);
    probe.sweep().await;
    assert_eq!(probe.settle(old.lease, complete()).await, Fate::LeaseLost);
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Created(Status::Queued));
    let kept = probe.job(job.id).await;
    assert!(kept.attempts.is_empty() && kept.result.is_none() && kept.created_at == probe.now());
}

pub async fn pruning_respects_the_limit(probe: Probe) {
    for _ in 0..5 {
        probe.run_to(&plain(), complete()).await;
    }
    probe.advance(DAY + SECOND);
    let mut pruned = Vec::new();
    for _ in 0..3 {
        let swept = probe.sweep_up_to(2).await;
        pruned.push((swept.pruned, swept.more));
    }
    assert_eq!(pruned, [(2, true), (2, true), (1, false)]);
}

pub async fn young_dead_letters_do_not_shield_old_results(probe: Probe) {
    for _ in 0..5 {
        probe.run_to(&plain(), fail()).await;
    }
    let job = plain();
    probe.run_to(&job, complete()).await;
    probe.advance(DAY + SECOND);
    assert_eq!(probe.sweep_up_to(2).await.pruned, 1);
    assert_eq!(probe.find(job.id).await, None);
}
