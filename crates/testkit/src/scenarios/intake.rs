//! Intake: how many jobs an owner may submit in a period, and how many may wait in a queue.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{Backlog, Limits, NewJob, Rate, Share, Status, Unique};
use windlass_store::{Exchange, Outcome, SubmitOutcome, Submitted};

use crate::jobs::{delayed, job, many, owner_named, plain, ranked, waiting_in};
use crate::probe::{Probe, TICK, settlement};

const CREATED: SubmitOutcome = SubmitOutcome::Created(Status::Queued);
const SECOND: Duration = Duration::from_secs(1);

fn of(owner: &str) -> NewJob {
    job(|draft| draft.owner(Some(owner_named(owner))))
}

fn many_of(owner: &str, number: usize) -> Vec<NewJob> {
    (0..number).map(|_| of(owner)).collect()
}

fn over(retry_after: Duration) -> SubmitOutcome {
    SubmitOutcome::OverRate { retry_after }
}

async fn allow(probe: &Probe, gate: &str, count: u32, burst: u32) {
    let rate = Rate::per_second(count).and_then(|rate| rate.burst(burst)).expect("valid");
    probe.limit(gate, Limits::rate(rate)).await;
}

pub async fn an_owner_may_submit_so_many_in_a_period(probe: Probe) {
    for gate in ["owner:ann", "owners"] {
        allow(&probe, gate, 10, 2).await;
        let wait = Duration::from_millis(100);
        assert_eq!(probe.submit_all(&many_of("ann", 3)).await, [CREATED, CREATED, over(wait)], "{gate}");
        assert_eq!(probe.submit(&of("ann")).await, over(wait), "{gate}");
        probe.advance(wait - TICK);
        assert_eq!(probe.submit(&of("ann")).await, over(TICK), "{gate}");
        probe.advance(TICK);
        assert_eq!(probe.submit(&of("ann")).await, CREATED, "{gate}");
        probe.advance(SECOND * 60);
        let answers = probe.submit_all(&many_of("ann", 7)).await;
        assert_eq!(answers[..2], [CREATED; 2], "{gate}: the burst is the most that gathers");
        assert_eq!(answers[2..], [over(wait); 5], "{gate}");
        probe.limit(gate, Limits::default()).await;
        assert_eq!(probe.submit_all(&many_of("ann", 7)).await, [CREATED; 7], "{gate}");
    }
    assert_eq!(probe.take(99).await.len(), 24, "what was refused is not there");
}

pub async fn each_owner_has_its_own_rate(probe: Probe) {
    allow(&probe, "owners", 1, 1).await;
    let jobs = [of("ann"), of("bob"), plain(), of("ann"), plain(), of("bob")];
    let answers = probe.submit_all(&jobs).await;
    assert_eq!(answers, [CREATED, CREATED, CREATED, over(SECOND), CREATED, over(SECOND)]);
}

pub async fn what_is_said_of_an_owner_goes_before(probe: Probe) {
    allow(&probe, "owners", 1, 1).await;
    allow(&probe, "owner:ann", 1, 3).await;
    assert_eq!(probe.submit_all(&many_of("ann", 4)).await, [CREATED, CREATED, CREATED, over(SECOND)]);
    assert_eq!(probe.submit_all(&many_of("bob", 2)).await, [CREATED, over(SECOND)]);
}

pub async fn a_repeated_submission_is_answered_and_does_not_count(probe: Probe) {
    allow(&probe, "owners", 1, 2).await;
    let job = of("ann");
    assert_eq!(probe.submit(&job).await, CREATED);
    for _ in 0..3 {
        assert_eq!(probe.submit(&job).await, SubmitOutcome::Existing);
    }
    assert_eq!(
        probe.submit_all(&[job.clone(), of("ann"), of("ann"), job.clone()]).await,
        [SubmitOutcome::Existing, CREATED, over(SECOND), SubmitOutcome::Existing]
    );
}

pub async fn a_refused_job_can_be_submitted_later(probe: Probe) {
    allow(&probe, "owner:ann", 1, 1).await;
    let jobs = many_of("ann", 2);
    assert_eq!(probe.submit_all(&jobs).await, [CREATED, over(SECOND)]);
    assert_eq!(probe.find(jobs[1].id).await, None);
    probe.advance(SECOND);
    assert_eq!(probe.submit(&jobs[1]).await, CREATED);
}

