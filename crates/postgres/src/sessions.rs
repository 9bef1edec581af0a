//! Sessions: each plans a statement when it meets it first. Where rules are set, turns wait for each other, so all sessions of a
//! pool plan what such turns ask as soon as the first one meets rules, and not each one when it is needed.

use std::sync::atomic::{AtomicBool, Ordering};

use deadpool_postgres::Pool;
use futures_util::future::join_all;

use crate::fault::Checked;
use crate::lent::Lent;
use crate::migrate::localised;

/// Whether the sessions of a pool were prepared.
#[derive(Debug, Default)]
pub(crate) struct Sessions(AtomicBool);

impl Sessions {
    /// Prepares every session that the pool may have, beside the caller, when nobody has done it before.
    pub(crate) fn prepare(&self, pool: &Pool, schema: &str) {
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let (pool, sql) = (pool.clone(), localised("SELECT windlass.gates_enter()", schema));
        tokio::spawn(async move {
            let sessions = pool.status().max_size;
            for prepared in join_all((0..sessions).map(|_| prepare_one(&pool, &sql))).await {
                if let Err(fault) = prepared {
                    tracing::debug!(?fault, "a session is not prepared, its first turn takes longer");
                }
            }
        });
    }
}

async fn prepare_one(pool: &Pool, sql: &str) -> Checked<()> {
    let client = Lent::new(pool.get().await?);
    client.answered(client.query_typed(sql, &[]).await)?;
    Ok(())
}
