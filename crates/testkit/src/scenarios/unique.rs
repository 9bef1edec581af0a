//! Unique jobs: while one stands, another that is the same is refused or takes its place, and the answer names who stands.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use windlass_core::{JobId, Limits, NewJob, Owner, Payload, Start, Status, Unique};
use windlass_store::{
    Exchange, Extend, Extension, Hint, Lease, Outcome, Settlement, SharedStore, SubmitOutcome, Submitted,
};

use crate::jobs::{complete, fail, job, plain, retry, snooze, waiting_in};
use crate::probe::{LEASE, Probe, TICK, settlement};
use crate::scenarios::hints::expect;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn unique(unique: Unique) -> NewJob {
    job(|draft| draft.unique(unique))
}

fn keyed() -> NewJob {
    unique(Unique::key("k"))
}

fn replacing() -> NewJob {
    unique(Unique::key("k").replace())
}

fn newest() -> NewJob {
    unique(Unique::key("k").cancel_running())
}

fn throttled() -> NewJob {
    unique(Unique::key("k").within(HOUR))
}

async fn submit(probe: &Probe, job: &NewJob) -> Submitted {
    let turn = Exchange { submit: vec![Arc::new(job.clone())], ..Exchange::default() };
    probe.exchange(turn).await.submitted[0]
}

async fn accepted(probe: &Probe, job: &NewJob) {
    let answer = submit(probe, job).await;
    assert!(matches!(answer.outcome, SubmitOutcome::Created(_)), "{:?}", answer.outcome);
    assert_eq!(answer.id, job.id);
}

async fn refused_for(probe: &Probe, job: &NewJob, standing: JobId) {
    let answer = submit(probe, job).await;
    assert_eq!((answer.outcome, answer.id), (SubmitOutcome::Duplicate, standing));
    assert!(probe.find(job.id).await.is_none(), "nothing was stored");
}

pub async fn a_second_one_is_refused_and_told_of_the_first(probe: Probe) {
    let (first, second) = (keyed(), keyed());
    accepted(&probe, &first).await;
    refused_for(&probe, &second, first.id).await;
    assert_eq!(probe.take_ids(9).await, [first.id]);
}

pub async fn other_keys_handlers_and_owners_are_others(probe: Probe) {
    let others = [
        keyed(),
        unique(Unique::key("other")),
        unique(Unique::input()),
        job(|draft| draft.unique(Unique::key("k")).owner(Some(Owner::new("acme").expect("valid")))),
        plain(),
        plain(),
    ];
    for other in &others {
        accepted(&probe, other).await;
    }
    assert_eq!(probe.take(9).await.len(), others.len());
}

pub async fn the_key_holds_across_queues_or_within_one(probe: Probe) {
    let (here, there) = (keyed(), job(|draft| draft.queue("there").unique(Unique::key("k"))));
    accepted(&probe, &here).await;
    refused_for(&probe, &there, here.id).await;
    for queue in ["default", "there"] {
        accepted(&probe, &job(|draft| draft.queue(queue).unique(Unique::key("k").in_queue()))).await;
    }
}

pub async fn a_job_that_waits_or_runs_holds_its_key(probe: Probe) {
    let first = job(|draft| draft.unique(Unique::key("k")).start(Start::After(HOUR)));
    accepted(&probe, &first).await;
    refused_for(&probe, &keyed(), first.id).await;
    probe.advance(HOUR);
    let taken = probe.take_one().await;
    refused_for(&probe, &keyed(), first.id).await;
    probe.finish(taken.lease, retry(HOUR)).await;
    refused_for(&probe, &keyed(), first.id).await;
}

pub async fn the_end_of_a_job_frees_its_key(probe: Probe) {
    for outcome in [complete(), fail()] {
        let next = keyed();
        accepted(&probe, &next).await;
        let taken = probe.take_one().await;
        assert_eq!(taken.lease.id, next.id);
        probe.finish(taken.lease, outcome).await;
    }
    let canceled = keyed();
    accepted(&probe, &canceled).await;
    probe.cancel(canceled.id).await;
    accepted(&probe, &keyed()).await;
}

pub async fn a_crash_frees_no_key(probe: Probe) {
    let first = keyed();
    accepted(&probe, &first).await;
    probe.take_one().await;
    probe.crash().await;
    refused_for(&probe, &keyed(), first.id).await;
}

