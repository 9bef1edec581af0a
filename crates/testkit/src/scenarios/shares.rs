//! Shares: the jobs of each key take turns in a queue, by weight, and nothing that waits is left lying.

use std::collections::BTreeMap;

use windlass_core::gate::Edit;
use windlass_core::{JobBuilder, JobId, Limits, NewJob, Priority, Share, Start, Status};
use windlass_store::{ClaimedJob, Exchange, Hint, Outcome, SubmitOutcome};

use crate::jobs::{complete, job, many, plain, retry, waiting_in};
use crate::probe::{LEASE, Probe, TICK, settlement};
use crate::scenarios::hints::expect;

fn shaped(tenant: &str, shape: impl FnOnce(JobBuilder) -> JobBuilder) -> NewJob {
    job(|draft| shape(draft.key("tenant", tenant)))
}

fn of(tenant: &str) -> NewJob {
    shaped(tenant, |draft| draft)
}

fn many_of(tenant: &str, count: usize) -> Vec<NewJob> {
    (0..count).map(|_| of(tenant)).collect()
}

async fn share(probe: &Probe) {
    probe.edit("queue:default", Edit::Share(Share::by("tenant").expect("a kind"))).await;
}

async fn weigh(probe: &Probe, gate: &str, weight: u32) {
    probe.edit(gate, Edit::Share(Share::weight(weight).expect("a weight"))).await;
}

async fn store_all(probe: &Probe, jobs: &[NewJob]) -> Vec<JobId> {
    probe.submit_all(jobs).await;
    jobs.iter().map(|job| job.id).collect()
}

/// How many jobs of each tenant were taken; '' for those that have none.
fn by_tenant(taken: &[ClaimedJob]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for taken in taken {
        let tenant =
            taken.new.keys().first().map_or_else(String::new, |key| key.to_string().split_off("tenant:".len()));
        *counts.entry(tenant).or_default() += 1;
    }
    counts
}

fn of_each<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.into_iter().map(|(tenant, count)| (tenant.to_owned(), count)).collect()
}

pub async fn keys_take_turns(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 9)).await;
    store_all(&probe, &many_of("bob", 3)).await;
    assert_eq!(by_tenant(&probe.take(4).await), of_each([("ann", 2), ("bob", 2)]));
    assert_eq!(by_tenant(&probe.take(99).await), of_each([("ann", 7), ("bob", 1)]));
}

pub async fn keys_take_turns_one_by_one_too(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 9)).await;
    store_all(&probe, &many_of("bob", 9)).await;
    let mut taken = Vec::new();
    for _ in 0..6 {
        taken.extend(probe.take(1).await);
    }
    assert_eq!(by_tenant(&taken), of_each([("ann", 3), ("bob", 3)]));
}

pub async fn a_flood_does_not_hold_others_up(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 400)).await;
    assert_eq!(probe.take(50).await.len(), 50, "whoever is alone has all of it");
    let late = store_all(&probe, &[of("bob"), of("cay")]).await;
    let next: Vec<JobId> = probe.take_ids(4).await;
    assert!(late.iter().all(|id| next.contains(id)), "they are among the next");
}

pub async fn nothing_is_saved_up(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("bob", 1)).await;
    store_all(&probe, &many_of("ann", 60)).await;
    assert_eq!(probe.take(40).await.len(), 40);
    store_all(&probe, &many_of("bob", 60)).await;
    let counts = by_tenant(&probe.take(20).await);
    assert!((9..=11).contains(&counts["bob"]), "{counts:?}");
}

pub async fn in_a_line_jobs_go_in_order(probe: Probe) {
    share(&probe).await;
    let ids = store_all(&probe, &many_of("ann", 3)).await;
    for id in ids {
        assert_eq!(probe.take_ids(1).await, [id]);
    }
}

