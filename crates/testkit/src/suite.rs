//! What makes tests of the list of scenarios, and runs them.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;

use crate::harness::Harness;
use crate::probe::Probe;

/// How a scenario ended that did not panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store keeps the promise.
    Passed,
    /// The store does not offer what the scenario is about.
    Skipped(&'static str),
}

/// A scenario as the list has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// `core` scenarios return nothing, so that they cannot skip themselves; `optional` ones return a [`Verdict`].
    pub kind: &'static str,
    /// The file that it is in.
    pub area: &'static str,
    /// What it promises.
    pub name: &'static str,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.area, self.name)
    }
}

/// Makes one test of every scenario, and one that plays `histories` random histories against the model.
#[macro_export]
macro_rules! conformance {
    ($harness:expr, histories = $cases:expr) => {
        $crate::for_each_scenario!([$crate::conformance_tests] $harness);

        #[test]
        fn random_histories_agree_with_the_model() {
            $crate::random_histories($harness, $cases);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ([$harness:expr] $($kind:ident $area:ident { $($name:ident)* })*) => {
        $(mod $area {
            use super::*;
            $(#[test]
            fn $name() {
                let entry = $crate::suite::Entry {
                    kind: stringify!($kind),
                    area: stringify!($area),
                    name: stringify!($name),
                };
                $crate::suite::$kind($harness, entry, $crate::scenarios::$area::$name);
            })*
        })*
    };
}

/// Runs a scenario that every store must pass.
#[doc(hidden)]
pub fn core<F: Future<Output = ()>>(harness: impl Harness, entry: Entry, scenario: impl FnOnce(Probe) -> F) {
    optional(harness, entry, |probe| async {
        scenario(probe).await;
        Verdict::Passed
    });
}

/// Runs a scenario about something that not every store offers.
#[doc(hidden)]
pub fn optional<F: Future<Output = Verdict>>(harness: impl Harness, entry: Entry, scenario: impl FnOnce(Probe) -> F) {
    if harness.excused().contains(&entry.to_string().as_str()) {
        return skip(entry, "documented otherwise");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let verdict = runtime.expect("a runtime").block_on(async {
        let probe = Probe::start(Arc::new(harness)).await;
        scenario(probe).await
    });
    if let Verdict::Skipped(reason) = verdict {
        skip(entry, reason);
    }
}

fn skip(entry: Entry, reason: &str) {
    // Not `println!`, which the test harness swallows, and in one write, so that lines do not mix.
    let _ = std::io::stderr().write_all(format!("SKIP {entry}: {reason}\n").as_bytes());
}