pub async fn chosen_states_hold_the_key(probe: Probe) {
    let done_too = || unique(Unique::key("k").states([Status::Queued, Status::Completed]));
    let first = done_too();
    accepted(&probe, &first).await;
    refused_for(&probe, &done_too(), first.id).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    refused_for(&probe, &done_too(), first.id).await;
    probe.advance(DAY + HOUR);
    probe.sweep().await;
    assert!(probe.find(first.id).await.is_none());
    accepted(&probe, &done_too()).await;
}

pub async fn a_state_that_is_not_chosen_holds_nothing(probe: Probe) {
    let while_queued = || unique(Unique::key("k").states([Status::Queued]));
    accepted(&probe, &while_queued()).await;
    probe.take_one().await;
    accepted(&probe, &while_queued()).await;
}

pub async fn a_throttled_key_is_held_for_its_period_and_no_longer(probe: Probe) {
    let first = throttled();
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    probe.advance(HOUR - TICK);
    refused_for(&probe, &throttled(), first.id).await;
    probe.advance(TICK);
    accepted(&probe, &throttled()).await;
}

pub async fn a_period_that_is_over_holds_nothing_even_while_the_job_waits(probe: Probe) {
    accepted(&probe, &throttled()).await;
    probe.advance(HOUR);
    accepted(&probe, &throttled()).await;
    assert_eq!(probe.take(9).await.len(), 2);
}

pub async fn a_period_outlives_the_job(probe: Probe) {
    let long = || unique(Unique::key("k").within(DAY * 10));
    let first = long();
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    probe.advance(DAY * 2);
    probe.sweep().await;
    assert!(probe.find(first.id).await.is_none(), "it is removed");
    let answer = submit(&probe, &long()).await;
    assert_eq!((answer.outcome, answer.id), (SubmitOutcome::Duplicate, first.id));
    probe.advance(DAY * 8);
    probe.sweep().await;
    accepted(&probe, &long()).await;
}

pub async fn an_extended_period_begins_anew(probe: Probe) {
    let extending = || unique(Unique::key("k").within(HOUR).extend());
    let first = extending();
    accepted(&probe, &first).await;
    for _ in 0..3 {
        probe.advance(HOUR - TICK);
        refused_for(&probe, &extending(), first.id).await;
    }
    probe.advance(HOUR);
    accepted(&probe, &extending()).await;
}

pub async fn a_period_that_is_not_extended_counts_from_the_first(probe: Probe) {
    let first = throttled();
    accepted(&probe, &first).await;
    probe.advance(HOUR / 2);
    refused_for(&probe, &throttled(), first.id).await;
    probe.advance(HOUR / 2);
    accepted(&probe, &throttled()).await;
}

pub async fn a_waiting_job_is_replaced_and_canceled(probe: Probe) {
    let (first, second, third) = (replacing(), replacing(), keyed());
    accepted(&probe, &first).await;
    let answer = submit(&probe, &second).await;
    assert_eq!((answer.outcome, answer.id), (SubmitOutcome::Replaced(first.id), second.id));
    assert_eq!(probe.status(first.id).await, Status::Canceled);
    refused_for(&probe, &third, second.id).await;
    assert_eq!(probe.take_ids(9).await, [second.id]);
}

pub async fn a_running_job_is_not_replaced(probe: Probe) {
    let first = replacing();
    accepted(&probe, &first).await;
    probe.take_one().await;
    refused_for(&probe, &replacing(), first.id).await;
    assert_eq!(probe.status(first.id).await, Status::InProgress);
}

/// A debounce: the last of a burst runs, and only when it is over.
pub async fn of_a_burst_the_last_runs_when_it_is_over(probe: Probe) {
    let debounced = |number: usize| {
        let draft = NewJob::build("Scenario", Payload::new("text/plain", number.to_string()));
        let draft = draft.unique(Unique::key("k").replace()).start(Start::After(Duration::from_secs(5)));
        draft.finish(windlass_core::Timestamp::UNIX_EPOCH).expect("valid")
    };
    let burst: Vec<NewJob> = (0..4).map(debounced).collect();
    for job in &burst {
        let _ = submit(&probe, job).await;
        probe.advance(Duration::from_secs(4));
        assert!(probe.take(9).await.is_empty());
    }
    probe.advance(Duration::from_secs(1));
    assert_eq!(probe.take_ids(9).await, [burst[3].id]);
}

