//! Expiry: jobs that wait past the moment from which on they are not worth running. Notes of when to look at them are written with
//! the jobs, by a statement that is sent for such jobs only.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::state::{self, Event, Step};
use windlass_core::{Job, JobId, NewJob, Status, Timestamp};
use windlass_store::codec::{Spec, seal};
use windlass_store::expiry::{AGAIN, Look, Note, look};

use crate::asking::{Asking, Param};
use crate::fault::{Checked, Fault};
use crate::record::{micros, status};

/// Notes, a list per column.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    ids: Vec<Uuid>,
    spans: Vec<i64>,
    moments: Vec<Option<i64>>,
}

impl Notes {
    /// Of those among new jobs that expire; `None` where none does.
    pub(crate) fn of<'a>(jobs: impl IntoIterator<Item = &'a NewJob>) -> Option<Self> {
        Self::gather(jobs.into_iter().map(|new| (new.id, Note::of(new))))
    }

    /// Of those among jobs as another store kept them.
    pub(crate) fn of_accepted(jobs: &[Job]) -> Option<Self> {
        Self::gather(jobs.iter().map(|job| (job.new.id, Note::of_accepted(&job.new, job.created_at))))
    }

    fn gather(jobs: impl Iterator<Item = (JobId, Option<Note>)>) -> Option<Self> {
        let mut notes = Self::default();
        for (id, note) in jobs.filter_map(|(id, note)| Some((id, note?))) {
            notes.ids.push(id.as_uuid());
            notes.spans.push(micros(note.within));
            notes.moments.push(note.at.map(Timestamp::as_micros));
        }
        (!notes.ids.is_empty()).then_some(notes)
    }

    /// How they are written down, and with which parameters.
    pub(crate) fn question<'a>(&'a self, at: &'a Option<i64>) -> (&'static str, [Param<'a>; 4]) {
        let params = [
            (at as _, Type::INT8),
            (&self.ids as _, Type::UUID_ARRAY),
            (&self.spans as _, Type::INT8_ARRAY),
            (&self.moments as _, Type::INT8_ARRAY),
        ];
        ("SELECT windlass.expiring_note($1,$2,$3,$4)", params)
    }
}

/// Writes notes.
pub(crate) async fn note(asking: &Asking<'_>, notes: &Notes) -> Checked<()> {
    let (sql, params) = notes.question(&asking.at);
    asking.client.query_typed(&asking.sql(sql), &params).await?;
    Ok(())
}

/// Does something with jobs, some of which may expire, so that it happens with their notes or not at all.
pub(crate) async fn with_notes<A>(
    asking: &Asking<'_>,
    notes: Option<&Notes>,
    verb: impl Future<Output = Checked<A>>,
) -> Checked<A> {
    let Some(notes) = notes else { return verb.await };
    let both = async {
        let (noted, answer) = futures_util::join!(note(asking, notes), verb);
        noted?;
        answer
    };
    asking.in_transaction(both).await
}

/// What comes of looks at jobs, a list per column.
#[derive(Default)]
struct Looks {
    looks: Vec<i64>,
    ids: Vec<Uuid>,
    laters: Vec<Option<i64>>,
    errors: Vec<Option<Vec<u8>>>,
}

impl Looks {
    fn push(&mut self, row: &Row) -> Checked<()> {
        let now = Timestamp::from_micros(row.try_get(5)?);
        let (later, error) = match judge(row, now)? {
            Look::Forget => (None, None),
            Look::Later(moment) => (Some(moment), None),
            // Somebody may be about to claim it.
            Look::Expire(error) => (Some(now.after(AGAIN)), Some(error)),
        };
        self.looks.push(row.try_get(0)?);
        self.ids.push(row.try_get(1)?);
        self.laters.push(later.map(Timestamp::as_micros));
        self.errors.push(error.as_ref().map(seal).transpose()?);
        Ok(())
    }
}

fn judge(row: &Row, now: Timestamp) -> Checked<Look> {
    let Some(code) = row.try_get(2)? else { return Ok(Look::Forget) };
    let conditions = Spec::decode(row.try_get(4)?)?.conditions;
    let accepted = Timestamp::from_micros(row.try_get(3)?);
    Ok(look(status(code)?, conditions.and_then(|conditions| conditions.expires_at(accepted)), now))
}

/// Looks at no more than `most` jobs. How many that were, and how many have failed.
pub(crate) async fn sweep(asking: &Asking<'_>, most: i32) -> Checked<(usize, usize)> {
    let sql = asking.sql("SELECT look_at, id, status, created_at, spec, seen_at FROM windlass.expiring_due($1, $2)");
    let rows = asking.client.query_typed(&sql, &[(&asking.at, Type::INT8), (&most, Type::INT4)]).await?;
    if rows.is_empty() {
        return Ok((0, 0));
    }
    let mut looks = Looks::default();
    rows.iter().try_for_each(|row| looks.push(row))?;
    let Some(Step::To(failed)) = state::next(Status::Queued, Event::Expire) else {
        return Err(Fault::corrupt("a job that waits cannot expire"));
    };
    let sql = asking.sql("SELECT windlass.expire($1,$2,$3,$4,$5,$6)");
    let params = [
        (&asking.at as _, Type::INT8),
        (&looks.looks as _, Type::INT8_ARRAY),
        (&looks.ids as _, Type::UUID_ARRAY),
        (&looks.laters as _, Type::INT8_ARRAY),
        (&looks.errors as _, Type::BYTEA_ARRAY),
        (&i16::from(failed.code()) as _, Type::INT2),
    ];
    let answer = asking.client.query_typed(&sql, &params).await?;
    let expired = answer.first().map_or(Ok(0), |row| row.try_get::<_, i32>(0))?;
    Ok((rows.len(), usize::try_from(expired).unwrap_or(0)))
}
