//! Connections that only read, each on a thread of its own: nobody who reads waits for the writer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Incarnation, Job, JobId, Priority, QueueName, Status, Timestamp};
use windlass_store::capability::HEAD;
use windlass_store::{Counts, Error, ErrorKind, Filter, Lease, Page, Result, Scope};

use crate::connection;
use crate::fault::{Checked, Fault};
use crate::{record, whole};

const HELD_BY: &str = include_str!("sql/held_by.sql");
const LIST: &str = include_str!("sql/list.sql");
const COUNTS: &str = include_str!("sql/counts.sql");
const COUNTS_QUEUES: &str = include_str!("sql/counts_queues.sql");
const OLDEST_WAITING: &str = include_str!("sql/oldest_waiting.sql");

/// Suspects or not, and the same for jobs that are held.
const SUSPECTS: i64 = 4;

const THREADS: usize = 2;
/// Questions that may wait; a caller beyond that is told to come back.
const DEPTH: usize = 1_024;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The reading side.
pub(crate) struct Readers {
    questions: Mutex<Option<SyncSender<Question>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(crate) fn open(file: &Path) -> Checked<Self> {
        let (sender, receiver) = sync_channel(DEPTH);
        let receiver = Arc::new(Mutex::new(receiver));
        let readers = Self { questions: Mutex::new(Some(sender)), threads: Mutex::new(Vec::new()) };
        for _ in 0..THREADS {
            let (conn, receiver) = (connection::reader(file)?, receiver.clone());
            let started = thread::Builder::new().name("windlass-reader".into()).spawn(move || serve(&conn, &receiver));
            let thread = started.map_err(|error| Fault::file("cannot start a reader's thread", error))?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Asks whichever reader is free. It sees everything acknowledged before.
    pub(crate) async fn ask<A: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Checked<A> + Send + 'static,
    ) -> Result<A> {
        let (channel, answer) = oneshot::channel();
        self.send(Box::new(move |conn| {
            let _caller_has_gone = channel.send(question(conn).map_err(Error::from));
        }))?;
        answer.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the reader stopped")))
    }

    fn send(&self, question: Question) -> Result<()> {
        let questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = questions.as_ref() else { return Err(closed()) };
        sender.try_send(question).map_err(|refusal| match refusal {
            TrySendError::Full(_) => Error::new(ErrorKind::Full, "too many reads are waiting for the disk"),
            TrySendError::Disconnected(_) => closed(),
        })
    }

    /// Takes no more questions and waits until those taken are answered.
    pub(crate) fn close(&self) {
        drop(self.questions.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        if threads.into_iter().any(|thread| thread.join().is_err()) {
            tracing::error!("a reader panicked");
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

fn serve(conn: &Connection, questions: &Mutex<Receiver<Question>>) {
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(question) = next else { return };
        question(conn);
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store was closed")
}

/// A job and its history as of one moment.
pub(crate) fn get(conn: &Connection, id: JobId, scope: &Scope) -> Checked<Option<Job>> {
    let _snapshot = conn.unchecked_transaction()?;
    Ok(whole::find(conn, id, scope)?.map(|found| found.job))
}

/// A page of jobs as of one moment.
pub(crate) fn list(conn: &Connection, filter: &Filter) -> Checked<Page> {
    let _snapshot = conn.unchecked_transaction()?;
    let limit = filter.limit.clamp(1, PAGE_MAX);
    let mut statement = conn.prepare_cached(LIST)?;
    let mut rows = statement.query((
        i64::try_from(filter.after.unwrap_or(0)).unwrap_or(i64::MAX),
        filter.queue.as_ref().map(|queue| queue.as_str()),
        filter.name.as_ref().map(|name| name.as_str()),
        filter.status.map(|status| status.code()),
        whole::owner_in(&filter.scope),
        limit as i64 + 1,
    ))?;
    let mut page = Page::default();
    let mut last = 0;
    while let Some(row) = rows.next()? {
        if page.jobs.len() == limit {
            page.next = Some(last);
            break;
        }
        let found = whole::read(conn, row)?;
        last = found.seq as u64;
        page.jobs.push(found.job);
    }
    Ok(page)
}

/// Jobs by queue and status as of one moment.
pub(crate) fn counts(conn: &Connection) -> Checked<Counts> {
    let _snapshot = conn.unchecked_transaction()?;
    let names = names(conn)?;
    let mut counts = Counts::default();
    for ((queue, code), count) in tally(conn)? {
        let name = names.get(&queue).ok_or_else(|| Fault::corrupt("a job waits in no queue"))?;
        let status = Status::from_code(code).ok_or_else(|| Fault::corrupt("a job on record has an unknown status"))?;
        counts.0.insert((name.clone(), status), count);
    }
    Ok(counts)
}

fn names(conn: &Connection) -> Checked<HashMap<i64, QueueName>> {
    let mut statement = conn.prepare_cached(COUNTS_QUEUES)?;
    let mut rows = statement.query([])?;
    let mut names = HashMap::new();
    while let Some(row) = rows.next()? {
        let name = QueueName::new(record::text(row, 1)?).map_err(|error| Fault::unreadable("queue name", error))?;
        names.insert(row.get(0)?, name);
    }
    Ok(names)
}

fn tally(conn: &Connection) -> Checked<HashMap<(i64, u8), u64>> {
    let mut statement = conn.prepare_cached(COUNTS)?;
    let mut rows = statement.query([])?;
    let mut tally = HashMap::new();
    while let Some(row) = rows.next()? {
        *tally.entry((row.get(0)?, row.get(1)?)).or_default() += 1;
    }
    Ok(tally)
}

/// For how long the jobs of each queue that have been ready longest have waited, as of one moment.
pub(crate) fn oldest_waiting(
    conn: &Connection,
    queues: &[QueueName],
    now: Timestamp,
) -> Checked<Vec<Option<Duration>>> {
    let _snapshot = conn.unchecked_transaction()?;
    queues.iter().map(|queue| Ok(ready_since(conn, queue)?.map(|since| since.until(now)))).collect()
}

/// Those that are held are in the same index, by kind and priority, wherever they wait.
fn ready_since(conn: &Connection, queue: &QueueName) -> Checked<Option<Timestamp>> {
    let mut statement = conn.prepare_cached(OLDEST_WAITING)?;
    let mut earliest: Option<i64> = None;
    for suspect in 0..SUSPECTS {
        for level in 0..Priority::LEVELS {
            let since = statement
                .query_row((queue.as_str(), suspect, level as i64, HEAD as i64), |row| row.get::<_, Option<i64>>(0))?;
            earliest = earliest.into_iter().chain(since).min();
        }
    }
    Ok(earliest.map(Timestamp::from_micros))
}

/// The leases of running jobs that `worker` was given.
pub(crate) fn held_by(conn: &Connection, worker: Incarnation) -> Checked<Vec<Lease>> {
    let mut statement = conn.prepare_cached(HELD_BY)?;
    let mut rows = statement.query([worker.as_bytes().as_slice()])?;
    let mut leases = Vec::new();
    while let Some(row) = rows.next()? {
        leases.push(Lease { id: JobId::from_bytes(row.get(0)?), token: record::token(row, 1)? });
    }
    Ok(leases)
}

/// The cheapest question that still reads the file.
pub(crate) fn ping(conn: &Connection) -> Checked<()> {
    conn.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
    Ok(())
}
