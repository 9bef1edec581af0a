//! The semantics of a store in the plainest possible form: one list, no indexes, no speed. Where a store and this
//! model disagree, one of the two is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::limits::{HISTORY_MAX, PAGE_MAX};
use windlass_core::state::{self, Event, Step};
use windlass_core::unique::{Holder, States, Verdict};
use windlass_core::{
    Attempt, AttemptOutcome, Backlog, Gate, Incarnation, Job, JobError, JobId, NewJob, QueueName, ScheduleName, Status,
    Timestamp,
};
use windlass_store::gatekeeper::Bounds;
use windlass_store::schedules::{DueSchedules, Kept as ScheduleKept, Revision, Write};
use windlass_store::{
    Canceled, Claim, Claimed, ClaimedJob, Counts, Exchange, Exchanged, Extend, Extension, Fate, Filter, Imported,
    Lease, Outcome, Page, Replayed, Ruled, Scope, Settlement, SubmitOutcome, Submitted, Swept, Token, is_importable,
};

use crate::rules::Rules;
use crate::turns::{Line, Turns};

const KEEP_FINISHED: Duration = Duration::from_secs(24 * 3600);
const KEEP_FAILED: Duration = Duration::from_secs(14 * 24 * 3600);

/// All jobs in order of acceptance.
#[derive(Clone, Debug, Default)]
pub struct Model {
    kept: BTreeMap<u64, Kept>,
    accepted: u64,
    tokens: u64,
    schedules: BTreeMap<ScheduleName, ScheduleKept>,
    /// Who has or had the key of unique jobs.
    holders: BTreeMap<JobId, Holds>,
    rules: Rules,
    turns: Turns,
    /// Running jobs that were asked to stop, of which nobody has been told yet.
    asked: Vec<JobId>,
}

#[derive(Clone, Copy, Debug)]
struct Holds {
    id: JobId,
    states: States,
    until: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct Kept {
    job: Job,
    token: Token,
    expiry: Timestamp,
    worker: Option<Incarnation>,
    settled: bool,
    /// Where it waits for its turn.
    line: Line,
}

impl Model {
    /// One turn: settle, extend, submit, claim.
    pub fn exchange(&mut self, now: Timestamp, turn: &Exchange) -> Exchanged {
        let fates = turn.settle.iter().map(|settlement| self.settle(now, settlement)).collect();
        let extended = turn.extend.iter().map(|extend| self.extend(now, extend)).collect();
        let submitted = turn.submit.iter().map(|job| self.submit_for_caller(now, job, turn.queue_limit)).collect();
        let claimed = turn.claim.as_ref().map(|claim| self.claim(now, claim)).unwrap_or_default();
        Exchanged { fates, extended, submitted, claimed }
    }

    fn settle(&mut self, now: Timestamp, settlement: &Settlement) -> Fate {
        let Some(kept) = self.find(settlement.lease.id) else { return Fate::LeaseLost };
        if kept.token != settlement.lease.token {
            return Fate::LeaseLost;
        }
        if kept.settled {
            return Fate::Repeated(kept.job.status);
        }
        if !kept.is_held(now) {
            return Fate::LeaseLost;
        }
        kept.settle(now, &settlement.outcome);
        let fate = Fate::Settled(kept.job.status);
        let finished = kept.job.status.is_finished();
        self.rules.leave(settlement.lease.id, finished);
        if let Outcome::Complete(_) = settlement.outcome {
            for job in &settlement.emitted {
                let _ = self.submit(now, job, Bounds::default());
            }
        }
        fate
    }

    fn extend(&mut self, now: Timestamp, extend: &Extend) -> Extension {
        let held = self.find(extend.lease.id).filter(|kept| kept.token == extend.lease.token && kept.is_held(now));
        let Some(kept) = held else { return Extension::Lost };
        kept.expiry = now.after(extend.duration);
        if extend.progress.is_some() {
            kept.job.progress.clone_from(&extend.progress);
            kept.job.updated_at = now;
        }
        if kept.job.cancel_requested { Extension::CancelRequested } else { Extension::Kept }
    }

    /// The leases of running jobs that `worker` was given.
    pub fn held_by(&self, worker: Incarnation) -> Vec<Lease> {
        let running = self.kept.values().filter(|kept| kept.job.status == Status::InProgress);
        let its = running.filter(|kept| kept.worker == Some(worker));
        its.map(|kept| Lease { id: kept.job.new.id, token: kept.token }).collect()
    }

