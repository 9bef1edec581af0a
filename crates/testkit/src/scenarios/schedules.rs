//! Schedules: small records that are written with the jobs of their ticks, each state over the one before and no other.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{Expiry, JobId, NewJob, Schedule, ScheduleName, Status, Timestamp};
use windlass_store::schedules::{Kept, Revision, Write};
use windlass_store::{Hint, Schedules, SubmitOutcome};

use crate::jobs::{complete, delayed, job, many, plain, waiting_in};
use crate::probe::{Probe, TICK};
use crate::suite::Verdict;

const NO_SCHEDULES: Verdict = Verdict::Skipped("the store keeps no schedules");
const MINUTE: Duration = Duration::from_secs(60);

fn named(name: &str) -> ScheduleName {
    ScheduleName::new(name).expect("a valid name")
}

/// A first state without a tick.
fn first(name: &str) -> Write {
    Write { name: named(name), expected: None, due: None, record: name.as_bytes().to_vec(), jobs: Vec::new() }
}

/// The state after the one at `expected`.
fn next(name: &str, expected: Revision, due: Option<Timestamp>) -> Write {
    Write { expected: Some(expected), due, ..first(name) }
}

/// A job of a tick of the schedule: it has its place where the schedule is.
fn of(name: &str, shaped: NewJob) -> NewJob {
    let [.., place] = *Schedule::id(&named(name)).as_bytes();
    let mut id = *shaped.id.as_bytes();
    id[15] = place;
    NewJob { id: JobId::from_bytes(id), ..shaped }
}

async fn written(schedules: &dyn Schedules, write: Write) -> Revision {
    schedules.write_schedule(write).await.expect("write_schedule").expect("nobody was faster")
}

async fn refused(schedules: &dyn Schedules, write: Write) {
    assert_eq!(schedules.write_schedule(write).await.expect("write_schedule"), None);
}

async fn find(schedules: &dyn Schedules, name: &str) -> Option<Kept> {
    schedules.find_schedule(&named(name)).await.expect("find_schedule")
}

/// The names of what is due, and when the next one is.
async fn due(schedules: &dyn Schedules, limit: usize) -> (Vec<String>, Option<Timestamp>) {
    let due = schedules.due_schedules(limit).await.expect("due_schedules");
    (due.schedules.iter().map(|kept| kept.name.to_string()).collect(), due.next)
}

pub async fn a_schedule_is_kept_as_it_was_written(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let record: Vec<u8> = (0..=255).collect();
    let due = Some(probe.now().after(MINUTE));
    let revision = written(schedules, Write { due, record: record.clone(), ..first("nightly") }).await;
    let kept = Kept { name: named("nightly"), revision, due, record };
    assert_eq!(find(schedules, "nightly").await, Some(kept));
    assert_eq!(find(schedules, "Nightly").await, None);
    Verdict::Passed
}

pub async fn a_state_follows_the_one_it_expects_and_no_other(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let one = written(schedules, first("s")).await;
    let two = written(schedules, next("s", one, None)).await;
    assert!(two > one);
    refused(schedules, next("s", one, Some(probe.now()))).await;
    assert_eq!(find(schedules, "s").await.expect("it is there").revision, two);
    written(schedules, next("s", two, None)).await;
    Verdict::Passed
}

pub async fn a_schedule_is_made_once(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    written(schedules, first("s")).await;
    refused(schedules, first("s")).await;
    refused(schedules, next("other", Revision(1), None)).await;
    assert_eq!(find(schedules, "other").await, None);
    Verdict::Passed
}

pub async fn a_schedule_made_anew_has_no_revision_of_its_former_life(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let one = written(schedules, first("s")).await;
    let two = written(schedules, next("s", one, None)).await;
    assert!(schedules.remove_schedule(&named("s")).await.expect("remove_schedule"));
    probe.advance(TICK * 5);
    let anew = written(schedules, first("s")).await;
    assert!(anew > two);
    refused(schedules, next("s", one, None)).await;
    refused(schedules, next("s", two, None)).await;
    Verdict::Passed
}

pub async fn a_removed_schedule_is_gone_and_due_no_more(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let revision = written(schedules, Write { due: Some(probe.now()), ..first("s") }).await;
    assert!(schedules.remove_schedule(&named("s")).await.expect("remove_schedule"));
    assert!(!schedules.remove_schedule(&named("s")).await.expect("remove_schedule"));
    assert_eq!((find(schedules, "s").await, due(schedules, 9).await), (None, (vec![], None)));
    refused(schedules, next("s", revision, None)).await;
    Verdict::Passed
}

