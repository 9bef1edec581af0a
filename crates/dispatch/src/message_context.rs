//! What a handler may know of its message beside its content. Nothing of it is made for a message that nobody asks about.

use std::any::TypeId;
use std::cell::RefCell;
use std::future::Future;
use std::sync::Arc;

use windlass_core::{CausationId, Cause, Clock, CorrelationId, MessageId, Owner, StreamId, SystemClock};

use crate::context::Context;

tokio::task_local! {
    static CURRENT: RefCell<Current>;
}

/// Ids, tenant, user and trace of a message. A handler that takes it by reference, as `cx: &MessageContext`, is given
/// that of its message, whichever way that came; the messages that it sends on follow from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageContext {
    id: MessageId,
    stream: Option<StreamId>,
    // Cloned for each message that follows, and most have little of it.
    origin: Arc<Origin>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    cause: Cause,
    user: Option<Owner>,
    traceparent: Option<String>,
}

/// Where the running task is.
#[derive(Clone)]
struct Current {
    /// The message, or the job that it is.
    of: Source,
    /// The type of the message that has just come, and whose handler has not asked yet.
    arriving: Option<TypeId>,
    /// The attempt of a job that all of this is part of.
    job: Option<Context>,
}

#[derive(Clone)]
enum Source {
    Message(MessageContext),
    Job(Context),
}

impl Source {
    fn get(&self) -> MessageContext {
        match self {
            Self::Message(context) => context.clone(),
            Self::Job(context) => MessageContext::of_job(context),
        }
    }
}

impl Default for MessageContext {
    fn default() -> Self {
        Self::new()
    }
}

impl MessageContext {
    /// A beginning: a fresh id, whose correlation is its own.
    pub fn new() -> Self {
        let id = MessageId::generate(SystemClock.now());
        let origin = Origin { cause: Cause::beginning(id.into()), user: None, traceparent: None };
        Self { id, stream: None, origin: Arc::new(origin) }
    }

    /// That of the message whose handler is running, if one was made.
    pub fn current() -> Option<Self> {
        CURRENT.try_with(|current| current.borrow().of.get()).ok()
    }

    /// That of a message which runs as this job: its id is the job's.
    pub fn of_job(context: &Context) -> Self {
        let job = context.job();
        let id = MessageId::from(job.id);
        let cause = job.cause.as_deref().cloned().unwrap_or_else(|| Cause::beginning(id.into()));
        let origin = Origin { cause, user: job.owner.clone(), traceparent: job.traceparent.clone() };
        Self { id, stream: None, origin: Arc::new(origin) }
    }

    /// Its id.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// What it shares with all that follow from the same beginning.
    pub fn correlation(&self) -> CorrelationId {
        self.origin.cause.correlation
    }

    /// The message right before it; none for a beginning.
    pub fn causation(&self) -> Option<CausationId> {
        self.origin.cause.causation
    }

    /// Whose messages are handled in their order, if it belongs to any.
    pub fn stream(&self) -> Option<StreamId> {
        self.stream
    }

    /// For which tenant.
    pub fn tenant(&self) -> Option<&str> {
        self.origin.cause.tenant.as_deref()
    }

    /// On whose behalf.
    pub fn user(&self) -> Option<&Owner> {
        self.origin.user.as_ref()
    }

    /// The W3C `traceparent` that it belongs to.
    pub fn traceparent(&self) -> Option<&str> {
        self.origin.traceparent.as_deref()
    }

    /// The same with this correlation.
    pub fn with_correlation(self, correlation: CorrelationId) -> Self {
        self.with(|origin| origin.cause.correlation = correlation)
    }

    /// The same in this stream. What follows from it is in none, unless told.
    pub fn with_stream(mut self, stream: StreamId) -> Self {
        self.stream = Some(stream);
        self
    }

    /// The same for this tenant, 1 to 255 bytes.
    pub fn with_tenant(self, tenant: impl Into<Box<str>>) -> Self {
        self.with(|origin| origin.cause.tenant = Some(tenant.into()))
    }

    /// The same on behalf of this user.
    pub fn with_user(self, user: Owner) -> Self {
        self.with(|origin| origin.user = Some(user))
    }

    /// The same in this trace.
    pub fn with_traceparent(self, traceparent: impl Into<String>) -> Self {
        self.with(|origin| origin.traceparent = Some(traceparent.into()))
    }

    fn with(mut self, change: impl FnOnce(&mut Origin)) -> Self {
        change(Arc::make_mut(&mut self.origin));
        self
    }

    /// That of a message which follows from this one.
    pub fn next(&self) -> Self {
        let next = Self { id: MessageId::generate(SystemClock.now()), stream: None, origin: self.origin.clone() };
        next.with(|origin| origin.cause.causation = Some(self.id.into()))
    }

    /// The cause of a job that follows from this message.
    pub fn follows(&self) -> Cause {
        Cause { causation: Some(self.id.into()), ..self.origin.cause.clone() }
    }

