//! The state table: the only place where a job's next status is decided. Stores *apply* what it says.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::InvalidInput;

/// Where a job stands. The names are those on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Status {
    /// Ready to be claimed.
    Queued,
    /// Waits for its time: a delayed start, a retry, a snooze.
    Scheduled,
    /// Claimed by a worker that holds its lease.
    InProgress,
    /// Finished with a result. Final.
    Completed,
    /// Gave up: a dead letter that keeps its payload and errors and can be replayed.
    Failed,
    /// Canceled before it finished. Final.
    Canceled,
}

/// What can happen to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A worker takes it and gets a lease.
    Claim,
    /// Its handler succeeded.
    Complete,
    /// Its handler failed and may try again.
    Retry,
    /// Its handler failed for good: a permanent error, or no attempts left.
    Fail,
    /// Its worker gives it back without having spent an attempt.
    Release,
    /// Its handler asks to run again later, without spending an attempt.
    Snooze,
    /// Its lease ran out: the worker is dead or cut off.
    Reclaim,
    /// Its lease ran out once too often: it is taken for the cause.
    Quarantine,
    /// Somebody cancels it.
    Cancel,
    /// Its handler stopped after a cancellation was requested.
    Stop,
    /// Its time has come.
    Due,
    /// It waited past its deadline.
    Expire,
    /// An operator sends a dead letter round again.
    Replay,
}

/// What an event does to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The job has this status now.
    To(Status),
    /// The status stays; the running handler is asked to stop.
    RequestCancel,
}

impl Status {
    /// Every status, in the order of a job's life.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Scheduled, Self::InProgress, Self::Completed, Self::Failed, Self::Canceled];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::Scheduled => "Scheduled",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }

    /// Whether a handler will not run any more unless somebody replays the job.
    pub const fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled)
    }

    /// Whether the job counts against the size of its queue.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Queued | Self::Scheduled)
    }

    /// A small number for records. Never renumber: files on disk hold it.
    pub const fn code(self) -> u8 {
        match self {
            Self::Queued => 1,
            Self::Scheduled => 2,
            Self::InProgress => 3,
            Self::Completed => 4,
            Self::Failed => 5,
            Self::Canceled => 6,
        }
    }

    /// The status that [`code`](Self::code) gave.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or(InvalidInput::new("status", "must be Queued, Scheduled, InProgress, Completed, Failed or Canceled"))
    }
}

impl Event {
    /// Every event, in the order of the table's columns.
    pub const ALL: [Self; 13] = [
        Self::Claim,
        Self::Complete,
        Self::Retry,
        Self::Fail,
        Self::Release,
        Self::Snooze,
        Self::Reclaim,
        Self::Quarantine,
        Self::Cancel,
        Self::Stop,
        Self::Due,
        Self::Expire,
        Self::Replay,
    ];

    /// What the event becomes when the job's cancellation was requested before: a handler that succeeds all the
    /// same has done its work and keeps it, anything else ends the job instead of running it again.
    pub const fn under_cancel(self, requested: bool) -> Self {
        match self {
            Self::Retry | Self::Fail | Self::Release | Self::Snooze | Self::Reclaim | Self::Quarantine if requested => {
                Self::Stop
            }
            other => other,
        }
    }
}

/// The state table. `None` says that the event cannot happen to a job of that status, and that nothing changes.
pub const fn next(from: Status, event: Event) -> Option<Step> {
    use Event as E;
    use Status as S;
    let to = match (from, event) {
        (S::Queued, E::Claim) => S::InProgress,
        (S::Queued | S::Scheduled, E::Cancel) => S::Canceled,
        (S::Queued | S::Scheduled, E::Expire) => S::Failed,
        (S::Scheduled, E::Due) => S::Queued,
        (S::InProgress, E::Complete) => S::Completed,
        (S::InProgress, E::Retry | E::Snooze) => S::Scheduled,
        (S::InProgress, E::Release | E::Reclaim) => S::Queued,
        (S::InProgress, E::Fail | E::Quarantine) => S::Failed,
        (S::InProgress, E::Stop) => S::Canceled,
        (S::InProgress, E::Cancel) => return Some(Step::RequestCancel),
        (S::Failed, E::Cancel) => S::Canceled,
        (S::Failed, E::Replay) => S::Queued,
        _ => return None,
    };
    Some(Step::To(to))
}

