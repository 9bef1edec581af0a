include!("../facade.rs");

use windlass_macros::{Command, Event, dispatcher, handler};

#[derive(Command)]
struct CreateOrder;

#[derive(Command)]
struct CancelOrder;

#[derive(Event)]
struct OrderCreated;

#[handler]
async fn cancel_order(_order: CancelOrder) {}

dispatcher! {
    struct Orders {}
    commands { CancelOrder => cancel_order }
}

async fn order(orders: &Orders) {
    let _ = orders.send(CreateOrder).await;
}

async fn tell(orders: &Orders) {
    let _ = orders.publish(OrderCreated).await;
}

fn main() {}