pub async fn a_job_that_came_back_can_be_replaced(probe: Probe) {
    let first = replacing();
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, snooze(HOUR)).await;
    let second = replacing();
    assert_eq!(submit(&probe, &second).await.outcome, SubmitOutcome::Replaced(first.id));
    probe.advance(HOUR);
    assert_eq!(probe.take_ids(9).await, [second.id]);
}

pub async fn a_suspect_can_be_replaced(probe: Probe) {
    let first = replacing();
    accepted(&probe, &first).await;
    for _ in 0..2 {
        probe.take_one().await;
        probe.crash().await;
    }
    let second = replacing();
    assert_eq!(submit(&probe, &second).await.outcome, SubmitOutcome::Replaced(first.id));
    assert_eq!(probe.take_ids(9).await, [second.id]);
}

pub async fn of_one_batch_the_first_stands(probe: Probe) {
    let batch = [keyed(), plain(), keyed(), keyed(), plain()];
    let turn = Exchange { submit: batch.iter().cloned().map(Arc::new).collect(), ..Exchange::default() };
    let answers = probe.exchange(turn).await.submitted;
    let stands: Vec<JobId> = answers.iter().map(|answer| answer.id).collect();
    assert_eq!(stands, [0, 1, 0, 0, 4].map(|place: usize| batch[place].id));
    let mut taken = probe.take_ids(9).await;
    taken.sort_unstable();
    let mut stored = [0, 1, 4].map(|place: usize| batch[place].id);
    stored.sort_unstable();
    assert_eq!(taken, stored);
}

pub async fn of_one_batch_that_replaces_the_last_stands(probe: Probe) {
    let batch = [replacing(), replacing(), replacing()];
    let turn = Exchange { submit: batch.iter().cloned().map(Arc::new).collect(), ..Exchange::default() };
    let answers = probe.exchange(turn).await.submitted;
    assert_eq!(answers[2].outcome, SubmitOutcome::Replaced(batch[1].id));
    assert_eq!(probe.take_ids(9).await, [batch[2].id]);
    assert_eq!(probe.status(batch[0].id).await, Status::Canceled);
}

pub async fn the_same_id_again_is_the_same_job_and_no_duplicate(probe: Probe) {
    let (first, other) = (replacing(), unique(Unique::key("other")));
    accepted(&probe, &first).await;
    assert_eq!(submit(&probe, &first).await.outcome, SubmitOutcome::Existing);
    accepted(&probe, &other).await;
    let stolen = NewJob { id: other.id, ..replacing() };
    assert_eq!(submit(&probe, &stolen).await.outcome, SubmitOutcome::Existing, "it asks for the same work");
    assert_eq!(probe.status(first.id).await, Status::Queued, "nothing was replaced");
}

pub async fn a_unique_job_is_kept_whole(probe: Probe) {
    let first = unique(Unique::key("k").within(HOUR).replace().extend());
    accepted(&probe, &first).await;
    assert_eq!(*probe.job(first.id).await.new, first);
    assert_eq!(*probe.take_one().await.new, first);
}

pub async fn a_unique_job_is_claimed_in_its_own_turn(probe: Probe) {
    let (first, second) = (keyed(), keyed());
    let turn = |job: &NewJob| Exchange {
        submit: vec![Arc::new(job.clone())],
        claim: Some(probe.want(&["default"], 5)),
        ..Exchange::default()
    };
    let answers = probe.exchange(turn(&first)).await;
    assert_eq!(answers.claimed.jobs[0].lease.id, first.id);
    let answers = probe.exchange(turn(&second)).await;
    assert_eq!((answers.submitted[0].id, answers.claimed.jobs.len()), (first.id, 0));
}

pub async fn an_ended_jobs_key_is_free_in_the_same_turn(probe: Probe) {
    let (first, second) = (keyed(), keyed());
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    let turn = Exchange {
        settle: vec![settlement(taken.lease, complete(), &[])],
        submit: vec![Arc::new(second.clone())],
        ..Exchange::default()
    };
    assert!(matches!(probe.exchange(turn).await.submitted[0].outcome, SubmitOutcome::Created(_)));
}