pub async fn a_unique_job_counts_and_replaces_nobody_when_refused(probe: Probe) {
    allow(&probe, "owner:ann", 1, 2).await;
    let unique = || job(|draft| draft.owner(Some(owner_named("ann"))).unique(Unique::key("one").replace()));
    let (first, second, third) = (unique(), unique(), unique());
    assert_eq!(probe.submit(&first).await, CREATED);
    assert_eq!(probe.submit(&second).await, SubmitOutcome::Replaced(first.id));
    assert_eq!(probe.submit(&third).await, over(SECOND));
    assert_eq!(probe.take_ids(9).await, [second.id], "it stands");
}

pub async fn emitted_jobs_do_not_count(probe: Probe) {
    allow(&probe, "owners", 1, 1).await;
    let parent = probe.run(&of("ann")).await;
    let children: Vec<Arc<NewJob>> = many_of("ann", 3).into_iter().map(Arc::new).collect();
    let settle = settlement(parent.lease, Outcome::Complete(parent.new.payload.clone()), &[]);
    let settle = vec![windlass_store::Settlement { emitted: children, ..settle }];
    probe.exchange(Exchange { settle, ..Exchange::default() }).await;
    assert_eq!(probe.take(9).await.len(), 3);
    assert_eq!(probe.submit(&of("ann")).await, over(SECOND), "the parent did");
}

pub async fn a_turn_that_does_more_asks_too(probe: Probe) {
    allow(&probe, "owners", 1, 1).await;
    let running = probe.run(&plain()).await;
    let turn = Exchange {
        settle: vec![settlement(running.lease, Outcome::Release, &[])],
        submit: many_of("ann", 2).into_iter().map(Arc::new).collect(),
        claim: Some(probe.want(&["default"], 9)),
        ..Exchange::default()
    };
    let answers = probe.exchange(turn).await;
    let outcomes: Vec<SubmitOutcome> = answers.submitted.iter().map(|Submitted { outcome, .. }| *outcome).collect();
    assert_eq!(outcomes, [CREATED, over(SECOND)]);
    assert_eq!(answers.claimed.jobs.len(), 2);
}

pub async fn a_hold_stops_an_owner(probe: Probe) {
    allow(&probe, "owner:ann", 10, 10).await;
    probe.edit("owner:ann", Edit::Hold(SECOND * 3)).await;
    assert_eq!(probe.submit(&of("ann")).await, over(SECOND * 3));
    assert_eq!(probe.submit(&of("bob")).await, CREATED);
}

/// Jobs of an owner over its rate are refused however many submit at once, and as many as may are accepted.
pub async fn many_submitters_at_once_get_no_more_than_the_rate(probe: Probe) {
    allow(&probe, "owners", 1, 20).await;
    let tries = (0..8).map(|_| async { probe.submit_all(&many_of("ann", 5)).await });
    let answers: Vec<SubmitOutcome> = futures_util::future::join_all(tries).await.concat();
    assert_eq!(answers.iter().filter(|answer| **answer == CREATED).count(), 20);
    assert_eq!(probe.take(99).await.len(), 20);
}

pub async fn limits_of_owners_are_listed_and_hold_nobody_up(probe: Probe) {
    allow(&probe, "owners", 1, 1).await;
    allow(&probe, "owner:ann", 1, 5).await;
    let all = probe.gates().list_gates(None, 9).await.expect("listed");
    assert_eq!(all.iter().map(|ruled| ruled.gate.to_string()).collect::<Vec<_>>(), ["owner:ann", "owners"]);
    probe.submit_all(&many_of("ann", 5)).await;
    assert_eq!(probe.take(9).await.len(), 5, "a rate of submissions is none of starts");
}

async fn bound(probe: &Probe, backlog: Backlog) {
    probe.edit("queue:default", Edit::Backlog(backlog)).await;
}