pub async fn an_urgent_job_goes_first_in_its_line(probe: Probe) {
    share(&probe).await;
    let urgent = shaped("ann", |draft| draft.priority(Priority::new(0).expect("a level")));
    let ids = store_all(&probe, &[of("ann"), of("ann"), urgent]).await;
    assert_eq!(probe.take_ids(1).await, [ids[2]]);
    assert_eq!(probe.take_ids(1).await, [ids[0]]);
}

pub async fn a_weight_is_so_many_turns_for_one(probe: Probe) {
    share(&probe).await;
    weigh(&probe, "key:tenant:ann", 3).await;
    store_all(&probe, &many_of("ann", 60)).await;
    store_all(&probe, &many_of("bob", 60)).await;
    let counts = by_tenant(&probe.take(40).await);
    assert!((29..=31).contains(&counts["ann"]), "{counts:?}");
}

pub async fn a_weight_of_a_kind_holds_for_its_keys(probe: Probe) {
    share(&probe).await;
    weigh(&probe, "keys:tenant", 3).await;
    weigh(&probe, "key:tenant:bob", 1).await;
    store_all(&probe, &many_of("ann", 60)).await;
    store_all(&probe, &many_of("bob", 60)).await;
    let counts = by_tenant(&probe.take(40).await);
    assert!((29..=31).contains(&counts["ann"]), "{counts:?}");
}

pub async fn a_changed_weight_holds_for_those_that_wait(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 60)).await;
    store_all(&probe, &many_of("bob", 60)).await;
    assert_eq!(by_tenant(&probe.take(8).await), of_each([("ann", 4), ("bob", 4)]));
    weigh(&probe, "key:tenant:ann", 4).await;
    let counts = by_tenant(&probe.take(50).await);
    assert!((39..=41).contains(&counts["ann"]), "{counts:?}");
}

pub async fn jobs_without_a_key_are_one_line_more(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many(9)).await;
    store_all(&probe, &many_of("ann", 9)).await;
    assert_eq!(by_tenant(&probe.take(6).await), of_each([("", 3), ("ann", 3)]));
}

pub async fn what_waited_before_is_one_line_more(probe: Probe) {
    store_all(&probe, &many_of("ann", 20)).await;
    share(&probe).await;
    store_all(&probe, &many_of("bob", 2)).await;
    assert_eq!(by_tenant(&probe.take(4).await), of_each([("ann", 2), ("bob", 2)]));
    assert_eq!(probe.take(99).await.len(), 18);
}

pub async fn keys_of_another_kind_do_not_count(probe: Probe) {
    share(&probe).await;
    let ids = store_all(&probe, &[job(|draft| draft.key("user", "zoe")), plain()]).await;
    assert_eq!(probe.take_ids(9).await, ids);
}

pub async fn other_queues_are_first_come_first_served(probe: Probe) {
    share(&probe).await;
    let of_other = |tenant: &str| shaped(tenant, |draft| draft.queue("other"));
    let ids = store_all(&probe, &[of_other("ann"), of_other("ann"), of_other("ann"), of_other("bob")]).await;
    let taken = probe.take_from(&["other"], 3).await;
    assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), ids[..3]);
}

pub async fn an_earlier_queue_goes_first_shared_or_not(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &[of("ann"), waiting_in("other"), of("bob")]).await;
    let taken = probe.take_from(&["default", "other"], 2).await;
    assert!(taken.iter().all(|taken| taken.new.queue.as_str() == "default"));
    assert_eq!(probe.take_from(&["default", "other"], 2).await.len(), 1);
}

pub async fn a_queue_that_is_shared_no_more_empties_its_lines(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 4)).await;
    store_all(&probe, &many_of("bob", 2)).await;
    probe.edit("queue:default", Edit::Share(Share::default())).await;
    let ids = store_all(&probe, &[of("ann"), of("ann"), of("bob")]).await;
    assert_eq!(probe.take(99).await.len(), 9);
    let again = store_all(&probe, &[of("ann"), of("ann"), of("bob")]).await;
    assert_eq!(probe.take_ids(2).await, again[..2]);
    assert!(ids.len() == 3 && probe.take_ids(2).await == again[2..]);
}

