//! Who waits at which gate, and when it is worth looking there.

use std::collections::BTreeSet;
use std::time::Duration;

use windlass_core::{Gate, QueueName, Timestamp};

use super::{Gatekeeper, TICK};
use crate::exchange::Claim;

impl Gatekeeper {
    /// How many that wait at a gate should come back.
    pub fn room_back(&self, gate: &Gate, now: Timestamp) -> u64 {
        let Some(terms) = self.terms(gate) else { return u64::MAX };
        let have_slots = if terms.limits.in_order { self.taken_at(gate) } else { 0 };
        self.room(gate, terms, false, now).jobs.max(have_slots.min(self.room(gate, terms, true, now).jobs))
    }

    /// Jobs of a queue wait at a gate.
    pub(super) fn wait(&mut self, queue: &QueueName, gate: Gate, opens: Option<Timestamp>) {
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
    pub(super) fn open(&mut self, gate: &Gate, now: Timestamp) {
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
}
