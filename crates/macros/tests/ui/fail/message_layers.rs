include!("../facade.rs");

use windlass_dispatch::{Layer, Next, Result};
use windlass_macros::{Command, Event, dispatcher, handler};

#[derive(Command)]
struct CreateOrder;

#[derive(Command)]
struct CancelOrder;

#[handler]
async fn create_order(_order: CreateOrder) {}

#[handler]
async fn cancel_order(_order: CancelOrder) {}

struct Log;

struct Check;

impl<App: ?Sized + Sync> Layer<App, CreateOrder> for Check {
    async fn around(&self, app: &App, order: CreateOrder, next: impl Next<App, CreateOrder>) -> Result<()> {
        next.run(app, order).await
    }
}

dispatcher! {
    struct Orders {
        check: Check,
    }
    commands [Check] { CancelOrder => cancel_order }
    commands [Log] { CreateOrder => create_order }
}

#[derive(Event)]
struct OrderCreated;

dispatcher! {
    struct Others {}
    events [Check] { OrderCreated => [] }
}

fn main() {}
