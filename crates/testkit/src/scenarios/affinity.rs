//! Affinity: a claim for some handlers takes their jobs only, and those of others keep their places for whoever serves them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use windlass_core::gate::Edit;
use windlass_core::{JobBuilder, JobId, Limits, NewJob, Payload, Priority, Share, Start, Status, Timestamp, Unique};
use windlass_store::{
    Canceled, Claim, Claimed, ClaimedJob, Exchange, Hint, Outcome, SharedStore, SubmitOutcome, Verbs,
};

use crate::jobs::{complete, job_named, retry, snooze};
use crate::probe::{ALL, LEASE, Probe, settlement};
use crate::scenarios::hints::expect;

const SECOND: Duration = Duration::from_secs(1);

/// A job of a handler.
fn of(handler: &str, shape: impl FnOnce(JobBuilder) -> JobBuilder) -> NewJob {
    shape(NewJob::build(handler, Payload::empty())).finish(Timestamp::UNIX_EPOCH).expect("a valid job")
}

fn mail() -> NewJob {
    of("Mail", |draft| draft)
}

fn report() -> NewJob {
    of("Report", |draft| draft)
}

fn mails(count: usize) -> Vec<NewJob> {
    (0..count).map(|_| mail()).collect()
}

fn reports(count: usize) -> Vec<NewJob> {
    (0..count).map(|_| report()).collect()
}

