//! Schedules: a report every second, one that an operator pauses, and what the store says of them.
//!
//! `cargo run --release --example schedules`

use windlass::core::Misfire;
use windlass::prelude::*;

#[job(name = "Report")]
async fn report(Json(what): Json<String>) -> Result<()> {
    println!("  reported {what}");
    Ok(())
}

#[tokio::main]
async fn main() -> windlass::Result<()> {
    let windlass = Windlass::open("memory:")
        .handler(report)
        .schedule(report.every("heartbeat", 1.seconds(), "the second".into()))
        .schedule(report.cron("nightly", "30 2 * * *", "the day".into()).zone("Europe/Zurich").misfire(Misfire::All(7)))
        .start()
        .await?;
    let schedules = windlass.schedules();
    for (_, one) in schedules.list(None).await? {
        let one = one?;
        let next: Vec<String> = one.schedule.ticks(now()).take(2).map(|tick| tick.to_string()).collect();
        println!("{} ({}) ticks next at {}", one.schedule.name, one.schedule.cadence, next.join(" and "));
    }

    println!("three seconds:");
    tokio::time::sleep(3.seconds()).await;
    let heartbeat = ScheduleName::new("heartbeat")?;
    schedules.pause(&heartbeat, "the printer is broken").await?;
    println!("paused; a job by hand all the same:");
    schedules.trigger(&heartbeat).await?;
    tokio::time::sleep(2.seconds()).await;
    if let Some(paused) = schedules.get(&heartbeat).await? {
        println!("{} jobs so far; paused because {:?}", paused.cursor.submitted, paused.cursor.paused);
    }
    windlass.shutdown().await;
    Ok(())
}

fn now() -> windlass::core::Timestamp {
    windlass::core::Clock::now(&windlass::core::SystemClock)
}
