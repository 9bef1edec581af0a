//! Sweep: what time alone does to jobs. Every process may do it at any time: what one has locked the others leave alone.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_core::limits::HISTORY_MAX;
use windlass_core::state::Event;
use windlass_core::{JobError, Status};
use windlass_store::{Retention, Swept, codec};

use crate::asking::Asking;
use crate::expiry;
use crate::fault::{Checked, Fault};
use crate::record::{counter, micros, status};
use crate::settle::target;

/// Does at most `limit` of each.
pub(crate) async fn sweep(asking: &Asking<'_>, limit: usize, retention: Retention) -> Checked<Swept> {
    let most = i32::try_from(limit).unwrap_or(i32::MAX);
    // By itself and first, because turns that go by rules lock them before anything else.
    let sql = asking.sql("SELECT windlass.gates_sweep($1, $2)");
    asking.client.query_typed(&sql, &[(&asking.at, Type::INT8), (&most, Type::INT4)]).await?;
    let mut swept = Swept { promoted: promote(asking, most).await?, ..Swept::default() };
    let lost = reclaim(asking, most, &mut swept).await?;
    let (looked_at, expired) = expiry::sweep(asking, most).await?;
    swept.expired = expired;
    for status in [Status::Completed, Status::Canceled, Status::Failed] {
        swept.pruned += prune(asking, status, retention, limit - swept.pruned).await?;
    }
    swept.more = limit > 0 && [swept.promoted, lost, looked_at, swept.pruned].contains(&limit);
    Ok(swept)
}

async fn promote(asking: &Asking<'_>, most: i32) -> Checked<usize> {
    let sql =
        asking.sql("SELECT windlass.promote($1, NULL, $2, NULL), windlass.announce($1, $3), windlass.let_go($1, $2)");
    let params = [(&asking.at as _, Type::INT8), (&most as _, Type::INT4), (&asking.channel as _, Type::TEXT)];
    count(&asking.client.query_typed(&sql, &params).await?)
}

async fn prune(asking: &Asking<'_>, status: Status, retention: Retention, most: usize) -> Checked<usize> {
    let sql = asking.sql("SELECT windlass.prune($1, windlass.clock($2) - $3, $4)");
    let (code, most) = (i16::from(status.code()), i32::try_from(most).unwrap_or(i32::MAX));
    let kept = micros(retention.of(status));
    let params =
        [(&code as _, Type::INT2), (&asking.at as _, Type::INT8), (&kept as _, Type::INT8), (&most as _, Type::INT4)];
    count(&asking.client.query_typed(&sql, &params).await?)
}

fn count(rows: &[Row]) -> Checked<usize> {
    let row = rows.first().ok_or_else(|| Fault::corrupt("a function that always answers did not"))?;
    Ok(usize::try_from(row.try_get::<_, i32>(0)?).unwrap_or(0))
}

/// Leases that ran out, and what becomes of their jobs.
#[derive(Default)]
struct Lost {
    ids: Vec<Uuid>,
    tokens: Vec<i64>,
    statuses: Vec<i16>,
    suspects: Vec<bool>,
    errors: Vec<Vec<u8>>,
}

impl Lost {
    fn push(&mut self, row: &Row) -> Checked<()> {
        let crashes = counter(row.try_get(2)?)? + 1;
        let most = u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX);
        let policy = windlass_core::RetryPolicy { max_crashes: most, ..windlass_core::RetryPolicy::default() };
        let event = if policy.is_poisoned(crashes) { Event::Quarantine } else { Event::Reclaim };
        let error = if event == Event::Quarantine { JobError::poisoned(crashes) } else { JobError::crashed() };
        self.ids.push(row.try_get(0)?);
        self.tokens.push(row.try_get(1)?);
        self.statuses.push(target(event)?);
        self.suspects.push(policy.is_suspect(crashes));
        self.errors.push(codec::seal(&error)?);
        Ok(())
    }
}

/// Looks, decides, and writes what is still so: whoever was faster, a settlement, a cancellation or another sweep, has
/// won.
async fn reclaim(asking: &Asking<'_>, most: i32, swept: &mut Swept) -> Checked<usize> {
    let sql = asking.sql("SELECT id, token, crashes, max_crashes FROM windlass.lost($1, $2)");
    let rows = asking.client.query_typed(&sql, &[(&asking.at, Type::INT8), (&most, Type::INT4)]).await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut lost = Lost::default();
    rows.iter().try_for_each(|row| lost.push(row))?;
    for row in asking.in_transaction(take_back(asking, &lost)).await? {
        match status(row.try_get(0)?)? {
            Status::Failed => swept.quarantined += 1,
            Status::Canceled => swept.stopped += 1,
            _ => swept.reclaimed += 1,
        }
    }
    Ok(rows.len())
}

async fn take_back(asking: &Asking<'_>, lost: &Lost) -> Checked<Vec<Row>> {
    let (history_max, crashed) = (HISTORY_MAX as i32, codec::seal(&JobError::crashed())?);
    let stop_status = target(Event::Reclaim.under_cancel(true))?;
    let sql = asking.sql("SELECT went_to FROM windlass.reclaim($1,$2,$3,$4,$5,$6,$7,$8,$9)");
    let params = [
        (&asking.at as _, Type::INT8),
        (&history_max as _, Type::INT4),
        (&lost.ids as _, Type::UUID_ARRAY),
        (&lost.tokens as _, Type::INT8_ARRAY),
        (&lost.statuses as _, Type::INT2_ARRAY),
        (&lost.suspects as _, Type::BOOL_ARRAY),
        (&lost.errors as _, Type::BYTEA_ARRAY),
        (&stop_status as _, Type::INT2),
        (&crashed as _, Type::BYTEA),
    ];
    let (rows, announced) = futures_util::join!(asking.client.query_typed(&sql, &params), asking.announce());
    announced?;
    Ok(rows?)
}
