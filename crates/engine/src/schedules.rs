//! What operators and programs do with schedules: declare, look, pause, resume, trigger, remove.

use std::sync::Arc;

use windlass_core::limits::PAGE_MAX;
use windlass_core::schedule::{Cursor, Due};
use windlass_core::{InvalidInput, JobId, Schedule, ScheduleName, Timestamp};
use windlass_store::schedules::{Kept, Record, Revision, Write};

use crate::engine::Engine;
use crate::error::Error;
use crate::trace;

/// How often somebody else may have been faster before a change is given up.
const TRIES: usize = 32;

/// The schedules of the store, which all its processes share: [`Engine::schedules`].
#[derive(Clone)]
pub struct Schedules {
    engine: Engine,
}

/// A schedule and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Scheduled {
    /// What was declared.
    pub schedule: Schedule,
    /// How far it is; [`Cursor::paused`] says whether and why it is paused.
    pub cursor: Cursor,
}

impl Engine {
    /// The schedules of this engine's store.
    pub fn schedules(&self) -> Schedules {
        Schedules { engine: self.clone() }
    }
}

impl Schedules {
    /// Declares a schedule: makes it, or replaces what was declared under its name. It keeps its place: what is paused stays
    /// paused, and with the same cadence and bounds no tick is left out or comes twice.
    ///
    /// # Errors
    ///
    /// `Invalid` when it never ticks, `Unsupported` when the store keeps no schedules.
    pub async fn put(&self, schedule: Schedule) -> Result<(), Error> {
        let name = schedule.name.clone();
        self.change(&name, true, |former, now| {
            schedule.check(now)?;
            let cursor = match &former {
                Some(former) => schedule.take_over(&former.schedule, &former.cursor, now),
                None => schedule.begin(now),
            };
            Ok(Some((Record { schedule: schedule.clone(), cursor: cursor.clone() }, only(cursor))))
        })
        .await?;
        Ok(())
    }

    /// The schedule of this name.
    pub async fn get(&self, name: &ScheduleName) -> Result<Option<Scheduled>, Error> {
        self.store()?.find_schedule(name).await?.map(|kept| scheduled(&kept)).transpose()
    }

    /// All schedules by name, a hundred at a time, those behind `after`. One that cannot be read here, for its time zone say,
    /// comes as the error that says why.
    pub async fn list(
        &self,
        after: Option<&ScheduleName>,
    ) -> Result<Vec<(ScheduleName, Result<Scheduled, Error>)>, Error> {
        let page = self.store()?.list_schedules(after, PAGE_MAX).await?;
        Ok(page.into_iter().map(|kept| (kept.name.clone(), scheduled(&kept))).collect())
    }

    /// Pauses a schedule; `note` says why, to whoever looks. Its ticks are left out until it is resumed. Whether there is
    /// one.
    pub async fn pause(&self, name: &ScheduleName, note: &str) -> Result<bool, Error> {
        let pause = |record: &Record, _| Ok(only(record.schedule.pause(&record.cursor, note)?));
        Ok(self.step(name, pause).await?.is_some())
    }

    /// Resumes a schedule, which goes on with its next tick. Whether there is one.
    pub async fn resume(&self, name: &ScheduleName) -> Result<bool, Error> {
        let resume = |record: &Record, now| Ok(only(record.schedule.resume(&record.cursor, now)));
        Ok(self.step(name, resume).await?.is_some())
    }

    /// Submits a job as a tick would, at once and besides the ticks, paused or not. Its id; `None` when there is no such
    /// schedule.
    pub async fn trigger(&self, name: &ScheduleName) -> Result<Option<JobId>, Error> {
        let triggered = self.step(name, |record, now| Ok(record.schedule.trigger(&record.cursor, now))).await?;
        Ok(triggered.and_then(|due| due.jobs.first().map(|job| job.id)))
    }

    /// Removes a schedule; jobs that it submitted stay. Whether there was one.
    pub async fn remove(&self, name: &ScheduleName) -> Result<bool, Error> {
        Ok(self.store()?.remove_schedule(name).await?)
    }

    /// The next ticks of a schedule, paused or not, by the store's clock.
    pub async fn next(&self, name: &ScheduleName, count: usize) -> Result<Vec<Timestamp>, Error> {
        let now = self.store()?.due_schedules(0).await?.at;
        let Some(scheduled) = self.get(name).await? else { return Ok(Vec::new()) };
        Ok(scheduled.schedule.ticks(now).take(count.min(PAGE_MAX)).collect())
    }

    fn store(&self) -> Result<&dyn windlass_store::Schedules, Error> {
        self.engine.shared.store.schedules().ok_or(Error::Unsupported { what: "schedules" })
    }

    /// Changes how far an existing schedule is.
    async fn step(
        &self,
        name: &ScheduleName,
        step: impl Fn(&Record, Timestamp) -> Result<Due, InvalidInput>,
    ) -> Result<Option<Due>, Error> {
        self.change(name, false, |former, now| {
            let Some(former) = former else { return Ok(None) };
            let due = step(&former, now)?;
            Ok(Some((Record { cursor: due.cursor.clone(), ..former }, due)))
        })
        .await
    }

    /// Looks, decides and writes, again when somebody else was faster. `None` where `decide` changes nothing.
    /// `unreadable` says whether a record that cannot be read counts as none, and is written over.
    async fn change(
        &self,
        name: &ScheduleName,
        unreadable: bool,
        decide: impl Fn(Option<Record>, Timestamp) -> Result<Option<(Record, Due)>, InvalidInput>,
    ) -> Result<Option<Due>, Error> {
        let store = self.store()?;
        for _ in 0..TRIES {
            let (now, former) = (store.due_schedules(0).await?.at, store.find_schedule(name).await?);
            let expected = former.as_ref().map(|kept| kept.revision);
            let former = former
                .map(|kept| kept.record())
                .transpose()
                .or_else(|error| unreadable.then_some(None).ok_or(error))?;
            let Some((record, due)) = decide(former.clone(), now)? else { return Ok(None) };
            let nothing_new = former.as_ref() == Some(&record) && due.jobs.is_empty();
            if nothing_new || store.write_schedule(write(expected, &record, &due, now)?).await?.is_some() {
                // Besides the store's hint, which may be lost, or never given.
                self.engine.shared.schedules_changed.notify_one();
                return Ok(Some(due));
            }
        }
        Err(Error::Busy)
    }
}

fn write(expected: Option<Revision>, record: &Record, due: &Due, now: Timestamp) -> Result<Write, Error> {
    let mut jobs = due.jobs.clone();
    jobs.iter_mut().for_each(trace::ensure);
    Ok(Write {
        name: record.schedule.name.clone(),
        expected,
        due: due.cursor.wakes(now),
        record: record.seal()?,
        jobs: jobs.into_iter().map(Arc::new).collect(),
    })
}

/// A change that submits nothing.
fn only(cursor: Cursor) -> Due {
    Due { jobs: Vec::new(), cancel: None, cursor }
}

fn scheduled(kept: &Kept) -> Result<Scheduled, Error> {
    let Record { schedule, cursor } = kept.record()?;
    Ok(Scheduled { schedule, cursor })
}