pub async fn so_many_may_wait_in_a_queue(probe: Probe) {
    bound(&probe, Backlog::most(2)).await;
    let jobs = many(3);
    assert_eq!(probe.submit_all(&jobs).await, [CREATED, CREATED, SubmitOutcome::QueueFull]);
    assert_eq!(probe.submit(&jobs[2]).await, SubmitOutcome::QueueFull);
    assert_eq!(probe.submit(&jobs[0]).await, SubmitOutcome::Existing);
    assert_eq!(probe.submit_all(&[waiting_in("other"), waiting_in("other"), waiting_in("other")]).await, [CREATED; 3]);
    probe.take_one().await;
    assert_eq!(
        probe.submit_all(&[delayed(SECOND), plain()]).await,
        [SubmitOutcome::Created(Status::Scheduled), SubmitOutcome::QueueFull]
    );
    bound(&probe, Backlog::default()).await;
    assert_eq!(probe.submit_all(&many(9)).await, [CREATED; 9]);
    bound(&probe, Backlog::most(0)).await;
    assert_eq!(probe.submit(&plain()).await, SubmitOutcome::QueueFull, "what waits stays");
    assert_eq!(probe.take(99).await.len(), 10);
}

pub async fn the_smaller_number_of_two_holds(probe: Probe) {
    bound(&probe, Backlog::most(3)).await;
    assert_eq!(probe.submit_within(1, &many(2)).await, [CREATED, SubmitOutcome::QueueFull]);
    let answers = probe.submit_within(9, &many(3)).await;
    assert_eq!(answers, [CREATED, CREATED, SubmitOutcome::QueueFull]);
}

pub async fn the_oldest_makes_room(probe: Probe) {
    bound(&probe, Backlog::most(2).drop_oldest()).await;
    let jobs = many(5);
    let answers = probe.submit_all(&jobs[..3]).await;
    assert_eq!(answers, [CREATED, CREATED, SubmitOutcome::Replaced(jobs[0].id)], "of this turn, too");
    assert_eq!(probe.job(jobs[0].id).await.status, Status::Canceled);
    assert_eq!(probe.submit(&jobs[3]).await, SubmitOutcome::Replaced(jobs[1].id));
    assert_eq!(probe.submit(&jobs[3]).await, SubmitOutcome::Existing, "again");
    assert_eq!(probe.take_ids(9).await, [jobs[2].id, jobs[3].id]);
    assert_eq!(probe.submit(&jobs[4]).await, CREATED, "those that run do not wait");
}

pub async fn the_least_urgent_makes_room(probe: Probe) {
    bound(&probe, Backlog::most(4).drop_oldest()).await;
    let jobs: Vec<NewJob> = [5, 7, 7, 0].map(ranked).into();
    probe.submit_all(&jobs).await;
    let urgent = ranked(0);
    assert_eq!(probe.submit(&urgent).await, SubmitOutcome::Replaced(jobs[1].id));
    assert_eq!(probe.take_ids(9).await, [jobs[3].id, urgent.id, jobs[0].id, jobs[2].id]);
}

/// One for one where more wait than may: nobody is canceled for a job that is refused then, and no more than one for each.
pub async fn one_makes_room_in_an_overfull_queue(probe: Probe) {
    let unique = |key: &str| job(|draft| draft.unique(Unique::key(key).replace()));
    let jobs = many(9);
    probe.submit_all(&jobs).await;
    let same = unique("same");
    probe.submit(&same).await;
    bound(&probe, Backlog::most(3).drop_oldest()).await;
    assert_eq!(probe.submit(&plain()).await, SubmitOutcome::Replaced(jobs[0].id));
    assert_eq!(probe.submit(&unique("same")).await, SubmitOutcome::Replaced(same.id), "the same makes room");
    assert_eq!(probe.submit(&unique("other")).await, SubmitOutcome::Replaced(jobs[1].id));
    let answers = probe.submit_all(&many(6)).await;
    assert_eq!(answers, jobs[2..8].iter().map(|job| SubmitOutcome::Replaced(job.id)).collect::<Vec<_>>());
    assert_eq!(probe.take(99).await.len(), 10);
}

/// An id that comes twice in a batch counts once, wherever the rate ends.
pub async fn an_id_that_comes_twice_counts_once(probe: Probe) {
    allow(&probe, "owners", 1, 4).await;
    let (twice, others) = (of("ann"), many_of("ann", 4));
    let jobs: Vec<NewJob> = [&others[..3], &[twice.clone(), twice.clone()], &others[3..]].concat();
    let answers = probe.submit_all(&jobs).await;
    assert_eq!(answers, [CREATED, CREATED, CREATED, CREATED, SubmitOutcome::Existing, over(SECOND)]);
}