    /// Writes a schedule's next state and submits what goes with it, if nobody was faster.
    pub fn write_schedule(&mut self, now: Timestamp, write: Write) -> Option<Revision> {
        let Write { name, expected, due, record, jobs } = write;
        let former = self.schedules.get(&name).map(|kept| kept.revision);
        if former != expected {
            return None;
        }
        let revision = Revision::following(former, now);
        self.schedules.insert(name.clone(), ScheduleKept { name, revision, due, record });
        for job in &jobs {
            let _ = self.submit(now, job, Bounds::default());
        }
        Some(revision)
    }

    /// The schedule of this name.
    pub fn schedule(&self, name: &ScheduleName) -> Option<ScheduleKept> {
        self.schedules.get(name).cloned()
    }

    /// A page of schedules, by name.
    pub fn schedules(&self, after: Option<&ScheduleName>, limit: usize) -> Vec<ScheduleKept> {
        let behind = self.schedules.values().filter(|kept| after.is_none_or(|after| kept.name > *after));
        behind.take(limit.min(PAGE_MAX)).cloned().collect()
    }

    /// What is due, and when the next one is.
    pub fn due_schedules(&self, now: Timestamp, limit: usize) -> DueSchedules {
        let mut waiting: Vec<_> = self.schedules.values().filter(|kept| kept.due.is_some()).cloned().collect();
        waiting.sort_by(|one, other| (one.due, &one.name).cmp(&(other.due, &other.name)));
        let is_due = |kept: &&ScheduleKept| kept.due.is_some_and(|due| due <= now);
        let count = waiting.iter().take(limit.min(PAGE_MAX)).filter(is_due).count();
        let next = waiting.get(count).and_then(|kept| kept.due);
        waiting.truncate(count);
        DueSchedules { at: now, schedules: waiting, next }
    }

    /// Removes a schedule.
    pub fn remove_schedule(&mut self, name: &ScheduleName) -> bool {
        self.schedules.remove(name).is_some()
    }

    fn submit_for_caller(&mut self, now: Timestamp, new: &Arc<NewJob>, queue_limit: Option<u64>) -> Submitted {
        let is_new = self.find(new.id).is_none();
        match if is_new { self.rules.submits(new, now) } else { Ok(()) } {
            Err(retry_after) => Submitted { id: new.id, outcome: SubmitOutcome::OverRate { retry_after }, at: now },
            Ok(()) => self.submit(now, new, self.rules.bounds(new, queue_limit)),
        }
    }

    /// The jobs that make room for a new one, where one leaves for it anyway; or why there is no room.
    fn make_room(&self, new: &NewJob, bounds: Bounds, leaving: Option<u64>) -> Result<Vec<u64>, SubmitOutcome> {
        let mut leaving: Vec<u64> = leaving.into_iter().collect();
        let former = leaving.len();
        let of_owner = |job: &Job| new.owner.is_some() && job.new.owner == new.owner;
        if !self.has_room(bounds.owner, of_owner, &leaving) {
            leaving.push(self.least_of_owner(new).filter(|_| bounds.owner.drops).ok_or(SubmitOutcome::OwnerFull)?);
        }
        if !self.has_room(bounds.queue, |job| job.new.queue == new.queue, &leaving) {
            leaving.push(self.drops_first(&new.queue).filter(|_| bounds.queue.drops).ok_or(SubmitOutcome::QueueFull)?);
        }
        Ok(leaving.split_off(former))
    }

    fn has_room(&self, backlog: Backlog, which: impl Fn(&Job) -> bool, leaving: &[u64]) -> bool {
        let waiting = self.jobs().filter(|job| job.status.is_waiting() && which(job)).count() as u64;
        let leaving = leaving.iter().filter(|place| which(&self.kept[place].job)).count() as u64;
        backlog.has_room(waiting, leaving)
    }

    /// The job of an owner that makes room for a new one: of the least urgent that wait the oldest.
    fn least_of_owner(&self, new: &NewJob) -> Option<u64> {
        let its = self.kept.iter().filter(|(_, kept)| kept.job.new.owner == new.owner && kept.job.status.is_waiting());
        let first = its.min_by_key(|(place, kept)| (std::cmp::Reverse(kept.job.new.priority), **place));
        first.map(|(place, _)| *place)
    }

