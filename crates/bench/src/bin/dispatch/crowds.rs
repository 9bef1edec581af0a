//! Many messages at once, and one after the other in their streams.

use std::hint::black_box;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::{Builder, Runtime};
use windlass::messages::{Lanes, Local, Parallel};

use crate::paths::{Order, Shop, orders};

/// How many messages come together.
const BATCH: u64 = 1_000;

/// At most 16 at once, in batches.
pub(crate) fn parallel(calls: u64) {
    let parallel = Parallel::new(NonZeroU32::new(16).expect("not zero"));
    let orders = black_box(orders(Shop(black_box(7))));
    let done = alone().block_on(async {
        let mut done = 0;
        for batch in 0..calls.div_ceil(BATCH) {
            let numbers = batch * BATCH..((batch + 1) * BATCH).min(calls);
            let replies = parallel.run_all(numbers, |number| orders.send(Order(black_box(number)))).await;
            done += replies.iter().filter(|reply| reply.is_ok()).count() as u64;
        }
        done
    });
    assert_eq!(done, calls, "each is handled, once");
}

/// One after the other in each of ten streams, in batches.
pub(crate) fn lanes(calls: u64) {
    const STREAMS: u64 = 10;
    let runtime = Builder::new_multi_thread().worker_threads(2).build().expect("a runtime starts");
    let (orders, done) = (Arc::new(orders(Shop(black_box(7)))), Arc::new(AtomicU64::new(0)));
    runtime.block_on(async {
        let handled = done.clone();
        let work = move |number: u64| {
            let (orders, handled) = (orders.clone(), handled.clone());
            async move {
                if black_box(orders.send(Order(number)).await).is_ok() {
                    handled.fetch_add(1, Ordering::Relaxed);
                }
            }
        };
        let lanes =
            Lanes::new(NonZeroUsize::new(10).expect("not zero"), NonZeroUsize::new(1_024).expect("not zero"), work);
        for batch in 0..calls.div_ceil(BATCH) {
            let numbers = batch * BATCH..((batch + 1) * BATCH).min(calls);
            let pushed = lanes.push_all(numbers.map(|number| (number % STREAMS, number))).await;
            assert!(pushed.is_ok(), "the lanes are open");
        }
        lanes.drain().await;
    });
    assert_eq!(done.load(Ordering::Relaxed), calls, "each is handled, once");
}

/// Through the local queue and back.
pub(crate) fn spawn(calls: u64) {
    let orders = Arc::new(orders(Shop(black_box(7))));
    alone().block_on(async {
        Local::start(&orders);
        for number in 0..calls {
            let spawned = orders.local.spawn(Order(number)).await.expect("the queue is open");
            black_box(spawned.await.expect("it is handled"));
        }
        orders.local.drain().await;
    });
}

fn alone() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime starts")
}
