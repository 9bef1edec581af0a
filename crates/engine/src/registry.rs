//! The attempts that this process holds leases for, whether they run or wait for a slot.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::HashMap;
use tokio::sync::Notify;
use windlass_core::{JobId, Progress};
use windlass_dispatch::{Context, Stop};
use windlass_store::{Extend, Lease, Settlement};

use crate::overtime::Overtime;

/// One held lease.
#[derive(Debug)]
struct Held {
    lease: Lease,
    context: Context,
    /// By this process's monotonic clock, counted from before the claim was sent: never later than the store's end.
    ends: Instant,
    extended: Instant,
    /// The attempt's time limit, from its start on.
    overtime: Option<Overtime>,
    /// Whether the attempt has ended and waits for the store to take its settlement. The lease is kept until then.
    ended: bool,
}

/// All held leases, by job.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    held: Mutex<HashMap<JobId, Held>>,
    /// Leases that were given up before their ends, until then. The store may still think that they are held.
    gone: Mutex<HashMap<Lease, Instant>>,
    emptied: Notify,
}

/// What the heartbeat has to do.
#[derive(Debug, Default)]
pub(crate) struct Rounds {
    /// Leases to extend or attempts with news.
    pub(crate) extend: Vec<Extend>,
    /// Attempts that ran over their time limit and whose handlers do not let go. They count as ended.
    pub(crate) overdue: Vec<(Settlement, Context)>,
    /// Attempts whose lease is over by this process's clock. Taken out of the registry.
    pub(crate) lost: Vec<Context>,
}

impl Registry {
    /// Adds leases that were asked for at `sent`.
    pub(crate) fn add(&self, held: impl IntoIterator<Item = (Lease, Context)>, sent: Instant, lease: Duration) {
        let mut all = self.all();
        for (id, context) in held {
            let held = Held { lease: id, context, ends: sent + lease, extended: sent, overtime: None, ended: false };
            if let Some(former) = all.insert(id.id, held) {
                // The job has come back to us before we heard that its former lease was lost.
                former.context.request_stop(Stop::LeaseLost);
            }
        }
    }

    /// Notes that these attempts run from now on; one lock for the whole batch.
    pub(crate) fn start(&self, started: impl IntoIterator<Item = (Lease, Overtime)>) {
        let mut all = self.all();
        for (lease, overtime) in started {
            if let Some(held) = all.get_mut(&lease.id).filter(|held| held.lease == lease) {
                held.overtime = Some(overtime);
            }
        }
    }

    /// Takes a lease out; `false` when it is no longer held.
    pub(crate) fn remove(&self, lease: Lease) -> bool {
        let mut all = self.all();
        let held = all.get(&lease.id).is_some_and(|held| held.lease == lease);
        if held && let Some(held) = all.remove(&lease.id) {
            self.note_gone(lease, held.ends);
            self.tell_if_empty(&all);
        }
        held
    }

    /// Notes that the attempt has ended; `false` when it had ended before or its lease is no longer held, so that there
    /// is nothing to settle.
    pub(crate) fn end(&self, lease: Lease) -> bool {
        end(&mut self.all(), lease)
    }

    /// Notes which attempts have ended and keeps those of them that are still held; one lock for the whole batch.
    pub(crate) fn end_all<T>(&self, leases: &mut Vec<T>, lease: impl Fn(&T) -> Lease) {
        let mut all = self.all();
        leases.retain(|item| end(&mut all, lease(item)));
    }

    /// Takes back that the attempt has ended: its settlement did not reach the store and is due again.
    pub(crate) fn reopen(&self, lease: Lease) {
        if let Some(held) = self.all().get_mut(&lease.id).filter(|held| held.lease == lease) {
            held.ended = false;
        }
    }

    /// Takes out what the store has heard the end of.
    pub(crate) fn settled(&self, leases: impl Iterator<Item = Lease>) {
        let mut all = self.all();
        for lease in leases {
            if all.get(&lease.id).is_some_and(|held| held.lease == lease) {
                all.remove(&lease.id);
            }
        }
        self.tell_if_empty(&all);
    }

