//! How fast do jobs flow through when 64 callers submit and a worker runs them at the same time, and how long does
//! one take from the call of submit to the acknowledgement of its completion?
//!
//! Floor on disk and on servers: the raw loop that settles 64 jobs, inserts 64 and claims 64 in each commit or round trip.
//! In memory: the same handler body on spawned tasks, as for `drain`.

use std::sync::Arc;
use std::time::Instant;

use crate::Fault;
use crate::floors::raw_postgres::RawPostgres;
use crate::floors::raw_redis::RawRedis;
use crate::floors::raw_sqlite::RawSqlite;
use crate::floors::{self, Raw, spawned};
use crate::measurement::Measurement;
use crate::moments::Moments;
use crate::questions::submit::Line;
use crate::rig::Rig;
use crate::task::Task;
use crate::watched::Watched;

const CALLERS: u64 = 64;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let rig = Rig::new(task).await?;
    let (submitted, completed) = (Arc::new(Moments::of(task.jobs)), Arc::new(Moments::of(task.jobs)));
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs).noting(completed.clone()));
    let engine = rig.start(watched.clone()).await?;
    let began = Instant::now();
    let line = Line { jobs: task.jobs, callers: CALLERS, submitted: Some(submitted.clone()) };
    line.submit(&engine).await?;
    let ended = watched.all_completed().await.unwrap_or_else(Instant::now);
    engine.shutdown().await;
    let spans = submitted.until(&completed);
    Ok(Measurement {
        jobs_per_s: Some(task.jobs as f64 / (ended - began).as_secs_f64()),
        p50_ms: spans.quantile_ms(0.5),
        p99_ms: spans.quantile_ms(0.99),
        ..rig.verify().await?
    })
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let (took, what) = match task.store.as_str() {
        "memory" => return Ok(floors::rate(task.jobs, spawned::run(task.jobs).await?, spawned::SETTINGS.to_owned())),
        "postgres" => {
            let raw = RawPostgres::start().await?;
            let began = Instant::now();
            raw.flow(task.jobs, CALLERS).await?;
            (began.elapsed(), "SQL")
        }
        "redis" => {
            let raw = RawRedis::start().await?;
            let began = Instant::now();
            raw.flow(task.jobs, CALLERS).await?;
            (began.elapsed(), "commands")
        }
        _ => {
            let mut raw = RawSqlite::create(&task.dir)?;
            let began = Instant::now();
            raw.flow(task.jobs, CALLERS)?;
            (began.elapsed(), "SQLite")
        }
    };
    Ok(floors::rate(task.jobs, took, format!("raw {what}, inserts, settles and claims {CALLERS} at a time")))
}
