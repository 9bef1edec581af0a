//! Expiry: whoever waits past the moment from which on it is not worth running is a dead letter after the next sweep,
//! whether anybody claims from its queue or not.

use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{
    AttemptOutcome, Expiry, JobBuilder, JobError, JobId, Limits, NewJob, Share, Start, Status, Unique,
};
use windlass_store::expiry::AGAIN;
use windlass_store::{Outcome, SubmitOutcome};

use crate::jobs::{complete, job, retry};
use crate::probe::{Probe, TICK};

const MINUTE: Duration = Duration::from_secs(60);

/// A job that is not worth running a minute after its acceptance.
fn shaped(shape: impl FnOnce(JobBuilder) -> JobBuilder) -> NewJob {
    job(|draft| shape(draft.expires(Expiry::After(MINUTE))))
}

fn short_lived() -> NewJob {
    shaped(|draft| draft)
}

async fn stored(probe: &Probe, new: NewJob) -> JobId {
    assert!(matches!(probe.submit(&new).await, SubmitOutcome::Created(_)));
    new.id
}

async fn has_expired(probe: &Probe, id: JobId) {
    let job = probe.job(id).await;
    let code = job.error.as_ref().map(|error| &*error.code);
    assert_eq!((job.status, code), (Status::Failed, Some(JobError::EXPIRED)));
    assert_eq!((job.finished_at, job.scheduled_at, job.result), (Some(probe.now()), None, None));
}

pub async fn a_ready_job_expires_at_its_moment(probe: Probe) {
    let id = stored(&probe, short_lived()).await;
    probe.advance(MINUTE - TICK);
    assert_eq!(probe.sweep().await.expired, 0);
    assert_eq!(probe.status(id).await, Status::Queued);
    probe.advance(TICK);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
    assert!(probe.job(id).await.attempts.is_empty());
    assert!(probe.take(9).await.is_empty());
    assert_eq!(probe.sweep().await.expired, 0);
}

pub async fn the_earlier_of_expiry_and_deadline_counts(probe: Probe) {
    let deadline = probe.now().after(MINUTE / 2);
    let id = stored(&probe, shaped(|draft| draft.deadline(deadline))).await;
    let moment = probe.now().after(MINUTE / 4);
    let other = stored(&probe, job(|draft| draft.expires(Expiry::At(moment)).deadline(deadline))).await;
    probe.advance(MINUTE / 4);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, other).await;
    probe.advance(MINUTE / 4);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
}

pub async fn a_delayed_job_expires_before_it_is_due(probe: Probe) {
    let id = stored(&probe, shaped(|draft| draft.start(Start::After(2 * MINUTE)))).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert_eq!((claimed.jobs.len(), claimed.next_due), (0, None));
}

pub async fn a_retry_expires_with_its_history(probe: Probe) {
    let taken = probe.run_to(&short_lived(), retry(2 * MINUTE)).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, taken.lease.id).await;
    let attempts = probe.job(taken.lease.id).await.attempts;
    assert_eq!(attempts.iter().map(|attempt| attempt.outcome).collect::<Vec<_>>(), [AttemptOutcome::Failed]);
}

pub async fn a_running_job_does_not_expire(probe: Probe) {
    let taken = probe.run(&short_lived()).await;
    probe.extend_for(taken.lease, 10 * MINUTE, None).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 0);
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 0);
    assert_eq!(probe.status(taken.lease.id).await, Status::Completed);
}

pub async fn a_job_that_comes_back_too_late_expires(probe: Probe) {
    let taken = probe.run(&short_lived()).await;
    probe.extend_for(taken.lease, 10 * MINUTE, None).await;
    probe.advance(MINUTE);
    probe.sweep().await;
    probe.finish(taken.lease, Outcome::Release).await;
    probe.advance(AGAIN);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, taken.lease.id).await;
}

pub async fn a_job_that_is_taken_back_too_late_expires(probe: Probe) {
    let taken = probe.run(&short_lived()).await;
    probe.advance(MINUTE);
    let swept = probe.sweep().await;
    probe.advance(AGAIN);
    assert_eq!((swept.reclaimed, swept.expired + probe.sweep().await.expired), (1, 1));
    assert_eq!(probe.status(taken.lease.id).await, Status::Failed);
}

