//! The schema and its history: numbered files, each applied once in a transaction of its own.

use rusqlite::Connection;
use windlass_store::ErrorKind;

use crate::fault::{Checked, Fault};

/// In order; the place in the list, from 1, is the `user_version` that a migration leads to. Never edit one that
/// was released.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/001_jobs.sql")];

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
