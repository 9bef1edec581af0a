//! A schedule: what is submitted when, and what happens when a tick was missed or the job before it still runs.
//!
//! [`Schedule::due`] alone decides. It computes, so that a test can live through years of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cadence::Cadence;
use crate::id::JobId;
use crate::job::{NewJob, Start};
use crate::limits::{BATCH_MAX, DELAY_MAX, InvalidInput, NOTE_BYTES_MAX};
use crate::name::ScheduleName;
use crate::time::Timestamp;

/// A tick is *missed* when nobody has dealt with it for so long.
pub const MISSED_AFTER: Duration = Duration::from_secs(60);

/// How long a tick that waits for the job before it is left alone between two looks.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What becomes of ticks that were missed, because no process ran or none reached the store. Those that are less than a
/// minute late are not missed; they all run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Misfire {
    /// They are left out.
    Skip,
    /// The last of them runs, for all.
    #[default]
    Once,
    /// The last so many of them run, the oldest first; from 1 to 1 000.
    All(u16),
}

/// What a tick does while the job of the tick before has not finished.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlap {
    /// Runs beside it.
    #[default]
    Allow,
    /// Is left out.
    Skip,
    /// Waits for its end; of several, the last does.
    BufferOne,
    /// Runs, and the job before it is canceled.
    CancelRunning,
}

/// What is submitted when. Declared in code or by an operator, kept in the store under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it is called. Declaring the same name again replaces the rest.
    pub name: ScheduleName,
    /// When it ticks.
    pub cadence: Cadence,
    /// What a tick submits, but for its id and its start.
    pub job: NewJob,
    /// No tick is before this moment; intervals count from it.
    pub starts: Option<Timestamp>,
    /// No tick is after this moment.
    pub ends: Option<Timestamp>,
    /// Each tick's job starts up to so much later, always the same for one tick.
    pub jitter: Duration,
    /// What becomes of missed ticks.
    pub misfire: Misfire,
    /// What a tick does while the job before it has not finished.
    pub overlap: Overlap,
}

/// How far a schedule is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cursor {
    /// The first tick that has not been dealt with; `None` when there are no more.
    pub next: Option<Timestamp>,
    /// Why it is paused, if it is.
    pub paused: Option<String>,
    /// The last tick that was submitted.
    pub last: Option<Timestamp>,
    /// The job of that tick.
    pub job: Option<JobId>,
    /// A tick that waits for the end of that job.
    pub buffered: Option<Timestamp>,
    /// How many jobs were submitted so far.
    pub submitted: u64,
}

/// What a schedule does at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// What it submits, in this order.
    pub jobs: Vec<NewJob>,
    /// What it cancels.
    pub cancel: Option<JobId>,
    /// How far it is then.
    pub cursor: Cursor,
}

impl Schedule {
    /// A schedule without bounds and jitter, with the default policies.
    pub fn new(name: ScheduleName, cadence: Cadence, job: NewJob) -> Self {
        let (misfire, overlap) = (Misfire::default(), Overlap::default());
        Self { name, cadence, job, starts: None, ends: None, jitter: Duration::ZERO, misfire, overlap }
    }

    /// Refuses a schedule whose cadence never ticks, and bounds that are none. One that has ended is as good as any: programs
    /// go on declaring it.
    pub fn check(&self, now: Timestamp) -> Result<(), InvalidInput> {
        if self.jitter > DELAY_MAX {
            return Err(InvalidInput::new("jitter", "must be ten years or less"));
        }
        if matches!(self.misfire, Misfire::All(most) if most == 0 || usize::from(most) > BATCH_MAX) {
            return Err(InvalidInput::new("misfire", "must let 1 to 1000 missed ticks run"));
        }
        if self.starts.zip(self.ends).is_some_and(|(starts, ends)| ends < starts) {
            return Err(InvalidInput::new("schedule", "ends before it starts"));
        }
        match self.cadence.next(now, self.anchor()) {
            Some(_) => Ok(()),
            None => Err(InvalidInput::new("schedule", "never ticks")),
        }
    }

