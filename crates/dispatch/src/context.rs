//! A handler's view of the attempt it runs in.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use windlass_core::job::JobBuilder;
use windlass_core::limits::{BATCH_MAX, InvalidInput, PROGRESS_BYTES_MAX, clip};
use windlass_core::{Cause, JobId, MessageId, NewJob, Owner, Payload, Progress, RequestContext, Timestamp};

use crate::error::{Classify, Error, Result};
use crate::states::States;

/// What an attempt is made of; the engine fills it in, tests may too.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job.
    pub job: Arc<NewJob>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// The store's fencing token for it.
    pub token: u64,
    /// The application's shared values.
    pub states: Arc<States>,
}

/// Why a running handler is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody canceled the job.
    Canceled,
    /// It ran longer than it may.
    TimedOut,
    /// The worker lost its lease; another one may have the job already.
    LeaseLost,
    /// The process shuts down and the grace period is over.
    Shutdown,
}

/// A handle on the attempt: who asked for it, what it may share, how it tells of its progress and learns that it
/// should stop. Clones are cheap and stand for the same attempt.
#[derive(Clone, Debug)]
pub struct Context(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    run: Run,
    stop: AtomicU8,
    stopped: Notify,
    news: Mutex<News>,
}

/// What the handler has said since the engine last listened.
#[derive(Debug, Default)]
struct News {
    progress: Option<Progress>,
    emitted: Vec<Arc<NewJob>>,
    over: bool,
}

impl Context {
    /// A context for one attempt.
    pub fn new(run: Run) -> Self {
        let news = Mutex::new(News::default());
        Self(Arc::new(Inner { run, stop: AtomicU8::new(0), stopped: Notify::new(), news }))
    }

    /// The job's id.
    pub fn id(&self) -> JobId {
        self.0.run.job.id
    }

    /// The job as it was submitted.
    pub fn job(&self) -> &Arc<NewJob> {
        &self.0.run.job
    }

    /// The job's input, unparsed.
    pub fn payload(&self) -> &Payload {
        &self.0.run.job.payload
    }

    /// What was kept of the HTTP request behind the job.
    pub fn request(&self) -> &RequestContext {
        &self.0.run.job.context
    }

    /// Whose job it is.
    pub fn owner(&self) -> Option<&Owner> {
        self.0.run.job.owner.as_ref()
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.run.attempt
    }

    /// A number that grows with every attempt of the job. Hand it to whatever the handler writes to, and let that
    /// refuse a smaller one than it has seen: then an attempt that lost its lease can do no harm there either.
    pub fn fencing_token(&self) -> u64 {
        self.0.run.token
    }

    /// The application's shared values.
    pub fn states(&self) -> &Arc<States> {
        &self.0.run.states
    }

    /// Says how far the work is, from 0 to 1. Only the latest report is kept, and it travels with the next
    /// extension of the lease or sooner, so call this as often as you like.
    pub async fn progress(&self, fraction: f64) {
        self.report(Progress { fraction: fraction.clamp(0.0, 1.0), message: None });
    }

    /// [`progress`](Self::progress) with a line for people.
    pub async fn progress_with(&self, fraction: f64, message: impl Into<String>) {
        self.report(Progress {
            fraction: fraction.clamp(0.0, 1.0),
            message: Some(clip(&message.into(), PROGRESS_BYTES_MAX)),
        });
    }

    fn report(&self, progress: Progress) {
        self.news().progress = Some(progress);
    }

    /// Hands over follow-up work. The job appears if and only if this attempt completes, and only once however
    /// often the attempt is repeated: its id derives from this job's id and the order of the calls. It belongs to
    /// this job's owner unless it names another. Errors when the job is not valid. Returns its id.
    pub fn emit(&self, job: JobBuilder) -> Result<JobId> {
        let mut news = self.news();
        if news.over {
            return Err(Error::permanent("the attempt that would emit this job is over").code("ATTEMPT_OVER"));
        }
        if news.emitted.len() >= BATCH_MAX {
            return Err(InvalidInput::new("emitted jobs", "may be 1000 or less per attempt").into());
        }
        let id = self.id().emitted(news.emitted.len() as u32);
        // Before it is finished: whose it is decides which others it is the same as.
        let mut new = job.id(id).owner_by_default(self.owner()).finish(Timestamp::UNIX_EPOCH).permanent()?;
        new.inherit_deadline(self.job());
        new.traceparent = new.traceparent.or_else(|| self.0.run.job.traceparent.clone());
        new.cause = new.cause.or_else(|| Some(Box::new(self.follows())));
        news.emitted.push(Arc::new(new));
        Ok(id)
    }

    /// The cause of what follows from this job.
    pub fn follows(&self) -> Cause {
        let id = MessageId::from(self.id());
        let inherited = self.0.run.job.cause.as_deref();
        Cause {
            correlation: inherited.map_or_else(|| id.into(), |cause| cause.correlation),
            causation: Some(id.into()),
            tenant: inherited.and_then(|cause| cause.tenant.clone()),
        }
    }

