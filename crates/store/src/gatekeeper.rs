//! The gatekeeper of a store that one process has to itself: rules, slots and buckets in memory, and which lines wait at
//! which gates. Every change can be taken back until [`commit`](Gatekeeper::commit), for transactions that fail.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use windlass_core::gate::{Bucket, Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Backlog, Gate, JobId, Key, Limits, NewJob, QueueName, Rate, Timestamp};

use crate::exchange::Claim;
use crate::gates::Ruled;
use crate::turns::{Line, Turns};

/// The smallest step of a clock.
const TICK: Duration = Duration::from_micros(1);

/// A map that remembers what it held before, since the last commit.
#[derive(Debug)]
struct Kept<K, V> {
    now: HashMap<K, V, RandomState>,
    before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self { now: HashMap::default(), before: Vec::new() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Kept<K, V> {
    fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.now.get(key)
    }

    fn set(&mut self, key: &K, value: Option<V>) {
        let before = match value {
            Some(value) => self.now.insert(key.clone(), value),
            None => self.now.remove(key),
        };
        self.before.push((key.clone(), before));
    }

    fn remove(&mut self, key: &K) -> Option<&V> {
        let value = self.now.remove(key)?;
        self.before.push((key.clone(), Some(value)));
        self.before.last().and_then(|(_, value)| value.as_ref())
    }

    fn rollback(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(value) => drop(self.now.insert(key, value)),
                None => drop(self.now.remove(&key)),
            }
        }
    }
}

impl Kept<Gate, u64> {
    /// One more.
    fn add(&mut self, gate: &Gate) {
        let before = self.now.get_mut(gate).map(|taken| std::mem::replace(taken, *taken + 1));
        if before.is_none() {
            self.now.insert(gate.clone(), 1);
        }
        self.before.push((gate.clone(), before));
    }

    /// One less; those of whom none is left are forgotten.
    fn subtract(&mut self, gate: &Gate) {
        match self.now.get_mut(gate) {
            Some(taken) if *taken > 1 => {
                let before = std::mem::replace(taken, *taken - 1);
                self.before.push((gate.clone(), Some(before)));
            }
            _ => self.set(gate, None),
        }
    }
}

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

