//! Leases: who may speak for a running job, and for how long.

use windlass_core::{Incarnation, Status, Timestamp};
use windlass_store::{Extend, Extension, Lease};

use crate::entry::{Seq, UNCLAIMED};
use crate::table::Table;

/// What a lease is worth.
pub(crate) enum Standing {
    /// Its holder speaks for this job.
    Held(Seq),
    /// Its holder said how the attempt ended; the job stands here now.
    Settled(Status),
    /// Nothing: the job is gone, somebody else's, or waits to be taken back by a sweep.
    Lost,
}

impl Table {
    /// Judges a lease. One that has run out is lost from that moment on, not from the next sweep.
    pub(crate) fn standing(&self, lease: Lease, now: Timestamp) -> Standing {
        let Some(seq) = self.index.held(lease) else { return self.ended(lease) };
        match self.jobs.get(seq) {
            Some(entry) if entry.expires > now => Standing::Held(seq),
            _ => Standing::Lost,
        }
    }

    /// The leases of running jobs that `worker` was given.
    pub(crate) fn held_by(&self, worker: Incarnation) -> Vec<Lease> {
        let running = self.index.running().filter_map(|seq| self.jobs.get(seq));
        let its = running.filter(|entry| entry.worker == Some(worker));
        its.map(|entry| Lease { id: entry.job.new.id, token: entry.token }).collect()
    }

    /// What a lease is worth that no running job has.
    fn ended(&self, lease: Lease) -> Standing {
        match self.find(lease.id) {
            Some(entry) if entry.token == lease.token && lease.token != UNCLAIMED => {
                Standing::Settled(entry.job.status)
            }
            _ => Standing::Lost,
        }
    }

    /// Makes a lease last for its duration from now.
    pub(crate) fn extend(&mut self, extend: Extend, now: Timestamp) -> Extension {
        let Standing::Held(seq) = self.standing(extend.lease, now) else { return Extension::Lost };
        let Some(entry) = self.jobs.get_mut(seq) else { return Extension::Lost };
        self.index.remove(entry);
        entry.expires = now.after(extend.duration);
        self.index.insert(entry);
        if extend.progress.is_some() {
            entry.job.progress = extend.progress;
            entry.job.updated_at = now;
        }
        if entry.job.cancel_requested { Extension::CancelRequested } else { Extension::Kept }
    }
}
