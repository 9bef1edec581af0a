//! PostgreSQL keeps every promise of the seam behind a pooler in transaction mode, where each transaction may meet
//! another session.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use windlass_core::ManualClock;
use windlass_postgres::Postgres;
use windlass_testkit::servers::{PgBouncer, PostgresServer};
use windlass_testkit::{Fixture, Harness};

/// One server and one pooler for all scenarios, which the system ends with this process.
static SERVERS: OnceLock<(PostgresServer, PgBouncer)> = OnceLock::new();
static SCHEMAS: AtomicUsize = AtomicUsize::new(0);

struct BehindPooler;

async fn open(schema: &str, clock: &ManualClock) -> Arc<Postgres> {
    let (server, pooler) = SERVERS.get_or_init(|| {
        let server = PostgresServer::start().expect("a server");
        let pooler = PgBouncer::start(&server).expect("a pooler");
        (server, pooler)
    });
    let options = Postgres::options().clock(Arc::new(clock.clone())).schema(schema).listen_on(server.url());
    Arc::new(options.open(&pooler.url()).await.expect("the store opens"))
}

#[async_trait]
impl Harness for BehindPooler {
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

windlass_testkit::conformance!(BehindPooler, histories = 12);
