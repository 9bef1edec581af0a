//! A fresh process for each measurement, so that none inherits another's memory, caches or open files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Fault;
use crate::args::{Asked, Dispatch};
use crate::measurement::Measurement;
use crate::plan::{Case, System};
use crate::task::Task;

/// The adapters have dependencies of their own, so they are a workspace of their own.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/Cargo.toml");
/// This package, from wherever the bench is started.
const MANIFEST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// Measures `system` in a process of its own.
pub(crate) fn measure(case: &Case, system: System, asked: &Asked) -> Result<Measurement, Fault> {
    let directory = tempfile::tempdir_in(place(&asked.dir)?)?;
    let task = task(case, system, asked, directory.path());
    let mut command = match system {
        System::Peer(_) => cargo("run"),
        _ => Command::new(std::env::current_exe()?),
    };
    if let System::Peer(_) = system {
        command.arg("--");
    }
    let output = command.arg("measure").args(arguments(&task)).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{} {} {} failed", task.question, task.system, task.mode).into());
    }
    let text = String::from_utf8(output.stdout)?;
    let line = text.lines().last().ok_or("a measurement said nothing")?;
    Ok(serde_json::from_str(line)?)
}

/// Builds the adapters of other job queues.
pub(crate) fn build_peers() -> Result<(), Fault> {
    match cargo("build").status()?.success() {
        true => Ok(()),
        false => Err("the adapters of other job queues do not build".into()),
    }
}

fn cargo(verb: &str) -> Command {
    let mut cargo = plain_cargo(verb);
    cargo.args(["--manifest-path", PEERS]);
    cargo
}

fn plain_cargo(verb: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args([verb, "--release", "--quiet"]);
    cargo
}

/// Has messages measured, by a program of its own: it counts allocations, which would slow everything else.
pub(crate) fn dispatch(asked: &Dispatch) -> Result<bool, Fault> {
    let mut command = plain_cargo("run");
    command.args(["--manifest-path", MANIFEST, "--bin", "windlass-bench-dispatch", "--"]);
    command.args(["--repeat", &asked.repeat.to_string()]);
    if asked.json {
        command.arg("--json");
    }
    Ok(command.status()?.success())
}

fn place(directory: &Path) -> Result<PathBuf, Fault> {
    std::fs::create_dir_all(directory)?;
    Ok(std::path::absolute(directory)?)
}

fn task(case: &Case, system: System, asked: &Asked, directory: &Path) -> Task {
    let most = match system {
        System::Peer(peer) => peer.jobs_max,
        _ => u64::MAX,
    };
    Task {
        question: case.question.name().to_owned(),
        system: system.name().to_owned(),
        store: case.store.name().to_owned(),
        mode: case.mode.to_owned(),
        jobs: case.jobs.min(most),
        dir: directory.to_owned(),
        url: None,
        concurrency: asked.concurrency.unwrap_or(case.store.concurrency()),
        batch: asked.batch.unwrap_or(case.store.batch()),
        threads: asked.threads.unwrap_or(case.threads(system)),
    }
}

/// The task as command line arguments.
pub(crate) fn arguments(task: &Task) -> Vec<String> {
    let named = [
        ("--question", task.question.clone()),
        ("--system", task.system.clone()),
        ("--store", task.store.clone()),
        ("--mode", task.mode.clone()),
        ("--jobs", task.jobs.to_string()),
        ("--dir", task.dir.display().to_string()),
        ("--concurrency", task.concurrency.to_string()),
        ("--batch", task.batch.to_string()),
        ("--threads", task.threads.to_string()),
    ];
    let url = task.url.iter().map(|url| ("--url", url.clone()));
    named.into_iter().chain(url).flat_map(|(name, value)| [name.to_owned(), value]).collect()
}
