//! Taking work: who gets which job, how many, and what the answer says about the rest.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Incarnation, Status};
use windlass_store::{Claim, Exchange};

use crate::jobs::{complete, delayed, many, plain, retry, waiting_in};
use crate::probe::{Probe, settlement};

pub async fn nothing_to_claim_is_an_empty_answer(probe: Probe) {
    let claimed = probe.claim(probe.want(&["default"], 10)).await;
    assert!(claimed.jobs.is_empty() && claimed.next_due.is_none() && !claimed.more);
}

pub async fn a_claimed_job_is_in_progress(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    probe.advance(Duration::from_secs(3));
    let taken = probe.take_one().await;
    let kept = probe.job(job.id).await;
    assert_eq!(taken.lease.id, job.id);
    assert_eq!((kept.status, kept.started_at), (Status::InProgress, Some(probe.now())));
    assert!(kept.attempts.is_empty() && kept.finished_at.is_none());
}

pub async fn a_claim_says_all_about_the_attempt(probe: Probe) {
    let job = plain();
    let accepted = probe.now();
    probe.submit(&job).await;
    probe.advance(Duration::from_secs(3));
    let taken = probe.take_one().await;
    assert_eq!(*taken.new, job);
    assert_eq!((taken.retries, taken.crashes, taken.attempt()), (0, 0, 1));
    assert_eq!((taken.created_at, taken.started_at), (accepted, probe.now()));
}

pub async fn the_limit_is_respected(probe: Probe) {
    probe.submit_all(&many(10)).await;
    assert_eq!(probe.take(4).await.len(), 4);
    assert_eq!(probe.take(4).await.len(), 4);
    assert_eq!(probe.take(4).await.len(), 2);
}

pub async fn a_limit_of_zero_takes_nothing(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    assert!(probe.take(0).await.is_empty());
    assert_eq!(probe.status(job.id).await, Status::Queued);
}

pub async fn only_named_queues_are_served(probe: Probe) {
    let (mine, other) = (waiting_in("mine"), waiting_in("other"));
    probe.submit_all(&[other.clone(), mine.clone()]).await;
    let taken = probe.take_from(&["mine"], 10).await;
    assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [mine.id]);
    assert_eq!(probe.status(other.id).await, Status::Queued);
}

pub async fn without_queues_nothing_is_claimed(probe: Probe) {
    probe.submit(&plain()).await;
    let claimed = probe.claim(probe.want(&[], 10)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more && claimed.next_due.is_none());
}

pub async fn queue_names_match_whole_and_in_their_case(probe: Probe) {
    probe.submit_all(&[waiting_in("mail"), waiting_in("Mail"), waiting_in("mail.eu")]).await;
    assert_eq!(probe.take_from(&["mail"], 10).await.len(), 1);
    assert!(probe.take_from(&["mai", "MAIL", "mail."], 10).await.is_empty());
}

pub async fn more_says_whether_jobs_are_left(probe: Probe) {
    probe.submit_all(&many(3)).await;
    assert!(probe.claim(probe.want(&["default"], 2)).await.more);
    assert!(!probe.claim(probe.want(&["default"], 2)).await.more);
}

pub async fn a_claim_that_takes_exactly_all_leaves_no_more(probe: Probe) {
    probe.submit_all(&many(2)).await;
    assert!(!probe.claim(probe.want(&["default"], 2)).await.more);
}

pub async fn more_speaks_of_the_claimed_queues_only(probe: Probe) {
    probe.submit_all(&[waiting_in("mine"), waiting_in("other")]).await;
    assert!(!probe.claim(probe.want(&["mine"], 1)).await.more);
}

pub async fn jobs_that_are_not_due_are_not_more(probe: Probe) {
    probe.submit_all(&[plain(), delayed(Duration::from_secs(60))]).await;
    assert!(!probe.claim(probe.want(&["default"], 1)).await.more);
}

pub async fn a_claimed_job_is_not_claimed_again(probe: Probe) {
    probe.run(&plain()).await;
    assert!(probe.take(10).await.is_empty());
}

pub async fn two_claimers_share_the_work(probe: Probe) {
    let jobs = many(6);
    probe.submit_all(&jobs).await;
    let other = Claim { worker: Incarnation::random(), ..probe.want(&["default"], 3) };
    let mut ids = probe.take_ids(3).await;
    ids.extend(probe.claim(other).await.jobs.iter().map(|taken| taken.lease.id));
    assert_eq!(ids, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
}

pub async fn a_job_submitted_in_the_same_turn_is_claimed(probe: Probe) {
    let job = plain();
    let claim = Some(probe.want(&["default"], 1));
    let answers = probe.exchange(Exchange { submit: vec![Arc::new(job.clone())], claim, ..Exchange::default() }).await;
    assert_eq!(answers.claimed.jobs[0].lease.id, job.id);
    assert_eq!(probe.status(job.id).await, Status::InProgress);
}

pub async fn a_turn_settles_submits_and_claims_at_once(probe: Probe) {
    let (first, second) = (plain(), plain());
    let running = probe.run(&first).await;
    let turn = Exchange {
        settle: vec![settlement(running.lease, complete(), &[])],
        submit: vec![Arc::new(second.clone())],
        claim: Some(probe.want(&["default"], 5)),
        ..Exchange::default()
    };
    let answers = probe.exchange(turn).await;
    assert_eq!(answers.claimed.jobs.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [second.id]);
    assert_eq!(probe.status(first.id).await, Status::Completed);
}

pub async fn each_claim_has_its_own_lease(probe: Probe) {
    probe.submit_all(&many(20)).await;
    let leases: std::collections::HashSet<_> = probe.take(20).await.iter().map(|taken| taken.lease).collect();
    assert_eq!(leases.len(), 20);
}

pub async fn a_claim_carries_what_was_spent_before(probe: Probe) {
    probe.run_to(&plain(), retry(Duration::ZERO)).await;
    let taken = probe.take_one().await;
    assert_eq!((taken.retries, taken.crashes, taken.attempt()), (1, 0, 2));
}

pub async fn leases_last_as_long_as_each_claim_says(probe: Probe) {
    let (short, long) = (plain(), plain());
    probe.submit_all(&[short.clone(), long.clone()]).await;
    let lease = Duration::from_secs(5);
    probe.claim(Claim { lease, ..probe.want(&["default"], 1) }).await;
    probe.take_one().await;
    probe.advance(lease);
    assert_eq!(probe.sweep().await.reclaimed, 1);
    assert_eq!(probe.status(short.id).await, Status::Queued);
    assert_eq!(probe.status(long.id).await, Status::InProgress);
}
