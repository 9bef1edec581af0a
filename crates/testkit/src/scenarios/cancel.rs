//! Stopping work that is not wanted any more.

use std::time::Duration;

use windlass_core::{Job, Status};
use windlass_store::{Canceled, Extension, Fate, Outcome, Scope, Swept};

use crate::jobs::{complete, delayed, fail, plain, result, retry, snooze};
use crate::probe::{LEASE, Probe};

fn done(canceled: Canceled) -> Job {
    match canceled {
        Canceled::Done(job) => *job,
        other => panic!("expected the job to be canceled: {other:?}"),
    }
}

async fn settled_under_cancel(probe: &Probe, outcome: Outcome) -> Status {
    let taken = probe.run(&plain()).await;
    assert!(matches!(probe.cancel(taken.lease.id).await, Canceled::Requested(_)));
    let status = probe.finish(taken.lease, outcome).await;
    assert_eq!(probe.status(taken.lease.id).await, status);
    assert!(probe.take(1).await.is_empty());
    status
}

pub async fn a_queued_job_is_canceled_at_once(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.advance(Duration::from_secs(1));
    let canceled = done(probe.cancel(job.id).await);
    assert_eq!((canceled.status, canceled.finished_at), (Status::Canceled, Some(probe.now())));
    assert_eq!(probe.job(job.id).await, canceled);
}

pub async fn a_canceled_job_is_not_claimable(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.cancel(job.id).await;
    let claimed = probe.claim(probe.want(&["default"], 1)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more);
}

pub async fn a_scheduled_job_is_canceled_and_never_due(probe: Probe) {
    let job = delayed(Duration::from_secs(10));
    probe.submit(&job).await;
    assert_eq!(done(probe.cancel(job.id).await).status, Status::Canceled);
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, None);
    probe.advance(Duration::from_secs(10));
    assert_eq!(probe.sweep().await, Swept::default());
    assert!(probe.take(1).await.is_empty());
}

pub async fn a_dead_letter_can_be_canceled(probe: Probe) {
    let job = plain();
    probe.run_to(&job, fail()).await;
    assert_eq!(done(probe.cancel(job.id).await).status, Status::Canceled);
    assert_eq!(probe.status(job.id).await, Status::Canceled);
}

pub async fn a_running_job_is_asked_to_stop(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    let Canceled::Requested(told) = probe.cancel(job.id).await else { panic!("the job runs") };
    assert_eq!((told.status, told.cancel_requested), (Status::InProgress, true));
    assert_eq!(probe.job(job.id).await, *told);
    assert_eq!(probe.extend(taken.lease).await, Extension::CancelRequested);
}

pub async fn asking_twice_is_the_same(probe: Probe) {
    let job = plain();
    probe.run(&job).await;
    probe.cancel(job.id).await;
    assert!(matches!(probe.cancel(job.id).await, Canceled::Requested(_)));
}

pub async fn a_requested_cancellation_still_extends_the_lease(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.cancel(taken.lease.id).await;
    probe.advance(Duration::from_secs(20));
    assert_eq!(probe.extend(taken.lease).await, Extension::CancelRequested);
    probe.advance(Duration::from_secs(20));
    assert_eq!(probe.settle(taken.lease, Outcome::Stop).await, Fate::Settled(Status::Canceled));
}

pub async fn a_completed_job_is_too_late_to_cancel(probe: Probe) {
    let job = plain();
    probe.run_to(&job, complete()).await;
    let before = probe.job(job.id).await;
    assert_eq!(probe.cancel(job.id).await, Canceled::TooLate(Box::new(before.clone())));
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn a_canceled_job_is_too_late_to_cancel(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.cancel(job.id).await;
    let before = probe.job(job.id).await;
    probe.advance(Duration::from_secs(1));
    assert_eq!(probe.cancel(job.id).await, Canceled::TooLate(Box::new(before)));
}

pub async fn an_unknown_job_cannot_be_canceled(probe: Probe) {
    assert_eq!(probe.cancel_as(plain().id, &Scope::Everything).await, None);
}

pub async fn a_handler_that_stops_is_canceled(probe: Probe) {
    assert_eq!(settled_under_cancel(&probe, Outcome::Stop).await, Status::Canceled);
}

pub async fn a_retry_under_cancel_is_canceled(probe: Probe) {
    assert_eq!(settled_under_cancel(&probe, retry(Duration::ZERO)).await, Status::Canceled);
}

pub async fn a_failure_under_cancel_is_canceled(probe: Probe) {
    assert_eq!(settled_under_cancel(&probe, fail()).await, Status::Canceled);
}

pub async fn a_snooze_under_cancel_is_canceled(probe: Probe) {
    assert_eq!(settled_under_cancel(&probe, snooze(Duration::ZERO)).await, Status::Canceled);
}

pub async fn a_release_under_cancel_is_canceled(probe: Probe) {
    assert_eq!(settled_under_cancel(&probe, Outcome::Release).await, Status::Canceled);
}

pub async fn a_success_under_cancel_is_kept(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.cancel(taken.lease.id).await;
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
    assert_eq!(probe.job(taken.lease.id).await.result, Some(result()));
}

pub async fn a_lost_lease_under_cancel_is_canceled(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.cancel(job.id).await;
    assert_eq!(probe.crash().await, Swept { stopped: 1, ..Swept::default() });
    assert_eq!(probe.status(job.id).await, Status::Canceled);
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
}

pub async fn the_last_strike_under_cancel_is_canceled_not_poisoned(probe: Probe) {
    let job = crate::jobs::fragile(1);
    probe.run(&job).await;
    probe.cancel(job.id).await;
    assert_eq!(probe.crash().await, Swept { stopped: 1, ..Swept::default() });
    assert_eq!(probe.status(job.id).await, Status::Canceled);
}

pub async fn a_canceled_job_keeps_its_id(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.cancel(job.id).await;
    assert_eq!(probe.submit(&job).await, windlass_store::SubmitOutcome::Existing);
    assert_eq!(probe.status(job.id).await, Status::Canceled);
}

pub async fn canceling_one_leaves_the_others(probe: Probe) {
    let jobs = crate::jobs::many(3);
    probe.submit_all(&jobs).await;
    probe.cancel(jobs[1].id).await;
    assert_eq!(probe.take_ids(3).await, [jobs[0].id, jobs[2].id]);
}

pub async fn a_released_lease_leaves_no_request_behind(probe: Probe) {
    let job = plain();
    probe.run_to(&job, Outcome::Release).await;
    let taken = probe.take_one().await;
    assert!(!probe.job(job.id).await.cancel_requested);
    assert_eq!(probe.extend_for(taken.lease, LEASE, None).await, Extension::Kept);
}