/// The table as a Mermaid state chart, for `docs/state-machine.md`; a test fails when the page drifts from it.
pub fn chart() -> String {
    let mut chart = String::from("stateDiagram-v2\n    [*] --> Queued: submit\n    [*] --> Scheduled: submit later\n");
    for from in Status::ALL {
        for event in Event::ALL {
            let Some(step) = next(from, event) else { continue };
            let (to, note) = match step {
                Step::To(to) => (to, ""),
                Step::RequestCancel => (from, " (asks the handler to stop)"),
            };
            let _ = writeln!(chart, "    {from} --> {to}: {}{note}", format!("{event:?}").to_lowercase());
        }
    }
    chart.push_str("    Completed --> [*]\n    Canceled --> [*]\n");
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the design, row by row: (from, event, to). Everything not listed must be refused.
    const TABLE: [(Status, Event, Status); 14] = [
        (Status::Queued, Event::Claim, Status::InProgress),
        (Status::Queued, Event::Cancel, Status::Canceled),
        (Status::Queued, Event::Expire, Status::Failed),
        (Status::Scheduled, Event::Due, Status::Queued),
        (Status::Scheduled, Event::Cancel, Status::Canceled),
        (Status::Scheduled, Event::Expire, Status::Failed),
        (Status::InProgress, Event::Complete, Status::Completed),
        (Status::InProgress, Event::Retry, Status::Scheduled),
        (Status::InProgress, Event::Fail, Status::Failed),
        (Status::InProgress, Event::Release, Status::Queued),
        (Status::InProgress, Event::Snooze, Status::Scheduled),
        (Status::InProgress, Event::Reclaim, Status::Queued),
        (Status::InProgress, Event::Quarantine, Status::Failed),
        (Status::InProgress, Event::Stop, Status::Canceled),
    ];
    const DEAD_LETTERS: [(Status, Event, Status); 2] =
        [(Status::Failed, Event::Cancel, Status::Canceled), (Status::Failed, Event::Replay, Status::Queued)];

    #[test]
    fn every_pair_is_as_the_design_says() {
        for from in Status::ALL {
            for event in Event::ALL {
                let row = TABLE.iter().chain(&DEAD_LETTERS).find(|row| (row.0, row.1) == (from, event));
                let expected = match (from, event) {
                    (Status::InProgress, Event::Cancel) => Some(Step::RequestCancel),
                    _ => row.map(|row| Step::To(row.2)),
                };
                assert_eq!(next(from, event), expected, "{from} on {event:?}");
            }
        }
    }

    #[test]
    fn completed_and_canceled_are_final() {
        for event in Event::ALL {
            assert_eq!(next(Status::Completed, event), None);
            assert_eq!(next(Status::Canceled, event), None);
        }
    }

    #[test]
    fn a_requested_cancellation_wins_over_everything_but_success() {
        assert_eq!(Event::Complete.under_cancel(true), Event::Complete);
        assert_eq!(Event::Retry.under_cancel(true), Event::Stop);
        assert_eq!(Event::Reclaim.under_cancel(true), Event::Stop);
        assert_eq!(Event::Retry.under_cancel(false), Event::Retry);
    }

    #[test]
    fn codes_and_names_lead_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(status));
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!(Status::from_code(0), None);
    }

    #[test]
    fn the_chart_in_the_docs_is_the_table() {
        let page = include_str!("../../../docs/state-machine.md");
        assert!(page.contains(&chart()), "docs/state-machine.md has drifted; it must contain:\n{}", chart());
    }
}
