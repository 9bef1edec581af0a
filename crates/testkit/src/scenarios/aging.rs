//! Aging: who has waited for so long goes before those that are more urgent and have not.

use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{JobId, Limits, NewJob, Priority, Share};

use crate::jobs::{job, many, ranked, retry, waiting_in};
use crate::probe::{Probe, TICK};

const SPAN: Duration = Duration::from_secs(10);

async fn age(probe: &Probe, span: impl Into<Option<Duration>>) {
    probe.edit("queue:default", Edit::Aging(span.into())).await;
}

/// Jobs of these levels, submitted one after the other.
async fn submitted(probe: &Probe, levels: &[u8]) -> Vec<JobId> {
    let jobs: Vec<NewJob> = levels.iter().map(|level| ranked(*level)).collect();
    probe.submit_all(&jobs).await;
    jobs.iter().map(|job| job.id).collect()
}

pub async fn a_job_rises_by_a_level_in_every_span(probe: Probe) {
    age(&probe, SPAN).await;
    let old = submitted(&probe, &[5]).await;
    probe.advance(SPAN * 2);
    let new = submitted(&probe, &[2, 3, 4, 0, 5]).await;
    let expected = [new[3], new[0], new[1], old[0], new[2], new[4]];
    assert_eq!(probe.take_ids(9).await, expected, "beside those of level 3, and the more urgent of equals");
}

pub async fn the_last_level_waits_nine_spans_and_no_longer(probe: Probe) {
    age(&probe, SPAN).await;
    let old = submitted(&probe, &[9]).await;
    probe.advance(SPAN * 9);
    let urgent = submitted(&probe, &[0]).await;
    assert_eq!(probe.take_ids(1).await, urgent);
    probe.advance(TICK);
    submitted(&probe, &[0, 0]).await;
    assert_eq!(probe.take_ids(1).await, old);
}

pub async fn equals_still_go_in_order_of_submission(probe: Probe) {
    age(&probe, SPAN).await;
    let jobs = many(150);
    probe.submit_all(&jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(probe.take_ids(100).await, ids[..100]);
    assert_eq!(probe.take_ids(100).await, ids[100..]);
}

/// Those that are left behind are where they were, however many a claim takes.
pub async fn levels_are_merged_claim_by_claim(probe: Probe) {
    age(&probe, SPAN).await;
    let (mut patient, mut urgent) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        patient.extend(submitted(&probe, &[4]).await);
        urgent.extend(submitted(&probe, &[1]).await);
        probe.advance(SPAN);
    }
    let (first, second, rest) = (probe.take_ids(5).await, probe.take_ids(6).await, probe.take_ids(99).await);
    let taken = [first, second, rest].concat();
    let mut expected: Vec<JobId> = urgent[..3].into();
    for step in 0..7 {
        expected.extend([urgent[step + 3], patient[step]]);
    }
    expected.extend(&patient[7..]);
    assert_eq!(taken, expected);
}

pub async fn a_retried_job_ages_from_its_acceptance(probe: Probe) {
    age(&probe, SPAN).await;
    let old = probe.run(&ranked(5)).await;
    probe.finish(old.lease, retry(SPAN)).await;
    probe.advance(SPAN * 3);
    submitted(&probe, &[3]).await;
    assert_eq!(probe.take_ids(1).await, [old.lease.id]);
}

pub async fn it_holds_at_once_and_ends_at_once(probe: Probe) {
    let old = submitted(&probe, &[5, 5]).await;
    probe.advance(SPAN * 9);
    submitted(&probe, &[0]).await;
    age(&probe, SPAN).await;
    assert_eq!(probe.take_ids(1).await, old[..1]);
    age(&probe, None).await;
    assert_ne!(probe.take_ids(1).await, old[1..]);
}

pub async fn other_queues_do_not_age(probe: Probe) {
    age(&probe, SPAN).await;
    let patient = waiting_in("other");
    probe.submit(&patient).await;
    probe.advance(SPAN * 9);
    let urgent = job(|draft| draft.queue("other").priority(Priority::new(0).expect("valid")));
    probe.submit(&urgent).await;
    let taken = probe.take_from(&["other"], 9).await;
    assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [urgent.id, patient.id]);
}

pub async fn a_limit_lets_pass_who_is_oldest(probe: Probe) {
    age(&probe, SPAN).await;
    probe.limit("queue:default", Limits::running(2)).await;
    let old = submitted(&probe, &[6, 6]).await;
    probe.advance(SPAN * 5);
    let new = submitted(&probe, &[3, 0, 2]).await;
    assert_eq!(probe.take_ids(9).await, [new[1], old[0]]);
    probe.limit("queue:default", Limits::running(3)).await;
    assert_eq!(probe.take_ids(9).await, old[1..]);
}

/// Urgent jobs of a key hold up that key's others only.
pub async fn a_shared_queue_goes_by_turns(probe: Probe) {
    age(&probe, SPAN).await;
    probe.edit("queue:default", Edit::Share(Share::by("user").expect("a kind"))).await;
    let of = |level| job(|draft| draft.key("user", "ann").priority(Priority::new(level).expect("valid")));
    let (old, new) = (of(5), of(0));
    probe.submit(&old).await;
    probe.advance(SPAN * 9);
    probe.submit(&new).await;
    assert_eq!(probe.take_ids(9).await, [new.id, old.id]);
}
