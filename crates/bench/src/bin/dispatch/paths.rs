//! The handlers and the ways to them.

use std::any::Any;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use windlass::messages::{
    Answered, Command, Erased, Event, Layer, Local, Next, Policies, Policy, Subject, dispatcher, handler,
};

use crate::{crowds, peers};

/// One way to a handler.
pub(crate) struct Path {
    /// Who calls it.
    pub(crate) system: &'static str,
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is called.
    pub(crate) settings: &'static str,
    /// Calls it so often.
    pub(crate) call: fn(u64),
    /// Whether it must not allocate.
    pub(crate) free: bool,
}

impl Path {
    const fn new(system: &'static str, name: &'static str, settings: &'static str, call: fn(u64)) -> Self {
        Self { system, name, settings, call, free: true }
    }

    /// One that may allocate.
    const fn paid(system: &'static str, name: &'static str, settings: &'static str, call: fn(u64)) -> Self {
        Self { free: false, ..Self::new(system, name, settings, call) }
    }
}

const COMMAND: &str = "a command that does nothing, to an async handler with a shared value";
const PLAIN: &str = "the same to a plain function";
const LAYERS: &str = "the first through five layers that do nothing";
const EVENT: &str = "an event to eight async handlers";

const BY_TYPE: &str = "the first, whose type is known at run time only";
const MIXED: &str = "the same, in turn with another";
const BY_NAME: &str = "the first, as a name and JSON";
const POLICY: &str = "which of three rules fits: the last";
const PARALLEL: &str = "the first in batches of 1000, at most 16 at once, in one task";
const LANES: &str = "the first in batches of 1000 over 10 streams in 10 lanes, on two threads";
const SPAWN: &str = "the first through the local queue, its reply awaited, in one task";
const PEER: &str = "the first with medi-rs 3.2 (static)";
const PEER_EVENT: &str = "an event to eight plain listeners with mod-events 1.1";

pub(crate) const ALL: [Path; 16] = [
    Path::new("direct", "call", COMMAND, call_directly),
    Path::new("windlass", "send", COMMAND, send),
    Path::new("medi-rs", "medi-send", PEER, peers::send),
    Path::new("windlass", "layers", LAYERS, layers),
    Path::new("windlass", "erased", BY_TYPE, by_type),
    Path::new("windlass", "erased-mixed", MIXED, by_type_in_turn),
    Path::paid("windlass", "by-name", BY_NAME, by_name),
    Path::new("windlass", "policy", POLICY, decide),
    Path::new("direct", "call-plain", PLAIN, call_plain),
    Path::new("windlass", "call_now", PLAIN, call_now),
    Path::new("direct", "call-eight", EVENT, call_eight),
    Path::new("windlass", "publish", EVENT, publish),
    Path::paid("mod-events", "mod-emit", PEER_EVENT, peers::emit),
    Path::paid("windlass", "parallel", PARALLEL, crowds::parallel),
    Path::paid("windlass", "lanes", LANES, crowds::lanes),
    Path::paid("windlass", "spawn", SPAWN, crowds::spawn),
];

pub(crate) struct Shop(pub(crate) u64);

#[derive(Command, serde::Deserialize)]
#[message(reply = u64)]
pub(crate) struct Order(pub(crate) u64);

#[derive(Command)]
#[message(reply = u64)]
struct PlainOrder(u64);

#[derive(Event)]
pub(crate) struct Ordered(u64);

async fn order_directly(order: Order, shop: &Shop) -> windlass::Result<u64> {
    Ok(order.0 ^ shop.0)
}

#[handler]
async fn create_order(order: Order, shop: &Shop) -> windlass::Result<u64> {
    order_directly(order, shop).await
}

fn plain_directly(order: &PlainOrder, shop: &Shop) -> windlass::Result<u64> {
    Ok(order.0 ^ shop.0)
}

#[handler]
fn create_plain_order(order: PlainOrder, shop: &Shop) -> windlass::Result<u64> {
    plain_directly(&order, shop)
}

async fn hear_directly(event: &Ordered) -> windlass::Result<()> {
    black_box(event.0);
    Ok(())
}

macro_rules! listeners {
    ($($listener:ident)*) => { $(
        #[handler]
        async fn $listener(event: &Ordered) -> windlass::Result<()> {
            hear_directly(event).await
        }
    )* };
}

listeners! { first second third fourth fifth sixth seventh eighth }

#[derive(Command)]
#[message(reply = u64)]
struct LayeredOrder(u64);

#[handler]
async fn create_layered_order(order: LayeredOrder, shop: &Shop) -> windlass::Result<u64> {
    order_directly(Order(order.0), shop).await
}

pub(crate) struct Through<const PLACE: usize>;

impl<const PLACE: usize, App: ?Sized + Sync, M: Answered> Layer<App, M> for Through<PLACE> {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> windlass::Result<M::Reply> {
        next.run(app, message).await
    }
}

