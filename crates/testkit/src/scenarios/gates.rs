//! Gates: paused, so many at a time, so many in a period; for queues, handlers, keys and everything.

use std::time::Duration;

use futures_util::future::join_all;
use windlass_core::gate::Edit;
use windlass_core::{JobId, Key, Limits, NewJob, Payload, Priority, Rate, Start, Status, Timestamp};
use windlass_store::{Canceled, Exchange, Hint, Ruled};

use crate::jobs::{complete, fail, job, many, plain, retry, snooze, waiting_in};
use crate::probe::{LEASE, Probe, TICK, settlement};
use crate::scenarios::hints::expect;

const SECOND: Duration = Duration::from_secs(1);

fn of(kind: &str, value: &str) -> NewJob {
    job(|draft| draft.key(kind, value))
}

fn user(value: &str) -> NewJob {
    of("user", value)
}

/// A job of another handler.
fn other() -> NewJob {
    NewJob::build("Other", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid")
}

fn pause() -> Edit {
    Edit::Pause("the upstream is down".into())
}

fn per_second(count: u32, burst: u32) -> Limits {
    Limits::rate(Rate::per_second(count).and_then(|rate| rate.burst(burst)).expect("valid"))
}

async fn store_all(probe: &Probe, jobs: &[NewJob]) -> Vec<JobId> {
    probe.submit_all(jobs).await;
    jobs.iter().map(|job| job.id).collect()
}

pub(crate) async fn at(probe: &Probe, gate: &str) -> Ruled {
    let all = probe.gates().list_gates(None, 100).await.expect("listed");
    all.into_iter().find(|ruled| ruled.gate.to_string() == gate).expect("the gate has a rule")
}

pub async fn a_paused_queue_hands_out_nothing(probe: Probe) {
    let ids = store_all(&probe, &many(3)).await;
    probe.edit("queue:default", pause()).await;
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more && claimed.next_due.is_none(), "nothing to come back for");
    probe.edit("queue:default", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, ids);
}

pub async fn a_paused_queue_leaves_others_alone(probe: Probe) {
    probe.edit("queue:default", pause()).await;
    probe.submit_all(&[plain(), waiting_in("other")]).await;
    assert_eq!(probe.take_from(&["default", "other"], 9).await.len(), 1);
    assert_eq!(probe.take_from(&["default", "other"], 9).await.len(), 0);
}

pub async fn a_paused_handler_is_passed_over(probe: Probe) {
    let (first, second) = (plain(), other());
    probe.submit_all(&[first.clone(), second.clone()]).await;
    probe.edit("handler:Scenario", pause()).await;
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert_eq!(claimed.jobs.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [second.id]);
    assert!(!claimed.more && claimed.next_due.is_none());
    probe.edit("handler:Scenario", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, [first.id]);
}

pub async fn a_paused_key_is_passed_over(probe: Probe) {
    let (ann, bob) = (user("ann"), user("bob"));
    probe.submit_all(&[ann.clone(), bob.clone(), plain()]).await;
    probe.edit("key:user:ann", pause()).await;
    assert_eq!(probe.take(9).await.len(), 2);
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, [ann.id]);
}

pub async fn a_paused_kind_stops_all_its_keys(probe: Probe) {
    let free = [plain(), of("team", "ann")];
    store_all(&probe, &[user("ann"), user("bob")]).await;
    let ids = store_all(&probe, &free).await;
    probe.edit("keys:user", pause()).await;
    let taken = probe.take_ids(9).await;
    assert!(taken.len() == 2 && ids.iter().all(|id| taken.contains(id)), "{taken:?}");
    probe.edit("keys:user", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await.len(), 2);
}

pub async fn a_pause_of_everything_stops_everything(probe: Probe) {
    probe.submit_all(&[plain(), other(), user("ann"), waiting_in("other")]).await;
    probe.edit("*", pause()).await;
    assert!(probe.take_from(&["default", "other"], 9).await.is_empty());
    probe.edit("*", Edit::Resume).await;
    assert_eq!(probe.take_from(&["default", "other"], 9).await.len(), 4);
}

pub async fn a_pause_holds_for_jobs_that_come_later(probe: Probe) {
    for gate in ["queue:default", "handler:Scenario", "key:user:ann"] {
        probe.edit(gate, pause()).await;
        probe.submit(&user("ann")).await;
        assert!(probe.take(9).await.is_empty(), "{gate}");
        probe.edit(gate, Edit::Resume).await;
        assert_eq!(probe.take(9).await.len(), 1, "{gate}");
    }
}

