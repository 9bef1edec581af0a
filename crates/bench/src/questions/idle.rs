//! What does a worker cost that has nothing to do? Ten seconds after it has run its jobs: calls to the store, CPU time,
//! memory; with default settings.
//!
//! Floor: a process with the same runtime and nothing in it.

use std::sync::Arc;
use std::time::Duration;

use windlass_engine::Settings;

use crate::Fault;
use crate::machine;
use crate::measurement::Measurement;
use crate::questions::submit::Line;
use crate::rig::{Rig, versions};
use crate::task::Task;
use crate::watched::Watched;

/// From the last completion to the beginning of the measurement.
const REST: Duration = Duration::from_secs(2);
const OBSERVED: Duration = Duration::from_secs(10);

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    rig.settings = Settings::default();
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    Line { jobs: task.jobs, callers: 8, submitted: None }.submit(&engine).await?;
    watched.all_completed().await;
    tokio::time::sleep(REST).await;
    let before = watched.calls();
    let observed = observe().await;
    let calls = (watched.calls() - before) as f64;
    engine.shutdown().await;
    let verified = rig.verify().await?;
    Ok(Measurement {
        store_calls_per_s: Some(calls / OBSERVED.as_secs_f64()),
        cpu_ms_per_s: observed.cpu_ms_per_s,
        rss_mib: observed.rss_mib,
        settings: "default".to_owned(),
        ..verified
    })
}

pub(crate) async fn floor() -> Result<Measurement, Fault> {
    tokio::time::sleep(REST).await;
    let settings = "a tokio runtime that sleeps".to_owned();
    Ok(Measurement { settings, versions: versions(), ..observe().await })
}

async fn observe() -> Measurement {
    let before = machine::cpu_time();
    tokio::time::sleep(OBSERVED).await;
    let spent = before.zip(machine::cpu_time()).map(|(before, after)| after.saturating_sub(before));
    Measurement {
        cpu_ms_per_s: spent.map(|spent| spent.as_secs_f64() * 1e3 / OBSERVED.as_secs_f64()),
        rss_mib: machine::rss_mib(),
        ..Measurement::default()
    }
}
