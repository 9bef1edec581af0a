//! What every queue on a server is put through: taking jobs in, working a backlog off, and reacting to one job at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::cost::Meter;
use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::moments::Moments;
use crate::tally::{Count, Tally};
use crate::task::Task;
use crate::{Fault, report};

/// How long a queue may take to complete everything.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is asked whether it has.
const LOOK: Duration = Duration::from_millis(3);
/// From one job to the next, as `latency` asks Windlass.
const APART: Duration = Duration::from_millis(20);
/// How long an idle worker is let settle down.
const SETTLING: Duration = Duration::from_secs(1);

/// A queue and its worker, on a server of its own.
pub(crate) trait Queue {
    /// Where jobs are taken in.
    type Intake: Intake;
    /// What runs them.
    type Worker;

    fn intake(&self) -> Self::Intake;

    /// Starts a worker.
    async fn work(&mut self) -> Result<Self::Worker, Fault>;

    /// Whether it has stored every completion, asked in the cheapest way there is.
    async fn is_done(&mut self, jobs: u64) -> Result<bool, Fault>;

    /// How many jobs it says it has completed.
    async fn completed(&mut self, jobs: u64) -> Result<u64, Fault>;

    async fn stop(&mut self, worker: Self::Worker) -> Result<(), Fault>;
}

/// What its workers are there for, which decides their settings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Many jobs that wait.
    Backlog,
    /// One job now and then.
    Trickle,
}

impl Load {
    pub(crate) fn of(task: &Task) -> Self {
        if task.question == "latency" { Self::Trickle } else { Self::Backlog }
    }
}

/// Which jobs ran, and when each began.
#[derive(Debug)]
pub(crate) struct Marks {
    tally: Tally,
    began: Moments,
}

impl Marks {
    pub(crate) fn of(jobs: u64) -> Arc<Self> {
        Arc::new(Self { tally: Tally::of(jobs), began: Moments::of(jobs) })
    }

    /// Job `number` runs.
    pub(crate) fn mark(&self, number: u64) {
        self.began.note(number);
        self.tally.mark(number);
    }

    fn count(&self) -> Count {
        self.tally.count()
    }
}

/// Asks `queue`, whose server is at `url` and whose worker marks what it runs, what the task asks.
pub(crate) async fn run<Q: Queue>(queue: &mut Q, task: &Task, marks: &Marks, url: &str) -> Result<Measurement, Fault> {
    if Load::of(task) == Load::Trickle {
        return trickle(queue, task, marks).await;
    }
    let meter = Meter::start(Some(url)).await?;
    let submitted = submit(&queue.intake(), task).await?;
    let on_submitting = meter.stop().await?;
    let meter = Meter::start(Some(url)).await?;
    let began = Instant::now();
    let worker = queue.work().await?;
    wait(queue, task.jobs, marks).await?;
    let drained = began.elapsed();
    let on_draining = meter.stop().await?;
    queue.stop(worker).await?;
    let (took, spent) = if task.question == "drain" { (drained, on_draining) } else { (submitted, on_submitting) };
    Ok(spent.added_to(report(task, took, marks.count(), queue.completed(task.jobs).await?)))
}

async fn trickle<Q: Queue>(queue: &mut Q, task: &Task, marks: &Marks) -> Result<Measurement, Fault> {
    let worker = queue.work().await?;
    sleep(SETTLING).await;
    let (mut intake, submitted, began) = (queue.intake(), Moments::of(task.jobs), Instant::now());
    for number in 0..task.jobs {
        let mail = Mail::numbered(number);
        submitted.note(number);
        intake.add(mail).await?;
        sleep(APART).await;
    }
    wait(queue, task.jobs, marks).await?;
    let took = began.elapsed();
    queue.stop(worker).await?;
    let spans = submitted.until(&marks.began);
    let quantile = |share| spans.quantile_ms(share);
    let (p50_ms, p99_ms, max_ms) = (quantile(0.5), quantile(0.99), quantile(1.0));
    let found = report(task, took, marks.count(), queue.completed(task.jobs).await?);
    Ok(Measurement { jobs_per_s: None, p50_ms, p99_ms, max_ms, ..found })
}

/// Until every job has run and is stored as completed, or patience ends.
async fn wait<Q: Queue>(queue: &mut Q, jobs: u64, marks: &Marks) -> Result<(), Fault> {
    let began = Instant::now();
    while (marks.count().ran < jobs || !queue.is_done(jobs).await?) && began.elapsed() < PATIENCE {
        sleep(LOOK).await;
    }
    Ok(())
}
