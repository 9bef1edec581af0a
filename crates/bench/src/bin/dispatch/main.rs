//! What a message costs inside a process: `cargo run --release -p windlass-bench -- dispatch`.
//!
//! Each path through the dispatcher is measured beside a direct call of the same handlers, in turn, in one process that counts
//! its allocations. Instructions are counted by valgrind where it is installed.
//!
//! # Layout
//!
//! - `paths`: the handlers and the ways to them
//! - `crowds`: many messages at once, and one after the other in their streams
//! - `peers`: the same with other crates
//! - `cost`: nanoseconds, allocations and instructions of a path

mod cost;
mod crowds;
mod paths;
mod peers;

use std::process::ExitCode;

use clap::Parser;

use crate::cost::Cost;
use crate::paths::Path;

/// What is measured.
#[derive(Debug, Parser)]
#[command(name = "windlass-bench dispatch")]
struct Asked {
    /// One JSON object a line instead of a table.
    #[arg(long)]
    json: bool,
    /// Rounds; the answer is their median.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    repeat: u32,
    /// Does nothing but call a path so often. For counting instructions.
    #[arg(long, hide = true, requires = "path")]
    calls: Option<u64>,
    /// The path to call.
    #[arg(long, hide = true)]
    path: Option<String>,
}

fn main() -> ExitCode {
    let asked = Asked::parse();
    if let (Some(calls), Some(path)) = (asked.calls, &asked.path) {
        let Some(path) = paths::ALL.iter().find(|known| known.name == path) else { return ExitCode::FAILURE };
        (path.call)(calls);
        return ExitCode::SUCCESS;
    }
    let costs = cost::of_all(&paths::ALL, asked.repeat);
    match asked.json {
        true => paths::ALL.iter().zip(&costs).for_each(|(path, cost)| println!("{}", line(path, cost))),
        false => table(&costs),
    }
    let costly = paths::ALL.iter().zip(&costs).filter(|(path, cost)| path.free && cost.allocations > 0.0);
    let names: Vec<_> = costly.map(|(path, _)| path.name).collect();
    if !names.is_empty() {
        eprintln!("these paths must not allocate, and do: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn line(path: &Path, cost: &Cost) -> serde_json::Value {
    serde_json::json!({
        "system": path.system,
        "path": path.name,
        "settings": path.settings,
        "ns_per_op": cost.nanoseconds,
        "allocs_per_op": cost.allocations,
        "instructions_per_op": cost.instructions,
    })
}

fn table(costs: &[Cost]) {
    println!("{:<10} {:<14} {:>9} {:>8} {:>13}  settings", "system", "path", "ns", "allocs", "instructions");
    for (path, cost) in paths::ALL.iter().zip(costs) {
        let instructions = cost.instructions.map_or_else(|| "-".to_owned(), |counted| format!("{counted:.1}"));
        let Cost { nanoseconds, allocations, .. } = cost;
        let Path { system, name, settings, .. } = path;
        println!("{system:<10} {name:<14} {nanoseconds:>9.2} {allocations:>8.2} {instructions:>13}  {settings}");
    }
    if costs.iter().all(|cost| cost.instructions.is_none()) {
        println!("\ninstructions are counted where valgrind is installed");
    }
}
