//! Schedules: a tick and its jobs, under one lock.

use windlass_core::Timestamp;
use windlass_store::gatekeeper::Bounds;
use windlass_store::schedules::{Kept, Revision, Write};

use crate::table::Table;

impl Table {
    /// Writes a schedule's next state and submits what goes with it, if nobody was faster.
    pub(crate) fn write(&mut self, write: Write, now: Timestamp) -> Option<Revision> {
        let Write { name, expected, due, record, jobs } = write;
        let former = self.schedules.revision(&name);
        if former != expected {
            return None;
        }
        let revision = Revision::following(former, now);
        self.schedules.put(Kept { name, revision, due, record });
        for job in jobs {
            let _passed_over_where_it_exists = self.submit(job, Bounds::default(), now);
        }
        Some(revision)
    }
}
