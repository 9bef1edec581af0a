//! The gatekeeper of a store that one process has to itself: rules, slots and buckets in memory, and which lines wait at
//! which gates. Every change can be taken back until [`commit`](Gatekeeper::commit), for transactions that fail.
//!
//! # Layout
//!
//! Here: whether a job may pass, and what it takes and leaves at its gates. `rules`: how they are changed; `openings`: who waits and
//! when to look; `intake`: submissions; `sharing`: queues whose keys take turns; `kept`: maps whose changes can be taken back.

mod intake;
mod kept;
mod openings;
mod rules;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::{Bucket, Rule};
use windlass_core::{Gate, JobId, Limits, NewJob, QueueName, Rate, Timestamp};

use crate::turns::Turns;

pub use self::intake::Bounds;
use self::kept::Kept;

/// The smallest step of a clock.
const TICK: Duration = Duration::from_micros(1);

/// What holds at a gate, with what is said of all keys of its kind.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    paused: bool,
    limits: Limits,
    weight: Option<u32>,
}

impl From<&Rule> for Terms {
    fn from(rule: &Rule) -> Self {
        Self { paused: rule.paused.is_some(), limits: rule.limits, weight: rule.share.weight }
    }
}

/// Where a job was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The first gate without room.
    pub gate: Gate,
    /// When to ask again; `None` when only a slot or an edit can open it.
    pub opens: Option<Timestamp>,
    /// Whether the job has its slot there already, and goes before others that wait.
    pub first: bool,
}

/// How many may pass a gate now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    jobs: u64,
    /// When to ask again, when that is known.
    opens: Option<Timestamp>,
}

/// Whether a gate is that of a queue or of everything.
fn is_of_line(gate: &Gate) -> bool {
    matches!(gate, Gate::Everything | Gate::Queue(_))
}

/// Whether a gate is that of an owner or of all.
fn is_of_owners(gate: &Gate) -> bool {
    matches!(gate, Gate::Owner(_) | Gate::Owners)
}

/// Rules, slots, buckets, and who waits where.
#[derive(Debug, Default)]
pub struct Gatekeeper {
    rules: Kept<Gate, Rule>,
    /// The rules for kinds of keys, which are few, to be found without a gate.
    kinds: Vec<(Arc<str>, Rule)>,
    /// Whether there are rules for everything or queues, for handlers, and for keys.
    lines_ruled: bool,
    handlers: bool,
    keys: bool,
    /// Whether some key has a rule of its own.
    key_by_itself: bool,
    /// Whether there are rules for what owners submit.
    owners: bool,
    /// Whether it is said of some queue how many may wait, and of some owner.
    backlogs: bool,
    owner_backlogs: bool,
    /// Whether the jobs of some queue age.
    ages: bool,
    /// Whether jobs keep their slots between attempts at some gate, and at one of a queue or of everything.
    order: bool,
    line_order: bool,
    /// How many slots are taken at a gate.
    taken: Kept<Gate, u64>,
    /// Which slots a job has.
    slots: Kept<JobId, Arc<[Gate]>>,
    buckets: Kept<Gate, Bucket>,
    /// How many of the changes to buckets since the last commit were told.
    told: usize,
    /// Where jobs of a queue may wait.
    lines: BTreeMap<Gate, BTreeSet<QueueName>>,
    /// Lines that ended since the last commit.
    ended: Vec<(Gate, QueueName)>,
    /// When it is worth looking at a gate on behalf of a queue.
    opens: BTreeMap<QueueName, BTreeSet<(Timestamp, Gate)>>,
    /// Whether a gate was opened at which somebody waits.
    news: bool,
    /// Whether a claim left jobs to processes that serve their handlers.
    left: bool,
    /// Whether some queue is shared.
    shares: bool,
    /// Who waits for a turn.
    turns: Turns,
    /// Room for the gates of the job that is admitted.
    asked: Vec<(Gate, Terms)>,
}

