//! Schedules: small records with a revision, which is what makes each tick happen once. Whoever deals with a tick writes
//! the schedule's next state and the tick's jobs in one transaction, if nobody has written since it looked; no process has to
//! be the leader.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use windlass_core::schedule::Cursor;
use windlass_core::{NewJob, Schedule, ScheduleName, Timestamp};

use crate::codec::{seal, unseal};
use crate::error::Result;

/// Keeps schedules, where the backend can.
#[async_trait]
pub trait Schedules: Send + Sync {
    /// Writes a schedule and submits jobs with it, which no limit of a queue holds back, if its revision is the expected one:
    /// both or neither. The new revision; `None` when somebody else has written, removed or made it since. Ids under which jobs
    /// exist are passed over.
    async fn write_schedule(&self, write: Write) -> Result<Option<Revision>>;

    /// The schedule of this name.
    async fn find_schedule(&self, name: &ScheduleName) -> Result<Option<Kept>>;

    /// Schedules by name, at most so many (and no more than [`PAGE_MAX`](windlass_core::limits::PAGE_MAX)), those behind
    /// `after`.
    async fn list_schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Result<Vec<Kept>>;

    /// Schedules that are due, the earliest first, at most so many.
    async fn due_schedules(&self, limit: usize) -> Result<DueSchedules>;

    /// Removes a schedule. Jobs that it submitted stay. Whether there was one.
    async fn remove_schedule(&self, name: &ScheduleName) -> Result<bool>;
}

/// Which state of a schedule: a moment, so that a schedule that is removed and made again never has an old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a state that is written at `now` over this one.
    pub fn following(former: Option<Self>, now: Timestamp) -> Self {
        let now = now.as_micros().max(1) as u64;
        Self(former.map_or(now, |Self(former)| now.max(former + 1)))
    }
}

/// A schedule's next state.
#[derive(Clone, Debug)]
pub struct Write {
    /// Its name.
    pub name: ScheduleName,
    /// The revision it must have; `None` where there must be none of this name.
    pub expected: Option<Revision>,
    /// When somebody should look at it again; `None` for never.
    pub due: Option<Timestamp>,
    /// What is kept of it: [`Record::seal`].
    pub record: Vec<u8>,
    /// What is submitted with it.
    pub jobs: Vec<Arc<NewJob>>,
}

/// A schedule as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its name.
    pub name: ScheduleName,
    /// Which state this is.
    pub revision: Revision,
    /// When somebody should look at it again.
    pub due: Option<Timestamp>,
    /// What is kept of it.
    pub record: Vec<u8>,
}

/// What is due, and when to come back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DueSchedules {
    /// The store's now.
    pub at: Timestamp,
    /// Those that are due.
    pub schedules: Vec<Kept>,
    /// When the next one is due that is not among them; not after `at` when more are due than were asked for.
    pub next: Option<Timestamp>,
}

/// A schedule and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What is submitted when.
    pub schedule: Schedule,
    /// How far it is.
    pub cursor: Cursor,
}

impl Record {
    /// The bytes that stores keep.
    ///
    /// # Errors
    ///
    /// `Corrupt`, which no record of this library can cause.
    pub fn seal(&self) -> Result<Vec<u8>> {
        seal(self)
    }
}

impl Kept {
    /// What [`Record::seal`] made.
    ///
    /// # Errors
    ///
    /// `Corrupt` when it is anything else, or of a time zone that this machine does not know.
    pub fn record(&self) -> Result<Record> {
        unseal("schedule", &self.record)
    }
}
