//! Jobs that are submitted and claimed by the same turn. A store may take a short cut with them; nobody may notice.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{JobId, NewJob, Priority, Status};
use windlass_store::{Exchange, Exchanged, SubmitOutcome};

use crate::jobs::{complete, delayed, job, many, plain, ranked, waiting_in};
use crate::probe::{LEASE, Probe};

/// Submits and claims up to `limit` from `queues` in one turn.
async fn at_once(probe: &Probe, jobs: &[NewJob], queues: &[&str], limit: usize) -> Exchanged {
    let submit = jobs.iter().cloned().map(Arc::new).collect();
    let claim = Some(probe.want(queues, limit));
    probe.exchange(Exchange { submit, claim, ..Exchange::default() }).await
}

fn taken(answers: &Exchanged) -> Vec<JobId> {
    answers.claimed.jobs.iter().map(|taken| taken.lease.id).collect()
}

pub async fn a_turns_own_jobs_come_in_the_order_of_a_claim(probe: Probe) {
    let in_line = |queue: &str, level| {
        let priority = Priority::new(level).expect("a level from 0 to 9");
        job(|draft| draft.queue(queue).priority(priority))
    };
    let jobs = [in_line("b", 0), in_line("a", 7), in_line("a", 2), in_line("b", 0), in_line("a", 2)];
    let answers = at_once(&probe, &jobs, &["a", "b"], 5).await;
    assert_eq!(taken(&answers), [2, 4, 1, 0, 3].map(|place: usize| jobs[place].id));
    assert!(!answers.claimed.more && answers.claimed.next_due.is_none());
}

pub async fn a_turns_own_jobs_beyond_the_limit_wait(probe: Probe) {
    let jobs = [ranked(5), ranked(9), ranked(0)];
    let answers = at_once(&probe, &jobs, &["default"], 2).await;
    assert_eq!(taken(&answers), [jobs[2].id, jobs[0].id]);
    assert!(answers.claimed.more);
    assert_eq!(probe.status(jobs[1].id).await, Status::Queued);
}

pub async fn who_waits_goes_before_a_turns_own_jobs(probe: Probe) {
    let (early, late) = (plain(), plain());
    probe.submit(&early).await;
    let answers = at_once(&probe, &[late.clone(), ranked(0)], &["default"], 2).await;
    assert_eq!(taken(&answers).len(), 2);
    assert!(taken(&answers).contains(&early.id));
    assert_eq!(probe.take_ids(5).await, [late.id]);
}

pub async fn a_due_job_goes_before_a_turns_own_jobs(probe: Probe) {
    let (due, late) = (delayed(Duration::from_secs(5)), plain());
    probe.submit(&due).await;
    probe.advance(Duration::from_secs(5));
    let answers = at_once(&probe, std::slice::from_ref(&late), &["default"], 1).await;
    assert_eq!(taken(&answers), [due.id]);
    assert_eq!(probe.take_ids(5).await, [late.id]);
}

pub async fn a_turn_leaves_alone_what_it_does_not_claim(probe: Probe) {
    let (later, elsewhere, now) = (delayed(Duration::from_secs(9)), waiting_in("other"), plain());
    let jobs = [later.clone(), elsewhere.clone(), now.clone()];
    let answers = at_once(&probe, &jobs, &["default"], 9).await;
    assert_eq!(taken(&answers), [now.id]);
    assert_eq!(answers.claimed.next_due, Some(Duration::from_secs(9)));
    assert_eq!(probe.status(later.id).await, Status::Scheduled);
    assert_eq!(probe.status(elsewhere.id).await, Status::Queued);
}

pub async fn a_turns_own_jobs_count_for_the_queue_limit(probe: Probe) {
    let jobs: Vec<_> = many(3).into_iter().map(Arc::new).collect();
    let claim = Some(probe.want(&["default"], 3));
    let turn = Exchange { submit: jobs, queue_limit: Some(2), claim, ..Exchange::default() };
    let answers = probe.exchange(turn).await;
    let outcomes: Vec<_> = answers.submitted.iter().map(|answer| answer.outcome).collect();
    let created = SubmitOutcome::Created(Status::Queued);
    assert_eq!(outcomes, [created, created, SubmitOutcome::QueueFull]);
    assert_eq!(answers.claimed.jobs.len(), 2);
    assert_eq!(probe.submit_within(2, &many(2)).await, [created, created], "nobody waits any more");
}

pub async fn a_turns_own_job_may_come_twice(probe: Probe) {
    let one = plain();
    let other = NewJob { name: waiting_in("x").name, priority: Priority::new(1).expect("valid"), ..one.clone() };
    let answers = at_once(&probe, &[one.clone(), other], &["default"], 5).await;
    assert_eq!(answers.submitted[1].outcome, SubmitOutcome::Existing);
    assert_eq!(taken(&answers), [one.id]);
}

pub async fn a_turns_own_job_is_a_job_like_any_other(probe: Probe) {
    let job = plain();
    let answers = at_once(&probe, std::slice::from_ref(&job), &["default"], 1).await;
    let taken = &answers.claimed.jobs[0];
    assert_eq!((taken.retries, taken.crashes, taken.created_at, taken.started_at), (0, 0, probe.now(), probe.now()));
    assert_eq!(*taken.new, job);
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.started_at), (Status::InProgress, Some(probe.now())));
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
}

pub async fn a_turns_own_job_is_reclaimed_when_its_lease_ends(probe: Probe) {
    let job = plain();
    let answers = at_once(&probe, std::slice::from_ref(&job), &["default"], 1).await;
    let lost = answers.claimed.jobs[0].lease;
    probe.advance(LEASE);
    assert_eq!(probe.sweep().await.reclaimed, 1);
    let again = probe.take_one().await;
    assert_eq!((again.lease.id, again.crashes), (job.id, 1));
    assert!(again.lease.token > lost.token, "each claim has a later token");
}
