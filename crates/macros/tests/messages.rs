//! Handlers of messages, called in process and run as jobs.
#![allow(clippy::unwrap_used)]
include!("ui/facade.rs");

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Poller, Poll, Waker};

use serde::{Deserialize, Serialize};
use windlass_core::{NewJob, Payload, Timestamp, Unique};
use windlass_dispatch::message::Message;
use windlass_dispatch::{
    Call, CallNow, Conclusion, Context, Erased, Error, Handler, Has, MessageContext, Result, Router, Run,
};
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

#[handler(name = "CreateOrder", retries = 3, unique(fields = ["sku"]))]
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
    assert_eq!(create_order.options().unique, Some(Unique::fields(["sku"])));
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
        #[cfg(any())]
        recorder: Recorder,
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

/// Written by nobody but a program.
#[derive(Command, serde::Deserialize)]
#[message(name = "orders.double", reply = u64)]
struct Double(u64);

#[handler]
async fn double(number: Double) -> Result<u64> {
    number.0.checked_mul(2).ok_or_else(|| Error::permanent("too much"))
}

/// It never comes to its end.
#[derive(Command)]
struct Wait(Arc<()>);

#[handler]
async fn wait(held: Wait) {
    std::future::pending::<()>().await;
    drop(held.0);
}

dispatcher! {
    struct Late { shop: Shop, prices: Prices }
    commands { Double => double, Wait => wait, CreateOrder => create_order }
    queries { PriceOf => price_of }
    events { OrderCreated => [count_order] }
}

fn late() -> Late {
    Late { shop: Shop::default(), prices: Prices(7) }
}

#[test]
fn messages_of_a_type_that_is_known_at_run_time_only_find_their_handlers() {
    let late = late();
    let mut erased = Erased::new(&late);
    for number in 0..3 {
        let mut command = Some(Double(number));
        let reply = now(erased.dispatch(&mut command)).unwrap();
        assert_eq!(reply.downcast_mut::<Option<u64>>().unwrap().take(), Some(2 * number));
        assert!(command.is_none(), "it was taken");
        let again = now(erased.dispatch(&mut command)).unwrap_err();
        assert_eq!(again.described().code, "UNKNOWN_MESSAGE");
    }
    let price = now(erased.dispatch(&mut Some(PriceOf(Box::new(|| 3))))).unwrap();
    assert_eq!(price.downcast_ref(), Some(&Some(21_u64)));
    let heard = now(erased.dispatch(&mut Some(OrderCreated { id: 7 }))).unwrap();
    assert_eq!(heard.downcast_ref(), Some(&Some(())));
    assert_eq!(late.shop.orders.load(Ordering::Relaxed), 100);
    let refused = now(erased.dispatch(&mut Some(Double(u64::MAX)))).unwrap_err();
    assert_eq!(refused.described().message, "too much");
    let unknown = now(erased.dispatch(&mut Some("no message"))).unwrap_err();
    assert!(unknown.to_string().contains("no message that has a handler here"), "{unknown}");
}

