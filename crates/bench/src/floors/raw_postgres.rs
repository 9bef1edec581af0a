//! The floor on PostgreSQL: what the server does with the narrowest tables there can be when one connection drives it
//! with prepared statements over arrays and nothing else happens: no order but that of arrival, no leases, no errors.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::OptionFuture;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use windlass_testkit::servers::PostgresServer;

use crate::Fault;
use crate::floors::Raw;
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
            let (seqs, payloads) = rows(start..to.min(start + batch))?;
            let began = Instant::now();
            self.client.execute(&self.insert, &[&seqs, &payloads]).await?;
            took.push(began.elapsed());
        }
        Ok(took)
    }
}

impl Raw for RawPostgres {
    type Number = i64;

    /// In one commit.
    async fn turn(&self, settled: &[i64], new: Range<u64>, batch: u64) -> Result<Vec<i64>, Fault> {
        let (limit, result, (seqs, payloads)) = (batch as i64, RESULT.as_slice(), rows(new)?);
        let ended: [&(dyn ToSql + Sync); 2] = [&settled, &result];
        let inserted: [&(dyn ToSql + Sync); 2] = [&seqs, &payloads];
        let wanted: [&(dyn ToSql + Sync); 1] = [&limit];
        let insert = (!seqs.is_empty()).then(|| self.client.execute(&self.insert, &inserted));
        let (begun, ended, inserted, next, committed) = tokio::join!(
            self.client.batch_execute("BEGIN"),
            self.client.execute(&self.settle, &ended),
            OptionFuture::from(insert),
            self.client.query(&self.claim, &wanted),
            self.client.batch_execute("COMMIT"),
        );
        begun?;
        ended?;
        inserted.transpose()?;
        committed?;
        let mut claimed = Vec::with_capacity(batch as usize);
        for row in next? {
            std::hint::black_box(serde_json::from_slice::<Mail>(row.try_get(1)?)?);
            claimed.push(row.try_get(0)?);
        }
        Ok(claimed)
    }
}

fn rows(numbers: Range<u64>) -> Result<(Vec<i64>, Vec<Vec<u8>>), Fault> {
    let payloads: Result<Vec<_>, _> = numbers.clone().map(|n| serde_json::to_vec(&Mail::numbered(n))).collect();
    Ok((numbers.map(|number| number as i64).collect(), payloads?))
}
