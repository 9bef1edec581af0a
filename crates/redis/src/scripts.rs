//! The scripts: files of `lua/`, joined, and in front of them what `core::state` decides. A script applies decisions and
//! makes none.

use std::fmt::Write as _;
use std::sync::LazyLock;

use windlass_core::limits::HISTORY_MAX;
use windlass_core::state::{self, Event, Step};
use windlass_core::{AttemptOutcome, Status};

/// A script, and the name that a server knows it by once it has seen it.
pub(crate) struct Script {
    pub(crate) source: String,
    pub(crate) sha: String,
    /// How many of the keys it is given, which every question sends: most need only those of jobs.
    pub(crate) keys: usize,
}

/// One script per verb.
pub(crate) struct Scripts {
    pub(crate) exchange: Script,
    /// The same for a turn that brings unique jobs.
    pub(crate) exchange_unique: Script,
    /// The same for a turn that does nothing but submit.
    pub(crate) submit: Script,
    /// The same for a turn that does nothing but submit one job, and perhaps take it.
    pub(crate) submit_one: Script,
    /// The same for a server whose memory is full: submissions are refused, everything else goes on.
    pub(crate) exchange_when_full: Script,
    pub(crate) exchange_unique_when_full: Script,
    /// The same for a turn where rules are set.
    pub(crate) exchange_gates: Script,
    pub(crate) exchange_gates_when_full: Script,
    pub(crate) get: Script,
    pub(crate) cancel: Script,
    pub(crate) replay: Script,
    pub(crate) import: Script,
    pub(crate) list: Script,
    pub(crate) counts: Script,
    pub(crate) oldest: Script,
    pub(crate) held: Script,
    pub(crate) promote: Script,
    pub(crate) lost: Script,
    pub(crate) reclaim: Script,
    pub(crate) prune: Script,
    pub(crate) opening: Script,
    pub(crate) expiring_note: Script,
    pub(crate) expiring_due: Script,
    pub(crate) expire: Script,
    pub(crate) schedule_write: Script,
    pub(crate) schedule_remove: Script,
    pub(crate) schedules: Script,
    pub(crate) gate_edit: Script,
    pub(crate) gates_list: Script,
}

const LAYOUT: &str = include_str!("lua/layout.lua");
const LEDGER: &str = include_str!("lua/ledger.lua");
const JOB: &str = include_str!("lua/job.lua");
const BLOCKS: &str = include_str!("lua/blocks.lua");
const SUBMIT: &str = include_str!("lua/submit.lua");

/// How many keys `lua/ledger.lua` lists for every script, and how many there are.
const KEYS_OF_JOBS: usize = 17;
const ALL_KEYS: usize = 32;

/// The others.
const MORE_KEYS: &str = "local SCHEDULES, SCHEDULES_DUE, UNIQUE, UNIQUE_UNTIL, UNIQUE_OF, SLOTS, TAKEN, BUCKETS, HELD, LINES, OPENS, TURNS, STAMPS, EXPIRING = \
                         KEYS[18], KEYS[19], KEYS[20], KEYS[21], KEYS[22], KEYS[23], KEYS[24], KEYS[25], KEYS[26], KEYS[27], KEYS[28], KEYS[29], KEYS[30], KEYS[31]\n";

/// What a script says that knows of no gates.
const NO_GATES: &str = "local gates, turns = nil, nil\n";

/// And one that takes no new jobs.
const NO_SUBMIT: &str = "local line_up = nil\n";

const UNIQUE: &str = include_str!("lua/unique.lua");
const GATES: &str = include_str!("lua/gates.lua");
const TURNS: &str = include_str!("lua/turns.lua");
const OWNED: &str = include_str!("lua/owned.lua");

/// A turn where rules are set, which may bring unique jobs.
const EXCHANGE_GATES: [&str; 13] = [
    JOB,
    SUBMIT,
    MORE_KEYS,
    GATES,
    TURNS,
    OWNED,
    UNIQUE,
    EXCHANGE[3],
    EXCHANGE[4],
    EXCHANGE[5],
    include_str!("lua/affinity.lua"),
    include_str!("lua/exchange_gates.lua"),
    EXCHANGE[6],
];

/// A turn that brings unique jobs.
const EXCHANGE_UNIQUE: [&str; 9] =
    [JOB, SUBMIT, MORE_KEYS, NO_GATES, UNIQUE, EXCHANGE[3], EXCHANGE[4], EXCHANGE[5], EXCHANGE[6]];

