//! Claim: jobs for a worker, and when it should come back.

use std::time::{Duration, Instant};

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use windlass_core::{JobName, QueueName, Timestamp};
use windlass_store::{Claim, Claimed, ClaimedJob, Exchange, Lease, Outcome};

use crate::asking::{Asking, Param};
use crate::fault::{Checked, Fault};
use crate::marks::Found;
use crate::record::{NEW_JOB, counter, micros, new_job, token};

/// A claim's answers, and where it began.
pub(crate) struct Answer {
    pub(crate) jobs: Vec<Row>,
    pub(crate) outlook: Row,
    pub(crate) froms: Option<Vec<i64>>,
}

/// Where a claim begins in each of its lines; `None` for the head, which is where one by a test's clock
/// always does, and one for some handlers.
pub(crate) fn begin(asking: &Asking<'_>, claim: &Claim) -> Option<Vec<i64>> {
    (asking.at.is_none() && claim.handlers.is_none()).then(|| asking.marks.of(claim, Instant::now())).flatten()
}

/// Begins a turn that claims for some handlers.
pub(crate) async fn enter_for(asking: &Asking<'_>, turn: &Exchange, claim: &Claim) -> Checked<()> {
    let (lines, handlers, brings_others) = (lines(claim), handlers(claim), may_bring_others(turn, claim));
    let wanted = i32::try_from(claim.limit).unwrap_or(i32::MAX);
    let params = [
        (&asking.at as _, Type::INT8),
        (&lines as _, Type::TEXT_ARRAY),
        (&wanted as _, Type::INT4),
        (&handlers as _, Type::TEXT_ARRAY),
        (&brings_others as _, Type::BOOL),
    ];
    asking.client.query_typed(&asking.sql("SELECT windlass.gates_enter_for($1,$2,$3,$4,$5)"), &params).await?;
    Ok(())
}

/// Whether a turn may bring ready jobs that its claim does not serve. Of those that come back at once only the store knows whose they
/// are.
fn may_bring_others(turn: &Exchange, claim: &Claim) -> bool {
    let emitted = turn.settle.iter().flat_map(|settlement| &settlement.emitted);
    let comes_back = |outcome: &Outcome| match outcome {
        Outcome::Retry { delay, .. } | Outcome::Snooze { delay } => delay.is_zero(),
        Outcome::Release => true,
        Outcome::Complete(_) | Outcome::Fail(_) | Outcome::Stop => false,
    };
    turn.submit.iter().chain(emitted).any(|new| !claim.serves(&new.name))
        || turn.settle.iter().any(|settlement| comes_back(&settlement.outcome))
}

/// Asks for work.
pub(crate) async fn claim(asking: &Asking<'_>, claim: &Claim, froms: Option<&[i64]>) -> Checked<Vec<Row>> {
    let lines = lines(claim);
    let wanted = i32::try_from(claim.limit).unwrap_or(i32::MAX);
    let suspects = i32::try_from(claim.suspects).unwrap_or(i32::MAX);
    let (lease, worker) = (micros(claim.lease), uuid::Uuid::from_bytes(*claim.worker.as_bytes()));
    let handlers = handlers(claim);
    let eighth = if handlers.is_some() { ",$8" } else { "" };
    let sql = asking.sql(&format!(
        "SELECT {NEW_JOB}, token, retries, crashes, started_at, seq FROM windlass.claim($1,$2,$3,$4,$5,$6,$7{eighth})"
    ));
    let mut params: Vec<Param<'_>> = vec![
        (&asking.at as _, Type::INT8),
        (&lines as _, Type::TEXT_ARRAY),
        (&wanted as _, Type::INT4),
        (&suspects as _, Type::INT4),
        (&lease as _, Type::INT8),
        (&worker as _, Type::UUID),
        (&froms as _, Type::INT8_ARRAY),
    ];
    params.extend(handlers.as_ref().map(|handlers| (handlers as _, Type::TEXT_ARRAY)));
    Ok(asking.client.query_typed(&sql, &params).await?)
}

/// Asks what the claim leaves, and wakes others when the transaction leaves work, where it `announces`: one statement costs less than two.
pub(crate) async fn outlook(
    asking: &Asking<'_>,
    claim: &Claim,
    froms: Option<&[i64]>,
    announces: bool,
) -> Checked<Row> {
    let (lines, handlers) = (lines(claim), handlers(claim));
    let announce = if announces && asking.news.is_some() { ", windlass.announce($1,$5)" } else { "" };
    let sql = format!("SELECT more, next_due, took, ruled{announce} FROM windlass.outlook($1,$2,$3,$4)");
    let mut params: Vec<Param<'_>> = vec![
        (&asking.at, Type::INT8),
        (&lines, Type::TEXT_ARRAY),
        (&froms, Type::INT8_ARRAY),
        (&handlers, Type::TEXT_ARRAY),
    ];
    if !announce.is_empty() {
        params.push((&asking.channel, Type::TEXT));
    }
    let sql = asking.sql(&sql);
    let rows = asking.client.query_typed(&sql, &params).await?;
    rows.into_iter().next().ok_or_else(|| Fault::corrupt("a function that always answers did not"))
}

fn lines(claim: &Claim) -> Vec<&str> {
    claim.queues.iter().map(QueueName::as_str).collect()
}

/// The handlers that it is for, if not for all.
fn handlers(claim: &Claim) -> Option<Vec<&str>> {
    claim.handlers.as_ref().map(|handlers| handlers.iter().map(JobName::as_str).collect())
}

/// What the answers say; where the next claim begins follows from it. One that did not begin at the head comes
/// back when it is time to look there again.
pub(crate) fn claimed(asking: &Asking<'_>, answer: &Answer) -> Checked<Claimed> {
    let jobs: Vec<ClaimedJob> = answer.jobs.iter().map(claimed_job).collect::<Checked<_>>()?;
    let now = Instant::now();
    let found = jobs.iter().zip(&answer.jobs).filter(|(job, _)| !job.is_suspect());
    let found = found.filter_map(|(job, row)| {
        Some(Found { line: &job.new.queue, priority: job.new.priority, seq: row.try_get(12).ok()? })
    });
    let looked = if answer.froms.is_none() { span(&answer.outlook, 2)? } else { None };
    asking.marks.note(jobs.len(), found, looked, now);
    asking.rules.note(answer.outlook.try_get(3)?);
    let mut next_due = span(&answer.outlook, 1)?;
    if answer.froms.is_some() {
        next_due = Some(next_due.unwrap_or(Duration::MAX).min(asking.marks.pause(now)));
    }
    Ok(Claimed { jobs, next_due, more: answer.outlook.try_get(0)?, ..Claimed::default() })
}

fn span(row: &Row, column: usize) -> Checked<Option<Duration>> {
    let micros: Option<i64> = row.try_get(column)?;
    Ok(micros.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0))))
}

fn claimed_job(row: &Row) -> Checked<ClaimedJob> {
    let (new, created_at) = new_job(row)?;
    Ok(ClaimedJob {
        lease: Lease { id: new.id, token: token(row.try_get(8)?)? },
        new: new.into(),
        retries: counter(row.try_get(9)?)?,
        crashes: counter(row.try_get(10)?)?,
        created_at,
        started_at: Timestamp::from_micros(row.try_get(11)?),
    })
}
