//! azums 1.0.1 on SQLite. One by one: `enqueue`. Bulk and many callers: `enqueue` from four tasks, which is faster than
//! its `enqueue_batch` (a loop over `enqueue`) and than more tasks. A backlog: one `run` loop; a second one ends with
//! `database is locked`. It sets `synchronous=NORMAL`; [`Durability::Full`] opens the same pool with `FULL`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use azums::{Client, Job, NewJob, QueueConfig, QueueOrdering, SqliteBackend, StorageBackend};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tally::Tally;
use crate::task::Task;
use crate::{Fault, report};

const NAME: &str = "SendMail";

/// When a commit is safe from a power cut.
#[derive(Clone, Copy)]
pub(crate) enum Durability {
    /// At some later checkpoint: the crate's own choice.
    Normal,
    /// When it returns.
    Full,
}

pub(crate) async fn measure(task: &Task, durability: Durability) -> Result<Measurement, Fault> {
    let pool = open(task, durability).await?;
    let backend = SqliteBackend::new(pool.clone());
    backend.run_migrations().await?;
    let client = Client::new(Arc::new(backend));
    client.configure_queue("default", QueueConfig { ordering: QueueOrdering::Fastest }).await;
    let tally = Arc::new(Tally::of(task.jobs));
    let began = Instant::now();
    submit(&client, task).await?;
    let submitted = began.elapsed();
    let drained = drain(&client, &pool, task.jobs, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = succeeded(&pool).await?;
    Ok(Measurement {
        settings: format!("SQLite WAL, {}; one run() loop", describe(durability)),
        versions: "azums 1.0.1, sqlx 0.8".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

fn describe(durability: Durability) -> &'static str {
    match durability {
        Durability::Normal => "synchronous=NORMAL (its own setting; a power cut loses acknowledged jobs)",
        Durability::Full => "synchronous=FULL",
    }
}

/// As the crate's `make_sqlite_pool`, but for `synchronous`.
async fn open(task: &Task, durability: Durability) -> Result<SqlitePool, Fault> {
    let synchronous = match durability {
        Durability::Normal => SqliteSynchronous::Normal,
        Durability::Full => SqliteSynchronous::Full,
    };
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{}", task.dir.join("azums.db").display()))?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(Duration::from_secs(5))
        .foreign_keys(true);
    let pool = SqlitePoolOptions::new().max_connections(5).acquire_timeout(Duration::from_secs(5));
    Ok(pool.connect_with(options).await?)
}

async fn submit(client: &Client, task: &Task) -> Result<(), Fault> {
    let callers = if task.mode == "one" { 1 } else { 4 };
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (from, to) = (task.jobs * caller / callers, task.jobs * (caller + 1) / callers);
        tasks.spawn(enqueue(client.clone(), from, to));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}

async fn enqueue(client: Client, from: u64, to: u64) -> Result<(), Fault> {
    for number in from..to {
        let payload = serde_json::to_value(Mail::numbered(number))?;
        client.enqueue(NewJob::from(Job::new(NAME, payload))).await?;
    }
    Ok(())
}

/// How long the whole backlog takes, to the last acknowledgement.
async fn drain(client: &Client, pool: &SqlitePool, jobs: u64, tally: &Arc<Tally>) -> Result<Duration, Fault> {
    let counting = tally.clone();
    let handler = move |job: Job| {
        let counting = counting.clone();
        async move {
            counting.mark(serde_json::from_value::<Mail>(job.payload)?.id);
            Ok(())
        }
    };
    client.register_handler(NAME, handler).await;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let (worker, stopped) = (client.clone(), stop.clone());
    let worker = tokio::spawn(async move { worker.run_with_shutdown(stopped).await });
    while tally.count().ran < jobs || succeeded(pool).await? < jobs {
        if worker.is_finished() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    stop.cancel();
    worker.await??;
    Ok(took)
}

async fn succeeded(pool: &SqlitePool) -> Result<u64, Fault> {
    let query = "SELECT count(*) FROM jobs WHERE status = 'succeeded'";
    let count: i64 = sqlx::query_scalar(query).fetch_one(pool).await?;
    Ok(count as u64)
}
