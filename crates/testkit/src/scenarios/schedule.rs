//! Starting later: never early by the store's clock (I10), and no later than the claim after.

use std::time::Duration;

use windlass_core::{Start, Status, limits};
use windlass_store::SubmitOutcome;

use crate::jobs::{complete, delayed, job, plain, retry};
use crate::probe::{Probe, TICK};

const MINUTE: Duration = Duration::from_secs(60);

pub async fn a_delayed_job_is_not_claimable_before_it_is_due(probe: Probe) {
    let job = delayed(MINUTE);
    probe.submit(&job).await;
    probe.advance(MINUTE - TICK);
    probe.sweep().await;
    assert!(probe.take(1).await.is_empty());
    assert_eq!(probe.status(job.id).await, Status::Scheduled);
}

pub async fn a_delayed_job_is_claimable_exactly_when_due(probe: Probe) {
    let job = delayed(MINUTE);
    probe.submit(&job).await;
    probe.advance(MINUTE);
    assert_eq!(probe.take_ids(1).await, [job.id]);
}

pub async fn a_job_may_start_at_a_moment(probe: Probe) {
    let at = probe.now().after(MINUTE);
    let job = job(|draft| draft.start(Start::At(at)));
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Created(Status::Scheduled));
    assert_eq!(probe.job(job.id).await.scheduled_at, Some(at));
    probe.clock().set(at);
    assert_eq!(probe.take_ids(1).await, [job.id]);
}

pub async fn a_start_in_the_past_is_now(probe: Probe) {
    let before = probe.now().before(MINUTE);
    for start in [Start::At(before), Start::At(probe.now()), Start::After(Duration::ZERO)] {
        let job = job(|draft| draft.start(start));
        assert_eq!(probe.submit(&job).await, SubmitOutcome::Created(Status::Queued));
        assert_eq!(probe.take_ids(1).await, [job.id]);
    }
}

pub async fn a_far_future_is_kept(probe: Probe) {
    let job = delayed(limits::DELAY_MAX);
    probe.submit(&job).await;
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, Some(limits::DELAY_MAX));
    probe.advance(limits::DELAY_MAX);
    assert_eq!(probe.take_ids(1).await, [job.id]);
}

pub async fn the_end_of_time_can_be_waited_for(probe: Probe) {
    let end = windlass_core::Timestamp::from_micros(i64::MAX);
    let job = job(|draft| draft.start(Start::At(end)));
    probe.submit(&job).await;
    assert_eq!(probe.job(job.id).await.scheduled_at, Some(end));
    assert!(probe.take(1).await.is_empty());
}

pub async fn delays_count_from_the_stores_now(probe: Probe) {
    probe.advance(Duration::from_micros(1_234_567));
    let job = delayed(Duration::from_micros(1_001));
    probe.submit(&job).await;
    assert_eq!(probe.job(job.id).await.scheduled_at, Some(probe.now().after(Duration::from_micros(1_001))));
}

pub async fn next_due_says_how_long_to_wait(probe: Probe) {
    probe.submit_all(&[delayed(3 * MINUTE), delayed(MINUTE), delayed(2 * MINUTE)]).await;
    probe.advance(Duration::from_secs(10));
    let claimed = probe.claim(probe.want(&["default"], 1)).await;
    assert_eq!((claimed.jobs.len(), claimed.next_due), (0, Some(Duration::from_secs(50))));
}

pub async fn next_due_moves_on_when_a_job_becomes_due(probe: Probe) {
    probe.submit_all(&[delayed(MINUTE), delayed(2 * MINUTE)]).await;
    probe.advance(MINUTE);
    let claimed = probe.claim(probe.want(&["default"], 1)).await;
    assert_eq!((claimed.jobs.len(), claimed.next_due), (1, Some(MINUTE)));
}

pub async fn next_due_speaks_of_the_claimed_queues_only(probe: Probe) {
    let other = job(|draft| draft.queue("other").start(Start::After(MINUTE)));
    probe.submit_all(&[other, delayed(2 * MINUTE)]).await;
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, Some(2 * MINUTE));
    assert_eq!(probe.claim(probe.want(&["third"], 1)).await.next_due, None);
    assert_eq!(probe.claim(probe.want(&["default", "other"], 1)).await.next_due, Some(MINUTE));
}

pub async fn next_due_is_told_beside_jobs(probe: Probe) {
    probe.submit_all(&[plain(), delayed(MINUTE)]).await;
    let claimed = probe.claim(probe.want(&["default"], 5)).await;
    assert_eq!((claimed.jobs.len(), claimed.next_due), (1, Some(MINUTE)));
}

pub async fn next_due_knows_retries(probe: Probe) {
    probe.run_to(&plain(), retry(MINUTE)).await;
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, Some(MINUTE));
}

pub async fn next_due_forgets_what_is_done(probe: Probe) {
    probe.submit(&delayed(MINUTE)).await;
    probe.advance(MINUTE);
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, None);
}

pub async fn a_started_job_has_no_schedule_any_more(probe: Probe) {
    let job = delayed(MINUTE);
    probe.submit(&job).await;
    probe.advance(MINUTE);
    probe.take_one().await;
    assert_eq!(probe.job(job.id).await.scheduled_at, None);
}

pub async fn due_jobs_beyond_the_limit_are_more(probe: Probe) {
    probe.submit_all(&[delayed(MINUTE), delayed(MINUTE)]).await;
    probe.advance(MINUTE);
    assert!(probe.claim(probe.want(&["default"], 1)).await.more);
    assert!(!probe.claim(probe.want(&["default"], 1)).await.more);
}

pub async fn a_clock_that_goes_back_starts_nothing_early(probe: Probe) {
    probe.submit(&delayed(MINUTE)).await;
    probe.clock().set(probe.now().before(MINUTE));
    probe.advance(MINUTE);
    assert!(probe.take(1).await.is_empty());
}
