//! Other job queues under the workloads of windlass-bench, which starts one process per measurement and reads one line
//! of JSON from it. The job, the task and the measurement are the bench's own files.
//!
//! # Layout
//!
//! - `rustqueue`, `azums`, `bullmq`, `apalis`, `apalis_postgres`, `graphile_worker`, `awa`, `oxana`, `chasquimq`: one file per queue,
//!   with its best documented settings
//! - `trial`: what every queue on a server is put through
//! - `intake`: the ways of submitting, the same for every queue that has them
//! - `script`: the queues for JavaScript and Python, one script each under `js` and `py`
//! - `tables`: asks what a queue on PostgreSQL keeps
//! - `cost`, `machine`, `mail`, `measurement`, `moments`, `tally`, `task`: shared with the bench

mod apalis;
mod apalis_postgres;
mod awa;
mod azums;
mod bullmq;
mod chasquimq;
#[path = "../../src/cost.rs"]
mod cost;
mod graphile_worker;
mod intake;
#[allow(dead_code, reason = "some of it only the bench asks")]
#[path = "../../src/machine.rs"]
mod machine;
#[path = "../../src/mail.rs"]
mod mail;
#[path = "../../src/measurement.rs"]
mod measurement;
#[path = "../../src/moments.rs"]
mod moments;
mod oxana;
mod rustqueue;
mod script;
mod tables;
#[path = "../../src/tally.rs"]
mod tally;
#[path = "../../src/task.rs"]
mod task;
mod trial;

use std::time::Duration;

use clap::Parser;

use crate::measurement::Measurement;
use crate::tally::Count;
use crate::task::Task;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What the bench asks.
#[derive(Parser)]
enum Command {
    /// Does one measurement.
    Measure(Task),
}

fn main() -> Result<(), Fault> {
    let Command::Measure(task) = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(task.threads).enable_all().build()?;
    runtime.block_on(run(task))
}

async fn run(task: task::Task) -> Result<(), Fault> {
    let found = match task.system.as_str() {
        "rustqueue-redb" => rustqueue::measure(&task).await?,
        "azums-sqlite" => azums::measure(&task, azums::Durability::Normal).await?,
        "azums-sqlite-full" => azums::measure(&task, azums::Durability::Full).await?,
        "bullmq-redis" => bullmq::measure(&task).await?,
        "apalis-redis" => apalis::measure(&task).await?,
        "graphile-worker-postgres" => script::measure_on_postgres(&task, "graphile-worker.mjs").await?,
        "pg-boss-postgres" => script::measure_on_postgres(&task, "pg-boss.mjs").await?,
        "bullmq-js-redis" => script::measure_on_redis(&task, "bullmq.mjs").await?,
        "graphile-worker-rs-postgres" => graphile_worker::measure(&task).await?,
        "apalis-postgres" => apalis_postgres::measure(&task).await?,
        "awa-postgres" => awa::measure(&task).await?,
        "asyncmq-redis" => script::measure_on_redis(&task, "asyncmq_adapter.py").await?,
        "asyncmq-postgres" => script::measure_on_postgres(&task, "asyncmq_adapter.py").await?,
        "saq-redis" => script::measure_on_redis(&task, "saq_adapter.py").await?,
        "procrastinate-postgres" => script::measure_on_postgres(&task, "procrastinate_adapter.py").await?,
        "chasquimq-redis" => chasquimq::measure(&task).await?,
        "oxana-redis" => oxana::measure(&task).await?,
        other => return Err(format!("no adapter for {other}").into()),
    };
    Ok(found.print()?)
}

/// As durable as Windlass is measured on Redis.
const EVERYSEC: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

/// `task` took so long; `completed` is what the queue itself counts.
fn report(task: &Task, took: Duration, count: Count, completed: u64) -> Measurement {
    Measurement {
        jobs: task.jobs,
        completed,
        lost: task.jobs - count.ran.min(completed).min(task.jobs),
        duplicated: count.again + completed.saturating_sub(task.jobs),
        jobs_per_s: Some(task.jobs as f64 / took.as_secs_f64()),
        rss_mib: machine::peak_rss_mib(),
        ..Measurement::default()
    }
}
