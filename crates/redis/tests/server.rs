//! What the store asks of a server, and what it does with one that is short of memory, of rights or of trust.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{Settle, forgetful, job, listed, open, wanted};
use windlass_core::gate::Edit;
use windlass_core::{
    Clock, Gate, Incarnation, JobId, Limits, NewJob, Payload, QueueName, Rate, ScheduleName, Share, Status,
    SystemClock, Unique,
};
use windlass_redis::Redis;
use windlass_store::schedules::Write;
use windlass_store::{
    Claim, Error, ErrorKind, Exchange, Fate, Hint, Outcome, Query, Scope, Settlement, Store, SubmitOutcome, Verbs,
};
use windlass_testkit::servers::{RedisCluster, RedisServer, Sentinels};

async fn refused(url: &str) -> Error {
    let opened = Redis::options().patience(Duration::from_secs(3)).open(url).await;
    opened.err().unwrap_or_else(|| panic!("{url} was opened"))
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]).unwrap();
    let refused = refused(&server.url()).await;
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(refused.to_string().contains("noeviction"), "{refused}");
}

#[tokio::test]
async fn a_store_of_another_layout_is_refused() {
    let server = RedisServer::start().unwrap();
    for (layout, whose) in [("1", "an early Windlass"), ("2", "an early Windlass"), ("4", "a newer Windlass")] {
        server.command(&["HSET", "{windlass}:counts", "layout", layout]).unwrap();
        let refused = refused(&server.url()).await;
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.to_string().contains(whose), "{refused}");
    }
}

/// A server that writes every second loses its last claims when it is killed. Tokens that were counted up from the state on
/// disk were given out again then, and a worker from before could have settled what another one runs.
#[tokio::test]
async fn a_server_that_lost_a_claim_gives_another_token() {
    let mut server = RedisServer::start_with(&["--appendonly", "no"]).unwrap();
    let store = open(&server.url()).await;
    let _ = store.submit(vec![job("claimed again and again")]).await.unwrap();
    let first = store.claim(wanted(1)).await.unwrap().jobs.remove(0).lease;
    assert_eq!(store.settle_one(first, Outcome::Release).await, Status::Queued);
    server.command(&["SAVE"]).unwrap();
    let lost = store.claim(wanted(1)).await.unwrap().jobs.remove(0).lease;
    server.kill().unwrap();
    server.restart().unwrap();
    let store = open(&server.url()).await;
    let again = store.claim(wanted(1)).await.unwrap().jobs.remove(0).lease;
    assert_eq!(lost.id, again.id);
    assert!(first.token < lost.token && lost.token < again.token, "{first:?}, {lost:?}, {again:?}");
    let late = Settlement { lease: lost, outcome: Outcome::Release, emitted: Vec::new() };
    assert_eq!(store.settle(vec![late]).await.unwrap(), [Fate::LeaseLost]);
}

#[tokio::test]
async fn the_number_of_shards_is_settled_when_a_store_is_first_opened() {
    let server = RedisServer::start().unwrap();
    let open_with = async |shards| Redis::options().shards(shards).open(&server.url()).await;
    for impossible in [0, 65] {
        assert_eq!(open_with(impossible).await.unwrap_err().kind(), ErrorKind::Config);
    }
    let first = open_with(3).await.unwrap();
    let new = job("kept");
    let _ = first.submit(vec![new.clone()]).await.unwrap();
    let otherwise = open_with(4).await.unwrap_err();
    assert_eq!(otherwise.kind(), ErrorKind::Config);
    assert!(otherwise.to_string().contains("has 3 shards, not 4"), "{otherwise}");
    assert!(open(&server.url()).await.get(new.id, &Scope::Everything).await.unwrap().is_some());
}

