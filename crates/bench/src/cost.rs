//! What jobs cost besides time: this process's CPU, and what the store's own server had to do.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio_postgres::{Client, NoTls};

use crate::Fault;
use crate::machine;
use crate::measurement::Measurement;

/// Bytes of the log, and transactions that wrote: both are counted at once, unlike the server's statistics.
const POSTGRES: &str = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8,
    pg_snapshot_xmax(pg_current_snapshot())::text::float8";

/// Reads the counters before and after.
pub(crate) struct Meter {
    server: Server,
    before: Counters,
}

enum Server {
    None,
    Postgres(Client),
    Redis(MultiplexedConnection),
}

#[derive(Clone, Copy, Default)]
struct Counters {
    client_cpu: Option<Duration>,
    server_cpu: Option<f64>,
    wal_bytes: Option<f64>,
    commits: Option<f64>,
    commands: Option<f64>,
}

impl Meter {
    /// Begins to count, on the server at `url` if the store has one.
    pub(crate) async fn start(url: Option<&str>) -> Result<Self, Fault> {
        let mut server = match url {
            None => Server::None,
            Some(url) if url.starts_with("redis") => {
                Server::Redis(redis::Client::open(url)?.get_multiplexed_async_connection().await?)
            }
            Some(url) => {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                tokio::spawn(connection);
                Server::Postgres(client)
            }
        };
        let before = server.read().await?;
        Ok(Self { server, before })
    }

    /// Ends counting.
    pub(crate) async fn stop(mut self) -> Result<Spent, Fault> {
        Ok(Spent { before: self.before, after: self.server.read().await? })
    }
}

/// What was counted between a beginning and an end.
pub(crate) struct Spent {
    before: Counters,
    after: Counters,
}

impl Spent {
    /// `found` with what each of its jobs has cost.
    pub(crate) fn added_to(self, found: Measurement) -> Measurement {
        let Self { before, after } = self;
        let spent = |before: Option<f64>, after: Option<f64>| Some((after? - before?) / found.jobs as f64);
        let micros = |cpu: Option<Duration>| cpu.map(|cpu| cpu.as_secs_f64() * 1e6);
        Measurement {
            client_cpu_us_per_job: spent(micros(before.client_cpu), micros(after.client_cpu)),
            server_cpu_us_per_job: spent(before.server_cpu, after.server_cpu).map(|seconds| seconds * 1e6),
            wal_bytes_per_job: spent(before.wal_bytes, after.wal_bytes),
            commits_per_job: spent(before.commits, after.commits),
            commands_per_job: spent(before.commands, after.commands),
            ..found
        }
    }
}

impl Server {
    async fn read(&mut self) -> Result<Counters, Fault> {
        let mut counters = Counters { client_cpu: machine::cpu_time(), ..Counters::default() };
        match self {
            Self::None => {}
            Self::Postgres(client) => {
                let row = client.query_one(POSTGRES, &[]).await?;
                (counters.wal_bytes, counters.commits) = (row.get(0), row.get(1));
            }
            Self::Redis(connection) => {
                let info: redis::InfoDict = redis::cmd("INFO").query_async(connection).await?;
                counters.commands = info.get("total_commands_processed");
                let (user, system): (Option<f64>, Option<f64>) = (info.get("used_cpu_user"), info.get("used_cpu_sys"));
                counters.server_cpu = user.zip(system).map(|(user, system)| user + system);
            }
        }
        Ok(counters)
    }
}
