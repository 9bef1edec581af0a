//! What a verb works on: the open transaction, the mirror, the moment, and the news it makes.

use rusqlite::Connection;
use windlass_core::state::{self, Event, Step};
use windlass_core::{Job, QueueName, Status, Timestamp};
use windlass_store::Hint;

use crate::fault::{Checked, Fault};
use crate::mirror::{Mirror, QueueRef};
use crate::record;

const ANY_READY: &str = include_str!("sql/any_ready.sql");
const EARLIEST_DUE: &str = include_str!("sql/earliest_due.sql");
const SUBMIT_QUEUE: &str = include_str!("sql/submit_queue.sql");

/// One request's view of the store, inside a transaction that other requests may share.
pub(crate) struct Ledger<'a> {
    pub(crate) conn: &'a Connection,
    pub(crate) mirror: &'a mut Mirror,
    pub(crate) now: Timestamp,
    pub(crate) news: News,
}

/// What others should hear of once the transaction has committed.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Lines in which a job became ready.
    ready: Vec<QueueRef>,
    /// Lines in which a job was scheduled, with the earliest of their times.
    due: Vec<(QueueRef, Timestamp)>,
    /// What to say.
    pub(crate) hints: Vec<Hint>,
}

impl News {
    pub(crate) fn became_ready(&mut self, queue: QueueRef) {
        if !self.ready.contains(&queue) {
            self.ready.push(queue);
        }
    }

    fn became_due(&mut self, queue: QueueRef, due: Timestamp) {
        match self.due.iter_mut().find(|(known, _)| *known == queue) {
            Some((_, earliest)) => *earliest = due.min(*earliest),
            None => self.due.push((queue, due)),
        }
    }
}

impl<'a> Ledger<'a> {
    pub(crate) fn new(conn: &'a Connection, mirror: &'a mut Mirror, now: Timestamp) -> Self {
        Self { conn, mirror, now, news: News::default() }
    }

    /// Writes down a line that is new.
    pub(crate) fn add_queue(&mut self, name: &QueueName) -> Checked<QueueRef> {
        let queue = self.mirror.add_queue(name.clone());
        self.conn.prepare_cached(SUBMIT_QUEUE)?.execute((queue.id(), name.as_str()))?;
        Ok(queue)
    }

    /// The line of a job on record.
    pub(crate) fn queue_of(&self, job: &Job) -> Checked<QueueRef> {
        self.mirror.queue(&job.new.queue).ok_or_else(|| Fault::corrupt("a job waits in no queue"))
    }

    /// Notes a job that waits from now on, ready or until `due`.
    pub(crate) fn enter(&mut self, queue: QueueRef, due: Option<Timestamp>) {
        self.mirror.enter(queue);
        match due {
            Some(due) => self.news.became_due(queue, due),
            None => self.news.became_ready(queue),
        }
    }

    /// Whether a job of the line can be claimed.
    pub(crate) fn any_ready(&self, queue: QueueRef) -> Checked<bool> {
        let any = |row: &rusqlite::Row<'_>| row.get(0);
        Ok(self.mirror.takes_turns(queue) || self.conn.prepare_cached(ANY_READY)?.query_row([queue.id()], any)?)
    }

    /// When the next scheduled job of the line is due.
    pub(crate) fn earliest_due(&self, queue: QueueRef) -> Checked<Option<Timestamp>> {
        let mut statement = self.conn.prepare_cached(EARLIEST_DUE)?;
        let mut rows = statement.query([queue.id()])?;
        rows.next()?.map(|row| record::timestamp(row, 0)).transpose()
    }

    /// Hints at what a process that sleeps should look for: something claimable is left, or something is due
    /// earlier than anything was before.
    pub(crate) fn hint_at_work(&mut self) -> Checked<()> {
        let left = self.mirror.keeper.take_left() && !self.news.ready.is_empty();
        if left || self.has_work_for_others()? || self.mirror.keeper.take_news(self.now) {
            self.news.hints.push(Hint::Ready);
        }
        Ok(())
    }

    fn has_work_for_others(&self) -> Checked<bool> {
        for queue in &self.news.ready {
            if self.any_ready(*queue)? {
                return Ok(true);
            }
        }
        for (queue, due) in &self.news.due {
            if self.earliest_due(*queue)? == Some(*due) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Where `event` takes a job that stands at `from`, for events that always take it somewhere.
pub(crate) fn target(from: Status, event: Event) -> Checked<Status> {
    match state::next(from, event) {
        Some(Step::To(status)) => Ok(status),
        _ => Err(Fault::corrupt(format!("{event:?} cannot happen to a job that is {from}"))),
    }
}

/// A compare-and-set inside the writer can only miss when the file does not hold what the writer wrote.
pub(crate) fn expect_one(changed: usize) -> Checked<()> {
    if changed == 1 { Ok(()) } else { Err(Fault::corrupt("a job on record is not where its store left it")) }
}
