//! Jobs with everything that is known of them, read through the `jobs` view.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Attempt, AttemptOutcome, Incarnation, Job, JobId, Owner, Payload, QueueName, Status, Timestamp};
use windlass_store::capability::HEAD;
use windlass_store::codec::{payload_of, unseal};
use windlass_store::{Counts, Filter, Lease, Page, Scope, Token};

use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::record::{counter, new_job, status};

/// A job's columns and its attempts as arrays, all as of one moment because it is one statement.
const WHOLE: &str = "
    SELECT id, name, queue, priority, owner, created_at, spec, payload, status, retries, crashes, cancel_requested,
        due_at, started_at, finished_at, updated_at, worker, progress, error, result_type, result, seq,
        numbers, starts, ends, outcomes, workers, errors
    FROM windlass.jobs
    LEFT JOIN LATERAL (
        SELECT array_agg(a.number ORDER BY a.ordinal) AS numbers, array_agg(a.started_at ORDER BY a.ordinal) AS starts,
            array_agg(a.finished_at ORDER BY a.ordinal) AS ends, array_agg(a.outcome ORDER BY a.ordinal) AS outcomes,
            array_agg(a.worker ORDER BY a.ordinal) AS workers, array_agg(a.error ORDER BY a.ordinal) AS errors
        FROM windlass.attempt AS a WHERE a.seq = jobs.seq
    ) AS history ON true";

/// The job of that id, if it exists and `scope` may see it.
pub(crate) async fn find(asking: &Asking<'_>, id: JobId, scope: &Scope) -> Checked<Option<Job>> {
    let sql = asking.sql(&format!("{WHOLE} WHERE id = $1 AND ($2::text IS NULL OR owner = $2)"));
    let rows = asking.client.query_typed(&sql, &[(&id.as_uuid(), Type::UUID), (&owner_in(scope), Type::TEXT)]).await?;
    let found = rows.first().map(read).transpose()?;
    // Whoever is told that a job has ended must be able to rely on it.
    if found.as_ref().is_some_and(|job| job.status.is_finished()) {
        asking.on_disk().await?;
    }
    Ok(found)
}

/// The leases of running jobs that `worker` was given.
pub(crate) async fn held_by(asking: &Asking<'_>, worker: Incarnation) -> Checked<Vec<Lease>> {
    let sql = asking.sql("SELECT id, token FROM windlass.run WHERE worker = $1");
    let rows = asking.client.query_typed(&sql, &[(&Uuid::from_bytes(*worker.as_bytes()), Type::UUID)]).await?;
    rows.iter().map(lease).collect()
}

fn lease(row: &Row) -> Checked<Lease> {
    let id = JobId::from_bytes(row.try_get::<_, Uuid>(0)?.into_bytes());
    Ok(Lease { id, token: Token(row.try_get::<_, i64>(1)?.unsigned_abs()) })
}

/// A page of jobs in order of acceptance.
pub(crate) async fn list(asking: &Asking<'_>, filter: &Filter) -> Checked<Page> {
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let sql = asking.sql(&format!(
        "{WHOLE} WHERE seq > $1 AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR name = $3)
            AND ($4::smallint IS NULL OR status = $4) AND ($5::text IS NULL OR owner = $5) ORDER BY seq LIMIT $6"
    ));
    let after = i64::try_from(filter.after.unwrap_or(0)).unwrap_or(i64::MAX);
    let params = [
        (&after as _, Type::INT8),
        (&filter.queue.as_ref().map(|queue| queue.as_str()) as _, Type::TEXT),
        (&filter.name.as_ref().map(|name| name.as_str()) as _, Type::TEXT),
        (&filter.status.map(|status| i16::from(status.code())) as _, Type::INT2),
        (&owner_in(&filter.scope) as _, Type::TEXT),
        (&(limit as i64 + 1) as _, Type::INT8),
    ];
    let rows = asking.client.query_typed(&sql, &params).await?;
    let jobs = rows.iter().take(limit).map(read).collect::<Checked<Vec<_>>>()?;
    let next = match rows.get(limit - 1) {
        Some(last) if rows.len() > limit => Some(last.try_get::<_, i64>(21)? as u64),
        _ => None,
    };
    Ok(Page { jobs, next })
}

/// Jobs by queue and status.
pub(crate) async fn counts(asking: &Asking<'_>) -> Checked<Counts> {
    let sql = asking.sql("SELECT line, status, jobs FROM windlass.counts()");
    let mut counts = Counts::default();
    for row in asking.client.query_typed(&sql, &[]).await? {
        let queue = QueueName::new(row.try_get::<_, &str>(0)?)?;
        counts.0.insert((queue, status(row.try_get(1)?)?), row.try_get::<_, i64>(2)? as u64);
    }
    Ok(counts)
}

