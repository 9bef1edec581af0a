//! Handlers of messages, called in process and run as jobs.
#![allow(clippy::unwrap_used)]
include!("ui/facade.rs");

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll, Waker};

use serde::{Deserialize, Serialize};
use windlass_core::{NewJob, Payload, Timestamp};
use windlass_dispatch::message::Message;
use windlass_dispatch::{Call, CallNow, Conclusion, Context, Error, Handler, Has, Result, Router, Run};
use windlass_macros::{Command, Event, Query, dispatcher, handler};

#[derive(Clone, Default)]
struct Shop {
    orders: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Prices(u64);

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct OrderId(usize);

#[derive(Command, Serialize, Deserialize)]
#[message(reply = OrderId, version = 2)]
struct CreateOrder {
    sku: String,
}

/// Neither is data, and neither needs to be.
#[derive(Query)]
#[message(reply = u64, name = "prices.of")]
struct PriceOf(Box<dyn Fn() -> u64 + Send + Sync>);

#[derive(Event, Serialize, Deserialize)]
struct OrderCreated {
    id: usize,
}

#[handler(name = "CreateOrder", retries = 3)]
async fn create_order(order: CreateOrder, shop: &Shop) -> Result<OrderId> {
    if order.sku.is_empty() {
        return Err(Error::permanent("an order needs an article"));
    }
    Ok(OrderId(shop.orders.fetch_add(1, Ordering::Relaxed)))
}

#[handler]
fn price_of(question: PriceOf, prices: &Prices) -> u64 {
    prices.0 * question.0()
}

#[handler]
async fn count_order(_event: &OrderCreated, shop: &Shop) {
    shop.orders.fetch_add(100, Ordering::Relaxed);
}

#[handler]
fn refuse_order(event: &OrderCreated) -> Result<(), std::num::ParseIntError> {
    match event.id {
        13 => "thirteen".parse::<u8>().map(drop),
        _ => Ok(()),
    }
}

dispatcher! {
    #[derive(Clone)]
    struct Orders {
        shop: Shop,
        prices: Prices,
    }
    commands { CreateOrder => create_order }
    queries { PriceOf => price_of }
    events { OrderCreated => [refuse_order, count_order] }
}

fn orders() -> Orders {
    Orders { shop: Shop::default(), prices: Prices(7) }
}

/// What a future that needs nobody else ends with.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Poller::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[test]
fn a_command_is_answered_by_its_handler() {
    let orders = orders();
    assert_eq!(now(orders.send(CreateOrder { sku: "rope".into() })).unwrap(), OrderId(0));
    assert_eq!(now(orders.send(CreateOrder { sku: "rope".into() })).unwrap(), OrderId(1));
    let refused = now(orders.send(CreateOrder { sku: String::new() })).unwrap_err();
    assert!(refused.to_string().contains("needs an article"), "{refused}");
}

#[test]
fn a_plain_function_can_be_called_without_a_future() {
    let orders = orders();
    assert_eq!(orders.call_now(PriceOf(Box::new(|| 6))).unwrap(), 42);
    assert_eq!(now(orders.query(PriceOf(Box::new(|| 2)))).unwrap(), 14);
}

#[test]
fn an_event_is_heard_by_all_although_one_fails() {
    let orders = orders();
    now(orders.publish(OrderCreated { id: 1 })).unwrap();
    let unheard = now(orders.publish(OrderCreated { id: 13 })).unwrap_err();
    assert_eq!(orders.shop.orders.load(Ordering::Relaxed), 200);
    let failed: Vec<_> = unheard.failures().iter().map(|(handler, _)| *handler).collect();
    assert_eq!(failed, ["RefuseOrder"]);
    assert!(unheard.to_string().starts_with("RefuseOrder: "), "{unheard}");
}

#[test]
fn names_and_versions_are_those_of_the_wire() {
    assert_eq!((CreateOrder::NAME, CreateOrder::VERSION), ("CreateOrder", 2));
    assert_eq!((PriceOf::NAME, PriceOf::VERSION), ("prices.of", 1));
}

fn attempt(handler: &str, payload: Payload, routes: &windlass_dispatch::Routes) -> Conclusion {
    let job = NewJob::build(handler, payload).finish(Timestamp::UNIX_EPOCH).unwrap();
    let context = Context::new(Run { job: Arc::new(job), attempt: 1, token: 1, states: routes.states().clone() });
    now(routes.find(handler).unwrap().clone().call(context))
}

/// The same handlers, as jobs.
#[test]
fn a_handler_of_messages_is_a_handler_of_jobs() {
    let shop = Shop::default();
    let routes = Router::new().handler(create_order).handler(count_order).state(shop.clone()).build().unwrap();
    assert_eq!(create_order.options().retries, Some(3));
    let order = Payload::json(&CreateOrder { sku: "rope".into() }).unwrap();
    assert_eq!(attempt("CreateOrder", order, &routes), Conclusion::Done(Payload::json(&0).unwrap()));
    let created = Payload::json(&OrderCreated { id: 5 }).unwrap();
    assert_eq!(attempt("CountOrder", created, &routes), Conclusion::Done(Payload::new("", "")));
    assert_eq!(shop.orders.load(Ordering::Relaxed), 101);
    let bad = attempt("CreateOrder", Payload::json(&7).unwrap(), &routes);
    assert!(matches!(bad, Conclusion::Failed(_)), "{bad:?}");
}

#[test]
fn a_job_without_what_its_handler_shares_is_an_error_at_build() {
    let error = Router::new().handler(create_order).build().err().unwrap();
    assert!(error.to_string().contains("Shop"), "{error}");
}

/// Notes who was there, in their order.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }
}

