//! What a random history consists of: operations in small numbers, their strategies, and the questions to a store
//! that they stand for.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use windlass_core::gate::Edit;
use windlass_core::{
    Backlog, Job, JobId, Limits, NewJob, Payload, Priority, Rate, RetryPolicy, Start, Status, Timestamp, Unique,
};
use windlass_store::{Lease, Outcome, Settlement};

use crate::jobs::{error, owner_named};
use crate::probe::ALL;

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Op {
    /// One exchange.
    Turn(Turn),
    /// Time passes, in seconds.
    Advance(u64),
    /// A sweep.
    Sweep,
    /// A cancellation of a job.
    Cancel(u8),
    /// A replay of a job.
    Replay(u8),
    /// A job comes from another store.
    Import(Draft, Past),
    /// Another rule at a gate.
    Edit(&'static str, Change),
}

/// What changes about a rule.
#[derive(Clone, Copy, Debug)]
pub enum Change {
    /// Nobody passes.
    Pause,
    /// Somebody does again.
    Resume,
    /// So many at a time.
    Running(u32),
    /// One at a time, until it has finished.
    InOrder,
    /// One each ten seconds, after so many.
    Rate(u32),
    /// Nobody for ten seconds, where there is a rate.
    Hold,
    /// Any number.
    Free,
    /// So many may wait, and whether one makes room for another.
    Wait(u64, bool),
    /// Any number may.
    WaitFree,
}

/// One exchange, in small numbers.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Which leases end, counted back from the newest ever given out, and how.
    pub settle: Vec<(usize, End)>,
    /// Which leases are extended, for how many seconds, and with what progress in tenths.
    pub extend: Vec<(usize, u64, Option<u8>)>,
    /// What is submitted.
    pub submit: Vec<Draft>,
    /// How many jobs may wait in a queue.
    pub queue_limit: Option<u64>,
    /// What is claimed.
    pub claim: Option<Want>,
}

/// How an attempt ends.
#[derive(Clone, Debug)]
pub enum End {
    /// It completes and emits so many jobs.
    Complete(u32),
    /// It is retried after so many seconds.
    Retry(u64),
    /// It fails for good.
    Fail,
    /// It is snoozed for so many seconds.
    Snooze(u64),
    /// It is given back, with an emitted job that must not be stored.
    Release,
    /// It stops.
    Stop,
}

/// A job to submit.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Which id: there are few, so that they meet again.
    pub id: u8,
    /// Which input: two, so that submissions conflict.
    pub input: u8,
    /// Which queue.
    pub queue: &'static str,
    /// Which priority.
    pub priority: u8,
    /// Delay in seconds.
    pub delay: u64,
    /// In which way it is unique among those of its key, if it is.
    pub unique: Option<Way>,
    /// Which keys it has: those of the bits.
    pub keys: u8,
    /// Whose it is, if anybody's.
    pub owner: Option<&'static str>,
}

/// In which way a job is unique.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// It refuses others while it is unfinished.
    Plain,
    /// It takes the place of one that waits.
    Replaces,
    /// It takes the place of one that runs, too.
    CancelsRunning,
    /// It refuses others for so many seconds, and those refused make them begin anew.
    Within(u64),
}

/// What became of a job in another store.
#[derive(Clone, Debug)]
pub struct Past {
    /// Whether it failed there; else it waits.
    pub failed: bool,
    /// Its retries.
    pub retries: u8,
    /// Its crashes.
    pub crashes: u8,
}

/// A claim.
#[derive(Clone, Debug)]
pub struct Want {
    /// Which queues, most important first.
    pub queues: &'static [&'static str],
    /// How many jobs.
    pub limit: usize,
    /// How long the leases last, in seconds.
    pub lease: u64,
    /// How many suspects.
    pub suspects: usize,
    /// Which handlers, if not all.
    pub handlers: Option<&'static [&'static str]>,
}

/// How many ids the submissions share.
pub(crate) const IDS: u8 = 6;
const DELAYS: [u64; 3] = [0, 5, 20];
const GATES: [&str; 7] = ["*", "queue:a", "handler:History", "key:user:0", "key:team:1", "keys:user", "keys:team"];
const OWNERS: [&str; 2] = ["owners", "owner:ann"];
const QUEUES: [&[&str]; 4] = [&["a", "b"], &["b", "a"], &["c"], &["a", "b", "c"]];

const HANDLERS: [&[&str]; 5] = [&["History"], &["Story"], &["Emitted", "Story"], &["History", "Emitted"], &["Nothing"]];

