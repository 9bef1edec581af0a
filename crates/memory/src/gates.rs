//! Gates: a claim where rules are set. Jobs that may not start wait at their gate, and come back into the line when there
//! may be room.

use windlass_core::gate::Edit;
use windlass_core::{Gate, NewJob, QueueName, Timestamp};
use windlass_store::aging::by_age;
use windlass_store::gatekeeper::Closed;
use windlass_store::{Claim, Claimed, ClaimedJob};

use crate::claim::choose;
use crate::entry::Seq;
use crate::table::Table;

/// A claim passes over so many jobs at most; the next one goes on.
const PASSED_OVER_MAX: usize = 1_000;

/// And takes back so many, give or take one gate.
const TAKEN_BACK_MAX: usize = 1_000;

/// Those of a batch that were stopped.
#[derive(Default)]
struct Stops {
    number: usize,
    /// Whether room that one had come back for is now for others, who wait at the gate still.
    handed_on: bool,
}

impl Table {
    /// [`claim`](Self::claim), but for the due jobs, which are ready already.
    pub(crate) fn claim_through_gates(&mut self, claim: &Claim, now: Timestamp) -> Claimed {
        let (mut jobs, mut suspects, mut passed_over) = (Vec::new(), claim.suspects, 0);
        for name in &claim.queues {
            while passed_over < PASSED_OVER_MAX && jobs.len() < claim.limit {
                let before = jobs.len();
                let back = self.look_again(name, claim, now);
                let chosen = self.choose_for(name, claim.limit - before, suspects, now);
                if chosen.is_empty() && back == 0 {
                    break;
                }
                let mut stops = Stops::default();
                jobs.extend(chosen.into_iter().filter_map(|seq| self.let_pass(seq, claim, &mut stops, now)));
                passed_over += stops.number;
                self.keeper.pass_line(name, (jobs.len() - before) as u64, now);
                suspects -= jobs[before..].iter().filter(|job: &&ClaimedJob| job.is_suspect()).count();
            }
        }
        let more = claim.queues.iter().any(|name| self.has_more(name, claim, now));
        let look = claim.queues.iter().filter_map(|name| self.keeper.next_look(name, claim, now)).min();
        // Who stopped early goes on at once.
        let early = (passed_over >= PASSED_OVER_MAX).then_some(now);
        let look = look.into_iter().chain(early).min();
        let next_due = self.next_due(claim, now).into_iter().chain(look.map(|at| now.until(at))).min();
        Claimed { jobs, next_due, more, ..Claimed::default() }
    }

    /// The next jobs of a queue, as many as may pass its own gate.
    fn choose_for(&mut self, name: &QueueName, limit: usize, suspects: usize, now: Timestamp) -> Vec<Seq> {
        let Some(queue) = self.index.queue(name) else { return Vec::new() };
        let room = usize::try_from(self.keeper.room_for(name, now)).unwrap_or(usize::MAX).min(limit);
        if !self.keeper.takes_turns(name) {
            let Some(span) = self.keeper.aging(name) else { return choose(queue, room, suspects) };
            let accepted = |seq| Some((self.jobs.get(seq)?.job.created_at, seq));
            let levels = queue.levels().map(|level| level.filter_map(accepted));
            return queue.suspects().take(suspects).chain(by_age(levels, span)).take(room).collect();
        }
        let mut chosen: Vec<Seq> = queue.suspects().take(suspects.min(room)).collect();
        let in_turn = self.choose_in_turn(name, room - chosen.len());
        in_turn.iter().for_each(|seq| self.stand_at(*seq, None));
        chosen.extend(in_turn);
        chosen
    }

