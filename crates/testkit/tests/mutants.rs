//! Every checker ships with mistakes that it must catch: random histories find each of these within 256 tries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use windlass_core::{Incarnation, Job, JobId, ManualClock, QueueName};
use windlass_store::{
    Admin, Canceled, Counts, Exchange, Exchanged, Fate, Filter, Gates, Hints, Import, Lease, Outcome, Page, Query,
    Result, Schedules, Scope, Store, Swept, Token,
};
use windlass_testkit::history::play;
use windlass_testkit::operation::histories;
use windlass_testkit::{Fixture, Reference};

#[derive(Clone, Copy, Debug)]
enum Mistake {
    None,
    NoFencing,
    RepetitionsCountAgain,
    EmittedForgotten,
    EmittedWithoutCompletion,
    QueueLimitIgnored,
    SuspectsMixed,
    QueueOrderReversed,
    ProgressLost,
    MoreUnknown,
    NextDueUnknown,
    DelayLost,
    SweepForgotten,
    CancelForgotten,
    ErrorLost,
    WaitsUnknown,
}

struct Mistaken {
    inner: Reference,
    mistake: Mistake,
    latest: Mutex<HashMap<JobId, Token>>,
}

impl Mistaken {
    fn spoil_question(&self, turn: &mut Exchange) {
        match self.mistake {
            Mistake::NoFencing => {
                let latest = self.latest.lock().expect("never poisoned");
                turn.settle.iter_mut().for_each(|settlement| settlement.lease.token = latest[&settlement.lease.id]);
            }
            Mistake::EmittedForgotten => turn.settle.iter_mut().for_each(|settlement| settlement.emitted.clear()),
            Mistake::EmittedWithoutCompletion => {
                let emitted: Vec<_> = turn.settle.iter().flat_map(|settlement| settlement.emitted.clone()).collect();
                turn.submit.extend(emitted);
            }
            Mistake::QueueLimitIgnored => turn.queue_limit = None,
            Mistake::SuspectsMixed => turn.claim.iter_mut().for_each(|claim| claim.suspects = claim.limit),
            Mistake::QueueOrderReversed => turn.claim.iter_mut().for_each(|claim| claim.queues.reverse()),
            Mistake::ProgressLost => turn.extend.iter_mut().for_each(|extend| extend.progress = None),
            Mistake::DelayLost => turn.settle.iter_mut().for_each(|settlement| forget_delay(&mut settlement.outcome)),
            Mistake::ErrorLost => turn.settle.iter_mut().for_each(|settlement| forget_error(&mut settlement.outcome)),
            _ => {}
        }
    }

    fn spoil_answer(&self, submissions: usize, answers: &mut Exchanged) {
        answers.submitted.truncate(submissions);
        let mut latest = self.latest.lock().expect("never poisoned");
        latest.extend(answers.claimed.jobs.iter().map(|taken| (taken.lease.id, taken.lease.token)));
        match self.mistake {
            Mistake::RepetitionsCountAgain => answers.fates.iter_mut().for_each(|fate| {
                if let Fate::Repeated(status) = *fate {
                    *fate = Fate::Settled(status);
                }
            }),
            Mistake::MoreUnknown => answers.claimed.more = false,
            Mistake::NextDueUnknown => answers.claimed.next_due = None,
            _ => {}
        }
    }
}

fn forget_delay(outcome: &mut Outcome) {
    if let Outcome::Retry { delay, .. } | Outcome::Snooze { delay } = outcome {
        *delay = Duration::ZERO;
    }
}

fn forget_error(outcome: &mut Outcome) {
    if let Outcome::Fail(error) | Outcome::Retry { error, .. } = outcome {
        error.code = "UNKNOWN".into();
    }
}