    /// The job that makes room for a new one: of the least urgent the oldest, those that are ready before those that are not.
    fn drops_first(&self, queue: &QueueName) -> Option<u64> {
        let its = self.kept.iter().filter(|(_, kept)| kept.job.new.queue == *queue && kept.job.status.is_waiting());
        let first = its.min_by_key(|(place, kept)| {
            (kept.job.status == Status::Scheduled, std::cmp::Reverse(kept.job.new.priority), **place)
        });
        first.map(|(place, _)| *place)
    }

    fn submit(&mut self, now: Timestamp, new: &Arc<NewJob>, bounds: Bounds) -> Submitted {
        let answer = |outcome| Submitted { id: new.id, outcome, at: now };
        if let Some(kept) = self.find(new.id) {
            let same = kept.job.new.asks_the_same(new);
            return answer(if same { SubmitOutcome::Existing } else { SubmitOutcome::Conflict });
        }
        let (verdict, former) = self.meets(now, new);
        if let (Verdict::Stands, Some(former)) = (verdict, former) {
            self.hold_on(now, new);
            return Submitted { id: former, ..answer(SubmitOutcome::Duplicate) };
        }
        let former = former.filter(|_| verdict == Verdict::Replaces);
        let leaves = |(_, kept): &(&u64, &Kept)| Some(kept.job.new.id) == former && kept.job.status.is_waiting();
        let leaving = self.kept.iter().find(leaves).map(|(place, _)| *place);
        let dropped = match self.make_room(new, bounds, leaving) {
            Ok(dropped) => dropped,
            Err(outcome) => return answer(outcome),
        };
        let dropped: Vec<JobId> = dropped.iter().map(|place| self.kept[place].job.new.id).collect();
        for id in &dropped {
            self.cancel(now, *id, &Scope::Everything);
        }
        let status = self.accept(now, new);
        if let Some(former) = former {
            self.cancel(now, former, &Scope::Everything);
        }
        match former.or(dropped.first().copied()) {
            Some(other) => answer(SubmitOutcome::Replaced(other)),
            None => answer(SubmitOutcome::Created(status)),
        }
    }

    fn accept(&mut self, now: Timestamp, new: &Arc<NewJob>) -> Status {
        self.accepted += 1;
        let mut kept = Kept::accept(now, new);
        let status = kept.job.status;
        kept.line = self.rules.line_of(new).filter(|_| status == Status::Queued);
        self.kept.insert(self.accepted, kept);
        if let Some(unique) = new.unique() {
            let holds = Holds { id: new.id, states: unique.states, until: unique.until(now) };
            self.holders.insert(unique.key, holds);
        }
        status
    }

    /// What becomes of a job whose key another has or had, and which that is.
    fn meets(&mut self, now: Timestamp, new: &NewJob) -> (Verdict, Option<JobId>) {
        let Some(unique) = new.unique() else { return (Verdict::Free, None) };
        let Some(Holds { id, states, until }) = self.holders.get(&unique.key).copied() else {
            return (Verdict::Free, None);
        };
        let status = self.find(id).map(|kept| kept.job.status);
        (unique.meets(Holder { states, until, status }, now), Some(id))
    }

    /// A period that is extended begins anew.
    fn hold_on(&mut self, now: Timestamp, new: &NewJob) {
        let Some(unique) = new.unique().filter(|unique| unique.extends) else { return };
        if let Some(holds) = self.holders.get_mut(&unique.key) {
            holds.until = unique.until(now);
        }
    }

    /// Takes in a job as it stands.
    pub fn import(&mut self, now: Timestamp, job: &Job) -> Imported {
        if !is_importable(job) {
            return Imported::Refused;
        }
        if self.find(job.new.id).is_some() {
            return Imported::Existing;
        }
        self.accepted += 1;
        self.kept.insert(self.accepted, Kept { job: job.clone(), ..Kept::accept(now, &job.new) });
        Imported::Kept
    }

    fn claim(&mut self, now: Timestamp, claim: &Claim) -> Claimed {
        self.promote(now, usize::MAX, |job| claim.queues.contains(&job.new.queue));
        let mut suspects = claim.suspects;
        let mut claimed = Claimed::default();
        for place in self.ready(&claim.queues) {
            let suspect = self.kept[&place].is_suspect();
            let new = Arc::clone(&self.kept[&place].job.new);
            let stays = claimed.jobs.len() == claim.limit || (suspect && suspects == 0);
            if stays || !claim.serves(&new.name) || self.rules.stops(&new, now).is_some() {
                continue;
            }
            suspects -= usize::from(suspect);
            self.rules.pass(&new, now);
            let line = self.kept[&place].line.clone();
            self.turns.took(&new.queue, &line, self.rules.weight(line.as_ref()));
            claimed.jobs.push(self.hand_out(place, now, claim));
        }
        let left = self.ready(&claim.queues).into_iter().map(|place| &self.kept[&place].job.new);
        let served = left.filter(|new| claim.serves(&new.name));
        let stops: Vec<_> = served.map(|new| self.rules.stops(new, now)).collect();
        claimed.more = stops.contains(&None);
        let opening = stops.into_iter().flatten().flatten().min().map(|at| now.until(at));
        claimed.next_due = self.next_due(now, &claim.queues).into_iter().chain(opening).min();
        claimed
    }

