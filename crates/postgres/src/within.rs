//! Jobs in transactions that the caller opened, with whichever client.

use std::future::Future;

use tokio_postgres::Transaction;
use tokio_postgres::types::Type;
use windlass_core::{JobId, NewJob, Payload};
use windlass_store::{Fate, Lease, Outcome, Settlement, Submitted};

use crate::asking::Param;
use crate::expiry::Notes;
use crate::fault::{Checked, Fault};
use crate::migrate::localised;
use crate::record::{Fields, NEW_JOB, new_job};
use crate::settle::{self, Endings};
use crate::submit::{self, Columns};

/// A transaction that the caller opened and will end: `&Transaction` of tokio-postgres or deadpool-postgres, or with the
/// feature `sqlx` `&mut Transaction` of sqlx, or the `&mut PgConnection` on which one is open.
pub trait OwnTransaction: Ask {}

impl<T: Ask> OwnTransaction for T {}

/// Sends one statement within it. Nobody else can implement it, because nobody else can name it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no transaction that Windlass can use",
    note = "pass `&transaction` of tokio-postgres or deadpool-postgres, or `&mut transaction` of sqlx 0.9 with the feature `sqlx` of windlass-postgres"
)]
pub trait Ask: Send {
    /// What an answer consists of.
    type Row: Fields + Send + Sync;

    /// The whole answer.
    fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> impl Future<Output = Checked<Vec<Self::Row>>> + Send;
}

impl Ask for &Transaction<'_> {
    type Row = tokio_postgres::Row;

    async fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> Checked<Vec<Self::Row>> {
        Ok(self.query_typed(sql, params).await?)
    }
}

impl Ask for &mut Transaction<'_> {
    type Row = tokio_postgres::Row;

    async fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> Checked<Vec<Self::Row>> {
        (&**self).ask(sql, params).await
    }
}

impl Ask for &deadpool_postgres::Transaction<'_> {
    type Row = tokio_postgres::Row;

    async fn ask(&mut self, sql: &str, params: &[Param<'_>]) -> Checked<Vec<Self::Row>> {
        (&***self).ask(sql, params).await
    }
}

/// On whose behalf: the store's schema, a test's clock, and where others are woken.
pub(crate) struct Terms<'a> {
    pub(crate) schema: &'a str,
    pub(crate) at: Option<i64>,
    pub(crate) announced_on: Option<&'a str>,
}

/// Submits jobs.
pub(crate) async fn submit(mut within: impl Ask, terms: &Terms<'_>, jobs: &[NewJob]) -> Checked<Vec<Submitted>> {
    let columns = Columns::of(jobs)?;
    if let Some(notes) = Notes::of(jobs) {
        let (sql, params) = notes.question(&terms.at);
        within.ask(&localised(sql, terms.schema), &params).await?;
    }
    let (sql, params) = submit::question(&terms.at, &columns, &None, &terms.announced_on);
    let rows = within.ask(&localised(&sql, terms.schema), &params).await?;
    let mut answers = Vec::with_capacity(jobs.len());
    for (new, row) in jobs.iter().zip(&rows) {
        let standing = match submit::is_taken(row)? {
            true => find(&mut within, terms, new.id).await?,
            false => None,
        };
        answers.push(submit::outcome(new, row, standing.as_ref())?);
    }
    Ok(answers)
}

/// The job that has an id, seen from within.
async fn find(within: &mut impl Ask, terms: &Terms<'_>, id: JobId) -> Checked<Option<NewJob>> {
    let sql = localised(&format!("SELECT {NEW_JOB} FROM windlass.job WHERE id = $1"), terms.schema);
    let rows = within.ask(&sql, &[(&id.as_uuid(), Type::UUID)]).await?;
    Ok(rows.first().map(new_job).transpose()?.map(|(new, _)| new))
}

/// Completes a running job.
pub(crate) async fn complete(mut within: impl Ask, terms: &Terms<'_>, lease: Lease, result: Payload) -> Checked<Fate> {
    let settlements = [Settlement { lease, outcome: Outcome::Complete(result), emitted: Vec::new() }];
    let endings = Endings::of(&settlements)?;
    let (sql, params) = settle::question(&terms.at, &endings, &false);
    let rows = within.ask(&localised(&sql, terms.schema), &params).await?;
    let fate = settle::fates(&rows)?.pop();
    fate.ok_or_else(|| Fault::corrupt("a function that always answers did not"))
}