impl<App: ?Sized + Sync, M: windlass_dispatch::message::Answered> windlass_dispatch::Layer<App, M> for Log {
    async fn around(&self, app: &App, message: M, next: impl windlass_dispatch::Next<App, M>) -> Result<M::Reply> {
        self.note(format!("{} begins", M::NAME));
        let reply = next.run(app, message).await;
        self.note(format!("{} ends {}", M::NAME, if reply.is_ok() { "well" } else { "badly" }));
        reply
    }
}

/// Tries orders again that failed.
struct Again(Log);

impl<App: ?Sized + Sync> windlass_dispatch::Layer<App, CreateOrder> for Again {
    async fn around(
        &self,
        app: &App,
        order: CreateOrder,
        next: impl windlass_dispatch::Next<App, CreateOrder>,
    ) -> Result<OrderId> {
        match next.run(app, CreateOrder { sku: order.sku.clone() }).await {
            Err(_) => {
                self.0.note("again");
                next.run(app, CreateOrder { sku: "rope".to_owned() }).await
            }
            done => done,
        }
    }
}

dispatcher! {
    struct Layered {
        log: Log,
        again: Again,
        shop: Shop,
        prices: Prices,
    }
    commands [Log, Again] { CreateOrder => create_order }
    queries { PriceOf => price_of }
}

#[test]
fn layers_go_around_the_handlers_of_their_group_in_their_order() {
    let log = Log::default();
    let layered = Layered { log: log.clone(), again: Again(log.clone()), shop: Shop::default(), prices: Prices(7) };
    assert_eq!(now(layered.send(CreateOrder { sku: "rope".into() })).unwrap(), OrderId(0));
    assert_eq!(now(layered.send(CreateOrder { sku: String::new() })).unwrap(), OrderId(1));
    assert_eq!(layered.call_now(PriceOf(Box::new(|| 1))).unwrap(), 7);
    let lines = log.0.lock().unwrap().join(", ");
    let once = "CreateOrder begins, CreateOrder ends well";
    assert_eq!(lines, format!("{once}, CreateOrder begins, again, CreateOrder ends well"));
}

#[derive(Command)]
struct CloseShop {
    id: usize,
}

/// A handler sends messages to its own application.
#[handler]
async fn close_shop(command: CloseShop, chain: &Chain) -> Result<()> {
    Ok(chain.publish(OrderCreated { id: command.id }).await?)
}

dispatcher! {
    struct Chain {
        shop: Shop,
        #[cfg(any())]
        nobody: Nobody,
    }
    commands {
        CloseShop => close_shop,
        #[cfg(any())]
        Nothing => nobody,
    }
    events {
        OrderCreated => [count_order, #[cfg(any())] nobody],
        #[cfg(any())]
        Nothing => [],
    }
}

#[test]
fn a_handler_goes_on_to_other_handlers_and_what_is_configured_away_is_not_there() {
    let chain = Chain { shop: Shop::default() };
    now(chain.send(CloseShop { id: 1 })).unwrap();
    assert_eq!(chain.shop.orders.load(Ordering::Relaxed), 100);
}

/// What a caller has to tell apart is a reply of its own.
#[derive(Query)]
#[message(reply = Result<u64, SoldOut>)]
struct Take(u64);

#[derive(Debug, PartialEq, Eq)]
struct SoldOut;

#[handler]
fn take(wanted: Take, prices: &Prices) -> Result<Result<u64, SoldOut>> {
    Ok(prices.0.checked_sub(wanted.0).ok_or(SoldOut))
}

/// As a test has it that wants no dispatcher.
struct OnlyPrices(Prices);

impl Has<Prices> for OnlyPrices {
    fn get(&self) -> &Prices {
        &self.0
    }
}

#[test]
fn a_handler_is_called_with_anything_that_has_what_it_shares() {
    let prices = OnlyPrices(Prices(7));
    assert_eq!(now(take.call(&prices, Take(2))).unwrap(), Ok(5));
    assert_eq!(take.call_now(&prices, Take(8)).unwrap(), Err(SoldOut));
}