pub async fn who_is_canceled_does_not_expire(probe: Probe) {
    let id = stored(&probe, short_lived()).await;
    probe.cancel(id).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 0);
    assert_eq!(probe.status(id).await, Status::Canceled);
}

pub async fn who_waits_in_a_paused_queue_expires(probe: Probe) {
    probe.edit("queue:default", Edit::Pause("nobody works".into())).await;
    let id = stored(&probe, short_lived()).await;
    assert!(probe.take(9).await.is_empty());
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
}

pub async fn who_is_held_at_a_gate_expires(probe: Probe) {
    probe.edit("handler:Scenario", Edit::Pause("nobody works".into())).await;
    let id = stored(&probe, short_lived()).await;
    assert!(probe.take(9).await.is_empty());
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
    probe.edit("handler:Scenario", Edit::Resume).await;
    assert!(probe.take(9).await.is_empty());
}

pub async fn who_waits_for_a_turn_expires(probe: Probe) {
    probe.edit("queue:default", Edit::Share(Share::by("tenant").expect("a kind"))).await;
    let of = |tenant: &str| shaped(|draft| draft.key("tenant", tenant));
    let ids = [stored(&probe, of("ann")).await, stored(&probe, of("bob")).await];
    let other = stored(&probe, job(|draft| draft.key("tenant", "ann"))).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 2);
    for id in ids {
        has_expired(&probe, id).await;
    }
    assert_eq!(probe.take_ids(9).await, [other]);
}

pub async fn who_expires_gives_its_place_to_the_next(probe: Probe) {
    probe.limit("key:user:ann", Limits::in_order()).await;
    let taken = probe.run_to(&shaped(|draft| draft.key("user", "ann")), retry(2 * MINUTE)).await;
    let next = stored(&probe, job(|draft| draft.key("user", "ann"))).await;
    assert!(probe.take(9).await.is_empty(), "the first one keeps its place between its attempts");
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, taken.lease.id).await;
    assert_eq!(probe.take_ids(9).await, [next]);
}

pub async fn an_emitted_job_expires(probe: Probe) {
    let parent = probe.run(&job(|draft| draft)).await;
    let child = shaped(|draft| draft.id(parent.lease.id.emitted(0)));
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(probe.status(child.id).await, Status::Queued);
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, child.id).await;
}

pub async fn a_key_is_free_when_its_job_expires(probe: Probe) {
    let unique = || shaped(|draft| draft.unique(Unique::key("report")));
    let id = stored(&probe, unique()).await;
    assert_eq!(probe.submit(&unique()).await, SubmitOutcome::Duplicate);
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
    stored(&probe, unique()).await;
}

pub async fn a_repetition_brings_no_expiry(probe: Probe) {
    let plain = job(|draft| draft);
    let id = stored(&probe, plain.clone()).await;
    assert_eq!(probe.submit(&shaped(|draft| draft.id(id))).await, SubmitOutcome::Existing);
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 0);
    assert_eq!(probe.status(id).await, Status::Queued);
}

pub async fn a_repetition_puts_no_expiry_off(probe: Probe) {
    let id = stored(&probe, short_lived()).await;
    probe.advance(MINUTE / 2);
    assert_eq!(probe.submit(&shaped(|draft| draft.id(id))).await, SubmitOutcome::Existing);
    probe.advance(MINUTE / 2);
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
}

pub async fn a_far_moment_is_kept(probe: Probe) {
    let days = |count: u32| Duration::from_secs(24 * 3600) * count;
    let id = stored(&probe, job(|draft| draft.expires(Expiry::After(days(10))))).await;
    for _ in 0..9 {
        probe.advance(days(1));
        assert_eq!(probe.sweep().await.expired, 0);
    }
    probe.advance(days(1));
    assert_eq!(probe.sweep().await.expired, 1);
    has_expired(&probe, id).await;
}

pub async fn a_sweep_expires_no_more_than_it_may(probe: Probe) {
    let jobs: Vec<NewJob> = (0..5).map(|_| short_lived()).collect();
    probe.submit_all(&jobs).await;
    probe.advance(MINUTE);
    let mut expired = 0;
    for _ in 0..5 {
        let swept = probe.sweep_up_to(2).await;
        assert!(swept.expired <= 2);
        expired += swept.expired;
    }
    assert_eq!(expired, 5);
    for job in jobs {
        has_expired(&probe, job.id).await;
    }
}
