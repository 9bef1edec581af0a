//! Schedules: one function writes them with the jobs of their ticks; looking is plain SQL.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{ScheduleName, Timestamp};
use windlass_store::schedules::{DueSchedules, Kept, Revision, Write};

use crate::asking::{Asking, Param};
use crate::expiry::{Notes, with_notes};
use crate::fault::{Checked, Fault};
use crate::submit::Columns;

/// Writes a schedule's next state and submits what goes with it, if nobody was faster.
pub(crate) async fn write(asking: &Asking<'_>, write: &Write) -> Checked<Option<Revision>> {
    let columns = Columns::of(write.jobs.iter().map(|job| &**job))?;
    let expected = write.expected.map(|revision| revision.0 as i64);
    let due = write.due.map(Timestamp::as_micros);
    let (name, channel) = (write.name.as_str(), asking.news.map(|_| asking.channel));
    let mut params: Vec<Param<'_>> = vec![
        (&asking.at, Type::INT8),
        (&name, Type::TEXT),
        (&expected, Type::INT8),
        (&due, Type::INT8),
        (&write.record, Type::BYTEA),
        (&channel, Type::TEXT),
    ];
    params.extend(columns.params());
    params.push(columns.rules());
    let places: Vec<String> = (1..=params.len()).map(|place| format!("${place}")).collect();
    let sql = asking.sql(&format!("SELECT windlass.schedule_write({})", places.join(",")));
    let notes = Notes::of(write.jobs.iter().map(|job| &**job));
    let written = async { Ok(asking.client.query_typed(&sql, &params).await?) };
    let rows = with_notes(asking, notes.as_ref(), written).await?;
    let row = rows.first().ok_or_else(|| Fault::corrupt("a function that always answers did not"))?;
    Ok(row.try_get::<_, Option<i64>>(0)?.map(|revision| Revision(revision as u64)))
}

pub(crate) async fn find(asking: &Asking<'_>, name: &ScheduleName) -> Checked<Option<Kept>> {
    let sql = asking.sql("SELECT name, revision, due_at, record FROM windlass.schedule WHERE name = $1");
    let rows = asking.client.query_typed(&sql, &[(&name.as_str(), Type::TEXT)]).await?;
    rows.first().map(kept).transpose()
}

/// A page of them, by name.
pub(crate) async fn list(asking: &Asking<'_>, after: Option<&ScheduleName>, limit: usize) -> Checked<Vec<Kept>> {
    let sql = asking.sql(
        "SELECT name, revision, due_at, record FROM windlass.schedule
        WHERE name > coalesce($1, '') ORDER BY name LIMIT $2",
    );
    let (after, limit) = (after.map(ScheduleName::as_str), limit.min(PAGE_MAX) as i64);
    let rows = asking.client.query_typed(&sql, &[(&after, Type::TEXT), (&limit, Type::INT8)]).await?;
    rows.iter().map(kept).collect()
}

/// What is due, and when the next one is: as of one moment, because it is one statement.
pub(crate) async fn due(asking: &Asking<'_>, limit: usize) -> Checked<DueSchedules> {
    let sql = asking.sql(
        "SELECT first.name, first.revision, first.due_at, first.record, clock.now
        FROM (SELECT windlass.clock($1) AS now) AS clock
        LEFT JOIN LATERAL (
            SELECT * FROM windlass.schedule WHERE due_at IS NOT NULL ORDER BY due_at, name LIMIT $2
        ) AS first ON true
        ORDER BY first.due_at, first.name",
    );
    let limit = limit.min(PAGE_MAX);
    let params = [(&asking.at as _, Type::INT8), (&(limit as i64 + 1) as _, Type::INT8)];
    let rows = asking.client.query_typed(&sql, &params).await?;
    let row = rows.first().ok_or_else(|| Fault::corrupt("a question that always has an answer has none"))?;
    let at = Timestamp::from_micros(row.try_get(4)?);
    let mut due = DueSchedules { at, ..DueSchedules::default() };
    for row in &rows {
        let Some(moment) = row.try_get::<_, Option<i64>>(2)?.map(Timestamp::from_micros) else { break };
        if moment > at || due.schedules.len() == limit {
            due.next = Some(moment);
            break;
        }
        due.schedules.push(kept(row)?);
    }
    Ok(due)
}

pub(crate) async fn remove(asking: &Asking<'_>, name: &ScheduleName) -> Checked<bool> {
    let sql = asking.sql("DELETE FROM windlass.schedule WHERE name = $1 RETURNING 1");
    Ok(!asking.client.query_typed(&sql, &[(&name.as_str(), Type::TEXT)]).await?.is_empty())
}

fn kept(row: &Row) -> Checked<Kept> {
    Ok(Kept {
        name: ScheduleName::new(row.try_get::<_, &str>(0)?)?,
        revision: Revision(row.try_get::<_, i64>(1)? as u64),
        due: row.try_get::<_, Option<i64>>(2)?.map(Timestamp::from_micros),
        record: row.try_get(3)?,
    })
}
