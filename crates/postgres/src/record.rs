//! Rows: how columns become jobs again.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use windlass_core::{JobId, JobName, NewJob, Owner, Priority, QueueName, Status, Timestamp};
use windlass_store::Token;
use windlass_store::codec::{Spec, payload_of};

use crate::fault::{Checked, Fault};

/// The columns of a job as it was submitted, for [`new_job`].
pub(crate) const NEW_JOB: &str = "id, name, queue, priority, owner, created_at, spec, payload";

/// A row, whichever client read it.
pub trait Fields {
    /// The value in the column of that number, from 0.
    fn field<'a, T: FromSql<'a>>(&'a self, place: usize) -> Checked<T>;
}

impl Fields for Row {
    fn field<'a, T: FromSql<'a>>(&'a self, place: usize) -> Checked<T> {
        Ok(self.try_get(place)?)
    }
}

/// What was submitted, from a row that begins with [`NEW_JOB`], and when it was accepted.
pub(crate) fn new_job(row: &impl Fields) -> Checked<(NewJob, Timestamp)> {
    let spec = Spec::decode(row.field(6)?)?;
    let level = u8::try_from(row.field::<i16>(3)?).unwrap_or(u8::MAX);
    let new = NewJob {
        id: JobId::from_bytes(*row.field::<uuid::Uuid>(0)?.as_bytes()),
        name: JobName::new(row.field::<&str>(1)?)?,
        queue: QueueName::new(row.field::<&str>(2)?)?,
        priority: Priority::new(level)?,
        start: spec.start,
        payload: payload_of(spec.content_type, row.field(7)?),
        retry: spec.retry,
        timeout: spec.timeout,
        owner: row.field::<Option<&str>>(4)?.map(Owner::new).transpose()?,
        context: spec.context,
        traceparent: spec.traceparent,
        cause: spec.cause,
        conditions: spec.conditions,
    };
    Ok((new, Timestamp::from_micros(row.field(5)?)))
}

pub(crate) fn token(token: i64) -> Checked<Token> {
    u64::try_from(token).map(Token).map_err(|_| Fault::corrupt("a job on record has an impossible token"))
}

pub(crate) fn counter(count: i32) -> Checked<u32> {
    u32::try_from(count).map_err(|_| Fault::corrupt("a job on record counts fewer attempts than none"))
}

/// The status of a code on record.
pub(crate) fn status(code: i16) -> Checked<Status> {
    let status = u8::try_from(code).ok().and_then(Status::from_code);
    status.ok_or_else(|| Fault::corrupt("a job on record has an unknown status"))
}

/// A duration as the database counts.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
