//! Fresh keys for every scenario, on the server that the tests have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use windlass_core::ManualClock;
use windlass_redis::{Redis, RedisOptions};
use windlass_testkit::{Fixture, Harness};

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// How to reach the server: options, and the address to open them with; and what its stores do not promise.
pub(crate) struct Prefixes(pub(crate) fn() -> (RedisOptions, String), pub(crate) &'static [&'static str]);

impl Prefixes {
    async fn open(&self, prefix: &str, clock: &ManualClock) -> Arc<Redis> {
        let (options, url) = (self.0)();
        let options = options.clock(Arc::new(clock.clone())).prefix(prefix);
        Arc::new(options.open(&url).await.expect("the store opens"))
    }
}

#[async_trait]
impl Harness for Prefixes {
    async fn start(&self) -> Fixture {
        let prefix = format!("p{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let clock = ManualClock::default();
        Fixture { store: self.open(&prefix, &clock).await, clock, guard: Box::new(prefix) }
    }

    async fn reopen(&self, Fixture { store, clock, guard }: Fixture) -> Option<Fixture> {
        drop(store);
        let prefix = guard.downcast::<String>().expect("the guard of start");
        Some(Fixture { store: self.open(&prefix, &clock).await, clock, guard: prefix })
    }

    fn excused(&self) -> &'static [&'static str] {
        self.1
    }
}
