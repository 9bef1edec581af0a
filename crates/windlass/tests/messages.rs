//! One handler, written once: called in process, run as a durable job, and behind an HTTP endpoint, with the same answer.
#![cfg(all(feature = "embedded", feature = "http"))]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use serde::{Deserialize, Serialize};
use tower::ServiceExt;
use windlass::messages::{Command, Event, dispatcher, handler};
use windlass::prelude::*;
use windlass::store::Scope;

#[derive(Clone)]
struct Prices {
    rope: u64,
}

#[derive(Clone, Default)]
struct Told(Arc<AtomicU64>);

#[derive(Command, Serialize, Deserialize)]
#[message(reply = Receipt)]
struct CreateOrder {
    metres: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    total: u64,
}

#[derive(Event, Serialize, Deserialize)]
struct OrderCreated {
    total: u64,
}

#[handler]
async fn create_order(order: CreateOrder, prices: &Prices) -> Result<Receipt> {
    if order.metres == 0 {
        return Err(Error::permanent("nothing was ordered").code("EMPTY_ORDER"));
    }
    tokio::task::yield_now().await;
    Ok(Receipt { total: order.metres * prices.rope })
}

#[handler]
async fn tell(event: &OrderCreated, told: &Told) {
    told.0.fetch_add(event.total, Ordering::Relaxed);
}

dispatcher! {
    struct Orders {
        prices: Prices,
        told: Told,
    }
    commands { CreateOrder => create_order }
    events { OrderCreated => [tell] }
}

async fn started(orders: &Orders, folder: &tempfile::TempDir) -> Windlass {
    let windlass = Windlass::open(format!("file:{}", folder.path().display())).handler(create_order).handler(tell);
    windlass.state(orders.prices.clone()).state(orders.told.clone()).start().await.unwrap()
}

/// The job's end.
async fn ended(windlass: &Windlass, id: JobId) -> windlass::core::Job {
    let job = windlass.engine().wait(id, &Scope::Everything, Duration::from_secs(30)).await.unwrap().unwrap();
    assert!(job.status.is_finished(), "{job:?}");
    job
}

async fn posted(router: &Router, body: &str) -> JobId {
    let request = axum::http::Request::post("/orders").header("content-type", "application/json");
    let answer = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 202);
    let job = to_bytes(answer.into_body(), 10_000).await.unwrap();
    let job: serde_json::Value = serde_json::from_slice(&job).unwrap();
    job["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_same_handler_answers_in_process_as_a_job_and_over_http() {
    let orders = Orders { prices: Prices { rope: 3 }, told: Told::default() };
    let folder = tempfile::tempdir().unwrap();
    let windlass = started(&orders, &folder).await;
    let router = windlass.api().endpoint(post("/orders", create_order)).job_routes("/jobs").into_router().unwrap();

    let called = orders.send(CreateOrder { metres: 14 }).await.unwrap();
    assert_eq!(called, Receipt { total: 42 });
    let submitted = create_order.submit(windlass.engine(), CreateOrder { metres: 14 }).await.unwrap();
    let requested = posted(&router, r#"{ "metres": 14 }"#).await;
    for id in [submitted.id, requested] {
        let job = ended(&windlass, id).await;
        assert_eq!(job.new.name.as_str(), "CreateOrder");
        assert_eq!(job.result.unwrap().parse_json::<Receipt>().unwrap(), called);
    }

    let refused = orders.send(CreateOrder { metres: 0 }).await.unwrap_err();
    let failed = create_order.submit(windlass.engine(), CreateOrder { metres: 0 }).await.unwrap();
    assert_eq!(ended(&windlass, failed.id).await.error.as_ref(), Some(refused.described()));
    windlass.engine().shutdown().await;
}

#[tokio::test]
async fn an_event_is_heard_in_process_and_as_a_job() {
    let orders = Orders { prices: Prices { rope: 3 }, told: Told::default() };
    let folder = tempfile::tempdir().unwrap();
    let windlass = started(&orders, &folder).await;
    orders.publish(OrderCreated { total: 40 }).await.unwrap();
    let submitted = tell.submit(windlass.engine(), OrderCreated { total: 2 }).await.unwrap();
    assert_eq!(ended(&windlass, submitted.id).await.new.name.as_str(), "Tell");
    assert_eq!(orders.told.0.load(Ordering::Relaxed), 42);
    windlass.engine().shutdown().await;
}