fn ids(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// A claim of up to `limit` jobs of these handlers.
fn want(probe: &Probe, handlers: &[&str], limit: usize) -> Claim {
    let handlers = handlers.iter().map(|handler| job_named(handler)).collect();
    Claim { handlers: Some(handlers), ..probe.want(&["default"], limit) }
}

async fn claim_of(probe: &Probe, handlers: &[&str], limit: usize) -> Claimed {
    probe.claim(want(probe, handlers, limit)).await
}

async fn take_of(probe: &Probe, handlers: &[&str], limit: usize) -> Vec<JobId> {
    claim_of(probe, handlers, limit).await.jobs.iter().map(|taken| taken.lease.id).collect()
}

fn all(jobs: impl IntoIterator<Item = JobId>) -> HashSet<JobId> {
    jobs.into_iter().collect()
}

/// Some jobs of a handler are left to others by a claim that finds nothing.
async fn left(probe: &Probe, jobs: &[NewJob]) -> Vec<JobId> {
    probe.submit_all(jobs).await;
    assert!(take_of(probe, &["Nothing"], 9).await.is_empty());
    ids(jobs)
}

pub async fn a_claim_takes_jobs_of_its_handlers_only(probe: Probe) {
    let jobs = [report(), mail(), of("Bill", |draft| draft), mail(), report()];
    probe.submit_all(&jobs).await;
    assert_eq!(all(take_of(&probe, &["Mail"], 9).await), all([jobs[1].id, jobs[3].id]));
    assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    assert_eq!(take_of(&probe, &["Mail", "Bill"], 9).await, [jobs[2].id]);
    assert_eq!(all(take_of(&probe, &["Report"], 9).await), all([jobs[0].id, jobs[4].id]));
}

pub async fn a_claim_for_no_handler_takes_nothing(probe: Probe) {
    let jobs = mails(3);
    probe.submit_all(&jobs).await;
    assert_eq!(take_of(&probe, &[], 9).await, []);
    assert_eq!(all(probe.take_ids(9).await), all(ids(&jobs)));
}

pub async fn what_is_left_goes_to_a_full_worker_at_once_and_in_order(probe: Probe) {
    let jobs = [report(), mail(), report(), mail(), report()];
    probe.submit_all(&jobs).await;
    assert_eq!(take_of(&probe, &["Mail"], 1).await, [jobs[1].id]);
    let claimed = probe.claim(probe.want(&["default"], 3)).await;
    let taken: Vec<JobId> = claimed.jobs.iter().map(|taken| taken.lease.id).collect();
    assert_eq!((taken, claimed.more), (vec![jobs[0].id, jobs[2].id, jobs[3].id], true));
    assert_eq!(probe.take_ids(9).await, [jobs[4].id]);
}

pub async fn others_jobs_hold_up_nobody_behind_them(probe: Probe) {
    let (others, own) = (reports(200), mails(3));
    probe.submit_all(&others).await;
    probe.submit_all(&own).await;
    assert_eq!(take_of(&probe, &["Mail"], 1).await, [own[0].id]);
    assert_eq!(take_of(&probe, &["Mail"], 9).await, [own[1].id, own[2].id]);
    assert_eq!(probe.take_ids(ALL).await, ids(&others));
}

/// More than one claim passes over.
pub async fn however_many_are_in_front_a_worker_comes_to_its_own(probe: Probe) {
    let (others, own) = (reports(2_500), mail());
    for batch in others.chunks(500) {
        probe.submit_all(batch).await;
    }
    probe.submit(&own).await;
    let mut claims = 0;
    let taken = loop {
        claims += 1;
        let claimed = claim_of(&probe, &["Mail"], 5).await;
        match claimed.jobs.first() {
            Some(taken) => break taken.lease.id,
            None => assert!(claimed.more || claimed.next_due == Some(Duration::ZERO), "it goes on at once"),
        }
    };
    assert!(taken == own.id && claims <= 20, "{claims} claims");
    assert_eq!(probe.take_ids(ALL).await, ids(&others));
}

pub async fn a_job_left_to_others_keeps_its_priority(probe: Probe) {
    let ranked = |level: u8| of("Report", |draft| draft.priority(Priority::new(level).expect("a level")));
    let jobs = left(&probe, &[ranked(5), ranked(9), ranked(1)]).await;
    let late = [ranked(9), ranked(0), ranked(5)];
    probe.submit_all(&late).await;
    let order = [late[1].id, jobs[2], jobs[0], late[2].id, jobs[1], late[0].id];
    assert_eq!(take_of(&probe, &["Report"], 4).await, order[..4]);
    assert_eq!(probe.take_ids(9).await, order[4..]);
}

pub async fn two_workers_share_a_mixed_backlog(probe: Probe) {
    let jobs: Vec<NewJob> = (0..120).map(|number| if number % 3 == 0 { mail() } else { report() }).collect();
    probe.submit_all(&jobs).await;
    let mut taken: BTreeMap<&str, Vec<JobId>> = BTreeMap::new();
    // As many claims as there would be if each worker had a queue of its own.
    for _ in 0..12 {
        for handler in ["Mail", "Report"] {
            taken.entry(handler).or_default().extend(take_of(&probe, &[handler], 7).await);
        }
    }
    for (handler, taken) in taken {
        let of_it: Vec<JobId> = jobs.iter().filter(|job| job.name.as_str() == handler).map(|job| job.id).collect();
        assert_eq!(taken, of_it, "{handler}");
    }
}

pub async fn nothing_for_a_worker_is_nothing_to_come_back_for(probe: Probe) {
    probe.submit_all(&reports(30)).await;
    for _ in 0..3 {
        let claimed = claim_of(&probe, &["Mail"], 9).await;
        assert!(claimed.jobs.is_empty() && !claimed.more && claimed.next_due.is_none(), "{claimed:?}");
    }
    let claimed = claim_of(&probe, &["Report"], 9).await;
    assert!(claimed.jobs.len() == 9 && claimed.more, "{claimed:?}");
    let claimed = claim_of(&probe, &["Mail"], 9).await;
    assert!(claimed.jobs.is_empty() && !claimed.more && claimed.next_due.is_none(), "{claimed:?}");
}

pub async fn a_worker_comes_back_when_its_own_is_due(probe: Probe) {
    let due = |handler, seconds| of(handler, |draft| draft.start(Start::After(SECOND * seconds)));
    let jobs = [due("Report", 5), due("Mail", 8)];
    probe.submit_all(&jobs).await;
    assert!(claim_of(&probe, &["Mail"], 9).await.next_due.is_some_and(|due| due <= SECOND * 8));
    probe.advance(SECOND * 5);
    let claimed = claim_of(&probe, &["Mail"], 9).await;
    assert_eq!((claimed.jobs.len(), claimed.more, claimed.next_due), (0, false, Some(SECOND * 3)));
    probe.advance(SECOND * 3);
    assert_eq!(take_of(&probe, &["Mail"], 9).await, [jobs[1].id]);
    assert_eq!(take_of(&probe, &["Report"], 9).await, [jobs[0].id]);
}

pub async fn a_turns_own_jobs_of_others_are_heard(probe: Probe) {
    for own in [vec![], vec![mail()]] {
        let mut hints = probe.store().hints();
        let submit = own.iter().cloned().chain([report()]).map(Arc::new).collect();
        let turn = Exchange { submit, claim: Some(want(&probe, &["Mail"], 9)), ..Exchange::default() };
        assert_eq!(probe.exchange(turn).await.claimed.jobs.len(), own.len());
        expect(&mut hints, Hint::Ready).await;
    }
    assert_eq!(probe.take(9).await.len(), 2);
}

pub async fn an_emitted_job_of_others_is_heard(probe: Probe) {
    probe.submit(&mail()).await;
    let lease = claim_of(&probe, &["Mail"], 9).await.jobs[0].lease;
    let emitted = NewJob { id: lease.id.emitted(0), ..report() };
    let mut hints = probe.store().hints();
    let settle = vec![settlement(lease, complete(), std::slice::from_ref(&emitted))];
    let turn = Exchange { settle, claim: Some(want(&probe, &["Mail"], 9)), ..Exchange::default() };
    assert!(probe.exchange(turn).await.claimed.jobs.is_empty());
    expect(&mut hints, Hint::Ready).await;
    assert_eq!(take_of(&probe, &["Report"], 9).await, [emitted.id]);
}

pub async fn a_submission_beside_jobs_left_to_others_is_heard(probe: Probe) {
    left(&probe, &reports(3)).await;
    let mut hints = probe.store().hints();
    probe.submit(&report()).await;
    expect(&mut hints, Hint::Ready).await;
}

pub async fn a_job_left_to_others_is_queued_and_counts_as_waiting(probe: Probe) {
    let jobs = left(&probe, &reports(2)).await;
    assert_eq!(probe.status(jobs[0]).await, Status::Queued);
    assert_eq!(probe.job(jobs[0]).await.attempts, []);
    assert_eq!(probe.submit_within(2, &[mail()]).await, [SubmitOutcome::QueueFull]);
    let Some(query) = probe.query() else { return };
    assert_eq!(query.counts().await.expect("counted").0.values().sum::<u64>(), 2);
    probe.advance(SECOND);
    let queues = [crate::jobs::queue_named("default")];
    assert_eq!(query.oldest_waiting(&queues).await.expect("told"), [Some(SECOND)]);
    crate::invariants::accounting(query).await.expect("counts and lists agree");
}

pub async fn a_job_left_to_others_can_be_canceled(probe: Probe) {
    let jobs = left(&probe, &reports(3)).await;
    assert!(matches!(probe.cancel(jobs[1]).await, Canceled::Done(_)));
    assert_eq!(all(take_of(&probe, &["Report"], 9).await), all([jobs[0], jobs[2]]));
    assert_eq!(probe.status(jobs[1]).await, Status::Canceled);
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert!(claimed.jobs.is_empty() && !claimed.more);
}

pub async fn a_job_left_to_others_expires_and_is_replayed_once(probe: Probe) {
    let mortal = of("Report", |draft| draft.expires(windlass_core::Expiry::After(SECOND)));
    let jobs = left(&probe, &[mortal, report()]).await;
    probe.advance(SECOND);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(probe.status(jobs[0]).await, Status::Failed);
    if let Some(admin) = probe.admin() {
        admin.replay(jobs[0], &windlass_store::Scope::Everything).await.expect("replayed");
        assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    }
    let taken = take_of(&probe, &["Report"], 9).await;
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), taken.len(), "none comes twice");
    assert!(taken.contains(&jobs[1]));
    assert_eq!(take_of(&probe, &["Report"], 9).await, []);
}

