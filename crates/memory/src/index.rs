//! Where to find a job by what it waits for: its turn, its time, the end of its lease, the end of its retention.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use foldhash::fast::RandomState;
use windlass_core::{JobId, QueueName, Status, Timestamp};
use windlass_store::{Lease, Token};

use crate::entry::{Entry, Seq};
use crate::options::MemoryOptions;
use crate::owned::Owned;
use crate::queue::Queue;

/// Every job is in its queue, which it knows by its place. Running and finished jobs are in one more set each, and
/// so are those among the waiting ones that expire.
#[derive(Debug, PartialEq)]
pub(crate) struct Index {
    /// Ordered, so that nothing that a caller can see depends on a hash.
    names: BTreeMap<QueueName, usize>,
    /// Some are unused; the next new queue takes the place of one of those.
    queues: Vec<Queue>,
    unused: Vec<usize>,
    /// `InProgress` jobs by when their leases end.
    leases: BTreeSet<(Timestamp, Seq)>,
    /// The same jobs by their tokens: few enough to stay in the processor's cache, where a look-up among all jobs by id
    /// is a fetch from memory.
    held: HashMap<Token, (JobId, Seq), RandomState>,
    /// Finished jobs by when they are to be removed.
    finished: BTreeSet<(Timestamp, Seq)>,
    /// Jobs that wait by when they are not worth running any more, where there is such a moment.
    expiring: BTreeSet<(Timestamp, Seq)>,
    /// Jobs that wait by their owners, while those are counted.
    owned: Option<Owned>,
    options: MemoryOptions,
    /// The queues whose `fresh` is set.
    fresh: Vec<usize>,
    /// Whether some queue's next due time is sooner than it was before this turn.
    sooner: bool,
}

impl Index {
    pub(crate) fn new(options: MemoryOptions) -> Self {
        Self {
            names: BTreeMap::new(),
            queues: Vec::new(),
            unused: Vec::new(),
            leases: BTreeSet::new(),
            held: HashMap::default(),
            finished: BTreeSet::new(),
            expiring: BTreeSet::new(),
            owned: None,
            options,
            fresh: Vec::new(),
            sooner: false,
        }
    }

    /// The place of a queue, which is made if there is none of this name.
    pub(crate) fn open(&mut self, name: &QueueName) -> usize {
        if let Some(&place) = self.names.get(name) {
            return place;
        }
        let queue = Queue::new(name.clone());
        let place = match self.unused.pop() {
            Some(place) => {
                self.queues[place] = queue;
                place
            }
            None => {
                self.queues.push(queue);
                self.queues.len() - 1
            }
        };
        self.names.insert(name.clone(), place);
        place
    }

    /// The queue of this name.
    pub(crate) fn queue(&self, name: &QueueName) -> Option<&Queue> {
        self.names.get(name).map(|&place| &self.queues[place])
    }

    /// All queues that have jobs, by name.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &Queue> {
        self.names.values().map(|&place| &self.queues[place])
    }

    /// The same queues without a job.
    #[cfg(test)]
    pub(crate) fn emptied(&self) -> Self {
        let queues = self.queues.iter().map(|queue| Queue::new(queue.name.clone())).collect();
        let owned = self.owned.as_ref().map(|_| Owned::default());
        Self { names: self.names.clone(), queues, unused: self.unused.clone(), owned, ..Self::new(self.options) }
    }

    /// Takes in a job of any status.
    pub(crate) fn insert(&mut self, entry: &Entry) {
        self.queues[entry.queue].insert(entry);
        if let Some(owned) = &mut self.owned {
            owned.insert(entry);
        }
        match entry.job.status {
            Status::InProgress => {
                self.leases.insert((entry.expires, entry.seq));
                self.held.insert(entry.token, (entry.job.new.id, entry.seq));
            }
            status if status.is_finished() => drop(self.finished.insert((self.prune_at(entry), entry.seq))),
            _ => self.expiring.extend(entry.expires_at().map(|at| (at, entry.seq))),
        }
    }

    /// Lets go of a job that [`insert`](Self::insert) took in and that has not changed since.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.queues[entry.queue].remove(entry);
        if let Some(owned) = &mut self.owned {
            owned.remove(entry);
        }
        match entry.job.status {
            Status::InProgress => {
                self.leases.remove(&(entry.expires, entry.seq));
                self.held.remove(&entry.token);
            }
            status if status.is_finished() => drop(self.finished.remove(&(self.prune_at(entry), entry.seq))),
            _ => {
                if let Some(at) = entry.expires_at() {
                    self.expiring.remove(&(at, entry.seq));
                }
            }
        }
    }

    /// How many jobs wait in a queue.
    pub(crate) fn waiting(&self, name: &QueueName) -> u64 {
        self.queue(name).map_or(0, Queue::waiting)
    }

    /// Counts the jobs that wait by their owners from now on, or does so no more. `all` are those that there are.
    pub(crate) fn count_owners<'e>(&mut self, wanted: bool, all: impl Iterator<Item = &'e Entry>) {
        if wanted == self.owned.is_some() {
            return;
        }
        self.owned = wanted.then(|| {
            let mut owned = Owned::default();
            all.for_each(|entry| owned.insert(entry));
            owned
        });
    }

    /// The jobs that wait by their owners, while those are counted.
    pub(crate) fn owned(&self) -> Option<&Owned> {
        self.owned.as_ref()
    }

    /// Forgets a queue when its last job is gone, so that names made up on the fly do not pile up.
    pub(crate) fn close_unused(&mut self, place: usize) {
        if self.queues[place].is_unused() && self.names.remove(&self.queues[place].name).is_some() {
            self.unused.push(place);
        }
    }

    /// The running job whose lease this is.
    pub(crate) fn held(&self, lease: Lease) -> Option<Seq> {
        self.held.get(&lease.token).filter(|(id, _)| *id == lease.id).map(|&(_, seq)| seq)
    }

    /// All running jobs.
    pub(crate) fn running(&self) -> impl Iterator<Item = Seq> {
        self.leases.iter().map(|&(_, seq)| seq)
    }

    /// At most `limit` running jobs whose leases have ended.
    pub(crate) fn expired(&self, now: Timestamp, limit: usize) -> Vec<Seq> {
        until(&self.leases, now, limit)
    }

    /// At most `limit` waiting jobs that are not worth running any more.
    pub(crate) fn too_late(&self, now: Timestamp, limit: usize) -> Vec<Seq> {
        until(&self.expiring, now, limit)
    }

    /// At most `limit` finished jobs whose retention has ended.
    pub(crate) fn outdated(&self, now: Timestamp, limit: usize) -> Vec<Seq> {
        until(&self.finished, now, limit)
    }

    /// Notes that others may want to hear of this job, which has just begun to wait.
    pub(crate) fn announce(&mut self, entry: &Entry, now: Timestamp) {
        let queue = &mut self.queues[entry.queue];
        match entry.job.scheduled_at {
            Some(due) if due > now => self.sooner |= queue.next_due() == Some(due),
            _ if queue.fresh => {}
            _ => {
                queue.fresh = true;
                self.fresh.push(entry.queue);
            }
        }
    }

    /// Whether what was announced since the last call is still there for others, and not all claimed already; `left` where a claim
    /// has put some by for them.
    pub(crate) fn take_news(&mut self, left: bool, now: Timestamp) -> bool {
        let mut news = std::mem::take(&mut self.sooner);
        for place in self.fresh.drain(..) {
            let queue = &mut self.queues[place];
            queue.fresh = false;
            news |= left || queue.is_claimable(now);
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
