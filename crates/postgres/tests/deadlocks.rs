//! Turns of all shapes, side by side on one server where rules are set, or come and go: no two wait for each other, and who runs is
//! counted.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::NoTls;
use windlass_core::gate::Edit;
use windlass_core::{
    Backlog, Clock, Gate, Incarnation, JobError, JobName, Limits, NewJob, Owner, Payload, Priority, QueueName, Rate,
    Share, Start, SystemClock, Unique,
};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Exchange, Fate, Gates, Lease, Outcome, Scope, Settlement, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

const ACTORS: u64 = 8;
const TURNS: usize = 60;
const PATIENCE: Duration = Duration::from_secs(120);
/// So few that they meet all the time.
const NAMES: u64 = 5;
const HANDLERS: [&str; 2] = ["Job", "Other"];

fn gate(text: &str) -> Gate {
    text.parse().unwrap()
}

fn many() -> Rate {
    Rate::per_second(100_000).unwrap()
}

/// Queues that drop, that are shared and whose jobs age, limits on handlers, keys and owners, and an order.
fn all_kinds() -> Vec<(&'static str, Edit)> {
    vec![
        ("queue:a", Edit::Backlog(Backlog::most(40).drop_oldest())),
        ("queue:b", Edit::Backlog(Backlog::most(60))),
        ("queue:b", Edit::Share(Share::by("tenant").unwrap())),
        ("queue:c", Edit::Aging(Some(Duration::from_millis(5)))),
        ("queue:c", Edit::Limit(Limits::running(20).with_rate(many()))),
        ("keys:tenant", Edit::Limit(Limits::running(4))),
        ("keys:user", Edit::Limit(Limits::in_order())),
        ("handler:Job", Edit::Limit(Limits::rate(many()))),
        ("owners", Edit::Limit(Limits::rate(many()))),
        ("owners", Edit::Backlog(Backlog::most(30).drop_oldest())),
    ]
}

/// Those by which claims alone go one after the other.
fn of_queues() -> Vec<(&'static str, Edit)> {
    vec![
        ("*", Edit::Limit(Limits::running(60))),
        ("queue:a", Edit::Limit(Limits::running(20).with_rate(many()))),
        ("queue:b", Edit::Backlog(Backlog::most(60))),
        ("queue:c", Edit::Aging(Some(Duration::from_millis(5)))),
        ("owners", Edit::Limit(Limits::rate(many()))),
        ("owners", Edit::Backlog(Backlog::most(30))),
    ]
}

fn any_job() -> NewJob {
    let name = |of: &str| format!("{of}{}", fastrand::u64(..NAMES));
    let draft = NewJob::build(*fastrand::choice(&HANDLERS).unwrap(), Payload::empty())
        .queue(fastrand::choice(["a", "b", "c"]).unwrap())
        .priority(Priority::new(fastrand::u8(..10)).unwrap())
        .owner(Owner::new(name("o")).ok())
        .key("tenant", name("t"));
    let draft = if fastrand::bool() { draft.key("user", name("u")) } else { draft };
    let draft = match fastrand::u8(..6) {
        0 => draft.unique(Unique::key(name("k")).in_queue()),
        1 => draft.unique(Unique::key(name("k")).replace()),
        2 => draft.start(Start::After(Duration::from_millis(fastrand::u64(1..20)))),
        _ => draft,
    };
    draft.finish(SystemClock.now()).unwrap()
}

fn any_end(lease: Lease) -> Settlement {
    let delay = Duration::from_millis(fastrand::u64(..5));
    let (outcome, emitted) = match fastrand::u8(..8) {
        0 => (Outcome::Retry { delay, error: JobError::new("test", "again") }, 0),
        1 => (Outcome::Snooze { delay }, 0),
        2 => (Outcome::Release, 0),
        3 => (Outcome::Fail(JobError::new("test", "over")), 0),
        4 => (Outcome::Complete(Payload::empty()), 2),
        _ => (Outcome::Complete(Payload::empty()), 0),
    };
    let child = |index| Arc::new(NewJob { id: lease.id.emitted(index), ..any_job() });
    Settlement { lease, outcome, emitted: (0..emitted).map(child).collect() }
}

/// Whatever a process may want of its store, in any order. What it holds in the end.
async fn act(store: Postgres) -> Vec<Lease> {
    let worker = Incarnation::random();
    let mut leases: Vec<Lease> = Vec::new();
    for _ in 0..TURNS {
        let settle = leases.drain(..fastrand::usize(..=leases.len())).map(any_end).collect();
        let mut queues: Vec<QueueName> = ["a", "b", "c"].map(|name| QueueName::new(name).unwrap()).into();
        fastrand::shuffle(&mut queues);
        let handlers = fastrand::bool().then(|| [JobName::new(*fastrand::choice(&HANDLERS).unwrap()).unwrap()].into());
        let claim = Claim { queues, limit: 10, lease: Duration::from_secs(60), worker, suspects: 1, handlers };
        let turn = Exchange {
            settle,
            submit: (0..fastrand::usize(..24)).map(|_| Arc::new(any_job())).collect(),
            claim: fastrand::bool().then_some(claim),
            ..Exchange::default()
        };
        let done = store.exchange(turn).await.unwrap();
        leases.extend(done.claimed.jobs.iter().map(|job| job.lease));
        for new in done.submitted.iter().take(fastrand::usize(..3)) {
            let _ = store.cancel(new.id, &Scope::Everything).await.unwrap();
        }
        match fastrand::u8(..20) {
            0 => drop(store.sweep(100).await),
            1 => store.edit_gate(&gate("queue:c"), Edit::Pause("a test".into())).await.unwrap(),
            2 => store.edit_gate(&gate("queue:c"), Edit::Resume).await.unwrap(),
            _ => {}
        }
    }
    leases
}

