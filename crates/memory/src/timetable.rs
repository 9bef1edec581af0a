//! Schedules by name and by when they are due.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use windlass_core::limits::PAGE_MAX;
use windlass_core::{ScheduleName, Timestamp};
use windlass_store::schedules::{DueSchedules, Kept, Revision};

/// All schedules.
#[derive(Debug, Default)]
pub(crate) struct Timetable {
    by_name: BTreeMap<ScheduleName, Kept>,
    by_due: BTreeSet<(Timestamp, ScheduleName)>,
}

impl Timetable {
    pub(crate) fn find(&self, name: &ScheduleName) -> Option<Kept> {
        self.by_name.get(name).cloned()
    }

    pub(crate) fn revision(&self, name: &ScheduleName) -> Option<Revision> {
        self.by_name.get(name).map(|kept| kept.revision)
    }

    /// A page of them, by name.
    pub(crate) fn list(&self, after: Option<&ScheduleName>, limit: usize) -> Vec<Kept> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.by_name.range::<ScheduleName, _>((from, Bound::Unbounded));
        behind.take(limit.min(PAGE_MAX)).map(|(_, kept)| kept.clone()).collect()
    }

    /// What is due, and when the next one is.
    pub(crate) fn due(&self, limit: usize, now: Timestamp) -> DueSchedules {
        let due = self.by_due.iter().take_while(|(due, _)| *due <= now).take(limit.min(PAGE_MAX));
        let schedules: Vec<Kept> = due.filter_map(|(_, name)| self.find(name)).collect();
        let next = self.by_due.iter().nth(schedules.len()).map(|(due, _)| *due);
        DueSchedules { at: now, schedules, next }
    }

    pub(crate) fn remove(&mut self, name: &ScheduleName) -> bool {
        let Some(former) = self.by_name.remove(name) else { return false };
        if let Some(due) = former.due {
            self.by_due.remove(&(due, former.name));
        }
        true
    }

    pub(crate) fn put(&mut self, kept: Kept) {
        self.remove(&kept.name);
        self.by_due.extend(kept.due.map(|due| (due, kept.name.clone())));
        self.by_name.insert(kept.name.clone(), kept);
    }
}