#[test]
fn a_message_that_comes_as_a_name_and_json_finds_its_handler() {
    let late = late();
    let mut erased = Erased::new(&late);
    assert_eq!(&*now(erased.dispatch_json("orders.double", b"21")).unwrap().bytes, b"42");
    assert_eq!(&*now(erased.dispatch_json("OrderCreated", br#"{ "id": 7 }"#)).unwrap().bytes, b"null");
    for (name, json, code) in [
        ("Double", "1", "UNKNOWN_MESSAGE"),
        ("orders.double", "\"one\"", "BAD_INPUT"),
        ("PriceOf", "1", "UNKNOWN_MESSAGE"),
    ] {
        let error = now(erased.dispatch_json(name, json.as_bytes())).unwrap_err();
        assert_eq!(error.described().code, code, "{name}: {error}");
    }
}

/// Who gives up waiting takes the handler with him, and what it held.
#[test]
fn a_dispatch_that_is_dropped_leaves_nothing_behind() {
    let (late, held) = (late(), Arc::new(()));
    let mut erased = Erased::new(&late);
    for _ in 0..2 {
        let mut command = Some(Wait(held.clone()));
        let mut waiting = Box::pin(erased.dispatch(&mut command));
        assert!(waiting.as_mut().poll(&mut Poller::from_waker(Waker::noop())).is_pending());
        drop(waiting);
        assert_eq!(Arc::strong_count(&held), 1);
    }
    assert!(now(erased.dispatch(&mut Some(Double(1)))).is_ok());
}

#[test]
fn an_applications_handlers_are_the_jobs_of_its_messages() {
    let late = Arc::new(late());
    let routes = Router::new().application(&late).build().unwrap();
    let mut names: Vec<_> = routes.names().map(|name| name.to_string()).collect();
    names.sort();
    assert_eq!(names, ["CountOrder", "CreateOrder", "Double"], "those that are data, by the names of their handlers");
    let done = attempt("Double", Payload::json(&21).unwrap(), &routes);
    assert_eq!(done, Conclusion::Done(Payload::json(&42).unwrap()));
    attempt("CountOrder", Payload::json(&OrderCreated { id: 7 }).unwrap(), &routes);
    assert_eq!(late.shop.orders.load(Ordering::Relaxed), 100);
    let bad = attempt("Double", Payload::json(&"one").unwrap(), &routes);
    assert!(matches!(&bad, Conclusion::Failed(error) if error.described().code == "BAD_INPUT"), "{bad:?}");
}

#[derive(Query, serde::Deserialize)]
#[message(reply = (String, Option<String>))]
struct WhoAmI;

#[handler]
fn who_am_i(_: WhoAmI, cx: &MessageContext) -> (String, Option<String>) {
    (cx.correlation().to_string(), cx.tenant().map(str::to_owned))
}

/// Asks for no context itself.
#[derive(Command, serde::Deserialize)]
#[message(reply = (String, Option<String>))]
struct AskOn;

#[handler]
async fn ask_on(_: AskOn, known: &Known) -> Result<(String, Option<String>)> {
    known.query(WhoAmI).await
}

dispatcher! {
    struct Known { shop: Shop }
    commands { AskOn => ask_on }
    queries { WhoAmI => who_am_i }
}

#[test]
fn a_handlers_context_is_its_messages_whichever_way_that_came() {
    let known = Arc::new(Known { shop: Shop::default() });
    let begun = MessageContext::new().with_tenant("acme");
    let expected = (begun.correlation().to_string(), Some("acme".to_owned()));
    assert_eq!(now(begun.clone().scope(known.query(WhoAmI))).unwrap(), expected);
    assert_eq!(now(begun.clone().scope(known.send(AskOn))).unwrap(), expected, "through a handler that does not ask");
    assert_eq!(begun.clone().sync_scope(|| known.call_now(WhoAmI)).unwrap(), expected);
    let alone = known.call_now(WhoAmI).unwrap();
    assert!(alone.0 != expected.0 && alone.1.is_none(), "{alone:?}");

    let mut job = NewJob::build("AskOn", Payload::json(&()).unwrap()).finish(Timestamp::UNIX_EPOCH).unwrap();
    job.cause = Some(Box::new(begun.follows()));
    for routes in [Router::new().application(&known).build().unwrap(), Router::new().handler(who_am_i).build().unwrap()]
    {
        for name in ["AskOn", "WhoAmI"] {
            let Some(handler) = routes.find(name).cloned() else { continue };
            let run = Run { job: Arc::new(job.clone()), attempt: 1, token: 1, states: routes.states().clone() };
            assert_eq!(
                now(handler.call(Context::new(run))),
                Conclusion::Done(Payload::json(&expected).unwrap()),
                "{name}"
            );
        }
    }
}
