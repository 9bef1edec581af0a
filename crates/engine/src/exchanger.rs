//! The loop that talks to the store. Everything a process wants travels in one round trip; while one is under way
//! the next one gathers, so batches grow with the load and nothing ever waits for a batch to fill.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep};
use windlass_core::JobName;
use windlass_store::{Claim, Claimed, ErrorKind, Exchanged, Fate, Hint, Hints, Lease, SubmitOutcome, Submitted};

use crate::crossing::{Crossings, Passage};
use crate::error::Error;
use crate::linger::Linger;
use crate::order::Order;
use crate::outage::Outage;
use crate::overtime::Overtime;
use crate::pace::Pace;
use crate::phase::Phase;
use crate::shared::Shared;
use crate::stock::Stock;
use crate::turn::{Answered, Outgoing, Submittal, Turn};
use crate::worker::{Attempt, Finished};

/// Round trips under way at the same time: one travels while the store works on the other.
const IN_FLIGHT_MAX: usize = 2;
/// How many messages are taken from a channel at once.
const GULP: usize = 1_024;
/// A turn of so few jobs has a caller who waits for it and nobody else.
const LONE_MAX: usize = 2;
/// How long a job claimed ahead may wait for a slot before it is given back to the others.
const STALE_PREFETCH: Duration = Duration::from_secs(2);

/// The loop's state. It owns both channels' receiving ends; nobody else touches them.
pub(crate) struct Exchanger {
    shared: Arc<Shared>,
    submittals: mpsc::Receiver<Submittal>,
    finished: mpsc::UnboundedReceiver<Finished>,
    report: mpsc::UnboundedSender<Finished>,
    hints: Hints,
    phase: watch::Receiver<Phase>,
    crossings: Arc<Crossings<Answered>>,
    in_flight: FuturesUnordered<Passage<Answered>>,
    outgoing: Outgoing,
    /// Claimed and waiting for a slot.
    ahead: VecDeque<(Attempt, Instant)>,
    /// Empty; its room is used again turn after turn.
    started: Vec<(Lease, Overtime)>,
    running: usize,
    /// Claims asked for and not answered.
    expected: usize,
    suspects: usize,
    stock: Stock,
    /// Jobs on the turn sent last.
    under_way: usize,
    /// What waited for the next turn when the loop last gave way to others.
    gathered: usize,
    linger: Linger,
    pace: Pace,
    order: Order,
    /// Whose jobs it asks for; `None` for all.
    handlers: Option<Arc<[JobName]>>,
    /// Whether asking for work may bring some.
    hungry: bool,
    alarm: Pin<Box<Sleep>>,
    outage: Outage,
    submittals_open: bool,
}

impl Exchanger {
    pub(crate) fn new(
        shared: Arc<Shared>,
        submittals: mpsc::Receiver<Submittal>,
        crossings: Arc<Crossings<Answered>>,
    ) -> Self {
        let (report, finished) = mpsc::unbounded_channel();
        let now = Instant::now();
        Self {
            hints: shared.store.hints(),
            phase: shared.phases.watch(),
            pace: Pace::new(shared.settings.batch_size, now),
            order: Order::of(&shared.settings),
            handlers: shared.settings.handlers.as_deref().map(Arc::from),
            alarm: Box::pin(tokio::time::sleep_until(now + shared.settings.poll_interval)),
            crossings,
            in_flight: FuturesUnordered::new(),
            outgoing: Outgoing::default(),
            ahead: VecDeque::new(),
            started: Vec::new(),
            running: 0,
            expected: 0,
            suspects: 0,
            stock: Stock::default(),
            under_way: 0,
            gathered: 0,
            linger: Linger::new(shared.store.is_in_process()),
            hungry: true,
            outage: Outage::default(),
            submittals_open: true,
            shared,
            submittals,
            finished,
            report,
        }
    }

