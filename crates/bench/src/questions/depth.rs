//! Does work get slower when more of it waits? The rate at which 100 000 jobs are worked off, ten thousand at a time by
//! ten engines one after the other, with a million waiting.
//!
//! Floor: the same with only the ten thousand waiting that the engine is about to run.

use std::time::Duration;

use crate::Fault;
use crate::measurement::Measurement;
use crate::rig::Rig;
use crate::task::Task;

/// Jobs that one engine works off.
const PORTION: u64 = 10_000;
/// Portions that are timed.
const PORTIONS: u64 = 10;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let task = Task { jobs: task.jobs.max(PORTION * PORTIONS), ..task.clone() };
    let rig = Rig::new(&task).await?;
    rig.fill(0, task.jobs).await?;
    let mut took = Duration::ZERO;
    for _ in 0..PORTIONS {
        took += rig.drain(PORTION).await?;
    }
    rig.drain(task.jobs - PORTION * PORTIONS).await?;
    finish(&rig, took).await
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let task = Task { jobs: PORTION * PORTIONS, ..task.clone() };
    let rig = Rig::new(&task).await?;
    let mut took = Duration::ZERO;
    for portion in 0..PORTIONS {
        rig.fill(portion * PORTION, (portion + 1) * PORTION).await?;
        took += rig.drain(PORTION).await?;
    }
    finish(&rig, took).await
}

async fn finish(rig: &Rig, took: Duration) -> Result<Measurement, Fault> {
    let rate = (PORTION * PORTIONS) as f64 / took.as_secs_f64();
    Ok(Measurement { jobs_per_s: Some(rate), ..rig.verify().await? })
}
