//! What is measured without Windlass.

pub(crate) mod hand_over;
pub(crate) mod raw_postgres;
pub(crate) mod raw_redis;
pub(crate) mod raw_sqlite;
pub(crate) mod spawned;

use std::ops::Range;
use std::time::Duration;

use crate::Fault;
use crate::machine;
use crate::measurement::Measurement;
use crate::rig::versions;

/// A raw loop over a server.
pub(crate) trait Raw {
    /// How it numbers jobs.
    type Number;

    /// Settles what the turn before has claimed, inserts new jobs and claims at most `batch`, all sent at once. What it claimed.
    async fn turn(&self, settled: &[Self::Number], new: Range<u64>, batch: u64) -> Result<Vec<Self::Number>, Fault>;

    /// Works off everything that waits, `batch` in each turn.
    async fn work_off(&self, batch: u64) -> Result<(), Fault> {
        self.flow(0, batch).await
    }

    /// Lets `jobs` flow through, `batch` in each turn, until nothing waits any more.
    async fn flow(&self, jobs: u64, batch: u64) -> Result<(), Fault> {
        let mut start = jobs.min(batch);
        let mut claimed = self.turn(&[], 0..start, batch).await?;
        while start < jobs || !claimed.is_empty() {
            let end = jobs.min(start + batch);
            claimed = self.turn(&claimed, start..end, batch).await?;
            start = end;
        }
        Ok(())
    }
}

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
