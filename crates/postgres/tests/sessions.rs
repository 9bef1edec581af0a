//! Where rules are set, every session of a pool plans what turns by rules ask before such a turn needs it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use tokio_postgres::NoTls;
use windlass_core::gate::Edit;
use windlass_core::{Gate, Incarnation, Limits, QueueName};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Gates, Verbs};
use windlass_testkit::servers::PostgresServer;

const SESSIONS: i64 = 5;

fn claim() -> Claim {
    Claim {
        queues: vec![QueueName::default()],
        limit: 1,
        lease: Duration::from_secs(60),
        worker: Incarnation::random(),
        suspects: 0,
        handlers: None,
    }
}

/// Four processes that began together once planned behind the lock for two seconds, and a rate lost a third of its starts.
#[tokio::test]
async fn one_claim_that_meets_rules_prepares_all_sessions() {
    let server = PostgresServer::start().unwrap();
    let store = Postgres::options().connections(SESSIONS as usize).open(&server.url()).await.unwrap();
    let (admin, connection) = tokio_postgres::connect(&server.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let prepared =
        "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT \"windlass\".gates_enter()' AND state = 'idle'";
    let _nothing = store.claim(claim()).await.unwrap();
    assert_eq!(admin.query_one(prepared, &[]).await.unwrap().get::<_, i64>(0), 0, "nobody needs it");
    store.edit_gate(&Gate::queue("default").unwrap(), Edit::Limit(Limits::running(1))).await.unwrap();
    let _nothing = store.claim(claim()).await.unwrap();
    let all = async { while admin.query_one(prepared, &[]).await.unwrap().get::<_, i64>(0) < SESSIONS {} };
    tokio::time::timeout(Duration::from_secs(30), all).await.expect("all of them");
}
