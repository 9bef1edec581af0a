//! graphile_worker 0.14.1, which has the tables of the JavaScript graphile-worker. One by one: `add_job`. Many callers:
//! `add_job` from 64 tasks. Bulk: `add_raw_jobs` of 1000. The worker has its own performance test's settings, which are 500
//! jobs at a time and a local queue of 5000; completion deletes the job.

use std::sync::Arc;
use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RawJobSpec, TaskHandler, Worker, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use tokio::task::JoinHandle;
use windlass_testkit::servers::PostgresServer;

use crate::Fault;
use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::task::Task;
use crate::trial::{self, Marks, Queue};

const CONNECTIONS: u32 = 24;
const CONCURRENCY: usize = 500;
const LOCAL_QUEUE: usize = 5_000;
const DELAY: Duration = Duration::from_millis(5);

const WAITING: &str = "SELECT count(*) FROM graphile_worker._private_jobs";
const ANY: &str = "SELECT FROM graphile_worker._private_jobs LIMIT 1";

impl TaskHandler for Mail {
    const IDENTIFIER: &'static str = "mail";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let marks = context.get_ext::<Arc<Marks>>().ok_or("nowhere to mark it")?;
        marks.mark(self.id);
        Ok::<(), &str>(())
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    let marks = Marks::of(task.jobs);
    let worker = Arc::new(worker(&server.url(), marks.clone()).await?);
    let mut graphile = Graphile { worker, tables: Tables::connect(&server.url()).await? };
    let found = trial::run(&mut graphile, task, &marks, &server.url()).await?;
    Ok(Measurement {
        settings: format!(
            "concurrency {CONCURRENCY}, local queue {LOCAL_QUEUE}, delays {DELAY:?}, {CONNECTIONS} connections"
        ),
        versions: "graphile_worker 0.14.1, sqlx 0.9".to_owned(),
        ..found
    })
}

async fn worker(url: &str, marks: Arc<Marks>) -> Result<Worker, Fault> {
    let options = WorkerOptions::default()
        .database_url(url)
        .max_pg_conn(CONNECTIONS)
        .concurrency(CONCURRENCY)
        .poll_interval(DELAY)
        .complete_job_batch_delay(DELAY)
        .local_queue(LocalQueueConfig::default().with_size(LOCAL_QUEUE))
        .listen_os_shutdown_signals(false)
        .add_extension(marks)
        .define_job::<Mail>();
    Ok(options.init().await?)
}

struct Graphile {
    worker: Arc<Worker>,
    tables: Tables,
}

impl Queue for Graphile {
    type Intake = WorkerUtils;
    type Worker = JoinHandle<Result<(), Fault>>;

    fn intake(&self) -> WorkerUtils {
        self.worker.create_utils()
    }

    async fn work(&mut self) -> Result<Self::Worker, Fault> {
        let worker = self.worker.clone();
        Ok(tokio::spawn(async move { Ok(worker.run().await?) }))
    }

    async fn is_done(&mut self, _jobs: u64) -> Result<bool, Fault> {
        Ok(!self.tables.hold(ANY).await?)
    }

    async fn completed(&mut self, jobs: u64) -> Result<u64, Fault> {
        Ok(jobs - self.tables.count(WAITING).await?)
    }

    async fn stop(&mut self, worker: Self::Worker) -> Result<(), Fault> {
        self.worker.request_shutdown();
        worker.await?
    }
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
