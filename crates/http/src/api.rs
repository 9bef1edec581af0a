//! An API: endpoints, job routes and the rules that they share, built into one [`axum::Router`].

use std::collections::HashSet;
use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use windlass_core::Owner;
use windlass_core::payload::JSON;
use windlass_dispatch::Handler;
use windlass_engine::Engine;

use crate::describe::Description;
use crate::endpoint::{Endpoint, Mount};
use crate::health::health_routes;
use crate::jobs;
use crate::openapi::document;
use crate::owner::Owners;
use crate::problem::{Code, Problem};
use crate::responses::Responses;
use crate::shared::Shared;

/// Builds the router of an asynchronous API. All complaints come out of [`into_router`](Self::into_router).
#[must_use = "an Api serves nothing until into_router() is called"]
pub struct Api {
    shared: Shared,
    endpoints: Vec<Box<dyn Mount>>,
    job_routes: Option<String>,
    health_routes: bool,
    openapi: Option<String>,
    info: (String, String),
    complaints: Vec<String>,
}

/// What is wrong with an API, one sentence each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", complaints.join("\n"))]
pub struct ApiError {
    complaints: Vec<String>,
}

impl Api {
    /// An API of `engine` without any routes.
    pub fn new(engine: &Engine) -> Self {
        Self {
            shared: Shared::new(engine.clone()),
            endpoints: Vec::new(),
            job_routes: None,
            health_routes: false,
            openapi: None,
            info: ("Jobs".into(), "1.0.0".into()),
            complaints: Vec::new(),
        }
    }

    /// Adds an endpoint, made by [`post`](crate::post), [`put`](crate::put), [`patch`](crate::patch) or
    /// [`delete`](crate::delete).
    pub fn endpoint<H: Handler>(mut self, endpoint: Endpoint<H>) -> Self {
        self.endpoints.push(Box::new(endpoint));
        self
    }

    /// Finds the owner of each request, usually in an extension that a middleware put there. Jobs belong to the owner
    /// of the request that submitted them and are found and canceled by requests of that owner only; everybody else
    /// gets `404`. An `Err` is the answer to the request. Without this, everybody sees every job.
    pub fn owner<F, R>(mut self, owner: F) -> Self
    where
        F: Fn(&Parts) -> Result<Owner, R> + Send + Sync + 'static,
        R: IntoResponse,
    {
        self.shared.owners = Owners::by(owner);
        self
    }

    /// Keeps these headers for handlers too, besides [`KEPT_BY_DEFAULT`](crate::KEPT_BY_DEFAULT). Headers that carry
    /// credentials are refused. Route and query values are all kept, as part of the input: a credential in a query would
    /// be stored with the job, so take credentials in headers only.
    pub fn keep_headers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            let added = self.shared.keep.add(name);
            self.complaints.extend(added.err().map(|error| format!("{name:?}: {error}")));
        }
        self
    }

    /// Serves `GET` and `DELETE {prefix}/{job_id}` and `GET {prefix}/{job_id}/result`, and points `Location` there.
    pub fn job_routes(mut self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into().trim_end_matches('/').to_owned();
        self.shared.jobs.clone_from(&prefix);
        self.job_routes = Some(prefix);
        self
    }

    /// Points `Location` to `prefix` without serving anything there: when this router is nested (`/v1/jobs`), or
    /// another process has the job routes. Call it after [`job_routes`](Self::job_routes). Default `/jobs`.
    pub fn locations(mut self, prefix: impl Into<String>) -> Self {
        prefix.into().trim_end_matches('/').clone_into(&mut self.shared.jobs);
        self
    }

    /// Serves [`health_routes`].
    pub fn health_routes(mut self) -> Self {
        self.health_routes = true;
        self
    }

    /// Serves the OpenAPI 3.1 document of this API at `path`.
    pub fn openapi(mut self, path: impl Into<String>) -> Self {
        self.openapi = Some(path.into());
        self
    }

    /// What the OpenAPI document calls this API. Default `Jobs`, `1.0.0`.
    pub fn info(mut self, title: impl Into<String>, version: impl Into<String>) -> Self {
        self.info = (title.into(), version.into());
        self
    }

    /// Replaces some of the answers.
    pub fn responses(mut self, responses: Responses) -> Self {
        self.shared.responses = responses;
        self
    }

    /// The router. Errors when a path, a handler's name or options, or a kept header is not valid, or when two
    /// endpoints are the same. Panics, as axum does, when two paths differ in the names of their captures only.
    pub fn into_router(mut self) -> Result<Router, ApiError> {
        self.complain_about_paths();
        let document = self.document();
        let shared = Arc::new(self.shared);
        let mut routes = Vec::with_capacity(self.endpoints.len());
        for endpoint in self.endpoints {
            let path = endpoint.path().to_owned();
            match endpoint.mount(shared.clone()) {
                Ok(route) => routes.push((path, route)),
                Err(error) => self.complaints.push(format!("endpoint {path:?}: {error}")),
            }
        }
        if !self.complaints.is_empty() {
            return Err(ApiError { complaints: self.complaints });
        }
        let mut router = routes.into_iter().fold(Router::new(), |router, (path, route)| router.route(&path, route));
        if self.health_routes {
            router = router.merge(health_routes(&shared.engine));
        }
        if let Some(prefix) = &self.job_routes {
            router = router.merge(jobs::routes(shared, prefix));
        }
        if let Some((path, body)) = document {
            let answer = ([(CONTENT_TYPE, HeaderValue::from_static(JSON))], body);
            router = router.route(&path, get(move || async move { answer }));
        }
        Ok(router.method_not_allowed_fallback(method_not_allowed))
    }

    fn complain_about_paths(&mut self) {
        let mut seen = HashSet::<(Method, String)>::new();
        for endpoint in &self.endpoints {
            let (method, path) = (endpoint.method(), endpoint.path());
            if !path.starts_with('/') {
                self.complaints.push(format!("endpoint {path:?}: the path must start with \"/\""));
            }
            if !seen.insert((method.clone(), path.to_owned())) {
                self.complaints.push(format!("two endpoints are {method} {path:?}; remove one"));
            }
        }
        let others = self.job_routes.iter().filter(|path| !path.is_empty()).chain(&self.openapi);
        let wrong = others.filter(|path| !path.starts_with('/'));
        self.complaints.extend(wrong.map(|path| format!("{path:?}: the path must start with \"/\"")));
    }

    fn document(&self) -> Option<(String, Bytes)> {
        let path = self.openapi.clone()?;
        let endpoints: Vec<Description> = self.endpoints.iter().map(|endpoint| endpoint.description()).collect();
        let document = document(&self.info.0, &self.info.1, &endpoints, self.job_routes.as_deref());
        // Plain data without maps of odd keys: serialising it cannot fail.
        Some((path, document.to_json().unwrap_or_default().into()))
    }
}

async fn method_not_allowed() -> Problem {
    Problem::new(Code::MethodNotAllowed, "see Allow for the methods of this path")
}

/// A fallback that answers unknown paths with `404` as problem+json: `router.fallback(windlass_http::not_found)`.
pub async fn not_found() -> Problem {
    Problem::new(Code::RouteNotFound, "there is nothing at this path")
}
