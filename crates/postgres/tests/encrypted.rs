//! Encrypted connections: work travels over them, and a server that cannot show who it is gets none.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use windlass_core::{Clock, Incarnation, NewJob, Payload, QueueName, SystemClock};
use windlass_postgres::Postgres;
use windlass_store::{Claim, Error, ErrorKind, Hint, Store, Verbs};
use windlass_testkit::servers::PostgresServer;

async fn refused(url: &str) -> Error {
    let opened = Postgres::options().patience(Duration::from_secs(3)).open(url).await;
    opened.err().unwrap_or_else(|| panic!("{url} was opened"))
}

#[tokio::test]
async fn jobs_and_hints_travel_encrypted() {
    let server = PostgresServer::start_encrypted().unwrap();
    let url = server.tcp_url("localhost").unwrap();
    let certificate = server.certificate();
    let in_the_address = format!("{url}?sslmode=verify-full&sslrootcert={}", certificate.display());
    let store = Postgres::options().open(&in_the_address).await.unwrap();
    let mut hints = store.hints();
    let in_the_options = Postgres::options().root_certificates(&certificate);
    let other = in_the_options.open(&format!("{url}?sslmode=require")).await.unwrap();
    let new = NewJob::build("Job", Payload::empty()).finish(SystemClock.now()).unwrap();
    let _ = other.submit(vec![new.clone()]).await.unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), hints.next()).await.unwrap(), Hint::Ready);
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    let claim = Claim { queues, limit: 1, lease: Duration::from_secs(30), worker, suspects: 0, handlers: None };
    assert_eq!(store.claim(claim).await.unwrap().jobs[0].lease.id, new.id);
}

#[tokio::test]
async fn a_server_that_is_not_known_gets_no_connection() {
    let server = PostgresServer::start_encrypted().unwrap();
    let (by_name, by_number) = (server.tcp_url("localhost").unwrap(), server.tcp_url("127.0.0.1").unwrap());
    let nobody_signed_it = refused(&format!("{by_name}?sslmode=require")).await;
    assert_eq!(nobody_signed_it.kind(), ErrorKind::Config);
    assert!(nobody_signed_it.to_string().contains("certificate"), "{nobody_signed_it}");
    let roots = format!("sslmode=require&sslrootcert={}", server.certificate().display());
    let another_name = refused(&format!("{by_number}?{roots}")).await;
    assert!(another_name.to_string().contains("certificate"), "{another_name}");
}

#[tokio::test]
async fn a_server_that_wants_encryption_says_so() {
    let server = PostgresServer::start_encrypted().unwrap();
    let plain = refused(&server.tcp_url("localhost").unwrap()).await;
    assert_eq!(plain.kind(), ErrorKind::Config);
    assert!(plain.to_string().contains("sslmode=require"), "{plain}");
}