pub async fn an_emitted_job_is_unique_too(probe: Probe) {
    let parent = probe.run(&plain()).await;
    // A child has its place where its parent is, and there its key is looked for.
    let child = |index| NewJob { id: parent.lease.id.emitted(index), ..keyed() };
    let (first, second) = (child(0), child(1));
    probe
        .settle_emitting(parent.lease, complete(), &[first.clone(), plain_beside(&parent.lease.id), second.clone()])
        .await;
    assert!(probe.find(second.id).await.is_none());
    assert_eq!(probe.take(9).await.len(), 2);
    assert_eq!(probe.status(first.id).await, Status::InProgress);
}

fn plain_beside(parent: &JobId) -> NewJob {
    NewJob { id: parent.emitted(7), ..plain() }
}

pub async fn a_full_queue_refuses_and_the_key_stays_free(probe: Probe) {
    let first = keyed();
    assert_eq!(probe.submit_within(0, std::slice::from_ref(&first)).await, [SubmitOutcome::QueueFull]);
    accepted(&probe, &keyed()).await;
}

pub async fn a_replacement_needs_no_room_of_its_own(probe: Probe) {
    let (first, second) = (replacing(), replacing());
    assert_eq!(probe.submit_within(1, std::slice::from_ref(&first)).await.len(), 1);
    assert_eq!(probe.submit_within(1, std::slice::from_ref(&second)).await, [SubmitOutcome::Replaced(first.id)]);
}

/// A queue gets too full by retries and emitted jobs. A store that made room first and then refused lost the standing job.
pub async fn a_refused_replacement_leaves_the_standing_one_alone(probe: Probe) {
    let (first, second) = (replacing(), replacing());
    // Beside the first wherever a store keeps it.
    let others = [7, 8].map(|index| NewJob { id: first.id.emitted(index), ..plain() });
    accepted(&probe, &first).await;
    probe.submit_all(&others).await;
    assert_eq!(probe.submit_within(1, std::slice::from_ref(&second)).await, [SubmitOutcome::QueueFull]);
    assert_eq!(probe.status(first.id).await, Status::Queued);
    assert!(probe.find(second.id).await.is_none());
    refused_for(&probe, &keyed(), first.id).await;
}

pub async fn the_largest_limit_lets_a_replacement_in(probe: Probe) {
    let (first, second) = (replacing(), replacing());
    accepted(&probe, &first).await;
    let answers = probe.submit_within(u64::MAX, std::slice::from_ref(&second)).await;
    assert_eq!(answers, [SubmitOutcome::Replaced(first.id)]);
}

pub async fn a_full_queue_elsewhere_leaves_the_standing_one_alone(probe: Probe) {
    let first = replacing();
    accepted(&probe, &first).await;
    let there = job(|draft| draft.queue("there").unique(Unique::key("k").replace()));
    assert_eq!(probe.submit_within(0, std::slice::from_ref(&there)).await, [SubmitOutcome::QueueFull]);
    assert_eq!(probe.status(first.id).await, Status::Queued);
    accepted(&probe, &waiting_in("there")).await;
}

/// Of many who submit the same at once one is stored, and everyone is told which.
pub async fn of_many_at_once_one_is_stored_and_everyone_told(probe: Probe) {
    let jobs: Vec<NewJob> = (0..64).map(|_| keyed()).collect();
    let answers = join_all(jobs.iter().map(|job| submit(&probe, job))).await;
    let created = answers.iter().filter(|answer| matches!(answer.outcome, SubmitOutcome::Created(_)));
    let created: Vec<JobId> = created.map(|answer| answer.id).collect();
    assert_eq!(created.len(), 1);
    assert!(answers.iter().all(|answer| answer.id == created[0]));
    assert_eq!(probe.take_ids(99).await, created);
}

pub async fn of_many_replacements_at_once_one_is_left(probe: Probe) {
    let jobs: Vec<NewJob> = (0..32).map(|_| replacing()).collect();
    join_all(jobs.iter().map(|job| submit(&probe, job))).await;
    assert_eq!(probe.take(99).await.len(), 1);
    let mut canceled = 0;
    for job in &jobs {
        canceled += usize::from(probe.status(job.id).await == Status::Canceled);
    }
    assert_eq!(canceled, 31);
}

