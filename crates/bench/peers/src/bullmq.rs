//! bullmq-official 1.4.4, which runs the Lua scripts of the JavaScript BullMQ. One by one: `add`. Many callers: `add` from 64
//! tasks. Bulk: `add_bulk` of 1000. A backlog: one worker with a concurrency of 100 (50 and 300 are no faster). One job now
//! and then: a worker with its defaults. Completed jobs are kept, which is its default.

use std::sync::Arc;

use bullmq::options::RedisConnectionOptions;
use bullmq::{BulkJob, Job, QueueOptions, Worker, WorkerOptions};
use windlass_testkit::servers::RedisServer;

use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::task::Task;
use crate::trial::{self, Load, Marks, Queue};
use crate::{EVERYSEC, Fault};

const QUEUE: &str = "mail";
const NAME: &str = "SendMail";
const CONCURRENCY: usize = 100;

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    let marks = Marks::of(task.jobs);
    let mut bull = BullMq::open(server.url(), Load::of(task), marks.clone()).await?;
    let found = trial::run(&mut bull, task, &marks, &server.url()).await?;
    Ok(Measurement {
        settings: format!("append-only file written every second; worker concurrency {}", bull.options().concurrency),
        versions: "bullmq-official 1.4.4".to_owned(),
        ..found
    })
}

struct BullMq {
    url: String,
    queue: Arc<bullmq::Queue>,
    load: Load,
    marks: Arc<Marks>,
}

impl BullMq {
    async fn open(url: String, load: Load, marks: Arc<Marks>) -> Result<Self, Fault> {
        let options = QueueOptions { connection: connection(&url), ..Default::default() };
        let queue = Arc::new(bullmq::Queue::with_options(QUEUE, options).await?);
        Ok(Self { url, queue, load, marks })
    }

    fn options(&self) -> WorkerOptions {
        let defaults = WorkerOptions { connection: connection(&self.url), ..Default::default() };
        match self.load {
            Load::Backlog => WorkerOptions { concurrency: CONCURRENCY, ..defaults },
            Load::Trickle => defaults,
        }
    }
}

fn connection(url: &str) -> RedisConnectionOptions {
    RedisConnectionOptions { url: url.to_owned(), ..Default::default() }
}

impl Queue for BullMq {
    type Intake = Arc<bullmq::Queue>;
    type Worker = Worker;

    fn intake(&self) -> Self::Intake {
        self.queue.clone()
    }

    async fn work(&mut self) -> Result<Worker, Fault> {
        let marks = self.marks.clone();
        let handler = move |job: Job, _token| {
            let marks = marks.clone();
            async move {
                marks.mark(serde_json::from_value::<Mail>(job.data().clone())?.id);
                Ok(serde_json::json!({ "ok": true }))
            }
        };
        Ok(Worker::with_options(QUEUE, handler, self.options()).await?)
    }

    async fn is_done(&mut self, jobs: u64) -> Result<bool, Fault> {
        Ok(self.completed(jobs).await? >= jobs)
    }

    async fn completed(&mut self, _jobs: u64) -> Result<u64, Fault> {
        Ok(self.queue.get_completed_count().await?)
    }

    async fn stop(&mut self, worker: Worker) -> Result<(), Fault> {
        Ok(worker.close(5_000).await?)
    }
}

impl Intake for Arc<bullmq::Queue> {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        bullmq::Queue::add(self, NAME, mail).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        self.add_bulk(mails.into_iter().map(|mail| BulkJob::new(NAME, mail)).collect()).await?;
        Ok(())
    }
}
