//! Does work on PostgreSQL get slower while somebody holds an old snapshot, a dump or a forgotten transaction? The vacuum
//! must keep every row that died since, so tables that work passes through fill up with dead ones. Here a
//! `REPEATABLE READ` transaction that has read every job stays open while 500 jobs a second are submitted and run, and
//! then while backlogs are worked off.
//!
//! Floor: the same backlogs on a fresh server.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_postgres::{Client, NoTls};

use crate::Fault;
use crate::measurement::Measurement;
use crate::rig::Rig;
use crate::task::Task;
use crate::watched::Watched;

/// Jobs that flow through in a second.
const RATE: u64 = 500;
/// How often some of them are submitted.
const BEAT: Duration = Duration::from_millis(100);
/// Jobs of a backlog that is timed.
const BACKLOG: u64 = 100_000;
/// Backlogs, one after the other.
const BACKLOGS: u64 = 3;
const TIMED: u64 = BACKLOG * BACKLOGS;
/// How much the vacuum has to leave lying about, in rows and in bytes.
const DEAD: &str = "SELECT sum(n_dead_tup)::bigint, sum(pg_total_relation_size(relid))::bigint
    FROM pg_stat_user_tables WHERE relname IN ('ready', 'run', 'scheduled')";

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let task = Task { jobs: task.jobs + TIMED, ..task.clone() };
    let rig = Rig::new(&task).await?;
    let holder = connect(&rig).await?;
    holder.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT count(*) FROM windlass.jobs").await?;
    let flow = task.jobs - TIMED;
    flow_through(&rig, flow).await?;
    let rate = rate(&rig, flow).await?;
    let dead = dead(&connect(&rig).await?).await?;
    holder.batch_execute("ROLLBACK").await?;
    let found = rig.verify().await?;
    Ok(Measurement {
        jobs_per_s: Some(rate),
        settings: format!("{}; {} s at {RATE} jobs/s before, {dead}", found.settings, flow / RATE),
        ..found
    })
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let rig = Rig::new(&Task { jobs: TIMED, ..task.clone() }).await?;
    let rate = rate(&rig, 0).await?;
    let found = rig.verify().await?;
    let settings = format!("{}; no other transaction", found.settings);
    Ok(Measurement { jobs_per_s: Some(rate), settings, ..found })
}

/// How many jobs a second are worked off, from number `first` on.
async fn rate(rig: &Rig, first: u64) -> Result<f64, Fault> {
    let mut took = Duration::ZERO;
    for start in (first..first + TIMED).step_by(usize::try_from(BACKLOG)?) {
        rig.fill(start, start + BACKLOG).await?;
        took += rig.drain(BACKLOG).await?;
    }
    Ok(TIMED as f64 / took.as_secs_f64())
}

pub(crate) async fn connect(rig: &Rig) -> Result<Client, Fault> {
    let url = rig.server.url.as_deref().ok_or("snapshots are PostgreSQL's")?;
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Submits and runs the jobs 0 to `jobs` - 1.
async fn flow_through(rig: &Rig, jobs: u64) -> Result<(), Fault> {
    let watched = Arc::new(Watched::new(rig.store.clone(), jobs));
    let engine = rig.start(watched.clone()).await?;
    let mut beat = tokio::time::interval_at(Instant::now(), BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let portion = RATE * u64::try_from(BEAT.as_millis())? / 1_000;
    for start in (0..jobs).step_by(usize::try_from(portion)?) {
        beat.tick().await;
        rig.fill(start, jobs.min(start + portion)).await?;
    }
    let completed = watched.all_completed().await;
    engine.shutdown().await;
    completed.map(|_| ()).ok_or_else(|| "jobs stopped flowing".into())
}

async fn dead(client: &Client) -> Result<String, Fault> {
    let row = client.query_one(DEAD, &[]).await?;
    let (rows, bytes): (i64, i64) = (row.get(0), row.get(1));
    Ok(format!("{rows} dead rows, {} MiB in the tables that work passes through", bytes >> 20))
}
