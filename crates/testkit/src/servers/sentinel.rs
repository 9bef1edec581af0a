//! A private Redis primary with a replica, and sentinels that watch them.

use std::io;
use std::time::Duration;

use super::RedisServer;
use super::child;

/// What the sentinels call the primary.
const NAME: &str = "windlass";

/// How long a living sentinel may take to answer. One that is dead is passed over.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sentinels tell each other sooner than by default, and a machine that is busy for a while does not make them distrust
/// their clocks and give up watching.
const PACE: [&str; 6] = ["SENTINEL", "DEBUG", "PUBLISH-PERIOD", "200", "TILT-TRIGGER", "30000"];

/// A primary, a replica, and three sentinels of which two decide on a failover.
#[derive(Debug)]
pub struct Sentinels {
    servers: [RedisServer; 2],
    sentinels: Vec<RedisServer>,
}

impl Sentinels {
    /// Starts them, and waits until the sentinels know of the replica and of each other. The first server is the primary.
    ///
    /// # Errors
    ///
    /// When Redis is not installed or one of them does not start.
    pub fn start() -> io::Result<Self> {
        let primary = RedisServer::start()?;
        let replica = start_replica(&primary)?;
        let sentinels = (0..3).map(|_| start_sentinel(&primary)).collect::<io::Result<_>>()?;
        let all = Self { servers: [primary, replica], sentinels };
        child::wait_until("The sentinels", || all.sentinels.iter().all(knows_the_others))?;
        Ok(all)
    }

    /// Where to connect: `redis-sentinel://`, then all sentinels with commas between them, then `/` and the name of the
    /// primary.
    pub fn url(&self) -> String {
        let sentinels: Vec<_> = self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        format!("redis-sentinel://{}/{NAME}", sentinels.join(","))
    }

    /// Which server the sentinels take for the primary: 0 or 1. Of those that disagree, the one is right that knows of the
    /// latest failover.
    ///
    /// # Errors
    ///
    /// When no sentinel answers.
    pub fn primary(&self) -> io::Result<usize> {
        let latest = self.sentinels.iter().filter_map(view_of).max();
        let found = latest.and_then(|(_, port)| self.servers.iter().position(|server| server.port() == port));
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no sentinel names a primary"))
    }

    /// One of the two servers that hold data.
    ///
    /// # Panics
    ///
    /// When `index` is neither 0 nor 1.
    pub fn server(&mut self, index: usize) -> &mut RedisServer {
        &mut self.servers[index]
    }

    /// One of the three sentinels, in the order of [`url`](Self::url).
    ///
    /// # Panics
    ///
    /// When there are not so many.
    pub fn sentinel(&mut self, index: usize) -> &mut RedisServer {
        &mut self.sentinels[index]
    }
}

/// A sentinel looks for replicas every ten seconds only, so the replica is there before the first looks.
fn start_replica(primary: &RedisServer) -> io::Result<RedisServer> {
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &primary.port().to_string()])?;
    let has = |part: &str| replica.command(&["INFO", "replication"]).is_ok_and(|info| info.contains(part));
    child::wait_until("The replica", || has("master_link_status:up"))?;
    Ok(replica)
}

fn start_sentinel(primary: &RedisServer) -> io::Result<RedisServer> {
    let watched = ["--sentinel", "monitor", NAME, "127.0.0.1", &primary.port().to_string(), "2"];
    let silence = ["--sentinel", "down-after-milliseconds", NAME, "1000"];
    let failover = ["--sentinel", "failover-timeout", NAME, "3000"];
    let sentinel = RedisServer::start_sentinel(&[&watched[..], &silence, &failover].concat())?;
    match sentinel.command(&PACE)?.as_str() {
        "+OK" => Ok(sentinel),
        refused => Err(io::Error::other(refused)),
    }
}

/// Whether it knows of the replica and can decide on a failover together with the other sentinels.
fn knows_the_others(sentinel: &RedisServer) -> bool {
    let says = |question: &[&str], answer: &str| sentinel.command(question).is_ok_and(|said| said.contains(answer));
    says(&["INFO", "sentinel"], "slaves=1,sentinels=3") && says(&["SENTINEL", "CKQUORUM", NAME], "+OK 3 usable")
}

/// The latest failover that a sentinel knows of, and the port of the primary since.
fn view_of(sentinel: &RedisServer) -> Option<(u64, u16)> {
    let answer = sentinel.ask(&["SENTINEL", "MASTER", NAME], PATIENCE).ok()?;
    let words: Vec<_> = answer.lines().collect();
    let value = |key| words.chunks_exact(2).find(|pair| pair[0] == key).map(|pair| pair[1]);
    Some((value("config-epoch")?.parse().ok()?, value("port")?.parse().ok()?))
}
