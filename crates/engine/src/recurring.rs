//! Typed schedules: `report.cron("nightly", "0 3 * * *", input).zone("Europe/Zurich").declare(&engine).await`.

use std::time::Duration;

use windlass_core::job::JobBuilder;
use windlass_core::{
    Cadence, Clock, InvalidInput, Misfire, Overlap, Owner, Priority, RetryPolicy, Schedule, ScheduleName, SystemClock,
    Timestamp, Unique,
};
use windlass_dispatch::{Encode, Handler, HandlerOptions};

use crate::engine::Engine;
use crate::error::Error;
use crate::settings::Settings;

/// Submits a handler's jobs again and again. Implemented for every handler whose input can be made from a value.
pub trait Recur: Handler {
    /// A schedule called `name` that submits a job with `value` whenever a cron expression says so: five fields, or six
    /// with seconds first, on UTC's clock unless [`zone`](Recurring::zone) says otherwise. See [`Cadence`].
    fn cron(
        &self,
        name: impl AsRef<str>,
        expression: impl Into<String>,
        value: <Self::Input as Encode>::Value,
    ) -> Recurring
    where
        Self::Input: Encode;

    /// A schedule called `name` that submits a job with `value` at every multiple of an interval, of a second or more,
    /// counted from 1970 or from [`starts`](Recurring::starts).
    fn every(&self, name: impl AsRef<str>, interval: Duration, value: <Self::Input as Encode>::Value) -> Recurring
    where
        Self::Input: Encode;
}

impl<H: Handler> Recur for H {
    fn cron(
        &self,
        name: impl AsRef<str>,
        expression: impl Into<String>,
        value: <H::Input as Encode>::Value,
    ) -> Recurring
    where
        H::Input: Encode,
    {
        Recurring::new(self, name.as_ref(), When::Cron(expression.into(), None), value)
    }

    fn every(&self, name: impl AsRef<str>, interval: Duration, value: <H::Input as Encode>::Value) -> Recurring
    where
        H::Input: Encode,
    {
        Recurring::new(self, name.as_ref(), When::Every(interval), value)
    }
}

enum When {
    Cron(String, Option<String>),
    Every(Duration),
}

type Shape = Box<dyn FnOnce(JobBuilder) -> JobBuilder + Send>;

/// A schedule about to be declared: to the engine by [`declare`](Self::declare), or when it is built.
#[must_use = "a schedule does nothing until it is declared"]
pub struct Recurring {
    name: String,
    when: When,
    /// Makes the job of a tick, with the engine's policy where the handler has none.
    job: Box<dyn FnOnce(RetryPolicy) -> Result<JobBuilder, InvalidInput> + Send>,
    shapes: Vec<Shape>,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    jitter: Duration,
    misfire: Misfire,
    overlap: Overlap,
}

impl Recurring {
    fn new<H: Handler>(handler: &H, name: &str, when: When, value: <H::Input as Encode>::Value) -> Self
    where
        H::Input: Encode,
    {
        let payload = H::Input::encode(value).map_err(|_| InvalidInput::new("input", "cannot be serialised"));
        let options: HandlerOptions = handler.options();
        let (misfire, overlap) = (Misfire::default(), Overlap::default());
        Self {
            name: name.to_owned(),
            when,
            job: Box::new(move |retry| Ok(options.build(H::NAME, payload?, retry))),
            shapes: Vec::new(),
            starts: None,
            ends: None,
            jitter: Duration::ZERO,
            misfire,
            overlap,
        }
    }

    /// On the clock of this zone of the IANA database. Means nothing for an interval.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        if let When::Cron(_, its_zone) = &mut self.when {
            *its_zone = Some(zone.into());
        }
        self
    }

    /// No tick is before this moment; intervals count from it.
    pub fn starts(mut self, moment: Timestamp) -> Self {
        self.starts = Some(moment);
        self
    }

    /// No tick is after this moment.
    pub fn ends(mut self, moment: Timestamp) -> Self {
        self.ends = Some(moment);
        self
    }

    /// Each tick's job starts up to so much later, so that not everything happens at midnight. Default nothing.
    pub fn jitter(mut self, most: Duration) -> Self {
        self.jitter = most;
        self
    }

    /// What becomes of ticks while nobody ran. Default: the last of them runs, for all.
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.misfire = misfire;
        self
    }

    /// What a tick does while the job before it has not finished. Default: it runs beside it.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// The queue in which its jobs wait.
    pub fn queue(self, queue: impl AsRef<str>) -> Self {
        let queue = queue.as_ref().to_owned();
        self.shaped(move |job| job.queue(queue))
    }

    /// The place of its jobs in their queue.
    pub fn priority(self, priority: Priority) -> Self {
        self.shaped(move |job| job.priority(priority))
    }

    /// Who may see its jobs.
    pub fn owner(self, owner: Owner) -> Self {
        self.shaped(move |job| job.owner(Some(owner)))
    }

    /// Whose work its jobs are, or on what: see [`Submission::key`](crate::Submission::key).
    pub fn key(self, kind: impl AsRef<str>, value: impl std::fmt::Display) -> Self {
        let (kind, value) = (kind.as_ref().to_owned(), value.to_string());
        self.shaped(move |job| job.key(kind, value))
    }

    /// There must be one of its jobs at a time, as of others that are the same: a tick that meets one submits nothing. See
    /// [`Submission::unique`](crate::Submission::unique).
    pub fn unique(self, unique: impl Into<Option<Unique>>) -> Self {
        let unique = unique.into();
        self.shaped(move |job| job.unique(unique))
    }

    fn shaped(mut self, shape: impl FnOnce(JobBuilder) -> JobBuilder + Send + 'static) -> Self {
        self.shapes.push(Box::new(shape));
        self
    }

    /// Declares it: makes it, or replaces what was declared under its name. Errors as for
    /// [`Schedules::put`](crate::schedules::Schedules::put).
    pub async fn declare(self, engine: &Engine) -> Result<(), Error> {
        engine.schedules().put(self.schedule(engine.settings())?).await
    }

    /// The schedule, with the engine's settings where nothing else is said.
    pub(crate) fn schedule(self, settings: &Settings) -> Result<Schedule, InvalidInput> {
        let name = ScheduleName::new(&self.name)?;
        let cadence = match self.when {
            When::Cron(expression, None) => Cadence::cron(expression)?,
            When::Cron(expression, Some(zone)) => Cadence::zoned(expression, zone)?,
            When::Every(interval) => Cadence::every(interval)?,
        };
        // The same each time it is declared; every tick gets its own.
        let job = (self.job)(settings.retry())?.id(Schedule::id(&name));
        let job = self.shapes.into_iter().fold(job, |job, shape| shape(job));
        let job = job.finish_within(SystemClock.now(), settings.payload_bytes_max)?;
        Ok(Schedule {
            starts: self.starts,
            ends: self.ends,
            jitter: self.jitter,
            misfire: self.misfire,
            overlap: self.overlap,
            ..Schedule::new(name, cadence, job)
        })
    }
}
