//! Saying how an attempt ended.

use std::time::Duration;

use windlass_core::{AttemptOutcome, JobError, Payload, Status};
use windlass_store::{Exchange, Fate, Lease, Outcome, Token, Verbs};

use crate::jobs::{complete, error, fail, plain, result, retry, snooze};
use crate::probe::{Probe, settlement};

pub async fn a_completed_job_keeps_its_result(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.advance(Duration::from_secs(2));
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.result), (Status::Completed, Some(result())));
    assert_eq!((kept.finished_at, kept.updated_at), (Some(probe.now()), probe.now()));
    assert_eq!((kept.retries, kept.crashes), (0, 0));
}

pub async fn a_completion_is_an_attempt_in_the_history(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    let started = probe.now();
    probe.advance(Duration::from_secs(2));
    probe.finish(taken.lease, complete()).await;
    let attempts = probe.job(job.id).await.attempts;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].number, attempts[0].outcome), (1, AttemptOutcome::Completed));
    assert_eq!((attempts[0].started_at, attempts[0].finished_at), (started, probe.now()));
    assert_eq!((attempts[0].worker, &attempts[0].error), (probe.worker(), &None));
}

pub async fn a_completion_clears_the_error_before_it(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(Duration::ZERO)).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    let kept = probe.job(job.id).await;
    assert_eq!((kept.error, kept.retries), (None, 1));
    assert_eq!(kept.attempts[0].error, Some(error()));
}

pub async fn a_result_may_be_empty(probe: Probe) {
    let job = plain();
    probe.run_to(&job, Outcome::Complete(Payload::empty())).await;
    assert_eq!(probe.job(job.id).await.result, Some(Payload::empty()));
}

pub async fn a_failed_job_is_a_dead_letter(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    assert_eq!(probe.settle(taken.lease, fail()).await, Fate::Settled(Status::Failed));
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.error, kept.result), (Status::Failed, Some(error()), None));
    assert_eq!((*kept.new).clone(), job);
    assert_eq!((kept.attempts[0].outcome, &kept.attempts[0].error), (AttemptOutcome::Failed, &Some(error())));
    assert_eq!((kept.retries, kept.finished_at), (0, Some(probe.now())));
}

pub async fn an_error_keeps_its_code_message_and_causes(probe: Probe) {
    let job = plain();
    let error = JobError {
        code: "Ünïcode".to_owned().into(),
        message: "line one\nline \"two\" \u{1f980} \0 end".into(),
        chain: (0..8).map(|number| format!("cause {number}")).collect(),
    };
    probe.run_to(&job, Outcome::Fail(error.clone())).await;
    assert_eq!(probe.job(job.id).await.error, Some(error));
}

pub async fn a_finished_job_is_not_claimed_again(probe: Probe) {
    for outcome in [complete(), fail(), Outcome::Stop] {
        probe.run_to(&plain(), outcome).await;
        assert!(probe.take(1).await.is_empty());
    }
}

pub async fn a_snoozed_job_spends_nothing(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    assert_eq!(probe.settle(taken.lease, snooze(Duration::from_secs(9))).await, Fate::Settled(Status::Scheduled));
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.retries, kept.crashes), (Status::Scheduled, 0, 0));
    assert_eq!(kept.scheduled_at, Some(probe.now().after(Duration::from_secs(9))));
    assert!(kept.attempts.is_empty() && kept.error.is_none());
}

pub async fn a_snoozed_job_comes_back_as_the_same_attempt(probe: Probe) {
    probe.run_to(&plain(), snooze(Duration::from_secs(9))).await;
    assert!(probe.take(1).await.is_empty());
    probe.advance(Duration::from_secs(9));
    assert_eq!(probe.take_one().await.attempt(), 1);
}

pub async fn a_released_job_spends_nothing(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    assert_eq!(probe.settle(taken.lease, Outcome::Release).await, Fate::Settled(Status::Queued));
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.retries, kept.crashes), (Status::Queued, 0, 0));
    assert!(kept.attempts.is_empty() && kept.scheduled_at.is_none());
    assert_eq!(probe.take_one().await.attempt(), 1);
}

pub async fn a_released_job_is_claimable_in_the_same_turn(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let settle = vec![settlement(taken.lease, Outcome::Release, &[])];
    let claim = Some(probe.want(&["default"], 1));
    let answers = probe.exchange(Exchange { settle, claim, ..Exchange::default() }).await;
    assert_eq!(answers.fates, [Fate::Settled(Status::Queued)]);
    assert_eq!(answers.claimed.jobs[0].lease.id, taken.lease.id);
}

