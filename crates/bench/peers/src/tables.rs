//! What a PostgreSQL queue's own tables say, over a connection of its own.

use sqlx::{Connection, PgConnection};

use crate::Fault;

pub(crate) struct Tables(PgConnection);

impl Tables {
    pub(crate) async fn connect(url: &str) -> Result<Self, Fault> {
        Ok(Self(PgConnection::connect(url).await?))
    }

    /// How many rows `query` finds, as it counts them.
    pub(crate) async fn count(&mut self, query: &'static str) -> Result<u64, Fault> {
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut self.0).await?;
        Ok(u64::try_from(count)?)
    }

    /// Whether `query` finds a row.
    pub(crate) async fn hold(&mut self, query: &'static str) -> Result<bool, Fault> {
        Ok(sqlx::query(query).fetch_optional(&mut self.0).await?.is_some())
    }
}
