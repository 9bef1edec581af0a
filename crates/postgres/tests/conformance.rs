//! PostgreSQL keeps every promise of the seam, on a real server, over the end of its process too.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use windlass_core::ManualClock;
use windlass_postgres::Postgres;
use windlass_testkit::servers::PostgresServer;
use windlass_testkit::{Fixture, Harness};

/// One server for all scenarios, which the system ends with this process.
static SERVER: OnceLock<PostgresServer> = OnceLock::new();
static SCHEMAS: AtomicUsize = AtomicUsize::new(0);

struct OnServer;

async fn open(schema: &str, clock: &ManualClock) -> Arc<Postgres> {
    let url = SERVER.get_or_init(|| PostgresServer::start().expect("a server")).url();
    let options = Postgres::options().clock(Arc::new(clock.clone())).schema(schema);
    Arc::new(options.open(&url).await.expect("the store opens"))
}

#[async_trait]
impl Harness for OnServer {
    async fn start(&self) -> Fixture {
        let schema = format!("s{}", SCHEMAS.fetch_add(1, Ordering::Relaxed));
        let clock = ManualClock::default();
        Fixture { store: open(&schema, &clock).await, clock, guard: Box::new(schema) }
    }

    async fn reopen(&self, Fixture { store, clock, guard }: Fixture) -> Option<Fixture> {
        drop(store);
        let schema = guard.downcast::<String>().expect("the guard of start");
        Some(Fixture { store: open(&schema, &clock).await, clock, guard: schema })
    }
}

windlass_testkit::conformance!(OnServer, histories = 24);