    /// The first tick after a moment.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let from = self.starts.map_or(after, |starts| after.max(starts.before(Duration::from_micros(1))));
        self.cadence.next(from, self.anchor()).filter(|tick| self.ends.is_none_or(|ends| *tick <= ends))
    }

    /// The ticks after a moment, the first one first.
    pub fn ticks(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |tick| self.next(*tick))
    }

    fn anchor(&self) -> Timestamp {
        self.starts.unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The id by which a store that spreads jobs finds the place of this schedule; its jobs are there too.
    pub fn id(name: &ScheduleName) -> JobId {
        JobId::keyed(&[b"schedule", name.as_str().as_bytes()])
    }

    /// A cursor for a schedule that is declared at `now`.
    pub fn begin(&self, now: Timestamp) -> Cursor {
        Cursor { next: self.next(now), ..Cursor::default() }
    }

    /// The cursor of this schedule where `other`, of the same name, was as far as `cursor`. Whoever declares the same
    /// again, as every process does that starts, changes nothing: ticks missed meanwhile stay missed.
    pub fn take_over(&self, other: &Self, cursor: &Cursor, now: Timestamp) -> Cursor {
        let ticks = |schedule: &Self| (schedule.cadence.clone(), schedule.starts, schedule.ends);
        match ticks(self) == ticks(other) {
            true => cursor.clone(),
            false if cursor.paused.is_some() => cursor.clone(),
            false => Cursor { next: self.next(now), buffered: None, ..cursor.clone() },
        }
    }

    /// Pauses it. Ticks are left out until it is resumed; they are not missed.
    pub fn pause(&self, cursor: &Cursor, note: impl Into<String>) -> Result<Cursor, InvalidInput> {
        let note = note.into();
        if note.len() > NOTE_BYTES_MAX {
            return Err(InvalidInput::new("note", "must have 1024 bytes or less"));
        }
        Ok(Cursor { paused: Some(note), next: None, buffered: None, ..cursor.clone() })
    }

    /// Resumes it. It goes on with the first tick after `now`.
    pub fn resume(&self, cursor: &Cursor, now: Timestamp) -> Cursor {
        match cursor.paused {
            Some(_) => Cursor { paused: None, next: self.next(now), ..cursor.clone() },
            None => cursor.clone(),
        }
    }

    /// A job as by a tick, at once and besides the ticks.
    pub fn trigger(&self, cursor: &Cursor, now: Timestamp) -> Due {
        let id = JobId::generate(now).beside(Self::id(&self.name));
        let job = NewJob { id, start: Start::Now, ..self.job.clone() };
        // The job of the last tick is still the one that the next one meets.
        let cursor = Cursor { submitted: cursor.submitted + 1, ..cursor.clone() };
        Due { jobs: vec![job], cancel: None, cursor }
    }

    /// Whether [`due`](Self::due) must know if the job before has finished: which job that is.
    pub fn waits_for(&self, cursor: &Cursor) -> Option<JobId> {
        cursor.job.filter(|_| self.overlap != Overlap::Allow)
    }

    /// What it does at `now`, and how far it is then. `busy` says whether the job before has not finished.
    pub fn due(&self, cursor: &Cursor, now: Timestamp, busy: bool) -> Due {
        if cursor.paused.is_some() {
            return Due { jobs: Vec::new(), cancel: None, cursor: cursor.clone() };
        }
        let waiting = cursor.buffered.into_iter().chain(self.owed(cursor, now)).collect();
        let (ticks, buffered) = self.choose(waiting, busy);
        let jobs: Vec<NewJob> = ticks.iter().map(|tick| self.job_of(*tick)).collect();
        let cancels = busy && self.overlap == Overlap::CancelRunning && !jobs.is_empty();
        let after = Cursor {
            next: self.next(now),
            paused: None,
            last: ticks.last().copied().or(cursor.last),
            job: jobs.last().map(|job| job.id).or(cursor.job),
            buffered,
            submitted: cursor.submitted + jobs.len() as u64,
        };
        Due { jobs, cancel: cursor.job.filter(|_| cancels), cursor: after }
    }

    /// The ticks up to `now` that nobody has dealt with and that are not left out for being missed, the first one first.
    fn owed(&self, cursor: &Cursor, now: Timestamp) -> Vec<Timestamp> {
        let Some(first) = cursor.next else { return Vec::new() };
        let mut missed = match self.misfire {
            Misfire::Skip => 0,
            Misfire::Once => 1,
            Misfire::All(most) => most,
        };
        let latest = |until| self.cadence.latest(until, self.anchor()).filter(|tick| *tick >= first);
        let before = |tick: &Timestamp| latest(tick.before(Duration::from_micros(1)));
        // From the last one on back: years of them may have been missed.
        let ticks = std::iter::successors(latest(self.ends.map_or(now, |ends| now.min(ends))), before);
        let mut owed: Vec<Timestamp> = ticks
            .take_while(|tick| {
                let fresh = tick.until(now) < MISSED_AFTER;
                let runs = fresh || missed > 0;
                missed -= u16::from(!fresh && runs);
                runs
            })
            .collect();
        owed.reverse();
        owed
    }

    /// Which of the waiting ticks run now, and which goes on waiting.
    fn choose(&self, mut waiting: Vec<Timestamp>, busy: bool) -> (Vec<Timestamp>, Option<Timestamp>) {
        let last = waiting.last().copied();
        match (self.overlap, busy) {
            (Overlap::Allow, _) => (waiting, None),
            (Overlap::Skip, true) => (Vec::new(), None),
            (Overlap::BufferOne, true) => (Vec::new(), last),
            (Overlap::CancelRunning, _) => (last.into_iter().collect(), None),
            (Overlap::Skip | Overlap::BufferOne, false) => {
                waiting.truncate(1);
                let others = last.filter(|last| self.overlap == Overlap::BufferOne && waiting.first() != Some(last));
                (waiting, others)
            }
        }
    }

    /// The job of a tick. Whoever makes it makes the same.
    fn job_of(&self, tick: Timestamp) -> NewJob {
        let place = Self::id(&self.name);
        let id = JobId::keyed(&[b"tick", place.as_bytes(), &tick.as_micros().to_be_bytes()]).beside(place);
        let [a, b, c, d, ..] = *id.as_bytes();
        let part = f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX);
        NewJob { id, start: Start::At(tick.after(self.jitter.mul_f64(part))), ..self.job.clone() }
    }
}

