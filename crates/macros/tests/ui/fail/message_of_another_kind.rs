include!("../facade.rs");

use windlass_macros::{Command, Event, Query, dispatcher, handler};

#[derive(Query)]
struct PriceOf;

#[derive(Event)]
#[message(reply = u64)]
struct OrderCreated;

#[derive(Command)]
#[message(versoin = 2)]
struct CreateOrder<T>(T);

#[handler]
async fn price_of(_question: PriceOf) {}

dispatcher! {
    struct Orders {}
    commands { PriceOf => price_of }
}

fn at_once(orders: &Orders) {
    let _ = orders.call_now(PriceOf);
}

fn main() {}
