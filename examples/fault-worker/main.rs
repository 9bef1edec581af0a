//! The program that the fault tests (`crates/windlass/tests`) start, kill, stop and starve. It is a real service
//! whose jobs write down when they begin and end, so that a test can tell what ran where.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `WINDLASS_LISTEN` | the address to serve on | `127.0.0.1:0` |
//! | `WINDLASS_STORE` | the store | `file:windlass-data` |
//! | `FAULT_JOURNAL` | the file to which executions are appended | `./journal` |
//! | `FAULT_HASTE` | when set, jobs take no time at all | not set |
//!
//! Every setting of the engine can be given as `WINDLASS_…`.

mod jobs;

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use windlass::prelude::*;

use jobs::{Journal, Task, block, count, poison, trip};

#[tokio::main]
async fn main() -> windlass::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let journal = Journal::open(variable("FAULT_JOURNAL", "./journal"), std::env::var_os("FAULT_HASTE").is_some())?;
    let windlass = Windlass::from_config()
        .handler(count)
        .handler(block)
        .handler(poison)
        .handler(trip)
        .state(journal)
        .start()
        .await?;
    let (counted, delaying) = (windlass.clone(), windlass.clone());
    let api = windlass
        .api()
        .endpoint(post("/count", count))
        .endpoint(post("/block", block))
        .endpoint(post("/poison", poison))
        .endpoint(post("/trip", trip))
        .job_routes("/jobs")
        .health_routes()
        .into_router()?
        .route("/counts", axum::routing::get(async move || counts(&counted).await))
        .route("/later", axum::routing::post(async move |headers, task| later(&delaying, headers, task).await));
    Ok(windlass.serve(&variable("WINDLASS_LISTEN", "127.0.0.1:0"), api).await?)
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// Submits a job that takes no time and waits as long as it says before it starts.
async fn later(windlass: &Windlass, headers: HeaderMap, axum::Json(task): axum::Json<Task>) -> StatusCode {
    let id = headers.get("x-async-request-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (Some(id), (task, delay)) = (id, task.at_once()) else { return StatusCode::BAD_REQUEST };
    match count.submit(windlass, task).id(id).delay(delay).await {
        Ok(_) => StatusCode::ACCEPTED,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// How many jobs have each status.
async fn counts(windlass: &Windlass) -> axum::response::Response {
    let Some(query) = windlass.store().query() else { return StatusCode::NOT_IMPLEMENTED.into_response() };
    let Ok(counts) = query.counts().await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let mut totals = BTreeMap::<&str, u64>::new();
    for ((_, status), jobs) in counts.0 {
        *totals.entry(status.as_str()).or_default() += jobs;
    }
    axum::Json(totals).into_response()
}
