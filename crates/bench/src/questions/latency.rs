//! How long does one job wait for an idle worker, from the call of submit to the start of its handler? 300 jobs, 20 ms
//! apart.
//!
//! Floor on disk: one bare commit to a raw SQLite file with the same settings; on PostgreSQL
//! and Redis: one bare insert. In memory: a channel wakes a task.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windlass_core::{Clock, SystemClock};
use windlass_engine::{Engine, Settings};

use crate::Fault;
use crate::floors::raw_postgres::RawPostgres;
use crate::floors::raw_redis::RawRedis;
use crate::floors::raw_sqlite::RawSqlite;
use crate::handler::job;
use crate::measurement::Measurement;
use crate::moments::{Moments, Spans};
use crate::rig::{Rig, versions};
use crate::task::Task;
use crate::watched::Watched;

const APART: Duration = Duration::from_millis(20);

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    let started = Arc::new(Moments::of(task.jobs));
    rig.handler.started = Some(started.clone());
    let defaults = Settings::default();
    rig.settings.max_concurrency = defaults.max_concurrency;
    rig.settings.batch_size = defaults.batch_size;
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let submitted = submit_slowly(&engine, task.jobs).await?;
    watched.all_completed().await;
    engine.shutdown().await;
    let found = Measurement { settings: "default".to_owned(), ..rig.verify().await? };
    Ok(with_spans(found, &submitted.until(&started)))
}

async fn submit_slowly(engine: &Engine, jobs: u64) -> Result<Moments, Fault> {
    let submitted = Moments::of(jobs);
    for number in 0..jobs {
        let job = job(number, SystemClock.now())?;
        submitted.note(number);
        let _acknowledged = engine.submit(job).await?;
        tokio::time::sleep(APART).await;
    }
    Ok(submitted)
}

fn with_spans(found: Measurement, spans: &Spans) -> Measurement {
    let quantile = |share| spans.quantile_ms(share);
    Measurement { p50_ms: quantile(0.5), p99_ms: quantile(0.99), max_ms: quantile(1.0), ..found }
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let (spans, settings) = match task.store.as_str() {
        "memory" => (wake(task.jobs).await, "tokio channel, send to receive"),
        "postgres" => (insert(task.jobs).await?, "raw SQL, one row per commit"),
        "redis" => (push(task.jobs).await?, "raw commands, one job per pipeline"),
        _ => (commit(task).await?, "raw SQLite, one row per commit"),
    };
    let found = Measurement { settings: settings.to_owned(), versions: versions(), ..Measurement::default() };
    Ok(with_spans(found, &spans))
}

async fn wake(jobs: u64) -> Spans {
    let (sent, received) = (Moments::of(jobs), Arc::new(Moments::of(jobs)));
    let (sender, mut receiver) = mpsc::channel(16);
    let noted = received.clone();
    let listener = tokio::spawn(async move {
        while let Some(number) = receiver.recv().await {
            noted.note(number);
        }
    });
    for number in 0..jobs {
        sent.note(number);
        let _received = sender.send(number).await;
        tokio::time::sleep(APART).await;
    }
    drop(sender);
    let _ended = listener.await;
    sent.until(&received)
}

async fn commit(task: &Task) -> Result<Spans, Fault> {
    let mut raw = RawSqlite::create(&task.dir)?;
    let mut spans = Vec::new();
    for number in 0..task.jobs {
        let began = Instant::now();
        raw.insert(number, number + 1, 1)?;
        spans.push(began.elapsed());
        tokio::time::sleep(APART).await;
    }
    Ok(spans.into_iter().collect())
}

async fn push(jobs: u64) -> Result<Spans, Fault> {
    let raw = RawRedis::start().await?;
    let mut spans = Vec::new();
    for number in 0..jobs {
        spans.extend(raw.insert(number, number + 1, 1).await?);
        tokio::time::sleep(APART).await;
    }
    Ok(spans.into_iter().collect())
}

async fn insert(jobs: u64) -> Result<Spans, Fault> {
    let raw = RawPostgres::start().await?;
    let mut spans = Vec::new();
    for number in 0..jobs {
        spans.extend(raw.insert(number, number + 1, 1).await?);
        tokio::time::sleep(APART).await;
    }
    Ok(spans.into_iter().collect())
}
