//! Queues for other languages: one script each under `js` and `py`, run against a server of its own. The pinned packages are
//! brought where they are missing or older than the file that names them, for Python into an environment of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde_json::json;
use windlass_testkit::servers::{PostgresServer, RedisServer};

use crate::measurement::Measurement;
use crate::tally::Count;
use crate::task::Task;
use crate::{EVERYSEC, Fault, report};

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
    let asked = json!({ "question": task.question, "mode": task.mode, "jobs": task.jobs, "url": url });
    let mut program = if script.ends_with(".py") { python()? } else { node()? };
    let output = program.arg(script).arg(asked.to_string()).stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
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

fn folder(language: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(language)
}

/// Node.js in the folder of its scripts, with their packages.
fn node() -> Result<Command, Fault> {
    let folder = folder("js");
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&folder.join("package-lock.json")) {
        // Not `npm ci`, which insists on optional packages for other systems that not every registry has.
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(&folder))?;
    }
    let mut node = Command::new("node");
    node.current_dir(folder);
    Ok(node)
}

/// Python in the folder of its scripts, with their packages.
fn python() -> Result<Command, Fault> {
    let folder = folder("py");
    let (environment, packages) = (folder.join(".venv"), folder.join("requirements.txt"));
    let installed = environment.join("installed");
    if changed(&installed) < changed(&packages) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        run(Command::new(environment.join("bin/pip")).args(["install", "--quiet", "--requirement"]).arg(&packages))?;
        std::fs::write(&installed, "")?;
    }
    let mut python = Command::new(environment.join("bin/python"));
    python.current_dir(folder);
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), Fault> {
    match command.stdin(Stdio::null()).stdout(Stdio::null()).status()?.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed").into()),
    }
}

/// When a file was changed; `None`, which is before all times, where there is none.
fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().and_then(|metadata| metadata.modified()).ok()
}