/// One queue, a hundred jobs, five shards on three nodes: all of it is spread, and one claim gathers it.
#[tokio::test]
async fn a_busy_queue_is_spread_over_the_nodes_of_a_cluster() {
    let mut cluster = RedisCluster::start().unwrap();
    let store = Redis::options().shards(5).open(&cluster.url()).await.unwrap();
    let jobs: Vec<_> = (0..100).map(|number| job(&number.to_string())).collect();
    let _ = store.submit(jobs.clone()).await.unwrap();
    let keys = (0..3).map(|node| cluster.node(node).command(&["DBSIZE"]).unwrap());
    assert!(keys.into_iter().all(|size| size.trim() != ":0"), "a node has nothing to do");
    let mut claimed: Vec<_> = store.claim(wanted(100)).await.unwrap().jobs.iter().map(|job| job.lease.id).collect();
    let mut submitted: Vec<_> = jobs.iter().map(|job| job.id).collect();
    claimed.sort_unstable();
    submitted.sort_unstable();
    assert_eq!(claimed, submitted);
}

/// A claim asks every shard, whatever is left in which of them and however little is wanted.
#[tokio::test]
async fn a_claim_finds_what_is_left_in_any_shard() {
    let server = RedisServer::start().unwrap();
    let store = Redis::options().shards(7).open(&server.url()).await.unwrap();
    let _ = store.submit((0..50).map(|number| job(&number.to_string())).collect()).await.unwrap();
    let mut found = 0;
    while found < 50 {
        let claimed = store.claim(wanted(3)).await.unwrap();
        assert_eq!(claimed.jobs.len(), 3.min(50 - found));
        found += claimed.jobs.len();
        assert_eq!(claimed.more, found < 50);
    }
}