/// Histories of up to 40 steps, half of them with rules at gates, and half with claims for some handlers.
pub fn histories() -> impl Strategy<Value = Vec<Op>> {
    prop_oneof![steps(0, 0), steps(3, 0), steps(0, 2), steps(3, 2)]
}

/// The weights of edits and of claims for some handlers are the given ones.
fn steps(edits: u32, subsets: u32) -> impl Strategy<Value = Vec<Op>> {
    // No sum of few steps is a whole day, so that no history depends on what happens at the edge of retention.
    let step = prop_oneof![8 => select(vec![1_u64, 5, 10, 30, 61]), 1 => Just(86_461), 1 => Just(15 * 86_461)];
    let op = prop_oneof![
        10 => turns(subsets).prop_map(Op::Turn),
        4 => step.prop_map(Op::Advance),
        2 => Just(Op::Sweep),
        1 => (0..IDS).prop_map(Op::Cancel),
        1 => (0..IDS).prop_map(Op::Replay),
        1 => (drafts(), pasts()).prop_map(|(draft, past)| Op::Import(draft, past)),
        edits => (select(GATES.to_vec()), changes()).prop_map(|(gate, change)| Op::Edit(gate, change)),
        edits => (select(OWNERS.to_vec()), backlogs()).prop_map(|(gate, change)| Op::Edit(gate, change)),
    ];
    prop::collection::vec(op, 1..40)
}

fn turns(subsets: u32) -> impl Strategy<Value = Turn> {
    let settle = prop::collection::vec((0_usize..5, ends()), 0..3);
    let extend = prop::collection::vec((0_usize..5, select(vec![5_u64, 40]), prop::option::of(0_u8..=10)), 0..2);
    let submit = prop::collection::vec(drafts(), 0..4);
    let queue_limit = prop_oneof![3 => Just(None), 1 => (0_u64..4).prop_map(Some)];
    let turn = (settle, extend, submit, queue_limit, prop::option::of(wants(subsets)));
    turn.prop_map(|(settle, extend, submit, queue_limit, claim)| Turn { settle, extend, submit, queue_limit, claim })
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        4 => (0_u32..3).prop_map(End::Complete),
        3 => select(DELAYS.to_vec()).prop_map(End::Retry),
        2 => Just(End::Fail),
        1 => select(DELAYS.to_vec()).prop_map(End::Snooze),
        1 => Just(End::Release),
        1 => Just(End::Stop),
    ]
}

fn drafts() -> impl Strategy<Value = Draft> {
    let input = prop_oneof![5 => Just(0_u8), 1 => Just(1)];
    let way = prop_oneof![Just(Way::Plain), Just(Way::Replaces), Just(Way::CancelsRunning), Just(Way::Within(20))];
    let unique = prop::option::weighted(0.4, way);
    let delay = select(DELAYS.to_vec());
    let keys = prop_oneof![2 => Just(0_u8), 3 => 1_u8..16];
    let owner = prop::option::weighted(0.7, select(vec!["ann", "bob"]));
    let fields = (0..IDS, input, select(vec!["a", "b", "c"]), select(vec![0_u8, 5, 9]), delay, unique, keys, owner);
    fields.prop_map(|(id, input, queue, priority, delay, unique, keys, owner)| Draft {
        id,
        input,
        queue,
        priority,
        delay,
        unique,
        keys,
        owner,
    })
}

fn changes() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Pause),
        2 => Just(Change::Resume),
        2 => (0_u32..3).prop_map(Change::Running),
        2 => Just(Change::InOrder),
        2 => (1_u32..4).prop_map(Change::Rate),
        1 => Just(Change::Hold),
        2 => Just(Change::Free),
    ]
}

fn backlogs() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (0_u64..4, any::<bool>()).prop_map(|(most, drops)| Change::Wait(most, drops)),
        1 => Just(Change::WaitFree),
    ]
}

pub(crate) fn edit(change: Change) -> Edit {
    let rate = |burst| Rate::new(1, Duration::from_secs(10)).and_then(|rate| rate.burst(burst)).expect("valid");
    match change {
        Change::Pause => Edit::Pause("later".into()),
        Change::Resume => Edit::Resume,
        Change::Running(most) => Edit::Limit(Limits::running(most)),
        Change::InOrder => Edit::Limit(Limits::in_order()),
        Change::Rate(burst) => Edit::Limit(Limits::rate(rate(burst))),
        Change::Hold => Edit::Hold(Duration::from_secs(10)),
        Change::Free => Edit::Limit(Limits::default()),
        Change::Wait(most, drops) => Edit::Backlog(Backlog { most: Some(most), drops }),
        Change::WaitFree => Edit::Backlog(Backlog::default()),
    }
}