pub async fn a_job_left_to_others_can_be_replaced(probe: Probe) {
    let unique = || of("Report", |draft| draft.unique(Unique::key("same").replace()));
    let jobs = left(&probe, &[unique()]).await;
    let newer = unique();
    assert_eq!(probe.submit(&newer).await, SubmitOutcome::Replaced(jobs[0]));
    assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    assert_eq!(probe.take_ids(9).await, [newer.id]);
}

pub async fn a_limit_of_its_handler_holds_for_a_job_left_to_others(probe: Probe) {
    probe.limit("handler:Report", Limits::running(1)).await;
    let jobs = left(&probe, &reports(4)).await;
    for id in jobs {
        assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
        let claimed = claim_of(&probe, &["Report"], 9).await;
        assert_eq!(claimed.jobs.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [id]);
        assert!(!claimed.more && claimed.next_due.is_none());
        assert_eq!(take_of(&probe, &["Report", "Mail"], 9).await, []);
        probe.finish(claimed.jobs[0].lease, complete()).await;
    }
}

pub async fn a_pause_of_its_handler_holds_for_a_job_left_to_others(probe: Probe) {
    let first = left(&probe, &reports(2)).await;
    probe.edit("handler:Report", Edit::Pause("later".into())).await;
    assert_eq!(take_of(&probe, &["Report"], 9).await, []);
    let second = left(&probe, &reports(2)).await;
    assert_eq!(probe.take_ids(9).await, []);
    let claimed = probe.claim(probe.want(&["default"], 9)).await;
    assert!(!claimed.more && claimed.next_due.is_none());
    probe.edit("handler:Report", Edit::Resume).await;
    assert_eq!(take_of(&probe, &["Report"], 9).await, [first, second].concat());
}

