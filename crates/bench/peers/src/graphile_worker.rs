//! graphile_worker 0.14.1, which has the tables of the JavaScript graphile-worker. One by one: `add_job`. Many callers:
//! `add_job` from 64 tasks. Bulk: `add_raw_jobs` of 1000. A backlog: one worker with its own performance test's settings,
//! which are 500 jobs at a time and a local queue of 5000; completion deletes the job.

use std::sync::Arc;
use std::time::{Duration, Instant};

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, Worker, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use windlass_testkit::servers::PostgresServer;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::tally::Tally;
use crate::task::Task;
use crate::{Fault, report};

const CONNECTIONS: u32 = 24;
const CONCURRENCY: usize = 500;
const LOCAL_QUEUE: usize = 5_000;
const DELAY: Duration = Duration::from_millis(5);

const WAITING: &str = "SELECT count(*) FROM graphile_worker._private_jobs";
const ANY: &str = "SELECT FROM graphile_worker._private_jobs LIMIT 1";

impl TaskHandler for Mail {
    const IDENTIFIER: &'static str = "mail";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let tally = context.get_ext::<Arc<Tally>>().ok_or("no tally")?;
        tally.mark(self.id);
        Ok::<(), &str>(())
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    let tally = Arc::new(Tally::of(task.jobs));
    let worker = Arc::new(worker(&server.url(), tally.clone()).await?);
    let mut tables = Tables::connect(&server.url()).await?;
    let submitted = submit(&worker.create_utils(), task).await?;
    let taken = tables.count(WAITING).await?;
    let drained = drain(worker, &mut tables, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = taken - tables.count(WAITING).await?;
    Ok(Measurement {
        settings: format!(
            "concurrency {CONCURRENCY}, local queue {LOCAL_QUEUE}, delays {DELAY:?}, {CONNECTIONS} connections"
        ),
        versions: "graphile_worker 0.14.1, sqlx 0.9".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

async fn worker(url: &str, tally: Arc<Tally>) -> Result<Worker, Fault> {
    let options = WorkerOptions::default()
        .database_url(url)
        .max_pg_conn(CONNECTIONS)
        .concurrency(CONCURRENCY)
        .poll_interval(DELAY)
        .complete_job_batch_delay(DELAY)
        .local_queue(LocalQueueConfig::default().with_size(LOCAL_QUEUE))
        .listen_os_shutdown_signals(false)
        .add_extension(tally)
        .define_job::<Mail>();
    Ok(options.init().await?)
}

impl Intake for WorkerUtils {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        self.add_job(mail, JobSpec::default()).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        self.add_raw_jobs(&mails.iter().map(raw).collect::<Result<Vec<_>, _>>()?).await?;
        Ok(())
    }
}

fn raw(mail: &Mail) -> serde_json::Result<RawJobSpec> {
    let payload = serde_json::to_value(mail)?;
    Ok(RawJobSpec { identifier: Mail::IDENTIFIER.to_owned(), payload, spec: JobSpec::default() })
}

/// How long the whole backlog takes, to the last deleted job.
async fn drain(worker: Arc<Worker>, tables: &mut Tables, jobs: u64, tally: &Tally) -> Result<Duration, Fault> {
    let began = Instant::now();
    let running = worker.clone();
    let running = tokio::spawn(async move { running.run().await });
    let patience = Duration::from_secs(120);
    while (tally.count().ran < jobs || tables.hold(ANY).await?) && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let took = began.elapsed();
    worker.request_shutdown();
    running.await??;
    Ok(took)
}
