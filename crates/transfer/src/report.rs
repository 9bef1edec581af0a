//! What a transfer says while it runs and at its end.

use std::fmt;

use windlass_core::{JobId, Status};

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does at the moment.
    pub phase: Phase,
    /// Jobs that this phase has dealt with.
    pub done: u64,
    /// Jobs that can move, as counted at the beginning; a resumed transfer copies fewer.
    pub total: u64,
    /// The place in the source up to which this phase is done: for [`Transfer::resume_after`](crate::Transfer::resume_after)
    /// while copying.
    pub place: u64,
}

/// The two passes of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Jobs go from one store into the other.
    Copying,
    /// Every job is read back and compared.
    Checking,
}

/// What a transfer did, and what its check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Jobs that this transfer brought.
    pub copied: u64,
    /// Jobs whose ids the destination knew already: from an earlier transfer, or as [`different`](Self::different) jobs.
    pub existing: u64,
    /// Jobs that the destination would not take, because what the source says of them does not go together.
    pub refused: u64,
    /// Jobs that stand in the destination just as they do in the source.
    pub same: u64,
    /// Jobs that arrived and have gone on since, because a worker or a sweep is at work on the destination.
    pub went_on: u64,
    /// Jobs that are not in the destination: refused, submitted to the source since, or removed from the destination.
    pub missing: Vec<JobId>,
    /// Jobs in the destination that have the same id and are others, or are the same and stand elsewhere.
    pub different: Vec<JobId>,
    /// Jobs that cannot move, by status, as counted at the end. Those that run are for another transfer when they have ended.
    pub left: Vec<(Status, u64)>,
    /// Whether somebody still worked on the source or submitted to it: then a job may be in both stores and run in both.
    pub source_moved: bool,
    /// The sum of what was submitted of all jobs that can move, in order of acceptance.
    pub source_sum: Sum,
    /// The same of what is in the destination under their ids.
    pub destination_sum: Sum,
}

impl Report {
    /// Whether every job that can move is in the destination, and nobody worked on the source meanwhile.
    pub fn is_complete(&self) -> bool {
        !self.source_moved
            && self.missing.is_empty()
            && self.different.is_empty()
            && self.source_sum == self.destination_sum
    }
}

/// A SHA-256 sum; shown in hexadecimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(pub [u8; 32]);

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { copied, existing, refused, same, went_on, .. } = self;
        writeln!(f, "copied {copied}, there before {existing}, refused {refused}")?;
        let (missing, different) = (self.missing.len(), self.different.len());
        writeln!(f, "checked: {same} the same, {went_on} went on, {missing} missing, {different} different")?;
        if self.source_moved {
            writeln!(f, "the source is still at work: stop its programs, and run this again")?;
        }
        for (status, jobs) in &self.left {
            writeln!(f, "left behind: {jobs} {status}")?;
        }
        writeln!(f, "source      sha256 {}", self.source_sum)?;
        write!(f, "destination sha256 {}", self.destination_sum)
    }
}