pub async fn jobs_come_with_a_state_that_is_written(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let (ready, later, elsewhere) = (of("s", plain()), of("s", delayed(MINUTE)), of("s", waiting_in("other")));
    let jobs = [&ready, &later, &elsewhere].map(|job| Arc::new(job.clone())).to_vec();
    written(schedules, Write { jobs, ..first("s") }).await;
    assert_eq!(probe.take_ids(9).await, [ready.id]);
    assert_eq!(probe.status(later.id).await, Status::Scheduled);
    assert_eq!(probe.take_from(&["other"], 9).await.len(), 1);
    assert_eq!(*probe.job(later.id).await.new, later);
    Verdict::Passed
}

pub async fn no_jobs_come_with_a_state_that_is_refused(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let one = written(schedules, first("s")).await;
    written(schedules, next("s", one, None)).await;
    let late = of("s", plain());
    refused(schedules, Write { jobs: vec![Arc::new(late.clone())], ..next("s", one, None) }).await;
    assert!(probe.find(late.id).await.is_none() && probe.take(9).await.is_empty());
    Verdict::Passed
}

pub async fn a_job_that_exists_is_passed_over(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let (known, new) = (of("s", plain()), of("s", plain()));
    probe.run_to(&known, complete()).await;
    let jobs = vec![Arc::new(known.clone()), Arc::new(new.clone())];
    written(schedules, Write { jobs, ..first("s") }).await;
    assert_eq!(probe.status(known.id).await, Status::Completed);
    assert_eq!(probe.take_ids(9).await, [new.id]);
    Verdict::Passed
}

pub async fn a_full_queue_takes_the_jobs_of_a_tick(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    probe.submit_all(&many(3)).await;
    let jobs = many(2).into_iter().map(|job| Arc::new(of("s", job))).collect();
    written(schedules, Write { jobs, ..first("s") }).await;
    assert_eq!(
        probe.submit_within(2, &[of("s", plain())]).await,
        [SubmitOutcome::QueueFull],
        "they count all the same"
    );
    assert_eq!(probe.take(9).await.len(), 5);
    Verdict::Passed
}

pub async fn what_is_due_comes_the_earliest_first(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let at = |minutes| Some(probe.now().after(MINUTE * minutes));
    for (name, minutes) in [("late", 3), ("early", 1), ("b", 2), ("a", 2)] {
        written(schedules, Write { due: at(minutes), ..first(name) }).await;
    }
    written(schedules, first("never")).await;
    let last = at(3);
    assert_eq!(due(schedules, 9).await, (vec![], at(1)));
    probe.advance(MINUTE * 2);
    assert_eq!(due(schedules, 9).await, (vec!["early".into(), "a".into(), "b".into()], last));
    Verdict::Passed
}

pub async fn a_schedule_is_due_at_its_moment_and_not_before(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let moment = probe.now().after(MINUTE);
    written(schedules, Write { due: Some(moment), ..first("s") }).await;
    probe.advance(MINUTE - TICK);
    assert_eq!(due(schedules, 9).await, (vec![], Some(moment)));
    probe.advance(TICK);
    let found = schedules.due_schedules(9).await.expect("due_schedules");
    assert_eq!((found.at, found.next, found.schedules.len()), (moment, None, 1));
    Verdict::Passed
}

pub async fn more_that_is_due_than_was_asked_for_is_next(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let past = probe.now().before(MINUTE);
    for name in ["a", "b", "c"] {
        written(schedules, Write { due: Some(past), ..first(name) }).await;
    }
    assert_eq!(due(schedules, 2).await, (vec!["a".into(), "b".into()], Some(past)));
    assert_eq!(due(schedules, 3).await.1, None);
    assert_eq!(due(schedules, 0).await, (vec![], Some(past)));
    Verdict::Passed
}

pub async fn a_new_state_moves_when_it_is_due(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let one = written(schedules, Write { due: Some(probe.now()), ..first("s") }).await;
    let later = probe.now().after(MINUTE);
    let two = written(schedules, next("s", one, Some(later))).await;
    assert_eq!(due(schedules, 9).await, (vec![], Some(later)));
    written(schedules, next("s", two, None)).await;
    assert_eq!(due(schedules, 9).await, (vec![], None));
    Verdict::Passed
}

