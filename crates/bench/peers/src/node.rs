//! Queues for JavaScript: one script each under `js`, run by `node` against a server of its own. `npm install` brings the
//! pinned packages where they are missing or older than the lock file.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use windlass_testkit::servers::{PostgresServer, RedisServer};

use crate::measurement::Measurement;
use crate::tally::Count;
use crate::task::Task;
use crate::{EVERYSEC, Fault, report};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/js");

/// What a script prints.
#[derive(Deserialize)]
struct Found {
    seconds: f64,
    ran: u64,
    again: u64,
    completed: u64,
    settings: String,
    versions: String,
}

/// With PostgreSQL's default durability.
pub(crate) fn measure_on_postgres(task: &Task, script: &str) -> Result<Measurement, Fault> {
    let server = PostgresServer::start()?;
    measure(task, script, &server.url())
}

pub(crate) fn measure_on_redis(task: &Task, script: &str) -> Result<Measurement, Fault> {
    let server = RedisServer::start_with(&EVERYSEC)?;
    measure(task, script, &server.url())
}

fn measure(task: &Task, script: &str, url: &str) -> Result<Measurement, Fault> {
    install()?;
    let asked = json!({ "question": task.question, "mode": task.mode, "jobs": task.jobs, "url": url });
    let mut node = Command::new("node");
    node.current_dir(FOLDER).arg(script).arg(asked.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = node.output()?;
    if !output.status.success() {
        return Err(format!("{script} failed").into());
    }
    let text = String::from_utf8(output.stdout)?;
    let found: Found = serde_json::from_str(text.lines().last().ok_or("a script said nothing")?)?;
    let count = Count { ran: found.ran, again: found.again };
    Ok(Measurement {
        settings: found.settings,
        versions: found.versions,
        ..report(task, Duration::from_secs_f64(found.seconds), count, found.completed)
    })
}

fn install() -> Result<(), Fault> {
    let folder = Path::new(FOLDER);
    if changed(&folder.join("node_modules/.package-lock.json")) >= changed(&folder.join("package-lock.json")) {
        return Ok(());
    }
    // Not `npm ci`, which insists on optional packages for other systems that not every registry has.
    let mut npm = Command::new("npm");
    npm.current_dir(folder).args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
    match npm.stdin(Stdio::null()).stdout(Stdio::null()).status()?.success() {
        true => Ok(()),
        false => Err("npm install failed".into()),
    }
}

/// When a file was changed; `None`, which is before all times, where there is none.
fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}
