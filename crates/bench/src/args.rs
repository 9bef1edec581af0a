//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::Order;
use crate::task::Task;

/// Measures Windlass beside what the machine allows without it, and beside other job queues.
#[derive(Debug, Parser)]
#[command(name = "windlass-bench", args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    pub(crate) apart: Option<Apart>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// What needs no store, and what the bench asks of its own child processes.
#[derive(Debug, Subcommand)]
pub(crate) enum Apart {
    /// What does a message cost inside a process?
    Dispatch(Dispatch),
    /// Does one measurement.
    #[command(hide = true)]
    Measure(Task),
    /// Works until it is killed.
    #[command(hide = true)]
    Crash(Task),
    /// Sends HTTP requests.
    #[command(hide = true)]
    Load(Order),
}

/// How messages are measured.
#[derive(Debug, Args)]
pub(crate) struct Dispatch {
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Rounds; the answer is their median.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repeat: u32,
}

/// What a person asks.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// What to measure.
    #[arg(value_enum, required = true)]
    pub(crate) question: Option<Question>,
    /// The stores, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Place::Memory, Place::Embedded])]
    pub(crate) store: Vec<Place>,
    /// Jobs per run; a number that takes about a second where nothing is said.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    pub(crate) jobs: Option<u64>,
    /// Ways of use to be measured, separated by commas; all where nothing is said.
    #[arg(long, value_delimiter = ',')]
    pub(crate) mode: Vec<String>,
    /// Rounds; the answer is their median.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) repeat: u32,
    /// One JSON object a line instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Also measures other job queues (`submit` and `drain` on every store but memory), which takes a build of them;
    /// on PostgreSQL and Redis some of them need Node.js and npm, or Python.
    #[arg(long)]
    pub(crate) peers: bool,
    /// Draws what was seen over time into this file, as SVG (`upstream`).
    #[arg(long)]
    pub(crate) plot: Option<PathBuf>,
    /// Where to put files. It should be on the disk that matters, not in memory.
    #[arg(long, default_value = "target/windlass-bench")]
    pub(crate) dir: PathBuf,
    /// Windlass's `max_concurrency`. Where nothing is said: 1024, but 512 on the embedded store and 256 on Redis.
    #[arg(long)]
    pub(crate) concurrency: Option<usize>,
    /// Windlass's `batch_size`. Where nothing is said: 500, as the floors, but 1000 in memory and 250 on Redis.
    #[arg(long)]
    pub(crate) batch: Option<usize>,
    /// Threads of the runtime, the floor's too. Where nothing is said: as many as there are cores; for `http` on the
    /// embedded store one fewer, because the thread that writes keeps a core busy, and for `drain` on PostgreSQL too,
    /// because the server does.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// The questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Question {
    /// How fast are jobs taken in: one by one, by 64 callers, in bulk?
    Submit,
    /// How fast is a backlog worked off?
    Drain,
    /// How fast do jobs flow while they are submitted and run?
    Steady,
    /// How long does a job wait for an idle worker?
    Latency,
    /// How many requests a second are answered with 202?
    Http,
    /// Does work get slower when a million jobs wait?
    Depth,
    /// Does work on PostgreSQL get slower while somebody holds an old snapshot?
    Snapshot,
    /// Does work get slower while finished jobs are removed?
    Retention,
    /// What do rules cost, at a queue and at many keys?
    Limits,
    /// What do others feel of one who floods a shared queue?
    Fairness,
    /// How late does a delayed job start?
    Delays,
    /// How much is done through something whose capacity halves and recovers?
    Upstream,
    /// What does it cost that something goes away for a while, with and without a breaker?
    Outage,
    /// What does a worker cost that has nothing to do?
    Idle,
    /// How soon do the jobs of a killed process run again?
    Recovery,
}

/// The stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Place {
    /// In the process's memory.
    Memory,
    /// SQLite in a directory.
    Embedded,
    /// A PostgreSQL server that is started for the measurement.
    Postgres,
    /// A Redis server that is started for the measurement.
    Redis,
}

impl Question {
    /// Its name on the command line and in the output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit",
            Self::Drain => "drain",
            Self::Steady => "steady",
            Self::Latency => "latency",
            Self::Http => "http",
            Self::Depth => "depth",
            Self::Snapshot => "snapshot",
            Self::Retention => "retention",
            Self::Limits => "limits",
            Self::Fairness => "fairness",
            Self::Delays => "delays",
            Self::Upstream => "upstream",
            Self::Outage => "outage",
            Self::Idle => "idle",
            Self::Recovery => "recovery",
        }
    }
}

impl Place {
    /// How many jobs that do nothing are best run at the same time.
    pub(crate) fn concurrency(self) -> usize {
        match self {
            Self::Memory | Self::Postgres => 1_024,
            Self::Embedded => 512,
            Self::Redis => 256,
        }
    }

    /// How many are best asked for and settled at a time.
    pub(crate) fn batch(self) -> usize {
        match self {
            Self::Memory => 1_000,
            Self::Embedded | Self::Postgres => 500,
            Self::Redis => 250,
        }
    }

    /// Its name on the command line and in the output.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Embedded => "embedded",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Command::command().debug_assert();
    }

    #[test]
    fn a_question_is_required_and_stores_are_a_list() {
        assert!(Command::try_parse_from(["windlass-bench"]).is_err());
        let command = Command::try_parse_from(["windlass-bench", "drain", "--store", "memory,embedded", "--json"]);
        let asked = command.expect("valid").asked;
        assert_eq!((asked.question, asked.store.len()), (Some(Question::Drain), 2));
    }
}
