//! Copies the jobs of one store into another, of whatever kind, and proves that they arrived.
//!
//! Jobs that wait, are scheduled or have failed go as they stand: with their input, owner, times, counters, errors and
//! history, in their order of acceptance. What has completed or was canceled stays behind, and so does what runs: stop the
//! programs on the source first, or a job may run in both places. Nothing is removed from the source.
//!
//! A transfer that was cut off is run again: what has arrived is known by its id and left alone. At its end every job is
//! read back and compared, and both sides are summed.
//!
//! # Layout
//!
//! - [`Transfer`] (here): which stores, and the two passes
//! - [`report`]: [`Progress`] and [`Report`], what is said meanwhile and at the end
//! - `pages`: the jobs of the source, page by page
//! - `check`: a job as it arrived beside the one that left
//!
//! ```
//! use std::sync::Arc;
//!
//! use windlass_core::{NewJob, Payload, Timestamp};
//! use windlass_memory::Memory;
//! use windlass_store::Verbs;
//! use windlass_transfer::Transfer;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (old, new) = (Arc::new(Memory::new()), Arc::new(Memory::new()));
//! let job = NewJob::build("Greet", Payload::json("world")?).finish(Timestamp::UNIX_EPOCH)?;
//! let _ = old.submit(vec![job]).await?;
//!
//! let report = Transfer::between(old, new).run(|progress| println!("{}/{}", progress.done, progress.total)).await?;
//! assert!(report.is_complete() && report.copied == 1);
//! # Ok(())
//! # }
//! ```

mod check;
mod pages;
pub mod report;

use futures_util::future::try_join_all;
use windlass_core::{Job, Status};
use windlass_store::{Counts, Import, Imported, Query, Scope, SharedStore};

use crate::check::{Arrival, Sums};
use crate::pages::Pages;
pub use crate::report::{Phase, Progress, Report, Sum};

/// The statuses that move.
const MOVING: [Status; 3] = [Status::Queued, Status::Scheduled, Status::Failed];

/// A transfer from one store into another.
pub struct Transfer {
    from: SharedStore,
    to: SharedStore,
    after: u64,
}

