//! The main job, whole: a real HTTP service whose slow endpoints answer `202` and work in the background, on a
//! store that needs nothing installed. Run it with `cargo run --release --example quickstart`.
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `WINDLASS_LISTEN` | the address to serve on | `127.0.0.1:5000` |
//! | `WINDLASS_STORE` | the store: `file:folder`, `memory:`, `postgres://…`, `redis://…` (with `--features postgres,redis`) | `file:windlass-data` |
//! | `WINDLASS_DEMO_WORK_MS` | how long `ProcessData` pretends to work | `500` |
//! | `RUST_LOG` | what is logged | `info` |
//!
//! Every setting of the engine can be given as `WINDLASS_…` or in `windlass.toml` too.

mod jobs;

use std::time::Duration;

use metrics_exporter_prometheus::PrometheusBuilder;
use windlass::config::Configuration;
use windlass::prelude::*;

use jobs::{DataRequest, ProcessResult, Report, WordCount, Work, generate_report, process_data, word_count};

#[tokio::main]
async fn main() -> windlass::Result<()> {
    log();
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let work = Duration::from_millis(variable("WINDLASS_DEMO_WORK_MS", "500").parse()?);
    let windlass = Windlass::from_config()
        .handler(process_data)
        .handler(generate_report)
        .handler(word_count)
        .state(Work(work))
        .start()
        .await?;
    let api = windlass
        .api()
        .endpoint(
            post("/api/process-data", process_data).validate(jobs::check).describe::<DataRequest, ProcessResult>(),
        )
        .endpoint(post("/api/generate-report", generate_report).describe::<(), Report>())
        .endpoint(post("/api/generate-report/{region}", generate_report).describe::<(), Report>())
        .endpoint(post("/api/word-count", word_count).describe::<String, WordCount>())
        .job_routes("/jobs")
        .health_routes()
        .openapi("/openapi.json")
        .into_router()?
        .route("/metrics", axum::routing::get(async move || metrics.render()));
    let listen = variable("WINDLASS_LISTEN", "127.0.0.1:5000");
    greet(&listen, &windlass::config::load()?);
    Ok(windlass.serve(&listen, api).await?)
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn greet(listen: &str, said: &Configuration) {
    println!("Windlass quickstart, store {}", said.shown_store());
    println!("  API      http://{listen}/api/process-data   (POST JSON)");
    println!("           http://{listen}/api/generate-report  (POST, no body)");
    println!("           http://{listen}/api/word-count       (POST text/plain)");
    println!("  jobs     http://{listen}/jobs/{{id}}");
    println!("  OpenAPI  http://{listen}/openapi.json");
    println!("  health   http://{listen}/health/ready");
    println!("  metrics  http://{listen}/metrics");
    println!("Stop with Ctrl-C, or kill -9 it and start it again: accepted jobs survive.");
}
