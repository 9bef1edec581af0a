//! The floor on PostgreSQL: what the server does with the narrowest tables there can be when one connection drives it
//! with prepared statements over arrays and nothing else happens: no order but that of arrival, no leases, no errors.

use std::time::{Duration, Instant};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use windlass_testkit::servers::PostgresServer;

use crate::Fault;
use crate::mail::Mail;

/// Jobs settled and claimed per commit when a backlog is worked off.
pub(crate) const WORK_BATCH: u64 = 500;

const SCHEMA: &str = "
    CREATE TABLE job (seq bigint PRIMARY KEY, id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(), payload bytea NOT NULL);
    CREATE TABLE ready (seq bigint PRIMARY KEY);
    CREATE TABLE run (seq bigint PRIMARY KEY);
    CREATE TABLE done (seq bigint PRIMARY KEY, result bytea NOT NULL);
    SET enable_hashjoin = off;
    SET enable_mergejoin = off;
";
const INSERT: &str = "
    WITH kept AS (INSERT INTO job (seq, payload) SELECT * FROM unnest($1::bigint[], $2::bytea[]) RETURNING seq)
    INSERT INTO ready SELECT seq FROM kept";
const SETTLE: &str = "
    WITH ended AS (DELETE FROM run WHERE seq = ANY ($1::bigint[]) RETURNING seq)
    INSERT INTO done SELECT seq, $2 FROM ended";
const CLAIM: &str = "
    WITH next AS (
        DELETE FROM ready WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ready ORDER BY seq LIMIT $1 FOR UPDATE SKIP LOCKED))
        RETURNING seq
    ), started AS (
        INSERT INTO run SELECT seq FROM next RETURNING seq
    )
    SELECT job.seq, job.payload FROM started JOIN job ON job.seq = started.seq";

const RESULT: [u8; 38] = [b'r'; 38];

/// One connection to a server of its own.
pub(crate) struct RawPostgres {
    client: Client,
    insert: Statement,
    settle: Statement,
    claim: Statement,
    _server: PostgresServer,
}

impl RawPostgres {
    /// A fresh server.
    pub(crate) async fn start() -> Result<Self, Fault> {
        let server = PostgresServer::start()?;
        let (client, connection) = tokio_postgres::connect(&server.url(), NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(SCHEMA).await?;
        let insert = client.prepare(INSERT).await?;
        let settle = client.prepare(SETTLE).await?;
        let claim = client.prepare(CLAIM).await?;
        Ok(Self { client, insert, settle, claim, _server: server })
    }

    /// Inserts jobs `from` to `to` - 1, `batch` per commit: how long each commit took.
    pub(crate) async fn insert(&self, from: u64, to: u64, batch: u64) -> Result<Vec<Duration>, Fault> {
        let mut took = Vec::new();
        for start in (from..to).step_by(usize::try_from(batch)?) {
            let numbers = start..to.min(start + batch);
            let payloads: Result<Vec<_>, _> = numbers.clone().map(|n| serde_json::to_vec(&Mail::numbered(n))).collect();
            let seqs: Vec<i64> = numbers.map(|number| number as i64).collect();
            let began = Instant::now();
            self.client.execute(&self.insert, &[&seqs, &payloads?]).await?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    /// Works off everything that waits: settles what was claimed before and claims the next `batch` in each commit,
    /// all sent at once.
    pub(crate) async fn work_off(&self, batch: u64) -> Result<(), Fault> {
        let (limit, mut claimed) = (batch as i64, Vec::<i64>::new());
        loop {
            let result = RESULT.as_slice();
            let settled: [&(dyn ToSql + Sync); 2] = [&claimed, &result];
            let wanted: [&(dyn ToSql + Sync); 1] = [&limit];
            let (begun, settled, rows, committed) = tokio::join!(
                self.client.batch_execute("BEGIN"),
                self.client.execute(&self.settle, &settled),
                self.client.query(&self.claim, &wanted),
                self.client.batch_execute("COMMIT"),
            );
            begun?;
            settled?;
            committed?;
            claimed.clear();
            for row in rows? {
                std::hint::black_box(serde_json::from_slice::<Mail>(row.try_get(1)?)?);
                claimed.push(row.try_get(0)?);
            }
            if claimed.is_empty() {
                return Ok(());
            }
        }
    }
}
