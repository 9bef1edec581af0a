//! What the fault worker wrote down: which attempt of which job ran in which process, from when to when.

use std::collections::HashMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// One execution of a job.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Execution {
    pub(crate) attempt: u32,
    pub(crate) pid: u32,
    /// In microseconds since 1970, as all times here.
    pub(crate) start: i64,
    /// `None` when the handler did not come to its end.
    pub(crate) end: Option<i64>,
}

/// Every execution, by the job's number, in the order of their beginnings.
#[derive(Debug, Default)]
pub(crate) struct Journal(pub(crate) HashMap<u64, Vec<Execution>>);

impl Journal {
    pub(crate) fn read(path: &Path) -> Self {
        let mut journal = Self::default();
        // There is none before the first start.
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // The last line may be on its way.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().for_each(|line| journal.take(line));
        journal
    }

    fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let [number, attempt, pid, at, what] = words[..] else { panic!("a line of the journal is broken: {line:?}") };
        let read = |text: &str| text.parse::<i64>().unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let (attempt, pid, at) = (read(attempt) as u32, read(pid) as u32, read(at));
        let executions = self.0.entry(read(number) as u64).or_default();
        if what == "start" {
            executions.push(Execution { attempt, pid, start: at, end: None });
            return;
        }
        let mine = |one: &&mut Execution| one.pid == pid && one.attempt == attempt && one.end.is_none();
        executions.iter_mut().rev().find(mine).expect("what ends has begun").end = Some(at);
    }

    /// Every execution of every job.
    pub(crate) fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.0.values().flatten()
    }

    /// How many executions have begun.
    pub(crate) fn started(&self) -> usize {
        self.executions().count()
    }

    /// How many have come to their end.
    pub(crate) fn ended(&self) -> usize {
        self.executions().filter(|one| one.end.is_some()).count()
    }

    /// The most executions at one time.
    pub(crate) fn most_at_once(&self) -> usize {
        let overlaps = |moment: i64| {
            let holds = |one: &&Execution| one.start <= moment && one.end.is_none_or(|end| moment < end);
            self.executions().filter(holds).count()
        };
        self.executions().map(|one| overlaps(one.start)).max().unwrap_or(0)
    }
}

/// The machine's clock, as the journal and the store read it.
pub(crate) fn now_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64)
}
