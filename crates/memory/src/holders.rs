//! Who has or had the keys of unique jobs.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use windlass_core::unique::{Holder, States};
use windlass_core::{JobId, Status, Timestamp, Uniqueness};

/// A job that holds a key.
#[derive(Clone, Copy, Debug)]
struct Holds {
    id: JobId,
    states: States,
    until: Option<Timestamp>,
}

/// Who holds which key.
#[derive(Debug, Default)]
pub(crate) struct Holders {
    by_key: HashMap<JobId, Holds, RandomState>,
    by_end: BTreeSet<(Timestamp, JobId)>,
}

impl Holders {
    /// Which job has or had the key, and on which terms. `status` knows where a job stands.
    pub(crate) fn of(&self, key: JobId, status: impl Fn(JobId) -> Option<Status>) -> Option<(JobId, Holder)> {
        let Holds { id, states, until } = *self.by_key.get(&key)?;
        Some((id, Holder { states, until, status: status(id) }))
    }

    /// The job holds its key from `now` on.
    pub(crate) fn hold(&mut self, unique: &Uniqueness, id: JobId, now: Timestamp) {
        let until = unique.until(now);
        self.let_go(unique.key);
        self.by_key.insert(unique.key, Holds { id, states: unique.states, until });
        self.by_end.extend(until.map(|until| (until, unique.key)));
    }

    /// Whoever holds the key does so for a new period.
    pub(crate) fn hold_on(&mut self, unique: &Uniqueness, now: Timestamp) {
        if let Some(holds) = self.by_key.get(&unique.key).copied() {
            self.hold(&Uniqueness { states: holds.states, ..*unique }, holds.id, now);
        }
    }

    /// The job has been removed; without a period it holds nothing any more.
    pub(crate) fn forget(&mut self, key: JobId, id: JobId) {
        if self.by_key.get(&key).is_some_and(|holds| holds.id == id && holds.until.is_none()) {
            self.let_go(key);
        }
    }

    /// Forgets at most `limit` of those whose period is over.
    pub(crate) fn sweep(&mut self, now: Timestamp, limit: usize) {
        let over: Vec<JobId> = self.by_end.range(..=(now, JobId::LAST)).take(limit).map(|&(_, key)| key).collect();
        over.into_iter().for_each(|key| self.let_go(key));
    }

    fn let_go(&mut self, key: JobId) {
        if let Some(until) = self.by_key.remove(&key).and_then(|holds| holds.until) {
            self.by_end.remove(&(until, key));
        }
    }
}
