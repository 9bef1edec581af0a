//! How many jobs of an owner may wait holds exactly, however many connections submit, claim and change the rule beside each other.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio_postgres::NoTls;
use windlass_core::gate::Edit;
use windlass_core::{Backlog, Gate, Incarnation, NewJob, Owner, Payload, QueueName, Start, Timestamp, Unique};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Outcome, Settlement, Store, SubmitOutcome, Verbs};
use windlass_testkit::servers::PostgresServer;

const SUBMITTERS: usize = 64;

async fn open() -> (Arc<Postgres>, PostgresServer) {
    let server = PostgresServer::start().unwrap();
    (Arc::new(Postgres::options().open(&server.url()).await.unwrap()), server)
}

fn of_ann(shape: usize) -> NewJob {
    let draft = NewJob::build("Job", Payload::empty()).owner(Some(Owner::new("ann").unwrap()));
    let draft = match shape % 4 {
        0 => draft.unique(Unique::key(shape.to_string())),
        1 => draft.queue("other"),
        2 => draft.start(Start::After(Duration::from_secs(3_600))),
        _ => draft,
    };
    draft.finish(Timestamp::UNIX_EPOCH).unwrap()
}

async fn bound(store: &Postgres, backlog: Backlog) {
    store.gates().unwrap().edit_gate(&Gate::Owners, Edit::Backlog(backlog)).await.unwrap();
}

async fn submitted(store: &Postgres, jobs: Vec<NewJob>) -> Vec<SubmitOutcome> {
    store.submit(jobs).await.unwrap().into_iter().map(|answer| answer.outcome).collect()
}

/// How many wait, as the store's own lists say.
async fn waiting(store: &Postgres) -> u64 {
    let counts = store.query().unwrap().counts().await.unwrap();
    counts.0.iter().filter(|((_, status), _)| status.is_waiting()).map(|(_, count)| count).sum()
}

fn claim() -> Claim {
    let queues = ["default", "other"].map(|name| QueueName::new(name).unwrap()).into();
    Claim {
        queues,
        limit: 7,
        lease: Duration::from_secs(60),
        worker: Incarnation::random(),
        suspects: 0,
        handlers: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_wait_than_may_however_many_submit() {
    let (store, _server) = open().await;
    for backlog in [Backlog::most(100), Backlog::most(150).drop_oldest()] {
        bound(&store, backlog).await;
        let before = waiting(&store).await;
        let tries = (0..SUBMITTERS).map(|number| {
            let store = Arc::clone(&store);
            // One by one, few and many at a time, which are different functions.
            let many = [1, 3, 9][number % 3];
            let jobs = (0..many).map(|place| of_ann(4 * (number * 10 + place) + number % 4)).collect();
            tokio::spawn(async move { submitted(&store, jobs).await })
        });
        let answers: Vec<SubmitOutcome> = join_all(tries).await.into_iter().flat_map(Result::unwrap).collect();
        let created = answers.iter().filter(|answer| matches!(answer, SubmitOutcome::Created(_))).count() as u64;
        assert_eq!((before + created, waiting(&store).await), (backlog.most.unwrap(), backlog.most.unwrap()));
        let others = answers.iter().filter(|answer| match answer {
            SubmitOutcome::Replaced(_) | SubmitOutcome::Duplicate => backlog.drops,
            answer => **answer == SubmitOutcome::OwnerFull && !backlog.drops,
        });
        assert_eq!(others.count() + created as usize, answers.len(), "{answers:?}");
    }
}

/// Those that come back while others submit are above the number at most by themselves, and nobody waits for anybody for ever.
#[tokio::test(flavor = "multi_thread")]
async fn claims_and_retries_go_on_beside_submissions() {
    let (store, _server) = open().await;
    bound(&store, Backlog::most(40).drop_oldest()).await;
    let submitters = (0..8).map(|number| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..10 {
                let _ =
                    submitted(&store, (0..4).map(|place| of_ann(number * 1_000 + round * 10 + place)).collect()).await;
            }
        })
    });
    let workers = (0..4).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for _ in 0..10 {
                let jobs = store.claim(claim()).await.unwrap().jobs;
                let settle = jobs.into_iter().enumerate().map(|(place, job)| {
                    let complete = Outcome::Complete(Payload::empty());
                    let outcome = if place % 2 == 0 { complete } else { Outcome::Release };
                    Settlement { lease: job.lease, outcome, emitted: Vec::new() }
                });
                store.settle(settle.collect()).await.unwrap();
            }
        })
    });
    let all: Vec<_> = submitters.chain(workers).collect();
    tokio::time::timeout(Duration::from_secs(120), join_all(all)).await.unwrap().into_iter().for_each(Result::unwrap);
    // Whoever was given back meanwhile may be too many, and is counted: each new one takes the place of another.
    let before = waiting(&store).await;
    let answers = submitted(&store, (0..41).map(|_| of_ann(3)).collect()).await;
    let created = answers.iter().filter(|answer| matches!(answer, SubmitOutcome::Created(_))).count() as u64;
    assert_eq!(created, 40_u64.saturating_sub(before));
    assert_eq!(waiting(&store).await, before.max(40));
}

/// A job that is on its way when the first rule is set counts like those that waited before.
#[tokio::test(flavor = "multi_thread")]
async fn a_submission_beside_the_edit_is_counted() {
    let (store, server) = open().await;
    let mut config: tokio_postgres::Config = server.url().parse().unwrap();
    let (mut client, connection) = config.user("postgres").connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("SELECT windlass.enqueue('Job', owner => 'ann')").await.unwrap();
    let editing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { bound(&store, Backlog::most(2)).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!editing.is_finished(), "it waits for the transaction");
    let beside = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { submitted(&store, vec![of_ann(3)]).await })
    };
    tokio::time::sleep(Duration::from_millis(300)).await;
    transaction.commit().await.unwrap();
    editing.await.unwrap();
    assert!(matches!(beside.await.unwrap()[..], [SubmitOutcome::Created(_)]));
    assert_eq!(submitted(&store, vec![of_ann(3)]).await, [SubmitOutcome::OwnerFull]);
}
