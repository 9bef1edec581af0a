//! The store on Redis: many processes, one server or many, nothing to install beside it.
//!
//! Acknowledged means executed by the server, and as durable as the server is set up to be: with `appendonly yes` and
//! `appendfsync always` it is on disk, with `everysec` the last second or two may be lost with the server, without either
//! everything. A turn is one script: one round trip, and all of it or nothing. Time is the server's. All keys share one
//! hash tag, so that they live in one slot of a cluster, unless the store is spread among shards.
//!
//! # Layout
//!
//! - `store`: [`Redis`], the handle; `options`: [`RedisOptions`]
//! - `address`: which server, cluster or group of sentinels; `link`: the way there, made again when it breaks
//! - `driver`: a thread for what must go on when all others are blocked
//! - `scripts`: the scripts in `lua/`, one file per verb, and what `core::state` decides for them; `asking`: running one
//! - `submit`, `settle`, `exchange`, `sweep`, `expiry`, `import`, `schedules`, `gates`, `whole`: what each verb sends and reads
//! - `shards`: which job is where in a store that is spread, and how one turn becomes several
//! - `record`: the bytes that are kept; `answer`: the server's answers taken apart
//! - `opening`: what a server must be like; `listen`: the connection that hears hints
//! - `fault`: what a server's errors mean to a caller
//!
//! ```no_run
//! use windlass_redis::Redis;
//!
//! # async fn open() -> Result<(), windlass_store::Error> {
//! let store = Redis::options().open("redis://localhost").await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod answer;
mod asking;
mod driver;
mod exchange;
mod expiry;
mod fault;
mod gates;
mod import;
mod link;
mod listen;
mod opening;
mod options;
mod record;
mod schedules;
mod scripts;
mod settle;
mod shards;
mod store;
mod submit;
mod sweep;
mod whole;

pub use options::RedisOptions;
pub use store::Redis;