pub async fn what_runs_when_a_pause_comes_may_finish(probe: Probe) {
    let taken = probe.run(&user("ann")).await;
    for gate in ["*", "queue:default", "handler:Scenario", "key:user:ann"] {
        probe.edit(gate, pause()).await;
    }
    probe.extend(taken.lease).await;
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
}

pub async fn a_pause_keeps_its_note(probe: Probe) {
    probe.edit("queue:default", pause()).await;
    assert_eq!(at(&probe, "queue:default").await.rule.paused.as_deref(), Some("the upstream is down"));
    probe.edit("queue:default", Edit::Resume).await;
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), []);
}

pub async fn a_resume_is_heard(probe: Probe) {
    probe.submit(&plain()).await;
    probe.edit("queue:default", pause()).await;
    assert!(probe.take(9).await.is_empty());
    let mut hints = probe.store().hints();
    probe.edit("queue:default", Edit::Resume).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn those_passed_over_keep_their_order(probe: Probe) {
    let urgent = job(|draft| draft.priority(Priority::new(0).expect("a level")).key("user", "ann"));
    let (first, second, last) = (user("ann"), user("ann"), user("ann"));
    probe.edit("key:user:ann", pause()).await;
    store_all(&probe, &[first.clone(), second.clone()]).await;
    assert!(probe.take(9).await.is_empty());
    store_all(&probe, &[urgent.clone(), last.clone()]).await;
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, [urgent.id, first.id, second.id, last.id]);
}

pub async fn a_job_that_is_passed_over_is_queued_and_spends_nothing(probe: Probe) {
    let ann = user("ann");
    probe.submit(&ann).await;
    probe.edit("key:user:ann", pause()).await;
    probe.take(9).await;
    let kept = probe.job(ann.id).await;
    assert_eq!((kept.status, kept.retries, kept.crashes, kept.started_at), (Status::Queued, 0, 0, None));
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_one().await.attempt(), 1);
}

pub async fn a_job_that_is_passed_over_may_be_canceled(probe: Probe) {
    let ann = user("ann");
    probe.submit(&ann).await;
    probe.edit("key:user:ann", pause()).await;
    probe.take(9).await;
    assert!(matches!(probe.cancel(ann.id).await, Canceled::Done(_)));
    probe.edit("key:user:ann", Edit::Resume).await;
    assert!(probe.take(9).await.is_empty());
}

pub async fn a_canceled_job_takes_nobodys_room(probe: Probe) {
    for limits in [Limits::running(1), Limits::in_order()] {
        probe.limit("keys:user", limits).await;
        let ids = store_all(&probe, &[user("ann"), user("ann"), user("ann"), user("ann")]).await;
        let running = probe.take(9).await;
        assert!(probe.take(9).await.is_empty());
        for id in &ids[1..3] {
            assert!(matches!(probe.cancel(*id).await, Canceled::Done(_)));
        }
        probe.finish(running[0].lease, complete()).await;
        let next = probe.take(9).await;
        assert_eq!(next.iter().map(|job| job.lease.id).collect::<Vec<_>>(), ids[3..]);
        probe.finish(next[0].lease, complete()).await;
    }
}

pub async fn a_hold_at_a_gate_in_order_ends(probe: Probe) {
    let Limits { rate, .. } = per_second(1, 1);
    probe.limit("keys:user", Limits::in_order().with_rate(rate.expect("a rate"))).await;
    let ids = store_all(&probe, &[user("ann"), user("ann")]).await;
    let first = probe.take_one().await;
    probe.finish(first.lease, retry(Duration::ZERO)).await;
    assert!(probe.take(9).await.is_empty(), "it waits for the bucket");
    probe.edit("key:user:ann", Edit::Hold(SECOND * 5)).await;
    probe.advance(SECOND);
    assert!(probe.take(9).await.is_empty());
    probe.advance(SECOND * 4);
    assert_eq!(probe.take_ids(9).await, ids[..1]);
}

