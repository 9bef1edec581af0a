//! How late does a delayed job start? So many jobs are due over ten seconds, one behind the other, while half of the
//! worker's slots are taken: each job takes as long as makes it so. Before the first is due nothing else is to be done, and
//! the calls to the store are counted.
//!
//! No job may start before its time by the store's clock, or the run fails.
//!
//! Floor: a task for each job that sleeps until then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Clock, Start, SystemClock, Timestamp};
use windlass_store::{Filter, Query, Verbs};

use crate::Fault;
use crate::handler::job;
use crate::measurement::Measurement;
use crate::moments::{Moments, Spans};
use crate::rig::{BULK, Rig, versions};
use crate::task::Task;
use crate::watched::Watched;

/// Over how long the jobs are due.
const SPREAD: Duration = Duration::from_secs(10);
/// From the last submission to the first job's time; the middle of it is observed.
const QUIET: Duration = Duration::from_secs(9);
const OBSERVED: Duration = Duration::from_secs(6);
const SLOTS: usize = 64;

/// When each job is due, by the clock and by the stopwatch.
struct Dues {
    first: Timestamp,
    began: Instant,
    apart: Duration,
}

impl Dues {
    fn from_now(jobs: u64) -> Self {
        let (first, began) = (SystemClock.now().after(QUIET), Instant::now() + QUIET);
        Self { first, began, apart: SPREAD / u32::try_from(jobs.max(1)).unwrap_or(u32::MAX) }
    }

    fn moment(&self, number: u64) -> Timestamp {
        self.first.after(self.apart * number as u32)
    }

    fn instant(&self, number: u64) -> Instant {
        self.began + self.apart * number as u32
    }

    /// How late each job started.
    fn lateness(&self, started: &Moments) -> Spans {
        let late = |(number, at): (usize, Option<std::time::Instant>)| {
            Some(Instant::from_std(at?).saturating_duration_since(self.instant(number as u64)))
        };
        started.all().enumerate().filter_map(late).collect()
    }
}

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    let started = Arc::new(Moments::of(task.jobs));
    rig.handler.started = Some(started.clone());
    rig.handler.work = SPREAD.mul_f64(0.5 * SLOTS as f64 / task.jobs as f64);
    rig.settings.max_concurrency = SLOTS;
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    let dues = Dues::from_now(task.jobs);
    submit(&rig, &dues, task.jobs).await?;
    let calls = quiet_calls(&watched, &dues).await;
    watched.all_completed().await;
    engine.shutdown().await;
    check_none_early(&rig).await?;
    let settings = format!("{SLOTS} slots, half of them taken; due over {SPREAD:?}");
    let found = Measurement { settings, store_calls_per_s: Some(calls), ..rig.verify().await? };
    Ok(with_lateness(found, &dues.lateness(&started)))
}

async fn submit(rig: &Rig, dues: &Dues, jobs: u64) -> Result<(), Fault> {
    for from in (0..jobs).step_by(BULK as usize) {
        let delayed = |number| {
            let job = job(number, SystemClock.now())?;
            Ok::<_, Fault>(windlass_core::NewJob { start: Start::At(dues.moment(number)), ..job })
        };
        let batch = (from..jobs.min(from + BULK)).map(delayed).collect::<Result<Vec<_>, _>>()?;
        let _stored = rig.store.submit(batch).await?;
    }
    match Instant::now() + OBSERVED < dues.began {
        true => Ok(()),
        false => Err("submitting took so long that nothing could be observed before the first job's time".into()),
    }
}

/// Calls to the store in a second, while nothing is due for long.
async fn quiet_calls(watched: &Watched, dues: &Dues) -> f64 {
    tokio::time::sleep_until(dues.began - OBSERVED).await;
    let before = watched.calls();
    let window = OBSERVED - Duration::from_millis(500);
    tokio::time::sleep(window).await;
    (watched.calls() - before) as f64 / window.as_secs_f64()
}

/// What the store's own clock says.
async fn check_none_early(rig: &Rig) -> Result<(), Fault> {
    let query: &dyn Query = rig.store.query().ok_or("this store cannot list its jobs")?;
    let mut after = None;
    loop {
        let page = query.list(&Filter { after, limit: PAGE_MAX, ..Filter::default() }).await?;
        for job in &page.jobs {
            let (Start::At(due), Some(started)) = (job.new.start, job.started_at) else {
                return Err(format!("job {} has not run at its time", job.new.id).into());
            };
            if started < due {
                return Err(format!("job {} started {:?} early", job.new.id, started.until(due)).into());
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

fn with_lateness(found: Measurement, spans: &Spans) -> Measurement {
    let quantile = |share| spans.quantile_ms(share);
    Measurement { p50_ms: quantile(0.5), p99_ms: quantile(0.99), max_ms: quantile(1.0), ..found }
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let (dues, started) = (Dues::from_now(task.jobs), Arc::new(Moments::of(task.jobs)));
    let sleepers = (0..task.jobs).map(|number| {
        let (until, started) = (dues.instant(number), started.clone());
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            started.note(number);
        })
    });
    for sleeper in sleepers.collect::<Vec<_>>() {
        sleeper.await?;
    }
    let settings = "a sleeping task for each job".to_owned();
    let found = Measurement { settings, versions: versions(), ..Measurement::default() };
    Ok(with_lateness(found, &dues.lateness(&started)))
}
