//! Redis keeps every promise of the seam, on a real server, over the end of its process too.

mod prefixes;

use std::sync::OnceLock;

use prefixes::Prefixes;
use windlass_redis::{Redis, RedisOptions};
use windlass_testkit::servers::RedisServer;

/// One server for all scenarios, which the system ends with this process.
static SERVER: OnceLock<RedisServer> = OnceLock::new();

fn on_the_server() -> (RedisOptions, String) {
    let server = SERVER.get_or_init(|| RedisServer::start().expect("a server"));
    (Redis::options(), server.url())
}

windlass_testkit::conformance!(Prefixes(on_the_server, &[]), histories = 24);
