//! Who is told of new jobs, and how often.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_core::{Clock, Incarnation, NewJob, Payload, QueueName, SystemClock, Unique};
use windlass_postgres::{Postgres, PostgresOptions};
use windlass_store::{Claim, Exchange, Hint, Hints, Scope, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

/// How long a hint may take; and how long nobody must say anything to be taken to have finished.
const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(300);

fn job() -> NewJob {
    NewJob::build("Job", Payload::empty()).finish(SystemClock.now()).unwrap()
}

/// A store, what another process hears of it from now on, and what must live meanwhile.
async fn heard(options: PostgresOptions) -> (Postgres, Hints, (Postgres, PostgresServer)) {
    let server = PostgresServer::start().unwrap();
    let store = options.open(&server.url()).await.unwrap();
    let other = Postgres::options().open(&server.url()).await.unwrap();
    let mut hints = other.hints();
    // The other says to itself that it has begun to listen.
    count(&mut hints).await;
    (store, hints, (other, server))
}

async fn next(hints: &mut Hints) -> Hint {
    tokio::time::timeout(PATIENCE, hints.next()).await.unwrap()
}

/// How many hints come until nobody says anything any more.
async fn count(hints: &mut Hints) -> usize {
    let mut heard = 0;
    while tokio::time::timeout(SILENCE, hints.next()).await.is_ok() {
        heard += 1;
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_jobs_is_told_of_now_and_then_and_its_last_job_too() {
    let (store, mut hints, _alive) = heard(Postgres::options()).await;
    let _ = store.submit(vec![job()]).await.unwrap();
    let _ = store.submit(vec![job()]).await.unwrap();
    assert_eq!((next(&mut hints).await, next(&mut hints).await), (Hint::Ready, Hint::Ready));
    let began = Instant::now();
    for _ in 0..300 {
        let _ = store.submit(vec![job()]).await.unwrap();
    }
    // One for each 5 ms, and another where a job has begun before it and ended behind it.
    let most = 2 * (began.elapsed().as_millis() as usize / 5 + 2);
    let told = count(&mut hints).await;
    assert!((1..=most).contains(&told), "told {told} times, {most} at most were expected");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_is_told_of_jobs_cancellations_still_are() {
    let (store, mut hints, _alive) = heard(Postgres::options().notify(false)).await;
    let _ = store.submit(vec![job(), job()]).await.unwrap();
    let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
    let claim = Claim { queues, limit: 1, lease, worker: Incarnation::random(), suspects: 0, handlers: None };
    let running = store.claim(claim).await.unwrap().jobs.remove(0).lease.id;
    store.cancel(running, &Scope::Everything).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::CancelRequested(running));
    assert_eq!(count(&mut hints).await, 0);
}

/// Whether alone, in a turn, or in a transaction of somebody's own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_run_hear_of_whoever_takes_their_place() {
    let (store, mut hints, alive) = heard(Postgres::options().notify(false)).await;
    let newest = || {
        let draft = NewJob::build("Job", Payload::empty()).unique(Unique::key("k").cancel_running());
        draft.finish(SystemClock.now()).unwrap()
    };
    let claim = || {
        let (queues, lease) = (vec![QueueName::default()], Duration::from_secs(30));
        Claim { queues, limit: 1, lease, worker: Incarnation::random(), suspects: 0, handlers: None }
    };
    let _ = store.submit(vec![newest()]).await.unwrap();
    let first = store.claim(claim()).await.unwrap().jobs.remove(0).lease.id;
    let _ = store.submit(vec![newest()]).await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::CancelRequested(first));
    let second = store.claim(claim()).await.unwrap().jobs.remove(0).lease.id;
    let turn = Exchange { submit: vec![Arc::new(newest())], claim: Some(claim()), ..Exchange::default() };
    let third = store.exchange(turn).await.unwrap().claimed.jobs.remove(0).lease.id;
    assert_eq!(next(&mut hints).await, Hint::CancelRequested(second));
    let (mut client, connection) = tokio_postgres::connect(&alive.1.url(), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let transaction = client.transaction().await.unwrap();
    let _ = store.submit_in(&transaction, vec![newest()]).await.unwrap();
    assert_eq!(count(&mut hints).await, 0, "it may be rolled back");
    transaction.commit().await.unwrap();
    assert_eq!(next(&mut hints).await, Hint::CancelRequested(third));
}
