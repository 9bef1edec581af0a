//! What the writer keeps in memory: leases, lines and the next number. Only one process has the file, so this is the
//! authority on leases; everything else here can be read from the file again.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use rusqlite::Connection;
use windlass_core::{Incarnation, JobId, NewJob, QueueName, RetryPolicy, Timestamp};
use windlass_store::gatekeeper::Gatekeeper;
use windlass_store::{Lease, Token};

use crate::fault::{Checked, Fault};
use crate::{owned, record, rules};

const LOAD_QUEUES: &str = include_str!("sql/load_queues.sql");
const LOAD_RUNNING: &str = include_str!("sql/load_running.sql");
const LOAD_LAST: &str = include_str!("sql/load_last.sql");

/// A line, by its place in the list; its id in the file is one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct QueueRef(usize);

impl QueueRef {
    /// The id in the file.
    pub(crate) fn id(self) -> i64 {
        self.0 as i64 + 1
    }
}

/// One running job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running {
    pub(crate) seq: i64,
    pub(crate) queue: QueueRef,
    pub(crate) token: Token,
    pub(crate) expires: Timestamp,
    pub(crate) cancel_requested: bool,
    pub(crate) retries: u32,
    pub(crate) crashes: u32,
    pub(crate) policy: RetryPolicy,
    pub(crate) started_at: Timestamp,
    pub(crate) worker: Incarnation,
}

#[derive(Debug)]
struct Line {
    name: QueueName,
    waiting: u64,
    /// `waiting` as of the last commit.
    committed: u64,
}

/// Every change can be taken back until [`commit`](Mirror::commit), for transactions that fail.
#[derive(Debug)]
pub(crate) struct Mirror {
    /// Hashed with a random seed: callers may choose ids.
    running: HashMap<JobId, Running, RandomState>,
    lines: Vec<Line>,
    by_name: HashMap<QueueName, QueueRef, RandomState>,
    next_seq: i64,
    pub(crate) keeper: Gatekeeper,
    /// What `running` held before each change since the last commit.
    undo: Vec<(JobId, Option<Running>)>,
    /// Lines whose `waiting` has changed since the last commit.
    changed: Vec<QueueRef>,
    committed: Committed,
}

#[derive(Debug)]
struct Committed {
    next_seq: i64,
    lines: usize,
}

/// Room that the undo list keeps between transactions.
const UNDO_KEPT: usize = 4_096;

impl Mirror {
    /// Reads the file. Whatever ran when it was last open gets a lease that expired long ago, so that the first sweep
    /// takes it back.
    pub(crate) fn load(conn: &Connection) -> Checked<Self> {
        let last: i64 = conn.query_row(LOAD_LAST, [], |row| row.get(0))?;
        let next_seq = last.checked_add(1).ok_or_else(|| Fault::corrupt("the numbers of jobs are used up"))?;
        let mut mirror = Self::empty(next_seq);
        mirror.load_lines(conn)?;
        mirror.keeper = rules::load(conn)?;
        owned::count(conn, false, mirror.keeper.bounds_owners())?;
        mirror.load_running(conn)?;
        mirror.commit();
        Ok(mirror)
    }

    fn empty(next_seq: i64) -> Self {
        Self {
            running: HashMap::default(),
            lines: Vec::new(),
            by_name: HashMap::default(),
            next_seq,
            keeper: Gatekeeper::default(),
            undo: Vec::new(),
            changed: Vec::new(),
            committed: Committed { next_seq, lines: 0 },
        }
    }

