//! The floor of working in memory: the same payload into the same struct, through the same handler body, on tasks of
//! the same runtime, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::Fault;
use crate::handler::SendMail;
use crate::mail::Mail;
use crate::tally::Count;

/// What a floor of this kind is called.
pub(crate) const SETTINGS: &str = "tokio::spawn in batches of 1000, serde_json, the same handler body";

/// Tasks that run at the same time.
const BATCH: usize = 1_000;

/// How often all jobs run, so that the floor takes about as long as what is measured beside it: on a shared machine
/// a run of a tenth of a second meets other luck than one of half a second.
const ROUNDS: u32 = 4;

/// Counts a batch's tasks down to its end.
struct Round {
    left: AtomicU64,
    over: Notify,
}

/// How long `jobs` take: the mean of [`ROUNDS`].
pub(crate) async fn run(jobs: u64) -> Result<Duration, Fault> {
    let payload = |number| serde_json::to_vec(&Mail::numbered(number)).map(Bytes::from);
    let payloads: Vec<Bytes> = (0..jobs).map(payload).collect::<Result<_, _>>()?;
    let handler = SendMail::counting(jobs);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        for batch in payloads.chunks(BATCH) {
            run_batch(batch, &handler).await;
        }
    }
    let took = began.elapsed() / ROUNDS;
    match handler.tally.count() == (Count { ran: jobs, again: jobs * u64::from(ROUNDS - 1) }) {
        true => Ok(took),
        false => Err("the floor lost a job".into()),
    }
}

/// Ends when every task has.
async fn run_batch(batch: &[Bytes], handler: &SendMail) {
    let round = Arc::new(Round { left: AtomicU64::new(batch.len() as u64), over: Notify::new() });
    for payload in batch {
        let (payload, handler, round) = (payload.clone(), handler.clone(), round.clone());
        tokio::spawn(async move {
            if let Ok(mail) = serde_json::from_slice::<Mail>(&payload) {
                std::hint::black_box(handler.accept(&mail));
            }
            if round.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                round.over.notify_one();
            }
        });
    }
    round.over.notified().await;
}
