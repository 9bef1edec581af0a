//! Nanoseconds, allocations and instructions of a path.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::paths::Path;

/// How long one measurement takes at least.
const LONG_ENOUGH: Duration = Duration::from_millis(60);
/// Calls whose instructions are counted; those of half as many are taken away.
const COUNTED: u64 = 20_000;

/// What one call costs.
pub(crate) struct Cost {
    pub(crate) nanoseconds: f64,
    pub(crate) allocations: f64,
    /// Nothing where there is no valgrind.
    pub(crate) instructions: Option<f64>,
}

/// The costs of all paths, measured in turn.
pub(crate) fn of_all(paths: &[Path], rounds: u32) -> Vec<Cost> {
    let calls: Vec<u64> = paths.iter().map(enough_calls).collect();
    let mut times = vec![Vec::new(); paths.len()];
    for _ in 0..rounds {
        for (place, path) in paths.iter().enumerate() {
            times[place].push(time(path, calls[place]).as_secs_f64() * 1e9 / calls[place] as f64);
        }
    }
    let costs = paths.iter().zip(times).map(|(path, times)| Cost {
        nanoseconds: median(times),
        allocations: allocations(path),
        instructions: instructions(path),
    });
    costs.collect()
}

fn enough_calls(path: &Path) -> u64 {
    let mut calls = 10_000;
    while time(path, calls) < LONG_ENOUGH {
        calls *= 2;
    }
    calls
}

fn time(path: &Path, calls: u64) -> Duration {
    let began = Instant::now();
    (path.call)(calls);
    began.elapsed()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn allocations(path: &Path) -> f64 {
    const CALLS: u64 = 20_000;
    // What is set up once a process comes before, and what once a path is in both.
    (path.call)(1);
    let counted = |calls| allocation_counter::measure(|| (path.call)(calls)).count_total;
    (counted(CALLS) - counted(CALLS / 2)) as f64 / (CALLS / 2) as f64
}

fn instructions(path: &Path) -> Option<f64> {
    let (all, half) = (collected(path, COUNTED)?, collected(path, COUNTED / 2)?);
    Some((all - half) as f64 / (COUNTED / 2) as f64)
}

fn collected(path: &Path, calls: u64) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["--path", path.name, "--calls", &calls.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8(output.stderr).ok()?;
    let (_, number) = said.split_once("Collected : ")?;
    number.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::ALL;

    #[test]
    fn no_path_allocates() {
        for path in ALL.iter().filter(|path| path.free) {
            assert_eq!(allocations(path), 0.0, "{}", path.name);
        }
    }
}
