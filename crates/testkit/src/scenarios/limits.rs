//! The bounds of input: what is inside comes back bit by bit, and a full queue says so.

use std::time::Duration;

use windlass_core::{
    Cause, MessageId, NewJob, Payload, Priority, Progress, RequestContext, RetryPolicy, Start, Status, Timestamp,
    limits,
};
use windlass_store::{Outcome, SubmitOutcome};

use crate::jobs::{complete, delayed, fail, job, many, owner_named, plain, waiting_in};
use crate::probe::{LEASE, Probe};

const CREATED: SubmitOutcome = SubmitOutcome::Created(Status::Queued);
const FULL: SubmitOutcome = SubmitOutcome::QueueFull;

async fn survives(probe: &Probe, job: &NewJob) {
    let taken = probe.run(job).await;
    assert_eq!(*taken.new, *job, "as claimed");
    assert_eq!(*probe.job(job.id).await.new, *job, "as read");
    probe.finish(taken.lease, Outcome::Complete(job.payload.clone())).await;
    assert_eq!(probe.job(job.id).await.result.as_ref(), Some(&job.payload), "as a result");
}

fn carrying(content_type: &'static str, bytes: impl Into<Vec<u8>>) -> NewJob {
    NewJob { payload: Payload::new(content_type, bytes.into()), ..plain() }
}

pub async fn a_full_queue_refuses(probe: Probe) {
    let jobs = many(3);
    assert_eq!(probe.submit_within(2, &jobs).await, [CREATED, CREATED, FULL]);
    assert_eq!(probe.find(jobs[2].id).await, None);
    assert_eq!(probe.take_ids(5).await, [jobs[0].id, jobs[1].id]);
}

pub async fn a_refused_job_can_come_again(probe: Probe) {
    let jobs = many(2);
    assert_eq!(probe.submit_within(1, &jobs).await, [CREATED, FULL]);
    probe.take_one().await;
    assert_eq!(probe.submit_within(1, &jobs[1..]).await, [CREATED]);
}

pub async fn a_limit_of_zero_refuses_everything(probe: Probe) {
    assert_eq!(probe.submit_within(0, &[plain(), delayed(LEASE)]).await, [FULL, FULL]);
}

pub async fn scheduled_jobs_count_as_waiting(probe: Probe) {
    probe.submit(&delayed(LEASE)).await;
    assert_eq!(probe.submit_within(1, &[plain()]).await, [FULL]);
    assert_eq!(probe.submit_within(1, &[delayed(LEASE)]).await, [FULL]);
    assert_eq!(probe.submit_within(2, &[plain()]).await, [CREATED]);
}

pub async fn running_and_finished_jobs_do_not_count_as_waiting(probe: Probe) {
    probe.run(&plain()).await;
    probe.run_to(&plain(), complete()).await;
    probe.run_to(&plain(), fail()).await;
    probe.run_to(&plain(), Outcome::Stop).await;
    assert_eq!(probe.submit_within(1, &[plain()]).await, [CREATED]);
}

pub async fn each_queue_has_its_own_room(probe: Probe) {
    probe.submit_all(&many(5)).await;
    let jobs = [waiting_in("mail"), plain(), waiting_in("mail"), waiting_in("images")];
    assert_eq!(probe.submit_within(1, &jobs).await, [CREATED, FULL, FULL, CREATED]);
}

pub async fn known_jobs_are_answered_although_the_queue_is_full(probe: Probe) {
    let job = plain();
    probe.submit(&job).await;
    let other = NewJob { payload: Payload::empty(), ..job.clone() };
    assert_eq!(probe.submit_within(1, &[job, other]).await, [SubmitOutcome::Existing, SubmitOutcome::Conflict]);
}

pub async fn without_a_limit_nothing_is_refused(probe: Probe) {
    assert!(probe.submit_all(&many(200)).await.iter().all(|outcome| *outcome == CREATED));
}

pub async fn room_is_counted_after_sweeps_and_cancellations(probe: Probe) {
    let jobs = [plain(), delayed(LEASE)];
    probe.submit_all(&jobs).await;
    probe.advance(LEASE);
    probe.sweep().await;
    assert_eq!(probe.submit_within(2, &[plain()]).await, [FULL]);
    probe.cancel(jobs[1].id).await;
    assert_eq!(probe.submit_within(2, &[plain()]).await, [CREATED]);
}

