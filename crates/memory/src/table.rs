//! All jobs and their indexes, and the one way in which a job changes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use windlass_core::state::{self, Event, Step};
use windlass_core::{JobId, Status, Timestamp};
use windlass_store::gatekeeper::Gatekeeper;
use windlass_store::{Canceled, Replayed, Scope, Token};

use crate::entry::{Entry, Seq};
use crate::holders::Holders;
use crate::index::Index;
use crate::options::MemoryOptions;
use crate::pages::Pages;
use crate::timetable::Timetable;

#[derive(Debug)]
pub(crate) struct Table {
    /// Hashed with a random seed: callers may choose ids. Never iterated, so the seed shows nowhere.
    pub(crate) ids: HashMap<JobId, Seq, RandomState>,
    pub(crate) jobs: Pages,
    pub(crate) index: Index,
    pub(crate) schedules: Timetable,
    pub(crate) holders: Holders,
    pub(crate) keeper: Gatekeeper,
    /// Running jobs that were asked to stop, of which nobody has been told yet.
    pub(crate) asked: Vec<JobId>,
    /// The number of the job accepted last.
    pub(crate) latest: Seq,
    /// The token issued last. One count for all jobs: a job submitted anew after its namesake was pruned must not
    /// repeat the namesake's tokens.
    tokens: u64,
}

impl Table {
    pub(crate) fn new(options: MemoryOptions) -> Self {
        Self {
            ids: HashMap::default(),
            jobs: Pages::default(),
            index: Index::new(options),
            schedules: Timetable::default(),
            holders: Holders::default(),
            keeper: Gatekeeper::default(),
            asked: Vec::new(),
            latest: 0,
            tokens: 0,
        }
    }

    /// A token that is later than all others. A job that gets it makes its earlier leases worthless.
    pub(crate) fn next_token(&mut self) -> Token {
        self.tokens += 1;
        Token(self.tokens)
    }

    /// The job of this id.
    pub(crate) fn find(&self, id: JobId) -> Option<&Entry> {
        self.jobs.get(*self.ids.get(&id)?)
    }

    /// The job of this id, unless it is a stranger's.
    pub(crate) fn find_in(&self, id: JobId, scope: &Scope) -> Option<&Entry> {
        self.find(id).filter(|entry| scope.allows(entry.job.new.owner.as_ref()))
    }

    /// Does to a job what the state table says; `None` when the event cannot happen to it, and nothing changes.
    /// `change` is told the new status and makes the other changes that go with it.
    pub(crate) fn apply(
        &mut self,
        seq: Seq,
        event: Event,
        now: Timestamp,
        change: impl FnOnce(&mut Entry, Status),
    ) -> Option<(&Entry, Step)> {
        let entry = self.jobs.get_mut(seq)?;
        let step = state::next(entry.job.status, event)?;
        match step {
            Step::RequestCancel => entry.job.cancel_requested = true,
            Step::To(status) => {
                let ran = entry.job.status == Status::InProgress;
                self.index.remove(entry);
                change(entry, status);
                entry.stand(status, now);
                self.index.insert(entry);
                if status != Status::InProgress && !self.keeper.is_idle() {
                    if ran {
                        self.keeper.leave_line(&entry.job.new.queue, now);
                    }
                    self.keeper.leave(entry.job.new.id, status.is_finished(), now);
                    if status == Status::Canceled || (!ran && status.is_finished()) {
                        self.keeper.pass_on(&entry.job.new, now);
                    }
                }
            }
        }
        entry.job.updated_at = now;
        Some((entry, step))
    }

    /// Notes that others may want to hear of a job that has just begun to wait.
    pub(crate) fn announce(&mut self, seq: Seq, now: Timestamp) {
        if let Some(entry) = self.jobs.get(seq) {
            self.index.announce(entry, now);
        }
    }

    /// Forgets a job.
    pub(crate) fn remove(&mut self, seq: Seq) {
        let Some(entry) = self.jobs.remove(seq) else { return };
        self.ids.remove(&entry.job.new.id);
        self.index.remove(&entry);
        self.index.close_unused(entry.queue);
        if let Some(unique) = entry.job.new.unique() {
            self.holders.forget(unique.key, entry.job.new.id);
        }
    }

    /// Cancels a job as far as its status allows.
    pub(crate) fn cancel(&mut self, id: JobId, scope: &Scope, now: Timestamp) -> Option<Canceled> {
        let seq = self.find_in(id, scope)?.seq;
        let step = self.apply(seq, Event::Cancel, now, |_, _| ()).map(|(_, step)| step);
        if step == Some(Step::RequestCancel) {
            self.asked.push(id);
        }
        let job = Box::new(self.jobs.get(seq)?.view());
        Some(match step {
            Some(Step::To(_)) => Canceled::Done(job),
            Some(Step::RequestCancel) => Canceled::Requested(job),
            None => Canceled::TooLate(job),
        })
    }

    /// Sends a dead letter round again.
    pub(crate) fn replay(&mut self, id: JobId, scope: &Scope, now: Timestamp) -> Option<Replayed> {
        let seq = self.find_in(id, scope)?.seq;
        // The lease of its last attempt must not speak for the new generation.
        let token = self.next_token();
        let replayed = self.apply(seq, Event::Replay, now, |entry, _| {
            entry.job.retries = 0;
            entry.job.crashes = 0;
            entry.token = token;
        });
        let done = replayed.is_some();
        if done {
            self.announce(seq, now);
        }
        let job = Box::new(self.jobs.get(seq)?.view());
        Some(if done { Replayed::Done(job) } else { Replayed::NotFailed(job) })
    }
}
