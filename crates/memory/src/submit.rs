//! Submit and import: jobs come in, each id once.

use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use windlass_core::{Job, NewJob, Status, Timestamp};
use windlass_store::{Imported, SubmitOutcome, Submitted, is_importable};

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

    /// Takes in a job as another store kept it.
    pub(crate) fn import(&mut self, job: Job, now: Timestamp) -> Imported {
        if !is_importable(&job) {
            return Imported::Refused;
        }
        let Slot::Vacant(slot) = self.ids.entry(job.new.id) else { return Imported::Existing };
        self.latest += 1;
        slot.insert(self.latest);
        let queue = self.index.open(&job.new.queue);
        self.keep(Box::new(Entry::import(job, self.latest, queue, now)), now);
        Imported::Kept
    }

    fn accept(&mut self, new: Arc<NewJob>, seq: Seq, now: Timestamp) -> Status {
        let queue = self.index.open(&new.queue);
        let entry = Box::new(Entry::accept(new, seq, queue, now));
        let status = entry.job.status;
        self.keep(entry, now);
        status
    }

    fn keep(&mut self, entry: Box<Entry>, now: Timestamp) {
        self.index.insert(&entry);
        self.index.announce(&entry, now);
        self.jobs.push(entry);
    }
}

fn repeated(existing: Option<&Entry>, new: &NewJob) -> SubmitOutcome {
    match existing {
        Some(entry) if entry.job.new.asks_the_same(new) => SubmitOutcome::Existing,
        _ => SubmitOutcome::Conflict,
    }
}