pub async fn a_limit_at_a_key_is_handed_on_past_a_job_left_to_others(probe: Probe) {
    let keyed = |handler| of(handler, |draft| draft.key("user", "ann"));
    probe.limit("keys:user", Limits::running(1)).await;
    let jobs = [keyed("Mail"), keyed("Report"), keyed("Mail")];
    probe.submit_all(&jobs).await;
    let lease = claim_of(&probe, &["Mail"], 9).await.jobs[0].lease;
    assert_eq!(lease.id, jobs[0].id);
    assert_eq!(probe.take_ids(9).await, [], "the key is full");
    probe.finish(lease, complete()).await;
    let taken = claim_of(&probe, &["Mail"], 9).await.jobs;
    assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [jobs[2].id]);
    assert_eq!(take_of(&probe, &["Report"], 9).await, []);
    probe.finish(taken[0].lease, complete()).await;
    assert_eq!(take_of(&probe, &["Report"], 9).await, [jobs[1].id]);
}

pub async fn jobs_left_to_others_stay_in_order_at_their_key(probe: Probe) {
    probe.limit("keys:user", Limits::in_order()).await;
    let jobs: Vec<NewJob> = (0..3).map(|_| of("Report", |draft| draft.key("user", "ann"))).collect();
    probe.submit_all(&jobs).await;
    for id in ids(&jobs) {
        for again in [retry(SECOND), snooze(SECOND), Outcome::Release, complete()] {
            assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
            let taken = claim_of(&probe, &["Report"], 9).await.jobs;
            assert_eq!(taken.iter().map(|taken| taken.lease.id).collect::<Vec<_>>(), [id]);
            probe.finish(taken[0].lease, again).await;
            probe.advance(SECOND);
        }
    }
}

pub async fn a_suspect_is_left_to_others_as_a_suspect(probe: Probe) {
    let fragile = of("Report", |draft| {
        draft.retry(windlass_core::RetryPolicy { max_crashes: 2, ..windlass_core::RetryPolicy::default() })
    });
    probe.submit(&fragile).await;
    probe.take_one().await;
    probe.crash().await;
    assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    let own = mail();
    probe.submit(&own).await;
    let without = |handlers: &[&str]| Claim { suspects: 0, ..want(&probe, handlers, 9) };
    assert_eq!(probe.claim(without(&["Report"])).await.jobs.len(), 0);
    assert_eq!(probe.claim(Claim { suspects: 1, ..without(&["Mail"]) }).await.jobs.len(), 1);
    let taken = probe.claim(Claim { suspects: 1, ..without(&["Report"]) }).await.jobs;
    assert!(taken.len() == 1 && taken[0].is_suspect() && taken[0].lease.id == fragile.id);
}

pub async fn a_dead_workers_job_goes_to_who_serves_it(probe: Probe) {
    let jobs = left(&probe, &reports(2)).await;
    assert_eq!(take_of(&probe, &["Report"], 1).await.len(), 1);
    probe.crash().await;
    assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    assert_eq!(all(probe.take_ids(9).await), all(jobs), "any process that serves all finds both");
}

pub async fn a_shared_queue_leaves_jobs_to_others(probe: Probe) {
    probe.edit("queue:default", Edit::Share(Share::by("tenant").expect("a kind"))).await;
    let job = |handler, tenant: &str| of(handler, |draft| draft.key("tenant", tenant));
    let mut jobs: Vec<NewJob> = (0..6).map(|_| job("Report", "ann")).collect();
    jobs.extend((0..6).map(|number| job(if number % 2 == 0 { "Mail" } else { "Report" }, "bob")));
    jobs.push(job("Mail", "ann"));
    probe.submit_all(&jobs).await;
    let of_mail = take_of(&probe, &["Mail"], 9).await;
    assert_eq!(of_mail.iter().collect::<HashSet<_>>(), [&jobs[6].id, &jobs[8].id, &jobs[10].id, &jobs[12].id].into());
    assert_eq!(take_of(&probe, &["Mail"], 9).await, []);
    let taken = [take_of(&probe, &["Report"], 4).await, probe.take_ids(9).await].concat();
    for tenant in [&ids(&jobs[..6]), &[jobs[7].id, jobs[9].id, jobs[11].id].to_vec()] {
        let of_it = taken.iter().filter(|id| tenant.contains(id)).copied();
        assert_eq!(of_it.collect::<Vec<_>>(), **tenant, "in a line jobs go in order");
    }
    assert_eq!(taken.len(), 9);
}

