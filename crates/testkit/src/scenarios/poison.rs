//! Jobs that kill the process that runs them: caught after a few deaths, and never at the cost of bystanders.

use std::time::Duration;

use windlass_core::{AttemptOutcome, JobError, Status};
use windlass_store::{Claim, Claimed, Swept};

use crate::jobs::{complete, fragile, many, plain, retry};
use crate::probe::Probe;

/// A job that lost its lease so often that one more loss condemns it.
async fn suspect(probe: &Probe) -> windlass_core::NewJob {
    let job = fragile(2);
    probe.run(&job).await;
    assert_eq!(probe.crash().await.reclaimed, 1);
    job
}

async fn claim_with(probe: &Probe, suspects: usize, limit: usize) -> Claimed {
    probe.claim(Claim { suspects, ..probe.want(&["default"], limit) }).await
}

pub async fn a_job_is_quarantined_after_its_last_strike(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    for _ in 1..3 {
        probe.take_one().await;
        assert_eq!(probe.crash().await, Swept { reclaimed: 1, ..Swept::default() });
    }
    probe.take_one().await;
    assert_eq!(probe.crash().await, Swept { quarantined: 1, ..Swept::default() });
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.crashes, kept.retries), (Status::Failed, 3, 0));
    assert_eq!(kept.error.map(|error| error.code), Some(JobError::POISONED.into()));
    assert!(probe.take(1).await.is_empty());
}

pub async fn a_quarantined_job_is_a_whole_dead_letter(probe: Probe) {
    let job = suspect(&probe).await;
    probe.take_one().await;
    probe.crash().await;
    let kept = probe.job(job.id).await;
    assert_eq!((*kept.new).clone(), job);
    assert_eq!(kept.finished_at, Some(probe.now()));
    let told: Vec<_> = kept.attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect();
    assert_eq!(told, [(1, AttemptOutcome::Crashed), (2, AttemptOutcome::Crashed)]);
}

pub async fn one_strike_may_be_enough(probe: Probe) {
    let job = fragile(1);
    probe.submit(&job).await;
    assert_eq!(claim_with(&probe, 0, 1).await.jobs.len(), 1, "a job that never crashed is no suspect");
    assert_eq!(probe.crash().await.quarantined, 1);
    assert_eq!(probe.status(job.id).await, Status::Failed);
}

pub async fn failures_are_no_strikes(probe: Probe) {
    let job = fragile(2);
    let mut taken = probe.run(&job).await;
    for _ in 0..3 {
        probe.finish(taken.lease, retry(Duration::ZERO)).await;
        taken = claim_with(&probe, 0, 1).await.jobs.pop().expect("no suspect");
    }
    let kept = probe.job(job.id).await;
    assert_eq!((kept.retries, kept.crashes), (3, 0));
}

pub async fn a_suspect_is_withheld_without_allowance(probe: Probe) {
    let job = suspect(&probe).await;
    let claimed = claim_with(&probe, 0, 5).await;
    assert!(claimed.jobs.is_empty());
    assert_eq!(probe.status(job.id).await, Status::Queued);
}

pub async fn a_suspect_is_handed_out_with_allowance(probe: Probe) {
    let job = suspect(&probe).await;
    let claimed = claim_with(&probe, 1, 5).await;
    assert_eq!(claimed.jobs[0].lease.id, job.id);
    assert!(claimed.jobs[0].is_suspect());
    assert!(!claimed.more);
}

pub async fn no_more_suspects_than_allowed(probe: Probe) {
    let jobs: Vec<_> = (0..4).map(|_| fragile(2)).collect();
    probe.submit_all(&jobs).await;
    probe.take(4).await;
    probe.crash().await;
    let mut taken = Vec::new();
    for _ in 0..2 {
        let claimed = claim_with(&probe, 1, 4).await;
        assert!(claimed.more);
        taken.extend(claimed.jobs.iter().map(|taken| taken.lease.id));
    }
    assert_eq!(taken, [jobs[0].id, jobs[1].id]);
    assert_eq!(claim_with(&probe, 2, 4).await.jobs.len(), 2);
}

pub async fn others_are_not_held_up_behind_a_suspect(probe: Probe) {
    suspect(&probe).await;
    let others = many(3);
    probe.submit_all(&others).await;
    let claimed = claim_with(&probe, 0, 2).await;
    let ids: Vec<_> = claimed.jobs.iter().map(|taken| taken.lease.id).collect();
    assert_eq!(ids, [others[0].id, others[1].id]);
}

pub async fn many_suspects_hide_nobody(probe: Probe) {
    let jobs: Vec<_> = (0..150).map(|_| fragile(2)).collect();
    probe.submit_all(&jobs).await;
    probe.take(150).await;
    probe.crash().await;
    let innocent = plain();
    probe.submit(&innocent).await;
    let claimed = claim_with(&probe, 0, 1).await;
    assert_eq!(claimed.jobs.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [innocent.id]);
}

pub async fn more_is_true_while_suspects_remain(probe: Probe) {
    suspect(&probe).await;
    assert!(claim_with(&probe, 0, 5).await.more);
    probe.submit(&plain()).await;
    let claimed = claim_with(&probe, 0, 5).await;
    assert_eq!((claimed.jobs.len(), claimed.more), (1, true));
}

pub async fn a_suspect_may_prove_its_innocence(probe: Probe) {
    let job = suspect(&probe).await;
    let taken = claim_with(&probe, 1, 1).await.jobs.pop().expect("the suspect");
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
    assert_eq!(probe.job(job.id).await.crashes, 1);
}

pub async fn a_crash_is_remembered_over_retries(probe: Probe) {
    suspect(&probe).await;
    let taken = claim_with(&probe, 1, 1).await.jobs.pop().expect("the suspect");
    probe.finish(taken.lease, retry(Duration::ZERO)).await;
    assert!(claim_with(&probe, 0, 1).await.jobs.is_empty());
    assert_eq!(claim_with(&probe, 1, 1).await.jobs[0].attempt(), 3);
}
