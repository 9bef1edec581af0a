//! What a server must be like before work is trusted to it.

use redis::Value;

use crate::answer::{bytes, exactly};
use crate::asking::Asking;
use crate::fault::{Checked, Fault};
use crate::scripts::{PLAIN, RELIEVING, Scripts};

/// The layout of what this version keeps. The first kept a state of each job from the beginning, the second was its form for
/// several shards.
const LAYOUT: i64 = 3;

/// The most shards that a store may be spread among.
pub(crate) const SHARDS_MAX: usize = 64;

/// The oldest server with every command that the scripts use (`ZRANGE` by member).
const OLDEST: (u32, u32) = (6, 2);

/// The first that can be told which scripts may write when memory is full.
const TELLS_SCRIPTS_APART: (u32, u32) = (7, 0);

/// Refuses a server that would drop jobs or cannot run the scripts, and warns of one that forgets them when it stops. The
/// scripts for it, and among how many shards the store is spread, which is as many as were asked for if any were.
pub(crate) async fn check(asking: &Asking<'_>, shards: Option<usize>) -> Checked<(&'static Scripts, usize)> {
    let wanted = shards.unwrap_or(1);
    if !(1..=SHARDS_MAX).contains(&wanted) {
        return Err(Fault::config(format!("a store has 1 to {SHARDS_MAX} shards, not {wanted}")));
    }
    let answer = asking.run_acknowledged(&asking.scripts.opening, |question| {
        question.arg(LAYOUT).arg(wanted);
    });
    let [layout, kept, server, memory, persistence] = exactly(answer.await?)?;
    let (layout, kept) = (whole_number(layout)?, whole_number(kept)?);
    if layout != LAYOUT {
        let whose = if layout > LAYOUT { "a newer" } else { "an early" };
        return Err(Fault::config(format!(
            "{whose} Windlass wrote this store (layout {layout}, this one knows {LAYOUT}): open it with that version, or \
             have the keys below another prefix"
        )));
    }
    let kept = usize::try_from(kept).ok().filter(|kept| (1..=SHARDS_MAX).contains(kept));
    let kept = kept.ok_or_else(|| Fault::corrupt("a store has no number of shards that could be"))?;
    if shards.is_some_and(|wanted| wanted != kept) {
        return Err(Fault::config(format!(
            "this store has {kept} shards, not {wanted}: open it so, or transfer its jobs to a store that has {wanted}"
        )));
    }
    let version = judge(&text(server)?, &text(memory)?, &text(persistence)?)?;
    Ok((if version < TELLS_SCRIPTS_APART { &PLAIN } else { &RELIEVING }, kept))
}

/// A number that a hash keeps as text.
fn whole_number(kept: Value) -> Checked<i64> {
    let number = text(kept)?.parse();
    number.map_err(|_| Fault::corrupt("a number about the store is none"))
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
