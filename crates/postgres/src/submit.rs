//! Submit: new jobs as columns, and what became of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::{JobId, NewJob, QueueName, Start, Timestamp, Uniqueness};
use windlass_store::codec::Spec;
use windlass_store::{Error, ErrorKind, Exchange, Scope, SubmitOutcome, Submitted};

use crate::asking::{Asking, Param};
use crate::fault::{Checked, Fault};
use crate::record::{Fields, micros, status};
use crate::{rooms, whole};

/// New jobs, a list per column.
#[derive(Debug, Default)]
pub(crate) struct Columns<'a> {
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    owners: Vec<Option<&'a str>>,
    delays: Vec<Option<i64>>,
    moments: Vec<Option<i64>>,
    crash_limits: Vec<i64>,
    specs: Vec<Vec<u8>>,
    payloads: Vec<&'a [u8]>,
    /// What makes each unique, and its keys, where any is or has some.
    rules: Option<Vec<Option<String>>>,
    unique: bool,
    /// The keys of each, where any has some.
    keys: Option<Vec<Option<String>>>,
}

impl<'a> Columns<'a> {
    pub(crate) fn of(jobs: impl IntoIterator<Item = &'a NewJob>) -> Checked<Self> {
        let mut columns = Self::default();
        for new in jobs {
            columns.push(new)?;
        }
        Ok(columns)
    }

    fn push(&mut self, new: &'a NewJob) -> Checked<()> {
        let (delay, moment) = match new.start {
            Start::Now => (None, None),
            Start::After(delay) => (Some(micros(delay)), None),
            Start::At(moment) => (None, Some(moment.as_micros())),
        };
        self.ids.push(new.id.as_uuid());
        self.names.push(new.name.as_str());
        self.queues.push(new.queue.as_str());
        self.priorities.push(i16::from(new.priority.level()));
        self.owners.push(new.owner.as_ref().map(|owner| owner.as_str()));
        self.delays.push(delay);
        self.moments.push(moment);
        self.crash_limits.push(i64::from(new.retry.max_crashes));
        self.specs.push(Spec::encode(new)?);
        self.payloads.push(&new.payload.bytes);
        let (unique, keys) = (new.unique(), keys(new));
        self.unique |= unique.is_some();
        if unique.is_some() || keys.is_some() {
            put(&mut self.rules, self.ids.len(), rule(unique, keys.as_deref()));
        }
        if let Some(keys) = keys {
            put(&mut self.keys, self.ids.len(), keys);
        }
        Ok(())
    }

    /// As the function of unique jobs takes it; nothing where none is unique or has keys.
    pub(crate) fn rules(&self) -> Param<'_> {
        (&self.rules, Type::TEXT_ARRAY)
    }

    /// Whether any is unique.
    pub(crate) fn are_unique(&self) -> bool {
        self.unique
    }

    /// The parameters in the order of the function's.
    pub(crate) fn params(&self) -> [Param<'_>; 10] {
        [
            (&self.ids, Type::UUID_ARRAY),
            (&self.names, Type::TEXT_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.priorities, Type::INT2_ARRAY),
            (&self.owners, Type::TEXT_ARRAY),
            (&self.delays, Type::INT8_ARRAY),
            (&self.moments, Type::INT8_ARRAY),
            (&self.crash_limits, Type::INT8_ARRAY),
            (&self.specs, Type::BYTEA_ARRAY),
            (&self.payloads, Type::BYTEA_ARRAY),
        ]
    }
}

/// Adds what the latest of so many jobs has to a column that is not there where no job has any.
fn put(column: &mut Option<Vec<Option<String>>>, jobs: usize, value: String) {
    let column = column.get_or_insert_with(Vec::new);
    column.resize(jobs - 1, None);
    column.push(Some(value));
}

/// The gates of a job's keys, one a line; nothing where it has none.
pub(crate) fn keys(new: &NewJob) -> Option<String> {
    let keys: Vec<String> = new.keys().iter().map(|key| format!("key:{key}")).collect();
    (!keys.is_empty()).then(|| keys.join("\n"))
}

/// As `sql/submit_unique.sql` reads it.
fn rule(unique: Option<&Uniqueness>, keys: Option<&str>) -> String {
    let mut rule = serde_json::Map::new();
    if let Some(Uniqueness { key, states, period, replaces, extends, cancels_running }) = unique {
        rule.insert("key".into(), key.to_string().into());
        rule.insert("states".into(), states.bits().into());
        rule.insert("period".into(), period.map(micros).into());
        rule.insert("replaces".into(), (*replaces).into());
        rule.insert("extends".into(), (*extends).into());
        rule.insert("cancels_running".into(), (*cancels_running).into());
    }
    if let Some(keys) = keys {
        rule.insert("keys".into(), keys.into());
    }
    serde_json::Value::Object(rule).to_string()
}

/// A limit that no line reaches needs no counting.
const UNLIMITED: i64 = 1 << 40;

/// Up to so many jobs are cheaper one by one.
const FEW: usize = 4;

/// The limit by which the new jobs of a turn have to be counted: `None` when all their lines have plenty of room.
pub(crate) async fn limit(asking: &Asking<'_>, turn: &Exchange) -> Checked<Option<i64>> {
    let limit = turn.queue_limit.and_then(|limit| i64::try_from(limit).ok()).filter(|limit| *limit < UNLIMITED);
    let Some(limit) = limit else { return Ok(None) };
    if limit <= rooms::NEAR {
        return Ok(Some(limit));
    }
    let mut lines: HashMap<&QueueName, i64> = HashMap::new();
    for new in &turn.submit {
        *lines.entry(&new.queue).or_default() += 1;
    }
    let mut plenty = true;
    for (line, jobs) in lines {
        let mut room = asking.rooms.take(line, limit, jobs, Instant::now());
        if room.is_none() {
            count(asking, line, limit).await?;
            room = asking.rooms.take(line, limit, jobs, Instant::now());
        }
        plenty &= room.unwrap_or(false);
    }
    Ok((!plenty).then_some(limit))
}

