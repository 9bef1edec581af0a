//! The store on PostgreSQL: many processes, one database, nothing to install beside it.
//!
//! Acknowledged means committed with the server's `synchronous_commit`, which is on unless somebody turned it off. A turn
//! is one transaction, sent in one go: one round trip, one commit, and no session state, so that it works behind a
//! pooler in transaction mode. Time is the server's.
//!
//! # Layout
//!
//! - `store`: [`Postgres`], the handle; `options`: [`PostgresOptions`]
//! - `address`: where the database is, and encryption on the way
//! - `driver`: a thread for what must go on when all others are blocked
//! - `asking`, `exchange`: a turn as one pipelined transaction
//! - `submit`, `settle`, `extend`, `claim`, `sweep`, `expiry`, `import`, `schedules`, `gates`: what each verb sends and reads; `sql/` holds their functions in the
//!   database, one file per verb
//! - `marks`, `rooms`: where a line's ready jobs begin, and how many more it can take
//! - `within`, `within_sqlx`: the verbs in transactions of the caller's own
//! - `record`, `whole`: rows, and jobs with everything that is known of them
//! - `migrate`: `migrations/`, and the functions of this version
//! - `lent`: connections out of the pool, and back into it; `sessions`: what they do before they are needed
//! - `listen`: the connection that hears hints; `news`: when others are given some
//! - `fault`: what a server's errors mean to a caller
//!
//! ```no_run
//! use windlass_postgres::Postgres;
//!
//! # async fn open() -> Result<(), windlass_store::Error> {
//! let store = Postgres::options().open("postgres://app@localhost/app").await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod asking;
mod claim;
mod driver;
mod exchange;
mod expiry;
mod extend;
mod fault;
mod gates;
mod import;
mod lent;
mod listen;
mod marks;
mod migrate;
mod news;
mod options;
mod record;
mod rooms;
mod schedules;
mod sessions;
mod settle;
mod store;
mod submit;
mod sweep;
mod whole;
mod within;
#[cfg(feature = "sqlx")]
mod within_sqlx;

pub use options::PostgresOptions;
pub use store::Postgres;
pub use within::OwnTransaction;

/// Compiles the manual's programs.
#[cfg(all(doctest, feature = "sqlx"))]
#[doc = include_str!("../../../docs/postgres.md")]
struct Manual;
