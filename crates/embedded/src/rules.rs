//! Rules as they are kept: what a gatekeeper knows when a store is opened.

use rusqlite::Connection;
use windlass_core::gate::{Bucket, Rule};
use windlass_core::{Gate, JobId, QueueName, Timestamp};
use windlass_store::codec;
use windlass_store::gatekeeper::Gatekeeper;

use crate::fault::{Checked, Fault};
use crate::record;

const LOAD_RULES: &str = include_str!("sql/gate_rules.sql");
const LOAD_BUCKETS: &str = include_str!("sql/gate_buckets.sql");
const LOAD_SLOTS: &str = include_str!("sql/gate_slots.sql");
const LOAD_LINES: &str = include_str!("sql/gate_lines.sql");

/// The gatekeeper as of the last commit, but for the slots of jobs that run.
pub(crate) fn load(conn: &Connection) -> Checked<Gatekeeper> {
    let mut keeper = Gatekeeper::default();
    each(conn, LOAD_RULES, |row| {
        let rule: Rule = codec::unseal("rule", record::blob(row, 1)?)?;
        keeper.set_rule(&gate(record::text(row, 0)?)?, rule);
        Ok(())
    })?;
    each(conn, LOAD_BUCKETS, |row| {
        keeper.set_bucket(&gate(record::text(row, 0)?)?, Bucket(record::timestamp(row, 1)?));
        Ok(())
    })?;
    each(conn, LOAD_SLOTS, |row| {
        keeper.keep_slot(JobId::from_bytes(row.get(0)?), gate(record::text(row, 1)?)?);
        Ok(())
    })?;
    each(conn, LOAD_LINES, |row| {
        let queue = QueueName::new(record::text(row, 0)?).map_err(|error| Fault::unreadable("queue name", error))?;
        match gate(record::text(row, 1)?)? {
            Gate::Turn(key) => keeper.join(&queue, &Some(key)),
            gate => keeper.wait_on(&queue, gate, true, Timestamp::UNIX_EPOCH),
        }
        Ok(())
    })?;
    keeper.commit();
    Ok(keeper)
}

fn each(conn: &Connection, sql: &str, mut with: impl FnMut(&rusqlite::Row<'_>) -> Checked<()>) -> Checked<()> {
    let mut statement = conn.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        with(row)?;
    }
    Ok(())
}

fn gate(text: &str) -> Checked<Gate> {
    text.parse().map_err(|error| Fault::unreadable("gate", error))
}