    /// Ends when no lease is held.
    pub(crate) async fn emptied(&self) {
        loop {
            let mut emptied = std::pin::pin!(self.emptied.notified());
            emptied.as_mut().enable();
            if self.len() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn tell_if_empty(&self, all: &HashMap<JobId, Held>) {
        if all.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    /// The attempt of a job that runs here.
    pub(crate) fn find(&self, id: JobId) -> Option<Context> {
        self.all().get(&id).map(|held| held.context.clone())
    }

    /// Whether the lease is held or was until lately, by an attempt that may not have let go yet.
    pub(crate) fn knows(&self, lease: Lease) -> bool {
        self.all().get(&lease.id).is_some_and(|held| held.lease == lease) || self.gone().contains_key(&lease)
    }

    fn note_gone(&self, lease: Lease, ends: Instant) {
        self.gone().insert(lease, ends);
    }

    fn gone(&self) -> MutexGuard<'_, HashMap<Lease, Instant>> {
        self.gone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every held lease whose attempt has not ended.
    pub(crate) fn list(&self) -> Vec<(Lease, Context)> {
        self.all().values().filter(|held| !held.ended).map(|held| (held.lease, held.context.clone())).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.all().len()
    }

    /// What the heartbeat has to do at `now`: extend what was not extended for a third of `lease`, send news, and
    /// let go of what is over. A lease counts as over a tenth early, so that handlers stop before anybody else starts.
    pub(crate) fn rounds(&self, now: Instant, lease: Duration) -> Rounds {
        let mut rounds = Rounds::default();
        // A clock here and one there do not run alike to the last bit.
        self.gone().retain(|_, ends| now < *ends + lease);
        let mut all = self.all();
        all.retain(|_, held| {
            if now + lease / 10 >= held.ends {
                self.note_gone(held.lease, held.ends);
                rounds.lost.push(held.context.clone());
                return false;
            }
            if let Some(overtime) = held.overtime.filter(|overtime| !held.ended && now >= overtime.over) {
                let outcome = overtime.outcome(held.context.job());
                let settlement = Settlement { lease: held.lease, outcome, emitted: Vec::new() };
                rounds.overdue.push((settlement, held.context.clone()));
                held.ended = true;
            }
            rounds.extend.extend(held.news(now, lease));
            true
        });
        self.tell_if_empty(&all);
        rounds
    }

    /// The store kept the lease for `lease` from `sent`.
    pub(crate) fn kept(&self, lease: Lease, sent: Instant, duration: Duration) {
        if let Some(held) = self.all().get_mut(&lease.id).filter(|held| held.lease == lease) {
            held.ends = sent + duration;
            held.extended = sent;
        }
    }

    /// The store says that the lease is lost: takes it out and stops its handler.
    pub(crate) fn lose(&self, lease: Lease) {
        let context = self.find(lease.id);
        if self.remove(lease)
            && let Some(context) = context
        {
            context.request_stop(Stop::LeaseLost);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<JobId, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end(all: &mut HashMap<JobId, Held>, lease: Lease) -> bool {
    let held = all.get_mut(&lease.id).filter(|held| held.lease == lease && !held.ended);
    held.is_some_and(|held| {
        held.ended = true;
        true
    })
}

impl Held {
    fn news(&self, now: Instant, lease: Duration) -> Option<Extend> {
        let progress: Option<Progress> = self.context.take_progress();
        let due = now.duration_since(self.extended) >= lease / 3;
        (due || progress.is_some()).then_some(Extend { lease: self.lease, duration: lease, progress })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use windlass_core::{NewJob, Payload, Timestamp};
    use windlass_dispatch::Run;
    use windlass_store::{ClaimedJob, Token};

    use crate::settings::Settings;

    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    fn held_at(registry: &Registry, now: Instant) -> Lease {
        let job = NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
        let lease = Lease { id: job.id, token: Token(1) };
        let context = Context::new(Run { job: Arc::new(job), attempt: 1, token: 1, states: Arc::default() });
        registry.add([(lease, context)], now, LEASE);
        lease
    }

    fn overtime(now: Instant) -> Overtime {
        let settings = Settings { job_timeout: Duration::ZERO, cancel_grace: Duration::ZERO, ..Settings::default() };
        let new = Arc::new(NewJob::build("Job", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid"));
        let lease = Lease { id: new.id, token: Token(1) };
        let (created_at, started_at) = (Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH);
        Overtime::of(&ClaimedJob { lease, new, retries: 0, crashes: 0, created_at, started_at }, &settings, now)
    }

    /// Handlers that block every thread used to keep finished jobs from being settled until their leases had run out,
    /// because those were no longer extended: the jobs ran twice.
    #[test]
    fn the_lease_of_an_ended_attempt_is_kept_until_the_store_has_taken_its_settlement() {
        let (registry, now) = (Registry::default(), Instant::now());
        let lease = held_at(&registry, now);
        assert!(registry.end(lease));
        assert_eq!(registry.rounds(now + LEASE / 2, LEASE).extend.len(), 1);
        assert!(registry.list().is_empty(), "there is nothing left to stop");
        registry.settled([lease].into_iter());
        assert_eq!(registry.len(), 0);
    }

    /// The store still thinks that such a lease is held, and its handler may not have let go yet.
    #[test]
    fn a_lease_that_is_given_up_early_is_known_until_it_is_long_over() {
        let (registry, now) = (Registry::default(), Instant::now());
        let (lost, refused, settled) = (held_at(&registry, now), held_at(&registry, now), held_at(&registry, now));
        registry.settled([settled].into_iter());
        registry.lose(refused);
        assert_eq!(registry.rounds(now + LEASE, LEASE).lost.len(), 1);
        assert!(registry.knows(lost) && registry.knows(refused) && !registry.knows(settled));
        registry.rounds(now + 2 * LEASE, LEASE);
        assert!(!registry.knows(lost) && !registry.knows(refused));
    }

    #[test]
    fn an_attempt_that_ended_is_not_let_go_a_second_time() {
        let (registry, now) = (Registry::default(), Instant::now());
        let lease = held_at(&registry, now);
        registry.start([(lease, overtime(now))]);
        assert!(registry.end(lease));
        assert!(registry.rounds(now + LEASE / 2, LEASE).overdue.is_empty());
    }

    #[test]
    fn an_attempt_that_was_let_go_ends_once_and_is_due_again_when_the_store_did_not_hear() {
        let (registry, now) = (Registry::default(), Instant::now());
        let lease = held_at(&registry, now);
        registry.start([(lease, overtime(now))]);
        assert_eq!(registry.rounds(now, LEASE).overdue.len(), 1);
        assert!(!registry.end(lease), "its handler comes too late");
        assert!(registry.rounds(now, LEASE).overdue.is_empty());
        registry.reopen(lease);
        assert_eq!(registry.rounds(now, LEASE).overdue.len(), 1);
    }

    #[test]
    fn a_job_that_comes_back_stops_its_former_attempt() {
        let (registry, now) = (Registry::default(), Instant::now());
        let lease = held_at(&registry, now);
        let former = registry.find(lease.id).expect("held");
        registry.add([(Lease { token: Token(2), ..lease }, former.clone())], now, LEASE);
        assert_eq!(former.stop_reason(), Some(Stop::LeaseLost));
    }

    #[test]
    fn a_lease_that_was_lost_has_no_end_to_settle() {
        let (registry, now) = (Registry::default(), Instant::now());
        let lease = held_at(&registry, now);
        assert_eq!(registry.rounds(now + LEASE, LEASE).lost.len(), 1);
        assert!(!registry.end(lease));
    }
}
