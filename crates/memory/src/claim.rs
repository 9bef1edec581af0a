//! Claim: a process takes work, and learns when to come back.

use std::time::Duration;

use windlass_core::Timestamp;
use windlass_core::state::Event;
use windlass_store::{Claim, Claimed, ClaimedJob, Lease};

use crate::entry::{Entry, Seq};
use crate::queue::Queue;
use crate::table::Table;

/// A claim makes so many more due jobs ready than it can take, so that an urgent one among them is not missed
/// for being due a moment later. The rest is for the next claim.
const LOOK_AHEAD: usize = 64;

impl Table {
    /// Hands out work from the claim's queues, the first queue's first.
    pub(crate) fn claim(&mut self, claim: &Claim, now: Timestamp) -> Claimed {
        for seq in self.due_for(claim, now) {
            self.make_ready(seq, now);
        }
        if !self.keeper.is_idle() || claim.handlers.is_some() {
            return self.claim_through_gates(claim, now);
        }
        let jobs = self.take(claim, now);
        let more = self.served(claim).any(|queue| queue.is_claimable(now));
        Claimed { jobs, next_due: self.next_due(claim, now), more, ..Claimed::default() }
    }

    /// A job's time has come, if that can happen to it.
    pub(crate) fn make_ready(&mut self, seq: Seq, now: Timestamp) -> bool {
        let due = self.apply(seq, Event::Due, now, |_, _| ()).is_some();
        if due {
            self.take_place(seq);
        }
        due
    }

    fn served<'a>(&'a self, claim: &'a Claim) -> impl Iterator<Item = &'a Queue> {
        claim.queues.iter().filter_map(|name| self.index.queue(name))
    }

    fn due_for(&self, claim: &Claim, now: Timestamp) -> Vec<Seq> {
        let limit = claim.limit.saturating_add(LOOK_AHEAD);
        self.served(claim).flat_map(|queue| queue.due(now)).take(limit).collect()
    }

    fn take(&mut self, claim: &Claim, now: Timestamp) -> Vec<ClaimedJob> {
        let mut jobs = Vec::new();
        let mut suspects = claim.suspects;
        for name in &claim.queues {
            let Some(queue) = self.index.queue(name) else { continue };
            let chosen = choose(queue, claim.limit - jobs.len(), suspects);
            let before = jobs.len();
            jobs.reserve(chosen.len());
            jobs.extend(chosen.into_iter().filter_map(|seq| self.hand_out(seq, claim, now)));
            suspects -= jobs[before..].iter().filter(|job| job.is_suspect()).count();
        }
        jobs
    }

    pub(crate) fn hand_out(&mut self, seq: Seq, claim: &Claim, now: Timestamp) -> Option<ClaimedJob> {
        let token = self.next_token();
        let (entry, _) = self.apply(seq, Event::Claim, now, |entry, _| {
            entry.token = token;
            entry.worker = Some(claim.worker);
            entry.expires = now.after(claim.lease);
            entry.job.started_at = Some(now);
            entry.job.progress = None;
        })?;
        Some(claimed(entry, now))
    }

    pub(crate) fn next_due(&self, claim: &Claim, now: Timestamp) -> Option<Duration> {
        let earliest = self.served(claim).filter_map(Queue::next_due).min()?;
        Some(now.until(earliest))
    }
}

/// Suspects go first: they have waited for a process that runs no other.
pub(crate) fn choose(queue: &Queue, limit: usize, suspects: usize) -> Vec<Seq> {
    queue.suspects().take(suspects).chain(queue.ready()).take(limit).collect()
}

fn claimed(entry: &Entry, started_at: Timestamp) -> ClaimedJob {
    ClaimedJob {
        lease: Lease { id: entry.job.new.id, token: entry.token },
        new: entry.job.new.clone(),
        retries: entry.job.retries,
        crashes: entry.job.crashes,
        created_at: entry.job.created_at,
        started_at,
    }
}
