//! How connections to the database file are set up.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use windlass_store::ErrorKind;

use crate::fault::{Checked, Fault};

/// The database file inside the store's directory.
pub(crate) const FILE: &str = "windlass.db";

/// The size of a page, in bytes.
pub(crate) const PAGE: u64 = 4_096;

/// `PRAGMA synchronous` for NORMAL: SQLite syncs around checkpoints; commits are synced by the
/// [`Syncer`](crate::syncer::Syncer), before anybody hears of them.
const SYNCHRONOUS_NORMAL: i64 = 1;

/// Other tools may hold the write lock for a moment (`sqlite3` on the command line, say).
const BUSY: Duration = Duration::from_secs(5);

/// Negative sizes are KiB. Checkpoints come every 4000 pages (16 MiB): far enough apart that a page written often is
/// copied once, near enough that one takes milliseconds.
const WRITER: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA foreign_keys = ON;
    PRAGMA wal_autocheckpoint = 4000;
    PRAGMA journal_size_limit = 67108864;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
";

const READER: &str = "
    PRAGMA cache_size = -1024;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
";

/// Statements kept prepared per connection; more than there are.
const STATEMENTS: usize = 64;

/// The one connection that writes. Refuses a database without a log.
pub(crate) fn writer(file: &Path) -> Checked<Connection> {
    let conn = Connection::open(file)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch(WRITER)?;
    hold_plans(&conn)?;
    check_durable(&conn)?;
    Ok(conn)
}

/// Plans must not depend on the values bound (the query planner stability guarantee). Without this SQLite prepares
/// a statement again for every new value of a parameter that an index might care about, which is most of ours.
fn hold_plans(conn: &Connection) -> Checked<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// A connection that cannot write.
pub(crate) fn reader(file: &Path) -> Checked<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(file, flags)?;
    conn.busy_timeout(BUSY)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    conn.execute_batch(READER)?;
    hold_plans(&conn)?;
    Ok(conn)
}

/// The log that the connection writes, for syncing it. SQLite keeps the file for as long as the connection is open, and
/// holds no lock on it that closing this handle could drop.
pub(crate) fn log(conn: &Connection) -> Checked<File> {
    // The log is made by the first transaction.
    conn.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
    let database = conn.path().ok_or_else(|| Fault::new(ErrorKind::Config, "the database has no file"))?;
    File::open(format!("{database}-wal")).map_err(|error| Fault::file("cannot open the log", error))
}

/// Reads the settings back that the promise "acked is durable" rests on.
fn check_durable(conn: &Connection) -> Checked<()> {
    let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
    let synchronous: i64 = conn.pragma_query_value(None, "synchronous", |row| row.get(0))?;
    if mode != "wal" || synchronous != SYNCHRONOUS_NORMAL {
        return Err(Fault::new(
            ErrorKind::Config,
            format!("SQLite runs with journal_mode={mode}, synchronous={synchronous} instead of wal and 1 (NORMAL)"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_that_durability_rests_on_are_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let conn = writer(&directory.path().join(FILE)).expect("opens");
        assert!(check_durable(&conn).is_ok());
        conn.pragma_update(None, "synchronous", "OFF").expect("changes");
        assert_eq!(check_durable(&conn).expect_err("refused").kind(), ErrorKind::Config);
    }

    #[test]
    fn a_database_in_memory_is_refused() {
        let refused = writer(Path::new(":memory:")).expect_err("has no log to sync");
        assert_eq!(refused.kind(), ErrorKind::Config);
    }
}