pub async fn a_due_job_joins_its_line(probe: Probe) {
    share(&probe).await;
    let later = |tenant: &str| shaped(tenant, |draft| draft.start(Start::After(LEASE)));
    let ann: Vec<NewJob> = (0..9).map(|_| later("ann")).collect();
    store_all(&probe, &ann).await;
    store_all(&probe, &[later("bob")]).await;
    assert!(probe.take(9).await.is_empty());
    probe.advance(LEASE);
    assert_eq!(by_tenant(&probe.take(2).await), of_each([("ann", 1), ("bob", 1)]));
    assert_eq!(probe.take(9).await.len(), 8);
}

pub async fn a_sweep_puts_due_jobs_into_their_lines(probe: Probe) {
    share(&probe).await;
    let later = |tenant: &str| shaped(tenant, |draft| draft.start(Start::After(LEASE)));
    let ann: Vec<NewJob> = (0..9).map(|_| later("ann")).collect();
    store_all(&probe, &ann).await;
    store_all(&probe, &[later("bob")]).await;
    probe.advance(LEASE);
    assert_eq!(probe.sweep().await.promoted, 10);
    assert_eq!(by_tenant(&probe.take(2).await), of_each([("ann", 1), ("bob", 1)]));
}

pub async fn a_job_in_a_line_is_queued_and_counts_as_waiting(probe: Probe) {
    share(&probe).await;
    let first = of("ann");
    assert_eq!(probe.submit_within(2, &[first.clone(), of("bob"), of("ann")]).await[2], SubmitOutcome::QueueFull);
    let seen = probe.job(first.id).await;
    assert_eq!((seen.status, seen.retries), (Status::Queued, 0));
    assert_eq!(probe.take(9).await.len(), 2);
}

pub async fn a_canceled_job_leaves_its_line(probe: Probe) {
    share(&probe).await;
    let ids = store_all(&probe, &[of("ann"), of("ann"), of("bob")]).await;
    probe.cancel(ids[0]).await;
    assert_eq!(probe.status(ids[0]).await, Status::Canceled);
    let mut taken = probe.take_ids(9).await;
    taken.sort();
    let mut left = ids[1..].to_vec();
    left.sort();
    assert_eq!(taken, left);
}

pub async fn a_line_that_was_canceled_takes_no_turns(probe: Probe) {
    share(&probe).await;
    let ann = store_all(&probe, &many_of("ann", 30)).await;
    store_all(&probe, &many_of("bob", 9)).await;
    for id in ann {
        probe.cancel(id).await;
    }
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert_eq!(by_tenant(&claimed.jobs), of_each([("bob", 9)]));
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more && claimed.next_due.is_none());
}

pub async fn more_speaks_of_lines(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 2)).await;
    assert!(probe.claim(probe.want(&["default"], 1)).await.more);
    assert!(!probe.claim(probe.want(&["default"], 1)).await.more);
}

pub async fn a_submission_to_a_line_is_heard(probe: Probe) {
    share(&probe).await;
    let mut hints = probe.store().hints();
    probe.submit(&of("ann")).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn a_turns_own_jobs_line_up(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 5)).await;
    let submit = vec![of("bob").into()];
    let turn = Exchange { submit, claim: Some(probe.want(&["default"], 2)), ..Exchange::default() };
    assert_eq!(by_tenant(&probe.exchange(turn).await.claimed.jobs), of_each([("ann", 1), ("bob", 1)]));
}

pub async fn a_lone_job_of_a_shared_queue_is_taken_in_its_turn(probe: Probe) {
    share(&probe).await;
    let submit = vec![of("bob").into()];
    let turn = Exchange { submit, claim: Some(probe.want(&["default"], 2)), ..Exchange::default() };
    let exchanged = probe.exchange(turn).await;
    assert_eq!((exchanged.claimed.jobs.len(), exchanged.claimed.more), (1, false));
}

