//! Lists and counts.

use std::time::Duration;

use windlass_core::limits::PAGE_MAX;
use windlass_core::{Job, QueueName, Status, Timestamp};
use windlass_store::{Counts, Filter, Page};

use crate::entry::{Entry, Seq};
use crate::table::Table;

/// How many jobs a search looks at before it lets others have the table: well under a millisecond's worth.
const SLICE: usize = 4_096;

/// A listing in the making.
pub(crate) struct Search<'a> {
    filter: &'a Filter,
    limit: usize,
    seen: Seq,
    found: Vec<(Seq, Job)>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(filter: &'a Filter) -> Self {
        let limit = filter.limit.clamp(1, PAGE_MAX);
        Self { filter, limit, seen: filter.after.unwrap_or(0), found: Vec::new() }
    }

    /// The page. One job more than fits was looked for, to know whether this is the last.
    pub(crate) fn finish(mut self) -> Page {
        let last = self.found.len() <= self.limit;
        self.found.truncate(self.limit);
        let next = self.found.last().filter(|_| !last).map(|&(seq, _)| seq);
        Page { jobs: self.found.into_iter().map(|(_, job)| job).collect(), next }
    }

    fn look_at(&mut self, entry: &Entry) {
        self.seen = entry.seq;
        if self.filter_allows(entry) {
            self.found.push((entry.seq, entry.view()));
        }
    }

    fn filter_allows(&self, entry: &Entry) -> bool {
        let Filter { queue, name, status, scope, .. } = self.filter;
        let new = &entry.job.new;
        queue.as_ref().is_none_or(|queue| *queue == new.queue)
            && name.as_ref().is_none_or(|name| *name == new.name)
            && status.is_none_or(|status: Status| status == entry.job.status)
            && scope.allows(new.owner.as_ref())
    }

    fn is_full(&self) -> bool {
        self.found.len() > self.limit
    }
}

impl Table {
    /// Goes on with a search; whether there is more to look at.
    pub(crate) fn search(&self, search: &mut Search<'_>) -> bool {
        let mut looked = 0;
        for entry in self.jobs.after(search.seen).take(SLICE) {
            search.look_at(entry);
            looked += 1;
            if search.is_full() {
                return false;
            }
        }
        looked == SLICE
    }

    /// How many jobs of each queue have each status.
    pub(crate) fn counts(&self) -> Counts {
        let cells =
            self.index.queues().flat_map(|queue| queue.counts().map(|(status, n)| ((queue.name.clone(), status), n)));
        Counts(cells.filter(|&(_, count)| count > 0).collect())
    }

    /// For how long the job of a queue that has been ready longest has waited.
    pub(crate) fn oldest_waiting(&self, queue: &QueueName, now: Timestamp) -> Option<Duration> {
        let heads = self.index.queue(queue)?.heads();
        heads.filter_map(|seq| self.jobs.get(seq)).map(|entry| entry.job.updated_at.until(now)).max()
    }
}
