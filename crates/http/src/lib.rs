//! The HTTP face of Windlass: slow endpoints become asynchronous APIs on axum. Submit → `202` → follow the job → result.
//!
//! # Layout
//!
//! - [`api`]: [`Api`], endpoints, job routes and their rules in one router
//! - [`endpoint`]: [`Endpoint`], [`post`], [`put`], [`patch`], [`delete`]: a verb, a path and a handler
//! - [`extend`]: [`HttpExt`], single routes straight from the engine
//! - `submit`: a request becomes a job, by way of `accept` (body), `identity` (ids and keys), `unique`, `keep` (context),
//!   [`prefer`] (waiting) and `owner`
//! - `jobs`: follow, fetch and cancel; [`view`] is a job's JSON, `outcome` its result or why there is none
//! - [`responses`]: [`Responses`], the four answers that can be replaced
//! - [`problem`]: [`Code`], [`Problem`], [`Rejection`]: every refusal, as RFC 9457 problem+json
//! - `openapi`, `shapes`, `describe`: the OpenAPI 3.1 document
//! - [`health`]: liveness and readiness
//! - [`serve`](mod@serve): [`serve()`] and [`Server`], with timeouts, a connection cap and a graceful drain
//!
//! ```
//! use std::sync::Arc;
//!
//! use windlass_dispatch::{Context, Handler, Json, Result};
//! use windlass_engine::Engine;
//! use windlass_http::{HttpExt, post};
//! use windlass_memory::Memory;
//!
//! struct Double;
//!
//! impl Handler for Double {
//!     type Input = Json<u64>;
//!     type Output = Json<u64>;
//!     const NAME: &'static str = "Double";
//!
//!     async fn run(&self, Json(number): Json<u64>, _cx: Context) -> Result<Json<u64>> {
//!         Ok(Json(number * 2))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let engine = Engine::builder(Arc::new(Memory::new())).handler(Double).start().await?;
//! let router = engine.api().endpoint(post("/api/double", Double)).job_routes("/jobs").into_router()?;
//! // windlass_http::serve(&engine, "127.0.0.1:5000", router).await?;
//! # drop(router);
//! # Ok(())
//! # }
//! ```

mod accept;
pub mod api;
mod describe;
pub mod endpoint;
pub mod extend;
pub mod health;
mod identity;
mod jobs;
mod keep;
mod openapi;
mod outcome;
mod owner;
pub mod prefer;
pub mod problem;
pub mod responses;
pub mod serve;
mod shapes;
mod shared;
mod submit;
mod unique;
pub mod view;

pub use api::{Api, ApiError, not_found};
pub use endpoint::{Endpoint, delete, patch, post, put};
pub use extend::{HttpExt, Submitting};
pub use health::health_routes;
pub use identity::{IDEMPOTENCY_KEY, REQUEST_ID};
pub use keep::KEPT_BY_DEFAULT;
pub use problem::{Code, Problem, Rejection};
pub use responses::{ASYNC_JOB_ID, ASYNC_JOB_OUTCOME, NotFound, Responses};
pub use serve::{Server, serve};
pub use view::{JobView, ResultView};
