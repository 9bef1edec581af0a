//! Trying again.

use std::time::Duration;

use windlass_core::limits::HISTORY_MAX;
use windlass_core::{AttemptOutcome, Status};
use windlass_store::{Exchange, Fate};

use crate::jobs::{complete, error, job, plain, retry};
use crate::probe::{Probe, TICK, settlement};

const DELAY: Duration = Duration::from_secs(10);

pub async fn a_retried_job_is_scheduled_with_its_error(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    assert_eq!(probe.settle(taken.lease, retry(DELAY)).await, Fate::Settled(Status::Scheduled));
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.retries, kept.crashes), (Status::Scheduled, 1, 0));
    assert_eq!((kept.scheduled_at, kept.error), (Some(probe.now().after(DELAY)), Some(error())));
    assert_eq!((kept.finished_at, kept.result), (None, None));
}

pub async fn a_failed_attempt_is_in_the_history(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.advance(Duration::from_secs(1));
    probe.finish(taken.lease, retry(DELAY)).await;
    let attempts = probe.job(job.id).await.attempts;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].number, attempts[0].outcome), (1, AttemptOutcome::Failed));
    assert_eq!((&attempts[0].error, attempts[0].worker), (&Some(error()), probe.worker()));
    assert_eq!((attempts[0].started_at, attempts[0].finished_at), (taken.started_at, probe.now()));
}

pub async fn a_retry_is_not_claimable_before_it_is_due(probe: Probe) {
    probe.run_to(&plain(), retry(DELAY)).await;
    probe.advance(DELAY - TICK);
    probe.sweep().await;
    assert!(probe.take(1).await.is_empty());
}

pub async fn a_retry_is_claimable_exactly_when_due(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(DELAY)).await;
    probe.advance(DELAY);
    assert_eq!(probe.take_ids(1).await, [job.id]);
}

pub async fn a_retry_counts_from_the_settlement(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.advance(Duration::from_secs(7));
    probe.finish(taken.lease, retry(DELAY)).await;
    probe.advance(DELAY - TICK);
    assert!(probe.take(1).await.is_empty());
    probe.advance(TICK);
    assert_eq!(probe.take(1).await.len(), 1);
}

pub async fn a_retry_without_delay_is_claimable_in_the_same_turn(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let settle = vec![settlement(taken.lease, retry(Duration::ZERO), &[])];
    let claim = Some(probe.want(&["default"], 1));
    let answers = probe.exchange(Exchange { settle, claim, ..Exchange::default() }).await;
    assert_eq!(answers.claimed.jobs[0].lease.id, taken.lease.id);
    assert_eq!(answers.claimed.jobs[0].attempt(), 2);
}

pub async fn a_retried_job_can_complete(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(DELAY)).await;
    probe.advance(DELAY);
    let taken = probe.take_one().await;
    assert_eq!((taken.attempt(), taken.retries), (2, 1));
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
    let numbers: Vec<_> = probe.job(job.id).await.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2]);
}

pub async fn the_error_stays_visible_while_the_next_attempt_runs(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(Duration::ZERO)).await;
    probe.take_one().await;
    assert_eq!(probe.job(job.id).await.error, Some(error()));
}

pub async fn retries_and_crashes_count_attempts_together(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(Duration::ZERO)).await;
    probe.take_one().await;
    probe.crash().await;
    let taken = probe.take_one().await;
    assert_eq!((taken.retries, taken.crashes, taken.attempt()), (1, 1, 3));
    probe.finish(taken.lease, complete()).await;
    let attempts = probe.job(job.id).await.attempts;
    let told: Vec<_> = attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect();
    let expected = [AttemptOutcome::Failed, AttemptOutcome::Crashed, AttemptOutcome::Completed];
    assert_eq!(told, [(1, expected[0]), (2, expected[1]), (3, expected[2])]);
}

pub async fn a_long_history_keeps_the_latest_attempts(probe: Probe) {
    let job = job(|draft| draft.retries(100));
    let mut taken = probe.run(&job).await;
    for _ in 0..HISTORY_MAX + 5 {
        probe.finish(taken.lease, retry(Duration::ZERO)).await;
        taken = probe.take_one().await;
    }
    let kept = probe.job(job.id).await;
    let numbers: Vec<_> = kept.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (6..=HISTORY_MAX as u32 + 5).collect::<Vec<_>>());
    assert_eq!(kept.retries, HISTORY_MAX as u32 + 5);
}

pub async fn a_very_long_delay_is_kept(probe: Probe) {
    let job = plain();
    let delay = windlass_core::limits::DELAY_MAX;
    probe.run_to(&job, retry(delay)).await;
    assert_eq!(probe.job(job.id).await.scheduled_at, Some(probe.now().after(delay)));
}