/// Who gets no answer asks again, while the first question may still be under way. A store took the job for another one,
/// and replaced it with itself.
pub async fn the_same_replacing_job_many_times_at_once_stays(probe: Probe) {
    for _ in 0..8 {
        let job = replacing();
        let answers = join_all((0..16).map(|_| submit(&probe, &job))).await;
        let same = |answer: &Submitted| answer.id == job.id && !matches!(answer.outcome, SubmitOutcome::Duplicate);
        assert!(answers.iter().all(same), "{answers:?}");
        assert_eq!(probe.status(job.id).await, Status::Queued);
        let taken = probe.take_one().await;
        probe.finish(taken.lease, complete()).await;
    }
}

/// Batches that name the same keys in another order wait for each other, and not for ever.
pub async fn batches_with_the_same_keys_in_any_order_all_succeed(probe: Probe) {
    let of = |key: usize| unique(Unique::key(key.to_string()).replace());
    let batch = |shift: usize| (0..8).map(|place| Arc::new(of((place + shift) % 8))).collect();
    let turns = (0..16).map(|shift| Exchange { submit: batch(shift), queue_limit: Some(1_000), ..Exchange::default() });
    join_all(turns.map(|turn| probe.exchange(turn))).await;
    assert_eq!(probe.take(999).await.len(), 8);
}

pub async fn a_key_can_be_held_again_and_again(probe: Probe) {
    for _ in 0..5 {
        let next = keyed();
        accepted(&probe, &next).await;
        let taken = probe.take_one().await;
        probe.extend_for(taken.lease, LEASE, None).await;
        probe.finish(taken.lease, complete()).await;
        probe.advance(DAY * 2);
        probe.sweep().await;
    }
}

/// A store that gives the jobs of a turn to its own claim at once must not give out one that the same turn replaces.
pub async fn a_job_replaced_in_its_own_turn_is_not_claimed(probe: Probe) {
    let (first, second) = (keyed(), replacing());
    let turn = Exchange {
        submit: vec![Arc::new(first.clone()), Arc::new(second.clone())],
        claim: Some(probe.want(&["default"], 5)),
        ..Exchange::default()
    };
    let answers = probe.exchange(turn).await;
    assert_eq!(answers.submitted[1].outcome, SubmitOutcome::Replaced(first.id));
    let taken: Vec<JobId> = answers.claimed.jobs.iter().map(|taken| taken.lease.id).collect();
    assert_eq!(taken, [second.id]);
}

async fn takes_the_place_of(probe: &Probe, job: &NewJob, former: JobId) {
    let answer = submit(probe, job).await;
    assert_eq!((answer.outcome, answer.id), (SubmitOutcome::Replaced(former), job.id));
}

async fn is_asked_to_stop(probe: &Probe, id: JobId) -> bool {
    let job = probe.job(id).await;
    assert_eq!(job.status, Status::InProgress);
    job.cancel_requested
}

pub async fn a_running_job_makes_way_and_is_asked_to_stop(probe: Probe) {
    let (first, second) = (newest(), newest());
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    let mut hints = probe.store().hints();
    takes_the_place_of(&probe, &second, first.id).await;
    expect(&mut hints, Hint::CancelRequested(first.id)).await;
    assert!(is_asked_to_stop(&probe, first.id).await);
    refused_for(&probe, &keyed(), second.id).await;
    assert_eq!(probe.take_ids(9).await, [second.id], "it need not wait for the first");
    assert_eq!(probe.extend(taken.lease).await, Extension::CancelRequested);
    assert_eq!(probe.finish(taken.lease, Outcome::Stop).await, Status::Canceled);
    refused_for(&probe, &keyed(), second.id).await;
}

pub async fn one_that_cancels_running_ones_cancels_waiting_ones_too(probe: Probe) {
    let first = job(|draft| draft.unique(Unique::key("k").cancel_running()).start(Start::After(HOUR)));
    let (second, third) = (newest(), newest());
    accepted(&probe, &first).await;
    takes_the_place_of(&probe, &second, first.id).await;
    takes_the_place_of(&probe, &third, second.id).await;
    assert_eq!([probe.status(first.id).await, probe.status(second.id).await], [Status::Canceled; 2]);
    assert_eq!(probe.take_ids(9).await, [third.id]);
}

pub async fn a_running_job_that_made_way_holds_its_key_no_more(probe: Probe) {
    for outcome in [complete(), retry(HOUR), snooze(HOUR)] {
        let (first, second) = (newest(), newest());
        accepted(&probe, &first).await;
        let taken = probe.take_one().await;
        takes_the_place_of(&probe, &second, first.id).await;
        let ends = if matches!(outcome, Outcome::Complete(_)) { Status::Completed } else { Status::Canceled };
        assert_eq!(probe.finish(taken.lease, outcome).await, ends);
        refused_for(&probe, &keyed(), second.id).await;
        probe.cancel(second.id).await;
    }
}

