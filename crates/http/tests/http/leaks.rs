//! T43: credentials in a request are found nowhere afterwards.

use windlass_core::Job;
use windlass_store::Filter;

use crate::client::{Client, request};

/// Every job in the store.
pub(crate) async fn stored(client: &Client) -> Vec<Job> {
    let query = client.engine.store().query().expect("the memory store lists");
    query.list(&Filter { limit: 100, ..Filter::default() }).await.unwrap().jobs
}

const CANARY: &str = "canary-5f1c";

const SECRETS: [&str; 12] = [
    "authorization",
    "proxy-authorization",
    "proxy-authenticate",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-amz-security-token",
    "x-amz-date",
    "x-auth-token",
    "x-client-secret",
    "baggage",
    "x-whatever",
];

#[tokio::test]
async fn no_secret_header_reaches_the_store_or_an_answer() {
    let client = Client::working().await;
    let mut headers: Vec<_> = SECRETS.iter().map(|name| (*name, CANARY)).collect();
    headers.push(("prefer", "wait=20"));
    headers.push(("content-type", "application/json"));
    let mut answers = Vec::new();
    for path in ["/api/process-data", "/api/generate-report/eu", "/broken", "/nothing"] {
        answers.push(client.send(request("POST", path, &headers, r#"{"data":"x"}"#)).await);
    }
    answers.push(client.send(request("POST", "/echo", &headers, "{broken")).await);
    let jobs = stored(&client).await;
    assert_eq!(jobs.len(), 4);
    for job in &jobs {
        answers.push(client.get(&format!("/jobs/{}", job.new.id)).await);
        answers.push(client.get(&format!("/jobs/{}/result", job.new.id)).await);
    }
    assert!(!format!("{jobs:?}").contains(CANARY), "stored: {jobs:?}");
    assert!(answers.iter().all(|answer| !format!("{:?}{:?}", answer.headers, answer.body).contains(CANARY)));
}

#[tokio::test]
async fn what_the_list_allows_is_kept() {
    // The counterpart: the test above would pass on a store that keeps nothing at all.
    let client = Client::serving_with(|api| api.keep_headers(["X-Tenant"])).await;
    client.post_with("/echo?q=kept-too", &[("x-tenant", CANARY)], "1").await;
    let jobs = stored(&client).await;
    assert_eq!(jobs[0].new.context.header("X-Tenant"), Some(CANARY));
    assert_eq!(jobs[0].new.context.query("q"), Some("kept-too"));
}

#[tokio::test]
async fn a_list_that_asks_for_secrets_is_an_error_at_build() {
    use windlass_http::HttpExt;
    let client = Client::serving().await;
    for name in ["Authorization", "COOKIE", "Set-Cookie", "Proxy-Anything", "X-Api-Key", "X-Amz-Security-Token"] {
        let error = client.engine.api().keep_headers([name]).into_router().expect_err("refused");
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[tokio::test]
async fn a_job_shows_nothing_of_its_input_owner_or_worker() {
    let client = Client::working().await;
    let id = client.post("/nothing?q=hidden-query", "").await.id();
    let answer = client.get(&format!("/jobs/{id}?wait=20")).await;
    let worker = stored(&client).await[0].attempts[0].worker.to_string();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(!text.contains(&worker) && !text.contains("hidden-query"), "{text}");
}

#[tokio::test]
async fn the_trace_is_linked_when_it_is_well_formed() {
    let client = Client::serving().await;
    let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    client.post_with("/echo", &[("traceparent", good)], "1").await;
    client.post_with("/echo", &[("traceparent", "00-nonsense")], "2").await;
    let jobs = stored(&client).await;
    let traces: Vec<_> = jobs.iter().map(|job| job.new.traceparent.as_deref()).collect();
    assert_eq!(traces, [Some(good), None], "nobody listens, so no trace begins here");
}