pub async fn every_field_comes_back_as_submitted(probe: Probe) {
    let mut context = RequestContext::default();
    context.headers.insert("accept".into(), vec!["a".into(), String::new(), "ü".into()]);
    context.route.insert("id".into(), "7".into());
    context.query.insert("q".into(), vec!["%20 &=\u{1f980}".into()]);
    let retry = RetryPolicy {
        max_retries: limits::RETRIES_MAX,
        base: Duration::new(1, 1),
        cap: limits::DELAY_MAX,
        max_crashes: u32::MAX,
    };
    let job = job(|draft| {
        let draft = draft.queue("q:1._-Z").priority(Priority::new(9).expect("valid")).retry(retry);
        let draft = draft.timeout(Duration::new(5, 999_999_999)).owner(Some(owner_named("tenant:user")));
        let draft = draft.context(context).traceparent(Some("00-0af7651916cd43dd8448eb211c80319c-01".into()));
        let began = MessageId::generate(Timestamp::from_millis(1));
        let cause = Cause {
            causation: Some(began.into()),
            tenant: Some("ü".repeat(Cause::TENANT_BYTES_MAX / 2).into()),
            ..Cause::beginning(began.into())
        };
        draft.cause(Some(cause)).start(Start::At(Timestamp::from_micros(-1)))
    });
    survives(&probe, &job).await;
}

pub async fn an_empty_payload_survives(probe: Probe) {
    survives(&probe, &NewJob { payload: Payload::empty(), ..plain() }).await;
}

pub async fn a_binary_payload_survives(probe: Probe) {
    let bytes: Vec<u8> = (0..=255).cycle().take(4_096).collect();
    survives(&probe, &carrying("application/octet-stream", bytes)).await;
}

pub async fn a_unicode_payload_survives(probe: Probe) {
    survives(&probe, &carrying("text/plain; charset=utf-8", "e\u{301}\u{202e}\u{1f980}\0\r\n'\"\\ Ω")).await;
}

pub async fn odd_json_survives_byte_by_byte(probe: Probe) {
    survives(&probe, &carrying("application/json", "{ \"a\" : 1.0e+2,\n\"a\":18446744073709551616 }")).await;
}

pub async fn a_payload_of_a_mebibyte_survives(probe: Probe) {
    let mixed = |number: u32| (number.wrapping_mul(2_654_435_761) >> 24) as u8;
    let bytes: Vec<u8> = (0..limits::PAYLOAD_BYTES_DEFAULT as u32).map(mixed).collect();
    survives(&probe, &carrying("application/octet-stream", bytes)).await;
}

pub async fn the_longest_names_survive(probe: Probe) {
    let name = "n".repeat(limits::NAME_LENGTH_MAX);
    let job = NewJob { name: name.parse().expect("valid"), owner: Some(owner_named(&name)), ..waiting_in(&name) };
    survives(&probe, &job).await;
}

pub async fn the_largest_context_survives(probe: Probe) {
    let mut context = RequestContext::default();
    context.headers.insert("x".into(), vec!["v".repeat(limits::CONTEXT_BYTES_MAX - 1)]);
    survives(&probe, &job(|draft| draft.context(context))).await;
}

pub async fn the_largest_error_survives(probe: Probe) {
    let job = plain();
    let mut error = windlass_core::JobError::new("BIG", "e".repeat(limits::ERROR_BYTES_MAX));
    error.chain = vec!["c".repeat(limits::ERROR_BYTES_MAX); limits::ERROR_CHAIN_MAX];
    probe.run_to(&job, Outcome::Fail(error.clone())).await;
    assert_eq!(probe.job(job.id).await.error, Some(error));
}

pub async fn progress_survives_with_and_without_words(probe: Probe) {
    let job = plain();
    let taken = probe.run(&job).await;
    for (fraction, message) in [(0.0, None), (0.1 + 0.2, Some("½ \u{1f980}".to_owned())), (1.0, Some(String::new()))] {
        let progress = Progress { fraction, message };
        probe.extend_for(taken.lease, LEASE, Some(progress.clone())).await;
        assert_eq!(probe.job(job.id).await.progress, Some(progress));
    }
}

pub async fn a_store_answers_when_asked_whether_it_is_there(probe: Probe) {
    probe.store().ping().await.expect("the store is there");
    assert!(!probe.store().name().is_empty());
}
