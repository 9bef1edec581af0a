//! Submit: new jobs come in, each id once.

use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use windlass_core::{NewJob, Status, Timestamp};
use windlass_store::{SubmitOutcome, Submitted};

use crate::entry::{Entry, Seq};
use crate::table::Table;

impl Table {
    /// Accepts a job, or says why not. Without a `queue_limit` every queue has room.
    pub(crate) fn submit(&mut self, new: Arc<NewJob>, queue_limit: Option<u64>, now: Timestamp) -> Submitted {
        let id = new.id;
        let outcome = match self.ids.entry(id) {
            Slot::Occupied(slot) => repeated(self.jobs.get(*slot.get()), &new),
            Slot::Vacant(_) if self.index.is_full(&new.queue, queue_limit) => SubmitOutcome::QueueFull,
            Slot::Vacant(slot) => {
                self.latest += 1;
                slot.insert(self.latest);
                SubmitOutcome::Created(self.accept(new, self.latest, now))
            }
        };
        Submitted { id, outcome, at: now }
    }

    fn accept(&mut self, new: Arc<NewJob>, seq: Seq, now: Timestamp) -> Status {
        let queue = self.index.open(&new.queue);
        let entry = Box::new(Entry::accept(new, seq, queue, now));
        let status = entry.job.status;
        self.index.insert(&entry);
        self.index.announce(&entry, now);
        self.jobs.push(entry);
        status
    }
}

fn repeated(existing: Option<&Entry>, new: &NewJob) -> SubmitOutcome {
    match existing {
        Some(entry) if entry.job.new.asks_the_same(new) => SubmitOutcome::Existing,
        _ => SubmitOutcome::Conflict,
    }
}