    /// Hands out a job, or leaves it at the gate where there is no room. Behind one that handed its room on to others nobody
    /// passes any more, but stands in its line again.
    fn let_pass(&mut self, seq: Seq, claim: &Claim, stops: &mut Stops, now: Timestamp) -> Option<ClaimedJob> {
        if !self.keeper.asks_each() && claim.handlers.is_none() {
            return self.hand_out(seq, claim, now);
        }
        let entry = self.jobs.get(seq)?;
        if !claim.serves(&entry.job.new.name) {
            let (closed, handed_on) = self.keeper.leave_to_others(&entry.job.new, now);
            stops.number += 1;
            stops.handed_on |= handed_on;
            self.stand_at(seq, Some(Box::new(closed)));
            return None;
        }
        let closed = match stops.handed_on {
            true => self.keeper.closed_to(&entry.job.new, now),
            false => self.keeper.admit(&entry.job.new, now).err(),
        };
        if let Some(closed) = closed {
            stops.number += 1;
            stops.handed_on |= self.keeper.stop(&entry.job.new, &closed, now);
            self.stand_at(seq, Some(Box::new(closed)));
            return None;
        }
        if stops.handed_on {
            self.take_place(seq);
            return None;
        }
        self.hand_out(seq, claim, now)
    }

    /// Takes back into the line those for whom there may be room now, from each gate as many as the claim may take. How many
    /// they were.
    fn look_again(&mut self, name: &QueueName, claim: &Claim, now: Timestamp) -> usize {
        let (mut all, mut stay) = (0, Vec::new());
        while all < TAKEN_BACK_MAX
            && let Some(gate) = self.keeper.opened(name, claim, now)
        {
            let room = usize::try_from(self.keeper.room_back(&gate, now)).unwrap_or(usize::MAX);
            let most = room.min(claim.limit.max(1));
            let held = self
                .index
                .queue(name)
                .map_or_else(Vec::new, |queue| queue.held_at(&gate).take(most.saturating_add(1)).collect());
            held.iter().take(most).for_each(|seq| self.take_place(*seq));
            all += held.len().min(most);
            match held.len() > most {
                true => stay.push((gate, room > most)),
                false => self.keeper.wait_no_more(name, &gate),
            }
        }
        // Not before, or those gates would be looked at again and again.
        stay.into_iter().for_each(|(gate, room)| self.keeper.wait_on(name, gate, room, now));
        all
    }

    /// A job that is due, or has waited at a gate, stands in its line from now on.
    pub(crate) fn take_place(&mut self, seq: Seq) {
        let Some(entry) = self.jobs.get(seq) else { return };
        let (new, held) = ((!entry.is_suspect()).then(|| entry.job.new.clone()), entry.closed.is_some());
        let closed = new.and_then(|new| self.line_up(&new));
        if held || closed.is_some() {
            self.stand_at(seq, closed);
        }
    }

    pub(crate) fn stand_at(&mut self, seq: Seq, closed: Option<Box<Closed>>) {
        let Some(entry) = self.jobs.get_mut(seq) else { return };
        self.index.remove(entry);
        entry.closed = closed;
        self.index.insert(entry);
    }

    fn has_more(&mut self, name: &QueueName, claim: &Claim, now: Timestamp) -> bool {
        let claimable = self.index.queue(name).is_some_and(|queue| queue.is_claimable(now));
        let opened = self.keeper.next_opening(name, claim).is_some_and(|at| at <= now);
        opened || (claimable && self.keeper.room_for(name, now) > 0)
    }

    /// Changes the rule at a gate.
    pub(crate) fn edit_gate(&mut self, gate: &Gate, edit: &Edit, now: Timestamp) {
        let running = self.index.running().filter_map(|seq| self.jobs.get(seq));
        let running: Vec<&NewJob> = running.map(|entry| &*entry.job.new).collect();
        self.keeper.edit(gate, edit, running.into_iter(), now);
        self.index.count_owners(self.keeper.bounds_owners(), self.jobs.after(0));
    }

    /// Whether others may want to hear of what was done since the last call.
    pub(crate) fn take_news(&mut self, now: Timestamp) -> bool {
        let opened = !self.keeper.is_idle() && self.keeper.take_news(now);
        self.keeper.commit();
        self.index.take_news(self.keeper.take_left(), now) || opened
    }
}
