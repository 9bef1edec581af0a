//! Endpoints whose jobs are unique: the same again is answered with the job that stands.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use windlass_core::{ManualClock, SystemClock, Timestamp, Unique};
use windlass_dispatch::{Context, Handler, HandlerOptions, Json, Result};
use windlass_http::{HttpExt, post, put};
use windlass_memory::Memory;
use windlass_store::Store;

use crate::client::{Answer, Client, idle, request};
use crate::handlers::{Echo, Shout};
use crate::leaks::stored;
use crate::owners::owner;
use crate::sockets::{connect, rest, run};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Its jobs are unique unless an endpoint says otherwise.
struct Tagged;

impl Handler for Tagged {
    type Input = Json<Value>;
    type Output = ();
    const NAME: &'static str = "Tagged";

    fn options(&self) -> HandlerOptions {
        HandlerOptions { unique: Some(Unique::fields(["user"])), ..HandlerOptions::default() }
    }

    async fn run(&self, _input: Json<Value>, _cx: Context) -> Result<()> {
        Ok(())
    }
}

/// Endpoints that are unique in all ways there are, on an engine that runs nothing.
async fn serving() -> Client {
    Client::serving_with(|api| {
        api.endpoint(post("/by-user", Echo).unique(Unique::fields(["user"])))
            .endpoint(post("/by-order", Echo).unique_by_header("X-Order-Id", |order| Unique::key(order)))
            .endpoint(post("/one", Echo).unique(Unique::key("all")))
            .endpoint(post("/newest", Echo).unique(Unique::input().replace()))
            .endpoint(post("/tagged", Tagged))
            .endpoint(put("/tagged", Tagged).unique(None))
    })
    .await
}

fn is_new(answer: &Answer) -> bool {
    answer.status == 202 && answer.header("async-job-outcome").is_none()
}

fn is_duplicate_of(answer: &Answer, standing: &Answer) -> bool {
    let said = answer.header("async-job-outcome") == Some("duplicate");
    let named = answer.header("async-job-id") == Some(&*standing.id())
        && answer.header("location") == standing.header("location");
    answer.status == 202 && said && named && answer.id() == standing.id()
}

