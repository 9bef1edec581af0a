//! Running a script: by its name, and by its text where the server does not know it.

use std::sync::atomic::{AtomicBool, Ordering};

use redis::{Cmd, RedisError, Value};

use crate::fault::{Checked, Fault};
use crate::link::Link;
use crate::options::Replicas;
use crate::scripts::{Script, Scripts};

/// The keys in the order that `lua/ledger.lua` gives.
const KEYS: [&str; 32] = [
    "job",
    "state",
    "result",
    "error",
    "progress",
    "attempts",
    "ready",
    "due",
    "leases",
    "done",
    "dead",
    "all",
    "counts",
    "seq",
    "gone",
    "long",
    "rules",
    "schedules",
    "schedules-due",
    "unique",
    "unique-until",
    "unique-of",
    "slots",
    "taken",
    "buckets",
    "held",
    "lines",
    "opens",
    "turns",
    "stamps",
    "expiring",
    "owned",
];

/// What every question begins with.
pub(crate) struct Keys {
    keys: Vec<String>,
    pub(crate) channel: String,
    /// Among how many shards the store is spread, and which this is; nothing where there is one.
    shard: String,
    /// Written to before replicas are waited for.
    mark: String,
    /// Whether rules were ever met there.
    ruled: AtomicBool,
}

impl Keys {
    /// One hash tag for all, so that they live in one slot of a cluster.
    pub(crate) fn of(prefix: &str) -> Self {
        Self::tagged(prefix, &format!("{{{prefix}}}:"), String::new())
    }

    /// A hash tag for each shard, so that each lives in a slot of its own. No store with another prefix has the same keys.
    pub(crate) fn of_shard(prefix: &str, shard: usize, shards: usize) -> Self {
        Self::tagged(prefix, &format!("{{{prefix}:{shard}}}:shard:"), format!("{shards} {shard}"))
    }

    fn tagged(prefix: &str, before: &str, shard: String) -> Self {
        let key = |name: &str| format!("{before}{name}");
        Self {
            keys: KEYS.map(key).to_vec(),
            channel: format!("{{{prefix}}}:hints"),
            mark: key("confirmed"),
            shard,
            ruled: AtomicBool::new(false),
        }
    }

    /// Whether they are one shard of several.
    pub(crate) fn is_shard(&self) -> bool {
        !self.shard.is_empty()
    }

    /// Whether a turn should be asked with the script that knows of rules. Once it has met some a process keeps doing so.
    pub(crate) fn is_ruled(&self) -> bool {
        self.ruled.load(Ordering::Relaxed)
    }

    pub(crate) fn note_rules(&self) {
        self.ruled.store(true, Ordering::Relaxed);
    }

    /// Some key, for questions about none.
    pub(crate) fn any(&self) -> &str {
        &self.keys[0]
    }
}

/// A way to the server, the keys there, and a test's clock.
#[derive(Clone, Copy)]
pub(crate) struct Asking<'a> {
    pub(crate) link: &'a Link,
    pub(crate) keys: &'a Keys,
    pub(crate) scripts: &'static Scripts,
    pub(crate) at: Option<i64>,
    /// How many replicas are waited for, and over which connection: questions behind one that waits wait too.
    pub(crate) replicas: Option<(Replicas, &'a Link)>,
}

impl Asking<'_> {
    /// Runs `script` with the arguments that `write` adds.
    pub(crate) async fn run(&self, script: &Script, write: impl Fn(&mut Cmd)) -> Checked<Value> {
        let known = self.question("EVALSHA", &script.sha, script, &write);
        match self.link.ask(&known).await? {
            Err(error) if is_unknown(&error) => {
                Ok(self.link.ask(&self.question("EVAL", &script.source, script, &write)).await??)
            }
            answer => Ok(answer?),
        }
    }

    /// The same for what somebody is told of, which must not be lost with the server when replicas are waited for.
    pub(crate) async fn run_acknowledged(&self, script: &Script, write: impl Fn(&mut Cmd)) -> Checked<Value> {
        let Some((replicas, link)) = self.replicas else { return self.run(script, write).await };
        let known = self.question("EVALSHA", &script.sha, script, &write);
        let mark = &self.keys.mark;
        let (answer, reached) = match link.ask_and_wait(&known, mark, replicas).await? {
            Err(error) if is_unknown(&error) => {
                let text = self.question("EVAL", &script.source, script, &write);
                link.ask_and_wait(&text, mark, replicas).await??
            }
            answer => answer?,
        };
        if reached >= replicas.count {
            return Ok(answer);
        }
        let Replicas { count, timeout } = replicas;
        Err(Fault::unavailable(format!("only {reached} of {count} replicas have confirmed a write within {timeout:?}")))
    }

    fn question(&self, command: &str, name: &str, script: &Script, write: impl Fn(&mut Cmd)) -> Cmd {
        let mut question = redis::cmd(command);
        let keys = &self.keys.keys[..script.keys];
        question.arg(name).arg(keys.len()).arg(keys);
        match self.at {
            Some(at) => question.arg(at),
            None => question.arg(""),
        };
        question.arg(&self.keys.channel).arg(&self.keys.shard);
        write(&mut question);
        question
    }
}

/// Whether the server has not seen the script since it started.
fn is_unknown(error: &RedisError) -> bool {
    error.code() == Some("NOSCRIPT")
}