pub async fn a_queue_that_ages_leaves_jobs_to_others(probe: Probe) {
    probe.edit("queue:default", Edit::Aging(Some(SECOND))).await;
    let ranked = |handler, level| of(handler, |draft| draft.priority(Priority::new(level).expect("a level")));
    let old = [ranked("Report", 5), ranked("Mail", 5)];
    probe.submit_all(&old).await;
    probe.advance(SECOND * 4);
    let new = [ranked("Mail", 3), ranked("Report", 3)];
    probe.submit_all(&new).await;
    assert_eq!(take_of(&probe, &["Mail"], 1).await, [old[1].id]);
    assert_eq!(take_of(&probe, &["Report"], 1).await, [old[0].id]);
    assert_eq!(probe.take_ids(9).await, [new[0].id, new[1].id]);
}

pub async fn every_queue_of_a_claim_is_for_its_handlers(probe: Probe) {
    let at = |handler, queue: &str| of(handler, |draft| draft.queue(queue));
    let jobs = [at("Report", "a"), at("Mail", "b"), at("Mail", "a"), at("Report", "b")];
    probe.submit_all(&jobs).await;
    let claim = |handlers: &[&str]| Claim { queues: probe.want(&["a", "b"], 9).queues, ..want(&probe, handlers, 9) };
    let taken = |claimed: Claimed| claimed.jobs.iter().map(|taken| taken.lease.id).collect::<Vec<_>>();
    assert_eq!(taken(probe.claim(claim(&["Mail"])).await), [jobs[2].id, jobs[1].id]);
    assert_eq!(taken(probe.claim(claim(&["Report"])).await), [jobs[0].id, jobs[3].id]);
}

/// What was left is gone, and so is what it cost.
pub async fn when_nothing_is_left_all_go_on_as_before(probe: Probe) {
    let jobs = left(&probe, &reports(3)).await;
    assert_eq!(all(probe.take_ids(9).await), all(jobs));
    probe.sweep().await;
    for _ in 0..3 {
        let jobs = [report(), mail()];
        probe.submit_all(&jobs).await;
        let claimed = probe.claim(probe.want(&["default"], 9)).await;
        assert_eq!(all(claimed.jobs.iter().map(|taken| taken.lease.id)), all(ids(&jobs)));
        assert!(!claimed.more && claimed.next_due.is_none());
    }
}

/// How many jobs were claimed, with these.
fn note(done: &std::sync::Mutex<Vec<JobId>>, claimed: &[ClaimedJob]) -> usize {
    let mut done = done.lock().expect("no panic");
    done.extend(claimed.iter().map(|taken| taken.lease.id));
    done.len()
}

/// Settles what it has and claims again until all are done.
async fn work(store: SharedStore, claim: Claim, all: usize, done: Arc<std::sync::Mutex<Vec<JobId>>>) {
    let mut settle = Vec::new();
    loop {
        let turn = Exchange { settle: std::mem::take(&mut settle), claim: Some(claim.clone()), ..Exchange::default() };
        let claimed = store.exchange(turn).await.expect("a turn").claimed.jobs;
        assert!(claimed.iter().all(|taken| claim.serves(&taken.new.name)));
        if note(&done, &claimed) >= all && claimed.is_empty() {
            return;
        }
        settle = claimed.iter().map(|taken| settlement(taken.lease, complete(), &[])).collect();
        tokio::task::yield_now().await;
    }
}

pub async fn many_workers_of_different_handlers_lose_nothing(probe: Probe) {
    let jobs: Vec<NewJob> = (0..300).map(|number| if number % 2 == 0 { mail() } else { report() }).collect();
    let done = Arc::default();
    let (before, after) = jobs.split_at(150);
    probe.submit_all(before).await;
    let all = Claim { handlers: None, ..want(&probe, &[], 5) };
    let claims = [want(&probe, &["Mail"], 5), want(&probe, &["Report"], 5), all, want(&probe, &["Mail", "Report"], 5)];
    let workers = claims
        .into_iter()
        .map(|claim| tokio::spawn(work(Arc::clone(probe.store()), claim, jobs.len(), Arc::clone(&done))));
    let workers: Vec<_> = workers.collect();
    for batch in after.chunks(10) {
        let _ = probe.store().submit(batch.to_vec()).await.expect("submit");
        tokio::task::yield_now().await;
    }
    let ended = tokio::time::timeout(4 * LEASE, join_all(workers)).await.expect("all are done");
    assert!(ended.into_iter().all(|worker| worker.is_ok()));
    let done = std::mem::take(&mut *done.lock().expect("no panic"));
    assert_eq!((done.len(), done.into_iter().collect::<HashSet<_>>().len()), (jobs.len(), jobs.len()));
}
