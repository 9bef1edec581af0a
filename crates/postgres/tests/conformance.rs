//! PostgreSQL keeps every promise of the seam, on a real server, over the end of its process too.

mod schemas;

use std::sync::OnceLock;

use schemas::Schemas;
use windlass_postgres::{Postgres, PostgresOptions};
use windlass_testkit::servers::PostgresServer;

/// One server for all scenarios, which the system ends with this process.
static SERVER: OnceLock<PostgresServer> = OnceLock::new();

fn on_the_server() -> (PostgresOptions, String) {
    let server = SERVER.get_or_init(|| PostgresServer::start().expect("a server"));
    (Postgres::options(), server.url())
}

windlass_testkit::conformance!(Schemas(on_the_server), histories = 24);