pub async fn emitted_jobs_line_up(probe: Probe) {
    share(&probe).await;
    let taken = probe.run(&of("ann")).await;
    store_all(&probe, &many_of("ann", 9)).await;
    probe.settle_emitting(taken.lease, complete(), &[of("bob")]).await;
    assert_eq!(by_tenant(&probe.take(2).await), of_each([("ann", 1), ("bob", 1)]));
}

pub async fn a_job_that_comes_back_runs_again(probe: Probe) {
    share(&probe).await;
    let again = [retry(TICK), Outcome::Release, retry(LEASE * 2)];
    for outcome in again {
        store_all(&probe, &many_of("ann", 3)).await;
        let taken = probe.take_one().await;
        probe.finish(taken.lease, outcome).await;
        probe.advance(LEASE * 2);
        probe.sweep().await;
        let ids = probe.take_ids(9).await;
        assert!(ids.len() == 3 && ids.contains(&taken.lease.id), "{ids:?}");
        for id in ids {
            probe.cancel(id).await;
        }
        probe.crash().await;
    }
}

pub async fn a_job_whose_worker_died_comes_back(probe: Probe) {
    share(&probe).await;
    let ids = store_all(&probe, &[of("ann"), of("bob")]).await;
    assert_eq!(probe.take(9).await.len(), 2);
    assert_eq!(probe.crash().await.reclaimed, 2);
    let again = probe.take_ids(9).await;
    assert!(ids.iter().all(|id| again.contains(id)));
}

pub async fn a_paused_queue_keeps_its_lines(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &[of("ann"), of("ann"), of("bob")]).await;
    probe.edit("queue:default", Edit::Pause("later".into())).await;
    assert!(probe.take(9).await.is_empty());
    probe.edit("queue:default", Edit::Resume).await;
    assert_eq!(by_tenant(&probe.take(2).await), of_each([("ann", 1), ("bob", 1)]));
    assert_eq!(probe.take(9).await.len(), 1);
}

pub async fn a_paused_key_is_passed_over_in_its_turn(probe: Probe) {
    share(&probe).await;
    store_all(&probe, &many_of("ann", 5)).await;
    store_all(&probe, &many_of("bob", 3)).await;
    probe.edit("key:tenant:ann", Edit::Pause("later".into())).await;
    assert_eq!(by_tenant(&probe.take(9).await), of_each([("bob", 3)]));
    probe.edit("key:tenant:ann", Edit::Resume).await;
    assert_eq!(probe.take(9).await.len(), 5);
}

pub async fn limits_hold_in_a_shared_queue(probe: Probe) {
    share(&probe).await;
    probe.limit("keys:tenant", Limits::running(1)).await;
    store_all(&probe, &many_of("ann", 3)).await;
    store_all(&probe, &many_of("bob", 3)).await;
    for _ in 0..3 {
        let taken = probe.take(9).await;
        assert_eq!(by_tenant(&taken), of_each([("ann", 1), ("bob", 1)]));
        for taken in taken {
            probe.finish(taken.lease, complete()).await;
        }
    }
    assert!(probe.take(9).await.is_empty());
}

pub async fn a_line_in_order_stays_in_order(probe: Probe) {
    share(&probe).await;
    probe.limit("keys:tenant", Limits::in_order()).await;
    let mut order = Vec::new();
    let first = store_all(&probe, &many_of("ann", 2)).await;
    let mut running = probe.take(9).await;
    assert_eq!(running.len(), 1, "the second waits at the gate of its key");
    let later = store_all(&probe, &many_of("ann", 3)).await;
    store_all(&probe, &[of("bob"), plain()]).await;
    while let Some(taken) = running.pop() {
        if by_tenant(std::slice::from_ref(&taken)).contains_key("ann") {
            order.push(taken.lease.id);
        }
        probe.finish(taken.lease, complete()).await;
        running.splice(0..0, probe.take(9).await);
    }
    assert_eq!(order, [first, later].concat());
}