    /// The places of all ready jobs of these queues, first come first.
    fn ready(&mut self, queues: &[QueueName]) -> Vec<u64> {
        queues.iter().flat_map(|queue| self.ready_in(queue)).collect()
    }

    fn ready_in(&mut self, queue: &QueueName) -> Vec<u64> {
        let its =
            self.kept.iter().filter(|(_, kept)| kept.job.status == Status::Queued && kept.job.new.queue == *queue);
        // Who waits rises by one level in every span.
        let span = self.rules.aging(queue).filter(|_| its.clone().all(|(_, kept)| kept.line.is_none()));
        let due = |kept: &Kept| {
            let level = kept.job.new.priority.level();
            span.map(|span| kept.job.created_at.after(span.saturating_mul(level.into())))
        };
        let mut places: Vec<_> = its.map(|(place, kept)| (due(kept), kept.job.new.priority, *place)).collect();
        places.sort();
        let in_lines: Vec<(Line, u64)> =
            places.into_iter().map(|(_, _, place)| (self.kept[&place].line.clone(), place)).collect();
        self.turns.order(queue, &in_lines, |line| self.rules.weight(line.as_ref()))
    }

    fn hand_out(&mut self, place: u64, now: Timestamp, claim: &Claim) -> ClaimedJob {
        self.tokens += 1;
        let kept = self.kept.get_mut(&place).expect("the place was just found");
        kept.token = Token(self.tokens);
        kept.expiry = now.after(claim.lease);
        kept.worker = Some(claim.worker);
        kept.settled = false;
        kept.step(now, Event::Claim);
        kept.line = None;
        kept.job.started_at = Some(now);
        kept.job.progress = None;
        ClaimedJob {
            lease: Lease { id: kept.job.new.id, token: kept.token },
            new: Arc::clone(&kept.job.new),
            retries: kept.job.retries,
            crashes: kept.job.crashes,
            created_at: kept.job.created_at,
            started_at: now,
        }
    }

    fn next_due(&self, now: Timestamp, queues: &[QueueName]) -> Option<Duration> {
        let mine = self.jobs().filter(|job| queues.contains(&job.new.queue));
        mine.filter_map(|job| job.scheduled_at).min().map(|due| now.until(due))
    }

    fn promote(&mut self, now: Timestamp, limit: usize, which: impl Fn(&Job) -> bool) -> usize {
        let is_due = |kept: &&mut Kept| kept.job.scheduled_at.is_some_and(|due| due <= now) && which(&kept.job);
        let due = self.kept.values_mut().filter(is_due).take(limit);
        due.map(|kept| {
            kept.step(now, Event::Due);
            kept.line = self.rules.line_of(&kept.job.new).filter(|_| !kept.is_suspect());
        })
        .count()
    }

    /// Promotes, takes back, prunes: at most `limit` of each.
    pub fn sweep(&mut self, now: Timestamp, limit: usize) -> Swept {
        let mut swept = Swept { promoted: self.promote(now, limit, |_| true), ..Swept::default() };
        let expired = |kept: &&mut Kept| kept.job.status == Status::InProgress && !kept.is_held(now);
        for kept in self.kept.values_mut().filter(expired).take(limit) {
            let status = kept.expire(now);
            self.rules.leave(kept.job.new.id, status.is_finished());
            match status {
                Status::Queued => swept.reclaimed += 1,
                Status::Failed => swept.quarantined += 1,
                _ => swept.stopped += 1,
            }
        }
        swept.expired = self.end_expired(now, limit);
        swept.pruned = self.prune(now, limit);
        let taken_back = swept.reclaimed + swept.quarantined + swept.stopped;
        swept.more = limit > 0 && [swept.promoted, taken_back, swept.expired, swept.pruned].contains(&limit);
        swept
    }

