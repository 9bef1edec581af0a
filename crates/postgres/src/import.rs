//! Import: jobs as another store kept them, as columns.

use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::{Job, Timestamp};
use windlass_store::codec::{Spec, seal};
use windlass_store::{Imported, is_importable};

use crate::asking::{Asking, Param};
use crate::expiry::{Notes, with_notes};
use crate::fault::{Checked, Fault};
use crate::submit::keys;

/// Jobs, a list per column, and their attempts likewise.
#[derive(Debug, Default)]
struct Columns<'a> {
    ids: Vec<Uuid>,
    names: Vec<&'a str>,
    queues: Vec<&'a str>,
    priorities: Vec<i16>,
    owners: Vec<Option<&'a str>>,
    created: Vec<i64>,
    crash_limits: Vec<i64>,
    specs: Vec<Vec<u8>>,
    payloads: Vec<&'a [u8]>,
    statuses: Vec<i16>,
    suspects: Vec<bool>,
    dues: Vec<Option<i64>>,
    retries: Vec<i32>,
    crashes: Vec<i32>,
    updated: Vec<i64>,
    started: Vec<Option<i64>>,
    finished: Vec<Option<i64>>,
    progresses: Vec<Option<Vec<u8>>>,
    errors: Vec<Option<Vec<u8>>>,
    keys: Vec<Option<String>>,
    attempts: Attempts,
}

#[derive(Debug, Default)]
struct Attempts {
    places: Vec<i64>,
    numbers: Vec<i32>,
    starts: Vec<i64>,
    ends: Vec<i64>,
    outcomes: Vec<i16>,
    workers: Vec<Uuid>,
    errors: Vec<Option<Vec<u8>>>,
}

/// Keeps each job whose id is new just as it stands.
pub(crate) async fn import(asking: &Asking<'_>, jobs: &[Job]) -> Checked<Vec<Imported>> {
    let mut columns = Columns::default();
    for job in jobs.iter().filter(|job| is_importable(job)) {
        columns.push(job)?;
    }
    let channel = asking.news.map(|_| asking.channel);
    let mut params: Vec<Param<'_>> = vec![(&asking.at, Type::INT8), (&channel, Type::TEXT)];
    params.extend(columns.params());
    let places: Vec<String> = (1..=params.len()).map(|place| format!("${place}")).collect();
    let sql = asking.sql(&format!("SELECT kept FROM windlass.import({})", places.join(",")));
    let notes = Notes::of_accepted(jobs);
    let imported = async { Ok(asking.client.query_typed(&sql, &params).await?) };
    let rows = with_notes(asking, notes.as_ref(), imported).await?;
    let mut kept = rows.iter();
    let answer = |job: &Job| {
        if !is_importable(job) {
            return Ok(Imported::Refused);
        }
        let row = kept.next().ok_or_else(|| Fault::corrupt("a function that answers for each job did not"))?;
        Ok(if row.try_get(0)? { Imported::Kept } else { Imported::Existing })
    };
    jobs.iter().map(answer).collect()
}

impl<'a> Columns<'a> {
    fn push(&mut self, job: &'a Job) -> Checked<()> {
        let new = &*job.new;
        self.ids.push(new.id.as_uuid());
        self.names.push(new.name.as_str());
        self.queues.push(new.queue.as_str());
        self.priorities.push(i16::from(new.priority.level()));
        self.owners.push(new.owner.as_ref().map(|owner| owner.as_str()));
        self.created.push(job.created_at.as_micros());
        self.crash_limits.push(i64::from(new.retry.max_crashes));
        self.specs.push(Spec::encode(new)?);
        self.payloads.push(&new.payload.bytes);
        self.keys.push(keys(new));
        self.push_standing(job)?;
        self.attempts.push(self.ids.len() as i64, job)
    }

    fn push_standing(&mut self, job: &Job) -> Checked<()> {
        self.statuses.push(i16::from(job.status.code()));
        self.suspects.push(job.new.retry.is_suspect(job.crashes));
        self.dues.push(job.scheduled_at.map(Timestamp::as_micros));
        self.retries.push(counter(job.retries));
        self.crashes.push(counter(job.crashes));
        self.updated.push(job.updated_at.as_micros());
        self.started.push(job.started_at.map(Timestamp::as_micros));
        self.finished.push(job.finished_at.map(Timestamp::as_micros));
        self.progresses.push(job.progress.as_ref().map(seal).transpose()?);
        self.errors.push(job.error.as_ref().map(seal).transpose()?);
        Ok(())
    }

    /// The parameters in the order of the function's.
    fn params(&self) -> [Param<'_>; 27] {
        let Attempts { places, numbers, starts, ends, outcomes, workers, errors } = &self.attempts;
        [
            (&self.ids, Type::UUID_ARRAY),
            (&self.names, Type::TEXT_ARRAY),
            (&self.queues, Type::TEXT_ARRAY),
            (&self.priorities, Type::INT2_ARRAY),
            (&self.owners, Type::TEXT_ARRAY),
            (&self.created, Type::INT8_ARRAY),
            (&self.crash_limits, Type::INT8_ARRAY),
            (&self.specs, Type::BYTEA_ARRAY),
            (&self.payloads, Type::BYTEA_ARRAY),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.suspects, Type::BOOL_ARRAY),
            (&self.dues, Type::INT8_ARRAY),
            (&self.retries, Type::INT4_ARRAY),
            (&self.crashes, Type::INT4_ARRAY),
            (&self.updated, Type::INT8_ARRAY),
            (&self.started, Type::INT8_ARRAY),
            (&self.finished, Type::INT8_ARRAY),
            (&self.progresses, Type::BYTEA_ARRAY),
            (&self.errors, Type::BYTEA_ARRAY),
            (places, Type::INT8_ARRAY),
            (numbers, Type::INT4_ARRAY),
            (starts, Type::INT8_ARRAY),
            (ends, Type::INT8_ARRAY),
            (outcomes, Type::INT2_ARRAY),
            (workers, Type::UUID_ARRAY),
            (errors, Type::BYTEA_ARRAY),
            (&self.keys, Type::TEXT_ARRAY),
        ]
    }
}

impl Attempts {
    /// The attempts of the job at `place`, counted from 1.
    fn push(&mut self, place: i64, job: &Job) -> Checked<()> {
        for attempt in &job.attempts {
            self.places.push(place);
            self.numbers.push(counter(attempt.number));
            self.starts.push(attempt.started_at.as_micros());
            self.ends.push(attempt.finished_at.as_micros());
            self.outcomes.push(i16::from(attempt.outcome.code()));
            self.workers.push(Uuid::from_bytes(*attempt.worker.as_bytes()));
            self.errors.push(attempt.error.as_ref().map(seal).transpose()?);
        }
        Ok(())
    }
}

/// No policy allows as many attempts as a column holds.
fn counter(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
