//! Extend: leases that are kept.

use tokio_postgres::Row;
use tokio_postgres::types::Type;
use uuid::Uuid;
use windlass_store::{Extend, Extension, codec};

use crate::asking::Asking;
use crate::fault::Checked;
use crate::record::micros;

/// Sends the leases.
pub(crate) async fn extend(asking: &Asking<'_>, extends: &[Extend]) -> Checked<Vec<Row>> {
    let ids: Vec<Uuid> = extends.iter().map(|extend| extend.lease.id.as_uuid()).collect();
    let tokens: Vec<i64> = extends.iter().map(|extend| extend.lease.token.0 as i64).collect();
    let durations: Vec<i64> = extends.iter().map(|extend| micros(extend.duration)).collect();
    let sealed = |extend: &Extend| extend.progress.as_ref().map(codec::seal).transpose();
    let reports: Vec<Option<Vec<u8>>> = extends.iter().map(sealed).collect::<Result<_, _>>()?;
    let sql = asking.sql("SELECT answer FROM windlass.extend($1,$2,$3,$4,$5)");
    let params = [
        (&asking.at as _, Type::INT8),
        (&ids as _, Type::UUID_ARRAY),
        (&tokens as _, Type::INT8_ARRAY),
        (&durations as _, Type::INT8_ARRAY),
        (&reports as _, Type::BYTEA_ARRAY),
    ];
    Ok(asking.client.query_typed(&sql, &params).await?)
}

/// What the answers say.
pub(crate) fn extensions(rows: &[Row]) -> Checked<Vec<Extension>> {
    rows.iter().map(extension).collect()
}

fn extension(row: &Row) -> Checked<Extension> {
    Ok(match row.try_get::<_, i16>(0)? {
        0 => Extension::Lost,
        1 => Extension::Kept,
        _ => Extension::CancelRequested,
    })
}