    /// Fails those that wait past the moment from which on they are not worth running.
    fn end_expired(&mut self, now: Timestamp, limit: usize) -> usize {
        let is_over = |kept: &&mut Kept| kept.job.status.is_waiting() && kept.expired_at().is_some_and(|at| at <= now);
        let over = self.kept.values_mut().filter(is_over).take(limit);
        over.map(|kept| {
            kept.step(now, Event::Expire);
            kept.job.error = kept.expired_at().map(JobError::expired);
            self.rules.leave(kept.job.new.id, true);
        })
        .count()
    }

    fn prune(&mut self, now: Timestamp, limit: usize) -> usize {
        let over: Vec<u64> = self.kept.iter().filter(|(_, kept)| kept.is_over(now)).map(|(place, _)| *place).collect();
        let removed: Vec<Kept> = over.iter().take(limit).filter_map(|place| self.kept.remove(place)).collect();
        for kept in &removed {
            let id = kept.job.new.id;
            self.holders.retain(|_, holds| holds.id != id || holds.until.is_some());
        }
        removed.len()
    }

    /// The job, if `scope` allows it.
    pub fn get(&self, id: JobId, scope: &Scope) -> Option<Job> {
        self.jobs().find(|job| job.new.id == id && scope.allows(job.new.owner.as_ref())).cloned()
    }

    /// The running jobs that were asked to stop since this was asked last.
    pub fn take_asked(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.asked)
    }

    /// Cancels.
    pub fn cancel(&mut self, now: Timestamp, id: JobId, scope: &Scope) -> Option<Canceled> {
        let kept = self.find(id).filter(|kept| scope.allows(kept.job.new.owner.as_ref()))?;
        match state::next(kept.job.status, Event::Cancel) {
            None => Some(Canceled::TooLate(Box::new(kept.job.clone()))),
            Some(Step::RequestCancel) => {
                kept.job.cancel_requested = true;
                kept.job.updated_at = now;
                let asked = Canceled::Requested(Box::new(kept.job.clone()));
                self.asked.push(id);
                Some(asked)
            }
            Some(Step::To(_)) => {
                kept.step(now, Event::Cancel);
                let canceled = Canceled::Done(Box::new(kept.job.clone()));
                self.rules.leave(id, true);
                Some(canceled)
            }
        }
    }

    /// Replays a dead letter. Whoever settled it before has nothing to do with its new life.
    pub fn replay(&mut self, now: Timestamp, id: JobId, scope: &Scope) -> Option<Replayed> {
        let kept = self.find(id).filter(|kept| scope.allows(kept.job.new.owner.as_ref()))?;
        if state::next(kept.job.status, Event::Replay).is_none() {
            return Some(Replayed::NotFailed(Box::new(kept.job.clone())));
        }
        kept.step(now, Event::Replay);
        kept.settled = false;
        kept.job.retries = 0;
        kept.job.crashes = 0;
        Some(Replayed::Done(Box::new(kept.job.clone())))
    }

    /// Changes the rule at a gate.
    pub fn edit_gate(&mut self, now: Timestamp, gate: &Gate, edit: &Edit) {
        let running = self.kept.values().filter(|kept| kept.job.status == Status::InProgress);
        let running: Vec<&NewJob> = running.map(|kept| &*kept.job.new).collect();
        self.rules.edit(gate, edit, &running, now);
    }

    /// The gates that have rules.
    pub fn gates(&self, after: Option<&Gate>, limit: usize) -> Vec<Ruled> {
        self.rules.list(after, limit)
    }

    /// Whether some job may have to wait for more than its turn.
    pub fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// Jobs by queue and status.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for job in self.jobs() {
            *counts.0.entry((job.new.queue.clone(), job.status)).or_default() += 1;
        }
        counts
    }

    /// For how long the job of a queue that has been ready longest has waited.
    pub fn oldest_waiting(&self, now: Timestamp, queue: &QueueName) -> Option<Duration> {
        let ready = self.jobs().filter(|job| job.status == Status::Queued && job.new.queue == *queue);
        ready.map(|job| job.updated_at.until(now)).max()
    }

    /// One page of jobs.
    pub fn list(&self, filter: &Filter) -> Page {
        let limit = filter.limit.min(PAGE_MAX);
        let after = filter.after.unwrap_or(0);
        let mut found =
            self.kept.iter().filter(|(place, kept)| **place > after && matches(filter, &kept.job)).peekable();
        let mut page = Page::default();
        while let Some((place, kept)) = found.next_if(|_| page.jobs.len() < limit) {
            page.jobs.push(kept.job.clone());
            page.next = Some(*place);
        }
        if found.peek().is_none() {
            page.next = None;
        }
        page
    }

    fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.kept.values().map(|kept| &kept.job)
    }

    fn find(&mut self, id: JobId) -> Option<&mut Kept> {
        self.kept.values_mut().find(|kept| kept.job.new.id == id)
    }
}

