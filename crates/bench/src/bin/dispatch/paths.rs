//! The handlers and the ways to them.

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use windlass::messages::{Answered, Command, Event, Layer, Next, dispatcher, handler};

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
}

const COMMAND: &str = "a command that does nothing, to an async handler with a shared value";
const PLAIN: &str = "the same to a plain function";
const LAYERS: &str = "the first through five layers that do nothing";
const EVENT: &str = "an event to eight async handlers";

pub(crate) const ALL: [Path; 7] = [
    Path { system: "direct", name: "call", settings: COMMAND, call: call_directly },
    Path { system: "windlass", name: "send", settings: COMMAND, call: send },
    Path { system: "windlass", name: "layers", settings: LAYERS, call: layers },
    Path { system: "direct", name: "call-plain", settings: PLAIN, call: call_plain },
    Path { system: "windlass", name: "call_now", settings: PLAIN, call: call_now },
    Path { system: "direct", name: "call-eight", settings: EVENT, call: call_eight },
    Path { system: "windlass", name: "publish", settings: EVENT, call: publish },
];

struct Shop(u64);

#[derive(Command)]
#[message(reply = u64)]
struct Order(u64);

#[derive(Command)]
#[message(reply = u64)]
struct PlainOrder(u64);

#[derive(Event)]
struct Ordered(u64);

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

struct Through<const PLACE: usize>;

impl<const PLACE: usize, App: ?Sized + Sync, M: Answered> Layer<App, M> for Through<PLACE> {
    async fn around(&self, app: &App, message: M, next: impl Next<App, M>) -> windlass::Result<M::Reply> {
        next.run(app, message).await
    }
}

dispatcher! {
    struct Orders {
        shop: Shop,
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

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn repeat(calls: u64, one: impl Fn(&Orders, u64)) {
    let shop = Shop(black_box(7));
    let orders = black_box(Orders { shop, a: Through, b: Through, c: Through, d: Through, e: Through });
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
