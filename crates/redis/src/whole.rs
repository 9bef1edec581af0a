//! Jobs with everything that is known of them.

use std::time::Duration;

use redis::Value;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Incarnation, Job, JobId, Owner, QueueName, Status, Timestamp};
use windlass_store::capability::{HEAD, LINES};
use windlass_store::codec::unseal;
use windlass_store::{Counts, Filter, Lease, Page, Scope, Token};

use crate::answer::{bytes, exactly, groups, list, number, one_or_two, some_bytes};
use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::record::{self, First, State};
use crate::scripts::Script;
use crate::submit::status;

/// Jobs that one call of `list` looks at; a page may take several.
const LOOKS: usize = 1_000;
/// Queues that one call of `oldest` looks at.
const QUEUES: usize = 16;

/// The job of that id, if it exists and `scope` may see it.
pub(crate) async fn find(asking: &Asking<'_>, id: JobId, scope: &Scope) -> Checked<Option<Job>> {
    let answer = asking.run(&asking.scripts.get, |question| {
        question.arg(id.as_bytes()).arg(owner_in(scope));
    });
    match answer.await? {
        Value::Nil => Ok(None),
        found => Ok(Some(read(found)?.0)),
    }
}

/// The leases of running jobs that `worker` was given.
pub(crate) async fn held_by(asking: &Asking<'_>, worker: Incarnation) -> Checked<Vec<Lease>> {
    let answer = asking.run(&asking.scripts.held, |question| {
        question.arg(worker.as_bytes());
    });
    groups::<2>(answer.await?)?.into_iter().map(lease).collect()
}

fn lease([id, token]: [Value; 2]) -> Checked<Lease> {
    Ok(Lease { id: record::id(&bytes(id)?)?, token: Token(number(&token)?.unsigned_abs()) })
}

/// Has a script change one job. What it said, and the job as it is afterwards; `None` when `scope` sees no such job.
pub(crate) async fn change(
    asking: &Asking<'_>,
    script: &Script,
    id: JobId,
    scope: &Scope,
) -> Checked<Option<(i64, Box<Job>)>> {
    let answer = asking.run_acknowledged(script, |question| {
        question.arg(id.as_bytes()).arg(owner_in(scope));
    });
    match answer.await? {
        Value::Nil => Ok(None),
        found => {
            let [said, job] = exactly(found)?;
            Ok(Some((number(&said)?, Box::new(read(job)?.0))))
        }
    }
}

/// A page of jobs in order of acceptance, of `found` that come after the page before, in any order.
pub(crate) fn page(filter: &Filter, mut found: Vec<(Job, u64)>) -> Page {
    let limit = filter.limit.clamp(1, PAGE_MAX);
    found.sort_unstable_by_key(|(_, seq)| *seq);
    let next = found.get(limit).and(found.get(limit - 1)).map(|(_, seq)| *seq);
    found.truncate(limit);
    Page { jobs: found.into_iter().map(|(job, _)| job).collect(), next }
}

/// The jobs of a page with their numbers, and one more where there is one.
pub(crate) async fn some_after(asking: &Asking<'_>, filter: &Filter) -> Checked<Vec<(Job, u64)>> {
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let mut found: Vec<(Job, u64)> = Vec::new();
    let mut after = i64::try_from(filter.after.unwrap_or(0)).unwrap_or(i64::MAX);
    while after >= 0 && found.len() <= limit {
        let [next, jobs] = exactly(some(asking, filter, after, limit + 1 - found.len()).await?)?;
        for job in list(jobs)? {
            found.push(read(job)?);
        }
        after = number(&next)?;
    }
    Ok(found)
}

async fn some(asking: &Asking<'_>, filter: &Filter, after: i64, most: usize) -> Checked<Value> {
    asking
        .run(&asking.scripts.list, |question| {
            question.arg(after).arg(most).arg(LOOKS);
            question.arg(filter.queue.as_ref().map_or("", QueueName::as_str));
            question.arg(filter.name.as_ref().map_or("", |name| name.as_str()));
            question.arg(filter.status.map(|status| status.code().to_string()).unwrap_or_default());
            question.arg(owner_in(&filter.scope));
        })
        .await
}

/// Adds jobs by queue and status.
pub(crate) async fn count(asking: &Asking<'_>, mut counts: Counts) -> Checked<Counts> {
    for [field, count] in groups::<2>(asking.run(&asking.scripts.counts, |_| ()).await?)? {
        let (field, count) = (bytes(field)?, number(&count).unwrap_or(0));
        let Some((code @ b'0'..=b'9', queue)) = field.split_first() else { continue };
        if let (Ok(count @ 1..), Ok(queue)) = (u64::try_from(count), std::str::from_utf8(queue)) {
            *counts.0.entry((QueueName::new(queue)?, status(i64::from(code - b'0'))?)).or_default() += count;
        }
    }
    Ok(counts)
}

/// For how long the job of each queue that has been ready longest has waited.
pub(crate) async fn oldest_waiting(asking: &Asking<'_>, queues: &[QueueName]) -> Checked<Vec<Option<Duration>>> {
    let mut waits = Vec::new();
    for some in queues.chunks(QUEUES) {
        let answer = asking.run(&asking.scripts.oldest, |question| {
            question.arg(HEAD).arg(LINES);
            for queue in some {
                question.arg(queue.as_str());
            }
        });
        for wait in list(answer.await?)? {
            waits.push(u64::try_from(number(&wait)?).ok().map(Duration::from_micros));
        }
    }
    Ok(waits)
}

/// The owner that a question asks for; nothing for everybody.
fn owner_in(scope: &Scope) -> &str {
    match scope {
        Scope::Everything => "",
        Scope::Of(owner) => Owner::as_str(owner),
    }
}

/// What `whole` in `lua/job.lua` tells of a job, and its number.
fn read(answer: Value) -> Checked<(Job, u64)> {
    let [id, state, submitted, result, error, progress, attempts] = exactly(answer)?;
    let first = First::read(record::id(&bytes(id)?)?, &one_or_two(submitted)?)?;
    let state = match some_bytes(state)? {
        Some(state) => State::read(&state)?,
        None => State::at_first(&first),
    };
    let mut job = Job {
        new: first.new.into(),
        status: state.status,
        retries: state.retries,
        crashes: state.crashes,
        cancel_requested: state.cancel_requested,
        created_at: first.created_at,
        scheduled_at: only(state.status == Status::Scheduled, state.at),
        started_at: only(state.worker.is_some(), state.started_at),
        finished_at: only(state.status.is_finished(), state.updated_at),
        updated_at: state.updated_at,
        progress: some_bytes(progress)?.map(|sealed| unseal("progress", &sealed)).transpose()?,
        result: None,
        error: some_bytes(error)?.map(|sealed| unseal("error", &sealed)).transpose()?,
        attempts: record::attempts(&some_bytes(attempts)?.unwrap_or_default())?,
    };
    if job.status == Status::Completed {
        job.result = Some(record::read_result(&some_bytes(result)?.unwrap_or_default())?);
        if !state.worker.is_some_and(|worker| job.append_completion(worker)) {
            return Err(Fault::corrupt("a completed job never started"));
        }
    }
    Ok((job, first.seq))
}

fn only(applies: bool, moment: Timestamp) -> Option<Timestamp> {
    applies.then_some(moment)
}
