//! Gates: the rules that functions go by.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use windlass_core::Gate;
use windlass_core::gate::{Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_store::{Error, ErrorKind, Ruled, codec};

use crate::asking::{Asking, Param};
use crate::fault::{Checked, Fault};
use crate::record::micros;

/// How often an edit is tried that another one was faster than.
const RACES_MAX: usize = 100;

/// Changes the rule at a gate; tries again when somebody else was faster.
pub(crate) async fn edit(asking: &Asking<'_>, gate: &Gate, edit: &Edit) -> Checked<()> {
    for _ in 0..RACES_MAX {
        let kept = if matches!(edit, Edit::Hold(_)) { None } else { read(asking, gate).await? };
        let rule = kept.as_deref().map(unpack).transpose()?.unwrap_or_default().edited(edit);
        match write(asking, gate, kept.as_deref(), &rule, edit).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // A turn that had brought jobs waited for the gates, and this for the jobs.
            Err(fault) if fault.lost_a_race() => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Error::new(ErrorKind::Unavailable, format!("the rule at {gate} changes faster than it can be edited")).into())
}

async fn read(asking: &Asking<'_>, gate: &Gate) -> Checked<Option<Vec<u8>>> {
    let sql = asking.sql("SELECT record FROM windlass.rule WHERE gate = $1");
    let rows = asking.client.query_typed(&sql, &[(&gate.to_string(), Type::TEXT)]).await?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

fn unpack(record: &[u8]) -> Checked<Rule> {
    Ok(codec::unseal("rule", record)?)
}

async fn write(asking: &Asking<'_>, gate: &Gate, kept: Option<&[u8]>, rule: &Rule, edit: &Edit) -> Checked<bool> {
    let (name, limits) = (gate.to_string(), rule.limits);
    let record = (!rule.is_none()).then(|| codec::seal(rule)).transpose()?;
    let hold = match edit {
        Edit::Hold(span) => Some(micros(*span)),
        _ => None,
    };
    let (rate, running) = (limits.rate, limits.running.map(i64::from));
    let (apart, tolerance) = (rate.map(|rate| rate.interval_micros()), rate.map_or(0, |rate| rate.tolerance_micros()));
    let (patience, anew) = (rate.map_or(0, |rate| micros(rate.patience())), matches!(edit, Edit::Limit(_)));
    let weight = rule.share.weight.map(i64::from);
    let waiting = rule.backlog.most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    let aging = rule.aging.map(micros);
    let params: [Param<'_>; 18] = [
        (&asking.at, Type::INT8),
        (&name, Type::TEXT),
        (&kept, Type::BYTEA),
        (&rule.paused.is_some(), Type::BOOL),
        (&running, Type::INT8),
        (&limits.in_order, Type::BOOL),
        (&apart, Type::INT8),
        (&tolerance, Type::INT8),
        (&patience, Type::INT8),
        (&record, Type::BYTEA),
        (&anew, Type::BOOL),
        (&hold, Type::INT8),
        (&asking.channel, Type::TEXT),
        (&rule.share.by, Type::TEXT),
        (&weight, Type::INT8),
        (&waiting, Type::INT8),
        (&rule.backlog.drops, Type::BOOL),
        (&aging, Type::INT8),
    ];
    let sql = asking.sql("SELECT windlass.gates_edit($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18)");
    let rows = asking.client.query_typed(&sql, &params).await?;
    let row = rows.first().ok_or_else(|| Fault::corrupt("a function that always answers did not"))?;
    Ok(row.try_get(0)?)
}

/// The gates that have rules, by their text, behind `after`.
pub(crate) async fn list(asking: &Asking<'_>, after: Option<&Gate>, limit: usize) -> Checked<Vec<Ruled>> {
    let sql = asking.sql(
        "SELECT rule.gate, rule.record, (
            SELECT count(*) FROM windlass.slot
            WHERE slot.gate = rule.gate
                OR rule.gate LIKE 'keys:%' AND starts_with(slot.gate, 'key:' || substr(rule.gate, 6) || ':'))
            + coalesce((SELECT tally.taken FROM windlass.tally WHERE tally.gate = rule.gate), 0)
        FROM windlass.rule WHERE rule.gate > coalesce($1, '') ORDER BY rule.gate LIMIT $2",
    );
    let (after, limit) = (after.map(Gate::to_string), limit.min(PAGE_MAX) as i64);
    let rows = asking.client.query_typed(&sql, &[(&after, Type::TEXT), (&limit, Type::INT8)]).await?;
    rows.iter().map(ruled).collect()
}

fn ruled(row: &Row) -> Checked<Ruled> {
    let taken: i64 = row.try_get(2)?;
    let gate = row.try_get::<_, &str>(0)?.parse()?;
    Ok(Ruled { gate, rule: unpack(row.try_get(1)?)?, taken: u64::try_from(taken).unwrap_or(0) })
}
