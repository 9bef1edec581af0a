//! How soon do the jobs of a killed process run again? A process claims them and works; it is killed (SIGKILL) at a
//! random moment of its leases' life; another one opens the store. From the kill to the start of each handler.
//!
//! Floor: the lease, two seconds, which is how long a dead process may go unnoticed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Fault;
use crate::child::arguments;
use crate::measurement::Measurement;
use crate::moments::Moments;
use crate::rig::{Rig, Server, versions};
use crate::task::Task;
use crate::watched::Watched;

const LEASE: Duration = Duration::from_secs(2);
/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(600);
/// What the victim says when all its jobs run.
const RUNNING: &str = "running";

pub(crate) async fn windlass(task: &Task) -> Result<Measurement, Fault> {
    let server = Server::start(&task.store)?;
    let task = &Task { url: server.url.clone(), ..task.clone() };
    let mut victim = start_victim(task)?;
    tokio::time::sleep(LEASE.mul_f64(random_share())).await;
    let killed = Moments::of(task.jobs);
    victim.kill()?;
    (0..task.jobs).for_each(|number| killed.note(number));
    victim.wait()?;
    let mut rig = rig(task).await?;
    let restarted = Arc::new(Moments::of(task.jobs));
    rig.handler.started = Some(restarted.clone());
    let watched = Arc::new(Watched::new(rig.store.clone(), task.jobs));
    let engine = rig.start(watched.clone()).await?;
    watched.all_completed().await;
    engine.shutdown().await;
    let spans = killed.until(&restarted);
    Ok(Measurement {
        p50_ms: spans.quantile_ms(0.5),
        p99_ms: spans.quantile_ms(0.99),
        max_ms: spans.quantile_ms(1.0),
        settings: format!("lease={} s, killed with all jobs running", LEASE.as_secs()),
        ..rig.verify().await?
    })
}

pub(crate) fn floor() -> Measurement {
    let lease = Some(LEASE.as_secs_f64() * 1e3);
    let settings = "the lease".to_owned();
    Measurement { p50_ms: lease, p99_ms: lease, max_ms: lease, settings, versions: versions(), ..Default::default() }
}

async fn rig(task: &Task) -> Result<Rig, Fault> {
    let mut rig = Rig::new(task).await?;
    rig.settings.lease = LEASE;
    rig.settings.max_concurrency = usize::try_from(task.jobs)?;
    Ok(rig)
}

/// A process that has all the jobs running.
fn start_victim(task: &Task) -> Result<Child, Fault> {
    let mut command = Command::new(std::env::current_exe()?);
    let mut victim = command.arg("crash").args(arguments(task)).stdout(Stdio::piped()).spawn()?;
    let output = victim.stdout.take().ok_or("the victim has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    if line.trim() != RUNNING {
        victim.kill()?;
        return Err("the victim could not start its jobs".into());
    }
    Ok(victim)
}

/// The victim: claims all jobs and works until it is killed.
pub(crate) fn crash(task: &Task) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(task.threads).enable_all().build()?;
    runtime.block_on(async {
        let mut rig = rig(task).await?;
        rig.handler.work = FOR_EVER;
        rig.fill(0, task.jobs).await?;
        let _engine = rig.start(rig.store.clone()).await?;
        while rig.handler.tally.count().ran < task.jobs {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("{RUNNING}");
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    })
}

/// From 0 to 1, by the clock: enough to spread kills over a lease.
fn random_share() -> f64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    f64::from(nanos % 1_000_000) / 1e6
}