/// Lists of several shards are merged by numbers that no two jobs share: every page goes on where the one before ended.
#[tokio::test]
async fn pages_of_several_shards_are_complete_and_in_order() {
    let server = RedisServer::start().unwrap();
    let store = Redis::options().shards(7).open(&server.url()).await.unwrap();
    let mut submitted = Vec::new();
    for number in 0..60 {
        let new = job(&number.to_string());
        submitted.push(new.id);
        let _ = store.submit(vec![new]).await.unwrap();
    }
    let (mut listed, mut filter) = (Vec::new(), windlass_store::Filter { limit: 7, ..Default::default() });
    loop {
        let page = store.list(&filter).await.unwrap();
        listed.extend(page.jobs.iter().map(|job| job.new.id));
        filter.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(listed, submitted, "they came one after the other, by the server's clock");
}

/// Whose next crash would be the last never runs beside another such job, in whichever shards they are.
#[tokio::test]
async fn no_more_suspects_than_allowed_come_from_all_shards_together() {
    let (server, clock) = (RedisServer::start().unwrap(), windlass_core::ManualClock::default());
    let options = Redis::options().shards(5).clock(std::sync::Arc::new(clock.clone()));
    let store = options.open(&server.url()).await.unwrap();
    let retry = windlass_core::RetryPolicy { max_crashes: 2, ..Default::default() };
    let draft = || NewJob::build("Job", Payload::new("text/plain", "x")).retry(retry);
    let _ = store.submit((0..20).map(|_| draft().finish(clock.now()).unwrap()).collect()).await.unwrap();
    assert_eq!(store.claim(wanted(20)).await.unwrap().jobs.len(), 20);
    clock.advance(Duration::from_secs(31));
    assert_eq!(store.sweep(100).await.unwrap().reclaimed, 20);
    for left in (0..20).rev() {
        let claimed = store.claim(Claim { suspects: 1, ..wanted(20) }).await.unwrap();
        assert_eq!((claimed.jobs.len(), claimed.more), (1, left > 0));
    }
    assert_eq!(store.claim(Claim { suspects: 1, ..wanted(20) }).await.unwrap().jobs.len(), 0);
}

/// What others gave out reaches the worker: a lease that nobody knows of would count as a crash of its job.
#[tokio::test]
async fn a_shard_that_is_away_keeps_no_work_of_the_others_back() {
    let mut cluster = RedisCluster::start().unwrap();
    let second = Duration::from_secs(1);
    let options = Redis::options().shards(5).patience(second).answer_timeout(second);
    let store = options.open(&cluster.url()).await.unwrap();
    let _ = store.submit((0..100).map(|number| job(&number.to_string())).collect()).await.unwrap();
    cluster.node(0).pause().unwrap();
    let claimed = store.claim(wanted(100)).await.unwrap().jobs.len();
    assert!((1..100).contains(&claimed), "{claimed} of 100");
    let submitted = store.submit((0..100).map(|number| job(&number.to_string())).collect()).await;
    assert_eq!(submitted.unwrap_err().kind(), ErrorKind::Unavailable);
    cluster.node(0).resume().unwrap();
}

#[tokio::test]
async fn nobody_there_and_nonsense_are_told_apart() {
    let gone = {
        let server = RedisServer::start().unwrap();
        server.url()
    };
    assert_eq!(refused(&gone).await.kind(), ErrorKind::Unavailable);
    assert_eq!(refused("redis://").await.kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_wrong_password_is_told_without_saying_it() {
    let server = RedisServer::start_with(&["--requirepass", "right"]).unwrap();
    let url = server.url().replace("redis://", "redis://:hunter2@");
    let refused = refused(&url).await;
    assert_eq!(refused.kind(), ErrorKind::Config);
    assert!(!refused.to_string().contains("hunter2") && !format!("{refused:?}").contains("hunter2"), "{refused}");
}

/// The rights that the manual (docs/redis.md) gives a user, and those that the line of `kind` adds.
fn rights_in_the_manual(kind: Option<&str>) -> Vec<&'static str> {
    let manual = include_str!("../../../docs/redis.md");
    let rule = manual.lines().find_map(|line| line.strip_prefix("ACL SETUSER app on >secret ")).unwrap();
    let added = kind.map(|kind| manual.lines().find_map(|line| line.strip_prefix(&format!("{kind}: `"))).unwrap());
    let added = added.map(|line| line.split_once('`').unwrap().0).unwrap_or_default();
    rule.split_whitespace().chain(added.split_whitespace()).collect()
}

fn let_in(server: &RedisServer, rights: &[&str]) {
    let command: Vec<&str> = ["ACL", "SETUSER", "app", "on", ">secret"].iter().chain(rights).copied().collect();
    assert_eq!(server.command(&command).unwrap().trim(), "+OK");
}

/// Everything that a store does.
async fn everything(url: &str) {
    let store = open(url).await;
    let mut hints = store.hints();
    let (first, second) = (job("1"), job("2"));
    let _ = store.submit(vec![first.clone(), second.clone()]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async { while hints.next().await != Hint::Ready {} }).await.unwrap();
    let lease = store.claim(wanted(1)).await.unwrap().jobs[0].lease;
    assert_eq!(store.settle_one(lease, Outcome::Fail(windlass_core::JobError::new("X", "why"))).await, Status::Failed);
    store.sweep(10).await.unwrap();
    store.ping().await.unwrap();
    store.admin().unwrap().replay(first.id, &Scope::Everything).await.unwrap();
    store.cancel(second.id, &Scope::Everything).await.unwrap();
    assert_eq!(store.counts().await.unwrap().total(Status::Queued), 1);
    assert_eq!(listed(&store).await.len(), 2);
    let _ = store.submit(vec![job("alone")]).await.unwrap();
    assert_eq!(forgetful(url, 1).await.sweep(10).await.unwrap().pruned, 1);
    let unique =
        |payload| NewJob::build("Unique", Payload::new("text/plain", payload)).unique(Unique::key("k").replace());
    for payload in ["first", "second"] {
        let _ = store.submit(vec![unique(payload).finish(SystemClock.now()).unwrap()]).await.unwrap();
    }
    let schedules = store.schedules().unwrap();
    let name = ScheduleName::new("nightly").unwrap();
    let due = Some(SystemClock.now());
    let write = Write { name: name.clone(), expected: None, due, record: vec![1], jobs: Vec::new() };
    assert!(schedules.write_schedule(write).await.unwrap().is_some());
    assert_eq!(schedules.list_schedules(None, 9).await.unwrap(), schedules.due_schedules(9).await.unwrap().schedules);
    assert!(schedules.remove_schedule(&name).await.unwrap());
    assert!(store.held_by(Incarnation::random()).await.unwrap().is_empty());
    rules(&store).await;
}

/// Everything that a store does where rules are set.
async fn rules(store: &Redis) {
    let (gates, gate) = (store.gates().unwrap(), Gate::keys("user").unwrap());
    let limits = Limits::in_order().with_rate(Rate::per_second(1_000).unwrap());
    gates.edit_gate(&gate, Edit::Limit(limits)).await.unwrap();
    let keyed = || NewJob::build("Keyed", Payload::empty()).queue("keyed").key("user", "ann");
    let jobs = vec![keyed().finish(SystemClock.now()).unwrap(), keyed().finish(SystemClock.now()).unwrap()];
    let _ = store.submit(jobs).await.unwrap();
    let claim = || Claim { queues: vec![QueueName::new("keyed").unwrap()], ..wanted(9) };
    let first = store.claim(claim()).await.unwrap().jobs;
    assert_eq!((first.len(), gates.list_gates(None, 9).await.unwrap()[0].taken), (1, 1));
    gates.edit_gate(&Gate::key("user", "ann").unwrap(), Edit::Hold(Duration::from_micros(1))).await.unwrap();
    store.settle_one(first[0].lease, Outcome::Complete(Payload::empty())).await;
    gates.edit_gate(&gate, Edit::Limit(Limits::default())).await.unwrap();
    assert_eq!(store.claim(claim()).await.unwrap().jobs.len(), 1);
    assert!(store.claim(claim()).await.unwrap().jobs.is_empty());
    let queue = Gate::queue("keyed").unwrap();
    gates.edit_gate(&queue, Edit::Share(Share::by("user").unwrap())).await.unwrap();
    gates.edit_gate(&gate, Edit::Share(Share::weight(2).unwrap())).await.unwrap();
    let lined = vec![keyed().finish(SystemClock.now()).unwrap(), keyed().finish(SystemClock.now()).unwrap()];
    let canceled = lined[0].id;
    let _ = store.submit(lined).await.unwrap();
    assert!(store.cancel(canceled, &Scope::Everything).await.unwrap().is_some());
    assert_eq!(store.claim(claim()).await.unwrap().jobs.len(), 1);
    gates.edit_gate(&queue, Edit::Share(Share::default())).await.unwrap();
}

#[tokio::test]
async fn the_rights_in_the_manual_are_enough() {
    let server = RedisServer::start().unwrap();
    let_in(&server, &rights_in_the_manual(None));
    let url = server.url().replace("redis://", "redis://app:secret@");
    everything(&url).await;
    server.command(&["ACL", "SETUSER", "app", "-hset"]).unwrap();
    let refused = open(&url).await.submit(vec![job("3")]).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Config, "{refused}");
}

#[tokio::test]
async fn the_rights_in_the_manual_are_enough_for_shards() {
    let server = RedisServer::start().unwrap();
    let_in(&server, &rights_in_the_manual(Some("- For a store with shards")));
    let store =
        Redis::options().shards(3).open(&server.url().replace("redis://", "redis://app:secret@")).await.unwrap();
    let _ = store.submit((0..9).map(|number| job(&number.to_string())).collect()).await.unwrap();
    let lease = store.claim(wanted(9)).await.unwrap().jobs[0].lease;
    assert_eq!(store.settle_one(lease, Outcome::Fail(windlass_core::JobError::new("X", "why"))).await, Status::Failed);
    store.sweep(10).await.unwrap();
    store.ping().await.unwrap();
    assert_eq!(store.counts().await.unwrap().total(Status::Failed), 1);
}

#[tokio::test]
async fn the_rights_in_the_manual_are_enough_on_a_cluster() {
    let mut cluster = RedisCluster::start().unwrap();
    for node in 0..3 {
        let_in(cluster.node(node), &rights_in_the_manual(Some("- On a cluster")));
    }
    everything(&cluster.url().replace("redis-cluster://", "redis-cluster://app:secret@")).await;
}

#[tokio::test]
async fn the_rights_in_the_manual_are_enough_behind_sentinels() {
    let mut sentinels = Sentinels::start().unwrap();
    let primary = sentinels.primary().unwrap();
    let_in(sentinels.server(primary), &rights_in_the_manual(Some("- Behind Sentinel")));
    everything(&sentinels.url().replace("redis-sentinel://", "redis-sentinel://app:secret@")).await;
}

/// Submits until the server has no room. What it took in.
async fn fill(store: &Redis, payload: &str) -> Vec<JobId> {
    let mut kept = Vec::new();
    loop {
        let new = job(payload);
        let answer = store.submit(vec![new.clone()]).await.unwrap();
        match answer[0].outcome {
            SubmitOutcome::Created(_) => kept.push(new.id),
            SubmitOutcome::QueueFull => return kept,
            other => panic!("{other:?}"),
        }
        assert!(kept.len() < 1_000, "eight megabytes do not hold twenty");
    }
}

/// A server without room used to refuse settlements and claims as well, and then nothing ever made room again.
#[tokio::test]
async fn a_full_server_refuses_submissions_and_lets_work_go_on() {
    let server = RedisServer::start_with(&["--maxmemory", "8mb"]).unwrap();
    let store = open(&server.url()).await;
    let payload = "x".repeat(20_000);
    let kept = fill(&store, &payload).await;
    for id in &kept {
        assert!(store.get(*id, &Scope::Everything).await.unwrap().is_some(), "acknowledged and lost");
    }
    let taken = store.claim(wanted(kept.len())).await.unwrap().jobs;
    assert_eq!(taken.len(), kept.len());
    let settle = |lease| Settlement { lease, outcome: Outcome::Complete(Payload::empty()), emitted: Vec::new() };
    let turn = Exchange {
        settle: taken.iter().map(|job| settle(job.lease)).collect(),
        submit: vec![job(&payload).into()],
        ..Exchange::default()
    };
    let answers = store.exchange(turn).await.unwrap();
    assert_eq!(answers.submitted[0].outcome, SubmitOutcome::QueueFull);
    assert!(answers.fates.iter().all(|fate| *fate == Fate::Settled(Status::Completed)));
    let soon_over = Redis::options().completed_retention(Duration::ZERO).open(&server.url()).await.unwrap();
    assert_eq!(soon_over.sweep(10_000).await.unwrap().pruned, kept.len());
    let answer = store.submit(vec![job("small")]).await.unwrap();
    assert!(matches!(answer[0].outcome, SubmitOutcome::Created(_)), "there is room again");
}

/// The engine says with each turn how many jobs may wait. On a full server the script once stumbled over that, after half of
/// the turn was written: what a completion had emitted was kept and never ran.
#[tokio::test]
async fn a_turn_with_a_limit_is_whole_on_a_full_server() {
    let server = RedisServer::start_with(&["--maxmemory", "8mb"]).unwrap();
    let store = open(&server.url()).await;
    let payload = "x".repeat(20_000);
    fill(&store, &payload).await;
    let refused = async |turn: Exchange| {
        let answers = store.exchange(Exchange { queue_limit: Some(1_000_000), ..turn }).await.unwrap();
        assert!(answers.submitted.iter().all(|one| one.outcome == SubmitOutcome::QueueFull), "{answers:?}");
        answers.fates
    };
    for many in [1, 2] {
        let submit = (0..many).map(|_| job(&payload).into()).collect();
        refused(Exchange { submit, ..Exchange::default() }).await;
    }

    let [done, failed]: [_; 2] = store.claim(wanted(2)).await.unwrap().jobs.try_into().unwrap();
    let emitted = job("emitted");
    let settle = vec![
        Settlement {
            lease: done.lease,
            outcome: Outcome::Complete(Payload::empty()),
            emitted: vec![emitted.clone().into()],
        },
        Settlement {
            lease: failed.lease,
            outcome: Outcome::Retry { delay: Duration::from_secs(60), error: windlass_core::JobError::new("X", "why") },
            emitted: Vec::new(),
        },
    ];
    let fates = refused(Exchange { settle, submit: vec![job(&payload).into()], ..Exchange::default() }).await;
    assert_eq!(fates, [Fate::Settled(Status::Completed), Fate::Settled(Status::Scheduled)]);
    let failed = store.get(failed.lease.id, &Scope::Everything).await.unwrap().unwrap();
    assert_eq!(failed.attempts.len(), 1);
    let claimed = store.claim(wanted(1_000)).await.unwrap().jobs;
    assert!(claimed.iter().any(|job| job.lease.id == emitted.id), "what was emitted has to run");
}

/// A server that forgets its scripts, as one that was restarted has, is told them again.
#[tokio::test]
async fn forgotten_scripts_are_told_again() {
    let server = RedisServer::start().unwrap();
    let store = open(&server.url()).await;
    let _ = store.submit(vec![job("1")]).await.unwrap();
    server.command(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(store.claim(wanted(5)).await.unwrap().jobs.len(), 1);
}

/// What a replica has not confirmed is not acknowledged, not to somebody else over another connection either, and is found
/// when it is asked for again. Claims are told nobody and go on: given up they would count as crashes.
#[tokio::test]
async fn nothing_is_acknowledged_that_no_replica_has() {
    let mut sentinels = Sentinels::start().unwrap();
    let primary = sentinels.primary().unwrap();
    let options = Redis::options().replicas(1, Duration::from_millis(200));
    let store = options.clone().open(&sentinels.server(primary).url()).await.unwrap();
    let other = options.open(&sentinels.server(primary).url()).await.unwrap();
    let (kept, doubtful) = (job("1"), job("2"));
    assert_eq!(store.submit(vec![kept]).await.unwrap()[0].outcome, SubmitOutcome::Created(Status::Queued));
    sentinels.server(1 - primary).pause().unwrap();
    let error = store.submit(vec![doubtful.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("0 of 1 replicas"), "{error}");
    let error = other.submit(vec![doubtful.clone()]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(store.claim(wanted(1)).await.unwrap().jobs.len(), 1);
    sentinels.server(1 - primary).resume().unwrap();
    sentinels.server(primary).command(&["SCRIPT", "FLUSH"]).unwrap();
    assert_eq!(store.submit(vec![doubtful]).await.unwrap()[0].outcome, SubmitOutcome::Existing);
    sentinels.server(primary).command(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    assert_eq!(store.submit(vec![job("3")]).await.unwrap()[0].outcome, SubmitOutcome::QueueFull);
}

#[tokio::test]
async fn replicas_that_cannot_be_waited_for_are_a_mistake() {
    let options = Redis::options().replicas(1, Duration::from_secs(1));
    let error = options.open("redis-cluster://localhost:1").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("cluster"), "{error}");
    let options = Redis::options().replicas(1, Duration::from_secs(10));
    let error = options.open("redis://localhost:1").await.err().unwrap();
    assert!(error.to_string().contains("answer_timeout"), "{error}");
}

/// T33: callers who go away amid a question leave its answer to nobody, and no other caller gets it.
#[tokio::test(flavor = "multi_thread")]
async fn no_caller_gets_the_answer_to_anothers_question() {
    let server = RedisServer::start().unwrap();
    let store = open(&server.url()).await;
    let jobs: Vec<_> = (0..200).map(|number| job(&number.to_string())).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    let _ = store.submit(jobs).await.unwrap();
    let ask = async |store: Redis, ids: Vec<JobId>| {
        let mut answered = 0_u32;
        for _ in 0..500 {
            let id = ids[fastrand::usize(..ids.len())];
            let patience = Duration::from_micros(fastrand::u64(..600));
            if let Ok(found) = tokio::time::timeout(patience, store.get(id, &Scope::Everything)).await {
                assert_eq!(found.unwrap().unwrap().new.id, id);
                answered += 1;
            }
        }
        answered
    };
    let askers: Vec<_> = (0..8).map(|_| tokio::spawn(ask(store.clone(), ids.clone()))).collect();
    let mut answered = 0;
    for asker in askers {
        answered += asker.await.unwrap();
    }
    println!("{answered} of 4000 answers were waited for");
    assert!(answered > 0 && answered < 4_000, "some waited and some did not: {answered}");
}

#[tokio::test]
async fn jobs_and_hints_travel_encrypted() {
    let server = RedisServer::start_encrypted().unwrap();
    let trusting = Redis::options().root_certificates(server.certificate());
    let store = trusting.open(&server.tls_url()).await.unwrap();
    let mut hints = store.hints();
    let new = job("1");
    let _ = store.submit(vec![new.clone()]).await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), async { while hints.next().await != Hint::Ready {} }).await.unwrap();
    assert_eq!(store.claim(wanted(1)).await.unwrap().jobs[0].lease.id, new.id);
    let stranger = refused(&server.tls_url()).await;
    assert_eq!(stranger.kind(), ErrorKind::Config);
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
}