pub async fn those_passed_over_count_as_waiting(probe: Probe) {
    store_all(&probe, &[user("ann")]).await;
    probe.edit("key:user:ann", pause()).await;
    probe.take(9).await;
    // One that stands in line beside one that stands at its gate.
    store_all(&probe, &[plain()]).await;
    let counts = probe.query().expect("lists").counts().await.expect("counted");
    let queued: u64 =
        counts.0.iter().filter(|((_, status), _)| *status == Status::Queued).map(|(_, count)| count).sum();
    assert_eq!(queued, 2);
    let outcomes = probe.submit_within(2, &[plain()]).await;
    assert_eq!(outcomes, [windlass_store::SubmitOutcome::QueueFull]);
}

pub async fn no_more_run_than_a_queue_allows(probe: Probe) {
    let ids = store_all(&probe, &many(5)).await;
    probe.limit("queue:default", Limits::running(2)).await;
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert!(claimed.jobs.len() == 2 && !claimed.more && claimed.next_due.is_none());
    assert!(probe.take(9).await.is_empty());
    probe.finish(claimed.jobs[0].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [ids[2]]);
}

pub async fn no_more_run_than_everything_allows(probe: Probe) {
    probe.submit_all(&[plain(), plain(), waiting_in("other")]).await;
    probe.limit("*", Limits::running(2)).await;
    let taken = probe.take_from(&["other", "default"], 9).await;
    assert_eq!(taken.len(), 2);
    probe.finish(taken[0].lease, complete()).await;
    assert_eq!(probe.take_from(&["other", "default"], 9).await.len(), 1);
}

pub async fn a_handlers_limit_holds_across_queues(probe: Probe) {
    let here = many(2);
    let there = job(|draft| draft.queue("there"));
    store_all(&probe, &here).await;
    probe.submit_all(&[there.clone(), other()]).await;
    probe.limit("handler:Scenario", Limits::running(1)).await;
    let first = probe.take_from(&["there"], 9).await;
    assert_eq!(first.len(), 1);
    assert_eq!(probe.take(9).await.len(), 1, "the other handler's");
    probe.finish(first[0].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [here[0].id]);
}

pub async fn each_key_of_a_kind_has_its_own_slots(probe: Probe) {
    let jobs = [user("ann"), user("ann"), user("bob"), user("ann"), user("bob"), of("team", "ann")];
    let ids = store_all(&probe, &jobs).await;
    probe.limit("keys:user", Limits::running(1)).await;
    let taken = probe.take(9).await;
    assert_eq!(taken.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [ids[0], ids[2], ids[5]]);
    probe.finish(taken[1].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [ids[4]]);
}

pub async fn a_rule_for_a_key_goes_before_its_kind(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("ann"), user("bob"), user("bob")]).await;
    probe.limit("keys:user", Limits::running(1)).await;
    probe.limit("key:user:ann", Limits::running(2)).await;
    assert_eq!(probe.take_ids(9).await, [ids[0], ids[1], ids[3]]);
    probe.limit("key:user:ann", Limits::default()).await;
    assert!(probe.take(9).await.is_empty(), "two run, and the kind allows one");
}

pub async fn a_settled_jobs_slot_is_free_in_the_same_turn(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("ann")]).await;
    probe.limit("keys:user", Limits::running(1)).await;
    let taken = probe.take_one().await;
    assert!(probe.take(9).await.is_empty());
    let settle = vec![settlement(taken.lease, complete(), &[])];
    let turn = Exchange { settle, claim: Some(probe.want(&["default"], 9)), ..Exchange::default() };
    let next: Vec<JobId> = probe.exchange(turn).await.claimed.jobs.iter().map(|job| job.lease.id).collect();
    assert_eq!(next, [ids[1]]);
}

pub async fn a_slot_is_free_however_the_attempt_ends(probe: Probe) {
    probe.limit("keys:user", Limits::running(1)).await;
    let outcomes = [retry(LEASE * 9), snooze(LEASE * 9), fail(), windlass_store::Outcome::Stop];
    for outcome in outcomes {
        let taken = probe.run(&user("ann")).await;
        probe.finish(taken.lease, outcome).await;
    }
    let taken = probe.run(&user("ann")).await;
    probe.finish(taken.lease, windlass_store::Outcome::Release).await;
    assert_eq!(probe.take(9).await.len(), 1);
    assert_eq!(at(&probe, "keys:user").await.taken, 1);
}

