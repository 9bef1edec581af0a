//! A fresh schema for every scenario, in the database that the tests' server has.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use windlass_core::ManualClock;
use windlass_postgres::{Postgres, PostgresOptions};
use windlass_testkit::{Fixture, Harness};

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// How to reach the database: options, and the address to open them with.
pub(crate) struct Schemas(pub(crate) fn() -> (PostgresOptions, String));

impl Schemas {
    async fn open(&self, schema: &str, clock: &ManualClock) -> Arc<Postgres> {
        let (options, url) = (self.0)();
        let options = options.clock(Arc::new(clock.clone())).schema(schema);
        Arc::new(options.open(&url).await.expect("the store opens"))
    }
}

#[async_trait]
impl Harness for Schemas {
    async fn start(&self) -> Fixture {
        let schema = format!("s{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let clock = ManualClock::default();
        Fixture { store: self.open(&schema, &clock).await, clock, guard: Box::new(schema) }
    }

    async fn reopen(&self, Fixture { store, clock, guard }: Fixture) -> Option<Fixture> {
        drop(store);
        let schema = guard.downcast::<String>().expect("the guard of start");
        Some(Fixture { store: self.open(&schema, &clock).await, clock, guard: schema })
    }
}
