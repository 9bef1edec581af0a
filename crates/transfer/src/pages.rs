//! The jobs of the source that can move, page by page, in order of acceptance.

use windlass_core::Job;
use windlass_core::limits::PAGE_MAX;
use windlass_store::{Filter, Query, Result};

use crate::MOVING;

/// Goes once through the source.
pub(crate) struct Pages<'a> {
    query: &'a dyn Query,
    /// Where the next page begins; `None` behind the last.
    after: Option<u64>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(query: &'a dyn Query, after: u64) -> Self {
        Self { query, after: Some(after) }
    }

    /// Some jobs that can move and the place behind them; `None` at the end. A page in which none can move is empty.
    pub(crate) async fn next(&mut self) -> Result<Option<(Vec<Job>, u64)>> {
        let Some(after) = self.after else { return Ok(None) };
        let filter = Filter { after: Some(after), limit: PAGE_MAX, ..Filter::default() };
        let mut page = self.query.list(&filter).await?;
        page.jobs.retain(|job| MOVING.contains(&job.status));
        self.after = page.next;
        // What comes behind the last page was accepted since, and is for another transfer.
        Ok(Some((page.jobs, page.next.unwrap_or(after))))
    }
}
