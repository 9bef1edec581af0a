//! In order: one at a time, first come first served, whatever becomes of the first.

use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{JobId, Limits, NewJob, Share};
use windlass_store::Canceled;

use crate::jobs::{complete, fail, job, plain, retry, snooze, waiting_in};
use crate::probe::Probe;
use crate::scenarios::gates::at;

const SECOND: Duration = Duration::from_secs(1);

fn user(value: &str) -> NewJob {
    job(|draft| draft.key("user", value))
}

async fn store_all(probe: &Probe, jobs: &[NewJob]) -> Vec<JobId> {
    probe.submit_all(jobs).await;
    jobs.iter().map(|job| job.id).collect()
}

pub async fn jobs_of_a_key_go_in_order(probe: Probe) {
    let jobs = [user("ann"), user("ann"), user("ann")];
    let ids = store_all(&probe, &jobs).await;
    probe.limit("keys:user", Limits::in_order()).await;
    for id in ids {
        let taken = probe.take(9).await;
        assert_eq!(taken.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [id]);
        probe.finish(taken[0].lease, complete()).await;
    }
}

pub async fn nobody_overtakes_a_job_that_is_tried_again(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("bob")]).await;
    probe.limit("keys:user", Limits::in_order()).await;
    let taken = probe.take(9).await;
    probe.finish(taken[0].lease, retry(SECOND)).await;
    assert!(probe.take(9).await.is_empty());
    assert_eq!(at(&probe, "keys:user").await.taken, 2, "it keeps its slot");
    probe.advance(SECOND);
    let again = probe.take(9).await;
    assert_eq!(again.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [ids[0]]);
    probe.finish(again[0].lease, windlass_store::Outcome::Release).await;
    let again = probe.take(9).await;
    assert_eq!(again.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [ids[0]]);
    probe.finish(again[0].lease, snooze(SECOND)).await;
    assert!(probe.take(9).await.is_empty());
}

pub async fn nobody_overtakes_a_job_whose_worker_died(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann")]).await;
    probe.limit("keys:user", Limits::in_order()).await;
    probe.take(9).await;
    probe.crash().await;
    assert_eq!(probe.take_ids(9).await, [ids[0]]);
}

pub async fn when_a_job_has_failed_for_good_the_next_one_goes(probe: Probe) {
    let ids = store_all(&probe, &[user("ann"), user("ann"), user("ann")]).await;
    probe.limit("keys:user", Limits::in_order()).await;
    let taken = probe.take_one().await;
    probe.finish(taken.lease, fail()).await;
    let taken = probe.take_one().await;
    assert_eq!(taken.lease.id, ids[1]);
    probe.finish(taken.lease, retry(SECOND)).await;
    assert!(matches!(probe.cancel(ids[1]).await, Canceled::Done(_)));
    assert_eq!(probe.take_ids(9).await, [ids[2]], "a canceled job holds nothing");
}

/// A job has waited for its turn among all, and may not go when it comes, for its key. The claim had chosen a newcomer besides
/// it, and gave it the turn of those that had waited.
pub async fn a_newcomer_has_nobodys_turn(probe: Probe) {
    probe.limit("*", Limits::in_order()).await;
    probe.limit("key:user:ann", Limits::running(0)).await;
    let first = probe.run(&waiting_in("other")).await;
    let waiting = store_all(&probe, &[user("ann"), plain()]).await;
    assert!(probe.take(9).await.is_empty());
    probe.finish(first.lease, complete()).await;
    probe.submit(&plain()).await;
    assert_eq!(probe.take_ids(9).await, waiting[1..]);
}

/// Keys at which no rule is hold nobody up beside one that is stopped: such a job came behind those that have no keys.
pub async fn jobs_that_no_rule_is_for_keep_their_order(probe: Probe) {
    probe.limit("key:user:ann", Limits::running(0)).await;
    let jobs = [user("bob"), plain(), user("ann"), plain(), user("cid")];
    let ids = store_all(&probe, &jobs).await;
    assert_eq!(probe.take_ids(9).await, [ids[0], ids[1], ids[3], ids[4]]);
}

/// The same where some may run at once, and with more than one that may not go.
pub async fn a_newcomer_has_nobodys_room(probe: Probe) {
    probe.limit("handler:Scenario", Limits::running(2)).await;
    let running = [probe.run(&plain()).await, probe.run(&plain()).await];
    let waiting = store_all(&probe, &[user("ann"), user("ann"), plain(), plain(), plain()]).await;
    assert!(probe.take(9).await.is_empty());
    probe.limit("key:user:ann", Limits::running(0)).await;
    for job in running {
        probe.finish(job.lease, complete()).await;
    }
    let newcomers = store_all(&probe, &[user("ann"), plain()]).await;
    let taken = probe.take(9).await;
    assert_eq!(taken.iter().map(|job| job.lease.id).collect::<Vec<_>>(), waiting[2..4]);
    for job in taken {
        probe.finish(job.lease, complete()).await;
    }
    assert_eq!(probe.take_ids(9).await, [waiting[4], newcomers[1]]);
}

/// And where keys take turns: who stays behind is in its key's line still.
pub async fn a_newcomer_of_a_shared_queue_has_nobodys_room(probe: Probe) {
    probe.edit("queue:default", Edit::Share(Share::by("user").expect("a kind"))).await;
    probe.limit("handler:Scenario", Limits::running(1)).await;
    let running = probe.run(&plain()).await;
    let waiting = store_all(&probe, &[user("ann"), user("bob")]).await;
    assert!(probe.take(9).await.is_empty());
    probe.limit("key:user:ann", Limits::running(0)).await;
    probe.finish(running.lease, complete()).await;
    let newcomers = store_all(&probe, &[user("cid"), user("bob"), user("cid")]).await;
    for id in [waiting[1], newcomers[0], newcomers[1], newcomers[2]] {
        let taken = probe.take(9).await;
        assert_eq!(taken.iter().map(|job| job.lease.id).collect::<Vec<_>>(), [id]);
        probe.finish(taken[0].lease, complete()).await;
    }
}