/// How many may wait where a job is submitted to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// In its queue.
    pub queue: Backlog,
    /// Of its owner.
    pub owner: Backlog,
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
    slots: Kept<JobId, Vec<Gate>>,
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
            Gate::Key(key) => self.kinds.iter().find(|(kind, _)| **kind == *key.kind()).map(|(_, rule)| rule),
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

    /// How many jobs may wait where a caller submits one, where its process says the same of all queues.
    pub fn bounds(&self, new: &NewJob, of_all_queues: Option<u64>) -> Bounds {
        Bounds { queue: self.backlog(&new.queue, of_all_queues), owner: self.owner_backlog(new) }
    }

    /// Whether it is said of some owner how many jobs may wait, so that they have to be counted by owner.
    pub fn bounds_owners(&self) -> bool {
        self.owner_backlogs
    }

    fn owner_backlog(&self, new: &NewJob) -> Backlog {
        let Some(gate) = new.owner.clone().filter(|_| self.owner_backlogs).map(Gate::Owner) else {
            return Backlog::default();
        };
        [gate, Gate::Owners].iter().map(|gate| self.rule(gate).backlog).find(|said| !said.is_none()).unwrap_or_default()
    }

    fn backlog(&self, queue: &QueueName, of_all: Option<u64>) -> Backlog {
        if !self.backlogs {
            return Backlog { most: of_all, drops: false };
        }
        let Backlog { most, drops } = self.rule(&Gate::Queue(queue.clone())).backlog;
        Backlog { most: most.into_iter().chain(of_all).min(), drops }
    }

    /// Whether a rule may hold for what the owner of a job submits.
    pub fn limits_owner(&self, new: &NewJob) -> bool {
        self.owners && new.owner.is_some()
    }

    /// A job is submitted. `Err` with how long until its owner may submit again, if it has submitted as many as it may.
    pub fn submits(&mut self, new: &NewJob, now: Timestamp) -> Result<(), Duration> {
        let Some(gate) = new.owner.clone().filter(|_| self.owners).map(Gate::Owner) else { return Ok(()) };
        let Some(rate) = self.terms(&gate).and_then(|terms| terms.limits.rate) else { return Ok(()) };
        let bucket = self.bucket(&gate);
        if bucket.room(&rate, now) == 0 {
            return Err(now.until(bucket.opens(&rate)));
        }
        self.take_token(&gate, &rate, now);
        Ok(())
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
        let asked: Vec<(Gate, Terms)> = self.asked_of(new).collect();
        if let Some(closed) = self.closed_among(&asked, new, now) {
            return Err(closed);
        }
        for (gate, terms) in &asked {
            if let Some(rate) = terms.limits.rate {
                self.take_token(gate, &rate, now);
            }
        }
        let numbered = |(gate, terms): (Gate, Terms)| terms.limits.running.is_some().then_some(gate);
        self.take_slots(new.id, asked.into_iter().filter_map(numbered).collect());
        Ok(())
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
        self.slots.set(&id, Some(gates));
    }

    /// An attempt has ended, or a job that waited has: its slots are free, but for those that it keeps until it has
    /// finished. Those are returned.
    pub fn leave(&mut self, id: JobId, finished: bool, now: Timestamp) -> Vec<Gate> {
        let Some(slots) = self.slots.remove(&id).cloned() else { return Vec::new() };
        let keeps =
            |gate: &Gate| !finished && self.order && self.terms(gate).is_some_and(|terms| terms.limits.in_order);
        let (kept, free): (Vec<Gate>, Vec<Gate>) = slots.into_iter().partition(keeps);
        for gate in free {
            self.taken.subtract(&gate);
            self.open(&gate, now);
        }
        if !kept.is_empty() {
            self.slots.set(&id, Some(kept.clone()));
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

    /// How many that wait at a gate should come back.
    pub fn room_back(&self, gate: &Gate, now: Timestamp) -> u64 {
        let Some(terms) = self.terms(gate) else { return u64::MAX };
        let have_slots = if terms.limits.in_order { self.taken_at(gate) } else { 0 };
        self.room(gate, terms, false, now).jobs.max(have_slots.min(self.room(gate, terms, true, now).jobs))
    }

    /// Jobs of a queue wait at a gate.
    fn wait(&mut self, queue: &QueueName, gate: Gate, opens: Option<Timestamp>) {
        if let Some(opens) = opens {
            self.opens.entry(queue.clone()).or_default().insert((opens, gate.clone()));
        }
        self.lines.entry(gate).or_default().insert(queue.clone());
    }

    /// Jobs of a queue still wait at a gate after some came back: at once where there was `room` for more, else until it
    /// opens.
    pub fn wait_on(&mut self, queue: &QueueName, gate: Gate, room: bool, now: Timestamp) {
        let opens = match self.terms(&gate) {
            // Later than now: those who came back have to pass before there is less room. One that has its slot there may wait
            // for the bucket alone.
            Some(terms) if !room => {
                self.room(&gate, terms, terms.limits.in_order, now).opens.map(|at| at.max(now.after(TICK)))
            }
            _ => Some(now),
        };
        self.wait(queue, gate, opens);
    }

    /// No job of the queue waits at the gate any more.
    pub fn wait_no_more(&mut self, queue: &QueueName, gate: &Gate) {
        let Some(queues) = self.lines.get_mut(gate) else { return };
        if queues.remove(queue) {
            self.ended.push((gate.clone(), queue.clone()));
        }
        if queues.is_empty() {
            self.lines.remove(gate);
        }
    }

    /// All who wait at a gate shall look again.
    fn open(&mut self, gate: &Gate, now: Timestamp) {
        for queue in self.lines.get(gate).into_iter().flatten() {
            self.news = true;
            self.opens.entry(queue.clone()).or_default().insert((now, gate.clone()));
        }
    }

    /// A gate at which a claim should look now on behalf of a queue.
    pub fn opened(&mut self, queue: &QueueName, claim: &Claim, now: Timestamp) -> Option<Gate> {
        let times = self.opens.get_mut(queue)?;
        let mut over = times.iter().take_while(|(at, _)| *at <= now);
        let next = over.find(|(_, gate)| claim.looks_at(gate))?.clone();
        times.remove(&next);
        Some(next.1)
    }

    /// When a claim should look again on behalf of a queue; at once is a moment that is over.
    pub fn next_opening(&self, queue: &QueueName, claim: &Claim) -> Option<Timestamp> {
        self.opens.get(queue)?.iter().find(|(_, gate)| claim.looks_at(gate)).map(|(at, _)| *at)
    }

    /// When it pays to look again, later than now: a gate with a rate is left to gather some.
    pub fn next_look(&self, queue: &QueueName, claim: &Claim, now: Timestamp) -> Option<Timestamp> {
        let first = self.opens.get(queue)?.iter().find(|(_, gate)| claim.looks_at(gate));
        let (at, gate) = first.filter(|(at, _)| *at > now)?;
        let rate = self.terms(gate).and_then(|terms| terms.limits.rate);
        Some(at.after(rate.map_or(Duration::ZERO, |rate| rate.patience())))
    }

    /// Whether a gate was opened since the last call at which some queue should look now.
    pub fn take_news(&mut self, now: Timestamp) -> bool {
        let opened = std::mem::take(&mut self.news);
        opened && self.opens.values().filter_map(BTreeSet::first).any(|(at, _)| *at <= now)
    }

    /// Forgets buckets that are full.
    pub fn sweep(&mut self, now: Timestamp) {
        self.buckets.now.retain(|_, bucket| bucket.0 > now);
    }

    /// The rule at a gate.
    pub fn rule(&self, gate: &Gate) -> Rule {
        self.rules.get(gate).cloned().unwrap_or_default()
    }

    /// Changes the rule at a gate; `holders` are the jobs that run. Whoever waits there shall look again.
    pub fn edit<'j>(&mut self, gate: &Gate, edit: &Edit, holders: impl Iterator<Item = &'j NewJob>, now: Timestamp) {
        if let Edit::Hold(span) = edit {
            return self.hold(gate, now.after(*span));
        }
        let rule = self.rule(gate).edited(edit);
        self.set_rule(gate, rule);
        if matches!(edit, Edit::Limit(_)) {
            self.count_anew(gate, holders);
        }
        for at in self.waiting_at(gate) {
            self.open(&at, now);
        }
    }

    /// Puts a rule at a gate, as it was kept.
    pub fn set_rule(&mut self, gate: &Gate, rule: Rule) {
        self.rules.set(gate, (!rule.is_none()).then_some(rule));
        self.read_rules();
    }

    /// Where a job that becomes ready waits for its turn, if its queue is shared and it has a key of that kind.
    pub fn turn_of(&self, new: &NewJob) -> Option<Gate> {
        if !self.shares {
            return None;
        }
        let rule = self.rules.get(&Gate::Queue(new.queue.clone()))?;
        let kind = rule.share.by.as_deref()?;
        let key = new.keys().iter().find(|key| key.kind() == kind)?;
        Some(Gate::Turn(key.clone()))
    }

    /// Whether jobs of a queue that become ready may have to wait for their turn.
    pub fn is_shared(&self, queue: &QueueName) -> bool {
        self.shares && self.rules.get(&Gate::Queue(queue.clone())).is_some_and(|rule| rule.share.by.is_some())
    }

    /// A job waits in a line for its turn.
    pub fn join(&mut self, queue: &QueueName, line: &Line) {
        self.turns.join(queue, line);
    }

    /// Whether the lines of a queue take turns, now that somebody waits there.
    pub fn takes_turns(&self, queue: &QueueName) -> bool {
        self.turns.any(queue)
    }

    /// Whose turn it is, and how many of them may go before it is another's.
    pub fn next_turn(&self, queue: &QueueName) -> Option<(Line, u64)> {
        self.turns.next(queue, |line| self.weight(line.as_ref()))
    }

    /// So many of a line went, or may not go; does anybody stay behind?
    pub fn took_turns(&mut self, queue: &QueueName, line: &Line, number: u64, stay: bool) {
        match stay {
            true => self.turns.took(queue, line, number, self.weight(line.as_ref())),
            false => self.turns.leave(queue, line),
        }
    }

    fn weight(&self, key: Option<&Key>) -> u32 {
        let terms = key.filter(|_| self.keys).and_then(|key| self.terms(&Gate::Key(key.clone())));
        terms.and_then(|terms| terms.weight).unwrap_or(1)
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

    fn hold(&mut self, gate: &Gate, until: Timestamp) {
        let Some(rate) = self.terms(gate).and_then(|terms| terms.limits.rate) else { return };
        let bucket = self.bucket(gate).held(&rate, until);
        self.set_bucket(gate, bucket);
    }

    /// Slots are there where a number is set, for all jobs that run, and for those that keep theirs where jobs do; buckets
    /// where a rate is.
    fn count_anew<'j>(&mut self, gate: &Gate, holders: impl Iterator<Item = &'j NewJob>) {
        let limits = |keeper: &Self, at: &Gate| keeper.terms(at).unwrap_or_default().limits;
        let buckets = self.buckets.now.keys().filter(|at| gate.covers(at) && limits(self, at).rate.is_none());
        for at in buckets.cloned().collect::<Vec<_>>() {
            self.buckets.set(&at, None);
        }
        let keeps = |limits: Limits| limits.running.is_some() && limits.in_order;
        let anew = self.taken.now.keys().filter(|at| gate.covers(at) && !keeps(limits(self, at)));
        self.clear(&anew.cloned().collect::<Vec<_>>());
        // Where jobs were counted and keep slots from now on, there are none yet.
        for at in self.taken.now.keys().filter(|at| gate.covers(at)).cloned().collect::<Vec<_>>() {
            let slots = self.slots.now.values().filter(|slots| slots.contains(&at)).count() as u64;
            self.taken.set(&at, (slots > 0).then_some(slots));
        }
        for new in holders.filter(|new| gate.is_passed_by(new)) {
            self.count_at(new, |at| gate.covers(at));
        }
    }

    /// Nobody has a slot at these gates.
    fn clear(&mut self, gates: &[Gate]) {
        if gates.is_empty() {
            return;
        }
        gates.iter().for_each(|at| self.taken.set(at, None));
        let all: Vec<(JobId, Vec<Gate>)> = self.slots.now.iter().map(|(id, slots)| (*id, slots.clone())).collect();
        for (id, mut slots) in all {
            slots.retain(|at| !gates.contains(at));
            self.slots.set(&id, (!slots.is_empty()).then_some(slots));
        }
    }

    /// A job that runs has a slot at each gate where a number is set, or is counted there.
    pub fn count(&mut self, new: &NewJob) {
        self.count_at(new, |_| true);
    }

    fn count_at(&mut self, new: &NewJob, which: impl Fn(&Gate) -> bool) {
        for gate in self.gates_of(new).filter(which) {
            match self.terms(&gate).map(|terms| terms.limits).filter(|limits| limits.running.is_some()) {
                Some(limits) if is_of_line(&gate) && !limits.in_order => {
                    self.taken.set(&gate, Some(self.taken_at(&gate) + 1));
                }
                Some(_) => self.take_slots(new.id, vec![gate]),
                None => {}
            }
        }
    }

    fn waiting_at(&self, gate: &Gate) -> Vec<Gate> {
        self.lines.keys().filter(|at| gate.covers(at)).cloned().collect()
    }

    /// The gates that have rules, by their text, at most so many, behind `after`.
    pub fn list(&self, after: Option<&Gate>, limit: usize) -> Vec<Ruled> {
        let after = after.map(Gate::to_string);
        let mut gates: Vec<(String, &Gate)> = self.rules.now.keys().map(|gate| (gate.to_string(), gate)).collect();
        gates.retain(|(text, _)| after.as_ref().is_none_or(|after| text > after));
        gates.sort();
        gates.into_iter().take(limit.min(PAGE_MAX)).map(|(_, gate)| self.ruled(gate)).collect()
    }

    fn ruled(&self, gate: &Gate) -> Ruled {
        let covered = self.taken.now.iter().filter(|(at, _)| gate.covers(at));
        Ruled { gate: gate.clone(), rule: self.rule(gate), taken: covered.map(|(_, taken)| taken).sum() }
    }
}
