//! Queues for other languages: one script each under `js` and `py`, run against a server of its own. The pinned packages are
//! brought where they are missing or older than the file that names them, for Python into an environment of their own.
//!
//! A script is given the task as its first argument. It says `ready` before what is measured begins, waits for a line, says
//! `done` when it has ended, and at last what it found.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;
use windlass_testkit::servers::{PostgresServer, RedisServer};

use crate::cost::Meter;
use crate::measurement::Measurement;
use crate::tally::Count;
use crate::task::Task;
use crate::{EVERYSEC, Fault, report};

/// What a script finds: a rate and what it cost, or how long each job waited.
#[derive(Deserialize)]
struct Found {
    seconds: f64,
    /// Of the script's own processors.
    cpu_seconds: f64,
    /// The most memory it had.
    rss_mib: f64,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    max_ms: Option<f64>,
    ran: u64,
    again: u64,
    completed: u64,
    settings: String,
    versions: String,
}

/// With PostgreSQL's default durability.
pub(crate) async fn measure_on_postgres(task: &Task, script: &str) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    measure(task, script, &server.url()).await
}

pub(crate) async fn measure_on_redis(task: &Task, script: &str) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    measure(task, script, &server.url()).await
}

async fn measure(task: &Task, script: &str, url: &str) -> Result<Measurement, Fault> {
    let asked = json!({ "question": task.question, "mode": task.mode, "jobs": task.jobs, "url": url });
    let mut program = if script.ends_with(".py") { python().await? } else { node().await? };
    program.arg(script).arg(asked.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = program.spawn()?;
    let (Some(mut asking), Some(said)) = (running.stdin.take(), running.stdout.take()) else {
        return Err("a script without input and output".into());
    };
    let (mut said, mut last) = (BufReader::new(said).lines(), String::new());
    let (mut meter, mut spent) = (None, None);
    while let Some(line) = said.next_line().await? {
        if line == "ready" {
            meter = Some(Meter::start(Some(url)).await?);
            asking.write_all(b"go\n").await?;
        } else if line == "done"
            && let Some(meter) = meter.take()
        {
            spent = Some(meter.stop().await?);
        }
        last = line;
    }
    let spent = spent.ok_or(format!("{script} has never been done"))?;
    if !running.wait().await?.success() {
        return Err(format!("{script} failed").into());
    }
    let found: Found = serde_json::from_str(&last)?;
    let measured = spent.added_to(found.report(task));
    Ok(Measurement { client_cpu_us_per_job: Some(found.cpu_seconds * 1e6 / task.jobs as f64), ..measured })
}

impl Found {
    fn report(&self, task: &Task) -> Measurement {
        let count = Count { ran: self.ran, again: self.again };
        let rate = report(task, Duration::from_secs_f64(self.seconds), count, self.completed);
        Measurement {
            jobs_per_s: rate.jobs_per_s.filter(|_| self.p99_ms.is_none()),
            p50_ms: self.p50_ms,
            p99_ms: self.p99_ms,
            max_ms: self.max_ms,
            rss_mib: Some(self.rss_mib),
            settings: self.settings.clone(),
            versions: self.versions.clone(),
            ..rate
        }
    }
}

fn folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(language)
}

/// Node.js in the folder of its scripts, with their packages.
async fn node() -> Result<Command, Fault> {
    let folder = folder("js");
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&folder.join("package-lock.json")) {
        // Not `npm ci`, which insists on optional packages for other systems that not every registry has.
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(&folder)).await?;
    }
    let mut node = Command::new("node");
    node.current_dir(folder);
    Ok(node)
}

/// Python in the folder of its scripts, with their packages.
async fn python() -> Result<Command, Fault> {
    let folder = folder("py");
    let (environment, packages) = (folder.join(".venv"), folder.join("requirements.txt"));
    let installed = environment.join("installed");
    if changed(&installed) < changed(&packages) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment)).await?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(&packages))
            .await?;
        std::fs::write(&installed, "")?;
    }
    let mut python = Command::new(environment.join("bin/python"));
    python.current_dir(folder);
    Ok(python)
}

async fn run(command: &mut Command) -> Result<(), Fault> {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).status().await?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// When a file was changed; `None`, which is before all times, where there is none.
fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}