pub async fn a_lost_leases_slot_is_free(probe: Probe) {
    probe.limit("keys:user", Limits::running(1)).await;
    let ids = store_all(&probe, &[user("ann"), user("ann")]).await;
    let lost = probe.take_one().await;
    assert!(probe.take(9).await.is_empty());
    probe.crash().await;
    assert_eq!(probe.take_ids(9).await, [ids[0]], "the same job again, and no other beside it");
    assert!(!matches!(probe.settle(lost.lease, complete()).await, windlass_store::Fate::Settled(_)));
    assert_eq!(at(&probe, "keys:user").await.taken, 1);
}

pub async fn a_job_with_two_keys_needs_room_at_both(probe: Probe) {
    let both = |user: &str| job(|draft| draft.key("tenant", "acme").key("user", user));
    let jobs = [both("ann"), both("ann"), both("ann"), both("bob"), both("cid")];
    let ids = store_all(&probe, &jobs).await;
    probe.limit("keys:tenant", Limits::running(2)).await;
    probe.limit("keys:user", Limits::running(1)).await;
    let taken = probe.take(9).await;
    let running: Vec<JobId> = taken.iter().map(|job| job.lease.id).collect();
    assert_eq!(running, [ids[0], ids[3]], "who waits for the user's slot holds none of the tenant's");
    probe.finish(taken[1].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [ids[4]]);
    probe.finish(taken[0].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [ids[1]]);
}

pub async fn a_raised_limit_lets_more_start(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("ann")]).await;
    probe.limit("key:user:ann", Limits::running(1)).await;
    assert_eq!(probe.take_ids(9).await, [ids[0]]);
    probe.limit("key:user:ann", Limits::running(2)).await;
    assert_eq!(probe.take_ids(9).await, [ids[1]]);
    probe.limit("key:user:ann", Limits::default()).await;
    assert_eq!(probe.take_ids(9).await, [ids[2]]);
}

pub async fn a_lowered_limit_waits_for_those_that_run(probe: Probe) {
    let ids = store_all(&probe, &many(4)).await;
    probe.limit("queue:default", Limits::running(3)).await;
    let taken = probe.take(9).await;
    probe.limit("queue:default", Limits::running(1)).await;
    for job in &taken[..2] {
        probe.finish(job.lease, complete()).await;
        assert!(probe.take(9).await.is_empty());
    }
    probe.finish(taken[2].lease, complete()).await;
    assert_eq!(probe.take_ids(9).await, [ids[3]]);
}

pub async fn a_new_limit_counts_those_that_run(probe: Probe) {
    for gate in ["*", "queue:default", "handler:Scenario", "key:user:ann", "keys:user"] {
        store_all(&probe, &[user("ann"), user("ann"), user("ann")]).await;
        let taken = probe.take(2).await;
        probe.limit(gate, Limits::running(2)).await;
        assert_eq!(at(&probe, gate).await.taken, 2, "{gate}");
        assert!(probe.take(9).await.is_empty(), "{gate}");
        probe.finish(taken[0].lease, complete()).await;
        let last = probe.take(9).await;
        assert_eq!(last.len(), 1, "{gate}");
        probe.limit(gate, Limits::default()).await;
        for job in [&taken[1], &last[0]] {
            probe.finish(job.lease, complete()).await;
        }
    }
}

pub async fn a_limit_of_zero_lets_nobody_pass(probe: Probe) {
    probe.submit(&user("ann")).await;
    probe.limit("keys:user", Limits::running(0)).await;
    assert!(probe.take(9).await.is_empty());
}

pub async fn slots_are_told(probe: Probe) {
    probe.limit("keys:user", Limits::running(3)).await;
    store_all(&probe, &[user("ann"), user("ann"), user("bob"), plain()]).await;
    assert_eq!(at(&probe, "keys:user").await.taken, 0);
    let taken = probe.take(9).await;
    assert_eq!(at(&probe, "keys:user").await.taken, 3);
    for job in &taken {
        probe.finish(job.lease, complete()).await;
    }
    assert_eq!(at(&probe, "keys:user").await.taken, 0);
}

