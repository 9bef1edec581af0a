//! awa 0.6.9 with its queue storage. One by one: `insert_with`. Many callers: `insert_with` from 64 tasks. Bulk:
//! `enqueue_params_copy` of 1000. A backlog: one worker that runs 500 jobs at a time and whose jobs have no deadline, which
//! is its fastest path. One job now and then: a worker with its defaults. Completed jobs are kept, which is its default.

use std::sync::Arc;
use std::time::Duration;

use awa::model::migrations;
use awa::{
    Client, InsertOpts, InsertParams, JobArgs, JobResult, QueueConfig, QueueStorage, QueueStorageConfig, insert_with,
};
use sqlx::postgres::{PgPool, PgPoolOptions};
use windlass_testkit::servers::PostgresServer;

use crate::Fault;
use crate::intake::Intake;
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tables::Tables;
use crate::task::Task;
use crate::trial::{self, Load, Marks, Queue};

const QUEUE: &str = "mail";
const CONNECTIONS: u32 = 20;
const WORKERS: u32 = 500;

/// What tells that a drain has ended. Its own exact count takes half a second, so it is asked only afterwards.
const STORED: &str = "
    SELECT (SELECT count(*) FROM awa.done_entries)
         + (SELECT coalesce(sum(completed_count), 0)::bigint FROM awa.receipt_completion_batches)";

impl JobArgs for Mail {
    fn kind() -> &'static str {
        "mail"
    }
}

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(&server.url()).await?;
    let (marks, load) = (Marks::of(task.jobs), Load::of(task));
    let storage = Arc::new(set_up(&pool, load, &marks).await?);
    let tables = Tables::connect(&server.url()).await?;
    let mut awa = Awa { intake: AwaIntake { pool, storage }, tables, load, marks: marks.clone() };
    let found = trial::run(&mut awa, task, &marks, &server.url()).await?;
    let worker = match load {
        Load::Backlog => format!("max_workers {WORKERS}, no deadline"),
        Load::Trickle => "default".to_owned(),
    };
    Ok(Measurement {
        settings: format!("queue storage, {worker}, {CONNECTIONS} connections"),
        versions: "awa 0.6.9, sqlx 0.8".to_owned(),
        ..found
    })
}

struct Awa {
    intake: AwaIntake,
    tables: Tables,
    load: Load,
    marks: Arc<Marks>,
}

impl Queue for Awa {
    type Intake = AwaIntake;
    type Worker = Client;

    fn intake(&self) -> AwaIntake {
        self.intake.clone()
    }

    async fn work(&mut self) -> Result<Client, Fault> {
        let worker = client(&self.intake.pool, self.load, &self.marks)?;
        worker.start().await?;
        Ok(worker)
    }

    async fn is_done(&mut self, jobs: u64) -> Result<bool, Fault> {
        Ok(self.tables.count(STORED).await? >= jobs)
    }

    async fn completed(&mut self, _jobs: u64) -> Result<u64, Fault> {
        let AwaIntake { pool, storage } = &self.intake;
        Ok(u64::try_from(storage.queue_counts(pool, QUEUE).await?.terminal)?)
    }

    async fn stop(&mut self, worker: Client) -> Result<(), Fault> {
        worker.shutdown(Duration::from_secs(5)).await;
        Ok(())
    }
}

/// A fresh schema keeps jobs in its older tables until the first worker has started.
async fn set_up(pool: &PgPool, load: Load, marks: &Arc<Marks>) -> Result<QueueStorage, Fault> {
    migrations::run(pool).await?;
    let first = client(pool, load, marks)?;
    first.start().await?;
    first.shutdown(Duration::from_secs(5)).await;
    match QueueStorage::active_schema(pool).await? {
        Some(schema) => Ok(QueueStorage::new(QueueStorageConfig { schema, ..Default::default() })?),
        None => Err("queue storage is not active".into()),
    }
}

fn client(pool: &PgPool, load: Load, marks: &Arc<Marks>) -> Result<Client, Fault> {
    let backlog = QueueConfig {
        max_workers: WORKERS,
        poll_interval: Duration::from_millis(50),
        deadline_duration: Duration::ZERO,
        ..Default::default()
    };
    let config = if load == Load::Backlog { backlog } else { QueueConfig::default() };
    let marks = marks.clone();
    let handler = move |mail: Mail, _: &_| {
        marks.mark(mail.id);
        async { Ok(JobResult::Completed) }
    };
    Ok(Client::builder(pool.clone()).queue(QUEUE, config).register::<Mail, _, _>(handler).build()?)
}

#[derive(Clone)]
struct AwaIntake {
    pool: PgPool,
    storage: Arc<QueueStorage>,
}

impl Intake for AwaIntake {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        insert_with(&self.pool, &mail, options()).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        let jobs = mails.iter().map(parameters).collect::<Result<Vec<_>, _>>()?;
        self.storage.enqueue_params_copy(&self.pool, &jobs).await?;
        Ok(())
    }
}

fn parameters(mail: &Mail) -> serde_json::Result<InsertParams> {
    Ok(InsertParams { kind: Mail::kind().to_owned(), args: mail.to_args()?, opts: options() })
}

fn options() -> InsertOpts {
    InsertOpts { queue: QUEUE.to_owned(), ..Default::default() }
}