pub async fn a_running_job_that_made_way_and_crashed_does_not_come_back(probe: Probe) {
    let (first, second) = (newest(), newest());
    accepted(&probe, &first).await;
    probe.take_one().await;
    takes_the_place_of(&probe, &second, first.id).await;
    probe.crash().await;
    assert_eq!(probe.status(first.id).await, Status::Canceled);
    assert_eq!(probe.take_ids(9).await, [second.id]);
}

pub async fn each_of_several_that_run_makes_way_once(probe: Probe) {
    let jobs = [newest(), newest(), newest()];
    accepted(&probe, &jobs[0]).await;
    for (former, next) in jobs.iter().zip(&jobs[1..]) {
        assert_eq!(probe.take_ids(9).await, [former.id]);
        takes_the_place_of(&probe, next, former.id).await;
    }
    assert!(is_asked_to_stop(&probe, jobs[0].id).await && is_asked_to_stop(&probe, jobs[1].id).await);
    assert_eq!(probe.take_ids(9).await, [jobs[2].id]);
    assert!(!is_asked_to_stop(&probe, jobs[2].id).await);
}

pub async fn a_running_job_submitted_again_is_not_asked_to_stop(probe: Probe) {
    let first = newest();
    accepted(&probe, &first).await;
    probe.take_one().await;
    assert_eq!(submit(&probe, &first).await.outcome, SubmitOutcome::Existing);
    assert!(!is_asked_to_stop(&probe, first.id).await);
}

/// A store that asked first and then had no room lost both.
pub async fn a_full_queue_leaves_the_running_one_alone(probe: Probe) {
    let (first, second) = (newest(), newest());
    // Beside the first wherever a store keeps it.
    let other = NewJob { id: first.id.emitted(7), ..plain() };
    accepted(&probe, &first).await;
    probe.take_one().await;
    probe.submit(&other).await;
    assert_eq!(probe.submit_within(1, std::slice::from_ref(&second)).await, [SubmitOutcome::QueueFull]);
    assert!(!is_asked_to_stop(&probe, first.id).await, "who runs takes no room, and makes none");
    refused_for(&probe, &keyed(), first.id).await;
    takes_the_place_of(&probe, &second, first.id).await;
}

pub async fn one_that_ends_in_the_same_turn_is_not_replaced(probe: Probe) {
    let (first, second) = (newest(), newest());
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    let turn = Exchange {
        settle: vec![settlement(taken.lease, complete(), &[])],
        submit: vec![Arc::new(second)],
        ..Exchange::default()
    };
    assert!(matches!(probe.exchange(turn).await.submitted[0].outcome, SubmitOutcome::Created(_)));
    assert_eq!(probe.status(first.id).await, Status::Completed);
}

pub async fn a_period_holds_against_those_that_cancel_running_ones(probe: Probe) {
    let throttle = || unique(Unique::key("k").within(HOUR).cancel_running());
    let (first, second) = (throttle(), throttle());
    accepted(&probe, &first).await;
    probe.take_one().await;
    takes_the_place_of(&probe, &second, first.id).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, complete()).await;
    refused_for(&probe, &throttle(), second.id).await;
}

fn extension(lease: Lease) -> Extend {
    Extend { lease, duration: LEASE * 2, progress: None }
}

/// A store that gathers its changes must not write the lease over the request, nor the other way round.
pub async fn a_lease_is_extended_in_the_turn_that_asks_to_stop(probe: Probe) {
    let (first, second) = (newest(), newest());
    accepted(&probe, &first).await;
    let taken = probe.take_one().await;
    let turn = Exchange {
        extend: vec![extension(taken.lease)],
        submit: vec![Arc::new(second.clone())],
        ..Exchange::default()
    };
    let answers = probe.exchange(turn).await;
    assert_eq!(answers.submitted[0].outcome, SubmitOutcome::Replaced(first.id));
    assert_eq!(answers.extended, [Extension::Kept], "it was extended before");
    assert!(is_asked_to_stop(&probe, first.id).await);
    probe.advance(LEASE + TICK);
    assert_eq!(probe.finish(taken.lease, Outcome::Stop).await, Status::Canceled);
}