    /// Runs until the engine has stopped and everything is settled.
    pub(crate) async fn run(mut self) {
        let mut submittals = Vec::new();
        let mut finished = Vec::new();
        while !self.is_over() {
            self.take_hints();
            self.start_waiting();
            if self.wants_turn() {
                self.wait_for_company(&mut finished).await;
                self.take_turn();
                if let Some(answered) = self.linger().await {
                    self.absorb(answered);
                    continue;
                }
            } else if self.outgoing.len() > self.gathered {
                self.gather(&mut finished).await;
                continue;
            }
            let resting = self.in_flight.is_empty();
            tokio::select! {
                biased;
                Some(answered) = self.in_flight.next(), if !resting => self.absorb(answered),
                _ = self.finished.recv_many(&mut finished, GULP) => self.note_finished(&mut finished),
                count = self.submittals.recv_many(&mut submittals, GULP), if self.accepts() => {
                    self.note_submittals(count, &mut submittals);
                }
                hint = self.hints.next() => self.note_hint(hint),
                () = &mut self.alarm => self.note_alarm(),
                _ = self.phase.changed() => self.note_phase(),
            }
        }
    }

    /// Whoever is about to finish or submit gets onto this turn. A lone caller is spared that: giving way wakes another
    /// of the runtime's threads. So are callers who have waited for the turn before, when the store has nothing to do
    /// meanwhile.
    async fn wait_for_company(&mut self, finished: &mut Vec<Finished>) {
        let alone = self.outgoing.len().max(self.under_way) <= LONE_MAX;
        let store_rests = self.in_flight.is_empty() && !self.outgoing.submit.is_empty();
        if !alone && !store_rests {
            tokio::task::yield_now().await;
            self.gulp(finished);
        }
    }

    /// Nothing is in a hurry while a turn is under way: who else is about to finish or submit does so first, and the loop
    /// wakes once for all of them.
    async fn gather(&mut self, finished: &mut Vec<Finished>) {
        tokio::task::yield_now().await;
        self.gulp(finished);
        self.gathered = self.outgoing.len();
    }

    /// Stays awake for the answer to a lone caller, unless it takes long or anybody else comes.
    async fn linger(&mut self) -> Option<Answered> {
        let lone = self.in_flight.len() == 1 && (1..=LONE_MAX).contains(&self.under_way);
        if !lone {
            return None;
        }
        let others = || !self.submittals.is_empty() || !self.finished.is_empty();
        self.linger.until(|| self.in_flight.next().now_or_never().flatten(), others).await
    }

    /// Hints are few; a stream of finished jobs must not make a cancellation wait.
    fn take_hints(&mut self) {
        while let Some(hint) = self.hints.next().now_or_never() {
            self.note_hint(hint);
        }
    }

    fn is_over(&self) -> bool {
        let nothing_left = self.outgoing.is_empty() && self.in_flight.is_empty() && self.shared.registry.len() == 0;
        let nobody_asks = self.phase() >= Phase::Stopping || !self.submittals_open;
        nobody_asks && nothing_left
    }