#[tokio::test]
async fn bodies_with_the_same_fields_are_one_job_and_the_answer_names_it() {
    let client = serving().await;
    let first = client.post("/by-user", r#"{"user": 7, "page": 1}"#).await;
    assert!(is_new(&first));
    assert!(is_duplicate_of(&client.post("/by-user", r#"{"page": 2, "user": 7}"#).await, &first));
    assert!(is_new(&client.post("/by-user", r#"{"user": 8}"#).await));
    assert_eq!(client.post("/by-user", r#"{"page": 2}"#).await.problem(), (422, "invalid_job".into()));
    assert_eq!(stored(&client).await.len(), 2);
}

#[tokio::test]
async fn requests_with_the_same_header_are_one_job() {
    let client = serving().await;
    let send = async |order, body: &'static str| client.post_with("/by-order", &[("x-order-id", order)], body).await;
    let first = send("a 7", "1").await;
    assert!(is_new(&first));
    assert!(is_duplicate_of(&send("a 7", "2").await, &first));
    assert!(is_new(&send("a 8", "1").await));
    for _ in 0..2 {
        assert!(is_new(&client.post("/by-order", "1").await), "without the header it is like any other");
    }
    let long = "x".repeat(257);
    let twice = [("x-order-id", "a"), ("x-order-id", "b")];
    for wrong in [&[("x-order-id", "")][..], &[("x-order-id", "\u{e9}")], &[("x-order-id", &long)], &twice] {
        let refused = client.post_with("/by-order", wrong, "1").await;
        assert_eq!(refused.problem(), (400, "bad_header".into()), "{wrong:?}");
    }
}

/// What is the same for one owner is nobody else's business.
#[tokio::test]
async fn jobs_of_different_owners_are_never_the_same() {
    let client = Client::serving_with(|api| {
        api.owner(owner)
            .endpoint(post("/one", Echo).unique(Unique::key("all")))
            .endpoint(post("/tagged", Tagged))
            .endpoint(post("/by-order", Echo).unique_by_header("x-order-id", |order| Unique::key(order)))
    })
    .await;
    for path in ["/one", "/tagged", "/by-order"] {
        let send =
            async |user| client.post_with(path, &[("x-user", user), ("x-order-id", "7")], r#"{"user": 7}"#).await;
        let (ada, eve) = (send("ada").await, send("eve").await);
        assert!(is_new(&ada) && is_new(&eve) && ada.id() != eve.id(), "{path}");
        assert!(is_duplicate_of(&send("ada").await, &ada) && is_duplicate_of(&send("eve").await, &eve), "{path}");
    }
}

#[tokio::test]
async fn a_handlers_own_rule_holds_unless_the_endpoint_has_another() {
    let client = serving().await;
    let first = client.post("/tagged", r#"{"user": 7}"#).await;
    assert!(is_new(&first));
    assert!(is_duplicate_of(&client.post("/tagged", r#"{"user": 7, "page": 2}"#).await, &first));
    let headers = [("content-type", "application/json")];
    assert!(is_new(&client.send(request("PUT", "/tagged", &headers, r#"{"user": 7}"#)).await));
}

#[tokio::test]
async fn one_that_takes_anothers_place_says_so() {
    let client = serving().await;
    let first = client.post("/newest", "1").await;
    let second = client.post("/newest", "1").await;
    assert_eq!((second.status, second.header("async-job-outcome")), (202, Some("replaced")));
    assert_ne!(second.id(), first.id());
    assert_eq!(second.json()["status"], "Queued");
    let former = client.get(&format!("/jobs/{}", first.id())).await;
    assert_eq!(former.json()["status"], "Canceled");
}

#[tokio::test]
async fn a_repeated_key_or_id_is_told_from_a_duplicate() {
    let client = serving().await;
    let first = client.post_with("/one", &[("idempotency-key", "a")], "1").await;
    assert!(is_new(&first));
    let again = client.post_with("/one", &[("idempotency-key", "a")], "1").await;
    assert_eq!((again.header("async-job-outcome"), again.id()), (Some("existing"), first.id()));
    assert!(is_duplicate_of(&client.post_with("/one", &[("idempotency-key", "b")], "1").await, &first));
    let reused = client.post_with("/one", &[("idempotency-key", "a")], "2").await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".into()));
    let id = ("x-async-request-id", "5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f");
    let given = client.post_with("/by-user", &[id], r#"{"user": 1}"#).await;
    assert_eq!((given.status, given.id().as_str()), (202, id.1), "a given id stays as it is");
}

#[tokio::test]
async fn who_waits_gets_the_result_of_the_job_that_stands() {
    let client = crate::client::start(Default::default(), Arc::new(Memory::new())).await;
    let hourly = Unique::key("all").within(DAY);
    let client = Client::new(client, |api| api.endpoint(post("/hourly", Echo).unique(hourly)));
    let wait = ("prefer", "wait=20");
    let first = client.post_with("/hourly", &[wait], "1").await;
    assert_eq!((first.status, &first.body[..]), (200, &b"1"[..]));
    let again = client.post_with("/hourly", &[wait], "2").await;
    assert_eq!((again.status, &again.body[..]), (200, &b"1"[..]), "the first one's result");
    assert_eq!(again.header("async-job-outcome"), Some("duplicate"));
    assert_eq!(again.header("async-job-id"), first.header("async-job-id"));
}

#[tokio::test]
async fn a_job_that_holds_its_key_for_longer_than_it_is_kept_is_still_named() {
    let clock = ManualClock::at(Timestamp::from_millis(1_795_348_800_000));
    let store = Memory::with_clock(Arc::new(clock.clone()));
    let monthly = Unique::key("all").within(DAY * 30);
    let client =
        Client::new(idle(Arc::new(store.clone())).await, |api| api.endpoint(post("/monthly", Echo).unique(monthly)));
    let first = client.post("/monthly", "1").await.id();
    client.delete(&format!("/jobs/{first}")).await;
    clock.advance(DAY * 20);
    assert_eq!(store.sweep(9).await.unwrap().pruned, 1);
    let refused = client.post("/monthly", "1").await;
    assert_eq!(refused.problem(), (409, "duplicate_removed".into()));
    assert!(refused.json()["detail"].as_str().unwrap().contains(&first));
}

#[tokio::test]
async fn what_can_make_no_job_unique_is_refused_at_build() {
    let engine = idle(Arc::new(Memory::with_clock(Arc::new(SystemClock)))).await;
    let wrong = engine
        .api()
        .endpoint(post("/a", Echo).unique(Unique::key("")))
        .endpoint(post("/b", Shout).unique(Unique::fields(["user"])))
        .endpoint(post("/c", Echo).unique_by_header("no header", |value| Unique::key(value)))
        .endpoint(post("/d", Echo).unique(Unique::input().extend()));
    let complaints = wrong.into_router().expect_err("refused").to_string();
    for (path, why) in [("/a", "256 bytes"), ("/b", "JSON input only"), ("/c", "header name"), ("/d", "extended")] {
        assert!(complaints.lines().any(|line| line.contains(path) && line.contains(why)), "{path}: {complaints}");
    }
}

#[tokio::test]
async fn the_document_lists_the_header_that_tells_which_are_the_same() {
    let client = Client::serving_with(|api| {
        api.endpoint(post("/by-order", Echo).unique_by_header("X-Order-Id", |order| Unique::key(order)))
            .openapi("/openapi.json")
    })
    .await;
    let document = client.get("/openapi.json").await.json();
    let named = |path: &str| {
        let parameters = document["paths"][path]["post"]["parameters"].as_array().unwrap().clone();
        parameters.iter().any(|one| one["name"] == "x-order-id" && one["in"] == "header")
    };
    assert!(named("/by-order") && !named("/echo"));
}

#[tokio::test]
async fn a_route_straight_from_the_engine_is_unique_too() {
    let engine = idle(Arc::new(Memory::new())).await;
    let route = engine.post(Echo).unique(Unique::input()).into_route();
    let by_header = engine.post(Echo).unique_by_header("x-order-id", |order| Unique::key(order)).into_route();
    let router = axum::Router::new().route("/one", route).route("/other", by_header);
    let client = Client { engine, router };
    for path in ["/one", "/other"] {
        let send = async || client.post_with(path, &[("x-order-id", "7")], "1").await;
        let first = send().await;
        assert!(is_duplicate_of(&send().await, &first), "{path}");
    }
}

#[tokio::test]
async fn over_a_socket_two_owners_who_post_the_same_have_one_job_each() {
    let client =
        Client::serving_with(|api| api.owner(owner).endpoint(post("/by-user", Echo).unique(Unique::fields(["user"]))))
            .await;
    let running = run(&client, |server| server).await;
    let send = async |user: &str, body: &str| {
        let head = format!("Host: x\r\nConnection: close\r\nX-User: {user}\r\nContent-Type: application/json\r\n");
        let length = body.len();
        let text = format!("POST /by-user HTTP/1.1\r\n{head}Content-Length: {length}\r\n\r\n{body}");
        rest(connect(running.address, &text).await).await
    };
    let id = |answer: &str| {
        let line = answer.lines().find_map(|line| line.strip_prefix("async-job-id: ").map(str::to_owned));
        line.expect("an id")
    };
    let [ada, again, eve] = [
        send("ada", r#"{"user": 7, "page": 1}"#).await,
        send("ada", r#"{"user": 7, "page": 2}"#).await,
        send("eve", r#"{"user": 7}"#).await,
    ];
    for answer in [&ada, &again, &eve] {
        assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    }
    assert!(again.contains("async-job-outcome: duplicate\r\n") && !ada.contains("async-job-outcome"));
    assert_eq!(id(&ada), id(&again));
    assert_ne!(id(&ada), id(&eve));
}
