//! A client that calls a router in process.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use windlass_engine::{Engine, Settings};
use windlass_http::{Api, HttpExt};
use windlass_memory::Memory;
use windlass_store::SharedStore;

use crate::handlers::{Broken, Echo, Fetch, GenerateReport, Nothing, Page, ProcessData, Shout, Stuck};

/// An answer, taken apart.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The job's id.
    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().expect("a job").to_owned()
    }

    /// The status and the problem's code, after checking that the rest of it is as it should be.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{:?}", self.body);
        let problem = self.json();
        let code = problem["code"].as_str().expect("a code").to_owned();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["type"], format!("urn:windlass:problem:{code}"));
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        (self.status, code)
    }
}

/// An engine and a router on it.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
}

impl Client {
    /// All test endpoints, on an engine that runs jobs.
    pub(crate) async fn working() -> Self {
        Self::new(start(Settings::default(), Arc::new(Memory::new())).await, |api| api)
    }

    /// All test endpoints, on an engine that only takes jobs, so that they stay as they are.
    pub(crate) async fn serving() -> Self {
        Self::serving_with(|api| api).await
    }

    pub(crate) async fn serving_with(change: impl FnOnce(Api) -> Api) -> Self {
        Self::new(idle(Arc::new(Memory::new())).await, change)
    }

    pub(crate) fn new(engine: Engine, change: impl FnOnce(Api) -> Api) -> Self {
        use windlass_http::{delete, patch, post, put};
        let api = engine.api().job_routes("/jobs").health_routes();
        let api = api
            .endpoint(post("/api/process-data", ProcessData).validate(ProcessData::check))
            .endpoint(post("/api/generate-report/{region}", GenerateReport))
            .endpoint(post("/echo", Echo))
            .endpoint(put("/echo", Echo))
            .endpoint(patch("/echo", Echo))
            .endpoint(delete("/echo", GenerateReport))
            .endpoint(post("/shout", Shout))
            .endpoint(post("/fetch", Fetch))
            .endpoint(post("/stuck", Stuck))
            .endpoint(post("/broken", Broken))
            .endpoint(post("/page", Page))
            .endpoint(post("/nothing", Nothing));
        let router = change(api).into_router().expect("a valid API");
        Self { engine, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response: Response<Body> = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, &[], "")).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(request("DELETE", path, &[], "")).await
    }

    /// Posts JSON.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        self.post_with(path, &[], body).await
    }

    /// Posts JSON with more headers.
    pub(crate) async fn post_with(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = request("POST", path, headers, body);
        request.headers_mut().entry("content-type").or_insert("application/json".parse().unwrap());
        self.send(request).await
    }
}

pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).expect("a valid request")
}

/// An engine that runs the test handlers.
pub(crate) async fn start(settings: Settings, store: SharedStore) -> Engine {
    let engine = Engine::builder(store).settings(settings).handler(ProcessData).handler(GenerateReport).handler(Echo);
    let engine = engine.handler(Shout).handler(Fetch).handler(Stuck).handler(Broken).handler(Page).handler(Nothing);
    engine.start().await.expect("starts")
}

/// An engine that takes jobs and runs none.
pub(crate) async fn idle(store: SharedStore) -> Engine {
    start(Settings { work: false, ..Settings::default() }, store).await
}
