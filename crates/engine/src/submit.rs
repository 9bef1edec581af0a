//! Typed submission: `ProcessData.submit(&engine, request).delay(minute).await`.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use windlass_core::job::JobBuilder;
use windlass_core::time::iso_8601;
use windlass_core::{Clock, InvalidInput};
use windlass_core::{Expiry, JobId, Owner, Priority, Start, SystemClock, Timestamp, Unique};
use windlass_dispatch::{Encode, Handler};
use windlass_store::Submitted;

use crate::engine::Engine;
use crate::error::Error;

/// Submits a handler's jobs. Implemented for every handler whose input can be made from a value.
pub trait Submit: Handler {
    /// A job with `value` as its input, ready to be changed and awaited.
    fn submit(&self, engine: &Engine, value: <Self::Input as Encode>::Value) -> Submission
    where
        Self::Input: Encode;
}

impl<H: Handler> Submit for H {
    fn submit(&self, engine: &Engine, value: <H::Input as Encode>::Value) -> Submission
    where
        H::Input: Encode,
    {
        let encoded = H::Input::encode(value).map_err(|_| InvalidInput::new("input", "cannot be serialised"));
        let job = encoded.map(|payload| self.options().build(H::NAME, payload, engine.settings().retry()));
        Submission { engine: engine.clone(), job, patience: Duration::ZERO }
    }
}

/// A job about to be submitted. Awaiting it submits it and answers when the store has it durably.
#[must_use = "a submission does nothing until it is awaited"]
pub struct Submission {
    engine: Engine,
    job: Result<JobBuilder, InvalidInput>,
    patience: Duration,
}

impl Submission {
    /// Starts it so long after the store accepts it.
    pub fn delay(self, delay: Duration) -> Self {
        self.map(|job| job.start(Start::After(delay)))
    }

    /// Starts it so long after the store accepts it, as ISO 8601 says it: `PT5M`, `P1DT2H`. For delays that come as text; what is
    /// none is told when the submission is awaited, as [`iso_8601`] says.
    pub fn delay_iso(self, delay: impl AsRef<str>) -> Self {
        match iso_8601(delay.as_ref()) {
            Ok(delay) => self.delay(delay),
            Err(error) => Self { job: self.job.and(Err(error)), ..self },
        }
    }

    /// Starts it at this moment by the store's clock, or at once when that is over.
    pub fn run_at(self, moment: Timestamp) -> Self {
        self.map(|job| job.start(Start::At(moment)))
    }

    /// Its place in the queue.
    pub fn priority(self, priority: Priority) -> Self {
        self.map(|job| job.priority(priority))
    }

    /// The queue it waits in.
    pub fn queue(self, queue: impl AsRef<str>) -> Self {
        self.map(|job| job.queue(queue))
    }

    /// Who may see it.
    pub fn owner(self, owner: Owner) -> Self {
        self.map(|job| job.owner(Some(owner)))
    }

    /// Its id; submitting the same id and input again is answered with the same job.
    pub fn id(self, id: JobId) -> Self {
        self.map(|job| job.id(id))
    }

    /// If it has not started so long after the store has accepted it, it fails as `EXPIRED` in place of being run.
    pub fn start_within(self, span: Duration) -> Self {
        self.map(|job| job.expires(Expiry::After(span)))
    }

    /// If it has not started by this moment of the store's clock, it fails as `EXPIRED` in place of being run.
    pub fn start_before(self, moment: Timestamp) -> Self {
        self.map(|job| job.expires(Expiry::At(moment)))
    }

    /// Everything about it must be over by this moment of the store's clock, and so must be what it emits: it does not start
    /// later, and its handler is stopped then. It fails as `EXPIRED`.
    pub fn deadline(self, moment: Timestamp) -> Self {
        self.map(|job| job.deadline(moment))
    }

    /// Whose work it is, or on what: the rules at the gate of the key hold for it ([`Gates`](crate::Gates)). Up to 8.
    pub fn key(self, kind: impl AsRef<str>, value: impl std::fmt::Display) -> Self {
        self.map(|job| job.key(kind, value))
    }

    /// There must be one such job at a time: another one that is the same is not stored, and the answer names the one that
    /// stands ([`Unique`]). Takes the place of what its handler's options say, as `None` does, with which there may be any number.
    pub fn unique(self, unique: impl Into<Option<Unique>>) -> Self {
        self.map(|job| job.unique(unique))
    }

    /// Tries again for so long where there is no room: when the queue is full, the process busy, or the owner over its rate. Default
    /// not at all. See [`Engine::submit_within`].
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn map(mut self, change: impl FnOnce(JobBuilder) -> JobBuilder) -> Self {
        self.job = self.job.map(change);
        self
    }
}

impl IntoFuture for Submission {
    type Output = Result<Submitted, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let limit = self.engine.settings().payload_bytes_max;
            let job = self.job?.finish_within(SystemClock.now(), limit)?;
            match self.patience.is_zero() {
                true => self.engine.submit(job).await,
                false => self.engine.submit_within(job, self.patience).await,
            }
        })
    }
}
