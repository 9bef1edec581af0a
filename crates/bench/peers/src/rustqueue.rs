//! rustqueue 0.3.0 on redb, whose commits are synced (its default). One by one: `push`. In bulk: `push_batch` of 1000.
//! A backlog: `pull` of 1000 and `ack_batch`, which is faster than its `run_worker` (one job at a time). 64 callers:
//! `push` from 64 tasks; its write coalescing waits for a 10 ms timer at this number of callers and is slower.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustqueue::QueueManager;
use rustqueue::engine::queue::{BatchAckItem, BatchPushItem};
use rustqueue::storage::RedbStorage;

use crate::intake::{Intake, submit};
use crate::mail::Mail;
use crate::measurement::Measurement;
use crate::tally::Tally;
use crate::task::Task;
use crate::{Fault, report};

const QUEUE: &str = "default";
const NAME: &str = "SendMail";
const BATCH: u32 = 1_000;

pub(crate) async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let storage = RedbStorage::new(task.dir.join("rustqueue.redb"))?;
    let manager = Arc::new(QueueManager::new(Arc::new(storage)));
    let tally = Tally::of(task.jobs);
    let submitted = submit(&manager, task).await?;
    let drained = drain(&manager, task, &tally).await?;
    let took = if task.question == "drain" { drained } else { submitted };
    let completed = manager.get_queue_stats(QUEUE).await?.completed;
    Ok(Measurement {
        settings: "redb, durability Immediate; pull(1000) + ack_batch".to_owned(),
        versions: "rustqueue 0.3.0".to_owned(),
        ..report(task, took, tally.count(), completed)
    })
}

impl Intake for Arc<QueueManager> {
    async fn add(&mut self, mail: Mail) -> Result<(), Fault> {
        self.push(QUEUE, NAME, serde_json::to_value(mail)?, None).await?;
        Ok(())
    }

    async fn add_all(&mut self, mails: Vec<Mail>) -> Result<(), Fault> {
        let item = |mail| Ok(BatchPushItem { name: NAME.to_owned(), data: serde_json::to_value(mail)?, options: None });
        self.push_batch(QUEUE, mails.into_iter().map(item).collect::<Result<_, Fault>>()?).await?;
        Ok(())
    }
}

/// How long the whole backlog takes, to the last acknowledgement.
async fn drain(manager: &QueueManager, task: &Task, tally: &Tally) -> Result<Duration, Fault> {
    let began = Instant::now();
    let mut done = 0;
    while done < task.jobs {
        let jobs = manager.pull(QUEUE, BATCH).await?;
        if jobs.is_empty() {
            return Err(format!("the queue is empty after {done} jobs").into());
        }
        let mut items = Vec::with_capacity(jobs.len());
        for job in jobs {
            tally.mark(serde_json::from_value::<Mail>(job.data)?.id);
            items.push(BatchAckItem { id: job.id, result: None });
        }
        done += manager.ack_batch(items).await?.iter().filter(|answer| answer.ok).count() as u64;
    }
    Ok(began.elapsed())
}
