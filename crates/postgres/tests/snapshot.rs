//! Under somebody's old snapshot the vacuum removes nothing, and what claims took away piles up at the head of the line.
//! Claims that read it from the head slowed down with every job that had run, to a third after half a minute.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tokio_postgres::{Client, NoTls, Transaction};
use windlass_core::{Clock, Incarnation, JobId, NewJob, Payload, QueueName, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Outcome, Settlement, Verbs};
use windlass_testkit::servers::PostgresServer;

/// Jobs that have run under the snapshot.
const GONE: usize = 2_000;
/// What a claim may read of an index to find one job: its neighbours and its priority's siblings.
const FEW: i64 = 50;

struct Held {
    store: Postgres,
    client: Client,
    /// Has the snapshot.
    _holder: Client,
    _server: PostgresServer,
}

async fn connect(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

impl Held {
    /// A store on which [`GONE`] jobs have run since somebody looked at it.
    async fn open() -> Self {
        let server = PostgresServer::start().unwrap();
        let store = Postgres::options().open(&server.url()).await.unwrap();
        let (client, holder) = (connect(&server).await, connect(&server).await);
        holder
            .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM windlass.jobs")
            .await
            .unwrap();
        let held = Self { store, client, _holder: holder, _server: server };
        held.submit(GONE).await;
        held.work_off().await;
        held
    }

    async fn submit(&self, count: usize) -> JobId {
        let new = |_| NewJob::build("Job", Payload::empty()).finish(SystemClock.now()).unwrap();
        let jobs: Vec<NewJob> = (0..count).map(new).collect();
        let last = jobs.last().unwrap().id;
        assert_eq!(self.store.submit(jobs).await.unwrap().len(), count);
        last
    }

    async fn work_off(&self) {
        let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
        let claim = Claim { queues, limit: GONE, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
        let jobs = self.store.claim(claim).await.unwrap().jobs;
        assert_eq!(jobs.len(), GONE);
        let done = |lease| Settlement { lease, outcome: Outcome::Complete(Payload::empty()), emitted: Vec::new() };
        let fates = self.store.settle(jobs.iter().map(|job| done(job.lease)).collect()).await.unwrap();
        assert_eq!(fates.len(), GONE);
    }
}

async fn entries_read(transaction: &Transaction<'_>) -> i64 {
    let read = "SELECT pg_stat_get_xact_tuples_returned('windlass.ready_pkey'::regclass)";
    transaction.query_one(read, &[]).await.unwrap().get(0)
}

/// What a claim that begins at these numbers finds, and how much of the index it reads.
async fn claim(transaction: &Transaction<'_>, froms: Option<i64>) -> (Option<JobId>, i64) {
    let froms = froms.map(|number| vec![number; 10]);
    let claim = "SELECT id FROM windlass.claim(NULL, ARRAY['default'], 1, 0, 1000000, gen_random_uuid(), $1)";
    let before = entries_read(transaction).await;
    let found = transaction.query_opt(claim, &[&froms]).await.unwrap();
    let id = found.map(|row| JobId::from_bytes(*row.get::<_, uuid::Uuid>(0).as_bytes()));
    (id, entries_read(transaction).await - before)
}

#[tokio::test]
async fn a_claim_that_begins_where_the_last_one_ended_steps_over_nothing() {
    let mut held = Held::open().await;
    let new = held.submit(1).await;
    let transaction = held.client.transaction().await.unwrap();
    let (found, read) = claim(&transaction, None).await;
    assert_eq!(found, Some(new));
    assert!(read >= i64::try_from(GONE).unwrap(), "{read} entries read; is nothing dead at the head of the line?");
    transaction.rollback().await.unwrap();

    let transaction = held.client.transaction().await.unwrap();
    let (found, read) = claim(&transaction, Some(i64::try_from(GONE).unwrap() + 1)).await;
    assert_eq!(found, Some(new));
    assert!(read <= FEW, "{read} entries read");
}

#[tokio::test]
async fn a_job_that_waits_before_the_beginning_is_found_from_the_head() {
    let mut held = Held::open().await;
    let new = held.submit(1).await;
    let transaction = held.client.transaction().await.unwrap();
    assert_eq!(claim(&transaction, Some(i64::MAX)).await.0, None);
    assert_eq!(claim(&transaction, None).await.0, Some(new));
}
