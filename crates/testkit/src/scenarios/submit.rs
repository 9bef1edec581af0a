//! Handing work over: what a submission answers, and what it leaves alone.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Clock, NewJob, Payload, Priority, RequestContext, Status, limits};
use windlass_store::{Exchange, SubmitOutcome, Verbs};

use crate::jobs::{complete, delayed, job, many, owned_by, plain};
use crate::probe::Probe;

const CREATED: SubmitOutcome = SubmitOutcome::Created(Status::Queued);

pub async fn a_new_job_is_created_queued(probe: Probe) {
    let job = plain();
    assert_eq!(probe.submit(&job).await, CREATED);
    let kept = probe.job(job.id).await;
    assert_eq!((kept.status, kept.retries, kept.crashes), (Status::Queued, 0, 0));
    assert_eq!((kept.created_at, kept.updated_at), (probe.now(), probe.now()));
    assert_eq!((kept.scheduled_at, kept.started_at, kept.finished_at), (None, None, None));
    assert_eq!((kept.progress, kept.result, kept.error), (None, None, None));
    assert!(kept.attempts.is_empty() && !kept.cancel_requested);
}

pub async fn a_delayed_job_is_created_scheduled(probe: Probe) {
    let job = delayed(Duration::from_secs(60));
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Created(Status::Scheduled));
    let kept = probe.job(job.id).await;
    assert_eq!(kept.status, Status::Scheduled);
    assert_eq!(kept.scheduled_at, Some(probe.now().after(Duration::from_secs(60))));
}

pub async fn the_same_submission_again_is_existing(probe: Probe) {
    let job = plain();
    assert_eq!(probe.submit(&job).await, CREATED);
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Existing);
    assert_eq!(probe.take_ids(10).await, [job.id]);
}

pub async fn a_repetition_changes_nothing(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let before = probe.job(job.id).await;
    probe.advance(Duration::from_secs(5));
    let again = NewJob { priority: Priority::new(0).expect("valid"), ..job.clone() };
    assert_eq!(probe.submit(&again).await, SubmitOutcome::Existing);
    assert_eq!(probe.job(job.id).await, before);
}

pub async fn other_headers_and_trace_are_still_the_same_work(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let mut again = NewJob { traceparent: Some("00-4bf9-00f0-01".into()), ..job.clone() };
    again.context.headers.insert("x-hop".into(), vec!["2".into()]);
    assert_eq!(probe.submit(&again).await, SubmitOutcome::Existing);
    assert_eq!(*probe.job(job.id).await.new, job);
}

pub async fn another_payload_under_the_same_id_is_a_conflict(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let other = NewJob { payload: Payload::new("text/plain", "other input"), ..job };
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
}

pub async fn another_content_type_under_the_same_id_is_a_conflict(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let other = NewJob { payload: Payload::new("text/csv", job.payload.bytes.clone()), ..job };
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
}

pub async fn another_owner_under_the_same_id_is_a_conflict(probe: Probe) {
    let job = owned_by("alice");
    probe.submit(&job).await;
    let stolen = NewJob { owner: owned_by("eve").owner, ..job.clone() };
    let ownerless = NewJob { owner: None, ..job };
    assert_eq!(probe.submit(&stolen).await, SubmitOutcome::Conflict);
    assert_eq!(probe.submit(&ownerless).await, SubmitOutcome::Conflict);
}

pub async fn another_name_under_the_same_id_is_a_conflict(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let other = NewJob { name: "Other".parse().expect("valid"), ..job };
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
}

pub async fn other_route_values_under_the_same_id_are_a_conflict(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let mut other = job;
    other.context.route.insert("customer".into(), "7".into());
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
}

pub async fn a_conflict_changes_nothing(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let before = probe.job(job.id).await;
    probe.advance(Duration::from_secs(5));
    probe.submit(&NewJob { payload: Payload::empty(), ..job.clone() }).await;
    assert_eq!(probe.job(job.id).await, before);
    assert_eq!(probe.take_ids(10).await, [job.id]);
}

