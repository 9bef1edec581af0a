//! Liveness and readiness for orchestrators and load balancers.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use windlass_engine::{Engine, Health};

/// `GET /health/live`: `503` when a restart may help. `GET /health/ready`: `503` when the process should get no
/// traffic. Both show the engine's [`Health`] and nothing secret.
pub fn health_routes(engine: &Engine) -> Router {
    Router::new().route("/health/live", get(live)).route("/health/ready", get(ready)).with_state(engine.clone())
}

async fn live(State(engine): State<Engine>) -> Response {
    let health = engine.health();
    answer(health.live, health)
}

async fn ready(State(engine): State<Engine>) -> Response {
    let health = engine.health();
    answer(health.ready, health)
}

fn answer(good: bool, health: Health) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(health)).into_response()
}
