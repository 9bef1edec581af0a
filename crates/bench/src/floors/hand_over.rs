//! The floor of submission in memory: callers hand jobs to one task and await its answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::mail::Mail;

/// What a floor of this kind is called.
pub(crate) const SETTINGS: &str = "tokio channel there, oneshot back";

type Parcel = (Vec<Vec<u8>>, oneshot::Sender<usize>);

/// Hands over `jobs` jobs, `batch` at a time, by so many callers.
pub(crate) async fn submit(jobs: u64, callers: u64, batch: u64) -> Duration {
    let (sender, mut receiver) = mpsc::channel::<Parcel>(65_536);
    let keeper = tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Some((mut parcel, reply)) = receiver.recv().await {
            let count = parcel.len();
            kept.append(&mut parcel);
            let _caller_waits = reply.send(count);
        }
        kept.len()
    });
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(call(sender.clone(), next.clone(), jobs, batch))).collect();
    for task in tasks {
        let _ended = task.await;
    }
    let took = began.elapsed();
    drop(sender);
    let _kept = keeper.await;
    took
}

async fn call(sender: mpsc::Sender<Parcel>, next: Arc<AtomicU64>, jobs: u64, batch: u64) {
    loop {
        let start = next.fetch_add(batch, Ordering::Relaxed);
        if start >= jobs {
            return;
        }
        let numbers = start..jobs.min(start + batch);
        let parcel = numbers.filter_map(|number| serde_json::to_vec(&Mail::numbered(number)).ok()).collect();
        let (reply, answer) = oneshot::channel();
        if sender.send((parcel, reply)).await.is_err() || answer.await.is_err() {
            return;
        }
    }
}
