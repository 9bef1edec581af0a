//! A worker that lost its lease changes nothing any more (I4), and no token is ever issued twice (I5).

use std::time::Duration;

use windlass_core::{Incarnation, NewJob, Status};
use windlass_store::{Claim, ClaimedJob, Extension, Fate, Lease, Outcome, Token};

use crate::jobs::{complete, fail, plain, progress, result, retry, snooze};
use crate::probe::{LEASE, Probe};

/// A zombie's claim of a job, and the claim of the worker that has it now.
async fn zombie_and_holder(probe: &Probe) -> (ClaimedJob, ClaimedJob) {
    let zombie = probe.run(&plain()).await;
    probe.crash().await;
    let claim = Claim { worker: Incarnation::random(), ..probe.want(&["default"], 1) };
    let holder = probe.claim(claim).await.jobs.pop().expect("the job is ready again");
    (zombie, holder)
}

pub async fn tokens_rise_with_every_claim(probe: Probe) {
    let mut taken = probe.run(&plain()).await;
    for outcome in [retry(Duration::ZERO), Outcome::Release, snooze(Duration::ZERO), retry(Duration::ZERO)] {
        probe.finish(taken.lease, outcome).await;
        let next = probe.take_one().await;
        assert!(next.lease.token > taken.lease.token);
        taken = next;
    }
}

pub async fn tokens_rise_over_a_lost_lease(probe: Probe) {
    let (zombie, holder) = zombie_and_holder(&probe).await;
    assert!(holder.lease.token > zombie.lease.token);
}

pub async fn a_zombie_settles_nothing(probe: Probe) {
    let (zombie, holder) = zombie_and_holder(&probe).await;
    let before = probe.job(zombie.lease.id).await;
    for outcome in [complete(), fail(), retry(Duration::ZERO), Outcome::Release, Outcome::Stop] {
        assert_eq!(probe.settle(zombie.lease, outcome).await, Fate::LeaseLost);
    }
    assert_eq!(probe.job(zombie.lease.id).await, before);
    assert_eq!(probe.settle(holder.lease, complete()).await, Fate::Settled(Status::Completed));
}

pub async fn a_zombie_extends_nothing(probe: Probe) {
    let (zombie, holder) = zombie_and_holder(&probe).await;
    assert_eq!(probe.extend_for(zombie.lease, LEASE * 100, Some(progress(0.9))).await, Extension::Lost);
    assert_eq!(probe.job(zombie.lease.id).await.progress, None);
    probe.advance(LEASE);
    assert_eq!(probe.settle(holder.lease, complete()).await, Fate::LeaseLost);
}

pub async fn a_zombie_cannot_undo_the_holders_result(probe: Probe) {
    let (zombie, holder) = zombie_and_holder(&probe).await;
    probe.finish(holder.lease, complete()).await;
    let before = probe.job(holder.lease.id).await;
    assert_eq!(probe.settle(zombie.lease, fail()).await, Fate::LeaseLost);
    assert_eq!(probe.job(holder.lease.id).await, before);
    assert_eq!(before.result, Some(result()));
}

pub async fn a_zombie_emits_nothing(probe: Probe) {
    let (zombie, _) = zombie_and_holder(&probe).await;
    let child = NewJob { id: zombie.lease.id.emitted(0), ..plain() };
    assert_eq!(probe.settle_emitting(zombie.lease, complete(), std::slice::from_ref(&child)).await, Fate::LeaseLost);
    assert_eq!(probe.find(child.id).await, None);
}

pub async fn a_reclaimed_lease_is_lost_before_anybody_else_has_the_job(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.crash().await;
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
    assert_eq!(probe.extend(taken.lease).await, Extension::Lost);
    assert_eq!(probe.status(job.id).await, Status::Queued);
}

pub async fn a_settled_lease_is_lost_when_the_job_runs_again(probe: Probe) {
    let first = probe.run_to(&plain(), retry(Duration::ZERO)).await;
    let second = probe.take_one().await;
    assert_eq!(probe.settle(first.lease, complete()).await, Fate::LeaseLost);
    assert_eq!(probe.settle(second.lease, complete()).await, Fate::Settled(Status::Completed));
    assert_eq!(probe.settle(first.lease, complete()).await, Fate::LeaseLost);
}

pub async fn a_guessed_token_is_refused(probe: Probe) {
    let job = plain();
    let Lease { id, token: Token(token) } = probe.run(&job).await.lease;
    for guess in [0, token.wrapping_sub(1), token + 1, u64::MAX] {
        let lease = Lease { id, token: Token(guess) };
        assert_eq!(probe.settle(lease, complete()).await, Fate::LeaseLost);
        assert_eq!(probe.extend(lease).await, Extension::Lost);
    }
    assert_eq!(probe.status(job.id).await, Status::InProgress);
}

pub async fn a_token_opens_its_own_job_only(probe: Probe) {
    let first = probe.run(&plain()).await;
    probe.finish(first.lease, Outcome::Release).await;
    let again = probe.take_one().await;
    let second = probe.run(&plain()).await;
    let crossed = Lease { id: second.lease.id, token: again.lease.token };
    if crossed != second.lease {
        assert_eq!(probe.settle(crossed, complete()).await, Fate::LeaseLost);
    }
    assert_eq!(probe.status(second.lease.id).await, Status::InProgress);
}

pub async fn a_quarantined_job_is_out_of_reach(probe: Probe) {
    let job = crate::jobs::fragile(1);
    let taken = probe.run(&job).await;
    assert_eq!(probe.crash().await.quarantined, 1);
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
    assert_eq!(probe.status(job.id).await, Status::Failed);
}

pub async fn a_pruned_id_never_sees_an_old_token_again(probe: Probe) {
    let job = plain();
    let old = probe.run_to(&job, complete()).await;
    probe.advance(Duration::from_secs(25 * 3600));
    assert_eq!(probe.sweep().await.pruned, 1);
    assert_eq!(probe.settle(old.lease, complete()).await, Fate::LeaseLost);
    let new = probe.run(&job).await;
    assert!(new.lease.token > old.lease.token);
    assert_eq!(probe.settle(old.lease, complete()).await, Fate::LeaseLost);
}
