//! Who goes first: queues as the claim names them, then priority, then acceptance.

use std::time::Duration;

use windlass_core::{JobId, NewJob, Priority};
use windlass_store::Outcome;

use crate::jobs::{delayed, job, many, plain, ranked, retry, waiting_in};
use crate::probe::Probe;

fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

pub async fn equals_go_in_order_of_submission(probe: Probe) {
    let jobs = many(20);
    probe.submit_all(&jobs).await;
    assert_eq!(probe.take_ids(20).await, ids(&jobs));
}

pub async fn order_holds_over_many_submissions_and_claims(probe: Probe) {
    let jobs = many(12);
    for job in &jobs {
        probe.submit(job).await;
    }
    let mut taken = Vec::new();
    while taken.len() < jobs.len() {
        taken.extend(probe.take_ids(5).await);
    }
    assert_eq!(taken, ids(&jobs));
}

pub async fn lower_levels_go_first(probe: Probe) {
    let jobs: Vec<_> = (0..10).map(ranked).collect();
    let mixed: Vec<_> = [3, 9, 0, 5, 7, 1, 8, 2, 6, 4].map(|level: usize| jobs[level].clone()).into();
    probe.submit_all(&mixed).await;
    assert_eq!(probe.take_ids(10).await, ids(&jobs));
}

pub async fn order_of_submission_decides_inside_a_level(probe: Probe) {
    let jobs = [ranked(7), ranked(2), ranked(7), ranked(2)];
    probe.submit_all(&jobs).await;
    assert_eq!(probe.take_ids(4).await, [jobs[1].id, jobs[3].id, jobs[0].id, jobs[2].id]);
}

pub async fn an_urgent_newcomer_overtakes(probe: Probe) {
    let (calm, urgent) = (many(3), ranked(0));
    probe.submit_all(&calm).await;
    probe.submit(&urgent).await;
    assert_eq!(probe.take_ids(1).await, [urgent.id]);
}

pub async fn queues_go_in_the_order_of_the_claim(probe: Probe) {
    let (first, second) = (waiting_in("first"), waiting_in("second"));
    probe.submit_all(&[second.clone(), first.clone()]).await;
    let taken = probe.take_from(&["first", "second"], 2).await;
    assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [first.id, second.id]);
}

pub async fn priority_does_not_reach_across_queues(probe: Probe) {
    let level = |level| Priority::new(level).expect("valid");
    let last_of_first = job(|draft| draft.queue("first").priority(level(9)));
    let first_of_second = job(|draft| draft.queue("second").priority(level(0)));
    probe.submit_all(&[first_of_second, last_of_first.clone()]).await;
    assert_eq!(probe.take_from(&["first", "second"], 1).await[0].lease.id, last_of_first.id);
}

pub async fn a_later_queue_fills_what_is_left_of_the_limit(probe: Probe) {
    probe.submit_all(&[waiting_in("second"), waiting_in("second"), waiting_in("first")]).await;
    let claimed = probe.claim(probe.want(&["first", "second"], 2)).await;
    let queues: Vec<_> = claimed.jobs.iter().map(|taken| taken.new.queue.as_str().to_owned()).collect();
    assert_eq!(queues, ["first", "second"]);
    assert!(claimed.more);
}

pub async fn a_retried_job_goes_before_newer_ones(probe: Probe) {
    let (old, new) = (plain(), plain());
    probe.run_to(&old, retry(Duration::from_secs(1))).await;
    probe.submit(&new).await;
    probe.advance(Duration::from_secs(1));
    assert_eq!(probe.take_ids(2).await, [old.id, new.id]);
}

pub async fn a_released_job_keeps_its_place(probe: Probe) {
    let jobs = many(3);
    probe.submit_all(&jobs).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, Outcome::Release).await;
    assert_eq!(probe.take_ids(3).await, ids(&jobs));
}

pub async fn a_reclaimed_job_keeps_its_place(probe: Probe) {
    let jobs = many(3);
    probe.submit_all(&jobs).await;
    probe.take_one().await;
    probe.crash().await;
    assert_eq!(probe.take_ids(3).await, ids(&jobs));
}

pub async fn a_due_job_keeps_the_place_of_its_acceptance(probe: Probe) {
    let (early, late) = (delayed(Duration::from_secs(10)), plain());
    probe.submit(&early).await;
    probe.submit(&late).await;
    probe.advance(Duration::from_secs(10));
    assert_eq!(probe.take_ids(2).await, [early.id, late.id]);
}

pub async fn due_jobs_obey_priority(probe: Probe) {
    let due = job(|draft| {
        draft.priority(Priority::new(1).expect("valid")).start(windlass_core::Start::After(Duration::from_secs(5)))
    });
    let ready = ranked(2);
    probe.submit_all(&[ready.clone(), due.clone()]).await;
    probe.advance(Duration::from_secs(5));
    assert_eq!(probe.take_ids(2).await, [due.id, ready.id]);
}
