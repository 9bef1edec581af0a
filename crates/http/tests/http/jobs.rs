//! The job routes: states, results, cancellation, entity tags.

use std::sync::Arc;

use windlass_engine::{Engine, Settings};
use windlass_memory::Memory;
use windlass_store::{Claim, Verbs};

use crate::client::{Client, request, start};

/// Claims the oldest job by hand, so that it stays in progress.
async fn claim_by_hand(engine: &Engine) {
    let Settings { queues, lease, .. } = engine.settings().clone();
    let worker = windlass_core::Incarnation::random();
    let claimed =
        engine.store().claim(Claim { queues, limit: 1, lease, worker, suspects: 0, handlers: None }).await.unwrap();
    assert_eq!(claimed.jobs.len(), 1);
}

#[tokio::test]
async fn an_unfinished_job_has_no_result_yet() {
    let client = Client::serving().await;
    let id = client.post("/echo", "1").await.id();
    let answer = client.get(&format!("/jobs/{id}/result")).await;
    assert_eq!(answer.problem(), (409, "job_not_finished".into()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    let job = client.get(&format!("/jobs/{id}")).await;
    assert_eq!((job.header("retry-after"), job.header("cache-control")), (Some("1"), Some("private, no-cache")));
}

#[tokio::test]
async fn a_result_is_the_handlers_bytes_with_its_type() {
    let client = Client::working().await;
    for (path, content_type, sent, status, got, kind, disposition) in [
        ("/echo", "application/json", r#"{"b":1,"a":2}"#, 200, r#"{"a":2,"b":1}"#, Some("application/json"), None),
        ("/shout", "text/plain", "hey", 200, "HEY", Some("text/plain; charset=utf-8"), None),
        ("/fetch", "image/png", "\u{1}", 200, "\u{1}", Some("application/octet-stream"), Some("attachment")),
        ("/page", "", "", 200, "<script>alert(1)</script>", Some("text/html"), Some("attachment")),
        ("/nothing", "", "", 204, "", None, None),
    ] {
        let id = client.post_with(path, &[("content-type", content_type)], sent).await.id();
        let job = client.get(&format!("/jobs/{id}?wait=20")).await;
        assert_eq!(job.header("retry-after"), None, "{path} has finished");
        let answer = client.get(&format!("/jobs/{id}/result")).await;
        assert_eq!((answer.status, &answer.body[..]), (status, got.as_bytes()), "{path}");
        assert_eq!((answer.header("content-type"), answer.header("content-disposition")), (kind, disposition));
        assert_eq!(answer.header("x-content-type-options"), kind.map(|_| "nosniff"));
    }
}

#[tokio::test]
async fn a_failed_job_says_why_and_can_still_be_canceled() {
    let client = Client::working().await;
    let id = client.post("/broken", "").await.id();
    let job = client.get(&format!("/jobs/{id}?wait=20")).await.json();
    assert_eq!((job["status"].as_str(), job["error"]["code"].as_str()), (Some("Failed"), Some("NO_LUCK")));
    assert_eq!(job["error"]["message"], "no luck");
    let answer = client.get(&format!("/jobs/{id}/result")).await;
    assert_eq!(answer.problem(), (409, "job_failed".into()));
    assert_eq!(answer.json()["error"]["message"], "no luck");
    assert_eq!(client.delete(&format!("/jobs/{id}")).await.status, 200);
}

#[tokio::test]
async fn a_waiting_job_is_canceled_at_once() {
    let client = Client::serving().await;
    let id = client.post("/echo", "1").await.id();
    let canceled = client.delete(&format!("/jobs/{id}")).await;
    assert_eq!((canceled.status, canceled.json()["status"].as_str()), (200, Some("Canceled")));
    assert_eq!(client.get(&format!("/jobs/{id}/result")).await.problem(), (410, "job_canceled".into()));
    assert_eq!(client.delete(&format!("/jobs/{id}")).await.problem(), (409, "job_already_finished".into()));
}

#[tokio::test]
async fn a_running_job_is_asked_to_stop() {
    let client = Client::serving().await;
    let id = client.post("/stuck", "").await.id();
    claim_by_hand(&client.engine).await;
    let asked = client.delete(&format!("/jobs/{id}")).await;
    assert_eq!((asked.status, asked.json()["status"].as_str()), (202, Some("InProgress")));
    assert_eq!((&asked.json()["cancelRequested"], asked.header("retry-after")), (&true.into(), Some("1")));
}

#[tokio::test]
async fn a_running_handler_that_stops_leaves_a_canceled_job() {
    let client = Client::new(start(Settings::default(), Arc::new(Memory::new())).await, |api| api);
    let id = client.post("/stuck", "").await.id();
    let status = client.delete(&format!("/jobs/{id}")).await.status;
    assert!(status == 200 || status == 202, "{status}");
    assert_eq!(client.get(&format!("/jobs/{id}?wait=20")).await.json()["status"], "Canceled");
}

#[tokio::test]
async fn a_known_state_is_304_until_it_changes() {
    let client = Client::serving().await;
    let path = format!("/jobs/{}", client.post("/echo", "1").await.id());
    let etag = client.get(&path).await.header("etag").expect("tagged").to_owned();
    assert!(etag.starts_with("W/\""));
    let known = [("if-none-match", etag.as_str())];
    let same = client.send(request("GET", &path, &known, "")).await;
    assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(etag.as_str())));
    client.delete(&path).await;
    let changed = client.send(request("GET", &path, &known, "")).await;
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let client = Client::serving().await;
    let path = format!("/jobs/{}", client.post("/echo", "1").await.id());
    let head = client.send(request("HEAD", &path, &[], "")).await;
    assert_eq!((head.status, head.body.len(), head.header("etag").is_some()), (200, 0, true));
}

#[tokio::test]
async fn health_follows_the_engine() {
    let client = Client::serving().await;
    for path in ["/health/live", "/health/ready"] {
        let answer = client.get(path).await;
        assert_eq!((answer.status, &answer.json()["store"]), (200, &"memory".into()), "{path}");
    }
    client.engine.shutdown().await;
    assert_eq!(client.get("/health/live").await.status, 200);
    assert_eq!(client.get("/health/ready").await.status, 503);
}
