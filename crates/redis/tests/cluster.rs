//! Redis keeps every promise of the seam on a cluster of three, whose nodes the stores of the scenarios share.

mod prefixes;

use std::sync::OnceLock;

use prefixes::Prefixes;
use windlass_redis::{Redis, RedisOptions};
use windlass_testkit::servers::RedisCluster;

/// One cluster for all scenarios, which the system ends with this process.
static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();

fn on_the_cluster() -> (RedisOptions, String) {
    let cluster = CLUSTER.get_or_init(|| RedisCluster::start().expect("a cluster"));
    (Redis::options(), cluster.url())
}

windlass_testkit::conformance!(Prefixes(on_the_cluster, &[]), histories = 12);
