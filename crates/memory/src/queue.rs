//! One queue: its jobs that wait, in the order in which they go, and its counters.

use std::collections::{BTreeMap, BTreeSet};

use windlass_core::{Gate, Priority, QueueName, Status, Timestamp};
use windlass_store::capability::{HEAD, LINES};
use windlass_store::gatekeeper::Closed;

use crate::entry::{Entry, Seq};

#[derive(Debug, PartialEq)]
pub(crate) struct Queue {
    pub(crate) name: QueueName,
    /// `Queued` jobs by priority, oldest first. Suspects are not here.
    ready: [BTreeSet<Seq>; Priority::LEVELS],
    /// `Queued` jobs that must not run beside one another in a process.
    suspects: BTreeSet<(Priority, Seq)>,
    /// `Queued` jobs that were passed over, by the gate at which they wait.
    /// Those that have their slots there already go first.
    held: BTreeMap<Gate, BTreeSet<Place>>,
    /// `Scheduled` jobs by when they are due.
    scheduled: BTreeSet<(Timestamp, Seq)>,
    /// How many jobs there are of each status.
    counts: [u64; Status::ALL.len()],
    /// Whether the turn being taken made something claimable here.
    pub(crate) fresh: bool,
}

impl Queue {
    pub(crate) fn new(name: QueueName) -> Self {
        Self {
            name,
            ready: Default::default(),
            suspects: BTreeSet::new(),
            held: BTreeMap::new(),
            scheduled: BTreeSet::new(),
            counts: Default::default(),
            fresh: false,
        }
    }

    /// Takes in a job of any status.
    pub(crate) fn insert(&mut self, entry: &Entry) {
        self.counts[column(entry.job.status)] += 1;
        if let Some(closed) = &entry.closed {
            self.held.entry(closed.gate.clone()).or_default().insert(place(closed, entry));
            return;
        }
        match entry.job.status {
            Status::Queued if entry.is_suspect() => drop(self.suspects.insert((entry.job.new.priority, entry.seq))),
            Status::Queued => drop(self.level(entry.job.new.priority).insert(entry.seq)),
            Status::Scheduled => drop(self.scheduled.insert(due_key(entry))),
            _ => {}
        }
    }

    /// Lets go of a job that [`insert`](Self::insert) took in and that has not changed since.
    pub(crate) fn remove(&mut self, entry: &Entry) {
        self.counts[column(entry.job.status)] -= 1;
        if let Some(closed) = &entry.closed {
            return self.leave_gate(closed, entry);
        }
        match entry.job.status {
            Status::Queued if entry.is_suspect() => drop(self.suspects.remove(&(entry.job.new.priority, entry.seq))),
            Status::Queued => drop(self.level(entry.job.new.priority).remove(&entry.seq)),
            Status::Scheduled => drop(self.scheduled.remove(&due_key(entry))),
            _ => {}
        }
    }

    fn leave_gate(&mut self, closed: &Closed, entry: &Entry) {
        let Some(line) = self.held.get_mut(&closed.gate) else { return };
        line.remove(&place(closed, entry));
        if line.is_empty() {
            self.held.remove(&closed.gate);
        }
    }

