//! How the verbs ask: on a connection, in a schema, by a clock.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::fault::Checked;
use crate::marks::Marks;
use crate::migrate::localised;
use crate::news::News;
use crate::rooms::Rooms;

/// A parameter and its type. Naming the types spares a round trip to ask for them.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

const BEGIN_EARLY: &str = "BEGIN; SET LOCAL synchronous_commit TO off";

/// A message nobody reads, in a transaction of its own.
const COMMIT_EARLY: &str = "COMMIT; SELECT pg_logical_emit_message(true, 'windlass', '')";

/// Whether the last claim met rules, or none has looked yet.
#[derive(Debug)]
pub(crate) struct Rules(AtomicBool);

impl Default for Rules {
    fn default() -> Self {
        Self(AtomicBool::new(true))
    }
}

impl Rules {
    pub(crate) fn are_met(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, met: bool) {
        self.0.store(met, Ordering::Relaxed);
    }
}

/// Where and on whose behalf the verbs ask.
pub(crate) struct Asking<'a> {
    pub(crate) client: &'a Client,
    pub(crate) schema: &'a str,
    pub(crate) channel: &'a str,
    /// A test's clock; `None` for the server's.
    pub(crate) at: Option<i64>,
    pub(crate) marks: &'a Marks,
    pub(crate) rooms: &'a Rooms,
    pub(crate) rules: &'a Rules,
    /// `None` where nobody is told of new jobs.
    pub(crate) news: Option<&'a News>,
}

impl Asking<'_> {
    /// The statement with the schema's own name.
    pub(crate) fn sql(&self, sql: &str) -> String {
        localised(sql, self.schema)
    }

    /// Sends the transaction's brackets around `verbs`, which have to send on their first poll, and reads all answers.
    ///
    /// Turns that go by rules wait for each other, and the disk is slow. So theirs end before they are on disk, and others go on
    /// with what they did; nobody is answered before that is on disk, by another record that is written behind (early lock
    /// release; DeWitt et al., SIGMOD 1984). Whatever the server is told to wait for, that record waits for.
    pub(crate) async fn in_transaction<A>(&self, verbs: impl Future<Output = Checked<A>>) -> Checked<A> {
        let (begin, commit) = match self.rules.are_met() {
            true => (BEGIN_EARLY, COMMIT_EARLY),
            false => ("BEGIN", "COMMIT"),
        };
        let begin = self.client.batch_execute(begin);
        let commit = self.client.batch_execute(commit);
        let (begun, answer, committed) = futures_util::join!(begin, verbs, commit);
        begun?;
        let answer = answer?;
        committed?;
        Ok(answer)
    }

    /// Ends when everything that this connection has seen is on disk: where turns end early, it may not be yet.
    pub(crate) async fn on_disk(&self) -> Checked<()> {
        let sql =
            self.sql("SELECT pg_logical_emit_message(true, 'windlass', '') WHERE EXISTS (SELECT 1 FROM windlass.rule)");
        self.client.query_typed(&sql, &[]).await?;
        Ok(())
    }

    /// Wakes others when the transaction leaves work.
    pub(crate) async fn announce(&self) -> Checked<()> {
        if self.news.is_none() {
            return Ok(());
        }
        let sql = self.sql("SELECT windlass.announce($1,$2)");
        self.client.query_typed(&sql, &[(&self.at, Type::INT8), (&self.channel, Type::TEXT)]).await?;
        Ok(())
    }
}