fn pasts() -> impl Strategy<Value = Past> {
    let fields = (any::<bool>(), 0_u8..3, 0_u8..3);
    fields.prop_map(|(failed, retries, crashes)| Past { failed, retries, crashes })
}

/// Where suspects stand among others is the store's affair, so a claim that may take some has room for all.
fn wants(subsets: u32) -> impl Strategy<Value = Want> {
    let room = prop_oneof![2 => (0_usize..5).prop_map(|limit| (limit, 0)), 1 => (0_usize..3).prop_map(|n| (ALL, n))];
    let handlers = prop_oneof![1 => Just(None), subsets => select(HANDLERS.to_vec()).prop_map(Some)];
    let fields = (select(QUEUES.to_vec()), room, select(vec![10_u64, 30]), handlers);
    fields.prop_map(|(queues, (limit, suspects), lease, handlers)| Want { queues, limit, lease, suspects, handlers })
}

/// How many keys unique jobs share. Jobs of one key have their places together.
const KEYS: u8 = 3;

pub(crate) fn id(number: u8) -> JobId {
    let mut id = *JobId::keyed(&[b"history", &[number]]).as_bytes();
    id[15] = number % KEYS;
    JobId::from_bytes(id)
}

pub(crate) fn submission(draft: &Draft) -> NewJob {
    let max_crashes = 1 + u32::from(draft.id % 3);
    // Those of one key are of one handler, so that they meet.
    let name = if draft.id % KEYS == 2 { "Story" } else { "History" };
    let new = NewJob::build(name, Payload::new("text/plain", vec![draft.input])).id(id(draft.id));
    let new = match draft.unique.map(|way| (Unique::key((draft.id % KEYS).to_string()), way)) {
        None => new,
        Some((key, Way::Plain)) => new.unique(key),
        Some((key, Way::Replaces)) => new.unique(key.replace()),
        Some((key, Way::CancelsRunning)) => new.unique(key.cancel_running()),
        Some((key, Way::Within(seconds))) => new.unique(key.within(Duration::from_secs(seconds)).extend()),
    };
    let keys = [("user", 0), ("user", 1), ("team", 0), ("team", 1)].into_iter().enumerate();
    let keys = keys.filter(|(bit, _)| draft.keys & 1 << bit != 0);
    let new = keys.fold(new, |new, (_, (kind, value))| new.key(kind, value));
    let new = new.owner(draft.owner.map(owner_named));
    new.queue(draft.queue)
        .priority(Priority::new(draft.priority).expect("a level from 0 to 9"))
        .start(Start::After(Duration::from_secs(draft.delay)))
        .retry(RetryPolicy { max_crashes, ..RetryPolicy::default() })
        .finish(Timestamp::UNIX_EPOCH)
        .expect("a valid job")
}

/// The job as another store has it at `now`.
pub(crate) fn importation(draft: &Draft, past: &Past, now: Timestamp) -> Job {
    let new = submission(draft);
    let due = new.start.due(now).filter(|_| !past.failed);
    let status = match due {
        _ if past.failed => Status::Failed,
        Some(_) => Status::Scheduled,
        None => Status::Queued,
    };
    Job {
        new: Arc::new(new),
        status,
        retries: past.retries.into(),
        crashes: past.crashes.into(),
        cancel_requested: false,
        created_at: now,
        scheduled_at: due,
        started_at: None,
        finished_at: past.failed.then_some(now),
        updated_at: now,
        progress: None,
        result: None,
        error: past.failed.then(error),
        attempts: Vec::new(),
    }
}

pub(crate) fn settlement(lease: Lease, end: &End) -> Settlement {
    let (outcome, children) = match *end {
        End::Complete(children) => (Outcome::Complete(Payload::new("text/plain", "done")), children),
        End::Retry(delay) => (Outcome::Retry { delay: Duration::from_secs(delay), error: error() }, 1),
        End::Fail => (Outcome::Fail(error()), 0),
        End::Snooze(delay) => (Outcome::Snooze { delay: Duration::from_secs(delay) }, 0),
        End::Release => (Outcome::Release, 1),
        End::Stop => (Outcome::Stop, 0),
    };
    let emitted = (0..children).map(|index| Arc::new(emission(lease.id.emitted(index)))).collect();
    Settlement { lease, outcome, emitted }
}

fn emission(id: JobId) -> NewJob {
    let draft = NewJob::build("Emitted", Payload::empty()).id(id).queue("a");
    draft.finish(Timestamp::UNIX_EPOCH).expect("a valid job")
}
