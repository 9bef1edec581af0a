//! What does it cost that something goes away for a while, and how soon is it noticed that it is back? The handler calls a
//! simulated upstream in this process that refuses everything for two phases; a call that fails is tried again. With and
//! without a breaker, with a fixed number of attempts at the same time and with what the engine finds out. Besides the
//! goodput of each phase it counts the attempts that were in vain, and the jobs that would be dead letters.
//!
//! Floor: as many callers as the upstream can work for, in each phase, with no engine.

use std::time::Duration;

use windlass_core::RetryPolicy;
use windlass_engine::Breaker;

use crate::Fault;
use crate::measurement::Measurement;
use crate::questions::upstream::{adapt, work_through};
use crate::rig::Rig;
use crate::task::Task;
use crate::upstream::{GOES_AWAY, Upstream};

/// The jobs are more than can be done in time.
pub(crate) const MODES: [(&str, u64); 5] = [
    (FIXED, JOBS),
    ("fixed-breaker", JOBS),
    ("fixed-breaker-1s", JOBS),
    ("adaptive-only", JOBS),
    ("adaptive-breaker", JOBS),
];
/// Beside which the floor is measured.
pub(crate) const FIXED: &str = "fixed";
const JOBS: u64 = 45_000;
/// Twice what the upstream works on.
const SLOTS: usize = 64;

/// As nothing said, but for the cap and that nobody gives up.
const RETRY: RetryPolicy =
    RetryPolicy { max_retries: 1_000, base: Duration::from_secs(2), cap: Duration::from_secs(8), max_crashes: 3 };

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    match task.mode.starts_with(FIXED) {
        true => rig.settings.max_concurrency = SLOTS,
        false => adapt(&mut rig),
    }
    let breaker = match task.mode.split_once("-breaker") {
        None => None,
        Some((_, "")) => Some(Breaker::default()),
        Some(_) => Some(Breaker { pause: Duration::from_secs(1), ..Breaker::default() }),
    };
    work_through(rig, task, Upstream::new(GOES_AWAY), RETRY, |builder| builder.breaker("Call", breaker)).await
}
