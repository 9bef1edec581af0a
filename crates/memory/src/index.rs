//! Where to find a job by what it waits for: its turn, its time, the end of its lease, the end of its retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_core::{QueueName, Status, Timestamp};

use crate::entry::{Entry, Seq};
use crate::options::MemoryOptions;
use crate::queue::Queue;

/// Every job is in its queue. Running and finished jobs are in one more set each.
#[derive(Debug, PartialEq)]
pub(crate) struct Index {
    /// Ordered, so that nothing that a caller can see depends on a hash.
    pub(crate) queues: BTreeMap<QueueName, Queue>,
    /// `InProgress` jobs by when their leases end.
    leases: BTreeSet<(Timestamp, Seq)>,
    /// Finished jobs by when they are to be removed.
    finished: BTreeSet<(Timestamp, Seq)>,
    options: MemoryOptions,
    /// The queues whose `fresh` is set.
    fresh: Vec<QueueName>,
    /// Whether some queue's next due time is sooner than it was before this turn.
    sooner: bool,
}

impl Index {
    pub(crate) fn new(options: MemoryOptions) -> Self {
        Self {
            queues: BTreeMap::new(),
            leases: BTreeSet::new(),
            finished: BTreeSet::new(),
            options,
            fresh: Vec::new(),
            sooner: false,
        }
    }

    /// Takes in a job of any status.
    pub(crate) fn insert(&mut self, entry: &Entry) {
        let name = &entry.job.new.queue;
        match self.queues.get_mut(name) {
            Some(queue) => queue.insert(entry),
            None => self.queues.entry(name.clone()).or_default().insert(entry),
        }
        match entry.job.status {
            Status::InProgress => drop(self.leases.insert((entry.expires, entry.seq))),
            status if status.is_finished() => drop(self.finished.insert((self.prune_at(entry), entry.seq))),
            _ => {}
        }
    }

    /// Lets go of a job that [`insert`](Self::insert) took in and that has not changed since.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        if let Some(queue) = self.queues.get_mut(&entry.job.new.queue) {
            queue.remove(entry);
        }
        match entry.job.status {
            Status::InProgress => drop(self.leases.remove(&(entry.expires, entry.seq))),
            status if status.is_finished() => drop(self.finished.remove(&(self.prune_at(entry), entry.seq))),
            _ => {}
        }
    }

    /// Whether a queue has no room for one more waiting job. Without a `limit` there always is.
    pub(crate) fn is_full(&self, name: &QueueName, limit: Option<u64>) -> bool {
        limit.is_some_and(|limit| self.queues.get(name).map_or(0, Queue::waiting) >= limit)
    }

    /// Forgets a queue when its last job is gone, so that names made up on the fly do not pile up.
    pub(crate) fn close_unused(&mut self, name: &QueueName) {
        if self.queues.get(name).is_some_and(Queue::is_unused) {
            self.queues.remove(name);
        }
    }

    /// At most `limit` running jobs whose leases have ended.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Seq> {
        until(&self.leases, now, limit)
    }

    /// At most `limit` finished jobs whose retention has ended.
    pub(crate) fn outdated(&self, now: Timestamp, limit: usize) -> Vec<Seq> {
        until(&self.finished, now, limit)
    }

    /// Notes that others may want to hear of this job, which has just begun to wait.
    pub(crate) fn announce(&mut self, entry: &Entry, now: Timestamp) {
        let Some(queue) = self.queues.get_mut(&entry.job.new.queue) else { return };
        match entry.job.scheduled_at {
            Some(due) if due > now => self.sooner |= queue.next_due() == Some(due),
            _ if queue.fresh => {}
            _ => {
                queue.fresh = true;
                self.fresh.push(entry.job.new.queue.clone());
            }
        }
    }

    /// Whether what was announced since the last call is still there for others, and not all claimed already.
    pub(crate) fn take_news(&mut self, now: Timestamp) -> bool {
        let mut news = std::mem::take(&mut self.sooner);
        for name in self.fresh.drain(..) {
            let Some(queue) = self.queues.get_mut(&name) else { continue };
            queue.fresh = false;
            news |= queue.is_claimable(now);
        }
        news
    }

    fn prune_at(&self, entry: &Entry) -> Timestamp {
        let finished_at = entry.job.finished_at.unwrap_or_default();
        finished_at.after(self.retention(entry.job.status))
    }

    fn retention(&self, status: Status) -> Duration {
        match status {
            Status::Failed => self.options.failed_retention,
            _ => self.options.completed_retention,
        }
    }
}

fn until(times: &BTreeSet<(Timestamp, Seq)>, now: Timestamp, limit: usize) -> Vec<Seq> {
    times.range(..=(now, Seq::MAX)).take(limit).map(|&(_, seq)| seq).collect()
}