pub async fn schedules_are_listed_by_name_and_in_pages(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    for name in ["b", "a.2", "Z", "a", "_"] {
        written(schedules, first(name)).await;
    }
    let list = async |after: Option<&str>, limit| {
        let page = schedules.list_schedules(after.map(named).as_ref(), limit).await.expect("list_schedules");
        page.iter().map(|kept| kept.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 9).await, ["Z", "_", "a", "a.2", "b"]);
    assert_eq!(list(None, 2).await, ["Z", "_"]);
    assert_eq!(list(Some("_"), 2).await, ["a", "a.2"]);
    assert_eq!(list(Some("a.1"), 9).await, ["a.2", "b"]);
    assert!(list(Some("b"), 9).await.is_empty() && list(None, 0).await.is_empty());
    Verdict::Passed
}

pub async fn a_page_of_schedules_has_its_bound(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    for number in 0..=PAGE_MAX {
        written(schedules, Write { due: Some(probe.now()), ..first(&format!("s{number:03}")) }).await;
    }
    assert_eq!(schedules.list_schedules(None, usize::MAX).await.expect("list_schedules").len(), PAGE_MAX);
    let (names, left) = due(schedules, usize::MAX).await;
    assert_eq!((names.len(), left), (PAGE_MAX, Some(probe.now())));
    Verdict::Passed
}

/// Whoever is faster has dealt with the tick; the others learn that they have not.
pub async fn of_many_who_deal_with_a_tick_one_does(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let revision = written(schedules, Write { due: Some(probe.now()), ..first("s") }).await;
    let jobs = many(16).into_iter().map(|job| of("s", job));
    let attempts =
        jobs.map(|job| schedules.write_schedule(Write { jobs: vec![Arc::new(job)], ..next("s", revision, None) }));
    let won = join_all(attempts).await.into_iter().filter_map(|written| written.expect("write_schedule")).count();
    assert_eq!((won, probe.take(99).await.len()), (1, 1));
    Verdict::Passed
}

pub async fn of_many_who_make_a_schedule_one_does(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let made = join_all((0..16).map(|_| schedules.write_schedule(first("s")))).await;
    assert_eq!(made.into_iter().filter_map(|written| written.expect("write_schedule")).count(), 1);
    Verdict::Passed
}

pub async fn a_written_schedule_wakes(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let mut hints = probe.store().hints();
    written(schedules, Write { due: Some(probe.now().after(MINUTE)), ..first("s") }).await;
    while hints.next().await != Hint::Schedules {}
    Verdict::Passed
}

pub async fn a_ticks_job_wakes(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let mut hints = probe.store().hints();
    written(schedules, Write { jobs: vec![Arc::new(of("s", plain()))], ..first("s") }).await;
    while hints.next().await != Hint::Ready {}
    Verdict::Passed
}

pub async fn moments_before_1970_are_due_too(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let early = Timestamp::from_micros(-5);
    written(schedules, Write { due: Some(early), ..first("s") }).await;
    assert_eq!(find(schedules, "s").await.expect("it is there").due, Some(early));
    assert_eq!(due(schedules, 1).await, (vec!["s".into()], None));
    Verdict::Passed
}

pub async fn a_large_record_is_kept_whole(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let record = vec![7; 1 << 20];
    let large = of("s", job(|draft| draft.queue("other")));
    written(schedules, Write { record: record.clone(), jobs: vec![Arc::new(large)], ..first("s") }).await;
    assert_eq!(find(schedules, "s").await.expect("it is there").record, record);
    Verdict::Passed
}

pub async fn schedules_survive(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let moment = probe.now().after(MINUTE);
    let revision = written(schedules, Write { due: Some(moment), ..first("s") }).await;
    let before = find(schedules, "s").await;
    let Some(probe) = probe.reopen().await else { return Verdict::Skipped("the store keeps nothing over its end") };
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    assert_eq!(find(schedules, "s").await, before);
    probe.advance(MINUTE);
    assert_eq!(due(schedules, 9).await.0, ["s"]);
    written(schedules, next("s", revision, None)).await;
    Verdict::Passed
}

pub async fn a_job_of_a_tick_expires(probe: Probe) -> Verdict {
    let Some(schedules) = probe.store().schedules() else { return NO_SCHEDULES };
    let new = of("daily", job(|draft| draft.expires(Expiry::After(MINUTE))));
    written(schedules, Write { jobs: vec![Arc::new(new.clone())], ..first("daily") }).await;
    probe.advance(MINUTE);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(probe.status(new.id).await, Status::Failed);
    Verdict::Passed
}