pub async fn lines_that_have_ended_keep_nobody_waiting(probe: Probe) {
    share(&probe).await;
    let names: Vec<String> = (0..30).map(|number| format!("t{number}")).collect();
    for name in &names {
        store_all(&probe, &[of(name)]).await;
    }
    for _ in 0..10 {
        assert_eq!(probe.take(3).await.len(), 3);
    }
    let late = store_all(&probe, &[of("zoe")]).await;
    assert_eq!(probe.take_ids(3).await, late, "at once");
    let claimed = probe.claim(probe.want(&["default"], 3)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more);
}

/// Who is stopped at its own limit comes back into its line, and the line keeps its weight: of eight, six are its due, and five it
/// may run.
pub async fn weights_hold_for_those_with_a_limit(probe: Probe) {
    share(&probe).await;
    weigh(&probe, "key:tenant:ann", 3).await;
    probe.limit("keys:tenant", Limits::running(5)).await;
    store_all(&probe, &many_of("ann", 60)).await;
    store_all(&probe, &many_of("bob", 60)).await;
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..10 {
        let taken = probe.take(8).await;
        by_tenant(&taken).into_iter().for_each(|(tenant, count)| *counts.entry(tenant).or_default() += count);
        let settle = taken.iter().map(|taken| settlement(taken.lease, complete(), &[])).collect();
        probe.exchange(Exchange { settle, ..Exchange::default() }).await;
    }
    assert!((48..=50).contains(&counts["ann"]) && counts["bob"] >= 28, "{counts:?}");
}

pub async fn what_a_queue_allows_is_shared(probe: Probe) {
    share(&probe).await;
    probe.limit("queue:default", Limits::running(2)).await;
    store_all(&probe, &many_of("ann", 30)).await;
    store_all(&probe, &many_of("bob", 30)).await;
    let mut counts = BTreeMap::<String, usize>::new();
    for _ in 0..10 {
        let taken = probe.take(9).await;
        assert_eq!(taken.len(), 2);
        by_tenant(&taken).into_iter().for_each(|(tenant, count)| *counts.entry(tenant).or_default() += count);
        let settle = taken.iter().map(|taken| settlement(taken.lease, complete(), &[])).collect();
        probe.exchange(Exchange { settle, ..Exchange::default() }).await;
    }
    assert_eq!(counts, of_each([("ann", 10), ("bob", 10)]));
}

pub async fn a_share_is_told(probe: Probe) {
    share(&probe).await;
    weigh(&probe, "key:tenant:ann", 7).await;
    let all = probe.gates().list_gates(None, 9).await.expect("listed");
    let said: Vec<_> = all.iter().map(|ruled| (ruled.gate.to_string(), ruled.rule.share.clone())).collect();
    let by = Share::by("tenant").expect("a kind");
    let weight = Share::weight(7).expect("a weight");
    assert_eq!(said, [("key:tenant:ann".to_owned(), weight), ("queue:default".to_owned(), by)]);
}

pub async fn a_limit_leaves_the_share_alone(probe: Probe) {
    share(&probe).await;
    probe.limit("queue:default", Limits::running(9)).await;
    probe.limit("queue:default", Limits::default()).await;
    store_all(&probe, &many_of("ann", 9)).await;
    store_all(&probe, &many_of("bob", 9)).await;
    assert_eq!(by_tenant(&probe.take(4).await), of_each([("ann", 2), ("bob", 2)]));
}

pub async fn many_keys_share_evenly(probe: Probe) {
    share(&probe).await;
    let names: Vec<String> = (0..50).map(|number| format!("t{number}")).collect();
    for name in &names {
        store_all(&probe, &many_of(name, 4)).await;
    }
    let first = by_tenant(&probe.take(50).await);
    assert!(first.len() == 50 && first.values().all(|count| *count == 1), "{first:?}");
    let rest = by_tenant(&probe.take(999).await);
    assert!(rest.len() == 50 && rest.values().all(|count| *count == 3), "{rest:?}");
}
