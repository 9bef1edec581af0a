//! Routes straight from the engine, for applications that put them into a router of their own.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use windlass_core::Unique;
use windlass_dispatch::Handler;
use windlass_engine::Engine;

use crate::api::Api;
use crate::endpoint::{Endpoint, Mount, Verb};
use crate::jobs;
use crate::shared::Shared;

/// What the engine can serve. [`api`](Self::api) is the full form; the others are single routes with no owner, the
/// default headers kept, and jobs found under `/jobs`.
pub trait HttpExt {
    /// Starts to build an API.
    fn api(&self) -> Api;

    /// `POST` submits a job: `.route("/api/process-data", engine.post(process_data).into())`.
    fn post<H: Handler>(&self, handler: H) -> Submitting<H>;

    /// `PUT` submits a job.
    fn put<H: Handler>(&self, handler: H) -> Submitting<H>;

    /// `PATCH` submits a job.
    fn patch<H: Handler>(&self, handler: H) -> Submitting<H>;

    /// `DELETE` submits a job.
    fn delete<H: Handler>(&self, handler: H) -> Submitting<H>;

    /// `GET` and `DELETE {prefix}/{job_id}` and `GET {prefix}/{job_id}/result`.
    fn job_routes(&self, prefix: &str) -> Router;
}

impl HttpExt for Engine {
    fn api(&self) -> Api {
        Api::new(self)
    }

    fn post<H: Handler>(&self, handler: H) -> Submitting<H> {
        Submitting::new(self, Verb::Post, handler)
    }

    fn put<H: Handler>(&self, handler: H) -> Submitting<H> {
        Submitting::new(self, Verb::Put, handler)
    }

    fn patch<H: Handler>(&self, handler: H) -> Submitting<H> {
        Submitting::new(self, Verb::Patch, handler)
    }

    fn delete<H: Handler>(&self, handler: H) -> Submitting<H> {
        Submitting::new(self, Verb::Delete, handler)
    }

    fn job_routes(&self, prefix: &str) -> Router {
        let prefix = prefix.trim_end_matches('/');
        let shared = Shared { jobs: prefix.to_owned(), ..Shared::new(self.clone()) };
        jobs::routes(Arc::new(shared), prefix)
    }
}

/// A route that submits jobs, to be turned into a [`MethodRouter`].
#[must_use = "it serves nothing until it is turned into a MethodRouter"]
pub struct Submitting<H: Handler> {
    engine: Engine,
    endpoint: Endpoint<H>,
}

impl<H: Handler> Submitting<H> {
    fn new(engine: &Engine, verb: Verb, handler: H) -> Self {
        Self { engine: engine.clone(), endpoint: Endpoint::new(verb, String::new(), handler) }
    }

    /// As [`Endpoint::validate`].
    pub fn validate<F, V, R>(mut self, check: F) -> Self
    where
        F: Fn(H::Input) -> V + Send + Sync + 'static,
        V: Future<Output = Result<(), R>> + Send + 'static,
        R: IntoResponse + 'static,
    {
        self.endpoint = self.endpoint.validate(check);
        self
    }

    /// As [`Endpoint::validate_with`].
    pub fn validate_with<F, V, R>(mut self, check: F) -> Self
    where
        F: Fn(Parts, H::Input) -> V + Send + Sync + 'static,
        V: Future<Output = Result<(), R>> + Send + 'static,
        R: IntoResponse + 'static,
    {
        self.endpoint = self.endpoint.validate_with(check);
        self
    }

    /// As [`Endpoint::unique`].
    pub fn unique(mut self, unique: impl Into<Option<Unique>>) -> Self {
        self.endpoint = self.endpoint.unique(unique);
        self
    }

    /// As [`Endpoint::unique_by_header`].
    pub fn unique_by_header(
        mut self,
        name: impl AsRef<str>,
        make: impl Fn(&str) -> Unique + Send + Sync + 'static,
    ) -> Self {
        self.endpoint = self.endpoint.unique_by_header(name, make);
        self
    }

    /// The route. Panics, as axum does with routes that cannot be, when the handler's name or options are not valid.
    pub fn into_route(self) -> MethodRouter {
        let shared = Arc::new(Shared::new(self.engine));
        match Box::new(self.endpoint).mount(shared) {
            Ok(route) => route,
            Err(error) => panic!("handler {:?}: {error}", H::NAME),
        }
    }
}

impl<H: Handler> From<Submitting<H>> for MethodRouter {
    fn from(submitting: Submitting<H>) -> Self {
        submitting.into_route()
    }
}