    /// What does not fit onto the next turn stays in the channel, whose bound the callers feel.
    fn accepts(&self) -> bool {
        self.submittals_open && self.outgoing.submit.len() < GULP
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Takes what is in the channels already.
    fn gulp(&mut self, finished: &mut Vec<Finished>) {
        while let Ok(one) = self.finished.try_recv() {
            finished.push(one);
        }
        self.note_finished(finished);
        while self.accepts()
            && self.outage.refusal().is_none()
            && let Ok(one) = self.submittals.try_recv()
        {
            self.outgoing.submit.push(one);
        }
    }

    fn wants_turn(&self) -> bool {
        if self.outage.rests() {
            return false;
        }
        let waiting = self.outgoing.len();
        let asks = self.hungry && self.expected == 0 && self.slots_free() > 0 || self.wants_stock();
        match self.in_flight.len() {
            0 => waiting > 0 || asks || self.outage.wants_trial(),
            1 => !self.is_stock_due() && waiting > 0 && waiting >= self.under_way.min(self.shared.settings.batch_size),
            _ => false,
        }
    }

    /// Sends everything that waits, with a claim for whatever can be held.
    fn take_turn(&mut self) {
        debug_assert!(self.in_flight.len() < IN_FLIGHT_MAX);
        let wants_stock = self.wants_stock();
        // A claim that fails (at a damaged job, say) must not keep settlements from landing either.
        let apart = self.outage.failed();
        let claim = if apart && !self.outgoing.settle.is_empty() { None } else { self.claim() };
        if let Some(claim) = &claim {
            self.expected += claim.limit;
            self.suspects += claim.suspects;
            self.hungry = false;
        }
        self.under_way = self.outgoing.len();
        self.gathered = 0;
        let (turn, exchange) = self.outgoing.compose(claim, apart, self.shared.settings.max_queue_size);
        let turn = match wants_stock {
            true => {
                self.stock.begin();
                turn.take_stock()
            }
            false => turn,
        };
        self.in_flight.push(self.crossings.send(turn.send(exchange, self.shared.clone())));
    }

    /// Whether the next turn asks for what an answer that got lost gave.
    fn wants_stock(&self) -> bool {
        self.is_stock_due() && self.in_flight.is_empty()
    }

    fn is_stock_due(&self) -> bool {
        self.works() && self.stock.is_due()
    }

    /// Where no work is known to wait, a turn asks for as many jobs as it brings and ends. What it asks for is kept free
    /// until it is answered, and the next turn wants room for its own.
    fn claim(&mut self) -> Option<Claim> {
        let settings = &self.shared.settings;
        let held = self.running + self.ahead.len() + self.expected;
        let room = (self.shared.slots.count() + self.pace.ahead(Instant::now())).saturating_sub(held);
        let limit = if self.hungry { room } else { room.min(self.outgoing.starts()) };
        if limit == 0 || self.wants_stock() || self.stock.is_being_taken() || !self.works() {
            return None;
        }
        Some(Claim {
            queues: self.order.queues(),
            limit,
            lease: settings.lease,
            worker: self.shared.worker,
            suspects: usize::from(self.suspects == 0),
            handlers: self.handlers.clone(),
        })
    }

    fn works(&self) -> bool {
        self.shared.settings.work && self.phase() == Phase::Running
    }

    fn slots_free(&self) -> usize {
        if !self.works() {
            return 0;
        }
        self.shared.slots.count().saturating_sub(self.running + self.ahead.len())
    }

    fn absorb(&mut self, answered: Answered) {
        let Answered { mut turn, answer, attempts, unheard, took } = answered;
        self.expected -= turn.claim_limit;
        self.suspects -= turn.suspects;
        if turn.claim_limit > 0 {
            self.pace.answered(took);
        }
        if (1..=LONE_MAX).contains(&turn.jobs()) {
            self.linger.note(took);
        }
        if let Some(unheard) = unheard {
            self.outgoing.settle.extend(self.stock.note(unheard));
            self.hungry = true;
        }
        match answer {
            Ok(exchanged) => {
                self.note_good_turn(&exchanged);
                let items = exchanged.fates.len() + exchanged.submitted.len() + attempts.len();
                self.shared.metrics.exchanged(took, items);
                self.shared.metrics.submitted(&exchanged.submitted);
                self.tell_of_replaced(&exchanged.submitted);
                turn.reply(exchanged.submitted);
                self.note_fates(&turn, &exchanged.fates);
                self.take_in(&exchanged.claimed, attempts, &turn);
                self.outgoing.reuse(turn);
            }
            Err(error) => self.note_failure(turn, error),
        }
        self.note_running();
    }

    fn note_running(&self) {
        self.shared.metrics.running.set((self.running + self.ahead.len()) as f64);
    }

    fn note_good_turn(&mut self, exchanged: &Exchanged) {
        self.shared.beats.exchanger.good();
        let nobody_held_back = !exchanged.submitted.is_empty() || self.outgoing.submit.is_empty();
        if self.outage.succeed(nobody_held_back) {
            tracing::info!("the store answers again");
        }
    }

    /// Settlements are sent again until the store has taken them; asking twice is safe, forgetting is not.
    fn note_failure(&mut self, turn: Turn, error: windlass_store::Error) {
        self.shared.metrics.exchange_errors.increment(1);
        let away = error.kind() == ErrorKind::Unavailable;
        if away && turn.claim_limit > 0 {
            self.stock.missed(true);
        }
        let text = error.to_string();
        let error = Error::from(error);
        self.outgoing.settle.splice(0..0, turn.fail(&error));
        if away {
            self.outgoing.submit.drain(..).for_each(|submittal| submittal.refuse(&error));
        }
        let (until, first) = self.outage.fail(error, away, Instant::now());
        if first {
            tracing::error!(error = text, "the store failed; trying again until it answers");
        }
        self.hungry = true;
        self.alarm.as_mut().reset(until);
    }

    /// A job that waited and was replaced has ended; one that runs is looked at in vain.
    fn tell_of_replaced(&self, submitted: &[Submitted]) {
        for answer in submitted {
            if let SubmitOutcome::Replaced(former) = answer.outcome {
                self.shared.waiters.ring(former);
            }
        }
    }

    fn note_fates(&mut self, turn: &Turn, fates: &[Fate]) {
        self.shared.registry.settled(turn.leases());
        let anybody_waits = !self.shared.waiters.is_empty();
        for (lease, fate) in turn.leases().zip(fates) {
            match *fate {
                Fate::Settled(status) => {
                    self.shared.metrics.settled(status);
                    if anybody_waits && status.is_finished() {
                        self.shared.waiters.ring(lease.id);
                    }
                }
                Fate::Repeated(_) => self.shared.waiters.ring(lease.id),
                Fate::LeaseLost => {
                    self.shared.metrics.leases_lost.increment(1);
                    tracing::warn!(job.id = %lease.id, "settlement refused: the lease was lost");
                }
            }
        }
    }

    /// Takes claimed jobs in and notes when to come back.
    fn take_in(&mut self, claimed: &Claimed, attempts: Vec<Attempt>, turn: &Turn) {
        if turn.claim_limit == 0 {
            return;
        }
        let now = Instant::now();
        self.hungry |= claimed.more && !attempts.is_empty();
        let all = attempts.len() < turn.claim_limit && !claimed.more;
        self.order.took(&turn.queues, attempts.iter().map(|attempt| &attempt.claimed.new.queue), all);
        if claimed.unheard {
            self.stock.missed(false);
        }
        let pause = claimed.next_due.unwrap_or(Duration::MAX).min(self.shared.settings.poll_interval);
        self.alarm.as_mut().reset(now + pause);
        self.suspects += attempts.iter().filter(|attempt| attempt.claimed.is_suspect()).count();
        self.ahead.extend(attempts.into_iter().map(|attempt| (attempt, now)));
        if self.phase() > Phase::Running {
            self.give_back_unstarted();
        }
    }

    /// Starts as many waiting attempts as there are slots.
    fn start_waiting(&mut self) {
        if self.ahead.is_empty() {
            return;
        }
        if self.phase() > Phase::Running {
            self.give_back_unstarted();
        }
        let (now, mut started) = (std::time::Instant::now(), std::mem::take(&mut self.started));
        while self.running < self.shared.slots.count()
            && let Some((mut attempt, _)) = self.ahead.pop_front()
        {
            self.running += 1;
            attempt.overtime = Overtime::of(&attempt.claimed, &self.shared.settings, now);
            started.push((attempt.claimed.lease, attempt.overtime));
            tokio::spawn(run(attempt, self.shared.clone(), self.report.clone()));
        }
        if !started.is_empty() {
            self.shared.registry.start(started.drain(..));
        }
        self.started = started;
    }

    fn note_finished(&mut self, finished: &mut Vec<Finished>) {
        self.running -= finished.len();
        let suspects = finished.iter().filter(|one| one.suspect).count();
        self.suspects -= suspects;
        // The next suspect has waited for this one.
        self.hungry |= suspects > 0;
        self.pace.finished(finished.len(), Instant::now());
        // What the registry has given up meanwhile was settled, or lost, without us.
        self.shared.registry.end_all(finished, |one| one.lease);
        self.outgoing.settle.extend(finished.drain(..).filter_map(|one| one.settlement));
        self.note_running();
    }

    fn note_submittals(&mut self, count: usize, submittals: &mut Vec<Submittal>) {
        match self.outage.refusal() {
            Some(error) => submittals.drain(..).for_each(|submittal| submittal.refuse(error)),
            None => self.outgoing.submit.append(submittals),
        }
        if count == 0 {
            // Every handle on the engine is gone: nobody can submit or ask any more.
            self.submittals_open = false;
            self.shared.phases.advance(Phase::Draining);
        }
    }

    fn note_hint(&mut self, hint: Hint) {
        match hint {
            Hint::Ready => self.hungry = true,
            Hint::Schedules => self.shared.schedules_changed.notify_one(),
            Hint::CancelRequested(id) => {
                if let Some(context) = self.shared.registry.find(id) {
                    context.request_stop(windlass_dispatch::Stop::Canceled);
                }
            }
        }
    }

    /// The alarm rings when a job is due, when the store may be tried again, and for the fallback poll.
    fn note_alarm(&mut self) {
        self.hungry = true;
        self.alarm.as_mut().reset(Instant::now() + self.shared.settings.poll_interval);
        self.give_back_stale();
        if self.slots_free() == 0 && self.in_flight.is_empty() {
            self.ping();
        }
    }

    /// With nothing to ask, readiness still wants to know whether the store answers.
    fn ping(&self) {
        let shared = self.shared.clone();
        tokio::spawn(async move {
            match shared.store.ping().await {
                Ok(()) => shared.beats.exchanger.good(),
                Err(error) => tracing::warn!(%error, "the store does not answer"),
            }
        });
    }

    fn give_back_stale(&mut self) {
        let now = Instant::now();
        while let Some((_, since)) = self.ahead.front()
            && now.duration_since(*since) >= STALE_PREFETCH
            && let Some((attempt, _)) = self.ahead.pop_front()
        {
            self.give_back(&attempt);
        }
    }

    fn give_back_unstarted(&mut self) {
        for (attempt, _) in std::mem::take(&mut self.ahead) {
            self.give_back(&attempt);
        }
    }

    fn give_back(&mut self, attempt: &Attempt) {
        self.suspects -= usize::from(attempt.claimed.is_suspect());
        if self.shared.registry.end(attempt.claimed.lease) {
            self.outgoing.settle.push(attempt.give_back());
        }
    }

    fn note_phase(&mut self) {
        self.give_back_unstarted();
    }
}

impl Drop for Exchanger {
    /// However this loop ends, by shutdown, by a panic or with its runtime: leases must not be kept alive without it.
    fn drop(&mut self) {
        self.shared.phases.advance(Phase::Stopped);
    }
}

/// One attempt as a task of its own. It always reports, or its slot would be lost.
async fn run(attempt: Attempt, shared: Arc<Shared>, report: mpsc::UnboundedSender<Finished>) {
    let (lease, suspect) = (attempt.claimed.lease, attempt.claimed.is_suspect());
    let finished = AssertUnwindSafe(attempt.execute(&shared)).catch_unwind().await;
    let finished = finished.unwrap_or_else(|_| {
        shared.registry.remove(lease);
        Attempt::broken(lease, suspect)
    });
    // The loop outlives every attempt; should it be gone, the lease runs out and the job runs elsewhere.
    let _ = report.send(finished);
}