/// In a large batch as in small ones: each in its turn.
pub async fn a_batch_leaves_its_last_ones(probe: Probe) {
    bound(&probe, Backlog::most(5).drop_oldest()).await;
    let before = many(3);
    probe.submit_all(&before).await;
    let jobs = many(30);
    let answers = probe.submit_all(&jobs).await;
    assert_eq!(answers[..2], [CREATED, CREATED]);
    assert_eq!(answers[2..5], [before[0].id, before[1].id, before[2].id].map(SubmitOutcome::Replaced));
    assert_eq!(answers[29], SubmitOutcome::Replaced(jobs[24].id));
    assert_eq!(probe.take_ids(99).await, jobs[25..].iter().map(|job| job.id).collect::<Vec<_>>());
}

/// Whoever waits at a gate, in a line or for its time makes room where none is ready.
pub async fn one_that_is_not_ready_makes_room(probe: Probe) {
    bound(&probe, Backlog::most(1).drop_oldest()).await;
    let late = delayed(SECOND);
    probe.submit(&late).await;
    let held = job(|draft| draft.key("user", "ann"));
    assert_eq!(probe.submit(&held).await, SubmitOutcome::Replaced(late.id));
    probe.edit("key:user:ann", Edit::Pause("later".into())).await;
    assert!(probe.take(9).await.is_empty());
    let lined = job(|draft| draft.key("user", "bob"));
    probe.edit("queue:default", Edit::Share(Share::by("user").expect("a kind"))).await;
    assert_eq!(probe.submit(&lined).await, SubmitOutcome::Replaced(held.id));
    let last = job(|draft| draft.key("user", "cid"));
    assert_eq!(probe.submit(&last).await, SubmitOutcome::Replaced(lined.id));
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, [last.id]);
}

pub async fn a_unique_job_makes_room_too(probe: Probe) {
    bound(&probe, Backlog::most(2).drop_oldest()).await;
    let unique = |key: &str| job(|draft| draft.unique(Unique::key(key).replace()));
    let (first, second, third, fourth) = (unique("a"), unique("b"), unique("c"), unique("c"));
    probe.submit_all(&[first.clone(), second.clone()]).await;
    assert_eq!(probe.submit(&third).await, SubmitOutcome::Replaced(first.id), "the oldest");
    assert_eq!(probe.submit(&fourth).await, SubmitOutcome::Replaced(third.id), "the same, which makes room");
    assert_eq!(probe.take_ids(9).await, [second.id, fourth.id]);
    let free = unique("a");
    assert_eq!(probe.submit(&free).await, CREATED, "its key is free");
}

pub async fn emitted_jobs_drop_nobody_and_are_not_refused(probe: Probe) {
    bound(&probe, Backlog::most(1).drop_oldest()).await;
    let parent = probe.run(&plain()).await;
    let waiting = plain();
    probe.submit(&waiting).await;
    let children: Vec<Arc<NewJob>> = many(2).into_iter().map(Arc::new).collect();
    let settle = settlement(parent.lease, Outcome::Complete(parent.new.payload.clone()), &[]);
    let settle = vec![windlass_store::Settlement { emitted: children, ..settle }];
    probe.exchange(Exchange { settle, ..Exchange::default() }).await;
    assert_eq!(probe.take(9).await.len(), 3);
    assert_eq!(probe.job(waiting.id).await.status, Status::InProgress);
}

pub async fn a_full_queue_stays_full_however_many_submit(probe: Probe) {
    bound(&probe, Backlog::most(10).drop_oldest()).await;
    let tries = (0..8).map(|_| async { probe.submit_all(&many(6)).await });
    let answers: Vec<SubmitOutcome> = futures_util::future::join_all(tries).await.concat();
    let dropped = answers.iter().filter(|answer| matches!(answer, SubmitOutcome::Replaced(_))).count();
    assert_eq!((answers.len() - dropped, dropped), (10, 38), "{answers:?}");
    assert_eq!(probe.take(99).await.len(), 10);
}