/// For how long the job of each queue that has been ready longest has waited.
pub(crate) async fn oldest_waiting(asking: &Asking<'_>, queues: &[QueueName]) -> Checked<Vec<Option<Duration>>> {
    let sql = asking.sql("SELECT windlass.oldest_waiting($1, $2, $3)");
    let lines: Vec<&str> = queues.iter().map(QueueName::as_str).collect();
    let params = [(&asking.at as _, Type::INT8), (&lines as _, Type::TEXT_ARRAY), (&(HEAD as i32) as _, Type::INT4)];
    let rows = asking.client.query_typed(&sql, &params).await?;
    let row = rows.first().ok_or_else(|| Fault::corrupt("nothing was said about waiting jobs"))?;
    let waits: Vec<Option<i64>> = row.try_get(0)?;
    Ok(waits.into_iter().map(|wait| wait.map(|micros| Duration::from_micros(micros.unsigned_abs()))).collect())
}

/// The owner that a query asks for; `None` for everybody.
pub(crate) fn owner_in(scope: &Scope) -> Option<&str> {
    match scope {
        Scope::Everything => None,
        Scope::Of(owner) => Some(Owner::as_str(owner)),
    }
}

fn read(row: &Row) -> Checked<Job> {
    let (new, created_at) = new_job(row)?;
    let progress: Option<&[u8]> = row.try_get(17)?;
    let error: Option<&[u8]> = row.try_get(18)?;
    let mut job = Job {
        new: new.into(),
        status: status(row.try_get(8)?)?,
        retries: counter(row.try_get(9)?)?,
        crashes: counter(row.try_get(10)?)?,
        cancel_requested: row.try_get(11)?,
        created_at,
        scheduled_at: moment(row, 12)?,
        started_at: moment(row, 13)?,
        finished_at: moment(row, 14)?,
        updated_at: Timestamp::from_micros(row.try_get(15)?),
        progress: progress.map(|sealed| unseal("progress", sealed)).transpose()?,
        result: None,
        error: error.map(|sealed| unseal("error", sealed)).transpose()?,
        attempts: attempts(row)?,
    };
    if job.status == Status::Completed {
        job.result = Some(result(row)?);
        let worker: Option<Uuid> = row.try_get(16)?;
        let worker = worker.map(|worker| Incarnation::from_bytes(*worker.as_bytes()));
        if !worker.is_some_and(|worker| job.append_completion(worker)) {
            return Err(Fault::corrupt("a completed job never started"));
        }
    }
    Ok(job)
}

fn moment(row: &Row, column: usize) -> Checked<Option<Timestamp>> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(Timestamp::from_micros))
}

fn result(row: &Row) -> Checked<Payload> {
    let content_type: Option<String> = row.try_get(19)?;
    let bytes: Option<&[u8]> = row.try_get(20)?;
    Ok(payload_of(content_type.unwrap_or_default(), bytes.unwrap_or_default()))
}

/// The attempts on record, oldest first.
fn attempts(row: &Row) -> Checked<Vec<Attempt>> {
    let Some(numbers) = row.try_get::<_, Option<Vec<i32>>>(22)? else { return Ok(Vec::new()) };
    let (starts, ends): (Vec<i64>, Vec<i64>) = (row.try_get(23)?, row.try_get(24)?);
    let (outcomes, workers): (Vec<i16>, Vec<Uuid>) = (row.try_get(25)?, row.try_get(26)?);
    let errors: Vec<Option<&[u8]>> = row.try_get(27)?;
    let attempt = |place: usize| {
        Ok(Attempt {
            number: counter(numbers[place])?,
            started_at: Timestamp::from_micros(starts[place]),
            finished_at: Timestamp::from_micros(ends[place]),
            outcome: outcome(outcomes[place])?,
            error: errors[place].map(|sealed| unseal("error", sealed)).transpose()?,
            worker: Incarnation::from_bytes(*workers[place].as_bytes()),
        })
    };
    (0..numbers.len()).map(attempt).collect()
}

fn outcome(code: i16) -> Checked<AttemptOutcome> {
    let outcome = u8::try_from(code).ok().and_then(AttemptOutcome::from_code);
    outcome.ok_or_else(|| Fault::corrupt("an attempt on record has an unknown outcome"))
}