const EXCHANGE: [&str; 7] = [
    JOB,
    SUBMIT,
    NO_GATES,
    include_str!("lua/settle.lua"),
    include_str!("lua/extend.lua"),
    include_str!("lua/claim.lua"),
    include_str!("lua/exchange.lua"),
];

/// Lets a script write when the server's memory is full: since Redis 7, which older servers take for a mistake.
const ALLOW_OOM: &str = "#!lua flags=allow-oom\n";

/// For servers that cannot be told which scripts may write when memory is full.
pub(crate) static PLAIN: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(""));

/// For Redis 7 and later: work goes on when memory is full, so that there is room again.
pub(crate) static RELIEVING: LazyLock<Scripts> = LazyLock::new(|| Scripts::new(ALLOW_OOM));

impl Scripts {
    fn new(flags: &str) -> Self {
        let with = |full: bool, flags: &str, verbs: &[&str]| {
            Script::of(format!(
                "{flags}local FULL = {full}\n{}{}{LAYOUT}{LEDGER}{}",
                codes(),
                decisions(),
                verbs.concat()
            ))
        };
        let script = |verb: &str| with(false, flags, &[JOB, verb]);
        // For what changes where jobs stand that are there, and brings no new ones.
        let standing =
            |verbs: &[&str]| with(false, flags, &[&[JOB, NO_SUBMIT, MORE_KEYS], verbs].concat()).with_all_keys();
        Self {
            exchange: with(false, "", &EXCHANGE),
            exchange_unique: with(false, "", &EXCHANGE_UNIQUE).with_all_keys(),
            submit: with(false, "", &[SUBMIT, include_str!("lua/submit_only.lua")]),
            submit_one: Script::of(codes() + &claimed() + LAYOUT + include_str!("lua/submit_one.lua")),
            exchange_when_full: with(true, flags, &EXCHANGE),
            exchange_unique_when_full: with(true, flags, &EXCHANGE_UNIQUE).with_all_keys(),
            exchange_gates: with(false, "", &EXCHANGE_GATES).with_all_keys(),
            exchange_gates_when_full: with(true, flags, &EXCHANGE_GATES).with_all_keys(),
            get: script(include_str!("lua/get.lua")),
            cancel: standing(&[GATES, TURNS, OWNED, include_str!("lua/cancel.lua")]),
            replay: standing(&[NO_GATES, OWNED, include_str!("lua/replay.lua")]),
            import: with(false, "", &[JOB, NO_SUBMIT, MORE_KEYS, NO_GATES, OWNED, include_str!("lua/import.lua")])
                .with_all_keys(),
            list: with(false, flags, &[JOB, BLOCKS, include_str!("lua/list.lua")]),
            counts: script(include_str!("lua/counts.lua")),
            oldest: with(false, flags, &[JOB, MORE_KEYS, include_str!("lua/oldest.lua")]).with_all_keys(),
            held: with(false, flags, &[include_str!("lua/held.lua")]),
            promote: standing(&[GATES, TURNS, OWNED, include_str!("lua/promote.lua")]),
            lost: script(include_str!("lua/lost.lua")),
            reclaim: standing(&[GATES, OWNED, include_str!("lua/reclaim.lua")]),
            gate_edit: standing(&[GATES, OWNED, include_str!("lua/gate_edit.lua")]),
            gates_list: with(false, flags, &[MORE_KEYS, include_str!("lua/gates_list.lua")]).with_all_keys(),
            prune: with(false, flags, &[JOB, BLOCKS, MORE_KEYS, include_str!("lua/prune.lua")]).with_all_keys(),
            expiring_note: with(false, flags, &[MORE_KEYS, include_str!("lua/expiring_note.lua")]).with_all_keys(),
            expiring_due: with(false, flags, &[JOB, MORE_KEYS, include_str!("lua/expiring_due.lua")]).with_all_keys(),
            expire: standing(&[GATES, TURNS, OWNED, include_str!("lua/expire.lua")]),
            opening: with(false, "", &[include_str!("lua/opening.lua")]),
            schedule_write: with(
                false,
                "",
                &[JOB, SUBMIT, MORE_KEYS, GATES, TURNS, OWNED, UNIQUE, include_str!("lua/schedule_write.lua")],
            )
            .with_all_keys(),
            schedule_remove: with(false, flags, &[MORE_KEYS, include_str!("lua/schedule_remove.lua")]).with_all_keys(),
            schedules: with(false, flags, &[MORE_KEYS, include_str!("lua/schedules.lua")]).with_all_keys(),
        }
    }
}