    /// Why the handler should stop, once it should.
    pub fn stop_reason(&self) -> Option<Stop> {
        match self.0.stop.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Stop::Canceled),
            2 => Some(Stop::TimedOut),
            3 => Some(Stop::LeaseLost),
            _ => Some(Stop::Shutdown),
        }
    }

    /// Ends when the handler should stop, and says why. A handler that returns soon after may tidy up; one that
    /// does not is dropped at its next await.
    pub async fn stopped(&self) -> Stop {
        loop {
            let notified = self.0.stopped.notified();
            if let Some(reason) = self.stop_reason() {
                return reason;
            }
            notified.await;
        }
    }

    /// Asks the handler to stop. The first reason stands. For the engine and for tests.
    pub fn request_stop(&self, reason: Stop) {
        let code = match reason {
            Stop::Canceled => 1,
            Stop::TimedOut => 2,
            Stop::LeaseLost => 3,
            Stop::Shutdown => 4,
        };
        if self.0.stop.compare_exchange(0, code, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            self.0.stopped.notify_waiters();
        }
    }

    /// The latest progress report that was not taken yet. For the engine and for tests.
    pub fn take_progress(&self) -> Option<Progress> {
        self.news().progress.take()
    }

    /// The jobs emitted so far, after which no more can be. For the engine and for tests.
    pub fn take_emitted(&self) -> Vec<Arc<NewJob>> {
        let mut news = self.news();
        news.over = true;
        std::mem::take(&mut news.emitted)
    }

    /// How many jobs were emitted so far.
    pub(crate) fn emitted(&self) -> usize {
        self.news().emitted.len()
    }

    /// Forgets what was emitted after so many.
    pub(crate) fn forget_emitted(&self, after: usize) {
        self.news().emitted.truncate(after);
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use windlass_core::Unique;

    use super::*;

    fn context() -> Context {
        let owner = Some(Owner::new("ada").expect("valid"));
        let job = NewJob::build("Parent", Payload::empty()).owner(owner).finish(Timestamp::UNIX_EPOCH).expect("valid");
        Context::new(Run { job: Arc::new(job), attempt: 1, token: 1, states: Arc::default() })
    }

    #[tokio::test]
    async fn stopping_wakes_the_handler_and_keeps_the_first_reason() {
        let context = context();
        let waiting = tokio::spawn({
            let context = context.clone();
            async move { context.stopped().await }
        });
        context.request_stop(Stop::TimedOut);
        context.request_stop(Stop::Canceled);
        assert_eq!(waiting.await.expect("no panic"), Stop::TimedOut);
    }

    #[tokio::test]
    async fn only_the_latest_progress_is_kept_and_it_stays_within_bounds() {
        let context = context();
        context.progress(0.2).await;
        context.progress_with(7.0, "nearly").await;
        let progress = context.take_progress().expect("reported");
        assert_eq!((progress.fraction, progress.message.as_deref()), (1.0, Some("nearly")));
        assert_eq!(context.take_progress(), None);
    }

    #[test]
    fn emitted_jobs_have_stable_ids_and_the_parents_owner() {
        let (one, two) = (context(), context());
        for context in [&one, &two] {
            context.emit(NewJob::build("Child", Payload::empty())).expect("valid");
        }
        let child = &one.take_emitted()[0];
        assert_eq!(child.id, one.id().emitted(0));
        assert_eq!(child.owner, one.owner().cloned());
        assert_eq!(child.cause.as_deref(), Some(&one.follows()));
        let grandchild =
            Context::new(Run { job: child.clone(), attempt: 1, token: 1, states: Arc::default() }).follows();
        assert_eq!(grandchild.correlation, MessageId::from(one.id()).into(), "all that follows has one beginning");
        assert_eq!(grandchild.causation, Some(MessageId::from(child.id).into()));
        assert!(two.emit(NewJob::build("no spaces", Payload::empty())).is_err());
    }

    fn emitted_by(parent: JobBuilder, child: JobBuilder) -> Arc<NewJob> {
        let job = Arc::new(parent.finish(Timestamp::UNIX_EPOCH).expect("valid"));
        let context = Context::new(Run { job, attempt: 1, token: 1, states: Arc::default() });
        context.emit(child).expect("valid");
        context.take_emitted().remove(0)
    }

    #[test]
    fn emitted_jobs_have_the_parents_deadline_or_an_earlier_one_of_their_own() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(2_000));
        let child = || NewJob::build("Child", Payload::empty());
        let parent = || NewJob::build("Parent", Payload::empty()).deadline(early);
        assert_eq!(emitted_by(parent(), child()).deadline(), Some(early));
        assert_eq!(emitted_by(parent(), child().deadline(late)).deadline(), Some(early));
        assert_eq!(emitted_by(parent().deadline(late), child().deadline(early)).deadline(), Some(early));
        assert_eq!(emitted_by(child(), child()).conditions, None);
    }

    /// The key was made before the parent's owner was taken over, so that jobs of two tenants were the same.
    #[test]
    fn emitted_jobs_of_different_owners_are_never_the_same() {
        let of = |owner| {
            let parent = NewJob::build("Parent", Payload::empty()).owner(Some(Owner::new(owner).expect("valid")));
            let child = NewJob::build("Child", Payload::empty()).unique(Unique::key("k"));
            emitted_by(parent, child).unique().expect("it is").key
        };
        assert_eq!(of("ada"), of("ada"));
        assert_ne!(of("ada"), of("bob"));
    }
}