pub async fn a_freed_slot_is_heard(probe: Probe) {
    probe.limit("keys:user", Limits::running(1)).await;
    store_all(&probe, &[user("ann"), user("ann")]).await;
    let taken = probe.take(9).await;
    let mut hints = probe.store().hints();
    probe.finish(taken[0].lease, complete()).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn a_suspect_passes_gates_too(probe: Probe) {
    let fragile = job(|draft| {
        let retry = windlass_core::RetryPolicy { max_crashes: 2, ..windlass_core::RetryPolicy::default() };
        draft.retry(retry).key("user", "ann")
    });
    probe.run(&fragile).await;
    probe.crash().await;
    probe.edit("key:user:ann", pause()).await;
    assert!(probe.take(9).await.is_empty());
    probe.edit("key:user:ann", Edit::Resume).await;
    let claim = windlass_store::Claim { suspects: 0, ..probe.want(&["default"], 9) };
    assert!(probe.claim(claim).await.jobs.is_empty(), "still a suspect");
    assert_eq!(probe.take_ids(9).await, [fragile.id]);
}

pub async fn a_burst_goes_at_once_and_the_rest_at_the_rate(probe: Probe) {
    for gate in ["*", "queue:default", "handler:Scenario", "key:user:ann", "keys:user"] {
        let jobs: Vec<NewJob> = (0..8).map(|_| user("ann")).collect();
        let ids = store_all(&probe, &jobs).await;
        probe.limit(gate, per_second(10, 3)).await;
        assert_eq!(probe.take_ids(9).await, ids[..3], "{gate}");
        assert!(probe.take(9).await.is_empty(), "{gate}");
        probe.advance(Duration::from_millis(100) - TICK);
        assert!(probe.take(9).await.is_empty(), "{gate}");
        probe.advance(TICK);
        assert_eq!(probe.take_ids(9).await, ids[3..4], "{gate}");
        probe.advance(SECOND * 60);
        assert_eq!(probe.take_ids(9).await, ids[4..7], "{gate}: the burst is the most that gathers");
        probe.limit(gate, Limits::default()).await;
        assert_eq!(probe.take_ids(9).await, ids[7..], "{gate}");
    }
}

pub async fn a_limited_job_says_when_to_come_back(probe: Probe) {
    for gate in ["queue:default", "keys:user"] {
        store_all(&probe, &[user("ann"), user("ann")]).await;
        probe.limit(gate, per_second(10, 1)).await;
        let claimed = probe.claim(probe.want(&["default"], 9)).await;
        let soon = claimed.more || claimed.next_due.is_some_and(|due| due <= Duration::from_millis(100));
        assert!(claimed.jobs.len() == 1 && soon, "{gate}: {claimed:?}");
        let claimed = probe.claim(probe.want(&["default"], 9)).await;
        assert_eq!((claimed.more, claimed.next_due), (false, Some(Duration::from_millis(100))), "{gate}");
        probe.limit(gate, Limits::default()).await;
        assert_eq!(probe.take(9).await.len(), 1);
    }
}

/// A claim that has all it wants still says when the next one may go.
pub async fn a_full_claim_says_when_to_come_back(probe: Probe) {
    for gate in ["*", "queue:default", "keys:user"] {
        store_all(&probe, &[user("ann"), user("ann")]).await;
        probe.limit(gate, per_second(10, 1)).await;
        let claimed = probe.claim(probe.want(&["default"], 1)).await;
        let soon = claimed.more || claimed.next_due.is_some_and(|due| due <= Duration::from_millis(100));
        assert!(claimed.jobs.len() == 1 && soon, "{gate}: {claimed:?}");
        probe.limit(gate, Limits::default()).await;
        assert_eq!(probe.take(9).await.len(), 1);
    }
}

pub async fn each_key_of_a_kind_has_its_own_rate(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("bob"), user("bob")]).await;
    probe.limit("keys:user", per_second(1, 1)).await;
    assert_eq!(probe.take_ids(9).await, [ids[0], ids[2]]);
    probe.advance(SECOND);
    assert_eq!(probe.take_ids(9).await, [ids[1], ids[3]]);
}

pub async fn every_start_counts_a_retry_too(probe: Probe) {
    probe.limit("queue:default", per_second(1, 2)).await;
    let first = probe.run(&plain()).await;
    probe.finish(first.lease, retry(Duration::ZERO)).await;
    assert_eq!(probe.take(9).await.len(), 1);
    probe.submit(&plain()).await;
    assert!(probe.take(9).await.is_empty());
}

pub async fn a_changed_rate_holds_at_once(probe: Probe) {
    let ids = store_all(&probe, &many(20)).await;
    probe.limit("queue:default", per_second(1, 1)).await;
    assert_eq!(probe.take_ids(9).await, ids[..1]);
    probe.limit("queue:default", per_second(100, 1)).await;
    probe.advance(SECOND);
    assert_eq!(probe.take_ids(9).await, ids[1..2]);
    probe.advance(Duration::from_millis(10));
    assert_eq!(probe.take_ids(9).await, ids[2..3]);
}

