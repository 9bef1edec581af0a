//! The schema: numbered migrations, each applied once, and the functions of this version.

use tokio_postgres::Client;
use windlass_core::payload::JSON;
use windlass_core::{NewJob, Payload, Timestamp};
use windlass_store::Error;
use windlass_store::codec::Spec;

use crate::fault::{Checked, Fault};

/// In order. A number once released never changes.
const MIGRATIONS: [(i32, &str); 10] = [
    (1, include_str!("migrations/0001_tables.sql")),
    (2, include_str!("migrations/0002_schedules.sql")),
    (3, include_str!("migrations/0003_unique.sql")),
    (4, include_str!("migrations/0004_gates.sql")),
    (5, include_str!("migrations/0005_turns.sql")),
    (6, include_str!("migrations/0006_backlog_and_aging.sql")),
    (7, include_str!("migrations/0007_waits.sql")),
    (8, include_str!("migrations/0008_expiring.sql")),
    (9, include_str!("migrations/0009_owners_waiting.sql")),
    (10, include_str!("migrations/0010_modes.sql")),
];

/// Raised with every change of a function, so that an older program that starts beside newer ones leaves theirs alone.
const RELEASE: i32 = 17;

/// One file per verb, in the order of their needs. Replaced by programs of a later release.
const FUNCTIONS: [&str; 78] = [
    include_str!("sql/dropped.sql"),
    include_str!("sql/clock.sql"),
    include_str!("sql/recent.sql"),
    include_str!("sql/touch.sql"),
    include_str!("sql/has_ready.sql"),
    include_str!("sql/turns_enter.sql"),
    include_str!("sql/turns_line_of.sql"),
    include_str!("sql/turns_line_up.sql"),
    include_str!("sql/turns_any.sql"),
    include_str!("sql/turns_choose.sql"),
    include_str!("sql/announce.sql"),
    include_str!("sql/room.sql"),
    include_str!("sql/gates_of.sql"),
    include_str!("sql/gates_mode.sql"),
    include_str!("sql/gates_enter.sql"),
    include_str!("sql/gates_warm.sql"),
    include_str!("sql/gates_others_wait.sql"),
    include_str!("sql/gates_enter_for.sql"),
    include_str!("sql/gates_looks_at.sql"),
    include_str!("sql/gates_may_find.sql"),
    include_str!("sql/gates_is_counted.sql"),
    include_str!("sql/gates_rooms.sql"),
    include_str!("sql/gates_pass_line.sql"),
    include_str!("sql/gates_open.sql"),
    include_str!("sql/gates_fewer.sql"),
    include_str!("sql/gates_end.sql"),
    include_str!("sql/gates_leave.sql"),
    include_str!("sql/gates_pass_on.sql"),
    include_str!("sql/gates_withdraw.sql"),
    include_str!("sql/gates_look_again.sql"),
    include_str!("sql/gates_room_for.sql"),
    include_str!("sql/gates_pass_all.sql"),
    include_str!("sql/gates_pass.sql"),
    include_str!("sql/gates_by_age.sql"),
    include_str!("sql/gates_leave_to_others.sql"),
    include_str!("sql/gates_claim.sql"),
    include_str!("sql/gates_outlook.sql"),
    include_str!("sql/gates_needed.sql"),
    include_str!("sql/gates_tidy.sql"),
    include_str!("sql/owners_counted.sql"),
    include_str!("sql/owners_mark.sql"),
    include_str!("sql/owners_mark_all.sql"),
    include_str!("sql/owner_backlog.sql"),
    include_str!("sql/owner_room.sql"),
    include_str!("sql/owners_rooms.sql"),
    include_str!("sql/gates_edit.sql"),
    include_str!("sql/owners_wait.sql"),
    include_str!("sql/backlog_of.sql"),
    include_str!("sql/withdraw.sql"),
    include_str!("sql/backlog_drop.sql"),
    include_str!("sql/make_room.sql"),
    include_str!("sql/submit.sql"),
    include_str!("sql/submit_few.sql"),
    include_str!("sql/request_cancel.sql"),
    include_str!("sql/keys_enter.sql"),
    include_str!("sql/submit_unique.sql"),
    include_str!("sql/let_go.sql"),
    include_str!("sql/standing.sql"),
    include_str!("sql/settle.sql"),
    include_str!("sql/extend.sql"),
    include_str!("sql/promote.sql"),
    include_str!("sql/claim_for.sql"),
    include_str!("sql/claim.sql"),
    include_str!("sql/outlook.sql"),
    include_str!("sql/lost.sql"),
    include_str!("sql/reclaim.sql"),
    include_str!("sql/prune.sql"),
    include_str!("sql/cancel.sql"),
    include_str!("sql/replay.sql"),
    include_str!("sql/counts.sql"),
    include_str!("sql/oldest_waiting.sql"),
    include_str!("sql/enqueue.sql"),
    include_str!("sql/import.sql"),
    include_str!("sql/schedule_write.sql"),
    include_str!("sql/gates_sweep.sql"),
    include_str!("sql/expiring_note.sql"),
    include_str!("sql/expiring_due.sql"),
    include_str!("sql/expire.sql"),
];

