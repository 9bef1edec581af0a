//! What do rules cost? A backlog is worked off as in `drain`, once where limits are set that hold nobody back, and once with
//! 10 000 keys whose jobs come in turn, each key with room for ten at a time.
//!
//! Floor: Windlass without any rule, on the same backlog.

use std::sync::Arc;

use windlass_core::gate::Edit;
use windlass_core::{Clock, Gate, Limits, NewJob, Rate, SystemClock};

use crate::Fault;
use crate::cost::Meter;
use crate::handler::job;
use crate::measurement::Measurement;
use crate::rig::{BULK, Rig};
use crate::task::Task;

const KEYS: u64 = 10_000;
const EACH: u32 = 10;
const MANY: u32 = 1_000_000;

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    measure(task, true).await
}

pub(crate) async fn floor(task: &Task) -> Result<Measurement, Fault> {
    let found = measure(task, false).await?;
    Ok(Measurement { settings: format!("Windlass without rules; {}", found.settings), ..found })
}

async fn measure(task: &Task, ruled: bool) -> Result<Measurement, Fault> {
    let rig = Rig::new(task).await?;
    let keyed = task.mode == "keys10k";
    fill(&rig, task.jobs, keyed).await?;
    if ruled {
        let (gate, limits) = rule(keyed)?;
        let gates = rig.store.gates().ok_or("this store keeps no rules")?;
        gates.edit_gate(&gate, Edit::Limit(limits)).await?;
    }
    let meter = Meter::start(rig.server.url.as_deref()).await?;
    let took = rig.drain(task.jobs).await?;
    let spent = meter.stop().await?;
    let found = spent.added_to(rig.verify().await?);
    Ok(Measurement { jobs_per_s: Some(task.jobs as f64 / took.as_secs_f64()), ..found })
}

fn rule(keyed: bool) -> Result<(Gate, Limits), Fault> {
    Ok(match keyed {
        true => (Gate::keys("tenant")?, Limits::running(EACH)),
        false => (Gate::queue("default")?, Limits::running(MANY).with_rate(Rate::per_second(MANY)?)),
    })
}

async fn fill(rig: &Rig, jobs: u64, keyed: bool) -> Result<(), Fault> {
    if !keyed {
        return rig.fill(0, jobs).await;
    }
    for from in (0..jobs).step_by(BULK as usize) {
        let batch = (from..jobs.min(from + BULK)).map(with_key).collect::<Result<Vec<_>, _>>()?;
        let turn = windlass_store::Exchange { submit: batch, ..Default::default() };
        rig.store.exchange(turn).await?;
    }
    Ok(())
}

fn with_key(number: u64) -> Result<Arc<NewJob>, Fault> {
    let plain = job(number, SystemClock.now())?;
    let draft = NewJob::build(plain.name.as_str(), plain.payload.clone()).id(plain.id).retry(plain.retry);
    Ok(Arc::new(draft.key("tenant", number % KEYS).finish(SystemClock.now())?))
}
