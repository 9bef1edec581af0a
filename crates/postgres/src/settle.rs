//! Settle: how attempts ended. What that means for a job is decided here, twice: for one whose cancellation was
//! requested meanwhile, which only the database knows, and for any other.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::limits::HISTORY_MAX;
use windlass_core::state::{self, Event, Step};
use windlass_core::{AttemptOutcome, JobError, Status};
use windlass_store::{Fate, Outcome, Settlement, codec};

use crate::asking::{Asking, Param};
use crate::fault::{Checked, Fault};
use crate::record::{Fields, micros, status};
use crate::submit::Columns;

/// Settlements, a list per column.
#[derive(Debug, Default)]
pub(crate) struct Endings<'a> {
    ids: Vec<Uuid>,
    tokens: Vec<i64>,
    statuses: Vec<i16>,
    stop_statuses: Vec<i16>,
    outcomes: Vec<Option<i16>>,
    stop_outcomes: Vec<Option<i16>>,
    retried: Vec<bool>,
    delays: Vec<Option<i64>>,
    clears: Vec<bool>,
    errors: Vec<Option<Vec<u8>>>,
    result_types: Vec<Option<&'a str>>,
    results: Vec<Option<&'a [u8]>>,
    /// The place of each emitted job's settlement, from 1.
    parents: Vec<i32>,
    emitted: Columns<'a>,
}

impl<'a> Endings<'a> {
    pub(crate) fn of(settlements: &'a [Settlement]) -> Checked<Self> {
        let mut endings = Self::default();
        for settlement in settlements {
            endings.push(settlement)?;
        }
        let completed = || settlements.iter().zip(1..).filter(|(one, _)| matches!(one.outcome, Outcome::Complete(_)));
        endings.parents = completed().flat_map(|(one, place)| one.emitted.iter().map(move |_| place)).collect();
        endings.emitted = Columns::of(completed().flat_map(|(one, _)| one.emitted.iter().map(|new| &**new)))?;
        Ok(endings)
    }

    fn push(&mut self, settlement: &'a Settlement) -> Checked<()> {
        let event = settlement.outcome.event();
        let (delay, error) = means(&settlement.outcome);
        self.ids.push(settlement.lease.id.as_uuid());
        self.tokens.push(settlement.lease.token.0 as i64);
        self.statuses.push(target(event)?);
        self.stop_statuses.push(target(event.under_cancel(true))?);
        self.outcomes.push(on_record(event));
        self.stop_outcomes.push(on_record(event.under_cancel(true)));
        self.retried.push(event == Event::Retry);
        self.delays.push(delay);
        self.clears.push(event == Event::Complete);
        self.errors.push(error.map(codec::seal).transpose()?);
        let result = match &settlement.outcome {
            Outcome::Complete(result) => Some(result),
            _ => None,
        };
        self.result_types.push(result.map(|result| &*result.content_type));
        self.results.push(result.map(|result| &result.bytes[..]));
        Ok(())
    }

    /// The jobs that they bring.
    pub(crate) fn emitted(&self) -> &Columns<'a> {
        &self.emitted
    }

    fn params(&self) -> Vec<Param<'_>> {
        let mut params: Vec<Param<'_>> = vec![
            (&self.ids, Type::UUID_ARRAY),
            (&self.tokens, Type::INT8_ARRAY),
            (&self.statuses, Type::INT2_ARRAY),
            (&self.stop_statuses, Type::INT2_ARRAY),
            (&self.outcomes, Type::INT2_ARRAY),
            (&self.stop_outcomes, Type::INT2_ARRAY),
            (&self.retried, Type::BOOL_ARRAY),
            (&self.delays, Type::INT8_ARRAY),
            (&self.clears, Type::BOOL_ARRAY),
            (&self.errors, Type::BYTEA_ARRAY),
            (&self.result_types, Type::TEXT_ARRAY),
            (&self.results, Type::BYTEA_ARRAY),
            (&self.parents, Type::INT4_ARRAY),
        ];
        params.extend(self.emitted.params());
        params.push(self.emitted.rules());
        params
    }
}

/// When the job may run again, and what went wrong.
fn means(outcome: &Outcome) -> (Option<i64>, Option<&JobError>) {
    match outcome {
        Outcome::Retry { delay, error } => (Some(micros(*delay)), Some(error)),
        Outcome::Snooze { delay } => (Some(micros(*delay)), None),
        Outcome::Fail(error) => (None, Some(error)),
        Outcome::Complete(_) | Outcome::Release | Outcome::Stop => (None, None),
    }
}

/// Where `event` takes a running job.
pub(crate) fn target(event: Event) -> Checked<i16> {
    match state::next(Status::InProgress, event) {
        Some(Step::To(status)) => Ok(i16::from(status.code())),
        _ => Err(Fault::corrupt(format!("{event:?} cannot happen to a running job"))),
    }
}

/// How the attempt goes into the history; one that completed its job is read from there.
fn on_record(event: Event) -> Option<i16> {
    let outcome = match event {
        Event::Retry | Event::Fail => AttemptOutcome::Failed,
        Event::Stop => AttemptOutcome::Canceled,
        _ => return None,
    };
    Some(i16::from(outcome.code()))
}

/// How the endings are told, and with which parameters; with `ends_later` a claim follows in the same transaction, or [`end`].
pub(crate) fn question<'a>(
    at: &'a Option<i64>,
    endings: &'a Endings<'_>,
    ends_later: &'a bool,
) -> (String, Vec<Param<'a>>) {
    let mut params: Vec<Param<'_>> = vec![(at, Type::INT8), (&(HISTORY_MAX as i32), Type::INT4)];
    params.extend(endings.params());
    params.push((ends_later, Type::BOOL));
    let places: Vec<String> = (1..=params.len()).map(|place| format!("${place}")).collect();
    (format!("SELECT fate, status FROM windlass.settle({})", places.join(",")), params)
}

/// Sends the endings.
pub(crate) async fn settle(asking: &Asking<'_>, endings: &Endings<'_>, ends_later: bool) -> Checked<Vec<Row>> {
    let (sql, params) = question(&asking.at, endings, &ends_later);
    Ok(asking.client.query_typed(&asking.sql(&sql), &params).await?)
}

/// Ends a turn without a claim that has settled: nobody claims beside it from here on, where those who run are counted.
pub(crate) async fn end(asking: &Asking<'_>) -> Checked<()> {
    let sql = asking.sql(
        "SELECT windlass.gates_end($1) WHERE nullif(current_setting('windlass_turn.ended', true), '') IS NOT NULL",
    );
    asking.client.query_typed(&sql, &[(&asking.at, Type::INT8)]).await?;
    Ok(())
}

/// What the answers say.
pub(crate) fn fates(rows: &[impl Fields]) -> Checked<Vec<Fate>> {
    rows.iter().map(fate).collect()
}

fn fate(row: &impl Fields) -> Checked<Fate> {
    match row.field::<i16>(0)? {
        0 => Ok(Fate::LeaseLost),
        1 => Ok(Fate::Settled(status(row.field(1)?)?)),
        _ => Ok(Fate::Repeated(status(row.field(1)?)?)),
    }
}
