//! Where rules are set, turns end before they are on disk, so that others need not wait: but nobody is answered before.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Incarnation, Limits, NewJob, Payload, QueueName, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Fate, Gates, Lease, Outcome, Scope, Settlement, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

const JOBS: usize = 50;

async fn admin(server: &PostgresServer) -> Client {
    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn set(admin: &Client, setting: &str) {
    admin.batch_execute(setting).await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
}

async fn settle(store: Postgres, lease: Lease) -> Fate {
    store
        .settle(vec![Settlement { lease, outcome: Outcome::Complete(Payload::empty()), emitted: vec![] }])
        .await
        .unwrap()[0]
}

/// A server whose standby does not answer keeps what it acknowledges waiting, as a slow disk does, but for ever.
#[tokio::test]
async fn a_turn_that_lets_others_go_early_is_not_answered_early() {
    let server = PostgresServer::start().unwrap();
    let store = Postgres::options().open(&server.url()).await.unwrap();
    store.edit_gate(&Gate::queue("default").unwrap(), Edit::Limit(Limits::running(1_000))).await.unwrap();
    let new = || NewJob::build("Job", Payload::empty()).finish(SystemClock.now()).unwrap();
    let jobs: Vec<NewJob> = (0..JOBS).map(|_| new()).collect();
    let first = jobs[0].clone();
    let _ = store.submit(jobs).await.unwrap();
    let claim = Claim {
        queues: vec![QueueName::default()],
        limit: JOBS,
        lease: Duration::from_secs(60),
        worker: Incarnation::random(),
        suspects: 0,
        handlers: None,
    };
    let leases: Vec<Lease> = store.claim(claim).await.unwrap().jobs.iter().map(|job| job.lease).collect();
    assert_eq!(leases.len(), JOBS);

    let admin = admin(&server).await;
    set(&admin, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'").await;
    // Sessions hear of it one after the other.
    let (mut waiting, mut settled) = (None, None);
    for lease in leases {
        let mut settling = tokio::spawn(settle(store.clone(), lease));
        match tokio::time::timeout(Duration::from_secs(1), &mut settling).await {
            Ok(fate) => assert!(matches!(fate.unwrap(), Fate::Settled(_))),
            Err(_) => {
                (waiting, settled) = (Some(settling), Some(lease.id));
                break;
            }
        }
    }
    let waiting = waiting.expect("an answer waits for the standby");
    // Others see what it did, and may rely on it no sooner.
    let fate = tokio::time::timeout(Duration::from_secs(1), store.get(settled.unwrap(), &Scope::Everything)).await;
    assert!(fate.is_err(), "somebody was told of an end that is not on disk");
    let again = tokio::time::timeout(Duration::from_secs(1), store.submit(vec![first.clone()])).await;
    assert!(again.is_err(), "somebody was told of a job that may not be on disk");
    set(&admin, "ALTER SYSTEM RESET synchronous_standby_names").await;
    let fate = tokio::time::timeout(Duration::from_secs(20), waiting).await.expect("it waits no more").unwrap();
    assert!(matches!(fate, Fate::Settled(_)));
}
