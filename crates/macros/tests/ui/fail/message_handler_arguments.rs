include!("../facade.rs");

use windlass_macros::{Command, Event, dispatcher, handler};

struct Shop;

#[derive(Event)]
struct OrderCreated;

#[handler]
async fn nothing() {}

#[handler]
async fn owns(_event: &OrderCreated, _shop: Shop) {}

#[handler]
async fn answers(_event: &OrderCreated) -> u64 {
    7
}

#[handler]
async fn points(_event: &OrderCreated, _name: &str, _all: &[Shop], _any: &dyn Send) {}

#[handler]
async fn borrows(_event: &OrderCreated, _name: &&str) {}

#[derive(Command)]
struct CreateOrder;

#[handler]
async fn create_order(_order: CreateOrder, _shop: Shop) -> Result<(), String> {
    Ok(())
}

// Not a mistake of its own.
dispatcher! {
    struct Orders {}
    commands { CreateOrder => create_order }
    events { OrderCreated => [owns, answers, points, borrows] }
}

fn main() {}
