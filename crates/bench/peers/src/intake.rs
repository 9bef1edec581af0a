//! The ways of submitting, the same for every queue: one job after the other, 64 callers side by side, a thousand at once.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Fault;
use crate::mail::Mail;
use crate::task::Task;

const BULK: u64 = 1_000;
const CALLERS: u64 = 64;

/// Where a queue takes jobs in. Clones take them into the same queue.
pub(crate) trait Intake: Clone + Send + 'static {
    /// Ends when the queue has the job.
    fn add(&mut self, mail: Mail) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Ends when the queue has all jobs, in one go where it can.
    fn add_all(&mut self, mails: Vec<Mail>) -> impl Future<Output = Result<(), Fault>> + Send;
}

/// Submits the task's jobs in the task's way; how long that took.
pub(crate) async fn submit(intake: &impl Intake, task: &Task) -> Result<Duration, Fault> {
    let began = Instant::now();
    match task.mode.as_str() {
        "one" => one_by_one(intake.clone(), 0, task.jobs).await?,
        "callers64" => side_by_side(intake, task.jobs).await?,
        _ => in_bulk(intake.clone(), task.jobs).await?,
    }
    Ok(began.elapsed())
}

async fn one_by_one(mut intake: impl Intake, from: u64, to: u64) -> Result<(), Fault> {
    for number in from..to {
        intake.add(Mail::numbered(number)).await?;
    }
    Ok(())
}

async fn side_by_side(intake: &impl Intake, jobs: u64) -> Result<(), Fault> {
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        callers.spawn(one_by_one(intake.clone(), jobs * caller / CALLERS, jobs * (caller + 1) / CALLERS));
    }
    while let Some(ended) = callers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn in_bulk(mut intake: impl Intake, jobs: u64) -> Result<(), Fault> {
    for start in (0..jobs).step_by(BULK as usize) {
        intake.add_all((start..jobs.min(start + BULK)).map(Mail::numbered).collect()).await?;
    }
    Ok(())
}