pub async fn a_rate_and_a_number_hold_together(probe: Probe) {
    let ids = store_all(&probe, &many(9)).await;
    let Limits { rate, .. } = per_second(10, 5);
    probe.limit("queue:default", Limits::running(2).with_rate(rate.expect("a rate"))).await;
    let taken = probe.take(9).await;
    assert_eq!(taken.len(), 2);
    for job in taken {
        probe.finish(job.lease, complete()).await;
    }
    let taken = probe.take(9).await;
    assert_eq!(taken.len(), 2);
    for job in taken {
        probe.finish(job.lease, complete()).await;
    }
    assert_eq!(probe.take_ids(9).await, ids[4..5], "the burst is spent");
}

pub async fn a_hold_closes_a_gate_with_a_rate(probe: Probe) {
    let ids = store_all(&probe, &many(3)).await;
    probe.limit("handler:Scenario", per_second(100, 10)).await;
    probe.edit("handler:Scenario", Edit::Hold(SECOND)).await;
    assert!(probe.take(9).await.is_empty());
    probe.advance(SECOND - TICK);
    assert!(probe.take(9).await.is_empty());
    probe.advance(TICK);
    assert_eq!(probe.take_ids(9).await, ids[..1], "and no burst after it");
    probe.edit("handler:Scenario", Edit::Hold(TICK)).await;
    probe.advance(SECOND);
    assert_eq!(probe.take_ids(9).await, ids[1..], "a shorter hold takes nothing back");
}

pub async fn a_hold_where_no_rate_is_does_nothing(probe: Probe) {
    probe.submit(&plain()).await;
    probe.edit("handler:Scenario", Edit::Hold(SECOND)).await;
    assert_eq!(probe.take(9).await.len(), 1);
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), []);
}

pub async fn a_rate_is_swapped_where_it_is_the_expected_one(probe: Probe) {
    let ids = store_all(&probe, &many(9)).await;
    let (mine, others) = (Rate::per_second(1_000_000).ok(), Rate::per_second(7).ok());
    let swap = |expected, rate| Edit::Rate { expected, rate };
    probe.limit("handler:Scenario", Limits::running(2)).await;
    probe.edit("handler:Scenario", swap(None, mine)).await;
    probe.edit("handler:Scenario", Edit::Hold(SECOND)).await;
    probe.edit("handler:Scenario", swap(None, others)).await;
    probe.edit("handler:Scenario", swap(others, None)).await;
    assert!(probe.take(9).await.is_empty(), "neither was the expected one");
    probe.edit("handler:Scenario", pause()).await;
    probe.edit("handler:Scenario", swap(mine, None)).await;
    assert!(probe.take(9).await.is_empty(), "a pause is no rate");
    probe.edit("handler:Scenario", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, ids[..2], "it is not held any more, and two run");
    let all = probe.gates().list_gates(None, 9).await.expect("listed");
    assert_eq!(all.iter().map(|ruled| ruled.rule.limits).collect::<Vec<_>>(), [Limits::running(2)]);
}

pub async fn many_that_may_not_go_do_not_keep_others(probe: Probe) {
    probe.limit("keys:user", Limits::running(1)).await;
    let mut flood: Vec<NewJob> = (0..3_000).map(|_| user("ann")).collect();
    flood.extend([user("bob")]);
    let bob = flood[3_000].id;
    for part in flood.chunks(1_000) {
        probe.submit_all(part).await;
    }
    let mut claims = 0;
    let mut taken = Vec::new();
    while !taken.contains(&bob) {
        claims += 1;
        assert!(claims < 20, "still passing over the others");
        taken.extend(probe.take_ids(10).await);
    }
    assert_eq!(taken.len(), 2);
    let claimed = probe.claim(probe.want(&["default"], 10)).await;
    assert!(!claimed.more, "nobody asks in vain");
}

