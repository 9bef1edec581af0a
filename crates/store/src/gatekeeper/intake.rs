//! What rules say of submissions: how many may wait, and how many an owner may submit in a period.

use std::time::Duration;

use windlass_core::{Backlog, Gate, NewJob, QueueName, Timestamp};

use super::Gatekeeper;

/// How many may wait where a job is submitted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// In its queue.
    pub queue: Backlog,
    /// Of its owner.
    pub owner: Backlog,
}

impl Gatekeeper {
    /// How many jobs may wait where a caller submits one, where its process says the same of all queues.
    pub fn bounds(&self, new: &NewJob, of_all_queues: Option<u64>) -> Bounds {
        Bounds { queue: self.backlog(&new.queue, of_all_queues), owner: self.owner_backlog(new) }
    }

    /// Whether it is said of some owner how many jobs may wait, so that they have to be counted by owner.
    pub fn bounds_owners(&self) -> bool {
        self.owner_backlogs
    }

    pub(super) fn owner_backlog(&self, new: &NewJob) -> Backlog {
        let Some(gate) = new.owner.clone().filter(|_| self.owner_backlogs).map(Gate::Owner) else {
            return Backlog::default();
        };
        [gate, Gate::Owners].iter().map(|gate| self.rule(gate).backlog).find(|said| !said.is_none()).unwrap_or_default()
    }

    pub(super) fn backlog(&self, queue: &QueueName, of_all: Option<u64>) -> Backlog {
        if !self.backlogs {
            return Backlog { most: of_all, drops: false };
        }
        let Backlog { most, drops } = self.rule(&Gate::Queue(queue.clone())).backlog;
        Backlog { most: most.into_iter().chain(of_all).min(), drops }
    }

    /// Whether a rule may hold for what the owner of a job submits.
    pub fn limits_owner(&self, new: &NewJob) -> bool {
        self.owners && new.owner.is_some()
    }

    /// A job is submitted. `Err` with how long until its owner may submit again, if it has submitted as many as it may.
    pub fn submits(&mut self, new: &NewJob, now: Timestamp) -> Result<(), Duration> {
        let Some(gate) = new.owner.clone().filter(|_| self.owners).map(Gate::Owner) else { return Ok(()) };
        let Some(rate) = self.terms(&gate).and_then(|terms| terms.limits.rate) else { return Ok(()) };
        let bucket = self.bucket(&gate);
        if bucket.room(&rate, now) == 0 {
            return Err(now.until(bucket.opens(&rate)));
        }
        self.take_token(&gate, &rate, now);
        Ok(())
    }
}
