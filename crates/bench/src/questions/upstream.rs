//! How much is got done through something whose capacity halves and recovers? The handler calls a simulated upstream in
//! this process; a call that fails is tried again. Fixed numbers of attempts at the same time beside the number that the
//! engine finds out by itself, from one at the beginning to the same ceiling. There is always more to do; when the third
//! phase is over the rest is let through, so that delivery can be checked.
//!
//! Floor, beside the engine's own number: as many callers as the upstream can work for, in each phase, with no engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use windlass_core::{Clock, NewJob, Payload, RetryPolicy, SystemClock};
use windlass_dispatch::{Context, Error, Handler, Json};
use windlass_engine::{Engine, EngineBuilder};
use windlass_store::Verbs;

use crate::Fault;
use crate::handler::{Receipt, SendMail, numbered_id};
use crate::mail::Mail;
use crate::measurement::{Measurement, Moment};
use crate::rig::{BULK, Rig, versions};
use crate::task::Task;
use crate::upstream::{HALVES, PHASE, Upstream};
use crate::watched::Watched;

/// Fixed numbers of attempts, and the number that the engine finds out. The jobs are more than can be done in time.
pub(crate) const MODES: [(&str, u64); 10] = [
    ("fixed8", JOBS),
    ("fixed12", JOBS),
    ("fixed16", JOBS),
    ("fixed24", JOBS),
    ("fixed32", JOBS),
    ("fixed48", JOBS),
    ("fixed64", JOBS),
    ("fixed96", JOBS),
    ("fixed128", JOBS),
    (ADAPTIVE, JOBS),
];
pub(crate) const ADAPTIVE: &str = "adaptive";
const JOBS: u64 = 30_000;
/// What the engine may go up to.
const CEILING: usize = 128;
/// How often a job is tried again of which nothing is said.
const RETRIES_BY_DEFAULT: u32 = 3;
/// How often the number of slots is looked at, for the plot.
const LOOK: Duration = Duration::from_millis(200);

/// Tries until it works.
const RETRY: RetryPolicy = RetryPolicy {
    max_retries: 1_000,
    base: Duration::from_millis(50),
    cap: Duration::from_millis(500),
    max_crashes: 3,
};

/// Calls the upstream, and accepts the mail when that worked.
struct Call {
    upstream: Arc<Upstream>,
    mails: SendMail,
    /// Jobs that failed for the fourth time: dead letters, if nothing were said of retries.
    given_up: Arc<AtomicU64>,
}

impl Handler for Call {
    type Input = Json<Mail>;
    type Output = Json<Receipt>;
    const NAME: &'static str = "Call";

    async fn run(&self, Json(mail): Json<Mail>, cx: Context) -> windlass_dispatch::Result<Json<Receipt>> {
        match self.upstream.ask().await {
            true => Ok(Json(self.mails.accept(&mail))),
            false => {
                if cx.attempt() == RETRIES_BY_DEFAULT + 1 {
                    self.given_up.fetch_add(1, Ordering::Relaxed);
                }
                Err(Error::transient("the upstream did not answer in time"))
            }
        }
    }
}

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let mut rig = Rig::new(task).await?;
    match task.mode.strip_prefix("fixed") {
        Some(number) => rig.settings.max_concurrency = number.parse()?,
        None => adapt(&mut rig),
    }
    work_through(rig, task, Upstream::new(HALVES), RETRY, |builder| builder).await
}

/// Has the engine find out how many attempts to run at the same time.
pub(crate) fn adapt(rig: &mut Rig) {
    (rig.settings.min_concurrency, rig.settings.max_concurrency) = (Some(1), CEILING);
}

/// Works off a backlog through the upstream, whose phases end before all is done.
pub(crate) async fn work_through(
    rig: Rig,
    task: &Task,
    upstream: Arc<Upstream>,
    retry: RetryPolicy,
    set: impl FnOnce(EngineBuilder) -> EngineBuilder,
) -> Result<Measurement, Fault> {
    fill(&rig, task.jobs, retry).await?;
    let given_up = Arc::new(AtomicU64::new(0));
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let call = Call { upstream: upstream.clone(), mails: rig.handler.clone(), given_up: given_up.clone() };
    let began = Instant::now();
    let builder = Engine::builder(watched.clone()).settings(rig.settings.clone()).handler(call);
    let engine = set(builder).start().await?;
    let ((), looked) = tokio::join!(upstream.live(), look(&engine, upstream.span()));
    let (in_vain, given_up) = (upstream.in_vain(), given_up.load(Ordering::Relaxed));
    let early = watched.completed() == task.jobs;
    watched.all_completed().await;
    engine.shutdown().await;
    match early {
        true => Err("the jobs were done before the last phase was over; give it more with --jobs".into()),
        false => {
            let found = with_goodput(rig.verify().await?, &upstream, began, &looked);
            Ok(Measurement { in_vain: Some(in_vain as f64), given_up: Some(given_up as f64), ..found })
        }
    }
}

async fn fill(rig: &Rig, jobs: u64, retry: RetryPolicy) -> Result<(), Fault> {
    for from in (0..jobs).step_by(BULK as usize) {
        let now = SystemClock.now();
        let job = |number| {
            let draft = NewJob::build(Call::NAME, Payload::json(&Mail::numbered(number))?);
            Ok::<_, Fault>(draft.id(numbered_id(number, now)).retry(retry).finish(now)?)
        };
        let batch = (from..jobs.min(from + BULK)).map(job).collect::<Result<Vec<_>, _>>()?;
        let _stored = rig.store.submit(batch).await?;
    }
    Ok(())
}

/// How many attempts might run, again and again.
async fn look(engine: &Engine, during: Duration) -> Vec<usize> {
    let mut looked = Vec::new();
    let mut ticks = tokio::time::interval(LOOK);
    for _ in 0..during.as_nanos() / LOOK.as_nanos() {
        ticks.tick().await;
        looked.push(engine.health().concurrency);
    }
    looked
}

fn with_goodput(found: Measurement, upstream: &Upstream, began: Instant, looked: &[usize]) -> Measurement {
    let phases = upstream.goodput(began, PHASE, upstream.capacity.len());
    let course = upstream.goodput(began, LOOK, looked.len()).into_iter().zip(looked).enumerate();
    let moment = |(place, (jobs_per_s, slots)): (usize, (f64, &usize))| Moment {
        seconds: LOOK.as_secs_f64() * place as f64,
        jobs_per_s,
        slots: *slots,
    };
    Measurement {
        jobs_per_s: Some(phases.iter().sum::<f64>() / phases.len() as f64),
        phases_per_s: phases,
        course: course.map(moment).collect(),
        settings: format!("{}; an upstream of {:?} at a time, {PHASE:?} each", found.settings, upstream.capacity),
        ..found
    }
}

pub(crate) async fn floor(capacity: &'static [usize]) -> Result<Measurement, Fault> {
    let (upstream, began) = (Upstream::new(capacity), Instant::now());
    let callers = async {
        for (phase, capacity) in (1..).zip(capacity) {
            let until = began + PHASE * phase;
            let caller = || async {
                while Instant::now() < until {
                    upstream.ask().await;
                }
            };
            futures_util::future::join_all((0..*capacity).map(|_| caller())).await;
            tokio::time::sleep_until(until.into()).await;
        }
    };
    tokio::join!(upstream.live(), callers);
    let settings = "as many callers as the upstream can work for, no engine".to_owned();
    let found = Measurement { settings, versions: versions(), ..Measurement::default() };
    Ok(with_goodput(found, &upstream, began, &[]))
}