/// Whoever passes over some at once finds more than there is room for behind them.
pub async fn behind_many_that_may_not_go_as_many_pass_as_were_asked_for(probe: Probe) {
    probe.limit("keys:user", Limits::running(2)).await;
    let mut jobs: Vec<NewJob> = (0..150).map(|_| user("ann")).collect();
    jobs.extend(["bob", "cid", "bob", "dan", "bob", "eve"].map(user));
    jobs.extend(many(3));
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    probe.submit_all(&jobs).await;
    assert_eq!(probe.take_ids(2).await, ids[..2], "two of the first");
    assert_eq!(probe.take_ids(1).await, ids[150..151]);
    assert_eq!(probe.take_ids(3).await, ids[151..154]);
    assert_eq!(probe.take_ids(2).await, [ids[155], ids[156]], "the third of one with two that run waits");
    assert_eq!(probe.take_ids(9).await, ids[157..]);
    assert!(probe.take(9).await.is_empty());
}

pub async fn a_delayed_job_passes_when_it_is_due(probe: Probe) {
    probe.limit("keys:user", Limits::running(1)).await;
    let first = probe.run(&user("ann")).await;
    probe.submit(&job(|draft| draft.key("user", "ann").start(Start::After(SECOND)))).await;
    probe.advance(SECOND);
    assert!(probe.take(9).await.is_empty());
    probe.finish(first.lease, complete()).await;
    assert_eq!(probe.take(9).await.len(), 1);
}

pub async fn gates_are_listed_by_pages(probe: Probe) {
    let gates = ["*", "handler:A", "key:user:ann", "key:user:bob", "keys:user", "queue:b"];
    for gate in gates.into_iter().rev() {
        probe.limit(gate, Limits::running(7)).await;
    }
    let mut seen: Vec<String> = Vec::new();
    let mut after = None;
    loop {
        let page = probe.gates().list_gates(after.as_ref(), 4).await.expect("listed");
        let Some(last) = page.last() else { break };
        after = Some(last.gate.clone());
        seen.extend(page.iter().map(|ruled| ruled.gate.to_string()));
    }
    assert_eq!(seen, gates);
}

pub async fn edits_change_their_part_only(probe: Probe) {
    let limits = Limits { rate: per_second(7, 2).rate, ..Limits::in_order() };
    probe.limit("queue:default", limits).await;
    probe.edit("queue:default", pause()).await;
    let rule = at(&probe, "queue:default").await.rule;
    assert_eq!((rule.limits, rule.paused.is_some()), (limits, true));
    probe.limit("queue:default", Limits::default()).await;
    assert!(at(&probe, "queue:default").await.rule.paused.is_some());
    probe.edit("queue:default", Edit::Resume).await;
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), []);
}

pub async fn many_claimers_at_once_take_no_more_than_may_run(probe: Probe) {
    let keys = ["ann", "bob", "cid", "dan"];
    let jobs: Vec<NewJob> = (0..40).map(|number| user(keys[number % keys.len()])).collect();
    store_all(&probe, &jobs).await;
    probe.limit("keys:user", Limits::running(1)).await;
    probe.limit("queue:default", Limits::running(3)).await;
    let mut left = jobs.len();
    while left > 0 {
        let taken: Vec<_> = join_all((0..8).map(|_| probe.take(2))).await.into_iter().flatten().collect();
        let running: Vec<&[Key]> = taken.iter().map(|job| job.new.keys()).collect();
        let distinct = running.iter().enumerate().all(|(place, keys)| !running[..place].contains(keys));
        assert!(distinct && (1..=3).contains(&taken.len()), "{running:?}");
        left -= taken.len();
        join_all(taken.iter().map(|job| probe.finish(job.lease, complete()))).await;
    }
    assert_eq!(at(&probe, "keys:user").await.taken, 0, "no slot is left behind");
}

pub async fn rules_may_change_while_jobs_run(probe: Probe) {
    let ids = store_all(&probe, &many(60)).await;
    let work = async {
        let mut done = 0;
        while done < ids.len() {
            let taken = probe.take(5).await;
            done += taken.len();
            for job in taken {
                probe.finish(job.lease, complete()).await;
            }
        }
    };
    let edits = async {
        for round in 0..20 {
            probe.limit("queue:default", Limits::running(round % 3)).await;
            probe.edit("handler:Scenario", pause()).await;
            probe.edit("handler:Scenario", Edit::Resume).await;
        }
        probe.limit("queue:default", Limits::default()).await;
    };
    futures_util::future::join(work, edits).await;
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), []);
    for id in ids {
        assert_eq!(probe.status(id).await, Status::Completed);
    }
}