/// They come one after the other, however slow the machine: only the server's own count says that two were stuck.
async fn open(server: &PostgresServer) -> Postgres {
    let options = Postgres::options().connections(ACTORS as usize + 2).patience(PATIENCE).answer_timeout(PATIENCE);
    options.open(&server.url()).await.unwrap()
}

/// Asserts that no two turns are stuck where these rules are set.
async fn none_is_stuck(rules: Vec<(&str, Edit)>) {
    let server = PostgresServer::start().unwrap();
    let server = &server;
    let store = open(server).await;
    for (at, edit) in rules {
        store.edit_gate(&gate(at), edit).await.unwrap();
    }
    let actors: Vec<_> = (0..ACTORS).map(|_| tokio::spawn(act(store.clone()))).collect();
    for actor in actors {
        actor.await.unwrap();
    }
    let admin = admin(server).await;
    // What sessions have counted is told within a second, or when they end.
    drop(store);
    let count = "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks: i64 = admin.query_one(count, &[]).await.unwrap().get(1);
    let log = server.log().unwrap();
    let why: Vec<_> = log.lines().skip_while(|line| !line.contains("deadlock detected")).take(20).collect();
    assert_eq!(deadlocks, 0, "the server had to end turns that waited for each other: {}", why.join("\n"));
}

async fn admin(server: &PostgresServer) -> tokio_postgres::Client {
    let (admin, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    admin
}

// A turn that submitted and claimed took what rules say of submissions before the gates, and one that dropped a job after them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn turns_of_all_shapes_do_not_wait_for_each_other() {
    none_is_stuck(all_kinds()).await;
}

// Where those who run are counted, settlements wait for nobody: a turn that counted at once, and not at its end, kept the count while it
// waited for a queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_do_those_whose_claims_alone_go_one_after_the_other() {
    none_is_stuck(of_queues()).await;
}

/// How turns go, as the store has it: nothing where they are free.
const MODE: &str = "SELECT (SELECT one_by_one FROM windlass.rule WHERE gate = '')";

// How turns go changes while they are under way: whoever has begun one way may end beside those that go another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_runs_is_counted_however_rules_come_and_go() {
    let server = PostgresServer::start().unwrap();
    let (store, admin) = (open(&server).await, admin(&server).await);
    let actors: Vec<_> = (0..ACTORS).map(|_| tokio::spawn(act(store.clone()))).collect();
    let kinds = ["*", "queue:a", "queue:c", "handler:Job", "keys:tenant"];
    while !actors.iter().all(tokio::task::JoinHandle::is_finished) {
        let limits = if fastrand::bool() { Limits::running(fastrand::u32(5..40)) } else { Limits::default() };
        store.edit_gate(&gate(fastrand::choice(kinds).unwrap()), Edit::Limit(limits)).await.unwrap();
    }
    for at in kinds {
        store.edit_gate(&gate(at), Edit::Limit(Limits::default())).await.unwrap();
    }
    store.edit_gate(&gate("queue:c"), Edit::Resume).await.unwrap();
    store.edit_gate(&gate("*"), Edit::Limit(Limits::running(1000))).await.unwrap();
    let mut held = Vec::new();
    for actor in actors {
        held.extend(actor.await.unwrap());
    }
    let taken = async || store.list_gates(None, 9).await.unwrap()[0].taken;
    assert_eq!(taken().await, held.len() as u64);
    let queues: Vec<QueueName> = ["a", "b", "c"].map(|name| QueueName::new(name).unwrap()).into();
    let claim = |limit| Claim {
        queues: queues.clone(),
        limit,
        lease: Duration::from_secs(60),
        worker: Incarnation::random(),
        suspects: 1,
        handlers: None,
    };
    // Those who were left at gates that are gone come back.
    loop {
        let claimed = store.claim(claim(100)).await.unwrap().jobs;
        if claimed.is_empty() {
            break;
        }
        held.extend(claimed.iter().map(|job| job.lease));
    }
    assert_eq!(taken().await, held.len() as u64);
    store.sweep(100).await.unwrap();
    let mode = async || admin.query_one(MODE, &[]).await.unwrap().get::<_, Option<bool>>(0);
    assert_eq!(mode().await, Some(false), "a limit on everything is counted");
    let ends = held.iter().map(|lease| Settlement { lease: *lease, outcome: Outcome::Stop, emitted: Vec::new() });
    let fates = store.settle(ends.collect()).await.unwrap();
    assert!(fates.iter().all(|fate| matches!(fate, Fate::Settled(_))), "{fates:?}");
    assert_eq!(taken().await, 0);
    store.edit_gate(&gate("*"), Edit::Limit(Limits::default())).await.unwrap();
    assert_eq!(mode().await, None);
}
