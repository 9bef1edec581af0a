//! The private Redis servers do what tests rely on: they keep what they acknowledged, and they fail over.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use windlass_testkit::servers::{RedisCluster, RedisServer, Sentinels};

/// How long a failover may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Redis's slot of the key `key`.
const SLOT: u16 = 12_539;

#[test]
fn fault_a_killed_server_comes_back_with_what_it_acknowledged() -> io::Result<()> {
    let mut server = RedisServer::start()?;
    assert_eq!(server.command(&["SET", "key", "value"])?, "+OK");
    server.kill()?;
    assert!(server.command(&["PING"]).is_err());
    server.restart()?;
    assert_eq!(server.command(&["GET", "key"])?, "value");
    Ok(())
}

#[test]
fn fault_a_server_starts_with_the_settings_it_is_given() -> io::Result<()> {
    let server = RedisServer::start_with(&["--appendfsync", "everysec", "--maxmemory-policy", "allkeys-lru"])?;
    assert_eq!(server.command(&["CONFIG", "GET", "appendfsync"])?, "appendfsync\neverysec");
    assert_eq!(server.command(&["CONFIG", "GET", "maxmemory-policy"])?, "maxmemory-policy\nallkeys-lru");
    assert_eq!(server.command(&["CONFIG", "GET", "save"])?, "save\n");
    let refused = RedisServer::start_with(&["--no-such-setting", "1"]).map(drop);
    assert!(refused.is_err_and(|error| error.to_string().contains("no-such-setting")));
    Ok(())
}

#[test]
fn fault_a_paused_server_goes_on_where_it_was() -> io::Result<()> {
    let server = RedisServer::start()?;
    server.pause()?;
    let waiting = thread::scope(|scope| {
        let answer = scope.spawn(|| server.command(&["SET", "key", "value"]));
        thread::sleep(Duration::from_millis(200));
        let waiting = !answer.is_finished();
        server.resume()?;
        let answer = answer.join().map_err(|_| io::Error::other("the client panicked"))??;
        assert_eq!(answer, "+OK");
        io::Result::Ok(waiting)
    })?;
    assert!(waiting);
    Ok(())
}

#[test]
fn fault_an_encrypted_server_listens() -> io::Result<()> {
    let mut server = RedisServer::start_encrypted()?;
    server.kill()?;
    server.restart()?;
    TcpStream::connect(server.address())?;
    assert!(server.certificate().is_file());
    assert!(server.command(&["PING"]).is_err(), "it answers without encryption");
    Ok(())
}

#[test]
fn fault_a_cluster_of_primaries_serves_all_slots() -> io::Result<()> {
    let mut cluster = RedisCluster::start()?;
    let primaries = [0, SLOT, 16_383].map(|slot| cluster.primary_of_slot(slot).ok());
    assert_eq!(primaries, [Some(0), Some(2), Some(2)]);
    for node in 0..cluster.urls().len() {
        assert!(cluster.node(node).command(&["CLUSTER", "INFO"])?.contains("cluster_state:ok"));
    }
    assert_eq!(cluster.node(2).command(&["SET", "key", "value"])?, "+OK");
    assert!(cluster.node(0).command(&["GET", "key"])?.starts_with("-MOVED 12539 "));
    Ok(())
}

#[test]
fn fault_a_replica_of_a_cluster_takes_over() -> io::Result<()> {
    let mut cluster = RedisCluster::start_with_replicas()?;
    let primary = cluster.primary_of_slot(SLOT)?;
    cluster.node(primary).kill()?;
    let next = poll(|| cluster.primary_of_slot(SLOT).ok().filter(|now| *now != primary));
    assert_eq!(cluster.node(next).command(&["SET", "key", "value"])?, "+OK");
    cluster.node(primary).restart()?;
    assert_eq!(cluster.primary_of_slot(SLOT)?, next);
    Ok(())
}

#[test]
fn fault_sentinels_replace_a_killed_primary() -> io::Result<()> {
    let mut sentinels = Sentinels::start()?;
    assert_eq!(sentinels.primary()?, 0);
    assert_eq!(sentinels.server(0).command(&["SET", "key", "value"])?, "+OK");
    poll(|| sentinels.server(1).command(&["GET", "key"]).ok().filter(|value| value == "value"));
    sentinels.server(0).kill()?;
    poll(|| sentinels.primary().ok().filter(|now| *now == 1));
    assert_eq!(sentinels.server(1).command(&["GET", "key"])?, "value");
    assert_eq!(sentinels.server(1).command(&["SET", "key", "other"])?, "+OK");
    Ok(())
}

/// Asks until there is an answer.
fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(50));
    }
}
