//! An operator's actions.

use std::time::Duration;

use windlass_core::{AttemptOutcome, Expiry, Job, Status};
use windlass_store::{Admin, Claim, Fate, Outcome, Replayed, Scope};

use crate::jobs::{complete, delayed, fail, fragile, job, owned_by, plain, retry, scope_of};
use crate::probe::{LEASE, Probe};
use crate::suite::Verdict;

const NO_ADMIN: Verdict = Verdict::Skipped("the store has no operator actions");

async fn replay(admin: &dyn Admin, id: windlass_core::JobId) -> Option<Replayed> {
    admin.replay(id, &Scope::Everything).await.expect("replay")
}

fn done(replayed: Option<Replayed>) -> Job {
    match replayed {
        Some(Replayed::Done(job)) => *job,
        other => panic!("expected a replay: {other:?}"),
    }
}

pub async fn a_replayed_job_is_queued_with_its_counters_at_zero(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = plain();
    probe.run_to(&job, retry(Duration::ZERO)).await;
    let last = probe.take_one().await;
    probe.finish(last.lease, fail()).await;
    let told = done(replay(admin, job.id).await);
    assert_eq!((told.status, told.retries, told.crashes), (Status::Queued, 0, 0));
    assert_eq!((told.finished_at, told.updated_at), (None, probe.now()));
    assert_eq!(probe.job(job.id).await, told);
    Verdict::Passed
}

pub async fn a_replayed_job_keeps_its_history_and_payload(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = plain();
    probe.run_to(&job, fail()).await;
    let before = probe.job(job.id).await;
    let told = done(replay(admin, job.id).await);
    assert_eq!((&told.attempts, &told.new), (&before.attempts, &before.new));
    assert_eq!(told.created_at, before.created_at);
    Verdict::Passed
}

pub async fn a_replayed_job_runs_again_from_the_first_attempt(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = plain();
    probe.run_to(&job, fail()).await;
    replay(admin, job.id).await;
    let taken = probe.take_one().await;
    assert_eq!((taken.lease.id, taken.attempt()), (job.id, 1));
    probe.finish(taken.lease, complete()).await;
    let kept = probe.job(job.id).await;
    let told: Vec<_> = kept.attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect();
    assert_eq!(told, [(1, AttemptOutcome::Failed), (1, AttemptOutcome::Completed)]);
    assert_eq!((kept.status, kept.error), (Status::Completed, None));
    Verdict::Passed
}

pub async fn tokens_rise_over_a_replay(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let first = probe.run_to(&plain(), fail()).await;
    replay(admin, first.lease.id).await;
    let second = probe.take_one().await;
    assert!(second.lease.token > first.lease.token);
    assert_eq!(probe.settle(first.lease, complete()).await, Fate::LeaseLost);
    Verdict::Passed
}

pub async fn a_replayed_poisoned_job_is_no_suspect(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = fragile(1);
    probe.run(&job).await;
    probe.crash().await;
    assert_eq!(done(replay(admin, job.id).await).crashes, 0);
    let claim = Claim { suspects: 0, ..probe.want(&["default"], 1) };
    assert_eq!(probe.claim(claim).await.jobs[0].lease.id, job.id);
    Verdict::Passed
}

pub async fn only_dead_letters_are_replayed(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let (completed, stopped, running) = (plain(), plain(), plain());
    let (queued, scheduled) = (plain(), delayed(LEASE));
    probe.run_to(&completed, complete()).await;
    probe.run_to(&stopped, Outcome::Stop).await;
    probe.run(&running).await;
    probe.submit_all(&[queued.clone(), scheduled.clone()]).await;
    for id in [completed.id, stopped.id, running.id, queued.id, scheduled.id] {
        let before = probe.job(id).await;
        assert_eq!(replay(admin, id).await, Some(Replayed::NotFailed(Box::new(before.clone()))));
        assert_eq!(probe.job(id).await, before);
    }
    Verdict::Passed
}

pub async fn an_unknown_job_is_not_replayed(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    assert_eq!(replay(admin, plain().id).await, None);
    Verdict::Passed
}

pub async fn a_strangers_dead_letter_is_not_replayed(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = owned_by("alice");
    probe.run_to(&job, fail()).await;
    assert_eq!(admin.replay(job.id, &scope_of("eve")).await.expect("replay"), None);
    assert_eq!(probe.status(job.id).await, Status::Failed);
    assert!(matches!(admin.replay(job.id, &scope_of("alice")).await, Ok(Some(Replayed::Done(_)))));
    Verdict::Passed
}

pub async fn a_replayed_job_outlives_its_first_retention(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let job = plain();
    probe.run_to(&job, fail()).await;
    replay(admin, job.id).await;
    probe.advance(Duration::from_secs(30 * 24 * 3600));
    assert_eq!(probe.sweep().await.pruned, 0);
    assert_eq!(probe.status(job.id).await, Status::Queued);
    Verdict::Passed
}

pub async fn a_replayed_job_that_has_expired_expires_again(probe: Probe) -> Verdict {
    let Some(admin) = probe.admin() else { return NO_ADMIN };
    let new = job(|draft| draft.expires(Expiry::After(LEASE)));
    probe.submit(&new).await;
    probe.advance(LEASE);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(done(replay(admin, new.id).await).status, Status::Queued);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(probe.status(new.id).await, Status::Failed);
    Verdict::Passed
}
