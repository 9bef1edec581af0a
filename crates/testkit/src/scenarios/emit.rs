//! Follow-up work appears if and only if the completion behind it was accepted.

use std::time::Duration;

use windlass_core::{JobId, NewJob, Payload, Status};
use windlass_store::{Exchange, Fate, Outcome};

use crate::jobs::{complete, delayed, fail, job, plain, retry, snooze};
use crate::probe::{LEASE, Probe, settlement};

fn child_of(parent: JobId, index: u32) -> NewJob {
    job(|draft| draft.id(parent.emitted(index)))
}

pub async fn emitted_jobs_appear_with_the_completion(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let children = [child_of(parent.lease.id, 0), child_of(parent.lease.id, 1)];
    probe.advance(Duration::from_secs(1));
    probe.settle_emitting(parent.lease, complete(), &children).await;
    let kept = probe.job(children[0].id).await;
    assert_eq!((kept.status, kept.created_at), (Status::Queued, probe.now()));
    assert_eq!((*kept.new).clone(), children[0]);
    assert_eq!(probe.take_ids(5).await, [children[0].id, children[1].id]);
}

pub async fn emitted_jobs_are_claimable_in_the_same_turn(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = child_of(parent.lease.id, 0);
    let settle = vec![settlement(parent.lease, complete(), std::slice::from_ref(&child))];
    let claim = Some(probe.want(&["default"], 1));
    let answers = probe.exchange(Exchange { settle, claim, ..Exchange::default() }).await;
    assert_eq!(answers.claimed.jobs[0].lease.id, child.id);
}

pub async fn an_emitted_job_may_be_delayed(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = NewJob { id: parent.lease.id.emitted(0), ..delayed(Duration::from_secs(60)) };
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(probe.status(child.id).await, Status::Scheduled);
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, Some(Duration::from_secs(60)));
}

pub async fn an_emitted_job_waits_in_its_own_queue(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = NewJob { id: parent.lease.id.emitted(0), ..crate::jobs::waiting_in("mail") };
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert!(probe.take(1).await.is_empty());
    assert_eq!(probe.take_from(&["mail"], 1).await[0].lease.id, child.id);
}

pub async fn a_repetition_emits_nothing_twice(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = child_of(parent.lease.id, 0);
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    let again = probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(again, Fate::Repeated(Status::Completed));
    assert_eq!(probe.take_ids(5).await, [child.id]);
}

pub async fn a_repetition_with_other_children_emits_none_of_them(probe: Probe) {
    let parent = probe.run_to(&plain(), complete()).await;
    let child = child_of(parent.lease.id, 0);
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(probe.find(child.id).await, None);
}

pub async fn a_refused_completion_emits_nothing(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = child_of(parent.lease.id, 0);
    probe.advance(LEASE);
    let fate = probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(fate, Fate::LeaseLost);
    assert_eq!(probe.find(child.id).await, None);
}

pub async fn only_a_completion_emits(probe: Probe) {
    for outcome in [fail(), retry(LEASE), snooze(LEASE), Outcome::Stop, Outcome::Release] {
        let parent = probe.run(&plain()).await;
        let child = child_of(parent.lease.id, 0);
        probe.settle_emitting(parent.lease, outcome, std::slice::from_ref(&child)).await;
        assert_eq!(probe.find(child.id).await, None);
    }
}

pub async fn a_retried_parent_emits_when_it_completes(probe: Probe) {
    let parent = probe.run_to(&plain(), retry(Duration::ZERO)).await;
    let again = probe.take_one().await;
    let child = child_of(parent.lease.id, 0);
    probe.settle_emitting(again.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(probe.status(child.id).await, Status::Queued);
}

pub async fn emitted_jobs_are_exempt_from_the_queue_limit(probe: Probe) {
    let parent = probe.run(&plain()).await;
    probe.submit_within(1, &[plain()]).await;
    let children = [0, 1, 2].map(|index| child_of(parent.lease.id, index));
    let settle = vec![settlement(parent.lease, complete(), &children)];
    probe.exchange(Exchange { settle, queue_limit: Some(1), ..Exchange::default() }).await;
    for child in &children {
        assert_eq!(probe.status(child.id).await, Status::Queued);
    }
}

pub async fn an_emitted_id_that_exists_changes_nothing(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let child = child_of(parent.lease.id, 0);
    probe.submit(&child).await;
    let before = probe.job(child.id).await;
    let other = NewJob { payload: Payload::empty(), ..child.clone() };
    let fate = probe.settle_emitting(parent.lease, complete(), &[other]).await;
    assert_eq!(fate, Fate::Settled(Status::Completed));
    assert_eq!(probe.job(child.id).await, before);
}

pub async fn a_completion_under_cancel_emits(probe: Probe) {
    let parent = probe.run(&plain()).await;
    probe.cancel(parent.lease.id).await;
    let child = child_of(parent.lease.id, 0);
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    assert_eq!(probe.status(child.id).await, Status::Queued);
}

// The embedded store once wrote settlements oldest job first, and accepted what they emitted in that order too.
pub async fn emitted_jobs_come_in_the_order_of_their_settlements(probe: Probe) {
    let (older, younger) = (probe.run(&plain()).await, probe.run(&plain()).await);
    let (first, second) = (child_of(younger.lease.id, 0), child_of(older.lease.id, 0));
    let settle = vec![
        settlement(younger.lease, complete(), std::slice::from_ref(&first)),
        settlement(older.lease, complete(), std::slice::from_ref(&second)),
    ];
    probe.exchange(Exchange { settle, ..Exchange::default() }).await;
    assert_eq!(probe.take_ids(2).await, [first.id, second.id]);
}

pub async fn emitted_jobs_come_before_submissions_of_the_same_turn(probe: Probe) {
    let parent = probe.run(&plain()).await;
    let (child, submitted) = (child_of(parent.lease.id, 0), plain());
    let turn = Exchange {
        settle: vec![settlement(parent.lease, complete(), std::slice::from_ref(&child))],
        submit: vec![submitted.clone().into()],
        claim: Some(probe.want(&["default"], 2)),
        ..Exchange::default()
    };
    let claimed = probe.exchange(turn).await.claimed;
    assert_eq!(claimed.jobs.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [child.id, submitted.id]);
}