fn matches(filter: &Filter, job: &Job) -> bool {
    filter.queue.as_ref().is_none_or(|queue| *queue == job.new.queue)
        && filter.name.as_ref().is_none_or(|name| *name == job.new.name)
        && filter.status.is_none_or(|status| status == job.status)
        && filter.scope.allows(job.new.owner.as_ref())
}

impl Kept {
    fn accept(now: Timestamp, new: &Arc<NewJob>) -> Self {
        let due = new.start.due(now);
        let job = Job {
            new: Arc::clone(new),
            status: if due.is_some() { Status::Scheduled } else { Status::Queued },
            retries: 0,
            crashes: 0,
            cancel_requested: false,
            created_at: now,
            scheduled_at: due,
            started_at: None,
            finished_at: None,
            updated_at: now,
            progress: None,
            result: None,
            error: None,
            attempts: Vec::new(),
        };
        Self { job, token: Token(0), expiry: now, worker: None, settled: false, line: None }
    }

    fn expired_at(&self) -> Option<Timestamp> {
        self.job.new.expires_at(self.job.created_at)
    }

    fn is_held(&self, now: Timestamp) -> bool {
        self.job.status == Status::InProgress && self.expiry > now
    }

    fn is_suspect(&self) -> bool {
        self.job.new.retry.is_suspect(self.job.crashes)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        let keep = if self.job.status == Status::Failed { KEEP_FAILED } else { KEEP_FINISHED };
        self.job.finished_at.is_some_and(|finished| finished.after(keep) <= now)
    }

    /// Moves the job as the state table says and keeps the moments that depend on its status alone.
    fn step(&mut self, now: Timestamp, event: Event) {
        if let Some(Step::To(to)) = state::next(self.job.status, event) {
            self.job.status = to;
            self.job.updated_at = now;
            self.job.scheduled_at = None;
            self.job.finished_at = to.is_finished().then_some(now);
        }
    }

    fn settle(&mut self, now: Timestamp, outcome: &Outcome) {
        let event = outcome.event().under_cancel(self.job.cancel_requested);
        match (event, outcome) {
            (Event::Complete, Outcome::Complete(result)) => {
                self.record(now, AttemptOutcome::Completed, None);
                self.job.result = Some(result.clone());
                self.job.error = None;
            }
            (Event::Retry, Outcome::Retry { error, .. }) | (Event::Fail, Outcome::Fail(error)) => {
                self.record(now, AttemptOutcome::Failed, Some(error.clone()));
                self.job.retries += u32::from(event == Event::Retry);
                self.job.error = Some(error.clone());
            }
            (Event::Stop, _) => self.record(now, AttemptOutcome::Canceled, None),
            _ => {}
        }
        self.step(now, event);
        if let Outcome::Retry { delay, .. } | Outcome::Snooze { delay } = outcome
            && self.job.status == Status::Scheduled
        {
            self.job.scheduled_at = Some(now.after(*delay));
        }
        self.settled = true;
    }

    /// Ends an attempt whose lease ran out.
    fn expire(&mut self, now: Timestamp) -> Status {
        self.record(now, AttemptOutcome::Crashed, Some(JobError::crashed()));
        self.job.crashes += 1;
        let poisoned = self.job.new.retry.is_poisoned(self.job.crashes);
        let event = if poisoned { Event::Quarantine } else { Event::Reclaim };
        let error = if poisoned { JobError::poisoned(self.job.crashes) } else { JobError::crashed() };
        self.job.error = Some(error);
        self.step(now, event.under_cancel(self.job.cancel_requested));
        self.job.status
    }

    fn record(&mut self, now: Timestamp, outcome: AttemptOutcome, error: Option<JobError>) {
        let number = self.job.retries + self.job.crashes + 1;
        let started_at = self.job.started_at.expect("a running job has started");
        let worker = self.worker.expect("a running job has a worker");
        self.job.attempts.push(Attempt { number, started_at, finished_at: now, outcome, error, worker });
        let surplus = self.job.attempts.len().saturating_sub(HISTORY_MAX);
        self.job.attempts.drain(..surplus);
    }
}
