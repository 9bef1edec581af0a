//! Redis keeps every promise of the seam on the server that sentinels name.

mod prefixes;

use std::sync::OnceLock;

use prefixes::Prefixes;
use windlass_redis::{Redis, RedisOptions};
use windlass_testkit::servers::Sentinels;

/// One primary, its replica and three sentinels for all scenarios, which the system ends with this process.
static SENTINELS: OnceLock<Sentinels> = OnceLock::new();

fn by_sentinels() -> (RedisOptions, String) {
    let sentinels = SENTINELS.get_or_init(|| Sentinels::start().expect("sentinels"));
    (Redis::options(), sentinels.url())
}

windlass_testkit::conformance!(Prefixes(by_sentinels, &[]), histories = 12);
