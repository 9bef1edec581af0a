//! A database that an older program has left is brought up to date with what runs and what is ruled there.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;
use windlass_core::gate::Rule;
use windlass_core::{Clock, Gate, Incarnation, JobId, Limits, NewJob, Payload, QueueName, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::codec::{Spec, seal};
use windlass_store::{Claim, Fate, Gates, Lease, Outcome, Settlement, Token, Verbs};
use windlass_testkit::servers::PostgresServer;

/// The schema as the first program with gates made it.
const MIGRATIONS: [&str; 4] = [
    include_str!("../src/migrations/0001_tables.sql"),
    include_str!("../src/migrations/0002_schedules.sql"),
    include_str!("../src/migrations/0003_unique.sql"),
    include_str!("../src/migrations/0004_gates.sql"),
];

const FIRST: &str = "CREATE SCHEMA windlass; CREATE TABLE windlass.migration \
                     (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())";

async fn older(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(FIRST).await.unwrap();
    for (number, sql) in (1..).zip(MIGRATIONS) {
        client.batch_execute(sql).await.unwrap();
        client.execute("INSERT INTO windlass.migration (number) VALUES ($1)", &[&number]).await.unwrap();
    }
    client
}

/// At most so many run, as the first program with gates kept it.
async fn rule(client: &Client, gate: &str, running: u32) {
    let record = seal(&Rule { limits: Limits::running(running), ..Rule::default() }).unwrap();
    let sql = "INSERT INTO windlass.rule VALUES ($1, false, $2, false, NULL, 0, 0, $3)";
    client.execute(sql, &[&gate, &i64::from(running), &record]).await.unwrap();
}

const TOKEN: i64 = 7;

/// A job that stands in `table`: it runs, or it is ready.
async fn stands(client: &Client, table: &str) -> JobId {
    let new = NewJob::build("Job", Payload::empty()).finish(SystemClock.now()).unwrap();
    let (id, spec) = (Uuid::from_bytes(*new.id.as_bytes()), Spec::encode(&new).unwrap());
    let sql = "INSERT INTO windlass.job (id, name, queue, priority, created_at, max_crashes, spec, payload)
        VALUES ($1, 'Job', 'default', 5, 1, 3, $2, '') RETURNING seq";
    let seq: i64 = client.query_one(sql, &[&id, &spec]).await.unwrap().get(0);
    let sql = match table {
        "run" => {
            "WITH its AS (INSERT INTO windlass.slot (gate, id) VALUES ('queue:default', $1))
            INSERT INTO windlass.run (id, seq, queue, priority, suspect, token, expires_at, retries, crashes, max_crashes,
                updated_at, started_at, worker)
            VALUES ($1, $2, 'default', 5, false, $3, 9000000000000000, 0, 0, 3, 1, 1, $1)"
        }
        _ => {
            "INSERT INTO windlass.ready (id, seq, queue, priority, suspect, token, retries, crashes, max_crashes, updated_at)
            VALUES ($1, $2, 'default', 5, false, $3, 0, 0, 3, 1)"
        }
    };
    client.execute(sql, &[&id, &seq, &TOKEN]).await.unwrap();
    new.id
}

async fn claimed(store: &Postgres) -> Vec<JobId> {
    let claim = Claim {
        queues: vec![QueueName::default()],
        limit: 9,
        lease: Duration::from_secs(60),
        worker: Incarnation::random(),
        suspects: 0,
        handlers: None,
    };
    store.claim(claim).await.unwrap().jobs.iter().map(|job| job.new.id).collect()
}

// Those who ran at a queue had a slot each, and are counted since: an update must count those that run meanwhile.
#[tokio::test]
async fn who_runs_during_an_update_counts_for_the_limits() {
    let server = PostgresServer::start().unwrap();
    let client = older(&server).await;
    rule(&client, "queue:default", 2).await;
    client.batch_execute("INSERT INTO windlass.rule VALUES ('', false, NULL, false, NULL, 0, 0, '')").await.unwrap();
    let running = [stands(&client, "run").await, stands(&client, "run").await];
    let waiting = [stands(&client, "ready").await, stands(&client, "ready").await];

    let store = Postgres::options().open(&server.url()).await.unwrap();
    let ruled = store.list_gates(None, 9).await.unwrap();
    assert_eq!((ruled.len(), &ruled[0].gate, ruled[0].taken), (1, &Gate::queue("default").unwrap(), 2));
    assert_eq!(claimed(&store).await, [], "two run");
    let lease = Lease { id: running[0], token: Token(TOKEN.unsigned_abs()) };
    let end = Settlement { lease, outcome: Outcome::Complete(Payload::empty()), emitted: vec![] };
    assert!(matches!(store.settle(vec![end]).await.unwrap()[0], Fate::Settled(_)));
    assert_eq!(claimed(&store).await, waiting[..1], "one has ended");
    assert_eq!(store.list_gates(None, 9).await.unwrap()[0].taken, 2);
}