#[async_trait]
impl Store for Mistaken {
    async fn exchange(&self, mut turn: Exchange) -> Result<Exchanged> {
        let submissions = turn.submit.len();
        self.spoil_question(&mut turn);
        let mut answers = self.inner.exchange(turn).await?;
        self.spoil_answer(submissions, &mut answers);
        Ok(answers)
    }

    async fn get(&self, id: JobId, scope: &Scope) -> Result<Option<Job>> {
        self.inner.get(id, scope).await
    }

    async fn cancel(&self, id: JobId, scope: &Scope) -> Result<Option<Canceled>> {
        if let Mistake::CancelForgotten = self.mistake {
            return Ok(self.inner.get(id, scope).await?.map(|job| Canceled::Done(Box::new(job))));
        }
        self.inner.cancel(id, scope).await
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        if let Mistake::SweepForgotten = self.mistake {
            return Ok(Swept::default());
        }
        self.inner.sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.inner.held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }

    fn name(&self) -> &'static str {
        "mistaken"
    }

    fn query(&self) -> Option<&dyn Query> {
        Some(self)
    }

    fn admin(&self) -> Option<&dyn Admin> {
        self.inner.admin()
    }

    fn schedules(&self) -> Option<&dyn Schedules> {
        self.inner.schedules()
    }

    fn gates(&self) -> Option<&dyn Gates> {
        self.inner.gates()
    }

    fn importer(&self) -> Option<&dyn Import> {
        self.inner.importer()
    }
}

#[async_trait]
impl Query for Mistaken {
    async fn counts(&self) -> Result<Counts> {
        self.inner.counts().await
    }

    async fn oldest_waiting(&self, queues: &[QueueName]) -> Result<Vec<Option<Duration>>> {
        let waits = self.inner.oldest_waiting(queues).await?;
        Ok(match self.mistake {
            Mistake::WaitsUnknown => vec![None; waits.len()],
            _ => waits,
        })
    }

    async fn list(&self, filter: &Filter) -> Result<Page> {
        self.inner.list(filter).await
    }
}

fn fixture(mistake: Mistake) -> Fixture {
    let clock = ManualClock::default();
    let inner = Reference::with_clock(Arc::new(clock.clone()));
    let store = Arc::new(Mistaken { inner, mistake, latest: Mutex::default() });
    Fixture { store, clock, guard: Box::new(()) }
}

async fn is_caught(mistake: Mistake) -> bool {
    let mut runner = TestRunner::deterministic();
    for _ in 0..256 {
        let history = histories().new_tree(&mut runner).expect("the strategy rejects nothing").current();
        if play(fixture(mistake), &history).await.is_err() {
            return true;
        }
    }
    false
}

macro_rules! caught {
    ($($name:ident: $mistake:ident)*) => {
        $(#[tokio::test]
        async fn $name() {
            assert!(is_caught(Mistake::$mistake).await);
        })*
    };
}

caught! {
    stale_tokens_that_settle_are_caught: NoFencing
    repetitions_that_count_again_are_caught: RepetitionsCountAgain
    emitted_jobs_that_get_lost_are_caught: EmittedForgotten
    emitted_jobs_without_completion_are_caught: EmittedWithoutCompletion
    an_ignored_queue_limit_is_caught: QueueLimitIgnored
    suspects_in_one_boat_are_caught: SuspectsMixed
    a_wrong_order_of_queues_is_caught: QueueOrderReversed
    lost_progress_is_caught: ProgressLost
    an_untold_rest_is_caught: MoreUnknown
    an_untold_due_time_is_caught: NextDueUnknown
    a_lost_delay_is_caught: DelayLost
    a_sweep_that_does_nothing_is_caught: SweepForgotten
    a_cancellation_that_does_nothing_is_caught: CancelForgotten
    a_lost_error_is_caught: ErrorLost
    an_untold_wait_is_caught: WaitsUnknown
}

#[tokio::test]
async fn without_a_mistake_nothing_is_caught() {
    assert!(!is_caught(Mistake::None).await);
}