pub async fn a_stopped_job_is_canceled(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    assert_eq!(probe.settle(taken.lease, Outcome::Stop).await, Fate::Settled(Status::Canceled));
    assert_eq!(probe.job(job.id).await.finished_at, Some(probe.now()));
}

pub async fn a_repeated_settlement_changes_nothing(probe: Probe) {
    let job = plain();
    let taken = probe.run_to(&job, complete()).await;
    let before = probe.job(job.id).await;
    probe.advance(Duration::from_secs(1));
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Repeated(Status::Completed));
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn a_repetition_with_another_outcome_changes_nothing(probe: Probe) {
    let job = plain();
    let taken = probe.run_to(&job, complete()).await;
    let before = probe.job(job.id).await;
    let other = Outcome::Complete(Payload::new("text/plain", "another result"));
    for outcome in [fail(), retry(Duration::ZERO), Outcome::Release, Outcome::Stop, other] {
        assert_eq!(probe.settle(taken.lease, outcome).await, Fate::Repeated(Status::Completed));
    }
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn a_repeated_retry_spends_one_retry(probe: Probe) {
    let job = plain();
    let outcome = retry(Duration::from_secs(60));
    let taken = probe.run_to(&job, outcome.clone()).await;
    probe.advance(Duration::from_secs(1));
    let before = probe.job(job.id).await;
    assert_eq!(probe.settle(taken.lease, outcome).await, Fate::Repeated(Status::Scheduled));
    assert_eq!(probe.job(job.id).await, before);
    assert_eq!(before.retries, 1);
}

pub async fn a_repeated_failure_and_stop_are_known_again(probe: Probe) {
    let failed = probe.run_to(&plain(), fail()).await;
    let stopped = probe.run_to(&plain(), Outcome::Stop).await;
    assert_eq!(probe.settle(failed.lease, fail()).await, Fate::Repeated(Status::Failed));
    assert_eq!(probe.settle(stopped.lease, Outcome::Stop).await, Fate::Repeated(Status::Canceled));
}

pub async fn a_repetition_is_known_long_after_the_lease(probe: Probe) {
    let taken = probe.run_to(&plain(), complete()).await;
    probe.advance(Duration::from_secs(3600));
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Repeated(Status::Completed));
}

pub async fn a_repetition_in_one_turn_counts_once(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    let settle = vec![settlement(taken.lease, complete(), &[]), settlement(taken.lease, fail(), &[])];
    let fates = probe.store().settle(settle).await.expect("settle");
    assert_eq!(fates, [Fate::Settled(Status::Completed), Fate::Repeated(Status::Completed)]);
    assert_eq!(probe.job(job.id).await.attempts.len(), 1);
}

pub async fn fates_keep_the_order_of_the_settlements(probe: Probe) {
    probe.submit_all(&crate::jobs::many(4)).await;
    let taken = probe.take(4).await;
    let outcomes = [complete(), fail(), Outcome::Release, snooze(Duration::from_secs(1))];
    let settle = taken.iter().zip(outcomes).map(|(taken, outcome)| settlement(taken.lease, outcome, &[])).collect();
    let fates = probe.store().settle(settle).await.expect("settle");
    let statuses = [Status::Completed, Status::Failed, Status::Queued, Status::Scheduled];
    assert_eq!(fates, statuses.map(Fate::Settled));
}

pub async fn one_lost_lease_does_not_spoil_the_turn(probe: Probe) {
    let taken = probe.run(&plain()).await;
    let unknown = Lease { id: plain().id, token: taken.lease.token };
    let settle = vec![settlement(unknown, complete(), &[]), settlement(taken.lease, complete(), &[])];
    let fates = probe.store().settle(settle).await.expect("settle");
    assert_eq!(fates, [Fate::LeaseLost, Fate::Settled(Status::Completed)]);
}

pub async fn an_unknown_job_has_no_lease(probe: Probe) {
    let lease = Lease { id: plain().id, token: Token(1) };
    assert_eq!(probe.settle(lease, complete()).await, Fate::LeaseLost);
}

pub async fn a_job_that_never_ran_has_no_lease(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    for token in [0, 1, u64::MAX] {
        assert_eq!(probe.settle(Lease { id: job.id, token: Token(token) }, complete()).await, Fate::LeaseLost);
    }
    assert_eq!(probe.status(job.id).await, Status::Queued);
}
