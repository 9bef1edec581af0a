//! Real servers for tests: private ones, from the system's packages, in temporary folders, gone with the test.
//!
//! A server is the child of a thread that never ends while the test's process lives, and asks the system to be killed
//! when that thread does (`setpriv --pdeathsig`): no test, however it ends, leaves a server behind.

mod child;
mod pgbouncer;
mod postgres;
mod proxy;

pub use pgbouncer::PgBouncer;
pub use postgres::PostgresServer;
pub use proxy::Proxy;
