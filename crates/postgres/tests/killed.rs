//! Business rows and jobs in one transaction, by processes that are killed at any moment: what is there afterwards is
//! both or neither.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio_postgres::{Client, NoTls};
use windlass_core::{Clock, Incarnation, NewJob, Payload, QueueName, Status, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Fate, Query, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

/// How the children are told which server is theirs.
const SERVER: &str = "WINDLASS_TEST_SERVER";
const SALES: i64 = 10_000;
const EFFECTS: usize = 2_000;
const LEASE: Duration = Duration::from_secs(1);

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn store(url: &str) -> Postgres {
    Postgres::options().open(url).await.unwrap()
}

fn job() -> NewJob {
    NewJob::build("Ship", Payload::empty()).finish(SystemClock.now()).unwrap()
}

fn wanted(limit: usize) -> Claim {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    Claim { queues, limit, lease: LEASE, worker, suspects: limit, handlers: None }
}

/// This test program again, for one of the ignored tests below.
fn child(name: &str, url: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--ignored"]).env(SERVER, url);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Starts a child and kills it at some moment, again and again, until `done`. How often.
async fn kill_until(name: &str, url: &str, mut done: impl AsyncFnMut() -> bool) -> u64 {
    let mut kills = 0;
    while !done().await {
        let mut child = child(name, url);
        // Some die before they have connected, most amid their work; on a slow machine the later ones.
        tokio::time::sleep(Duration::from_millis(20 + fastrand::u64(..400 + 20 * kills))).await;
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    kills
}

#[tokio::test]
#[ignore = "a child of fault_a_job_exists_if_and_only_if_its_row_does"]
async fn sells_until_it_is_killed() {
    let url = std::env::var(SERVER).unwrap();
    let (store, mut client) = (store(&url).await, connect(&url).await);
    loop {
        let new = job();
        let id = new.id.as_uuid();
        let sale = client.transaction().await.unwrap();
        sale.execute("INSERT INTO sale VALUES ($1)", &[&id]).await.unwrap();
        let _ = store.submit_in(&sale, vec![new]).await.unwrap();
        sale.execute("UPDATE sale SET shipping = true WHERE id = $1", &[&id]).await.unwrap();
        sale.commit().await.unwrap();
    }
}

#[tokio::test]
async fn fault_a_job_exists_if_and_only_if_its_row_does() {
    let server = PostgresServer::start().unwrap();
    let (store, client) = (store(&server.url()).await, connect(&server.url()).await);
    client.batch_execute("CREATE TABLE sale (id uuid PRIMARY KEY, shipping boolean)").await.unwrap();
    let sold = async || client.query_one("SELECT count(*) FROM sale", &[]).await.unwrap().get::<_, i64>(0);
    let kills = kill_until("sells_until_it_is_killed", &server.url(), async || sold().await >= SALES).await;
    let apart = "SELECT count(*) FROM sale FULL JOIN windlass.job USING (id) WHERE shipping IS NULL OR job.seq IS NULL";
    let apart: i64 = client.query_one(apart, &[]).await.unwrap().get(0);
    let counts = store.counts().await.unwrap();
    println!(
        "sales: {} rows by processes killed {kills} times, {apart} without their job or the reverse",
        sold().await
    );
    assert_eq!(apart, 0);
    assert_eq!(i64::try_from(counts.total(Status::Queued)).unwrap(), sold().await, "each can be claimed");
}

#[tokio::test]
#[ignore = "a child of fault_every_job_has_its_effect_once"]
async fn works_until_it_is_killed() {
    let url = std::env::var(SERVER).unwrap();
    let (store, mut client) = (store(&url).await, connect(&url).await);
    loop {
        for claimed in store.claim(wanted(5)).await.unwrap().jobs {
            let work = client.transaction().await.unwrap();
            work.execute("INSERT INTO effect VALUES ($1)", &[&claimed.lease.id.as_uuid()]).await.unwrap();
            match store.complete_in(&work, claimed.lease, Payload::empty()).await.unwrap() {
                Fate::Settled(_) => work.commit().await.unwrap(),
                _ => work.rollback().await.unwrap(),
            }
        }
    }
}

#[tokio::test]
async fn fault_every_job_has_its_effect_once() {
    let server = PostgresServer::start().unwrap();
    let (store, client) = (store(&server.url()).await, connect(&server.url()).await);
    client.batch_execute("CREATE TABLE effect (id uuid NOT NULL)").await.unwrap();
    // A kill takes up to five leases with it; no job is to be given up for that.
    let patient = |_| NewJob { retry: windlass_core::RetryPolicy { max_crashes: 1_000, ..job().retry }, ..job() };
    for _ in 0..EFFECTS / 500 {
        let _ = store.submit((0..500).map(patient).collect()).await.unwrap();
    }
    let kills = kill_until("works_until_it_is_killed", &server.url(), async || {
        store.sweep(1_000).await.unwrap();
        store.counts().await.unwrap().total(Status::Completed) >= EFFECTS as u64
    })
    .await;
    let effects = "SELECT count(*), count(DISTINCT id) FROM effect";
    let row = client.query_one(effects, &[]).await.unwrap();
    let (all, different): (i64, i64) = (row.get(0), row.get(1));
    println!("effects: {all} of {different} jobs, by processes killed {kills} times");
    assert_eq!((all, different), (EFFECTS as i64, EFFECTS as i64));
}
