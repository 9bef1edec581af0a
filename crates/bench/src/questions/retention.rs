//! Does work get slower while finished jobs are removed? 64 callers submit and a worker runs their jobs, as for `steady`,
//! while everything that completed a second ago is taken out of the store again.
//!
//! Floor: the same with every job kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use windlass_store::Retention;

use crate::Fault;
use crate::measurement::Measurement;
use crate::questions::snapshot::connect;
use crate::questions::submit::Line;
use crate::rig::Rig;
use crate::task::Task;
use crate::watched::Watched;

const CALLERS: u64 = 64;
/// What PostgreSQL's tables and indexes take up.
const SIZE: &str = "SELECT sum(pg_total_relation_size(relid))::bigint >> 20 FROM pg_stat_user_tables";
/// How long completed jobs are kept.
const KEPT: Duration = Duration::from_secs(1);

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    flow(task, KEPT).await
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    flow(task, Retention::default().completed).await
}

async fn flow(task: &Task, kept: Duration) -> Result<Measurement, Fault> {
    let rig = Rig::keeping(task, kept).await?;
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    let began = Instant::now();
    Line { jobs: task.jobs, callers: CALLERS, submitted: None }.submit(&engine).await?;
    let took = watched.all_completed().await.unwrap_or_else(Instant::now) - began;
    let (left, size) = (rig.kept().await?, size(&rig).await?);
    engine.shutdown().await;
    let found = rig.verify_by(watched.completed());
    Ok(Measurement {
        jobs_per_s: Some(task.jobs as f64 / took.as_secs_f64()),
        settings: format!("{}; completed jobs kept for {kept:?}, {left} at the end{size}", found.settings),
        ..found
    })
}

/// What the tables of a store on PostgreSQL take up.
async fn size(rig: &Rig) -> Result<String, Fault> {
    if rig.store.name() != "postgres" {
        return Ok(String::new());
    }
    let row = connect(rig).await?.query_one(SIZE, &[]).await?;
    Ok(format!(", tables and indexes of {} MiB", row.get::<_, i64>(0)))
}