/// What all statements call the schema before they learn its name.
const PLACEHOLDER: &str = "windlass.";

/// Brings the schema to this version in one transaction. Processes that start together wait for each other.
pub(crate) async fn migrate(client: &mut Client, schema: &str) -> Checked<()> {
    let refusal = |fault: Fault| if fault.lacks_rights() { outdated(schema, fault) } else { fault };
    bring_up_to_date(client, schema).await.map_err(refusal)
}

fn outdated(schema: &str, fault: Fault) -> Fault {
    Fault::config(format!(
        "the schema {schema} is missing or older than this program, and this user may not change that; start the program \
         once as the schema's owner: {}",
        Error::from(fault)
    ))
}

async fn bring_up_to_date(client: &mut Client, schema: &str) -> Checked<()> {
    let transaction = client.transaction().await?;
    // "windlass" in ASCII: one migration at a time per database.
    transaction.execute("SELECT pg_advisory_xact_lock(8604798110203278195)", &[]).await?;
    let name = quoted(schema);
    if !exists(&transaction, schema).await? {
        transaction.batch_execute(&format!("CREATE SCHEMA {name}")).await?;
        transaction
            .batch_execute(&format!(
                "CREATE TABLE {name}.migration (number integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            ))
            .await?;
    }
    let row = transaction.query_one(&format!("SELECT coalesce(max(number), 0) FROM {name}.migration"), &[]).await?;
    let reached: i32 = row.get(0);
    let latest = MIGRATIONS.len() as i32;
    if reached > latest {
        return Err(Fault::config(format!(
            "the schema {schema} is of version {reached}, this program knows {latest}: run a newer one"
        )));
    }
    for (number, sql) in MIGRATIONS.iter().filter(|(number, _)| *number > reached) {
        transaction.batch_execute(&localised(sql, schema)).await?;
        transaction.execute(&format!("INSERT INTO {name}.migration (number) VALUES ($1)"), &[number]).await?;
    }
    replace_functions(&transaction, schema).await?;
    transaction.commit().await?;
    Ok(())
}

/// Which release the functions are of is kept as a comment on a table, where it needs neither a table nor a migration.
async fn replace_functions(transaction: &tokio_postgres::Transaction<'_>, schema: &str) -> Checked<()> {
    let table = format!("{}.migration", quoted(schema));
    let row = transaction.query_one("SELECT obj_description(to_regclass($1), 'pg_class')", &[&table]).await?;
    let comment: Option<String> = row.try_get(0)?;
    let present = comment.and_then(|comment| comment.strip_prefix("functions ")?.parse().ok()).unwrap_or(0);
    if present >= RELEASE {
        return Ok(());
    }
    let plain = NewJob::build("Plain", Payload::new(JSON, "null")).finish(Timestamp::UNIX_EPOCH)?;
    let spec: String = Spec::encode(&plain)?.iter().map(|byte| format!("{byte:02x}")).collect();
    for sql in FUNCTIONS {
        let sql = sql.replace("{SPEC}", &spec).replace("{MAX_CRASHES}", &plain.retry.max_crashes.to_string());
        transaction.batch_execute(&localised(&sql, schema)).await?;
    }
    transaction.batch_execute(&format!("COMMENT ON TABLE {table} IS 'functions {RELEASE}'")).await?;
    Ok(())
}

async fn exists(transaction: &tokio_postgres::Transaction<'_>, schema: &str) -> Checked<bool> {
    Ok(transaction.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = $1", &[&schema]).await?.is_some())
}

/// The statement with the schema's own name.
pub(crate) fn localised(sql: &str, schema: &str) -> String {
    sql.replace(PLACEHOLDER, &format!("{}.", quoted(schema)))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The release and the CRC-32 of its functions; a change of one goes with a change of the other.
    const KNOWN: (i32, [u8; 4]) = (17, [140, 149, 179, 146]);

    #[test]
    fn functions_change_with_their_release_only() {
        let sealed = windlass_store::codec::seal(&FUNCTIONS.concat()).expect("seals");
        let sum = [sealed[1], sealed[2], sealed[3], sealed[4]];
        assert_eq!((RELEASE, sum), KNOWN, "a function has changed: raise RELEASE, and note both here");
    }

    #[test]
    fn a_schemas_name_is_quoted_whatever_it_is() {
        assert_eq!(localised("SELECT windlass.clock(1)", "a\"b"), "SELECT \"a\"\"b\".clock(1)");
    }
}
