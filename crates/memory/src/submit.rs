//! Submit and import: jobs come in, each id once.

use std::collections::hash_map::Entry as Slot;
use std::sync::Arc;

use windlass_core::unique::Verdict;
use windlass_core::{Backlog, Job, NewJob, Status, Timestamp};
use windlass_store::{Imported, Scope, SubmitOutcome, Submitted, is_importable};

use crate::entry::{Entry, Seq};
use crate::queue::Queue;
use crate::table::Table;

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
        let backlog = self.keeper.backlog(&new.queue, queue_limit);
        match self.submit(Arc::clone(&new), backlog, now) {
            Submitted { outcome: SubmitOutcome::QueueFull, .. } if backlog.drops => self.submit_for_another(new, now),
            answer => answer,
        }
    }

    /// Accepts a job in place of one that waits in its queue, if any does.
    fn submit_for_another(&mut self, new: Arc<NewJob>, now: Timestamp) -> Submitted {
        let oldest = self.index.queue(&new.queue).and_then(Queue::drops_first);
        let Some(oldest) = oldest.and_then(|seq| self.jobs.get(seq)).map(|entry| entry.job.new.id) else {
            return Submitted { id: new.id, outcome: SubmitOutcome::QueueFull, at: now };
        };
        self.cancel(oldest, &Scope::Everything, now);
        let answer = self.submit(new, Backlog::default(), now);
        match answer.outcome {
            SubmitOutcome::Created(_) => Submitted { outcome: SubmitOutcome::Replaced(oldest), ..answer },
            _ => answer,
        }
    }

    /// Accepts a job, or says why not.
    pub(crate) fn submit(&mut self, new: Arc<NewJob>, backlog: Backlog, now: Timestamp) -> Submitted {
        let id = new.id;
        let answer = |id, outcome| Submitted { id, outcome, at: now };
        if new.unique().is_some() && !self.ids.contains_key(&id) {
            return self.submit_unique(new, backlog, now);
        }
        let outcome = match self.ids.entry(id) {
            Slot::Occupied(slot) => repeated(self.jobs.get(*slot.get()), &new),
            Slot::Vacant(_) if self.index.is_full(&new.queue, backlog.most) => SubmitOutcome::QueueFull,
            Slot::Vacant(slot) => {
                self.latest += 1;
                slot.insert(self.latest);
                SubmitOutcome::Created(self.accept(new, self.latest, now))
            }
        };
        answer(id, outcome)
    }

    /// Accepts a job whose id is new, unless another stands that is the same.
    fn submit_unique(&mut self, new: Arc<NewJob>, backlog: Backlog, now: Timestamp) -> Submitted {
        let answer = |id, outcome| Submitted { id, outcome, at: now };
        let Some(unique) = new.unique().copied() else { return answer(new.id, SubmitOutcome::Conflict) };
        let status = |id| self.find(id).map(|entry| entry.job.status);
        let holder = self.holders.of(unique.key, status);
        let verdict = holder.map_or(Verdict::Free, |(_, holder)| unique.meets(holder, now));
        let former = holder.map(|(id, _)| id).filter(|_| verdict != Verdict::Free);
        if let (Some(former), Verdict::Stands) = (former, verdict) {
            if unique.extends {
                self.holders.hold_on(&unique, now);
            }
            return answer(former, SubmitOutcome::Duplicate);
        }
        let former_entry = former.and_then(|former| self.find(former));
        // One that waits makes room; one that runs has done so before.
        let leaves =
            former_entry.is_some_and(|entry| entry.job.status.is_waiting() && entry.job.new.queue == new.queue);
        let limit = backlog.most.map(|most| most.saturating_add(u64::from(leaves)));
        // In a queue that drops, whoever leaves is the one that makes room.
        if !(leaves && backlog.drops) && self.index.is_full(&new.queue, limit) {
            return answer(new.id, SubmitOutcome::QueueFull);
        }
        let id = new.id;
        self.latest += 1;
        self.ids.insert(id, self.latest);
        let status = self.accept(new, self.latest, now);
        self.holders.hold(&unique, id, now);
        match former {
            Some(former) => {
                self.cancel(former, &Scope::Everything, now);
                answer(id, SubmitOutcome::Replaced(former))
            }
            None => answer(id, SubmitOutcome::Created(status)),
        }
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
