//! What a server must be like before work is trusted to it.

use redis::Value;

use crate::answer::{bytes, exactly, number};
use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::scripts::{PLAIN, RELIEVING, Scripts};

/// The layout of what this version keeps.
const LAYOUT: i64 = 1;

/// The oldest server with every command that the scripts use (`ZRANGE` by member).
const OLDEST: (u32, u32) = (6, 2);

/// The first that can be told which scripts may write when memory is full.
const TELLS_SCRIPTS_APART: (u32, u32) = (7, 0);

/// Refuses a server that would drop jobs or cannot run the scripts, and warns of one that forgets them when it stops. The
/// scripts for it.
pub(crate) async fn check(asking: &Asking<'_>) -> Checked<&'static Scripts> {
    let answer = asking.run(&asking.scripts.opening, |question| {
        question.arg(LAYOUT);
    });
    let [layout, server, memory, persistence] = exactly(answer.await?)?;
    if number(&layout)? != LAYOUT {
        return Err(Fault::config(format!(
            "a newer Windlass wrote this store (layout {}, this one knows {LAYOUT}); use that version",
            number(&layout)?
        )));
    }
    let version = judge(&text(server)?, &text(memory)?, &text(persistence)?)?;
    Ok(if version < TELLS_SCRIPTS_APART { &PLAIN } else { &RELIEVING })
}

/// Stands when the server answers about a key of this store.
pub(crate) async fn ping(asking: &Asking<'_>) -> Checked<()> {
    let mut question = redis::cmd("EXISTS");
    question.arg(asking.keys.any());
    asking.link.ask(&question).await??;
    Ok(())
}

fn judge(server: &str, memory: &str, persistence: &str) -> Checked<(u32, u32)> {
    let version = field(server, "redis_version").unwrap_or("0.0");
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if number < OLDEST {
        return Err(Fault::config(format!("Redis {version} is too old; 6.2 is the oldest that will do")));
    }
    let policy = field(memory, "maxmemory_policy").unwrap_or("noeviction");
    if policy != "noeviction" {
        return Err(Fault::config(format!(
            "Redis would throw jobs away when its memory is full (maxmemory-policy {policy}); set it to noeviction"
        )));
    }
    if field(persistence, "aof_enabled") != Some("1") {
        tracing::warn!("Redis keeps no append-only file: jobs are lost when it stops; set appendonly yes");
    }
    Ok(number)
}

/// A line of `INFO`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn text(value: Value) -> Checked<String> {
    match value {
        Value::VerbatimString { text, .. } => Ok(text),
        other => Ok(String::from_utf8_lossy(&bytes(other)?).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_drop_jobs_are_refused_and_so_are_old_ones() {
        let complaint = |server, memory| {
            judge(server, memory, "aof_enabled:1").err().map(|fault| windlass_store::Error::from(fault).to_string())
        };
        assert_eq!(complaint("redis_version:7.0.15", "maxmemory_policy:noeviction"), None);
        let evicting = complaint("redis_version:7.0.15", "maxmemory_policy:allkeys-lru").expect("refused");
        assert!(evicting.contains("allkeys-lru") && evicting.contains("noeviction"), "{evicting}");
        let old = complaint("redis_version:6.0.16", "maxmemory_policy:noeviction").expect("refused");
        assert!(old.contains("6.0.16"), "{old}");
    }
}
