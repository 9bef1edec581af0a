//! The caller's own transactions on sqlx. Values cross in the server's binary form, which both drivers speak.

use bytes::BytesMut;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgConnection, PgRow, PgTypeInfo};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Transaction, ValueRef};
use tokio_postgres::types::{self, FromSql, Type};

use crate::asking::Param;
use crate::fault::{Checked, Fault};
use crate::record::Fields;
use crate::within::Ask;

impl Ask for &mut PgConnection {
    type Row = PgRow;

    async fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> Checked<Vec<PgRow>> {
        let mut arguments = PgArguments::default();
        for (value, kind) in params {
            arguments.add(Value { value: *value, kind }).map_err(sqlx::Error::Encode)?;
        }
        // Prepared for this once: the connection may belong to a pooler that knows of no prepared statements.
        let query = sqlx::query_with(AssertSqlSafe(sql.to_owned()), arguments).persistent(false);
        Ok(query.fetch_all(&mut **self).await?)
    }
}

impl Ask for &mut Transaction<'_, sqlx::Postgres> {
    type Row = PgRow;

    async fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> Checked<Vec<PgRow>> {
        (&mut ***self).ask(sql, params).await
    }
}

/// A parameter.
struct Value<'a> {
    value: &'a (dyn types::ToSql + Sync),
    kind: &'a Type,
}

impl sqlx::Type<sqlx::Postgres> for Value<'_> {
    /// Each value names its own.
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(Type::UNKNOWN.oid()))
    }
}

impl Encode<'_, sqlx::Postgres> for Value<'_> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let mut bytes = BytesMut::new();
        match self.value.to_sql_checked(self.kind, &mut bytes)? {
            types::IsNull::Yes => Ok(IsNull::Yes),
            types::IsNull::No => {
                buffer.extend_from_slice(&bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.kind.oid())))
    }
}

impl Fields for PgRow {
    fn field<'a, T: FromSql<'a>>(&'a self, place: usize) -> Checked<T> {
        let value = self.try_get_raw(place)?;
        let kind = value.type_info().oid().and_then(|oid| Type::from_oid(oid.0));
        let kind = kind.filter(T::accepts).ok_or_else(|| Fault::corrupt("PostgreSQL answers with another type"))?;
        let bytes = match value.is_null() {
            true => None,
            false => Some(value.as_bytes().map_err(sqlx::Error::Decode)?),
        };
        Ok(T::from_sql_nullable(&kind, bytes).map_err(sqlx::Error::Decode)?)
    }
}
