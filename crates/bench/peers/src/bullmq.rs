//! bullmq-official 1.4.4, which runs the Lua scripts of the JavaScript BullMQ. One by one: `add`. Many callers: `add` from 64
//! tasks. Bulk: `add_bulk` of 1000. A backlog: one worker with a concurrency of 100 (50 and 300 are no faster); completed
//! jobs are kept, which is its default.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bullmq::options::RedisConnectionOptions;
use bullmq::{BulkJob, Job, Queue, QueueOptions, Worker, WorkerOptions};
use windlass_testkit::servers::RedisServer;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tally::Tally;
use crate::task::Task;
use crate::{EVERYSEC, Fault, report};

const QUEUE: &str = "mail";
const NAME: &str = "SendMail";
const CONCURRENCY: usize = 100;

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let connection = || RedisConnectionOptions { url: server.url(), ..Default::default() };
    let queue = Queue::with_options(QUEUE, QueueOptions { connection: connection(), ..Default::default() }).await?;
    let queue = Arc::new(queue);
    let submitted = submit(&queue, task).await?;
    let tally = Arc::new(Tally::of(task.jobs));
    let options = WorkerOptions { connection: connection(), concurrency: CONCURRENCY, ..Default::default() };
    let drained = drain(&queue, options, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = queue.get_completed_count().await?;
    Ok(Measurement {
        settings: format!("append-only file written every second; worker concurrency {CONCURRENCY}"),
        versions: "bullmq-official 1.4.4".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

impl Intake for Arc<Queue> {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        Queue::add(self, NAME, mail).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        self.add_bulk(mails.into_iter().map(|mail| BulkJob::new(NAME, mail)).collect()).await?;
        Ok(())
    }
}

/// How long the whole backlog takes, to the last stored completion.
async fn drain(queue: &Queue, options: WorkerOptions, jobs: u64, tally: &Arc<Tally>) -> Result<Duration, Fault> {
    let counting = tally.clone();
    let handler = move |job: Job, _token| {
        let counting = counting.clone();
        async move {
            counting.mark(serde_json::from_value::<Mail>(job.data().clone())?.id);
            Ok(serde_json::json!({ "ok": true }))
        }
    };
    let began = Instant::now();
    let worker = Worker::with_options(QUEUE, handler, options).await?;
    let patience = Duration::from_secs(120);
    while queue.get_completed_count().await? < jobs && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    worker.close(5_000).await?;
    Ok(took)
}