async fn count(asking: &Asking<'_>, line: &QueueName, limit: i64) -> Checked<()> {
    let began = Instant::now();
    let sql = asking.sql("SELECT windlass.room($1,$2)");
    let rows = asking.client.query_typed(&sql, &[(&line.as_str(), Type::TEXT), (&limit, Type::INT8)]).await?;
    let left = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
    asking.rooms.note(line, limit, left, began.elapsed(), Instant::now());
    Ok(())
}

/// How the jobs are handed over, and with which parameters. `announced_on` wakes others at once, for a turn that does
/// nothing else.
pub(crate) fn question<'a>(
    at: &'a Option<i64>,
    columns: &'a Columns<'_>,
    limit: &'a Option<i64>,
    announced_on: &'a Option<&str>,
) -> (String, Vec<Param<'a>>) {
    let mut params: Vec<Param<'_>> = vec![(at, Type::INT8), (limit, Type::INT8)];
    params.extend(columns.params());
    params.push((announced_on, Type::TEXT));
    let (function, more) = match columns.ids.len() {
        _ if columns.unique => ("submit_unique", Some(columns.rules())),
        number => {
            let keys: Option<Param<'_>> = columns.keys.is_some().then_some((&columns.keys, Type::TEXT_ARRAY));
            (if number <= FEW { "submit_few" } else { "submit" }, keys)
        }
    };
    let more_places = if more.is_some() { ",$14" } else { "" };
    params.extend(more);
    let places = "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13";
    (format!("SELECT outcome, accepted_at, wait, standing FROM windlass.{function}({places}{more_places})"), params)
}

/// Locks the keys of unique jobs, of those that are submitted and of those that are emitted.
pub(crate) async fn enter_keys(asking: &Asking<'_>, columns: &Columns<'_>, emitted: &Columns<'_>) -> Checked<()> {
    let sql = asking.sql("SELECT windlass.keys_enter(array_cat($1,$2))");
    asking.client.query_typed(&sql, &[columns.rules(), emitted.rules()]).await?;
    Ok(())
}

/// Sends the jobs.
pub(crate) async fn submit(
    asking: &Asking<'_>,
    columns: &Columns<'_>,
    limit: Option<i64>,
    announced_on: Option<&str>,
) -> Checked<Vec<Row>> {
    let (sql, params) = question(&asking.at, columns, &limit, &announced_on);
    Ok(asking.client.query_typed(&asking.sql(&sql), &params).await?)
}

/// What the answers say. An id that was taken needs a look at who has it, which only then costs a round trip.
pub(crate) async fn outcomes(asking: &Asking<'_>, jobs: &[Arc<NewJob>], rows: Vec<Row>) -> Checked<Vec<Submitted>> {
    let mut standing = HashMap::new();
    if rows.iter().map(stands).collect::<Checked<Vec<_>>>()?.contains(&true) {
        asking.on_disk().await?;
    }
    let mut answers = Vec::with_capacity(jobs.len());
    for (new, row) in jobs.iter().zip(&rows) {
        if is_taken(row)?
            && let Entry::Vacant(unknown) = standing.entry(new.id)
        {
            unknown.insert(whole::find(asking, new.id, &Scope::Everything).await?);
        }
        let known = standing.get(&new.id).and_then(Option::as_ref).map(|job| &*job.new);
        answers.push(outcome(new, row, known)?);
    }
    Ok(answers)
}

/// Whether the answer is about a job that was there before, which somebody else may have brought a moment ago.
fn stands(row: &Row) -> Checked<bool> {
    Ok(matches!(row.try_get::<_, i16>(0)?, 0 | -2))
}

/// Whether the answer is that another job has the id.
pub(crate) fn is_taken(row: &impl Fields) -> Checked<bool> {
    Ok(row.field::<i16>(0)? == 0)
}

/// What an answer says of a job, given who has its id when that is taken.
pub(crate) fn outcome(new: &NewJob, row: &impl Fields, standing: Option<&NewJob>) -> Checked<Submitted> {
    let other = || Ok::<_, Fault>(JobId::from_bytes(row.field::<Uuid>(3)?.into_bytes()));
    let at = Timestamp::from_micros(row.field(1)?);
    let outcome = match row.field::<i16>(0)? {
        -5 => SubmitOutcome::OwnerFull,
        -4 => SubmitOutcome::OverRate { retry_after: Duration::from_micros(row.field::<i64>(2)?.unsigned_abs()) },
        -3 => SubmitOutcome::Replaced(other()?),
        -2 => return Ok(Submitted { id: other()?, outcome: SubmitOutcome::Duplicate, at }),
        -1 => SubmitOutcome::QueueFull,
        0 => taken(standing, new)?,
        code => SubmitOutcome::Created(status(code)?),
    };
    Ok(Submitted { id: new.id, outcome, at })
}

fn taken(standing: Option<&NewJob>, new: &NewJob) -> Checked<SubmitOutcome> {
    match standing {
        Some(standing) if standing.asks_the_same(new) => Ok(SubmitOutcome::Existing),
        Some(_) => Ok(SubmitOutcome::Conflict),
        // Removed by retention between the two looks: the id is free now.
        None => Err(Error::new(ErrorKind::Unavailable, "the job of that id has just gone; submit again").into()),
    }
}