impl Cursor {
    /// When somebody should look again; `None` when nothing is to come.
    pub fn wakes(&self, now: Timestamp) -> Option<Timestamp> {
        let look_again = self.buffered.map(|_| now.after(LOOK_AGAIN));
        self.next.into_iter().chain(look_again).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;

    const MINUTE: Duration = Duration::from_secs(60);
    const HOUR: Duration = Duration::from_secs(3600);

    fn noon() -> Timestamp {
        Timestamp::from_millis(1_795_348_800_000)
    }

    /// Every ten minutes, from noon on.
    fn schedule() -> Schedule {
        let job = NewJob::build("Report", Payload::empty()).finish(noon()).expect("valid");
        let name = ScheduleName::new("report").expect("valid");
        Schedule::new(name, Cadence::every(10 * MINUTE).expect("valid"), job)
    }

    fn minutes(due: &Due) -> Vec<i64> {
        let start = |job: &NewJob| match job.start {
            Start::At(moment) => noon().until(moment).as_secs() as i64 / 60,
            other => panic!("a tick's job starts at its tick, not {other:?}"),
        };
        due.jobs.iter().map(start).collect()
    }

    fn after(schedule: &Schedule, span: Duration, busy: bool) -> Due {
        let before = schedule.due(&schedule.begin(noon()), noon().after(10 * MINUTE), false);
        schedule.due(&before.cursor, noon().after(10 * MINUTE + span), busy)
    }

    #[test]
    fn a_tick_submits_its_job_once() {
        let schedule = schedule();
        let cursor = schedule.begin(noon());
        assert_eq!(cursor.next, Some(noon().after(10 * MINUTE)));
        let early = schedule.due(&cursor, noon().after(9 * MINUTE), false);
        assert_eq!((minutes(&early), &early.cursor.next), (vec![], &cursor.next));
        let due = schedule.due(&cursor, noon().after(10 * MINUTE), false);
        assert_eq!(minutes(&due), [10]);
        assert_eq!(due, schedule.due(&cursor, noon().after(10 * MINUTE), false), "whoever looks makes the same job");
        let again = schedule.due(&due.cursor, noon().after(11 * MINUTE), false);
        assert!(again.jobs.is_empty());
        assert_eq!((due.cursor.submitted, again.cursor.submitted), (1, 1));
    }

    #[test]
    fn missed_ticks_are_left_out_or_run_once_or_all_within_bounds() {
        let runs = |misfire| minutes(&after(&Schedule { misfire, ..schedule() }, HOUR - MINUTE, false));
        assert_eq!(runs(Misfire::Skip), [] as [i64; 0]);
        assert_eq!(runs(Misfire::Once), [60]);
        assert_eq!(runs(Misfire::All(3)), [40, 50, 60]);
        assert_eq!(runs(Misfire::All(9)), [20, 30, 40, 50, 60]);
    }

    #[test]
    fn a_tick_that_is_a_little_late_is_not_missed() {
        let runs = |span| minutes(&after(&Schedule { misfire: Misfire::Skip, ..schedule() }, span, false));
        assert_eq!(runs(10 * MINUTE + Duration::from_secs(59)), [20]);
        assert_eq!(runs(11 * MINUTE), [] as [i64; 0]);
    }

    #[test]
    fn years_of_missed_seconds_cost_no_more_than_those_that_run() {
        let cadence = Cadence::cron("* * * * * *").expect("valid");
        let schedule = Schedule { cadence, misfire: Misfire::All(2), ..schedule() };
        let due = schedule.due(&schedule.begin(noon()), noon().after(10 * 365 * 24 * HOUR), false);
        assert_eq!(due.jobs.len(), 62, "two missed, and those of the last minute");
    }

    #[test]
    fn a_tick_meets_the_job_before_it() {
        let meets = |overlap| {
            let due = after(&Schedule { overlap, ..schedule() }, 10 * MINUTE, true);
            (minutes(&due), due.cancel.is_some(), due.cursor.buffered.is_some())
        };
        assert_eq!(meets(Overlap::Allow), (vec![20], false, false));
        assert_eq!(meets(Overlap::Skip), (vec![], false, false));
        assert_eq!(meets(Overlap::BufferOne), (vec![], false, true));
        assert_eq!(meets(Overlap::CancelRunning), (vec![20], true, false));
    }

    #[test]
    fn a_buffered_tick_runs_at_the_end_of_the_job_before_and_only_the_last() {
        let schedule = Schedule { overlap: Overlap::BufferOne, ..schedule() };
        let first = after(&schedule, 10 * MINUTE, true);
        let now = noon().after(20 * MINUTE);
        assert_eq!(first.cursor.wakes(now), Some(now.after(LOOK_AGAIN)));
        let second = schedule.due(&first.cursor, noon().after(30 * MINUTE), true);
        let end = schedule.due(&second.cursor, noon().after(31 * MINUTE), false);
        assert_eq!((minutes(&end), end.cursor.buffered), (vec![30], None));
    }

    #[test]
    fn a_pause_leaves_ticks_out_and_they_are_not_missed() {
        let schedule = Schedule { misfire: Misfire::All(99), ..schedule() };
        let paused = schedule.pause(&schedule.begin(noon()), "the printer is broken").expect("short");
        let during = schedule.due(&paused, noon().after(HOUR), false);
        assert_eq!((during.jobs.len(), paused.wakes(noon())), (0, None));
        let resumed = schedule.resume(&during.cursor, noon().after(HOUR));
        assert_eq!(minutes(&schedule.due(&resumed, noon().after(71 * MINUTE), false)), [70]);
        assert!(schedule.pause(&paused, "x".repeat(1025)).is_err());
    }

    #[test]
    fn declaring_it_again_keeps_its_place_and_another_cadence_begins_anew() {
        let old = schedule();
        let cursor = old.begin(noon());
        let now = noon().after(HOUR);
        let priority = Schedule { misfire: Misfire::Skip, ..old.clone() };
        assert_eq!(priority.take_over(&old, &cursor, now), cursor, "missed ticks stay missed");
        let hourly = Schedule { cadence: Cadence::every(HOUR).expect("valid"), ..old.clone() };
        assert_eq!(hourly.take_over(&old, &cursor, now).next, Some(now.after(HOUR)));
        let paused = old.pause(&cursor, "").expect("short");
        let still = hourly.take_over(&old, &paused, now);
        assert_eq!((still.next, still.paused), (None, Some(String::new())));
    }

    #[test]
    fn a_trigger_submits_besides_the_ticks() {
        let schedule = schedule();
        let cursor = schedule.begin(noon());
        let now = noon().after(MINUTE);
        let triggered = schedule.trigger(&cursor, now);
        assert_eq!((triggered.jobs.len(), triggered.cursor.next), (1, cursor.next));
        assert_ne!(triggered.jobs[0].id, schedule.trigger(&cursor, now).jobs[0].id);
        // A job by hand that was done hid the one of the last tick, which still ran, from the next.
        assert_eq!(schedule.waits_for(&triggered.cursor), schedule.waits_for(&cursor));
    }

    #[test]
    fn bounds_are_kept() {
        let (starts, ends) = (noon().after(25 * MINUTE), noon().after(45 * MINUTE));
        let bounded = Schedule { starts: Some(starts), ends: Some(ends), ..schedule() };
        let ticks: Vec<_> = bounded.ticks(noon()).collect();
        assert_eq!(ticks, [starts, starts.after(10 * MINUTE), ends]);
        let due = Schedule { misfire: Misfire::All(9), ..bounded.clone() }.due(
            &bounded.begin(noon()),
            noon().after(HOUR),
            false,
        );
        assert_eq!((minutes(&due), due.cursor.next), (vec![25, 35, 45], None));
        assert!(bounded.check(noon()).is_ok() && bounded.check(ends).is_ok(), "one that has ended is declared on");
        assert!(Schedule { ends: Some(noon()), ..bounded }.check(noon()).is_err());
    }

    #[test]
    fn jitter_moves_a_start_and_always_by_as_much() {
        let schedule = Schedule { jitter: MINUTE, ..schedule() };
        let start = |span| match after(&schedule, span, false).jobs[0].start {
            Start::At(moment) => moment,
            other => panic!("{other:?}"),
        };
        let (tick, again) = (start(10 * MINUTE), start(10 * MINUTE + Duration::from_secs(30)));
        assert_eq!(tick, again);
        assert!(noon().after(20 * MINUTE).until(tick) <= MINUTE && tick != noon().after(20 * MINUTE));
    }

    #[test]
    fn all_of_its_jobs_have_their_place_where_it_is() {
        let schedule = schedule();
        let [.., place] = *Schedule::id(&schedule.name).as_bytes();
        let due = after(&Schedule { misfire: Misfire::All(9), ..schedule.clone() }, HOUR, false);
        let jobs =
            due.jobs.iter().chain(&schedule.trigger(&due.cursor, noon()).jobs).map(|job| job.id).collect::<Vec<_>>();
        assert!(jobs.len() > 5 && jobs.iter().all(|id| id.as_bytes()[15] == place));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let never = Cadence::cron("0 0 31 2 *").expect("an expression");
        assert_eq!(Schedule { cadence: never, ..schedule() }.check(noon()).map_err(|e| e.what()), Err("schedule"));
        for misfire in [Misfire::All(0), Misfire::All(1001)] {
            assert_eq!(Schedule { misfire, ..schedule() }.check(noon()).map_err(|e| e.what()), Err("misfire"));
        }
        assert!(Schedule { jitter: Duration::MAX, ..schedule() }.check(noon()).is_err());
    }
}