    fn load_lines(&mut self, conn: &Connection) -> Checked<()> {
        let mut statement = conn.prepare(LOAD_QUEUES)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = QueueName::new(record::text(row, 1)?).map_err(|error| Fault::unreadable("queue name", error))?;
            let queue = self.add_queue(name);
            if row.get::<_, i64>(0)? != queue.id() {
                return Err(Fault::corrupt("a queue is missing"));
            }
            self.set_waiting(queue, row.get::<_, i64>(2)? as u64);
        }
        Ok(())
    }

    fn load_running(&mut self, conn: &Connection) -> Checked<()> {
        let mut statement = conn.prepare(LOAD_RUNNING)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let queue = QueueRef(usize::try_from(row.get::<_, i64>(9)?).unwrap_or(0).wrapping_sub(1));
            let line = self.lines.get(queue.0).ok_or_else(|| Fault::corrupt("a job waits in no queue"))?;
            let (new, _) = record::new_job(row, line.name.clone())?;
            let running = Running {
                seq: row.get(8)?,
                queue,
                token: record::token(row, 10)?,
                expires: Timestamp::from_micros(i64::MIN),
                cancel_requested: row.get(13)?,
                retries: record::counter(row, 11)?,
                crashes: record::counter(row, 12)?,
                policy: new.retry,
                started_at: record::timestamp(row, 14)?,
                worker: record::worker(row, 15)?,
            };
            self.start(new.id, running);
            self.keeper.count(&new);
        }
        Ok(())
    }

    /// What was submitted of every job that runs.
    pub(crate) fn running_jobs(&self, conn: &Connection) -> Checked<Vec<NewJob>> {
        let mut statement = conn.prepare_cached(LOAD_RUNNING)?;
        let mut rows = statement.query([])?;
        let mut jobs = Vec::with_capacity(self.running.len());
        while let Some(row) = rows.next()? {
            let line = usize::try_from(row.get::<_, i64>(9)?).ok().and_then(|id| self.lines.get(id.checked_sub(1)?));
            let line = line.ok_or_else(|| Fault::corrupt("a job waits in no queue"))?;
            jobs.push(record::new_job(row, line.name.clone())?.0);
        }
        Ok(jobs)
    }

    /// Keeps what was changed since the last commit.
    pub(crate) fn commit(&mut self) {
        self.keeper.commit();
        self.undo.clear();
        self.undo.shrink_to(UNDO_KEPT);
        for QueueRef(line) in self.changed.drain(..) {
            self.lines[line].committed = self.lines[line].waiting;
        }
        self.committed = Committed { next_seq: self.next_seq, lines: self.lines.len() };
    }

    /// Takes back what was changed since the last commit.
    pub(crate) fn rollback(&mut self) {
        self.keeper.rollback();
        while let Some((id, before)) = self.undo.pop() {
            match before {
                Some(running) => drop(self.running.insert(id, running)),
                None => drop(self.running.remove(&id)),
            }
        }
        for QueueRef(line) in self.changed.drain(..) {
            self.lines[line].waiting = self.lines[line].committed;
        }
        for line in self.lines.drain(self.committed.lines..) {
            self.by_name.remove(&line.name);
        }
        self.next_seq = self.committed.next_seq;
    }

    /// The running job of a lease that is good at `now`.
    pub(crate) fn held(&self, lease: Lease, now: Timestamp) -> Option<Running> {
        let running = self.running.get(&lease.id)?;
        (running.token == lease.token && running.expires > now).then_some(*running)
    }

    /// The number of a running job.
    pub(crate) fn seq(&self, id: JobId) -> Option<i64> {
        self.running.get(&id).map(|running| running.seq)
    }

    /// Whether the job runs, whoever has it.
    pub(crate) fn is_running(&self, id: JobId) -> bool {
        self.running.contains_key(&id)
    }

    /// Notes a new lease, or what has changed about one.
    pub(crate) fn start(&mut self, id: JobId, running: Running) {
        let before = self.running.insert(id, running);
        self.undo.push((id, before));
    }

    /// Forgets a lease.
    pub(crate) fn stop(&mut self, id: JobId) {
        let before = self.running.remove(&id);
        self.undo.push((id, before));
    }

    /// Notes that somebody asked for the running job's cancellation.
    pub(crate) fn request_cancel(&mut self, id: JobId) {
        if let Some(running) = self.running.get(&id).copied() {
            self.start(id, Running { cancel_requested: true, ..running });
        }
    }

    /// Leases that had run out by `now`, the oldest first, at most `limit`.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<(JobId, Running)> {
        let over = self.running.iter().filter(|(_, running)| running.expires <= now);
        let mut over: Vec<(JobId, Running)> = over.map(|(id, running)| (*id, *running)).collect();
        over.sort_unstable_by_key(|(_, running)| (running.expires, running.seq));
        over.truncate(limit);
        over
    }

    /// The number that the next new job gets.
    pub(crate) fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Notes that the number was given away.
    pub(crate) fn take_seq(&mut self) {
        self.next_seq += 1;
    }

    pub(crate) fn queue(&self, name: &QueueName) -> Option<QueueRef> {
        self.by_name.get(name).copied()
    }

    /// The line's name, if its jobs take turns when they become ready.
    pub(crate) fn shared(&self, queue: QueueRef) -> Option<QueueName> {
        let name = &self.lines[queue.0].name;
        self.keeper.is_shared(name).then(|| name.clone())
    }

    /// An attempt of a job in the line has ended.
    pub(crate) fn leave_line(&mut self, queue: QueueRef, now: Timestamp) {
        if !self.keeper.is_idle() {
            self.keeper.leave_line(&self.lines[queue.0].name, now);
        }
    }

    /// Whether somebody waits for a turn in the line.
    pub(crate) fn takes_turns(&self, queue: QueueRef) -> bool {
        self.keeper.takes_turns(&self.lines[queue.0].name)
    }

    /// Every line, in order of first use.
    pub(crate) fn queues(&self) -> impl Iterator<Item = QueueRef> + use<> {
        (0..self.lines.len()).map(QueueRef)
    }

    /// Adds a line that the file does not have yet; the caller writes it there.
    pub(crate) fn add_queue(&mut self, name: QueueName) -> QueueRef {
        let queue = QueueRef(self.lines.len());
        self.lines.push(Line { name: name.clone(), waiting: 0, committed: 0 });
        self.by_name.insert(name, queue);
        queue
    }

    /// How many jobs of the line are `Queued` or `Scheduled`.
    pub(crate) fn waiting(&self, queue: QueueRef) -> u64 {
        self.lines[queue.0].waiting
    }

    /// One more job waits.
    pub(crate) fn enter(&mut self, queue: QueueRef) {
        self.set_waiting(queue, self.waiting(queue) + 1);
    }

    /// One waiting job less.
    pub(crate) fn leave(&mut self, queue: QueueRef) {
        self.set_waiting(queue, self.waiting(queue).saturating_sub(1));
    }

    fn set_waiting(&mut self, queue: QueueRef, waiting: u64) {
        self.lines[queue.0].waiting = waiting;
        if self.changed.last() != Some(&queue) {
            self.changed.push(queue);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(queue: QueueRef) -> Running {
        Running {
            seq: 1,
            queue,
            token: Token(7),
            expires: Timestamp::from_millis(10),
            cancel_requested: false,
            retries: 0,
            crashes: 0,
            policy: RetryPolicy::default(),
            started_at: Timestamp::UNIX_EPOCH,
            worker: Incarnation::random(),
        }
    }

    #[test]
    fn a_rollback_takes_everything_back_and_a_commit_keeps_it() {
        let (mut mirror, id) = (Mirror::empty(1), JobId::generate(Timestamp::UNIX_EPOCH));
        let queue = mirror.add_queue(QueueName::default());
        mirror.commit();
        mirror.enter(queue);
        mirror.take_seq();
        mirror.start(id, running(queue));
        mirror.stop(id);
        mirror.add_queue(QueueName::new("other").expect("valid"));
        mirror.rollback();
        assert_eq!((mirror.waiting(queue), mirror.next_seq(), mirror.queues().count()), (0, 1, 1));
        assert!(!mirror.is_running(id));

        mirror.start(id, running(queue));
        mirror.commit();
        mirror.rollback();
        assert!(mirror.is_running(id));
    }

    #[test]
    fn a_lease_is_held_by_its_token_until_it_expires() {
        let (mut mirror, id) = (Mirror::empty(1), JobId::generate(Timestamp::UNIX_EPOCH));
        let queue = mirror.add_queue(QueueName::default());
        mirror.start(id, running(queue));
        let held = |token, at| mirror.held(Lease { id, token: Token(token) }, Timestamp::from_millis(at)).is_some();
        assert!(held(7, 9));
        assert!(!held(7, 10) && !held(6, 9) && !held(8, 9));
        assert_eq!(mirror.expired(Timestamp::from_millis(10), 5).len(), 1);
        assert!(mirror.expired(Timestamp::from_millis(9), 5).is_empty());
    }
}
