//! One handler, registered once: called in process, through the local queue, as a durable job and behind an HTTP endpoint, with
//! the same answer, and always as part of what its caller began.
#![cfg(all(feature = "embedded", feature = "http"))]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tower::ServiceExt;
use windlass::OpenError;
use windlass::core::CorrelationId;
use windlass::messages::{Command, Durable, Event, Local, MessageContext, Query, Then, dispatcher, handler};
use windlass::prelude::*;
use windlass::store::{ErrorKind, Scope};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct Prices {
    rope: u64,
}

/// The total of all orders.
#[derive(Default)]
struct Told(watch::Sender<u64>);

impl Told {
    async fn reaches(&self, total: u64) {
        self.0.subscribe().wait_for(|told| *told >= total).await.unwrap();
        assert_eq!(*self.0.borrow(), total);
    }
}

#[derive(Command, Serialize, Deserialize)]
#[message(reply = Receipt)]
struct CreateOrder {
    metres: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Receipt {
    total: u64,
    correlation: CorrelationId,
    trace: Option<String>,
}

#[derive(Event, Serialize, Deserialize)]
struct OrderCreated {
    total: u64,
}

#[handler(name = "CreateOrder")]
async fn create_order(order: CreateOrder, prices: &Prices, cx: &MessageContext) -> Result<Then<Receipt, OrderCreated>> {
    if order.metres == 0 {
        return Err(Error::permanent("nothing was ordered").code("EMPTY_ORDER"));
    }
    tokio::task::yield_now().await;
    let total = order.metres * prices.rope;
    let trace = cx.traceparent().map(str::to_owned);
    Ok(Then(Receipt { total, correlation: cx.correlation(), trace }, OrderCreated { total }))
}

#[handler]
async fn tell(event: &OrderCreated, told: &Told) {
    told.0.send_modify(|told| *told += event.total);
}

dispatcher! {
    struct Orders {
        prices: Prices,
        told: Told,
        local: Local<Orders>,
        durable: Durable<Orders>,
    }
    commands { CreateOrder => create_order }
    events { OrderCreated => [submit(tell)] }
}

fn new_orders() -> Arc<Orders> {
    let (local, durable) = (Local::default(), Durable::default());
    Arc::new(Orders { prices: Prices { rope: 3 }, told: Told::default(), local, durable })
}

async fn started(orders: &Arc<Orders>, folder: &tempfile::TempDir) -> Windlass {
    let address = format!("file:{}", folder.path().display());
    loop {
        // The threads of an engine that has stopped let go of its store one after the other.
        match Windlass::open(&address).application(orders).start().await {
            Err(OpenError::Store(error)) if error.kind() == ErrorKind::Locked => tokio::task::yield_now().await,
            started => return started.unwrap(),
        }
    }
}

/// The job's end.
async fn ended(windlass: &Windlass, id: JobId) -> windlass::core::Job {
    let job = windlass.engine().wait(id, &Scope::Everything, Duration::from_secs(30)).await.unwrap().unwrap();
    assert!(job.status.is_finished(), "{job:?}");
    job
}

async fn receipt(windlass: &Windlass, id: JobId) -> Receipt {
    let job = ended(windlass, id).await;
    assert_eq!(job.new.name.as_str(), "CreateOrder");
    job.result.unwrap().parse_json().unwrap()
}

async fn posted(router: &Router, body: &str, correlation: CorrelationId) -> JobId {
    let request = axum::http::Request::post("/orders")
        .header("content-type", "application/json")
        .header("x-correlation-id", correlation.to_string())
        .header("traceparent", TRACE);
    let answer = router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    assert_eq!(answer.status(), 202);
    let job = to_bytes(answer.into_body(), 10_000).await.unwrap();
    let job: serde_json::Value = serde_json::from_slice(&job).unwrap();
    job["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_same_handler_answers_in_all_four_ways_as_part_of_what_its_caller_began() {
    let (orders, folder) = (new_orders(), tempfile::tempdir().unwrap());
    let windlass = started(&orders, &folder).await;
    let router = windlass.api().endpoint(post("/orders", create_order)).job_routes("/jobs").into_router().unwrap();

    let begun = MessageContext::new().with_traceparent(TRACE);
    let expected = Receipt { total: 42, correlation: begun.correlation(), trace: Some(TRACE.to_owned()) };
    let order = || CreateOrder { metres: 14 };
    let (called, spawned, submitted) = begun
        .clone()
        .scope(async {
            let called = orders.send(order()).await.unwrap();
            let spawned = orders.local.spawn(order()).await.unwrap();
            (called, spawned, orders.durable.submit(order()).await.unwrap())
        })
        .await;
    assert_eq!(called, expected);
    assert_eq!(spawned.await.unwrap(), expected);
    assert_eq!(receipt(&windlass, submitted).await, expected);
    let requested = posted(&router, r#"{ "metres": 14 }"#, begun.correlation()).await;
    assert_eq!(receipt(&windlass, requested).await, expected);
    orders.told.reaches(4 * 42).await;

    let refused = orders.send(CreateOrder { metres: 0 }).await.unwrap_err();
    let failed = orders.durable.submit(CreateOrder { metres: 0 }).await.unwrap();
    assert_eq!(ended(&windlass, failed).await.error.as_ref(), Some(refused.described()));
    windlass.engine().shutdown().await;
}

/// Waits until it may go on.
struct Gate(tokio::sync::Semaphore);

impl Gate {
    fn closed() -> Self {
        Self(tokio::sync::Semaphore::new(0))
    }
}

#[derive(Command)]
struct Pass;

#[derive(Query, Serialize, Deserialize)]
#[message(reply = u64)]
struct Passed;

#[handler]
async fn pass(_: Pass, gate: &Gate, barred: &Barred) -> Result<()> {
    gate.0.acquire().await?.forget();
    barred.durable.submit(Passed).await.map(drop)
}

#[handler]
fn passed(_: Passed) -> u64 {
    1
}

dispatcher! {
    struct Barred { gate: Gate, local: Local<Barred>, durable: Durable<Barred> }
    commands { Pass => pass }
    queries { Passed => passed }
}

/// What is under way in the local queue may still submit when the engine is told to stop, and nothing else comes in.
#[tokio::test]
async fn shutdown_lets_local_queues_end() {
    let barred = Arc::new(Barred { gate: Gate::closed(), local: Local::default(), durable: Durable::default() });
    let windlass = Windlass::open("memory:").application(&barred).start().await.unwrap();
    let spawned = barred.local.spawn(Pass).await.unwrap();
    let stopping = tokio::spawn({
        let windlass = windlass.clone();
        async move { windlass.engine().shutdown().await }
    });
    let closed = async {
        while !matches!(barred.local.try_spawn(None, Pass), Err(windlass::messages::SpawnError::Drained(_))) {
            barred.gate.0.add_permits(1);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), closed).await.expect("shutdown drains the queue");
    barred.gate.0.add_permits(1);
    spawned.await.unwrap();
    stopping.await.unwrap();
    assert!(barred.durable.submit(Passed).await.is_err(), "it has stopped");
}

/// An application whose engine is gone does not keep its store open.
#[tokio::test]
async fn an_application_does_not_keep_its_engine() {
    let (orders, folder) = (new_orders(), tempfile::tempdir().unwrap());
    for metres in 1..=2 {
        let opened = tokio::time::timeout(Duration::from_secs(30), started(&orders, &folder));
        let windlass = opened.await.expect("the store is let go");
        let id = orders.durable.submit(CreateOrder { metres }).await.unwrap();
        assert_eq!(receipt(&windlass, id).await.total, metres * 3);
        windlass.engine().shutdown().await;
    }
}
