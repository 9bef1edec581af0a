//! Commands, queries and events in one program: a shop that takes orders in process, in the background and as durable jobs,
//! with one set of handlers. Run it with `cargo run --example orders`; it ends by itself.

mod shop;

use std::sync::Arc;

use windlass::messages::{Durable, Local, Logging, MessageContext};
use windlass::prelude::*;
use windlass::store::Scope;

use shop::{Mails, OpenOrders, Orders, PlaceOrder, Stock};

#[tokio::main]
async fn main() -> windlass::Result<()> {
    tracing_subscriber::fmt().with_env_filter("info").with_writer(std::io::stderr).init();
    let shop = Arc::new(Orders {
        logging: Logging,
        stock: Stock::of(&[("rope", 40), ("anchor", 2)]),
        mails: Mails::default(),
        local: Local::default(),
        durable: Durable::default(),
    });
    let folder = tempfile::tempdir()?;
    // Once: its handlers are jobs, its local queue runs, and what it submits is kept.
    let windlass = Windlass::open(format!("file:{}", folder.path().display())).application(&shop).start().await?;

    // Everything in here belongs together, for this tenant, wherever it runs.
    MessageContext::new().with_tenant("harbour").scope(order_in_all_ways(&shop, &windlass)).await?;

    shop.local.idle().await;
    println!("open orders: {}", shop.call_now(OpenOrders)?);
    for mail in shop.mails.sent(3).await? {
        println!("mailed: {mail}");
    }
    windlass.engine().shutdown().await;
    Ok(())
}

async fn order_in_all_ways(shop: &Orders, windlass: &Windlass) -> windlass::Result<()> {
    let rope = |metres| PlaceOrder { article: "rope".into(), quantity: metres };

    let number = shop.send(rope(10)).await?;
    println!("called: order {number}");

    let spawned = shop.local.spawn(rope(12)).await?;
    println!("spawned: order {}", spawned.await?);

    let id = shop.durable.submit(rope(14)).await?;
    let job = windlass.engine().wait(id, &Scope::Everything, 10.seconds()).await?;
    let number: u64 = job.and_then(|job| job.result).map(|result| result.parse_json()).transpose()?.unwrap_or_default();
    println!("submitted: order {number}");

    let refused = shop.send(PlaceOrder { article: "anchor".into(), quantity: 3 }).await;
    println!("refused: {}", refused.err().map_or_else(String::new, |error| error.to_string()));
    Ok(())
}
