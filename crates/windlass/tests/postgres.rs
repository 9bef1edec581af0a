//! The engine on a real PostgreSQL server that is killed under load, and two processes' worth of engines on one database.
#![cfg(all(unix, feature = "postgres"))]
#![allow(clippy::unwrap_used)]

mod engines;

use std::sync::Arc;
use std::time::Duration;

use windlass_postgres::Postgres;
use windlass_testkit::servers::{PostgresServer, Proxy};

/// The connections used to be driven by the threads that the handlers block: no lease was extended, and every job ran a
/// second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_blocked_threads_lose_no_lease() {
    let server = PostgresServer::start().unwrap();
    engines::blocked_threads_lose_no_lease(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_a_breaker_holds_for_two_engines() {
    let server = PostgresServer::start().unwrap();
    engines::a_breaker_holds_for_both(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_each_handler_has_its_engine() {
    let server = PostgresServer::start().unwrap();
    engines::each_handler_has_its_engine(&server.url()).await;
}

/// T12: the server dies with everything in its memory and comes back. Nothing acknowledged is lost, nothing is settled
/// twice, and both engines work again within five seconds.
#[tokio::test(flavor = "multi_thread")]
async fn fault_killing_the_server_loses_nothing_and_both_engines_come_back() {
    let mut server = PostgresServer::start().unwrap();
    let url = server.url();
    let (account, kills) = engines::killed_under_load(&url, || {
        server.kill().unwrap();
        server.restart().unwrap();
    })
    .await;
    println!("{} kills: {account}", kills.len());
    assert_eq!(account.lost.len(), 0);
}

/// A server, a way to it that can be cut, and a store that goes that way and waits a second for answers.
async fn behind_a_proxy() -> (PostgresServer, Proxy, Postgres) {
    let server = PostgresServer::start_encrypted().unwrap();
    let there = server.tcp_url("localhost").unwrap();
    let port = there.rsplit_once(':').and_then(|(_, rest)| rest.split_once('/')).unwrap().0.parse().unwrap();
    let proxy = Proxy::start(([127, 0, 0, 1], port).into()).unwrap();
    let here = there.replace(&format!(":{port}"), &format!(":{}", proxy.address().port()));
    let second = Duration::from_secs(1);
    let options = Postgres::options().root_certificates(server.certificate()).patience(second).answer_timeout(second);
    let store = options.open(&format!("{here}?sslmode=require")).await.unwrap();
    (server, proxy, store)
}

/// T11, T13: answers are cut off amid a byte stream, and twice the network swallows everything for longer than an answer
/// may take. What was asked may have been done or not; asking again settles it.
#[tokio::test(flavor = "multi_thread")]
async fn fault_a_network_that_cuts_and_swallows_loses_nothing() {
    let (_server, proxy, store) = behind_a_proxy().await;
    engines::cut_and_swallowed(Arc::new(store), &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_of_many_that_are_the_same_one_is_stored_over_a_network_that_cuts() {
    let (_server, proxy, store) = behind_a_proxy().await;
    engines::one_of_many_that_are_the_same(Arc::new(store), &proxy).await;
}
