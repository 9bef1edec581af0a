//! The rules at gates in the plainest possible form, for the model.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use windlass_core::gate::{Bucket, Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Backlog, Gate, JobId, Key, NewJob, QueueName, Timestamp};
use windlass_store::Ruled;
use windlass_store::gatekeeper::Bounds;

/// Rules, and who has passed.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    rules: BTreeMap<Gate, Rule>,
    slots: BTreeSet<(Gate, JobId)>,
    buckets: BTreeMap<Gate, Bucket>,
}

fn gates_of(new: &NewJob) -> Vec<Gate> {
    let mut gates = vec![Gate::Everything, Gate::Queue(new.queue.clone()), Gate::Handler(new.name.clone())];
    gates.extend(new.keys().iter().cloned().map(Gate::Key));
    gates
}

/// The gate of all keys of its kind, if it is that of a key.
fn kind_of(gate: &Gate) -> Option<Gate> {
    match gate {
        Gate::Key(key) => Gate::keys(key.kind()).ok(),
        Gate::Owner(_) => Some(Gate::Owners),
        _ => None,
    }
}

impl Rules {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.slots.is_empty()
    }

    fn at(&self, gate: &Gate) -> Rule {
        let rule = |gate: &Gate| self.rules.get(gate).cloned().unwrap_or_default();
        kind_of(gate).map_or_else(|| rule(gate), |kind| rule(gate).or(&rule(&kind)))
    }

    /// Whose turns a job that becomes ready takes, if its queue is shared.
    pub fn line_of(&self, new: &NewJob) -> Option<Key> {
        let kind = self.rules.get(&Gate::Queue(new.queue.clone()))?.share.by.as_deref()?;
        new.keys().iter().find(|key| key.kind() == kind).cloned()
    }

    /// How many turns jobs with a key get where others get one.
    pub fn weight(&self, key: Option<&Key>) -> u32 {
        key.and_then(|key| self.at(&Gate::Key(key.clone())).share.weight).unwrap_or(1)
    }

    /// Where a job is stopped, and when that may change by the passing of time.
    pub fn stops(&self, new: &NewJob, now: Timestamp) -> Option<Option<Timestamp>> {
        let stops: Vec<_> = gates_of(new).iter().filter_map(|gate| self.stops_at(gate, new.id, now)).collect();
        // Where one is closed for an unknown time, the others do not matter.
        let all_open_by = stops.iter().copied().collect::<Option<Vec<Timestamp>>>();
        (!stops.is_empty()).then(|| all_open_by.and_then(|times| times.into_iter().max()))
    }

    fn stops_at(&self, gate: &Gate, id: JobId, now: Timestamp) -> Option<Option<Timestamp>> {
        let Rule { paused, limits, .. } = self.at(gate);
        let taken = self.slots.iter().filter(|(at, who)| at == gate && *who != id).count();
        let has_slot = self.slots.contains(&(gate.clone(), id));
        let full = limits.running.is_some_and(|most| !has_slot && taken >= most as usize);
        if paused.is_some() || full {
            return Some(None);
        }
        let rate = limits.rate?;
        let bucket = self.buckets.get(gate).copied().unwrap_or_default();
        (bucket.room(&rate, now) == 0).then(|| Some(bucket.opens(&rate)))
    }

    /// In how long jobs of a queue rise by one level of priority.
    pub fn aging(&self, queue: &QueueName) -> Option<Duration> {
        self.at(&Gate::Queue(queue.clone())).aging
    }

    /// How many may wait in the queue of a job that a caller submits, and of its owner.
    pub fn bounds(&self, new: &NewJob, of_all: Option<u64>) -> Bounds {
        let Backlog { most, drops } = self.at(&Gate::Queue(new.queue.clone())).backlog;
        let queue = Backlog { most: most.into_iter().chain(of_all).min(), drops };
        let owner = new.owner.clone().map(|owner| self.at(&Gate::Owner(owner)).backlog);
        Bounds { queue, owner: owner.unwrap_or_default() }
    }

    /// A job is submitted, or its owner has to wait for so long.
    pub fn submits(&mut self, new: &NewJob, now: Timestamp) -> Result<(), Duration> {
        let Some(gate) = new.owner.clone().map(Gate::Owner) else { return Ok(()) };
        let Some(rate) = self.at(&gate).limits.rate else { return Ok(()) };
        let bucket = self.buckets.entry(gate).or_default();
        if bucket.room(&rate, now) == 0 {
            return Err(now.until(bucket.opens(&rate)));
        }
        *bucket = bucket.less_one(&rate, now);
        Ok(())
    }

    /// A job passes all its gates.
    pub fn pass(&mut self, new: &NewJob, now: Timestamp) {
        for gate in gates_of(new) {
            let limits = self.at(&gate).limits;
            if let Some(rate) = limits.rate {
                let bucket = self.buckets.entry(gate.clone()).or_default();
                *bucket = bucket.less_one(&rate, now);
            }
            if limits.running.is_some() {
                self.slots.insert((gate, new.id));
            }
        }
    }

    /// An attempt has ended, or a job that waited has.
    pub fn leave(&mut self, id: JobId, finished: bool) {
        let keeps: Vec<Gate> = self.slots.iter().map(|(gate, _)| gate.clone()).collect();
        let in_order: BTreeSet<Gate> = keeps.into_iter().filter(|gate| self.at(gate).limits.in_order).collect();
        self.slots.retain(|(gate, who)| *who != id || (!finished && in_order.contains(gate)));
    }

    /// Changes the rule at a gate; `running` are the jobs that run.
    pub fn edit(&mut self, gate: &Gate, edit: &Edit, running: &[&NewJob], now: Timestamp) {
        if let Edit::Hold(span) = edit {
            if let Some(rate) = self.at(gate).limits.rate {
                let bucket = self.buckets.entry(gate.clone()).or_default();
                *bucket = bucket.held(&rate, now.after(*span));
            }
            return;
        }
        let rule = self.rules.remove(gate).unwrap_or_default().edited(edit);
        if !rule.is_none() {
            self.rules.insert(gate.clone(), rule);
        }
        if let Edit::Limit(_) = edit {
            self.count_anew(running);
        }
    }

    /// Whoever runs has a slot where a number is set, and nobody has one elsewhere; nor is there a bucket without a rate.
    fn count_anew(&mut self, running: &[&NewJob]) {
        let buckets = std::mem::take(&mut self.buckets).into_iter();
        self.buckets = buckets.filter(|(gate, _)| self.at(gate).limits.rate.is_some()).collect();
        let all: BTreeSet<(Gate, JobId)> =
            running.iter().flat_map(|new| gates_of(new).into_iter().map(|gate| (gate, new.id))).collect();
        let kept = std::mem::take(&mut self.slots).into_iter();
        let kept = kept.filter(|(gate, _)| self.at(gate).limits.in_order);
        let slots = kept.chain(all);
        self.slots = slots.filter(|(gate, _)| self.at(gate).limits.running.is_some()).collect();
    }

    /// The gates that have rules.
    pub fn list(&self, after: Option<&Gate>, limit: usize) -> Vec<Ruled> {
        let mut all: Vec<(String, Ruled)> = self
            .rules
            .iter()
            .map(|(gate, rule)| {
                let taken = |(at, _): &&(Gate, JobId)| at == gate || kind_of(at).as_ref() == Some(gate);
                let taken = self.slots.iter().filter(taken).count() as u64;
                (gate.to_string(), Ruled { gate: gate.clone(), rule: rule.clone(), taken })
            })
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        let behind = all.into_iter().filter(|(text, _)| after.is_none_or(|after| *text > after.to_string()));
        behind.map(|(_, ruled)| ruled).take(limit.min(PAGE_MAX)).collect()
    }
}