dispatcher! {
    pub(crate) struct Orders {
        shop: Shop,
        pub(crate) local: Local<Orders>,
        a: Through<1>,
        b: Through<2>,
        c: Through<3>,
        d: Through<4>,
        e: Through<5>,
    }
    commands {
        Order => create_order,
        PlainOrder => create_plain_order,
    }
    commands [Through<1>, Through<2>, Through<3>, Through<4>, Through<5>] {
        LayeredOrder => create_layered_order,
    }
    events { Ordered => [first, second, third, fourth, fifth, sixth, seventh, eighth] }
}

// Of its own, because messages that go through the table have a call more than one in the program, and the compiler then
// leaves off to write them out where they are sent.
dispatcher! {
    struct LateOrders { shop: Shop }
    commands { Order => create_order, LateOrder => create_late_order }
}

#[derive(Command)]
#[message(reply = u64)]
struct LateOrder(u64);

#[handler]
async fn create_late_order(order: LateOrder, shop: &Shop) -> windlass::Result<u64> {
    order_directly(Order(order.0), shop).await
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

pub(crate) fn orders(shop: Shop) -> Orders {
    Orders { shop, local: Local::default(), a: Through, b: Through, c: Through, d: Through, e: Through }
}

fn repeat(calls: u64, one: impl Fn(&Orders, u64)) {
    let shop = Shop(black_box(7));
    let orders = black_box(orders(shop));
    (0..calls).for_each(|number| one(&orders, black_box(number)));
}

fn call_directly(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(now(order_directly(Order(number), &orders.shop)))));
}

fn send(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(now(orders.send(Order(number))))));
}

fn layers(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(now(orders.send(LayeredOrder(number))))));
}

// They come from elsewhere, as those do whose type nobody knows.
const TOGETHER: usize = 64;

fn by_type(calls: u64) {
    let late = black_box(LateOrders { shop: Shop(black_box(7)) });
    let (mut erased, mut task) = (Erased::new(&late), Context::from_waker(Waker::noop()));
    let mut orders: [Option<Order>; TOGETHER] = [const { None }; TOGETHER];
    let mut number = 0;
    while number < calls {
        let some = orders.len().min((calls - number) as usize);
        for order in black_box(&mut orders[..some]) {
            *order = Some(Order(number));
            number += 1;
        }
        for order in black_box(&mut orders[..some]) {
            dispatch(&mut erased, order, &mut task);
        }
    }
}

fn by_type_in_turn(calls: u64) {
    let late = black_box(LateOrders { shop: Shop(black_box(7)) });
    let (mut erased, mut task) = (Erased::new(&late), Context::from_waker(Waker::noop()));
    let mut orders: [(Option<Order>, Option<LateOrder>); TOGETHER / 2] = [const { (None, None) }; TOGETHER / 2];
    let mut number = 0;
    while number < calls {
        for order in black_box(&mut orders) {
            *order = (Some(Order(number)), Some(LateOrder(number + 1)));
            number += 2;
        }
        for (one, other) in black_box(&mut orders) {
            dispatch(&mut erased, one, &mut task);
            dispatch(&mut erased, other, &mut task);
        }
    }
}

// A task is given its context once, and dispatches in it as often as it likes.
fn dispatch(erased: &mut Erased<'_, LateOrders>, message: &mut (dyn Any + Send), task: &mut Context<'_>) {
    if let Poll::Ready(Ok(reply)) = pin!(erased.dispatch(message)).poll(task)
        && let Some(Some(total)) = reply.downcast_ref::<Option<u64>>()
    {
        black_box(*total);
    }
}

fn by_name(calls: u64) {
    let late = black_box(LateOrders { shop: Shop(black_box(7)) });
    let mut erased = Erased::new(&late);
    for _ in 0..calls {
        drop(black_box(now(erased.dispatch_json(black_box("Order"), black_box(b"17")))));
    }
}

fn decide(calls: u64) {
    let policies = Policies::new()
        .rule("acme", |subject| subject.tenant() == Some("acme"), Policy::new())
        .rule("large", |subject| subject.message::<Order>().is_some_and(|order| order.0 == u64::MAX), Policy::new())
        .rule("orders", |subject| subject.is::<Order>(), Policy::new().topic("orders"));
    let policies = black_box(policies);
    for number in 0..calls {
        black_box(policies.decide(&Subject::of(&Order(black_box(number)))).is_some());
    }
}

fn call_plain(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(plain_directly(&PlainOrder(number), &orders.shop))));
}

fn call_now(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(orders.call_now(PlainOrder(number)))));
}

fn call_eight(calls: u64) {
    repeat(calls, |_, number| {
        let event = Ordered(number);
        for _ in 0..8 {
            drop(black_box(now(hear_directly(&event))));
        }
    });
}

fn publish(calls: u64) {
    repeat(calls, |orders, number| drop(black_box(now(orders.publish(Ordered(number))))));
}
