//! The program of which the test of ticks (`crates/windlass/tests/ticks_of_processes.rs`) starts five, kills two and stops one:
//! it does nothing but look after schedules, in a time that runs fast.
//!
//! | variable | meaning |
//! |---|---|
//! | `WINDLASS_LISTEN` | the address to serve on; `127.0.0.1:0` unless told |
//! | `WINDLASS_STORE` | the store, on PostgreSQL or Redis |
//! | `FAULT_SINCE` | when that time began by the machine's clock, in microseconds |

mod clock;

use std::sync::Arc;
use std::time::Duration;

use windlass::core::{ScheduleName, Timestamp};
use windlass::prelude::*;
use windlass::store::SharedStore;

use clock::FastClock;

/// How often it looks: the loop itself sleeps by the machine's clock, for which a tick is years away.
const LOOK: Duration = Duration::from_millis(3);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let since = Timestamp::from_micros(std::env::var("FAULT_SINCE")?.parse()?);
    let store = open(&std::env::var("WINDLASS_STORE")?, Arc::new(FastClock::since(since))).await?;
    let windlass = Windlass::with_store(store).start().await?;
    tokio::spawn(look(windlass.clone()));
    let api = windlass.api().health_routes().into_router()?;
    let address = std::env::var("WINDLASS_LISTEN").unwrap_or_else(|_| "127.0.0.1:0".to_owned());
    Ok(windlass.serve(&address, api).await?)
}

#[cfg_attr(not(any(feature = "postgres", feature = "redis")), allow(unused_variables, reason = "no store has it"))]
async fn open(address: &str, clock: Arc<FastClock>) -> Result<SharedStore, Box<dyn std::error::Error>> {
    match address.split_once(':') {
        #[cfg(feature = "postgres")]
        Some(("postgres", _)) => Ok(Arc::new(windlass_postgres::Postgres::options().clock(clock).open(address).await?)),
        #[cfg(feature = "redis")]
        Some(("redis", _)) => Ok(Arc::new(windlass_redis::Redis::options().clock(clock).open(address).await?)),
        _ => Err(format!("no store that several processes may have: {address}").into()),
    }
}

/// Resuming what is not paused changes nothing, and makes the loop look.
async fn look(windlass: Windlass) {
    loop {
        for (name, _) in windlass.engine().schedules().list(None).await.unwrap_or_default() {
            nudge(&windlass, &name).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn nudge(windlass: &Windlass, name: &ScheduleName) {
    if let Err(error) = windlass.engine().schedules().resume(name).await {
        tracing::debug!(%error, "it looks by itself, later");
    }
}
