//! Measures Windlass: `cargo run --release -p windlass-bench -- <question>`.
//!
//! Each question is measured beside its *floor*, what the machine and the engine beneath allow with no Windlass in
//! between. Floor and Windlass (and with `--peers` other job queues) take turns, each in a fresh process, `--repeat`
//! times; the answer is the median, and the ratio is the median of the rounds' ratios, because on a shared machine
//! speed drifts more from minute to minute than it differs between programs. Every run checks that each job was
//! executed and completed exactly once; when one was not, the bench exits with 1.
//!
//! # Layout
//!
//! - `questions`: one file per question; each measures Windlass and says what its floor is
//! - `floors`: what is measured without Windlass: a raw SQLite loop, spawned tasks, channels
//! - `task`, `measurement`: what one process is asked to measure, and what it found
//! - `cost`: what jobs cost besides time
//! - `plan`, `series`, `child`: which measurements a question takes, their rounds, and the process for each
//! - `figure`, `print`: medians and ratios, and how people and programs read them
//! - `plot`: what was seen over time, as a picture
//! - `upstream`: something that handlers call and that bears only so much
//! - `rig`, `handler`, `watched`: an engine over a store that counts what passes through it
//! - `mail`, `tally`, `moments`: the job, who ran, and when
//! - `load`: the HTTP clients; `machine`: CPU and memory of this process
//! - `bin/dispatch`: what a message costs inside a process, in a program of its own, because it counts allocations

mod args;
mod child;
mod cost;
mod figure;
mod floors;
mod handler;
mod load;
mod machine;
mod mail;
mod measurement;
mod moments;
mod plan;
mod plot;
mod print;
mod questions;
mod rig;
mod series;
mod tally;
mod task;
mod upstream;
mod watched;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Apart, Command};

/// What servers are usually built with. glibc's keeps growing and trimming its heaps under many threads, which shows in
/// the floors as it does in Windlass.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Any failure that ends a measurement.
type Fault = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("windlass-bench: {fault}");
            ExitCode::FAILURE
        }
    }
}

/// `false` when a job was lost or ran twice.
fn run(command: Command) -> Result<bool, Fault> {
    match command.apart {
        Some(Apart::Dispatch(asked)) => child::dispatch(&asked),
        Some(Apart::Measure(task)) => questions::measure(&task).map(|()| true),
        Some(Apart::Crash(task)) => questions::recovery::crash(&task).map(|()| true),
        Some(Apart::Load(order)) => load::run(&order).map(|()| true),
        None => series::run(&command.asked),
    }
}