/// The same where the one that takes its place is emitted, which comes before leases are extended.
pub async fn an_emitted_job_takes_the_place_of_a_running_one(probe: Probe) {
    let parent = probe.run(&plain()).await;
    // Beside the parent, where its child is.
    let first = NewJob { id: parent.lease.id.emitted(7), ..newest() };
    let child = NewJob { id: parent.lease.id.emitted(0), ..newest() };
    let running = probe.run(&first).await;
    let mut hints = probe.store().hints();
    let turn = Exchange {
        settle: vec![settlement(parent.lease, complete(), std::slice::from_ref(&child))],
        extend: vec![extension(running.lease)],
        ..Exchange::default()
    };
    assert_eq!(probe.exchange(turn).await.extended, [Extension::CancelRequested]);
    expect(&mut hints, Hint::CancelRequested(first.id)).await;
    assert!(is_asked_to_stop(&probe, first.id).await);
    probe.advance(LEASE + TICK);
    assert_eq!(probe.finish(running.lease, Outcome::Stop).await, Status::Canceled);
    assert_eq!(probe.take_ids(9).await, [child.id]);
}

/// Turns that end what others replace: none waits for ever, and one is left that nobody asked to stop.
pub async fn many_that_cancel_running_ones_and_work_at_once_leave_one(probe: Probe) {
    let workers = (0..8).map(|_| replace_and_work(probe.store().clone(), probe.want(&["default"], 2)));
    let submitted: Vec<JobId> = join_all(workers).await.concat();
    let mut left = Vec::new();
    for id in submitted {
        let job = probe.job(id).await;
        if !job.status.is_finished() && !job.cancel_requested {
            left.push(id);
        }
    }
    assert!(left.len() <= 1, "{left:?}");
    let last = newest();
    let answer = submit(&probe, &last).await;
    match left.first() {
        Some(former) => assert_eq!(answer.outcome, SubmitOutcome::Replaced(*former)),
        None => assert!(matches!(answer.outcome, SubmitOutcome::Created(_))),
    }
}

/// Submits again and again, and ends in the same turns what it has got: every other one as if it had not heard.
async fn replace_and_work(store: SharedStore, claim: windlass_store::Claim) -> Vec<JobId> {
    let (mut submitted, mut held) = (Vec::new(), Vec::<Lease>::new());
    for round in 0..10 {
        let job = newest();
        submitted.push(job.id);
        let outcome = |place: usize| if (round + place).is_multiple_of(2) { Outcome::Stop } else { complete() };
        let ended = held.drain(..).enumerate();
        let settle = ended.map(|(place, lease)| Settlement { lease, outcome: outcome(place), emitted: Vec::new() });
        let turn = Exchange {
            settle: settle.collect(),
            submit: vec![Arc::new(job)],
            claim: Some(claim.clone()),
            ..Exchange::default()
        };
        let answers = store.exchange(turn).await.expect("exchange");
        held.extend(answers.claimed.jobs.iter().map(|taken| taken.lease));
    }
    let left = held.into_iter().map(|lease| Settlement { lease, outcome: Outcome::Release, emitted: Vec::new() });
    let turn = Exchange { settle: left.collect(), ..Exchange::default() };
    store.exchange(turn).await.expect("exchange");
    submitted
}

/// With a limit of one at a key beside, one at a time runs, and the newest is the next.
pub async fn with_a_limit_the_newest_waits_until_the_running_one_has_stopped(probe: Probe) {
    if probe.store().gates().is_none() {
        return;
    }
    let render = || job(|draft| draft.unique(Unique::key("k").cancel_running()).key("page", "home"));
    probe.limit("key:page:home", Limits::running(1)).await;
    let jobs = [render(), render(), render()];
    accepted(&probe, &jobs[0]).await;
    let running = probe.take_one().await;
    takes_the_place_of(&probe, &jobs[1], jobs[0].id).await;
    assert!(probe.take(9).await.is_empty(), "the first has not stopped");
    takes_the_place_of(&probe, &jobs[2], jobs[1].id).await;
    assert!(probe.take(9).await.is_empty());
    probe.finish(running.lease, Outcome::Stop).await;
    assert_eq!(probe.take_ids(9).await, [jobs[2].id]);
}
