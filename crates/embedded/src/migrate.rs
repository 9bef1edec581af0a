//! The schema and its history: numbered files, each applied once in a transaction of its own.

use rusqlite::Connection;
use windlass_store::ErrorKind;

use crate::fault::{Checked, Fault};

/// In order; the place in the list, from 1, is the `user_version` that a migration leads to. Never edit one that
/// was released.
const MIGRATIONS: [&str; 6] = [
    include_str!("migrations/001_jobs.sql"),
    include_str!("migrations/002_state_of_one_width.sql"),
    include_str!("migrations/003_schedules.sql"),
    include_str!("migrations/004_unique.sql"),
    include_str!("migrations/005_gates.sql"),
    include_str!("migrations/006_expiring.sql"),
];

/// `WIND` in ASCII: tells the file from other databases, for us and for `file(1)`.
const APPLICATION_ID: i32 = 0x5749_4E44;

/// Brings the schema up to this version. Errors with `Config` for a file that a newer version wrote or that is not
/// ours.
pub(crate) fn migrate(conn: &mut Connection) -> Checked<()> {
    let version = version(conn)?;
    check_owner(conn, version)?;
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn version(conn: &Connection) -> Checked<usize> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match usize::try_from(version) {
        Ok(version) if version <= MIGRATIONS.len() => Ok(version),
        _ => Err(Fault::new(
            ErrorKind::Config,
            format!(
                "the database has schema version {version} and this program knows up to {}; use a newer program",
                MIGRATIONS.len()
            ),
        )),
    }
}

fn check_owner(conn: &Connection, version: usize) -> Checked<()> {
    let owner: i32 = conn.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let objects: i64 = conn.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let fresh = version == 0 && owner == 0 && objects == 0;
    if fresh || (version > 0 && owner == APPLICATION_ID) {
        return Ok(());
    }
    Err(Fault::new(ErrorKind::Config, "the file is a database, but not one of Windlass"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One job each that is ready, scheduled, running and failed.
    const FIRST_VERSION: &str = "
        INSERT INTO queue VALUES (1, 'default');
        INSERT INTO job SELECT value, CAST('id' || value AS BLOB), 'Job', NULL, 1, 0, x'', x'' FROM json_each('[1, 2, 3, 4]');
        INSERT INTO state (seq, status, queue, priority, token, updated_at, due_at, started_at, finished_at, worker, error)
        VALUES
            (1, 1, 1, 0, 7, 10, NULL, NULL, NULL, NULL, NULL),
            (2, 2, 1, 0, 7, 20, 99, NULL, NULL, NULL, NULL),
            (3, 3, 1, 0, 7, 30, NULL, 30, NULL, x'00', NULL),
            (4, 5, 1, 0, 7, 40, NULL, 30, 40, x'00', CAST('why' AS BLOB));
    ";

    fn dump(conn: &Connection) -> String {
        let mut statement = conn
            .prepare("SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name")
            .expect("prepares");
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("runs");
        rows.collect::<Result<Vec<_>, _>>().expect("reads").join("\n\n") + "\n"
    }

    #[test]
    fn the_schema_after_all_migrations_is_the_golden_one() {
        let mut conn = Connection::open_in_memory().expect("opens");
        migrate(&mut conn).expect("migrates");
        let (actual, golden) = (dump(&conn), include_str!("migrations/golden.sql"));
        assert!(actual == golden, "src/migrations/golden.sql must be:\n{actual}(end)");
    }

    #[test]
    fn migrating_twice_changes_nothing() {
        let mut conn = Connection::open_in_memory().expect("opens");
        migrate(&mut conn).expect("migrates");
        let before = dump(&conn);
        migrate(&mut conn).expect("has nothing to do");
        assert_eq!(before, dump(&conn));
    }

    #[test]
    fn a_store_of_the_first_version_keeps_where_its_jobs_stand() {
        let mut conn = Connection::open_in_memory().expect("opens");
        let (version, application) = ("PRAGMA user_version = 1", format!("PRAGMA application_id = {APPLICATION_ID}"));
        for sql in [MIGRATIONS[0], version, &application, FIRST_VERSION] {
            conn.execute_batch(sql).expect("runs");
        }
        migrate(&mut conn).expect("migrates");
        let mut statement = conn
            .prepare("SELECT concat_ws(' ', seq, status, updated_at, finished_at, CAST(error AS TEXT)) FROM jobs ORDER BY seq")
            .expect("prepares");
        let jobs = statement.query_map([], |row| row.get::<_, String>(0)).expect("runs");
        let jobs: Vec<_> = jobs.map(|job| job.expect("reads")).collect();
        assert_eq!(jobs, ["1 1 10", "2 2 20", "3 3 30", "4 5 40 40 why"]);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut conn = Connection::open_in_memory().expect("opens");
        migrate(&mut conn).expect("migrates");
        conn.pragma_update(None, "user_version", MIGRATIONS.len() as i64 + 1).expect("changes");
        assert_eq!(migrate(&mut conn).expect_err("refused").kind(), ErrorKind::Config);
    }

    #[test]
    fn somebody_elses_database_is_refused_untouched() {
        let mut conn = Connection::open_in_memory().expect("opens");
        conn.execute_batch("CREATE TABLE diary (entry TEXT)").expect("creates");
        assert_eq!(migrate(&mut conn).expect_err("refused").kind(), ErrorKind::Config);
        assert_eq!(dump(&conn), "CREATE TABLE diary (entry TEXT);\n");
    }
}
