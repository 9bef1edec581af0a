//! Putting things right: due jobs become ready, lost ones come back, and nothing else changes.

use std::time::Duration;

use windlass_core::{AttemptOutcome, JobError, Status};
use windlass_store::{Fate, Swept};

use crate::jobs::{complete, delayed, fail, many, plain, retry};
use crate::probe::{LEASE, Probe, TICK};

const MINUTE: Duration = Duration::from_secs(60);

pub async fn an_idle_sweep_does_nothing(probe: Probe) {
    probe.submit_all(&many(3)).await;
    probe.take_one().await;
    assert_eq!(probe.sweep().await, Swept::default());
}

pub async fn due_jobs_are_promoted(probe: Probe) {
    let (due, waiting) = (delayed(MINUTE), delayed(MINUTE + TICK));
    probe.submit_all(&[due.clone(), waiting.clone()]).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await, Swept { promoted: 1, ..Swept::default() });
    let kept = probe.job(due.id).await;
    assert_eq!((kept.status, kept.scheduled_at), (Status::Queued, None));
    assert_eq!(probe.status(waiting.id).await, Status::Scheduled);
}

pub async fn promotion_spends_nothing(probe: Probe) {
    let job = plain();
    probe.run_to(&job, retry(MINUTE)).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.promoted, 1);
    let kept = probe.job(job.id).await;
    assert_eq!((kept.retries, kept.crashes, kept.attempts.len()), (1, 0, 1));
}

pub async fn a_lost_job_is_ready_again(probe: Probe) {
    let job = plain();
    probe.run(&job).await;
    assert_eq!(probe.crash().await, Swept { reclaimed: 1, ..Swept::default() });
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.crashes, kept.retries), (Status::Queued, 1, 0));
    assert_eq!(probe.take_ids(1).await, [job.id]);
}

pub async fn a_lost_lease_is_an_attempt_in_the_history(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.crash().await;
    let attempts = probe.job(job.id).await.attempts;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].number, attempts[0].outcome), (1, AttemptOutcome::Crashed));
    assert_eq!((attempts[0].started_at, attempts[0].finished_at), (taken.started_at, probe.now()));
    assert_eq!((attempts[0].worker, &attempts[0].error), (probe.worker(), &Some(JobError::crashed())));
}

pub async fn a_live_lease_is_left_alone(probe: Probe) {
    let taken = probe.run(&plain()).await;
    probe.advance(LEASE - TICK);
    assert_eq!(probe.sweep().await, Swept::default());
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Settled(Status::Completed));
}

pub async fn a_settlement_that_won_the_race_is_not_undone(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    probe.advance(LEASE - TICK);
    probe.finish(taken.lease, complete()).await;
    let before = probe.job(job.id).await;
    probe.advance(TICK);
    assert_eq!(probe.sweep().await, Swept::default());
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn finished_jobs_are_never_touched(probe: Probe) {
    let jobs = many(3);
    probe.run_to(&jobs[0], complete()).await;
    probe.run_to(&jobs[1], fail()).await;
    probe.submit(&jobs[2]).await;
    probe.cancel(jobs[2].id).await;
    let mut before = Vec::new();
    for job in &jobs {
        before.push(probe.job(job.id).await);
    }
    probe.advance(Duration::from_secs(3600));
    assert_eq!(probe.sweep().await, Swept::default());
    for job in before {
        assert_eq!(probe.job(job.new.id).await, job);
    }
}

pub async fn sweeping_again_finds_nothing(probe: Probe) {
    probe.submit_all(&[plain(), delayed(MINUTE)]).await;
    probe.take_one().await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await, Swept { promoted: 1, reclaimed: 1, ..Swept::default() });
    assert_eq!(probe.sweep().await, Swept::default());
}

/// A limit of nothing used to prune everything on Redis.
pub async fn a_sweep_of_nothing_does_nothing(probe: Probe) {
    let done = plain();
    probe.run_to(&done, complete()).await;
    probe.run(&plain()).await;
    probe.submit(&delayed(MINUTE)).await;
    probe.advance(Duration::from_secs(25 * 3600));
    assert_eq!(probe.sweep_up_to(0).await, Swept::default());
    assert_eq!(probe.status(done.id).await, Status::Completed);
}

pub async fn a_sweep_promotes_no_more_than_its_limit(probe: Probe) {
    probe.submit_all(&(0..5).map(|_| delayed(MINUTE)).collect::<Vec<_>>()).await;
    probe.advance(MINUTE);
    let mut promoted = Vec::new();
    for _ in 0..3 {
        let swept = probe.sweep_up_to(2).await;
        promoted.push((swept.promoted, swept.more));
    }
    assert_eq!(promoted, [(2, true), (2, true), (1, false)]);
}

pub async fn a_sweep_takes_back_no_more_than_its_limit(probe: Probe) {
    probe.submit_all(&many(5)).await;
    probe.take(5).await;
    probe.advance(LEASE);
    let mut reclaimed = Vec::new();
    for _ in 0..3 {
        let swept = probe.sweep_up_to(2).await;
        reclaimed.push((swept.reclaimed, swept.more));
    }
    assert_eq!(reclaimed, [(2, true), (2, true), (1, false)]);
}

pub async fn a_full_list_of_one_kind_does_not_starve_the_others(probe: Probe) {
    let lost = plain();
    probe.run(&lost).await;
    probe.submit_all(&(0..5).map(|_| delayed(LEASE)).collect::<Vec<_>>()).await;
    probe.advance(LEASE);
    let swept = probe.sweep_up_to(1).await;
    assert_eq!((swept.promoted, swept.reclaimed, swept.more), (1, 1, true));
}

pub async fn all_queues_are_swept(probe: Probe) {
    for queue in ["mail", "images", "default"] {
        probe.run(&crate::jobs::waiting_in(queue)).await;
    }
    assert_eq!(probe.crash().await.reclaimed, 3);
}
