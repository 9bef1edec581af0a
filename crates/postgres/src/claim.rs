//! Claim: jobs for a worker, and when it should come back.

use std::time::Duration;

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use windlass_core::{QueueName, Timestamp};
use windlass_store::{Claim, Claimed, ClaimedJob, Lease};

use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::record::{NEW_JOB, counter, micros, new_job, token};

/// Asks for work.
pub(crate) async fn claim(asking: &Asking<'_>, claim: &Claim) -> Checked<Vec<Row>> {
    let lines = lines(claim);
    let wanted = i32::try_from(claim.limit).unwrap_or(i32::MAX);
    let suspects = i32::try_from(claim.suspects).unwrap_or(i32::MAX);
    let (lease, worker) = (micros(claim.lease), uuid::Uuid::from_bytes(*claim.worker.as_bytes()));
    let sql = asking
        .sql(&format!("SELECT {NEW_JOB}, token, retries, crashes, started_at FROM windlass.claim($1,$2,$3,$4,$5,$6)"));
    let params = [
        (&asking.at as _, Type::INT8),
        (&lines as _, Type::TEXT_ARRAY),
        (&wanted as _, Type::INT4),
        (&suspects as _, Type::INT4),
        (&lease as _, Type::INT8),
        (&worker as _, Type::UUID),
    ];
    Ok(asking.client.query_typed(&sql, &params).await?)
}

/// Asks what the claim leaves.
pub(crate) async fn outlook(asking: &Asking<'_>, claim: &Claim) -> Checked<Row> {
    let sql = asking.sql("SELECT more, next_due FROM windlass.outlook($1,$2)");
    let lines = lines(claim);
    let rows = asking.client.query_typed(&sql, &[(&asking.at, Type::INT8), (&lines, Type::TEXT_ARRAY)]).await?;
    rows.into_iter().next().ok_or_else(|| Fault::corrupt("a function that always answers did not"))
}

fn lines(claim: &Claim) -> Vec<&str> {
    claim.queues.iter().map(QueueName::as_str).collect()
}

/// What the answers say.
pub(crate) fn claimed(rows: &[Row], outlook: &Row) -> Checked<Claimed> {
    let jobs = rows.iter().map(claimed_job).collect::<Checked<_>>()?;
    let next_due: Option<i64> = outlook.try_get(1)?;
    let next_due = next_due.map(|micros| Duration::from_micros(u64::try_from(micros).unwrap_or(0)));
    Ok(Claimed { jobs, next_due, more: outlook.try_get(0)? })
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