    /// The next jobs that wait at a gate.
    pub(crate) fn held_at(&self, gate: &Gate) -> impl Iterator<Item = Seq> + '_ {
        self.held.get(gate).into_iter().flatten().map(|&(_, _, seq)| seq)
    }

    /// The job that makes room for a new one: the oldest of the least urgent that are ready, or another one that waits.
    pub(crate) fn drops_first(&self) -> Option<Seq> {
        let ready = self.ready.iter().rev().find_map(|level| level.first().copied());
        let held = || self.held.values().rev().find_map(|line| line.last()).map(|&(_, _, seq)| seq);
        let scheduled = || self.scheduled.last().map(|&(_, seq)| seq);
        ready.or_else(held).or_else(|| self.suspects().next()).or_else(scheduled)
    }

    /// The next suspects.
    pub(crate) fn suspects(&self) -> impl Iterator<Item = Seq> + '_ {
        self.suspects.iter().map(|&(_, seq)| seq)
    }

    /// The next jobs that are no suspects.
    pub(crate) fn ready(&self) -> impl Iterator<Item = Seq> + '_ {
        self.ready.iter().flatten().copied()
    }

    /// The next jobs that are no suspects, by level.
    pub(crate) fn levels(&self) -> impl Iterator<Item = impl Iterator<Item = Seq> + '_> + '_ {
        self.ready.iter().map(|level| level.iter().copied())
    }

    /// The first jobs of every line in which some wait, by priority.
    pub(crate) fn heads(&self) -> impl Iterator<Item = Seq> + '_ {
        let ready = self.ready.iter().flat_map(|level| level.iter().take(HEAD).copied());
        let suspects = levels().flat_map(|level| {
            self.suspects.range((level, Seq::MIN)..=(level, Seq::MAX)).take(HEAD).map(|&(_, seq)| seq)
        });
        ready.chain(suspects).chain(self.held.values().take(LINES).flat_map(heads_at))
    }

    /// Scheduled jobs whose time has come.
    pub(crate) fn due(&self, now: Timestamp) -> impl Iterator<Item = Seq> + '_ {
        self.scheduled.iter().take_while(move |&&(due, _)| due <= now).map(|&(_, seq)| seq)
    }

    /// When the next scheduled job is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.scheduled.first().map(|&(due, _)| due)
    }

    /// Whether a claim could get something, given enough room and suspects.
    pub(crate) fn is_claimable(&self, now: Timestamp) -> bool {
        self.ready().next().is_some()
            || !self.suspects.is_empty()
            || self.any_turn()
            || self.next_due().is_some_and(|due| due <= now)
    }

    /// Whether somebody waits for a turn: those gates are the last in their order.
    fn any_turn(&self) -> bool {
        matches!(self.held.last_key_value(), Some((Gate::Turn(_), _)))
    }

    /// How many jobs count against the size of the queue.
    pub(crate) fn waiting(&self) -> u64 {
        self.counts().filter(|(status, _)| status.is_waiting()).map(|(_, count)| count).sum()
    }

    /// How many jobs there are of each status.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Status, u64)> + '_ {
        Status::ALL.into_iter().map(|status| (status, self.counts[column(status)]))
    }

    /// Whether no job of any status is left.
    pub(crate) fn is_unused(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    fn level(&mut self, priority: Priority) -> &mut BTreeSet<Seq> {
        &mut self.ready[usize::from(priority.level())]
    }
}

fn column(status: Status) -> usize {
    usize::from(status.code()) - 1
}

/// The place of a job at a gate.
type Place = (bool, Priority, Seq);

fn place(closed: &Closed, entry: &Entry) -> Place {
    (!closed.first, entry.job.new.priority, entry.seq)
}

/// The first jobs that wait at a gate, by priority: those that have their slots there, and those that have none.
fn heads_at(line: &BTreeSet<Place>) -> impl Iterator<Item = Seq> + '_ {
    let behind = [false, true].into_iter();
    let groups = behind.flat_map(|behind| levels().map(move |level| (behind, level)));
    groups.flat_map(|(behind, level)| {
        line.range((behind, level, Seq::MIN)..=(behind, level, Seq::MAX)).take(HEAD).map(|&(_, _, seq)| seq)
    })
}

fn levels() -> impl Iterator<Item = Priority> {
    (0..=u8::MAX).map_while(|level| Priority::new(level).ok())
}

fn due_key(entry: &Entry) -> (Timestamp, Seq) {
    (entry.job.scheduled_at.unwrap_or_default(), entry.seq)
}

#[cfg(test)]
mod tests {
    use windlass_core::{NewJob, Payload, Start};

    use super::*;

    fn entry(seq: Seq, priority: u8, start: Start) -> Entry {
        let priority = Priority::new(priority).expect("valid");
        let job = NewJob::build("Job", Payload::empty()).priority(priority).start(start);
        Entry::accept(job.finish(Timestamp::UNIX_EPOCH).expect("valid").into(), seq, 0, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn jobs_go_by_priority_and_then_by_age() {
        let mut queue = Queue::new(QueueName::default());
        for (seq, priority) in [(4, 5), (2, 5), (3, 0), (1, 9)] {
            queue.insert(&entry(seq, priority, Start::Now));
        }
        assert_eq!(queue.ready().collect::<Vec<_>>(), [3, 2, 4, 1]);
        assert_eq!(queue.waiting(), 4);
    }

    #[test]
    fn suspects_wait_apart() {
        let mut queue = Queue::new(QueueName::default());
        let mut suspect = entry(1, 5, Start::Now);
        suspect.job.crashes = suspect.job.new.retry.max_crashes - 1;
        queue.insert(&suspect);
        assert_eq!((queue.ready().count(), queue.suspects().collect::<Vec<_>>()), (0, vec![1]));
        assert!(queue.is_claimable(Timestamp::UNIX_EPOCH));
        queue.remove(&suspect);
        assert!(queue.is_unused());
    }

    #[test]
    fn a_scheduled_job_is_claimable_from_its_due_time_on() {
        let mut queue = Queue::new(QueueName::default());
        let due = Timestamp::from_millis(5);
        queue.insert(&entry(1, 5, Start::At(due)));
        assert_eq!(queue.next_due(), Some(due));
        assert!(!queue.is_claimable(Timestamp::from_millis(4)));
        assert!(queue.is_claimable(due));
        assert_eq!(queue.due(due).collect::<Vec<_>>(), [1]);
    }
}
