//! T41: an absent job and somebody else's are one answer, byte for byte, on every job route and verb.

use axum::http::request::Parts;
use windlass_core::Owner;
use windlass_http::Rejection;

use crate::client::{Answer, Client, request};

pub(crate) fn owner(parts: &Parts) -> Result<Owner, Rejection> {
    let user = parts.headers.get("x-user").and_then(|value| value.to_str().ok());
    user.and_then(|user| Owner::new(user).ok()).ok_or_else(|| Rejection::unauthorized("who are you?"))
}

/// Every job route with every verb it knows. A new route belongs here.
const ROUTES: [(&str, &str); 5] = [
    ("GET", "/jobs/{id}"),
    ("HEAD", "/jobs/{id}"),
    ("GET", "/jobs/{id}?wait=1"),
    ("DELETE", "/jobs/{id}"),
    ("GET", "/jobs/{id}/result"),
];

async fn ask(client: &Client, user: &str, (method, route): (&str, &str), id: &str) -> Answer {
    client.send(request(method, &route.replace("{id}", id), &[("x-user", user)], "")).await
}

#[tokio::test]
async fn strangers_and_absent_jobs_look_alike() {
    let client = Client::serving_with(|api| api.owner(owner)).await;
    let id = client.post_with("/echo", &[("x-user", "ada")], "1").await.id();
    for route in ROUTES {
        let stranger = ask(&client, "eve", route, &id).await;
        let absent = ask(&client, "eve", route, "00000000-0000-4000-8000-000000000000").await;
        let malformed = ask(&client, "eve", route, "%00..%ff").await;
        for other in [&absent, &malformed] {
            assert_eq!(
                (stranger.status, &stranger.headers, &stranger.body),
                (other.status, &other.headers, &other.body)
            );
        }
        assert_eq!(stranger.status, 404, "{route:?}");
        assert!(!format!("{:?}", stranger.body).contains(&id));
    }
    assert_eq!(ask(&client, "ada", ROUTES[0], &id).await.json()["status"], "Queued", "eve's DELETE did nothing");
}

#[tokio::test]
async fn the_routes_above_are_all_there_are() {
    let client = Client::serving_with(|api| api.openapi("/openapi.json")).await;
    let document = client.get("/openapi.json").await.json();
    let paths = document["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/jobs"));
    let listed: usize = paths.map(|(_, verbs)| verbs.as_object().unwrap().len()).sum();
    let mut tested: Vec<_> = ROUTES.iter().filter(|(verb, route)| *verb != "HEAD" && !route.contains('?')).collect();
    tested.dedup();
    assert_eq!(listed, tested.len());
    for method in ["POST", "PUT", "PATCH", "OPTIONS"] {
        for route in ["/jobs/{id}", "/jobs/{id}/result"] {
            assert_eq!(ask(&client, "eve", (method, route), "x").await.problem(), (405, "method_not_allowed".into()));
        }
    }
}

#[tokio::test]
async fn without_an_owner_nothing_is_shown_or_taken() {
    let client = Client::serving_with(|api| api.owner(owner)).await;
    let id = client.post_with("/echo", &[("x-user", "ada")], "1").await.id();
    for (method, route) in ROUTES {
        let answer = client.send(request(method, &route.replace("{id}", &id), &[], "")).await;
        assert_eq!(answer.status, 401, "{method} {route}");
    }
    assert_eq!(client.post("/echo", "1").await.problem(), (401, "unauthorized".into()));
    assert_eq!(crate::leaks::stored(&client).await.len(), 1);
}

#[tokio::test]
async fn one_key_of_two_owners_is_two_jobs_and_one_id_is_not() {
    let client = Client::serving_with(|api| api.owner(owner)).await;
    let key = ("idempotency-key", "k");
    let [ada, eve] = [
        client.post_with("/echo", &[key, ("x-user", "ada")], "1").await,
        client.post_with("/echo", &[key, ("x-user", "eve")], "1").await,
    ];
    assert_eq!((ada.status, eve.status), (202, 202));
    assert_ne!(ada.id(), eve.id());
    let chosen = ("x-async-request-id", "5b7e0e4a-8f8b-4c8a-9f1f-8d8f8e8f8e8f");
    assert_eq!(client.post_with("/echo", &[chosen, ("x-user", "ada")], "1").await.status, 202);
    let taken = client.post_with("/echo", &[chosen, ("x-user", "eve")], "1").await;
    assert_eq!(taken.problem(), (422, "request_id_reused".into()));
}

