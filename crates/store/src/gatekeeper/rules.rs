//! The rules: read, changed, and what they count when they change.

use std::sync::Arc;

use windlass_core::gate::{Edit, Rule};
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Gate, JobId, Limits, NewJob, Timestamp};

use super::{Gatekeeper, is_of_line};
use crate::gates::Ruled;

impl Gatekeeper {
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

    pub(super) fn hold(&mut self, gate: &Gate, until: Timestamp) {
        let Some(rate) = self.terms(gate).and_then(|terms| terms.limits.rate) else { return };
        let bucket = self.bucket(gate).held(&rate, until);
        self.set_bucket(gate, bucket);
    }

    /// Slots are there where a number is set, for all jobs that run, and for those that keep theirs where jobs do; buckets
    /// where a rate is.
    pub(super) fn count_anew<'j>(&mut self, gate: &Gate, holders: impl Iterator<Item = &'j NewJob>) {
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
    pub(super) fn clear(&mut self, gates: &[Gate]) {
        if gates.is_empty() {
            return;
        }
        gates.iter().for_each(|at| self.taken.set(at, None));
        let left = |slots: &[Gate]| slots.iter().filter(|at| !gates.contains(at)).cloned().collect();
        let all: Vec<(JobId, Arc<[Gate]>)> = self.slots.now.iter().map(|(id, slots)| (*id, left(slots))).collect();
        for (id, slots) in all {
            self.slots.set(&id, (!slots.is_empty()).then_some(slots));
        }
    }

    /// A job that runs has a slot at each gate where a number is set, or is counted there.
    pub fn count(&mut self, new: &NewJob) {
        self.count_at(new, |_| true);
    }

    pub(super) fn count_at(&mut self, new: &NewJob, which: impl Fn(&Gate) -> bool) {
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

    pub(super) fn waiting_at(&self, gate: &Gate) -> Vec<Gate> {
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

    pub(super) fn ruled(&self, gate: &Gate) -> Ruled {
        let covered = self.taken.now.iter().filter(|(at, _)| gate.covers(at));
        Ruled { gate: gate.clone(), rule: self.rule(gate), taken: covered.map(|(_, taken)| taken).sum() }
    }
}
