//! A private Redis Cluster.

use std::io;
use std::process::Command;
use std::time::Duration;

use super::RedisServer;
use super::child;

const PRIMARIES: usize = 3;

/// A node that is silent for so many milliseconds is taken for failed.
const NODE_TIMEOUT: &str = "1000";

/// How long a living node may take to answer. One that is paused or dead is passed over.
const PATIENCE: Duration = Duration::from_secs(1);

/// Three primaries that share the slots, each as durable as [`RedisServer::start`].
#[derive(Debug)]
pub struct RedisCluster {
    /// Primaries first, as long as none has failed.
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts one of primaries alone: the slots of a node that is killed are away until it is back.
    ///
    /// # Errors
    ///
    /// When Redis is not installed, a node does not start, or they do not come together.
    pub fn start() -> io::Result<Self> {
        Self::start_nodes(0)
    }

    /// Starts one in which each primary has a replica that takes over from it.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    pub fn start_with_replicas() -> io::Result<Self> {
        Self::start_nodes(1)
    }

    fn start_nodes(replicas: usize) -> io::Result<Self> {
        let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", NODE_TIMEOUT];
        let nodes = (0..PRIMARIES * (1 + replicas)).map(|_| RedisServer::start_with(&settings));
        let cluster = Self { nodes: nodes.collect::<io::Result<_>>()? };
        cluster.join(replicas)?;
        child::wait_until("The Redis Cluster", || cluster.nodes.iter().all(|node| cluster.is_joined(node)))?;
        Ok(cluster)
    }

    fn join(&self, replicas: usize) -> io::Result<()> {
        let mut create = Command::new(child::find_program("redis-cli", &[])?);
        create.args(["--cluster", "create"]).args(self.nodes.iter().map(|node| node.address().to_string()));
        child::run(create.args(["--cluster-yes", "--cluster-replicas", &replicas.to_string()]))
    }

    /// Whether a node can reach all slots, knows each replica as one and, being a replica, has all that its primary has.
    fn is_joined(&self, node: &RedisServer) -> bool {
        let ask = |parts: &[&str]| node.command(parts).unwrap_or_default();
        let replicas = ask(&["CLUSTER", "NODES"]).lines().filter(|line| line.contains("slave ")).count();
        ask(&["CLUSTER", "INFO"]).contains("cluster_state:ok")
            && replicas == self.nodes.len() - PRIMARIES
            && !ask(&["INFO", "replication"]).contains("master_link_status:down")
    }

    /// Where to connect to each node alone.
    pub fn urls(&self) -> Vec<String> {
        self.nodes.iter().map(RedisServer::url).collect()
    }

    /// Where to connect: `redis-cluster://`, then all nodes with commas between them.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis-cluster://{}", nodes.join(","))
    }

    /// One node, in the order of [`urls`](Self::urls).
    ///
    /// # Panics
    ///
    /// When there are not so many.
    pub fn node(&mut self, index: usize) -> &mut RedisServer {
        &mut self.nodes[index]
    }

    /// Which node serves a slot now. Of living nodes that disagree, the one is right that knows of the latest failover. A
    /// dead primary is named until the others have noticed.
    ///
    /// # Errors
    ///
    /// When no node answers, or none serves the slot.
    pub fn primary_of_slot(&self, slot: u16) -> io::Result<usize> {
        let views = self.nodes.iter().filter_map(|node| node.ask(&["CLUSTER", "NODES"], PATIENCE).ok());
        let claims: Vec<_> = views.flat_map(|view| claims_of(&view, slot)).collect();
        let latest = claims.into_iter().max_by_key(|claim| claim.epoch);
        let serves = latest.filter(|claim| !claim.failed);
        let found =
            serves.and_then(|claim| self.nodes.iter().position(|node| node.address().to_string() == claim.address));
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no node serves slot {slot}")))
    }
}

/// That a node serves a slot, in the view of one node.
struct Claim {
    address: String,
    epoch: u64,
    failed: bool,
}

fn claims_of(view: &str, slot: u16) -> Vec<Claim> {
    view.lines().filter_map(|line| claim_of(line, slot)).collect()
}

/// Of a line `id address@bus,name flags primary pinged ponged epoch link slots...`.
fn claim_of(line: &str, slot: u16) -> Option<Claim> {
    let words: Vec<_> = line.split(' ').collect();
    let (address, _bus) = words.get(1)?.split_once('@')?;
    let failed = words.get(2)?.split(',').any(|flag| flag == "fail");
    let epoch = words.get(6)?.parse().ok()?;
    let serves = words.get(8..)?.iter().any(|slots| includes(slots, slot));
    serves.then(|| Claim { address: address.to_owned(), epoch, failed })
}

/// Slots are `first-last` or a single one; those on their way to another node are in brackets, after all others.
fn includes(slots: &str, slot: u16) -> bool {
    let (first, last) = slots.split_once('-').unwrap_or((slots, slots));
    matches!((first.parse(), last.parse()), (Ok(first), Ok(last)) if (first..=last).contains(&slot))
}
