//! Fairness: one tenant floods the queue, two others bring a job now and then, and a fourth pays for more.
//!
//! `cargo run --release --example fairness`

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use windlass::prelude::*;

const TENANTS: [&str; 4] = ["acme", "globex", "initech", "umbrella"];

#[derive(Clone, Default)]
struct Done(Arc<[AtomicUsize; 4]>);

#[job(name = "Report")]
async fn report(Json(tenant): Json<usize>, State(Done(done)): State<Done>) -> Result<()> {
    tokio::time::sleep(Duration::from_millis(10)).await;
    done[tenant].fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> windlass::Result<()> {
    let done = Done::default();
    let windlass = Windlass::open("memory:")
        .configure(|settings| settings.max_concurrency = 4)
        .handler(report)
        .state(done.clone())
        .share("queue:default", Share::by("tenant")?) // tenants take turns
        .share("key:tenant:umbrella", Share::weight(3)?) // this one has three where others have one
        .start()
        .await?;
    for (tenant, jobs) in [(0, 2_000), (1, 30), (2, 30), (3, 300)] {
        for _ in 0..jobs {
            let _ = report.submit(&windlass, tenant).key("tenant", TENANTS[tenant]).await?;
        }
    }
    println!("reports done of acme (who brought 2000 first), globex and initech (30 each), umbrella (300, weight 3):");
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let counts = done.0.each_ref().map(|count| count.load(Ordering::Relaxed));
        println!(
            "  {}",
            TENANTS.iter().zip(counts).map(|(who, count)| format!("{who} {count:>3}  ")).collect::<String>()
        );
    }
    windlass.shutdown().await;
    Ok(())
}