impl Gatekeeper {
    /// Whether every job may pass, none has a slot and none waits, so that there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.rules.now.is_empty() && self.slots.now.is_empty() && self.lines.is_empty() && self.turns.is_empty()
    }

    /// Keeps what was changed since the last commit.
    pub fn commit(&mut self) {
        self.rules.before.clear();
        self.taken.before.clear();
        self.slots.before.clear();
        self.buckets.before.clear();
        self.turns.commit();
        self.told = 0;
        self.ended.clear();
    }

    /// Takes back what was changed since the last commit. Where jobs wait is looked at anew, which does no harm.
    pub fn rollback(&mut self) {
        self.rules.rollback();
        self.taken.rollback();
        self.slots.rollback();
        self.buckets.rollback();
        self.turns.rollback();
        self.told = 0;
        for (gate, queue) in self.ended.drain(..) {
            self.lines.entry(gate).or_default().insert(queue);
        }
        let gates: Vec<Gate> = self.lines.keys().cloned().collect();
        gates.iter().for_each(|gate| self.open(gate, Timestamp::UNIX_EPOCH));
        self.read_rules();
    }

    fn read_rules(&mut self) {
        let of_kind = |(gate, rule): (&Gate, &Rule)| match gate {
            Gate::Keys(kind) => Some((Arc::clone(kind), rule.clone())),
            _ => None,
        };
        self.kinds = self.rules.now.iter().filter_map(of_kind).collect();
        self.order = self.rules.now.values().any(|rule| rule.limits.in_order);
        self.shares = self.rules.now.values().any(|rule| rule.share.by.is_some());
        let in_line_order = |(gate, rule): (&Gate, &Rule)| is_of_line(gate) && rule.limits.in_order;
        self.line_order = self.rules.now.iter().any(in_line_order);
        let any = |wanted: fn(&Gate) -> bool| self.rules.now.keys().any(wanted);
        self.lines_ruled = any(is_of_line);
        self.keys = any(|gate| matches!(gate, Gate::Key(_) | Gate::Keys(_)));
        self.key_by_itself = any(|gate| matches!(gate, Gate::Key(_)));
        self.ages = self.rules.now.values().any(|rule| rule.aging.is_some());
        let mut bounded = self.rules.now.iter().filter(|(_, rule)| !rule.backlog.is_none()).map(|(gate, _)| gate);
        self.backlogs = bounded.clone().any(|gate| matches!(gate, Gate::Queue(_)));
        self.owner_backlogs = bounded.any(is_of_owners);
        self.owners = any(is_of_owners);
        self.handlers = self.rules.now.keys().any(|gate| matches!(gate, Gate::Handler(_)));
    }

    fn terms(&self, gate: &Gate) -> Option<Terms> {
        let own = match gate {
            Gate::Key(_) if !self.key_by_itself => None,
            gate => self.rules.get(gate),
        };
        let of_kind = match gate {
            Gate::Key(key) => self.kinds.iter().find(|(kind, _)| key.is_of(kind)).map(|(_, rule)| rule),
            Gate::Owner(_) => self.rules.get(&Gate::Owners),
            _ => None,
        };
        match (own, of_kind) {
            (Some(own), Some(of_kind)) => Some(Terms::from(&own.or(of_kind))),
            (one, other) => one.or(other).map(Terms::from),
        }
    }

    fn taken_at(&self, gate: &Gate) -> u64 {
        self.taken.get(gate).copied().unwrap_or(0)
    }

    /// How many more may pass a gate, those that have their slots there apart.
    fn room(&self, gate: &Gate, terms: Terms, has_slot: bool, now: Timestamp) -> Room {
        if terms.paused {
            return Room { jobs: 0, opens: None };
        }
        let most = terms.limits.running.filter(|_| !has_slot);
        let slots = most.map_or(u64::MAX, |most| u64::from(most).saturating_sub(self.taken_at(gate)));
        let Some(rate) = terms.limits.rate.filter(|_| slots > 0) else { return Room { jobs: slots, opens: None } };
        let bucket = self.buckets.get(gate).copied().unwrap_or_default();
        Room { jobs: slots.min(bucket.room(&rate, now)), opens: Some(bucket.opens(&rate)) }
    }

    /// In how long jobs of a queue rise by one level of priority, if they do.
    pub fn aging(&self, queue: &QueueName) -> Option<Duration> {
        match self.ages {
            true => self.rule(&Gate::Queue(queue.clone())).aging,
            false => None,
        }
    }

    /// How many jobs of a queue may pass its own gate and that of everything. Where none may, the queue waits.
    pub fn room_for(&mut self, queue: &QueueName, now: Timestamp) -> u64 {
        let mut least = u64::MAX;
        if !self.lines_ruled {
            return least;
        }
        for gate in [Gate::Everything, Gate::Queue(queue.clone())] {
            // Where jobs keep their slots between attempts, one of them may pass although there is no room.
            let Some(terms) = self.terms(&gate).filter(|terms| !terms.limits.in_order) else { continue };
            let Room { jobs, opens } = self.room(&gate, terms, false, now);
            if jobs == 0 {
                self.wait(queue, gate, opens);
            }
            least = least.min(jobs);
        }
        least
    }

    /// Whether some rule holds for each job by itself, so that jobs have to be [admitted](Self::admit) one by one.
    pub fn asks_each(&self) -> bool {
        self.handlers || self.keys || self.line_order
    }

    /// So many jobs of a queue start, for which there was [room](Self::room_for).
    pub fn pass_line(&mut self, queue: &QueueName, number: u64, now: Timestamp) {
        for (gate, limits) in self.counted(queue).into_iter().flatten().filter(|_| number > 0) {
            if let Some(rate) = limits.rate {
                let bucket = (0..number).fold(self.bucket(&gate), |bucket, _| bucket.less_one(&rate, now));
                self.buckets.set(&gate, Some(bucket));
            }
            if limits.running.is_some() {
                self.taken.set(&gate, Some(self.taken_at(&gate) + number));
            }
        }
    }

    /// An attempt of a queue's job has ended.
    pub fn leave_line(&mut self, queue: &QueueName, now: Timestamp) {
        if !self.lines_ruled {
            return;
        }
        for (gate, limits) in self.counted(queue).into_iter().flatten() {
            let Some(most) = limits.running else { continue };
            let taken = self.taken_at(&gate);
            self.taken.set(&gate, taken.checked_sub(1).filter(|left| *left > 0));
            // Only where nobody could start may somebody wait for this.
            if taken >= u64::from(most) {
                self.open(&gate, now);
            }
        }
    }

    /// The gates of a queue and of everything, where they need no slots, because those who run there are counted: where jobs keep
    /// theirs between attempts, they do.
    fn counted(&self, queue: &QueueName) -> [Option<(Gate, Limits)>; 2] {
        if !self.lines_ruled {
            return [None, None];
        }
        [Gate::Everything, Gate::Queue(queue.clone())].map(|gate| {
            let limits = self.rules.get(&gate)?.limits;
            (!limits.in_order).then_some((gate, limits))
        })
    }

    /// Lets a job pass all its gates, or says where it was stopped and changes nothing. Those where jobs are counted are for
    /// [`pass_line`](Self::pass_line).
    ///
    /// # Errors
    ///
    /// [`Closed`] with the first gate that has no room.
    pub fn admit(&mut self, new: &NewJob, now: Timestamp) -> Result<(), Closed> {
        let mut asked = std::mem::take(&mut self.asked);
        self.asked_of(new).for_each(|one| asked.push(one));
        let closed = self.closed_among(&asked, new, now);
        if closed.is_none() {
            self.pass(new.id, &mut asked, now);
        }
        asked.clear();
        self.asked = asked;
        closed.map_or(Ok(()), Err)
    }

    /// Takes what a job needs at gates that have room for it.
    fn pass(&mut self, id: JobId, asked: &mut Vec<(Gate, Terms)>, now: Timestamp) {
        for (gate, terms) in &*asked {
            if let Some(rate) = terms.limits.rate {
                self.take_token(gate, &rate, now);
            }
        }
        asked.retain(|(_, terms)| terms.limits.running.is_some());
        let numbered = asked.drain(..).map(|(gate, _)| gate);
        if self.order {
            let numbered = numbered.collect();
            return self.take_slots(id, numbered);
        }
        // Nobody has any who does not run.
        let numbered: Arc<[Gate]> = numbered.collect();
        if !numbered.is_empty() {
            numbered.iter().for_each(|gate| self.taken.add(gate));
            self.slots.set(&id, Some(numbered));
        }
    }

    /// Where a job would be stopped, if it may not pass all its gates.
    pub fn closed_to(&self, new: &NewJob, now: Timestamp) -> Option<Closed> {
        self.closed_among(&self.asked_of(new).collect::<Vec<_>>(), new, now)
    }

    fn closed_among(&self, asked: &[(Gate, Terms)], new: &NewJob, now: Timestamp) -> Option<Closed> {
        // A job that does not run has slots only where jobs keep them.
        let own = if self.order { self.slots.get(&new.id) } else { None };
        asked.iter().find_map(|(gate, terms)| {
            let has_slot = own.is_some_and(|own| own.contains(gate));
            let Room { jobs, opens } = self.room(gate, *terms, has_slot, now);
            (jobs == 0).then(|| Closed { gate: gate.clone(), opens, first: has_slot })
        })
    }

    /// The gates that judge each job by itself, with what holds there.
    fn asked_of<'a>(&'a self, new: &'a NewJob) -> impl Iterator<Item = (Gate, Terms)> + use<'a> {
        self.gates_of(new).filter_map(|gate| {
            let terms = self.terms(&gate).filter(|terms| !is_of_line(&gate) || terms.limits.in_order)?;
            Some((gate, terms))
        })
    }

    /// The gates of a job at which there may be rules.
    fn gates_of<'j>(&self, new: &'j NewJob) -> impl Iterator<Item = Gate> + use<'j> {
        let everything = self.lines_ruled.then_some(Gate::Everything);
        let queue = self.lines_ruled.then(|| Gate::Queue(new.queue.clone()));
        let handler = self.handlers.then(|| Gate::Handler(new.name.clone()));
        let keys = if self.keys { new.keys() } else { &[] };
        everything.into_iter().chain(queue).chain(handler).chain(keys.iter().cloned().map(Gate::Key))
    }

    fn take_token(&mut self, gate: &Gate, rate: &Rate, now: Timestamp) {
        let bucket = self.buckets.get(gate).copied().unwrap_or_default();
        self.buckets.set(gate, Some(bucket.less_one(rate, now)));
    }

    /// A job has kept its slot at a gate, if jobs do that there.
    pub fn keep_slot(&mut self, id: JobId, gate: Gate) {
        if self.terms(&gate).is_some_and(|terms| terms.limits.in_order) {
            self.take_slots(id, vec![gate]);
        }
    }

    /// Takes a job's slots at some gates, but for those that it has.
    fn take_slots(&mut self, id: JobId, mut gates: Vec<Gate>) {
        if let Some(own) = self.slots.get(&id) {
            gates.retain(|gate| !own.contains(gate));
        }
        if gates.is_empty() {
            return;
        }
        gates.iter().for_each(|gate| self.taken.add(gate));
        if let Some(own) = self.slots.get(&id) {
            gates.extend_from_slice(own);
        }
        self.slots.set(&id, Some(gates.into()));
    }

    /// An attempt has ended, or a job that waited has: its slots are free, but for those that it keeps until it has
    /// finished. Those are returned.
    pub fn leave(&mut self, id: JobId, finished: bool, now: Timestamp) -> Vec<Gate> {
        let Some(slots) = self.slots.remove(&id).cloned() else { return Vec::new() };
        let keeps = |keeper: &Self, gate: &Gate| keeper.terms(gate).is_some_and(|terms| terms.limits.in_order);
        let mut kept = Vec::new();
        for gate in slots.iter() {
            if !finished && self.order && keeps(self, gate) {
                kept.push(gate.clone());
            } else {
                self.taken.subtract(gate);
                self.open(gate, now);
            }
        }
        if !kept.is_empty() {
            self.slots.set(&id, Some(kept.as_slice().into()));
        }
        kept
    }

    /// A job waits where it was stopped. At its other gates there may be room for others that wait there; whether some of its queue
    /// shall look: they go before any that were chosen besides it.
    pub fn stop(&mut self, new: &NewJob, closed: &Closed, now: Timestamp) -> bool {
        self.wait(&new.queue, closed.gate.clone(), closed.opens);
        self.pass_on(new, now)
    }

    /// A job waits at its handler's gate for somebody who serves it, which whoever claims does not. At its other gates there may be
    /// room for others, as where one is [stopped](Self::stop).
    pub fn leave_to_others(&mut self, new: &NewJob, now: Timestamp) -> (Closed, bool) {
        let gate = Gate::Handler(new.name.clone());
        let first = self.slots.get(&new.id).is_some_and(|own| own.contains(&gate));
        // One look for however many are left there: always at the same moment, which is over.
        let closed = Closed { gate, opens: Some(Timestamp::UNIX_EPOCH), first };
        self.wait(&new.queue, closed.gate.clone(), closed.opens);
        self.left = true;
        let handed_on = self.pass_on_where(new, |gate| *gate != closed.gate, now);
        (closed, handed_on)
    }

    /// Whether jobs were left to others since the last call.
    pub fn take_left(&mut self) -> bool {
        std::mem::take(&mut self.left)
    }

    /// A job will not pass, though it may have come back from a gate for the room there. Whether others of its queue shall look.
    pub fn pass_on(&mut self, new: &NewJob, now: Timestamp) -> bool {
        self.pass_on_where(new, |_| true, now)
    }

    fn pass_on_where(&mut self, new: &NewJob, which: impl Fn(&Gate) -> bool, now: Timestamp) -> bool {
        let mut opened = false;
        for gate in self.gates_of(new).filter(which) {
            let terms = self.terms(&gate).unwrap_or_default();
            let Some(queues) = self.lines.get(&gate) else { continue };
            let waits = queues.contains(&new.queue);
            if self.room(&gate, terms, false, now).jobs > 0 {
                self.open(&gate, now);
                opened |= waits;
            }
        }
        opened
    }

    /// Forgets buckets that are full.
    pub fn sweep(&mut self, now: Timestamp) {
        self.buckets.now.retain(|_, bucket| bucket.0 > now);
    }

    /// Whether jobs keep their slots between attempts at some gate.
    pub fn has_order(&self) -> bool {
        self.order
    }

    /// The buckets that have changed since the last call, in this transaction.
    pub fn changed_buckets(&mut self) -> BTreeMap<Gate, Bucket> {
        let from = std::mem::replace(&mut self.told, self.buckets.before.len());
        let changed = self.buckets.before[from..].iter().map(|(gate, _)| gate);
        changed.map(|gate| (gate.clone(), self.bucket(gate))).collect()
    }

    /// The bucket at a gate.
    pub fn bucket(&self, gate: &Gate) -> Bucket {
        self.buckets.get(gate).copied().unwrap_or_default()
    }

    /// Puts a bucket at a gate, as it was kept.
    pub fn set_bucket(&mut self, gate: &Gate, bucket: Bucket) {
        self.buckets.set(gate, Some(bucket));
    }
}
