//! Jobs that write a journal: one that takes its time, one that hogs its thread, one that kills the process, one
//! that panics and then fails.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use windlass::core::{Clock, SystemClock};
use windlass::prelude::*;

/// What to do.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// The test's own number for the job.
    number: u64,
    /// How long it takes, in milliseconds.
    #[serde(default)]
    ms: u64,
    /// Bytes that make the job large.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    ballast: String,
}

impl Task {
    /// The same without taking its time, and that time.
    pub(crate) fn at_once(self) -> (Self, Duration) {
        let length = Duration::from_millis(self.ms);
        (Self { ms: 0, ..self }, length)
    }
}

/// Which execution did it.
#[derive(Serialize)]
pub(crate) struct Done {
    number: u64,
    attempt: u32,
    pid: u32,
}

/// The file of executions, one line each for beginning and end: `number attempt pid microseconds start|end`.
#[derive(Clone)]
pub(crate) struct Journal {
    file: Arc<File>,
    haste: bool,
}

impl Journal {
    /// Appends to `path`.
    pub(crate) fn open(path: String, haste: bool) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file: Arc::new(file), haste })
    }

    /// One write per line, so that lines of several threads and processes never mix and a killed process leaves
    /// whole ones.
    fn note(&self, task: &Task, attempt: u32, what: &str) -> io::Result<()> {
        let now = SystemClock.now().as_micros();
        let line = format!("{} {attempt} {} {now} {what}\n", task.number, std::process::id());
        (&*self.file).write_all(line.as_bytes())
    }

    fn length(&self, task: &Task) -> Duration {
        if self.haste { Duration::ZERO } else { Duration::from_millis(task.ms) }
    }

    fn done(&self, task: &Task, attempt: u32) -> Result<Json<Done>> {
        self.note(task, attempt, "end")?;
        Ok(Json(Done { number: task.number, attempt, pid: std::process::id() }))
    }
}

/// Sleeps.
#[job(name = "Count")]
pub(crate) async fn count(
    Json(task): Json<Task>,
    State(journal): State<Journal>,
    Attempt(attempt): Attempt,
) -> Result<Json<Done>> {
    journal.note(&task, attempt, "start")?;
    let length = journal.length(&task);
    if !length.is_zero() {
        tokio::time::sleep(length).await;
    }
    journal.done(&task, attempt)
}

/// Keeps its thread busy and never yields.
#[job(name = "Block")]
pub(crate) async fn block(
    Json(task): Json<Task>,
    State(journal): State<Journal>,
    Attempt(attempt): Attempt,
) -> Result<Json<Done>> {
    journal.note(&task, attempt, "start")?;
    let until = Instant::now() + journal.length(&task);
    while Instant::now() < until {
        std::hint::spin_loop();
    }
    journal.done(&task, attempt)
}

/// Kills the process.
#[job(name = "Poison")]
pub(crate) async fn poison(
    Json(task): Json<Task>,
    State(journal): State<Journal>,
    Attempt(attempt): Attempt,
) -> Result<()> {
    journal.note(&task, attempt, "start")?;
    std::process::abort()
}

/// Panics the first time and fails for good the second.
#[job(name = "Trip")]
pub(crate) async fn trip(Json(task): Json<Task>, Attempt(attempt): Attempt) -> Result<()> {
    assert!(attempt > 1, "job {} tripped", task.number);
    Err(Error::permanent("it will never walk"))
}