/// Why a transfer stopped. What had arrived until then stays; run it again to go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The source cannot be listed.
    #[error("the store {0:?} cannot list its jobs")]
    NoQuery(&'static str),
    /// The destination cannot take jobs in.
    #[error("the store {0:?} takes in no jobs of other stores")]
    NoImport(&'static str),
    /// The source failed.
    #[error("reading from {store:?}, behind place {place}: {source}")]
    Source {
        /// What the source is called.
        store: &'static str,
        /// How far the transfer had come, for [`Transfer::resume_after`].
        place: u64,
        /// The failure.
        source: windlass_store::Error,
    },
    /// The destination failed.
    #[error("writing to {store:?}, behind place {place}: {source}")]
    Destination {
        /// What the destination is called.
        store: &'static str,
        /// How far the transfer had come, for [`Transfer::resume_after`].
        place: u64,
        /// The failure.
        source: windlass_store::Error,
    },
}

impl Transfer {
    /// A transfer of everything that can move.
    pub fn between(from: SharedStore, to: SharedStore) -> Self {
        Self { from, to, after: 0 }
    }

    /// Copies nothing up to this place, which an earlier transfer of the same source had reached
    /// ([`Progress::place`]). It saves the reading; without it everything is looked at again, and what is there is left
    /// alone. The check at the end always looks at everything.
    pub fn resume_after(self, place: u64) -> Self {
        Self { after: place, ..self }
    }

    /// Copies and checks. `on_progress` is called after every page of at most 100 jobs.
    ///
    /// # Errors
    ///
    /// When a store lacks the capability or fails; with the place that was reached.
    pub async fn run(self, mut on_progress: impl FnMut(&Progress)) -> Result<Report, TransferError> {
        let query = self.from.query().ok_or(TransferError::NoQuery(self.from.name()))?;
        let importer = self.to.importer().ok_or(TransferError::NoImport(self.to.name()))?;
        let counts = query.counts().await.map_err(|error| self.unread(0, error))?;
        let running = counts.total(Status::InProgress);
        let mut report = Report::default();
        let total = MOVING.iter().map(|status| counts.total(*status)).sum();
        let copied = self.copy(query, importer, total, &mut report, &mut on_progress).await?;
        self.check(query, total, &mut report, &mut on_progress).await?;
        let counts = query.counts().await.map_err(|error| self.unread(0, error))?;
        report.left = left(&counts);
        let whole = self.after == 0;
        report.source_moved = running + counts.total(Status::InProgress) > 0 || (whole && copied != report.source_sum);
        Ok(report)
    }

    /// The next page is read while one is written. The sum of what was copied.
    async fn copy(
        &self,
        query: &dyn Query,
        importer: &dyn Import,
        total: u64,
        report: &mut Report,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<Sum, TransferError> {
        let (mut pages, mut sums) = (Pages::new(query, self.after), Sums::default());
        let mut progress = Progress { phase: Phase::Copying, done: 0, total, place: self.after };
        let mut page = pages.next().await.map_err(|error| self.unread(progress.place, error))?;
        while let Some((jobs, place)) = page.take() {
            jobs.iter().for_each(|job| sums.add(job, None));
            let write = importer.import(jobs);
            let (written, read) = futures_util::join!(write, pages.next());
            for imported in written.map_err(|error| self.unwritten(progress.place, error))? {
                report.count(imported);
                progress.done += 1;
            }
            progress.place = place;
            on_progress(&progress);
            page = read.map_err(|error| self.unread(place, error))?;
        }
        Ok(sums.finish().0)
    }

    async fn check(
        &self,
        query: &dyn Query,
        total: u64,
        report: &mut Report,
        on_progress: &mut impl FnMut(&Progress),
    ) -> Result<(), TransferError> {
        let mut pages = Pages::new(query, 0);
        let mut sums = Sums::default();
        let mut progress = Progress { phase: Phase::Checking, done: 0, total, place: 0 };
        while let Some((jobs, place)) = pages.next().await.map_err(|error| self.unread(progress.place, error))? {
            let arrived = self.arrived(&jobs).await.map_err(|error| self.unwritten(progress.place, error))?;
            for (left, arrived) in jobs.iter().zip(&arrived) {
                sums.add(left, arrived.as_ref());
                report.note(left, Arrival::of(left, arrived.as_ref()));
            }
            (progress.done, progress.place) = (progress.done + jobs.len() as u64, place);
            on_progress(&progress);
        }
        (report.source_sum, report.destination_sum) = sums.finish();
        Ok(())
    }

    async fn arrived(&self, jobs: &[Job]) -> windlass_store::Result<Vec<Option<Job>>> {
        try_join_all(jobs.iter().map(|job| self.to.get(job.new.id, &Scope::Everything))).await
    }

    fn unread(&self, place: u64, source: windlass_store::Error) -> TransferError {
        TransferError::Source { store: self.from.name(), place, source }
    }

    fn unwritten(&self, place: u64, source: windlass_store::Error) -> TransferError {
        TransferError::Destination { store: self.to.name(), place, source }
    }
}

/// How many jobs of each other status stay behind.
fn left(counts: &Counts) -> Vec<(Status, u64)> {
    let others = Status::ALL.into_iter().filter(|status| !MOVING.contains(status));
    others.map(|status| (status, counts.total(status))).filter(|(_, jobs)| *jobs > 0).collect()
}

impl Report {
    fn count(&mut self, imported: Imported) {
        match imported {
            Imported::Kept => self.copied += 1,
            Imported::Existing => self.existing += 1,
            Imported::Refused => self.refused += 1,
        }
    }

    fn note(&mut self, job: &Job, arrival: Arrival) {
        match arrival {
            Arrival::Same => self.same += 1,
            Arrival::WentOn => self.went_on += 1,
            Arrival::Different => self.different.push(job.new.id),
            Arrival::Missing => self.missing.push(job.new.id),
        }
    }
}