    /// Runs `work`, whose messages follow from this one.
    pub fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        enter(self.current_of(None), work)
    }

    /// [`scope`](Self::scope) for work that does not wait.
    pub fn sync_scope<T>(self, work: impl FnOnce() -> T) -> T {
        CURRENT.sync_scope(RefCell::new(self.current_of(None)), work)
    }

    /// Runs `work`, which begins with the handler of this message, of type `M`.
    pub fn deliver<M: 'static, F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        enter(self.current_of(Some(TypeId::of::<M>())), work)
    }

    fn current_of(self, arriving: Option<TypeId>) -> Current {
        Current { of: Source::Message(self), arriving, job: job_under_way() }
    }

    /// That of the message of type `M` that has just been delivered, and whose handler has not asked yet.
    pub fn arriving<M: 'static>() -> Option<Self> {
        let found = CURRENT.try_with(|current| {
            let current = current.borrow();
            (current.arriving == Some(TypeId::of::<M>())).then(|| current.of.get())
        });
        found.ok().flatten()
    }

    /// That of an event of type `E`, which others hear too: what was delivered with it, or one that follows from where the task is.
    /// For `#[handler]`.
    pub fn heard<E: 'static>() -> Self {
        Self::arriving::<E>().unwrap_or_else(|| Self::current().map(|current| current.next()).unwrap_or_default())
    }

    /// That of a message of type `M` whose handler asks: what was delivered with it, or one that follows from where
    /// the task is. For `#[handler]`.
    pub fn arrived<M: 'static>() -> Self {
        let found = CURRENT.try_with(|current| {
            let mut current = current.borrow_mut();
            match current.arriving.take_if(|of| *of == TypeId::of::<M>()) {
                Some(_) => current.of.get(),
                None => current.of.get().next(),
            }
        });
        found.unwrap_or_default()
    }
}

/// Runs an attempt of a job, which is that of a message of type `M`.
pub(crate) fn within_job<M: 'static, F: Future>(context: Context, work: F) -> impl Future<Output = F::Output> {
    let job = Some(context.clone());
    enter(Current { of: Source::Job(context), arriving: Some(TypeId::of::<M>()), job }, work)
}

/// The attempt of a job that the running task is part of.
pub(crate) fn job_under_way() -> Option<Context> {
    CURRENT.try_with(|current| current.borrow().job.clone()).ok().flatten()
}

fn enter<F: Future>(current: Current, work: F) -> impl Future<Output = F::Output> {
    CURRENT.scope(RefCell::new(current), work)
}

#[cfg(test)]
mod tests {
    use windlass_core::{NewJob, Payload, Timestamp};

    use super::*;
    use crate::context::Run;

    struct Order;

    #[tokio::test]
    async fn what_follows_shares_the_beginning_and_names_the_message_before_it() {
        assert_eq!(MessageContext::current(), None);
        let user = Owner::new("ada").expect("valid");
        let first = MessageContext::new().with_tenant("acme").with_user(user).with_traceparent("00-1-2-03");
        let second = first.clone().scope(async { MessageContext::arrived::<Order>() }).await;
        let third = second.clone().sync_scope(MessageContext::arrived::<Order>);
        for follower in [&second, &third] {
            assert_eq!(follower.correlation(), first.id().into());
            assert_eq!((follower.tenant(), follower.traceparent()), (Some("acme"), Some("00-1-2-03")));
            assert_eq!(follower.user(), first.user());
        }
        assert_eq!((second.causation(), third.causation()), (Some(first.id().into()), Some(second.id().into())));
        assert_eq!((first.causation(), third.follows().causation), (None, Some(third.id().into())));
    }

    #[tokio::test]
    async fn what_is_delivered_with_a_message_is_its_own_and_its_handlers_messages_follow() {
        let delivered = MessageContext::new().with_stream(StreamId::keyed(&[b"orders", b"7"]));
        let work = async { (MessageContext::arrived::<Order>(), MessageContext::arrived::<Order>()) };
        let (own, next) = delivered.clone().deliver::<Order, _>(work).await;
        assert_eq!(own, delivered);
        assert_eq!((next.causation(), next.stream()), (Some(own.id().into()), None));
        let other = delivered.clone().deliver::<Order, _>(async { MessageContext::arrived::<u8>() }).await;
        assert_eq!(other.causation(), Some(delivered.id().into()), "another message has been sent on");
    }

    #[tokio::test]
    async fn a_message_that_runs_as_a_job_has_the_jobs_id_owner_and_trace() {
        let job = NewJob::build("Order", Payload::empty())
            .traceparent(Some("00-1-2-03".into()))
            .owner(Owner::new("ada").ok())
            .finish(Timestamp::UNIX_EPOCH)
            .expect("valid");
        let run = Run { job: Arc::new(job.clone()), attempt: 2, token: 7, states: Arc::default() };
        let context = Context::new(run);
        let own = within_job::<Order, _>(context.clone(), async { MessageContext::arrived::<Order>() }).await;
        assert_eq!((own.id(), own.correlation()), (job.id.into(), MessageId::from(job.id).into()));
        assert_eq!((own.user(), own.traceparent()), (job.owner.as_ref(), Some("00-1-2-03")));
        assert_eq!(own.follows(), context.follows());
    }
}
