//! How fast are jobs taken in? One caller who awaits each job (`one`), 64 such callers (`callers64`), and one caller
//! who hands over 1000 at a time (`bulk1000`). Nobody works meanwhile; afterwards all jobs run, so that each
//! acknowledged one is proven to be there.
//!
//! Floor on disk, on PostgreSQL and on Redis: the raw loop with 1, 64 and 1000 rows per commit or pipeline. In memory: the same callers hand the same
//! jobs to one task over a channel and await its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use windlass_core::{Clock, SystemClock};
use windlass_engine::Engine;

use crate::Fault;
use crate::cost::Meter;
use crate::floors::raw_postgres::RawPostgres;
use crate::floors::raw_redis::RawRedis;
use crate::floors::raw_sqlite::RawSqlite;
use crate::floors::{self, hand_over};
use crate::handler::job;
use crate::measurement::Measurement;
use crate::moments::Moments;
use crate::rig::{BULK, Rig};
use crate::task::Task;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let rig = Rig::new(task).await?;
    let engine = rig.start_serving().await?;
    let meter = Meter::start(rig.server.url.as_deref()).await?;
    let began = Instant::now();
    match task.mode.as_str() {
        "bulk1000" => bulk(&engine, task.jobs).await?,
        mode => {
            let line = Line { jobs: task.jobs, callers: callers(mode)?, submitted: None };
            line.submit(&engine).await?;
        }
    }
    let took = began.elapsed();
    let spent = meter.stop().await?;
    engine.shutdown().await;
    rig.drain(task.jobs).await?;
    let found = spent.added_to(rig.verify().await?);
    Ok(Measurement { jobs_per_s: Some(task.jobs as f64 / took.as_secs_f64()), ..found })
}

/// How many callers a mode has.
fn callers(mode: &str) -> Result<u64, Fault> {
    match mode {
        "one" => Ok(1),
        "callers64" => Ok(64),
        other => Err(format!("no such way to submit: {other}").into()),
    }
}

/// Callers who each await the answer before they submit the next job.
pub(crate) struct Line {
    pub(crate) jobs: u64,
    pub(crate) callers: u64,
    /// Where the call of each submission is noted, if somebody wants to know.
    pub(crate) submitted: Option<Arc<Moments>>,
}

impl Line {
    /// Ends when every job is acknowledged.
    pub(crate) async fn submit(self, engine: &Engine) -> Result<(), Fault> {
        let (line, next) = (Arc::new(self), Arc::new(AtomicU64::new(0)));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..line.callers {
            callers.spawn(line.clone().call(engine.clone(), next.clone()));
        }
        while let Some(ended) = callers.join_next().await {
            ended??;
        }
        Ok(())
    }

    async fn call(self: Arc<Self>, engine: Engine, next: Arc<AtomicU64>) -> Result<(), Fault> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.jobs {
                return Ok(());
            }
            if let Some(submitted) = &self.submitted {
                submitted.note(number);
            }
            let _acknowledged = engine.submit(job(number, SystemClock.now())?).await?;
        }
    }
}

async fn bulk(engine: &Engine, jobs: u64) -> Result<(), Fault> {
    for start in (0..jobs).step_by(BULK as usize) {
        let now = SystemClock.now();
        let batch: Result<Vec<_>, _> = (start..jobs.min(start + BULK)).map(|number| job(number, now)).collect();
        let answers = engine.submit_all(batch?).await?;
        debug_assert!(!answers.is_empty());
    }
    Ok(())
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let (callers, batch) = match task.mode.as_str() {
        "bulk1000" => (1, BULK),
        mode => (callers(mode)?, 1),
    };
    let (took, settings) = match task.store.as_str() {
        "memory" => (hand_over::submit(task.jobs, callers, batch).await, hand_over::SETTINGS.to_owned()),
        "postgres" => {
            let raw = RawPostgres::start().await?;
            let took = raw.insert(0, task.jobs, callers * batch).await?.iter().sum();
            (took, format!("raw SQL, {} rows per commit", callers * batch))
        }
        "redis" => {
            let raw = RawRedis::start().await?;
            let took = raw.insert(0, task.jobs, callers * batch).await?.iter().sum();
            (took, format!("raw commands, {} jobs per pipeline", callers * batch))
        }
        _ => (raw(task, callers * batch)?, format!("raw SQLite, {} rows per commit", callers * batch)),
    };
    Ok(floors::rate(task.jobs, took, settings))
}

fn raw(task: &Task, batch: u64) -> Result<Duration, Fault> {
    let mut raw = RawSqlite::create(&task.dir)?;
    let began = Instant::now();
    raw.insert(0, task.jobs, batch)?;
    Ok(began.elapsed())
}
