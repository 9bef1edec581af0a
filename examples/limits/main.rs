//! Limits: three tenants share a rate, each has two slots, and an operator pauses one of them.
//!
//! `cargo run --release --example limits`

use std::time::{Duration, Instant};

use windlass::prelude::*;

#[derive(Clone)]
struct Began(Instant);

#[job(name = "Invoice")]
async fn invoice(Json(who): Json<String>, State(Began(began)): State<Began>) -> Result<()> {
    println!("  {:>5} ms  {who}", began.elapsed().as_millis());
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(())
}

#[tokio::main]
async fn main() -> windlass::Result<()> {
    let windlass = Windlass::open("memory:")
        .handler(invoice)
        .state(Began(Instant::now()))
        .limit("keys:tenant", Limits::running(2))
        .limit("handler:Invoice", Limits::rate(Rate::per_second(10)?.burst(3)?))
        .start()
        .await?;
    let gates = windlass.gates();
    gates.pause("key:tenant:initech", "has not paid").await?;

    println!("twelve invoices, two at a time for each tenant and ten a second in all:");
    for number in 0..12 {
        let tenant = ["acme", "globex", "initech"][number % 3];
        let _ = invoice.submit(&windlass, format!("{tenant} {number}")).key("tenant", tenant).await?;
    }
    tokio::time::sleep(2.seconds()).await;
    for ruled in gates.list(None).await? {
        println!("{}: {} running, paused: {:?}", ruled.gate, ruled.taken, ruled.rule.paused);
    }
    println!("initech has paid:");
    gates.resume("key:tenant:initech").await?;
    tokio::time::sleep(1.seconds()).await;
    windlass.shutdown().await;
    Ok(())
}
