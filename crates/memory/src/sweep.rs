//! Sweep: what happens to jobs by the passing of time alone.

use windlass_core::state::{Event, Step};
use windlass_core::{AttemptOutcome, JobError, Status, Timestamp};
use windlass_store::{Swept, Token};

use crate::entry::{Entry, Seq};
use crate::table::Table;

impl Table {
    /// Makes due jobs ready, takes back ended leases, fails jobs that wait too long, and forgets jobs past their retention: at
    /// most `limit` each.
    pub(crate) fn sweep(&mut self, limit: usize, now: Timestamp) -> Swept {
        let due: Vec<Seq> = self.index.queues().flat_map(|queue| queue.due(now)).take(limit).collect();
        let expired = self.index.expired(now, limit);
        let outdated = self.index.outdated(now, limit);
        let too_late = self.index.too_late(now, limit);
        let full = |list: &Vec<Seq>| limit > 0 && list.len() == limit;
        let more = full(&due) || full(&expired) || full(&too_late) || full(&outdated);
        let mut swept = Swept { pruned: outdated.len(), more, ..Swept::default() };
        due.into_iter().for_each(|seq| self.promote(seq, now, &mut swept));
        expired.into_iter().for_each(|seq| self.reclaim(seq, now, &mut swept));
        too_late.into_iter().for_each(|seq| self.expire(seq, now, &mut swept));
        outdated.into_iter().for_each(|seq| self.remove(seq));
        self.holders.sweep(now, limit);
        self.keeper.sweep(now);
        swept
    }

    fn promote(&mut self, seq: Seq, now: Timestamp, swept: &mut Swept) {
        if self.make_ready(seq, now) {
            self.announce(seq, now);
            swept.promoted += 1;
        }
    }

    fn expire(&mut self, seq: Seq, now: Timestamp, swept: &mut Swept) {
        let failed = self.apply(seq, Event::Expire, now, |entry, _| {
            entry.job.error = entry.expires_at().map(JobError::expired);
        });
        swept.expired += usize::from(failed.is_some());
    }

    fn reclaim(&mut self, seq: Seq, now: Timestamp, swept: &mut Swept) {
        let Some(entry) = self.jobs.get(seq) else { return };
        let event = crash(entry).under_cancel(entry.job.cancel_requested);
        let token = self.next_token();
        match self.apply(seq, event, now, |entry, status| lose(entry, status, token, now)) {
            Some((_, Step::To(Status::Queued))) => {
                self.announce(seq, now);
                swept.reclaimed += 1;
            }
            Some((_, Step::To(Status::Failed))) => swept.quarantined += 1,
            Some((_, Step::To(Status::Canceled))) => swept.stopped += 1,
            _ => {}
        }
    }
}

/// What one more lost lease is to the state table.
fn crash(entry: &Entry) -> Event {
    if entry.job.new.retry.is_poisoned(entry.job.crashes + 1) { Event::Quarantine } else { Event::Reclaim }
}

/// The burnt token makes sure that a late settlement is told `LeaseLost`, not that it had settled before.
fn lose(entry: &mut Entry, status: Status, token: Token, now: Timestamp) {
    entry.record(AttemptOutcome::Crashed, Some(JobError::crashed()), now);
    entry.job.crashes += 1;
    entry.token = token;
    if status == Status::Failed {
        entry.job.error = Some(JobError::poisoned(entry.job.crashes));
    }
}
