//! The engine on real Redis servers that are killed under load, cut off, and replaced by their replicas.
#![cfg(all(unix, feature = "redis"))]
#![allow(clippy::unwrap_used)]

mod engines;

use std::sync::Arc;
use std::time::{Duration, Instant};

use engines::{Account, Runs};
use windlass_redis::Redis;
use windlass_testkit::servers::{Proxy, RedisCluster, RedisServer, Sentinels};

/// What an append-only file that is written every second may lose (Redis's manual, "Redis persistence").
const EVERYSEC: Duration = Duration::from_secs(2);

/// How long a failover may take here, where servers are missed after a second.
const FAILOVER: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_blocked_threads_lose_no_lease() {
    let server = RedisServer::start().unwrap();
    engines::blocked_threads_lose_no_lease(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_a_breaker_holds_for_two_engines() {
    let server = RedisServer::start().unwrap();
    engines::a_breaker_holds_for_both(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_each_handler_has_its_engine() {
    let server = RedisServer::start().unwrap();
    engines::each_handler_has_its_engine(&server.url()).await;
}

/// T12, with `appendfsync always`.
#[tokio::test(flavor = "multi_thread")]
async fn fault_killing_a_server_that_writes_always_loses_nothing() {
    let mut server = RedisServer::start().unwrap();
    let url = server.url();
    let (account, kills) = engines::killed_under_load(&url, || {
        server.kill().unwrap();
        server.restart().unwrap();
    })
    .await;
    println!("{} kills, appendfsync always: {account}", kills.len());
    assert_eq!(account.lost.len(), 0);
}

/// T12, with `appendfsync everysec`: what is lost was acknowledged in the last two seconds before a kill.
#[tokio::test(flavor = "multi_thread")]
async fn fault_killing_a_server_that_writes_every_second_loses_the_last_two_at_most() {
    let mut server = RedisServer::start_with(&["--appendfsync", "everysec"]).unwrap();
    let url = server.url();
    let (account, kills) = engines::killed_under_load(&url, || {
        server.kill().unwrap();
        server.restart().unwrap();
    })
    .await;
    println!("{} kills, appendfsync everysec: {account}", kills.len());
    for lost in &account.lost {
        let before = |kill: &&Instant| **kill + Duration::from_millis(100) >= *lost && **kill < *lost + EVERYSEC;
        assert!(kills.iter().find(before).is_some(), "lost, and acknowledged long before any kill");
    }
}

/// T11, T13, as on PostgreSQL.
#[tokio::test(flavor = "multi_thread")]
async fn fault_a_network_that_cuts_and_swallows_loses_nothing() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let second = Duration::from_secs(1);
    let options = Redis::options().patience(second).answer_timeout(second);
    let store = options.open(&format!("redis://{}", proxy.address())).await.unwrap();
    engines::cut_and_swallowed(Arc::new(store), &proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_of_many_that_are_the_same_one_is_stored_over_a_network_that_cuts() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::start(server.address()).unwrap();
    let store = Redis::options().open(&format!("redis://{}", proxy.address())).await.unwrap();
    engines::one_of_many_that_are_the_same(Arc::new(store), &proxy).await;
}

/// An engine under load whose primary is killed for good; the replica takes over and the engine carries on by itself.
/// What asynchronous replication lost is counted.
async fn failed_over(url: &str, kill: impl FnOnce()) {
    let runs = [Runs::default()];
    let engines = [engines::start(url, &runs[0]).await];
    let load = engines::load(&engines, Instant::now() + Duration::from_secs(12));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let killed = Instant::now();
    kill();
    let back = engines::work_again(&engines, &runs, FAILOVER).await;
    let account = Account::of(load, &engines[0], &runs).await;
    println!("failover of {url}: back after {back:?}; {account}");
    let long_before = account.lost.iter().filter(|lost| **lost + EVERYSEC < killed).count();
    assert_eq!(long_before, 0, "what was acknowledged seconds before had been replicated");
    engines[0].shutdown_now().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_workers_carry_on_when_sentinels_name_another_server() {
    let mut sentinels = Sentinels::start().unwrap();
    let (url, primary) = (sentinels.url(), sentinels.primary().unwrap());
    failed_over(&url, || sentinels.server(primary).kill().unwrap()).await;
}

/// Without waiting, a failover loses what had not been replicated. The replica that was waited for has everything; the
/// killed server comes back as a replica, so that there is one to wait for again.
#[tokio::test(flavor = "multi_thread")]
async fn fault_a_failover_loses_nothing_that_a_replica_was_waited_for() {
    let mut sentinels = Sentinels::start().unwrap();
    let primary = sentinels.primary().unwrap();
    let options = Redis::options().replicas(1, Duration::from_millis(500));
    let store = Arc::new(options.open(&sentinels.url()).await.unwrap());
    let runs = [Runs::default()];
    let engines = [engines::start_on(store, &runs[0]).await];
    let load = engines::load(&engines, Instant::now() + Duration::from_secs(12));
    tokio::time::sleep(Duration::from_secs(2)).await;
    sentinels.server(primary).kill().unwrap();
    let killed = Instant::now();
    while sentinels.primary().unwrap() == primary {
        assert!(killed.elapsed() < FAILOVER, "the replica has not taken over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sentinels.server(primary).restart().unwrap();
    let back = engines::work_again(&engines, &runs, FAILOVER).await;
    let account = Account::of(load, &engines[0], &runs).await;
    println!("failover with a replica waited for: back after {back:?}; {account}");
    assert_eq!(account.lost.len(), 0);
    engines[0].shutdown_now().await;
}

/// The node that holds the store's slot is the one to die.
#[tokio::test(flavor = "multi_thread")]
async fn fault_workers_carry_on_when_a_cluster_loses_a_node() {
    let mut cluster = RedisCluster::start_with_replicas().unwrap();
    let asked = cluster.node(0).command(&["CLUSTER", "KEYSLOT", "{windlass}:job"]).unwrap();
    let slot = asked.trim_start_matches(':').trim().parse().unwrap();
    let (url, primary) = (cluster.url(), cluster.primary_of_slot(slot).unwrap());
    failed_over(&url, || cluster.node(primary).kill().unwrap()).await;
}

/// Of a store that is spread, every node has a part.
#[tokio::test(flavor = "multi_thread")]
async fn fault_workers_carry_on_when_a_store_among_shards_loses_a_node() {
    let mut cluster = RedisCluster::start_with_replicas().unwrap();
    let url = cluster.url();
    drop(Redis::options().shards(6).open(&url).await.unwrap());
    let node = cluster.primary_of_slot(0).unwrap();
    failed_over(&url, || cluster.node(node).kill().unwrap()).await;
}
