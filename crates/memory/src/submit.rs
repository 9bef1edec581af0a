//! Submit and import: jobs come in, each id once.

use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use windlass_core::unique::Verdict;
use windlass_core::{Job, JobId, NewJob, Status, Timestamp};
use windlass_store::gatekeeper::Bounds;
use windlass_store::{Imported, Scope, SubmitOutcome, Submitted, is_importable};

use crate::entry::{Entry, Seq};
use crate::index::Index;
use crate::queue::Queue;
use crate::table::Table;

/// Who has the key of a unique job.
struct Former {
    id: Option<JobId>,
    verdict: Verdict,
}

impl Table {
    /// Accepts a job that a caller brings, or says why not.
    pub(crate) fn submit_for_caller(
        &mut self,
        new: Arc<NewJob>,
        queue_limit: Option<u64>,
        now: Timestamp,
    ) -> Submitted {
        if self.keeper.limits_owner(&new)
            && !self.ids.contains_key(&new.id)
            && let Err(retry_after) = self.keeper.submits(&new, now)
        {
            return Submitted { id: new.id, outcome: SubmitOutcome::OverRate { retry_after }, at: now };
        }
        let bounds = self.keeper.bounds(&new, queue_limit);
        self.submit(new, bounds, now)
    }

    /// Accepts a job, or says why not.
    pub(crate) fn submit(&mut self, new: Arc<NewJob>, bounds: Bounds, now: Timestamp) -> Submitted {
        let answer = |id, outcome| Submitted { id, outcome, at: now };
        let id = new.id;
        match self.ids.entry(id) {
            Slot::Occupied(slot) => answer(id, repeated(self.jobs.get(*slot.get()), &new)),
            Slot::Vacant(slot) if new.unique().is_none() && has_plain_room(&self.index, &new, bounds) => {
                self.latest += 1;
                slot.insert(self.latest);
                answer(id, SubmitOutcome::Created(self.accept(new, self.latest, now)))
            }
            Slot::Vacant(_) => self.submit_for_others(new, bounds, now),
        }
    }

    /// Accepts a job whose id is new, unless another stands that is the same, and in place of others where they make room.
    fn submit_for_others(&mut self, new: Arc<NewJob>, bounds: Bounds, now: Timestamp) -> Submitted {
        let answer = |id, outcome| Submitted { id, outcome, at: now };
        let Former { id: former, verdict } = self.former_of(&new, now);
        if let (Some(former), Verdict::Stands) = (former, verdict) {
            if let Some(unique) = new.unique().filter(|unique| unique.extends) {
                self.holders.hold_on(unique, now);
            }
            return answer(former, SubmitOutcome::Duplicate);
        }
        let dropped = match self.make_room(&new, bounds, former) {
            Ok(dropped) => dropped,
            Err(outcome) => return answer(new.id, outcome),
        };
        for id in &dropped {
            self.cancel(*id, &Scope::Everything, now);
        }
        let id = new.id;
        self.latest += 1;
        self.ids.insert(id, self.latest);
        if let Some(unique) = new.unique() {
            self.holders.hold(unique, id, now);
        }
        let status = self.accept(new, self.latest, now);
        if let Some(former) = former {
            self.cancel(former, &Scope::Everything, now);
        }
        match former.or(dropped.first().copied()) {
            Some(other) => answer(id, SubmitOutcome::Replaced(other)),
            None => answer(id, SubmitOutcome::Created(status)),
        }
    }

    /// The job that has the key of a new one and stands, or is replaced.
    fn former_of(&self, new: &NewJob, now: Timestamp) -> Former {
        let Some(unique) = new.unique() else { return Former { id: None, verdict: Verdict::Free } };
        let status = |id| self.find(id).map(|entry| entry.job.status);
        let holder = self.holders.of(unique.key, status);
        let verdict = holder.map_or(Verdict::Free, |(_, holder)| unique.meets(holder, now));
        Former { id: holder.map(|(id, _)| id).filter(|_| verdict != Verdict::Free), verdict }
    }

    /// The jobs that make room for a new one, besides one that it replaces; or why there is no room.
    fn make_room(&self, new: &NewJob, bounds: Bounds, former: Option<JobId>) -> Result<Vec<JobId>, SubmitOutcome> {
        let mut dropped = Vec::new();
        // One that waits makes room; one that runs has done so before.
        let former = former.and_then(|former| self.find(former)).filter(|entry| entry.job.status.is_waiting());
        let mut leaving: Vec<&Entry> = former.into_iter().collect();
        if let (Some(owner), Some(owned)) = (&new.owner, self.index.owned()) {
            let its = leaving.iter().filter(|entry| entry.job.new.owner.as_ref() == Some(owner)).count() as u64;
            if !bounds.owner.has_room(owned.waiting(owner), its) {
                let oldest = owned.first(owner).filter(|_| bounds.owner.drops);
                let oldest = oldest.and_then(|seq| self.jobs.get(seq)).ok_or(SubmitOutcome::OwnerFull)?;
                leaving.push(oldest);
                dropped.push(oldest.job.new.id);
            }
        }
        let its = leaving.iter().filter(|entry| entry.job.new.queue == new.queue).count() as u64;
        if !bounds.queue.has_room(self.index.waiting(&new.queue), its) {
            let oldest = self.index.queue(&new.queue).and_then(Queue::drops_first).filter(|_| bounds.queue.drops);
            let oldest = oldest.and_then(|seq| self.jobs.get(seq)).ok_or(SubmitOutcome::QueueFull)?;
            dropped.push(oldest.job.new.id);
        }
        Ok(dropped)
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
        let mut entry = Box::new(Entry::accept(new, seq, queue, now));
        let status = entry.job.status;
        if status == Status::Queued {
            entry.closed = self.line_up(&entry.job.new);
        }
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

/// Whether a job is stored where nobody has to leave for it.
fn has_plain_room(index: &Index, new: &NewJob, bounds: Bounds) -> bool {
    bounds.owner.is_none() && (bounds.queue.is_none() || bounds.queue.has_room(index.waiting(&new.queue), 0))
}
