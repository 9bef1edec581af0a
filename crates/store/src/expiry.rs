//! Expiry: jobs that wait past the moment from which on they are not worth running fail in a sweep, wherever they wait.
//!
//! A store notes of each job that has such a moment when to look at it, and nothing of any other. A sweep looks at those whose
//! time has come and does with each what [`look`] says. Notes may be of jobs that have finished, or that there are not: each is
//! looked at within a day, and goes then.

use std::time::Duration;

use windlass_core::{Expiry, JobError, NewJob, Status, Timestamp};

/// No note is older when it is looked at.
const DAY: Duration = Duration::from_secs(24 * 3600);
/// When to look again at a job that runs although its moment is over, since it may come back.
pub const AGAIN: Duration = Duration::from_secs(10);

/// What a sweep does with a job that it looks at.
#[derive(Clone, Debug, PartialEq)]
pub enum Look {
    /// It forgets the note.
    Forget,
    /// It looks again at this moment.
    Later(Timestamp),
    /// The job fails with this error, if it still waits.
    Expire(JobError),
}

/// When to look at a job for the first time: so long from the store's now, or at a moment, whichever is sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// From the moment at which the note is written.
    pub within: Duration,
    /// By the store's clock.
    pub at: Option<Timestamp>,
}

impl Note {
    /// Of a new job; `None` for most, which never expire.
    pub fn of(new: &NewJob) -> Option<Self> {
        let conditions = new.conditions.as_ref()?;
        let (span, moment) = match conditions.expires {
            Some(Expiry::After(span)) => (Some(span), None),
            Some(Expiry::At(moment)) => (None, Some(moment)),
            None => (None, None),
        };
        let at = moment.into_iter().chain(conditions.deadline).min();
        (span.is_some() || at.is_some()).then(|| Self { within: span.map_or(DAY, |span| span.min(DAY)), at })
    }

    /// Of a job that was accepted at `accepted`.
    pub fn of_accepted(new: &NewJob, accepted: Timestamp) -> Option<Self> {
        new.expires_at(accepted).map(|moment| Self { within: DAY, at: Some(moment) })
    }

    /// When that is.
    pub fn moment(self, now: Timestamp) -> Timestamp {
        let within = now.after(self.within);
        self.at.map_or(within, |at| at.min(within))
    }
}

/// What becomes at `now` of a job that stands there and starts no more attempts from `expires_at` on.
pub fn look(status: Status, expires_at: Option<Timestamp>, now: Timestamp) -> Look {
    match expires_at {
        Some(_) if status.is_finished() => Look::Forget,
        Some(moment) if moment > now => Look::Later(moment.min(now.after(DAY))),
        Some(_) if status == Status::InProgress => Look::Later(now.after(AGAIN)),
        Some(moment) => Look::Expire(JobError::expired(moment)),
        None => Look::Forget,
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::{JobBuilder, Payload};

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Timestamp = Timestamp::from_millis(1);

    fn note(shape: impl FnOnce(JobBuilder) -> JobBuilder) -> Option<Timestamp> {
        let new = shape(NewJob::build("Job", Payload::empty())).finish(NOW).expect("valid");
        let note = Note::of(&new).map(|note| note.moment(NOW));
        assert_eq!(note, Note::of_accepted(&new, NOW).map(|note| note.moment(NOW)));
        note
    }

    #[test]
    fn a_job_is_noted_by_what_comes_first_and_within_a_day() {
        assert_eq!(note(|draft| draft.key("user", "ann")), None);
        assert_eq!(note(|draft| draft.expires(Expiry::After(MINUTE))), Some(NOW.after(MINUTE)));
        assert_eq!(note(|draft| draft.expires(Expiry::After(100 * DAY))), Some(NOW.after(DAY)));
        let both = |first: u32, second: u32| {
            note(|draft| draft.expires(Expiry::At(NOW.after(first * MINUTE))).deadline(NOW.after(second * MINUTE)))
        };
        assert_eq!((both(1, 2), both(3, 2)), (Some(NOW.after(MINUTE)), Some(NOW.after(2 * MINUTE))));
    }

    #[test]
    fn who_waits_fails_at_the_moment_and_who_runs_is_left_alone() {
        let moment = NOW.after(MINUTE);
        for status in [Status::Queued, Status::Scheduled] {
            assert_eq!(look(status, Some(moment), NOW), Look::Later(moment));
            assert_eq!(look(status, Some(moment), moment), Look::Expire(JobError::expired(moment)));
        }
        assert_eq!(look(Status::Queued, Some(NOW.after(9 * DAY)), NOW), Look::Later(NOW.after(DAY)));
        assert_eq!(look(Status::InProgress, Some(moment), NOW), Look::Later(moment));
        assert_eq!(look(Status::InProgress, Some(moment), moment), Look::Later(moment.after(AGAIN)));
        assert_eq!(look(Status::Failed, Some(moment), NOW), Look::Forget);
        assert_eq!(look(Status::Queued, None, NOW), Look::Forget);
    }
}
