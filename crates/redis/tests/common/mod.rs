//! Jobs to submit and stores to submit them to.

use std::time::Duration;

use windlass_core::{Clock, Incarnation, JobId, NewJob, Payload, QueueName, Status, SystemClock};
use windlass_redis::Redis;
use windlass_store::{Claim, Fate, Filter, Lease, Outcome, Query, Settlement, Verbs};

pub(crate) fn job(payload: &str) -> NewJob {
    NewJob::build("Job", Payload::new("text/plain", payload.to_owned())).finish(SystemClock.now()).unwrap()
}

pub(crate) fn wanted(limit: usize) -> Claim {
    let (queues, worker) = (vec![QueueName::default()], Incarnation::random());
    Claim { queues, limit, lease: Duration::from_secs(30), worker, suspects: limit, handlers: None }
}

pub(crate) async fn open(url: &str) -> Redis {
    Redis::options().open(url).await.unwrap()
}

pub(crate) async fn listed(store: &Redis) -> Vec<JobId> {
    let filter = Filter { limit: 100, ..Default::default() };
    store.list(&filter).await.unwrap().jobs.iter().map(|job| job.new.id).collect()
}

/// Opens a store that keeps nothing that ended.
pub(crate) async fn forgetful(url: &str, shards: usize) -> Redis {
    let options = Redis::options().shards(shards);
    options.completed_retention(Duration::ZERO).failed_retention(Duration::ZERO).open(url).await.unwrap()
}

pub(crate) trait Settle {
    async fn settle_one(&self, lease: Lease, outcome: Outcome) -> Status;
}

impl Settle for Redis {
    async fn settle_one(&self, lease: Lease, outcome: Outcome) -> Status {
        let settlement = Settlement { lease, outcome, emitted: Vec::new() };
        match self.settle(vec![settlement]).await.unwrap()[0] {
            Fate::Settled(status) => status,
            refused => panic!("{refused:?}"),
        }
    }
}
