//! Real servers for tests: private ones, from the system's packages, in temporary folders, gone with the test.
//!
//! A server is the child of a thread that never ends while the test's process lives, and asks the system to be killed
//! when that thread does (`setpriv --pdeathsig`): no test, however it ends, leaves a server behind.

mod child;
mod pgbouncer;
mod place;
mod ports;
mod postgres;
mod proxy;
mod redis;
mod redis_cluster;
mod resp;
mod sentinel;

pub use pgbouncer::PgBouncer;
pub use place::place_that_keeps_time;
pub use postgres::PostgresServer;
pub use proxy::Proxy;
pub use redis::RedisServer;
pub use redis_cluster::RedisCluster;
pub use sentinel::Sentinels;
