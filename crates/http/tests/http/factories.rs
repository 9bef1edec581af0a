//! The four answers that an application can replace.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use windlass_http::{Responses, post};

use crate::client::Client;
use crate::handlers::Echo;
use crate::refusals::{Failing, failing};

fn replaced() -> Responses {
    Responses::default()
        .submitted(|job, parts| (StatusCode::CREATED, [("x-job", job.location())], parts.method.to_string()))
        .status(|job, _| match job {
            Ok(job) => (StatusCode::OK, Json(job.name.to_owned())),
            Err(_) => (StatusCode::NOT_FOUND, Json("Job not found".to_owned())),
        })
        .submission_error(|problem, _| (StatusCode::IM_A_TEAPOT, problem.code().to_owned()))
        .exception(|_, parts| (StatusCode::BAD_GATEWAY, parts.uri.path().to_owned()))
}

#[tokio::test]
async fn each_factory_replaces_its_answer() {
    let client = Client::serving_with(|api| api.responses(replaced())).await;
    let submitted = client.post("/echo", "1").await;
    assert_eq!((submitted.status, &submitted.body[..]), (201, &b"POST"[..]));
    let path = submitted.header("x-job").expect("set").to_owned();
    let shown = client.get(&path).await;
    assert_eq!((shown.status, &shown.body[..]), (200, &br#""Echo""#[..]));
    assert!(shown.header("etag").is_some() && shown.header("retry-after").is_some());
    let missing = client.get("/jobs/nothing-like-it/result").await;
    assert_eq!((missing.status, &missing.body[..]), (404, &br#""Job not found""#[..]));
    let refused = client.post("/echo", "{").await;
    assert_eq!((refused.status, &refused.body[..]), (418, &b"bad_input"[..]));
}

#[tokio::test]
async fn the_exception_factory_hears_of_a_failing_store() {
    let client = failing(Failing::Everything, |api| api.responses(replaced())).await;
    let answer = client.post("/echo", "1").await;
    assert_eq!((answer.status, &answer.body[..]), (502, &b"/echo"[..]));
}

#[tokio::test]
async fn a_hook_can_look_at_the_request() {
    let engine = crate::client::idle(Arc::new(windlass_memory::Memory::new())).await;
    let client = Client::new(engine, |api| {
        api.endpoint(post("/hooked", Echo).validate_with(|parts, _input| async move {
            match parts.headers.contains_key("x-beta") {
                true => Ok(()),
                false => Err(StatusCode::UPGRADE_REQUIRED),
            }
        }))
    });
    assert_eq!(client.post("/hooked", "1").await.status, 426);
    assert_eq!(client.post_with("/hooked", &[("x-beta", "1")], "1").await.status, 202);
}
