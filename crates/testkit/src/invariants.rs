//! What holds whatever happened. The numbers are those of the reliability page: I3 (one winner), I5 (tokens rise),
//! I12 (accounts are right).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use windlass_core::{Job, JobId, QueueName, Status, Timestamp};
use windlass_store::{Counts, Fate, Filter, Lease, Query, Token};

use crate::compare::{Difference, same};

/// Watches the answers of a store.
#[derive(Debug, Default)]
pub struct Ledger {
    tokens: HashMap<JobId, Token>,
    settled: HashSet<Lease>,
    finished: HashMap<JobId, Status>,
}

impl Ledger {
    /// I5: the token of every claim is higher than all before it of the same job.
    pub fn claimed(&mut self, lease: Lease) -> Result<(), Difference> {
        match self.tokens.insert(lease.id, lease.token) {
            Some(before) if before >= lease.token => {
                Err(format!("I5: the token of {} went from {before:?} to {:?}", lease.id, lease.token))
            }
            _ => Ok(()),
        }
    }

    /// I3: a lease settles once.
    pub fn settled(&mut self, lease: Lease, fate: Fate) -> Result<(), Difference> {
        match fate {
            Fate::Settled(_) if !self.settled.insert(lease) => Err(format!("I3: {lease:?} settled twice")),
            Fate::Repeated(_) if !self.settled.contains(&lease) => {
                Err(format!("I3: {lease:?} is called repeated and was never accepted"))
            }
            _ => Ok(()),
        }
    }

    /// I3: `Completed` and `Canceled` are for ever; only their removal ends them.
    pub fn seen(&mut self, id: JobId, job: Option<&Job>) -> Result<(), Difference> {
        let Some(job) = job else {
            self.finished.remove(&id);
            return Ok(());
        };
        if let Some(end) = self.finished.get(&id) {
            return same("I3: a final status", end, &job.status);
        }
        if matches!(job.status, Status::Completed | Status::Canceled) {
            self.finished.insert(id, job.status);
        }
        Ok(())
    }
}

/// I12: the counts are what the list finds, for every queue and status. Returns all jobs, in order of acceptance.
pub async fn accounting(query: &dyn Query) -> Result<Vec<Job>, Difference> {
    let jobs = everything(query).await?;
    let mut found = BTreeMap::new();
    for job in &jobs {
        *found.entry((job.new.queue.clone(), job.status)).or_insert(0) += 1;
    }
    let mut counts = query.counts().await.map_err(|error| error.to_string())?;
    counts.0.retain(|_, count| *count > 0);
    same("I12: counts", &Counts(found), &counts)?;
    Ok(jobs)
}

/// I12: of each queue, the ready job that is listed with the earliest change is the one that has waited longest.
pub async fn waits(query: &dyn Query, now: Timestamp, jobs: &[Job]) -> Result<(), Difference> {
    let mut found: BTreeMap<QueueName, Option<Duration>> = BTreeMap::new();
    for job in jobs {
        let wait = (job.status == Status::Queued).then(|| job.updated_at.until(now));
        let longest = found.entry(job.new.queue.clone()).or_default();
        *longest = wait.max(*longest);
    }
    let queues: Vec<QueueName> = found.keys().cloned().collect();
    let waits = query.oldest_waiting(&queues).await.map_err(|error| error.to_string())?;
    same("I12: oldest waiting", &found.into_values().collect::<Vec<_>>(), &waits)
}

async fn everything(query: &dyn Query) -> Result<Vec<Job>, Difference> {
    let mut jobs = Vec::new();
    let mut filter = Filter { limit: usize::MAX, ..Filter::default() };
    loop {
        let page = query.list(&filter).await.map_err(|error| error.to_string())?;
        jobs.extend(page.jobs);
        if page.next.is_none() {
            return Ok(jobs);
        }
        if page.next <= filter.after {
            return Err(format!("I12: the list goes back from {:?} to {:?}", filter.after, page.next));
        }
        filter.after = page.next;
    }
}
