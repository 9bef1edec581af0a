//! The durable store for one process: SQLite in a directory, one writer thread, group commit, nothing to install.
//!
//! What is acknowledged was synced to disk: a killed process, a crashed system and a power cut
//! lose nothing of it, as far as the disk keeps what it says it has synced. Jobs that were running when the process
//! ended are taken back by the first sweep after the next open, and count a crash.
//!
//! # Layout
//!
//! - `store`: [`Embedded`], the handle; `options`: [`EmbeddedOptions`]
//! - `inbox`, `request`, `writer`, `syncer`: the way to the one thread that writes, what it is asked, its group commit,
//!   and the sync that each answer waits for
//! - `exchange`, `settle`, `extend`, `submit`, `handover`, `claim`, `promote`, `sweep`, `expiry`, `cancel`,
//!   `import`, `schedules`, `gates`, `turns`: one file per verb; `unique`: who holds the keys of unique jobs; `sql/` holds their statements
//! - `candidate`: how a ready job begins to run; `owned`: whose jobs wait
//! - `mirror`, `ledger`: what the writer keeps in memory (leases, lines), and what a verb works on
//! - `record`, `history`, `whole`, `rules`: the bytes on disk, attempts, whole jobs, and rules
//! - `reader`: the threads that only read
//! - `connection`, `migrate`, `directory`, `lock`, `reserve`, `backup`, `fault`: the files and what can happen to them
//!
//! ```
//! use windlass_core::{NewJob, Payload, SystemClock, Clock};
//! use windlass_embedded::Embedded;
//! use windlass_store::{Scope, Store, Verbs};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let store = Embedded::open(directory)?;
//! let job = NewJob::build("Greet", Payload::json("world")?).finish(SystemClock.now())?;
//! let id = job.id;
//! store.submit(vec![job]).await?;
//! drop(store);
//!
//! let store = Embedded::open(directory)?;
//! assert!(store.get(id, &Scope::Everything).await?.is_some());
//! # Ok(())
//! # }
//! ```

mod backup;
mod cancel;
mod candidate;
mod claim;
mod connection;
mod directory;
mod exchange;
mod expiry;
mod extend;
mod fault;
mod gates;
mod handover;
mod history;
mod import;
mod inbox;
mod ledger;
mod lock;
mod migrate;
mod mirror;
mod options;
mod owned;
mod promote;
mod reader;
mod record;
mod request;
mod reserve;
mod rules;
mod schedules;
mod settle;
mod store;
mod submit;
mod sweep;
mod syncer;
mod turns;
mod unique;
mod whole;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use options::EmbeddedOptions;
pub use store::Embedded;