pub async fn a_finished_job_still_answers_for_its_id(probe: Probe) {
    let job = plain();
    probe.run_to(&job, complete()).await;
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Existing);
    assert_eq!(probe.status(job.id).await, Status::Completed);
    assert!(probe.take(1).await.is_empty());
}

pub async fn duplicates_in_one_batch_are_stored_once(probe: Probe) {
    let job = plain();
    let outcomes = probe.submit_all(&[job.clone(), job.clone(), job.clone()]).await;
    assert_eq!(outcomes, [CREATED, SubmitOutcome::Existing, SubmitOutcome::Existing]);
    assert_eq!(probe.take_ids(10).await, [job.id]);
}

pub async fn a_conflict_inside_one_batch_is_seen(probe: Probe) {
    let first = plain();
    let other = NewJob { payload: Payload::empty(), ..first.clone() };
    assert_eq!(probe.submit_all(&[first.clone(), other]).await, [CREATED, SubmitOutcome::Conflict]);
    assert_eq!(*probe.job(first.id).await.new, first);
}

pub async fn one_refusal_does_not_spoil_the_batch(probe: Probe) {
    let (before, after) = (plain(), plain());
    let taken = plain();
    probe.submit(&taken).await;
    let other = NewJob { payload: Payload::empty(), ..taken };
    let outcomes = probe.submit_all(&[before.clone(), other, after.clone()]).await;
    assert_eq!(outcomes, [CREATED, SubmitOutcome::Conflict, CREATED]);
    assert!(probe.find(before.id).await.is_some() && probe.find(after.id).await.is_some());
}

pub async fn answers_carry_the_ids_in_order_and_the_stores_now(probe: Probe) {
    let jobs = many(50);
    probe.advance(Duration::from_secs(77));
    let answers = probe.store().submit(jobs.clone()).await.expect("submit");
    let ids: Vec<_> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(ids, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    assert!(answers.iter().all(|answer| answer.at == probe.clock().now()));
}

pub async fn an_empty_turn_answers_nothing(probe: Probe) {
    let answers = probe.exchange(Exchange::default()).await;
    assert!(answers.fates.is_empty() && answers.extended.is_empty() && answers.submitted.is_empty());
    assert!(answers.claimed.jobs.is_empty() && answers.claimed.next_due.is_none() && !answers.claimed.more);
}

pub async fn a_full_batch_is_stored_whole(probe: Probe) {
    let jobs = many(limits::BATCH_MAX);
    assert!(probe.submit_all(&jobs).await.iter().all(|outcome| *outcome == CREATED));
    let ids = probe.take_ids(limits::BATCH_MAX + 1).await;
    assert_eq!(ids, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
}

pub async fn an_unknown_id_is_no_job(probe: Probe) {
    probe.submit(&plain()).await;
    assert_eq!(probe.find(plain().id).await, None);
}

pub async fn a_client_may_bring_any_uuid(probe: Probe) {
    for text in ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"] {
        let job = job(|draft| draft.id(text.parse().expect("a UUID")));
        assert_eq!(probe.submit(&job).await, CREATED);
        assert_eq!(probe.job(job.id).await.new.id, job.id);
    }
}

pub async fn the_request_context_is_kept(probe: Probe) {
    let mut context = RequestContext::default();
    context.headers.insert("accept-language".into(), vec!["de".into(), "zh-Hant".into()]);
    context.route.insert("customer".into(), "Zoë".into());
    context.query.insert("empty".into(), vec![String::new()]);
    let job = job(|draft| draft.context(context.clone()));
    probe.submit(&job).await;
    assert_eq!(probe.job(job.id).await.new.context, context);
}

pub async fn one_turn_may_hold_the_same_shared_job_twice(probe: Probe) {
    let job = Arc::new(plain());
    let turn = Exchange { submit: vec![Arc::clone(&job), job], ..Exchange::default() };
    let outcomes: Vec<_> = probe.exchange(turn).await.submitted.into_iter().map(|answer| answer.outcome).collect();
    assert_eq!(outcomes, [CREATED, SubmitOutcome::Existing]);
}
