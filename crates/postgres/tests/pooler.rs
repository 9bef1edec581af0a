//! PostgreSQL keeps every promise of the seam behind a pooler in transaction mode, where each transaction may meet
//! another session.

mod schemas;

use std::sync::OnceLock;

use schemas::Schemas;
use windlass_postgres::{Postgres, PostgresOptions};
use windlass_testkit::servers::{PgBouncer, PostgresServer};

/// One server and one pooler for all scenarios, which the system ends with this process.
static SERVERS: OnceLock<(PostgresServer, PgBouncer)> = OnceLock::new();

fn behind_the_pooler() -> (PostgresOptions, String) {
    let (server, pooler) = SERVERS.get_or_init(|| {
        let server = PostgresServer::start().expect("a server");
        let pooler = PgBouncer::start(&server).expect("a pooler");
        (server, pooler)
    });
    (Postgres::options().listen_on(server.url()), pooler.url())
}

windlass_testkit::conformance!(Schemas(behind_the_pooler), histories = 12);
