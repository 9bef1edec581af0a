//! Settle: an attempt has ended, and its job moves on.

use windlass_core::state::Step;
use windlass_core::{AttemptOutcome, Status, Timestamp};
use windlass_store::gatekeeper::Bounds;
use windlass_store::{Fate, Outcome, Settlement};

use crate::entry::{Entry, Seq};
use crate::lease::Standing;
use crate::table::Table;

impl Table {
    /// Ends an attempt as its holder says.
    pub(crate) fn settle(&mut self, settlement: Settlement, now: Timestamp) -> Fate {
        let Settlement { lease, outcome, emitted } = settlement;
        let seq = match self.standing(lease, now) {
            Standing::Held(seq) => seq,
            Standing::Settled(status) => return Fate::Repeated(status),
            Standing::Lost => return Fate::LeaseLost,
        };
        let Some(status) = self.end(seq, outcome, now) else { return Fate::LeaseLost };
        if status.is_waiting() {
            self.announce(seq, now);
        }
        if status == Status::Completed {
            for new in emitted {
                // One that exists already was emitted by an earlier run of the same job.
                let _ = self.submit(new, Bounds::default(), now);
            }
        }
        Fate::Settled(status)
    }

    fn end(&mut self, seq: Seq, outcome: Outcome, now: Timestamp) -> Option<Status> {
        let requested = self.jobs.get(seq)?.job.cancel_requested;
        let event = outcome.event().under_cancel(requested);
        match self.apply(seq, event, now, |entry, status| close(entry, outcome, status, now))? {
            (_, Step::To(status)) => Some(status),
            (_, Step::RequestCancel) => None,
        }
    }
}

/// Keeps what an outcome brings. A job that ends as `Canceled` keeps the error alone: it does not run again.
fn close(entry: &mut Entry, outcome: Outcome, status: Status, now: Timestamp) {
    let canceled = status == Status::Canceled;
    match outcome {
        Outcome::Complete(result) => {
            entry.job.result = Some(result);
            entry.job.error = None;
        }
        Outcome::Retry { error, .. } | Outcome::Fail(error) if canceled => {
            entry.record(AttemptOutcome::Canceled, Some(error), now);
        }
        _ if canceled => entry.record(AttemptOutcome::Canceled, None, now),
        Outcome::Retry { delay, error } => {
            entry.record(AttemptOutcome::Failed, Some(error), now);
            entry.job.retries += 1;
            entry.job.scheduled_at = Some(now.after(delay));
        }
        Outcome::Fail(error) => entry.record(AttemptOutcome::Failed, Some(error), now),
        Outcome::Snooze { delay } => entry.job.scheduled_at = Some(now.after(delay)),
        Outcome::Release | Outcome::Stop => {}
    }
}
