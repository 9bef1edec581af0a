//! What this process takes of the machine, as Linux tells (`None` elsewhere), and what is installed.

use std::fs;
use std::process::Command;
use std::time::Duration;

/// Memory of this process now, in MiB (`VmRSS`).
pub(crate) fn rss_mib() -> Option<f64> {
    status_mib("VmRSS:")
}

/// The most memory this process ever had, in MiB (`VmHWM`).
pub(crate) fn peak_rss_mib() -> Option<f64> {
    status_mib("VmHWM:")
}

fn status_mib(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// CPU time of all threads that this process has now. Their nanosecond counters, because the clock ticks of
/// `/proc/self/stat` are too coarse for a process that does nothing.
pub(crate) fn cpu_time() -> Option<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let counters = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanos += counters.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(nanos))
}

/// Major and minor version of the Redis server that would be started.
pub(crate) fn redis_version() -> Option<(u32, u32)> {
    let said = Command::new("redis-server").arg("--version").output().ok()?;
    version_in(&String::from_utf8(said.stdout).ok()?)
}

/// In `Redis server v=7.0.15 sha=…`.
fn version_in(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().find_map(|word| word.strip_prefix("v="))?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_its_version() {
        assert_eq!(version_in("Redis server v=8.6.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"), Some((8, 6)));
        assert_eq!(version_in("redis-server: not found"), None);
    }
}
