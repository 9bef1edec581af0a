//! What is measured without Windlass.

pub(crate) mod hand_over;
pub(crate) mod raw_postgres;
pub(crate) mod raw_redis;
pub(crate) mod raw_sqlite;
pub(crate) mod spawned;

use std::time::Duration;

use crate::machine;
use crate::measurement::Measurement;
use crate::rig::versions;

/// `jobs` in `took`.
pub(crate) fn rate(jobs: u64, took: Duration, settings: String) -> Measurement {
    Measurement {
        jobs,
        completed: jobs,
        jobs_per_s: Some(jobs as f64 / took.as_secs_f64()),
        rss_mib: machine::peak_rss_mib(),
        settings,
        versions: versions(),
        ..Measurement::default()
    }
}