/// The id behind a guessable key can be computed. Whoever submitted it first would learn of the key, and keep it from
/// its owner.
#[tokio::test]
async fn the_id_of_anothers_key_cannot_be_taken_in_advance() {
    let client = Client::serving_with(|api| api.owner(owner)).await;
    let ada = client.post_with("/echo", &[("idempotency-key", "order-1"), ("x-user", "ada")], "1").await;
    let id = ada.id();
    let taken = client.post_with("/echo", &[("x-async-request-id", &id), ("x-user", "eve")], "1").await;
    assert_eq!(taken.problem().0, 400);
}

/// 429, and when to come back; nothing about the rate itself, or about others.
#[tokio::test]
async fn an_owner_over_its_rate_is_told_when_to_come_back() {
    let engine = crate::client::start(Default::default(), std::sync::Arc::new(windlass_memory::Memory::new())).await;
    let rate = windlass_core::Rate::new(1, std::time::Duration::from_secs(3_600)).unwrap();
    engine.gates().limit("owners", windlass_core::Limits::rate(rate)).await.unwrap();
    let client = Client::new(engine.clone(), |api| api.owner(owner));
    let key = [("x-user", "ada"), ("idempotency-key", "k1")];
    let first = client.post_with("/echo", &key, "1").await;
    assert_eq!(first.status, 202);
    let refused = client.post_with("/echo", &[("x-user", "ada")], "2").await;
    assert_eq!(refused.problem(), (429, "rate_limited".into()));
    let seconds: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("whole seconds");
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    assert!(!String::from_utf8_lossy(&refused.body).contains("ada"));
    let repeated = client.post_with("/echo", &key, "1").await;
    assert_eq!((repeated.status, repeated.id()), (202, first.id()), "a repetition is answered");
    assert_eq!(client.post_with("/echo", &[("x-user", "bob")], "2").await.status, 202);
}

/// As with a rate: 429, and nothing about the number itself.
#[tokio::test]
async fn an_owner_with_too_many_waiting_is_told_to_come_back() {
    let without_work = |settings: &mut windlass_engine::Settings| settings.work = false;
    let mut settings = windlass_engine::Settings::default();
    without_work(&mut settings);
    let engine = crate::client::start(settings, std::sync::Arc::new(windlass_memory::Memory::new())).await;
    engine.gates().backlog("owners", windlass_core::Backlog::most(1)).await.unwrap();
    let client = Client::new(engine.clone(), |api| api.owner(owner));
    let key = [("x-user", "ada"), ("idempotency-key", "k1")];
    let first = client.post_with("/echo", &key, "1").await;
    assert_eq!(first.status, 202);
    let refused = client.post_with("/echo", &[("x-user", "ada")], "2").await;
    assert_eq!(refused.problem(), (429, "owner_full".into()));
    let seconds: u64 = refused.header("retry-after").and_then(|text| text.parse().ok()).expect("whole seconds");
    assert!((1..=5).contains(&seconds), "{seconds}");
    assert!(!String::from_utf8_lossy(&refused.body).contains("ada"));
    let repeated = client.post_with("/echo", &key, "1").await;
    assert_eq!((repeated.status, repeated.id()), (202, first.id()), "a repetition is answered");
    assert_eq!(client.post_with("/echo", &[("x-user", "bob")], "2").await.status, 202);
    engine.gates().backlog("owner:ada", windlass_core::Backlog::most(1).drop_oldest()).await.unwrap();
    let third = client.post_with("/echo", &[("x-user", "ada")], "3").await;
    assert_eq!((third.status, third.header("async-job-outcome")), (202, Some("replaced")));
}

#[tokio::test]
async fn an_owner_sees_the_job_and_its_result() {
    let engine = crate::client::start(Default::default(), std::sync::Arc::new(windlass_memory::Memory::new())).await;
    let client = Client::new(engine, |api| api.owner(owner));
    let headers = [("x-user", "ada"), ("prefer", "wait=20")];
    let answer = client.post_with("/echo", &headers, "1").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &b"1"[..]));
}