impl Script {
    fn of(source: String) -> Self {
        let sha = redis::Script::new(&source).get_hash().to_owned();
        Self { source, sha, keys: KEYS_OF_JOBS }
    }

    fn with_all_keys(self) -> Self {
        Self { keys: ALL_KEYS, ..self }
    }
}

const ENDINGS: [Event; 6] = [Event::Complete, Event::Retry, Event::Fail, Event::Snooze, Event::Release, Event::Stop];

/// What scripts call an ending.
pub(crate) fn word(event: Event) -> &'static str {
    match event {
        Event::Complete => "Complete",
        Event::Retry => "Retry",
        Event::Fail => "Fail",
        Event::Snooze => "Snooze",
        Event::Release => "Release",
        _ => "Stop",
    }
}

/// Statuses as scripts name them.
fn codes() -> String {
    let named = [Status::Queued, Status::Scheduled, Status::InProgress, Status::Failed].map(Status::code);
    let [queued, scheduled, in_progress, failed] = named;
    format!("local QUEUED, SCHEDULED, IN_PROGRESS, FAILED = {queued}, {scheduled}, {in_progress}, {failed}\n")
}

/// Where a claim takes a job.
fn claimed() -> String {
    format!("local CLAIMED = {}\n", to(Status::Queued, Event::Claim).unwrap_or_default())
}

/// The state table as Lua.
fn decisions() -> String {
    let code = |status: Status| status.code();
    let crashed = AttemptOutcome::Crashed.code();
    let mut lua = format!("local HISTORY_MAX = {HISTORY_MAX}\nlocal CRASHED, REQUESTED = {crashed}, -1\n");
    lua.push_str(&claimed());
    lua.push_str(&table("CANCEL", Status::ALL.map(|from| (code(from).to_string(), to(from, Event::Cancel)))));
    lua.push_str(&table("REPLAY", Status::ALL.map(|from| (code(from).to_string(), to(from, Event::Replay)))));
    lua.push_str(&table("ENDINGS", ENDINGS.map(|event| (word(event).to_owned(), Some(ending(event))))));
    let under_cancel = |event: Event| format!("'{}'", word(event.under_cancel(true)));
    lua.push_str(&table("UNDER_CANCEL", ENDINGS.map(|event| (word(event).to_owned(), Some(under_cancel(event))))));
    lua
}

fn table<const N: usize>(name: &str, entries: [(String, Option<String>); N]) -> String {
    let mut lua = format!("local {name} = {{ ");
    for (key, value) in entries {
        let key = if key.starts_with(|first: char| first.is_ascii_digit()) { format!("[{key}]") } else { key };
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(lua, "{key} = {value}, ");
        }
    }
    lua.push_str("}\n");
    lua
}

/// Where an event takes a job, or that its handler is asked to stop.
fn to(from: Status, event: Event) -> Option<String> {
    Some(match state::next(from, event)? {
        Step::To(status) => status.code().to_string(),
        Step::RequestCancel => "REQUESTED".to_owned(),
    })
}

/// What an ending makes of a running job, and which attempts it puts on record.
fn ending(event: Event) -> String {
    let status = to(Status::InProgress, event).unwrap_or_default();
    let fails = matches!(event, Event::Retry | Event::Fail);
    let outcome = match event {
        Event::Retry | Event::Fail => AttemptOutcome::Failed.code().to_string(),
        Event::Stop => AttemptOutcome::Canceled.code().to_string(),
        _ => "nil".to_owned(),
    };
    let retries = u8::from(event == Event::Retry);
    format!("{{ status = {status}, retries = {retries}, outcome = {outcome}, fails = {fails} }}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_a_place_to_go() {
        for event in ENDINGS {
            assert!(to(Status::InProgress, event).is_some_and(|status| status != "REQUESTED"), "{event:?}");
            assert!(ENDINGS.contains(&event.under_cancel(true)), "{event:?}");
        }
        let lua = decisions();
        assert!(lua.contains("local CLAIMED = 3\n") && lua.contains("[3] = REQUESTED"), "{lua}");
        assert!(lua.contains("Retry = 'Stop'") && lua.contains("Complete = 'Complete'"), "{lua}");
    }
}
