//! What do the others feel of one who floods a queue that is shared? 99 keys bring a job each every 200 ms while the backlog of
//! one more keeps every slot busy, and the time from submission to start of theirs is measured. Jobs per second are those of all
//! keys meanwhile: what the slots could do at most is in the settings.
//!
//! Floor: Windlass without the flood, so that workers wait for jobs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, NewJob, Share, SystemClock};
use windlass_store::Verbs;

use crate::Fault;
use crate::handler::job;
use crate::measurement::Measurement;
use crate::moments::Moments;
use crate::rig::{BULK, Rig};
use crate::task::Task;
use crate::watched::Watched;

const OTHERS: u64 = 99;
/// How many jobs each of them brings, and how far apart all of these are.
const EACH: u64 = 100;
const APART: Duration = Duration::from_micros(200_000 / OTHERS);
const SLOTS: usize = 64;
const WORK: Duration = Duration::from_millis(5);
/// Until everything runs as it does in the long run.
const WARM_UP: Duration = Duration::from_secs(2);

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    measure(task).await
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let found = measure(&Task { jobs: OTHERS * EACH, ..task.clone() }).await?;
    // How many a second is what they bring; the comparison is one of times.
    let settings = format!("Windlass without the flood; {}", found.settings);
    Ok(Measurement { settings, jobs_per_s: None, ..found })
}

async fn measure(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    let (submitted, started) = (Arc::new(Moments::of(task.jobs)), Arc::new(Moments::of(task.jobs)));
    rig.handler.started = Some(started.clone());
    rig.handler.work = WORK;
    rig.settings.max_concurrency = SLOTS;
    let gates = rig.store.gates().ok_or("this store keeps no rules")?;
    gates.edit_gate(&Gate::queue("default")?, Edit::Share(Share::by("tenant")?)).await?;
    flood(&rig, OTHERS * EACH, task.jobs).await?;
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    tokio::time::sleep(WARM_UP).await;
    let (before, began) = (watched.completed(), Instant::now());
    trickle(&rig, &submitted).await?;
    let rate = (watched.completed() - before) as f64 / began.elapsed().as_secs_f64();
    watched.all_completed().await;
    engine.shutdown().await;
    let delays = submitted.until(&started);
    let most = SLOTS as f64 / WORK.as_secs_f64();
    let found = rig.verify().await?;
    Ok(Measurement {
        jobs_per_s: Some(rate),
        p50_ms: delays.quantile_ms(0.5),
        p99_ms: delays.quantile_ms(0.99),
        max_ms: delays.quantile_ms(1.0),
        settings: format!("{SLOTS} slots, {WORK:?} a job: {most:.0} a second at most; {}", found.settings),
        ..found
    })
}

fn of(tenant: u64, number: u64) -> Result<Arc<NewJob>, Fault> {
    let plain = job(number, SystemClock.now())?;
    let draft = NewJob::build(plain.name.as_str(), plain.payload.clone()).id(plain.id).retry(plain.retry);
    Ok(Arc::new(draft.key("tenant", tenant).finish(SystemClock.now())?))
}

async fn flood(rig: &Rig, from: u64, to: u64) -> Result<(), Fault> {
    for start in (from..to).step_by(BULK as usize) {
        let batch = (start..to.min(start + BULK)).map(|number| of(OTHERS, number)).collect::<Result<Vec<_>, _>>()?;
        rig.store.exchange(windlass_store::Exchange { submit: batch, ..Default::default() }).await?;
    }
    Ok(())
}

/// The others' jobs, each at its time however long the ones before take to be stored.
async fn trickle(rig: &Rig, submitted: &Arc<Moments>) -> Result<(), Fault> {
    let began = Instant::now();
    let mut under_way = tokio::task::JoinSet::new();
    for number in 0..OTHERS * EACH {
        tokio::time::sleep_until(began + APART * number as u32).await;
        let (store, submitted, job) = (rig.store.clone(), submitted.clone(), of(number % OTHERS, number)?);
        under_way.spawn(async move {
            submitted.note(number);
            store.submit(vec![Arc::unwrap_or_clone(job)]).await.map(drop)
        });
        while let Some(stored) = under_way.try_join_next() {
            stored??;
        }
    }
    while let Some(stored) = under_way.join_next().await {
        stored??;
    }
    Ok(())
}
