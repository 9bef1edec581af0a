//! The floor on disk: what SQLite does with a table of jobs when one thread drives it with prepared statements and
//! nothing else happens. WAL and `synchronous=FULL`, the plain way to a durable commit; one wide table, a unique id, two partial
//! indexes (ready, running); 16 bytes of id, 48 of state, the payload, a result of 38 bytes.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, params};

use crate::Fault;
use crate::mail::Mail;

/// Jobs settled and claimed per commit when a backlog is worked off.
pub(crate) const WORK_BATCH: u64 = 500;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA cache_size = -8192;
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        queue TEXT NOT NULL,
        priority INTEGER NOT NULL,
        status INTEGER NOT NULL,
        token INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        run_at INTEGER NOT NULL,
        lease_until INTEGER,
        state BLOB NOT NULL,
        payload BLOB NOT NULL,
        result BLOB
    );
    CREATE INDEX ready ON jobs (queue, priority, seq) WHERE status = 0;
    CREATE INDEX running ON jobs (lease_until) WHERE status = 1;
";
const INSERT: &str = "INSERT INTO jobs (seq, id, queue, priority, status, token, attempts, run_at, state, payload)
    VALUES (?1, ?2, 'default', 5, 0, 0, 0, ?3, ?4, ?5)";
const READY: &str =
    "SELECT seq, payload FROM jobs WHERE queue = 'default' AND status = 0 ORDER BY priority, seq LIMIT ?1";
const CLAIM: &str =
    "UPDATE jobs SET status = 1, token = token + 1, attempts = attempts + 1, lease_until = ?2 WHERE seq = ?1";
const SETTLE: &str = "UPDATE jobs SET status = 2, lease_until = NULL, state = ?3, result = ?4
    WHERE seq = ?1 AND status = 1 AND token = ?2";

const STATE: [u8; 48] = [7; 48];
const RESULT: [u8; 38] = [b'r'; 38];
/// Any moment; nobody compares it.
const MOMENT: i64 = 1_767_225_600_000_000;

/// One connection to one file.
pub(crate) struct RawSqlite(Connection);

impl RawSqlite {
    /// A fresh file in `directory`.
    pub(crate) fn create(directory: &Path) -> Result<Self, Fault> {
        let connection = Connection::open(directory.join("raw.db"))?;
        connection.execute_batch(SCHEMA)?;
        // Without it SQLite plans a query anew whenever its LIMIT is bound.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        Ok(Self(connection))
    }

    /// Inserts jobs `from` to `to` - 1, `batch` per commit.
    pub(crate) fn insert(&mut self, from: u64, to: u64, batch: u64) -> Result<(), Fault> {
        for start in (from..to).step_by(usize::try_from(batch)?) {
            let transaction = self.0.transaction()?;
            insert(&transaction, start, to.min(start + batch))?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Works off everything that waits: settles what was claimed before and claims the next `batch` in each commit.
    pub(crate) fn work_off(&mut self, batch: u64) -> Result<(), Fault> {
        let mut claimed = Vec::new();
        loop {
            let transaction = self.0.transaction()?;
            settle(&transaction, &claimed)?;
            claimed = claim(&transaction, batch)?;
            transaction.commit()?;
            if claimed.is_empty() {
                return Ok(());
            }
        }
    }

    /// Inserts `jobs` and works them off at the same time: `batch` of each in each commit.
    pub(crate) fn flow(&mut self, jobs: u64, batch: u64) -> Result<(), Fault> {
        let (mut claimed, mut start) = (Vec::new(), 0);
        while start < jobs || !claimed.is_empty() {
            let transaction = self.0.transaction()?;
            settle(&transaction, &claimed)?;
            let end = jobs.min(start + batch);
            insert(&transaction, start, end)?;
            claimed = claim(&transaction, batch)?;
            transaction.commit()?;
            start = end;
        }
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, from: u64, to: u64) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached(INSERT)?;
    for number in from..to {
        let payload = serde_json::to_vec(&Mail::numbered(number))?;
        statement.execute(params![number as i64 + 1, id(number), MOMENT, STATE, payload])?;
    }
    Ok(())
}

/// As ids by time are: the order of insertion first, then what nobody can guess.
fn id(number: u64) -> [u8; 16] {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    id[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    id
}

fn claim(transaction: &Transaction<'_>, limit: u64) -> Result<Vec<i64>, Fault> {
    let mut ready = transaction.prepare_cached(READY)?;
    let mut rows = ready.query([limit as i64])?;
    let mut claimed = Vec::new();
    while let Some(row) = rows.next()? {
        let mail: Mail = serde_json::from_slice(row.get_ref(1)?.as_blob()?)?;
        std::hint::black_box(mail);
        claimed.push(row.get(0)?);
    }
    let mut update = transaction.prepare_cached(CLAIM)?;
    for seq in &claimed {
        update.execute(params![seq, MOMENT])?;
    }
    Ok(claimed)
}

fn settle(transaction: &Transaction<'_>, claimed: &[i64]) -> Result<(), Fault> {
    let mut statement = transaction.prepare_cached(SETTLE)?;
    for seq in claimed {
        statement.execute(params![seq, 1, STATE, RESULT])?;
    }
    Ok(())
}
