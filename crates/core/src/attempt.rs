//! The attempts of a job, as its history keeps them.

use serde::{Deserialize, Serialize};

use crate::failure::JobError;
use crate::id::Incarnation;
use crate::time::Timestamp;

/// How one attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// The handler succeeded.
    Completed,
    /// The handler failed, for now or for good.
    Failed,
    /// The worker's lease ran out.
    Crashed,
    /// The handler stopped because the job was canceled.
    Canceled,
}

impl AttemptOutcome {
    /// The number that stores keep. Never renumbered.
    pub const fn code(self) -> u8 {
        match self {
            Self::Completed => 1,
            Self::Failed => 2,
            Self::Crashed => 3,
            Self::Canceled => 4,
        }
    }

    /// What [`code`](Self::code) gave; `None` for any other number.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Completed, Self::Failed, Self::Crashed, Self::Canceled]
            .into_iter()
            .find(|outcome| outcome.code() == code)
    }
}

/// One execution of a job, as its history keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counted from 1; snoozed and released executions are not counted.
    pub number: u32,
    /// When the store gave it out.
    pub started_at: Timestamp,
    /// When the store heard how it ended.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why, unless it succeeded.
    pub error: Option<JobError>,
    /// The process that ran it.
    pub worker: Incarnation,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        for code in 1..=4 {
            assert_eq!(AttemptOutcome::from_code(code).map(AttemptOutcome::code), Some(code));
        }
        assert_eq!((AttemptOutcome::from_code(0), AttemptOutcome::from_code(5)), (None, None));
    }
}
