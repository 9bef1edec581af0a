//! How fast is a waiting backlog worked off? From the start of an engine on a filled store to the store's
//! acknowledgement of the last completion.
//!
//! Floor on disk: the raw SQLite loop that settles 500 and claims 500 per commit and parses each payload. In memory:
//! the same handler body on spawned tasks of the same runtime, a thousand at a time. On PostgreSQL: the raw loop that
//! settles 500 and claims 500 per commit on the narrowest tables. On Redis: the raw scripts that settle 500 and claim 500
//! per round trip on a list and plain keys.

use std::time::Instant;

use crate::Fault;
use crate::cost::Meter;
use crate::floors::raw_postgres::{self, RawPostgres};
use crate::floors::raw_redis::{self, RawRedis};
use crate::floors::raw_sqlite::{RawSqlite, WORK_BATCH};
use crate::floors::{self, Raw, spawned};
use crate::measurement::Measurement;
use crate::rig::{BULK, Rig};
use crate::task::Task;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let rig = Rig::new(task).await?;
    rig.fill(0, task.jobs).await?;
    let meter = Meter::start(rig.server.url.as_deref()).await?;
    let took = rig.drain(task.jobs).await?;
    let spent = meter.stop().await?;
    let found = spent.added_to(rig.verify().await?);
    Ok(Measurement { jobs_per_s: Some(task.jobs as f64 / took.as_secs_f64()), ..found })
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    if task.store == "memory" {
        let took = spawned::run(task.jobs).await?;
        return Ok(floors::rate(task.jobs, took, spawned::SETTINGS.to_owned()));
    }
    if task.store == "postgres" {
        let raw = RawPostgres::start().await?;
        raw.insert(0, task.jobs, BULK).await?;
        let began = Instant::now();
        raw.work_off(raw_postgres::WORK_BATCH).await?;
        let settings = format!("raw SQL, settles and claims {} per commit", raw_postgres::WORK_BATCH);
        return Ok(floors::rate(task.jobs, began.elapsed(), settings));
    }
    if task.store == "redis" {
        let raw = RawRedis::start().await?;
        raw.insert(0, task.jobs, BULK).await?;
        let began = Instant::now();
        // Two turns under way, as Windlass has them: the server is never without one.
        tokio::try_join!(raw.work_off(raw_redis::WORK_BATCH), raw.work_off(raw_redis::WORK_BATCH))?;
        let settings = format!("raw scripts, settle and claim {} per round trip, two under way", raw_redis::WORK_BATCH);
        return Ok(floors::rate(task.jobs, began.elapsed(), settings));
    }
    let mut raw = RawSqlite::create(&task.dir)?;
    raw.insert(0, task.jobs, BULK)?;
    let began = Instant::now();
    raw.work_off(WORK_BATCH)?;
    Ok(floors::rate(task.jobs, began.elapsed(), format!("raw SQLite, settles and claims {WORK_BATCH} per commit")))
}
