//! Ids and keys: the same request twice is one job, another request under the same key is refused. T44: hostile names.

use futures_util::future::join_all;

use crate::client::{Client, request};
use crate::leaks::stored;

const ID: &str = "5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f";

#[tokio::test]
async fn the_request_id_becomes_the_jobs_id() {
    let client = Client::serving().await;
    for _ in 0..2 {
        let answer = client.post_with("/echo", &[("X-Async-Request-Id", ID)], "1").await;
        assert_eq!((answer.status, answer.id().as_str()), (202, ID));
    }
    let other = client.post_with("/echo", &[("X-Async-Request-Id", ID)], "2").await;
    assert_eq!(other.problem(), (422, "request_id_reused".into()));
    assert_eq!(stored(&client).await.len(), 1);
}

#[tokio::test]
async fn a_key_is_one_job_per_method_and_route() {
    let client = Client::serving().await;
    let key = ("idempotency-key", "order-7");
    let first = client.post_with("/echo", &[key], "1").await;
    let again = client.post_with("/echo", &[("idempotency-key", "\"order-7\"")], "1").await;
    assert_eq!((again.status, again.id(), &again.body), (202, first.id(), &first.body));
    assert_eq!(again.header("location"), first.header("location"));
    let put = client.send(request("PUT", "/echo", &[key, ("content-type", "application/json")], "1")).await;
    let elsewhere = client.post_with("/nothing", &[key], "").await;
    assert!(put.status == 202 && put.id() != first.id());
    assert!(elsewhere.status == 202 && elsewhere.id() != first.id());
}

#[tokio::test]
async fn a_key_with_another_body_query_or_route_value_is_422() {
    let client = Client::serving().await;
    let key = ("idempotency-key", "k");
    for (path, body) in [("/echo", "1"), ("/api/generate-report/eu", "")] {
        assert_eq!(client.post_with(path, &[key], body).await.status, 202);
    }
    for (path, body) in [("/echo", "2"), ("/echo?x=1", "1"), ("/api/generate-report/us", "")] {
        let answer = client.post_with(path, &[key], body).await;
        assert_eq!(answer.problem(), (422, "idempotency_key_reused".into()), "{path}");
    }
}

#[tokio::test]
async fn a_repeated_key_shows_the_job_as_it_stands() {
    let client = Client::working().await;
    let key = ("idempotency-key", "k");
    let first = client.post_with("/echo", &[key, ("prefer", "wait=20")], "1").await;
    assert_eq!(first.status, 200);
    let again = client.post_with("/echo", &[key], "1").await;
    assert_eq!((again.status, again.json()["status"].as_str()), (202, Some("Completed")));
    assert_eq!(again.json()["result"], 1);
}

#[tokio::test]
async fn thirty_two_at_once_are_one_job() {
    let client = Client::serving().await;
    let submits = (0..32).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { client.post_with("/echo", &[("idempotency-key", "race")], "1").await })
    });
    let answers = join_all(submits).await;
    let mut ids: Vec<_> =
        answers.into_iter().map(|answer| answer.unwrap()).inspect(|a| assert_eq!(a.status, 202)).collect();
    ids.dedup_by_key(|answer| answer.id());
    assert_eq!((ids.len(), stored(&client).await.len()), (1, 1));
}

#[tokio::test]
async fn ids_and_keys_that_are_none_are_400() {
    let client = Client::serving().await;
    let long = "k".repeat(256);
    for headers in [
        [("x-async-request-id", "1'; drop table jobs"), ("a", "b")],
        [("x-async-request-id", "../../etc/passwd"), ("a", "b")],
        [("x-async-request-id", ID), ("x-async-request-id", ID)],
        [("x-async-request-id", ID), ("idempotency-key", "k")],
        [("idempotency-key", ""), ("a", "b")],
        [("idempotency-key", "two words"), ("a", "b")],
        [("idempotency-key", long.as_str()), ("a", "b")],
        [("idempotency-key", "k"), ("idempotency-key", "k")],
    ] {
        assert_eq!(client.post_with("/echo", &headers, "1").await.problem(), (400, "bad_header".into()), "{headers:?}");
    }
    assert!(stored(&client).await.is_empty());
}

#[tokio::test]
async fn keys_full_of_syntax_are_only_keys() {
    let client = Client::serving().await;
    for key in ["';DROP--", "$where", "{}", "*?[a-z]", "../..", "%0d%0aSet-Cookie:x", "redis.call('FLUSHALL')"] {
        let answer = client.post_with("/echo", &[("idempotency-key", key)], "1").await;
        assert_eq!(answer.status, 202, "{key}");
        assert!(!format!("{:?}", answer.headers).contains(key), "{key} is echoed");
    }
}
