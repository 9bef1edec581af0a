//! Taking in jobs as another store kept them.

use std::time::Duration;

use windlass_core::limits::HISTORY_MAX;
use windlass_core::{Attempt, AttemptOutcome, Expiry, Incarnation, Job, JobId, NewJob, Payload, Status};
use windlass_store::{Hint, Import, Imported, Replayed, Scope, SubmitOutcome, Swept};

use crate::jobs::{complete, delayed, error, fail, fragile, job, many, plain, progress, ranked, result, retry, snooze};
use crate::probe::{LEASE, Probe, TICK};
use crate::suite::Verdict;

const NO_IMPORT: Verdict = Verdict::Skipped("the store takes in no jobs of others");
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn import(importer: &dyn Import, jobs: &[Job]) -> Vec<Imported> {
    importer.import(jobs.to_vec()).await.expect("import")
}

async fn keep(importer: &dyn Import, jobs: &[Job]) {
    assert_eq!(import(importer, jobs).await, vec![Imported::Kept; jobs.len()]);
}

async fn read(probe: &Probe, ids: &[JobId]) -> Vec<Job> {
    let mut read = Vec::new();
    for id in ids {
        read.push(probe.job(*id).await);
    }
    read
}

/// Jobs of another store in every state that can move, some of them with a past.
async fn of_all_kinds(elsewhere: &Probe) -> Vec<Job> {
    let [retried, snoozed, dead] = [plain(), plain(), plain()];
    let first = elsewhere.run(&retried).await;
    elsewhere.extend_for(first.lease, LEASE, Some(progress(0.5))).await;
    elsewhere.finish(first.lease, retry(MINUTE)).await;
    elsewhere.run_to(&snoozed, snooze(MINUTE)).await;
    elsewhere.run_to(&dead, fail()).await;
    let crashed = elsewhere.run(&fragile(3)).await.lease.id;
    elsewhere.crash().await;
    let waiting = [plain(), ranked(0), delayed(MINUTE)];
    elsewhere.submit_all(&waiting).await;
    let past = [retried.id, snoozed.id, dead.id, crashed];
    read(elsewhere, &[&past[..], &waiting.map(|new| new.id)[..]].concat()).await
}

/// A job that waits in another store.
async fn waiting(probe: &Probe, new: &NewJob) -> Job {
    let elsewhere = probe.elsewhere();
    elsewhere.submit(new).await;
    elsewhere.job(new.id).await
}

pub async fn an_imported_job_is_as_it_stood(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let jobs = of_all_kinds(&probe.elsewhere()).await;
    probe.advance(TICK);
    keep(importer, &jobs).await;
    let ids: Vec<JobId> = jobs.iter().map(|job| job.new.id).collect();
    assert_eq!(read(&probe, &ids).await, jobs);
    Verdict::Passed
}

pub async fn imported_jobs_are_listed_in_their_order_and_counted(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let Some(query) = probe.query() else { return Verdict::Skipped("the store neither lists nor counts") };
    let here = plain();
    probe.submit(&here).await;
    let jobs = of_all_kinds(&probe.elsewhere()).await;
    keep(importer, &jobs).await;
    let listed = crate::invariants::accounting(query).await.expect("accounts");
    let ids = listed.iter().map(|job| job.new.id);
    assert!(ids.eq([here.id].into_iter().chain(jobs.iter().map(|job| job.new.id))));
    Verdict::Passed
}

pub async fn imported_jobs_queue_behind_those_that_are_here(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let (here, there) = (plain(), [plain(), ranked(0), plain()]);
    probe.submit(&here).await;
    let mut jobs = Vec::new();
    for new in &there {
        jobs.push(waiting(&probe, new).await);
    }
    keep(importer, &jobs).await;
    let after = plain();
    probe.submit(&after).await;
    assert_eq!(probe.take_ids(9).await, [there[1].id, here.id, there[0].id, there[2].id, after.id]);
    Verdict::Passed
}

pub async fn an_imported_job_goes_on_where_it_was(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let (elsewhere, job) = (probe.elsewhere(), plain());
    elsewhere.run_to(&job, retry(Duration::ZERO)).await;
    let before = elsewhere.job(job.id).await;
    keep(importer, std::slice::from_ref(&before)).await;
    let taken = probe.take_one().await;
    assert_eq!((taken.attempt(), taken.retries, taken.created_at), (2, 1, before.created_at));
    assert_eq!(probe.finish(taken.lease, complete()).await, Status::Completed);
    let kept = probe.job(job.id).await;
    let told: Vec<_> = kept.attempts.iter().map(|attempt| (attempt.number, attempt.outcome)).collect();
    assert_eq!(told, [(1, AttemptOutcome::Failed), (2, AttemptOutcome::Completed)]);
    assert_eq!((kept.result, kept.error), (Some(result()), None));
    Verdict::Passed
}

pub async fn an_imported_job_starts_at_its_time(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let job = delayed(MINUTE);
    keep(importer, &[waiting(&probe, &job).await]).await;
    probe.advance(MINUTE - TICK);
    assert!(probe.take(1).await.is_empty());
    probe.advance(TICK);
    assert_eq!(probe.take_one().await.lease.id, job.id);
    Verdict::Passed
}

pub async fn a_job_that_became_due_on_the_way_starts_at_once(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let job = delayed(MINUTE);
    let before = waiting(&probe, &job).await;
    probe.advance(2 * MINUTE);
    keep(importer, &[before]).await;
    assert_eq!(probe.take_one().await.lease.id, job.id);
    Verdict::Passed
}

pub async fn an_imported_suspect_is_still_suspected(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let (elsewhere, job) = (probe.elsewhere(), fragile(2));
    elsewhere.run(&job).await;
    elsewhere.crash().await;
    keep(importer, &[elsewhere.job(job.id).await]).await;
    let mut wary = probe.want(&["default"], 1);
    wary.suspects = 0;
    assert!(probe.claim(wary).await.jobs.is_empty());
    assert!(probe.take_one().await.is_suspect());
    assert_eq!(probe.crash().await, Swept { quarantined: 1, ..Swept::default() });
    Verdict::Passed
}

pub async fn an_id_that_is_here_is_not_imported(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let (here, new) = (plain(), plain());
    probe.submit(&here).await;
    let before = probe.job(here.id).await;
    let other = NewJob { payload: Payload::empty(), ..here.clone() };
    let jobs = [waiting(&probe, &other).await, waiting(&probe, &new).await, waiting(&probe, &new).await];
    assert_eq!(import(importer, &jobs).await, [Imported::Existing, Imported::Kept, Imported::Existing]);
    assert_eq!(import(importer, &jobs).await, [Imported::Existing; 3]);
    assert_eq!(probe.job(here.id).await, before);
    assert_eq!(probe.take_ids(9).await, [here.id, new.id]);
    Verdict::Passed
}

pub async fn an_imported_job_answers_for_its_id(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let job = plain();
    keep(importer, &[waiting(&probe, &job).await]).await;
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Existing);
    let other = NewJob { payload: Payload::empty(), ..job };
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
    Verdict::Passed
}

pub async fn what_runs_or_is_over_is_refused_alone(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let elsewhere = probe.elsewhere();
    let [done, stopped, waits] = [plain(), plain(), plain()];
    elsewhere.run_to(&done, complete()).await;
    elsewhere.submit(&stopped).await;
    elsewhere.cancel(stopped.id).await;
    let running = elsewhere.run(&plain()).await.lease.id;
    elsewhere.submit(&waits).await;
    let jobs = read(&elsewhere, &[done.id, stopped.id, waits.id, running]).await;
    let refused = Imported::Refused;
    assert_eq!(import(importer, &jobs).await, [refused, refused, Imported::Kept, refused]);
    assert_eq!((probe.find(done.id).await, probe.find(running).await), (None, None));
    assert_eq!(probe.take_ids(9).await, [waits.id]);
    Verdict::Passed
}

pub async fn a_job_that_contradicts_itself_is_refused(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let job = waiting(&probe, &plain()).await;
    let now = probe.now();
    let worker = Incarnation::random();
    let outcome = AttemptOutcome::Failed;
    let attempt = Attempt { number: 1, started_at: now, finished_at: now, outcome, error: None, worker };
    let wrong = [
        Job { status: Status::Scheduled, ..job.clone() },
        Job { status: Status::Failed, ..job.clone() },
        Job { status: Status::Failed, finished_at: Some(now.after(TICK)), ..job.clone() },
        Job { scheduled_at: Some(now), ..job.clone() },
        Job { finished_at: Some(now), ..job.clone() },
        Job { cancel_requested: true, ..job.clone() },
        Job { result: Some(result()), ..job.clone() },
        Job { attempts: vec![attempt.clone(); HISTORY_MAX + 1], ..job.clone() },
        Job { attempts: vec![Attempt { outcome: AttemptOutcome::Completed, ..attempt }], ..job.clone() },
    ];
    assert_eq!(import(importer, &wrong).await, [Imported::Refused; 9]);
    assert_eq!(probe.find(job.new.id).await, None);
    Verdict::Passed
}

pub async fn an_imported_dead_letter_is_kept_from_its_end(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let (elsewhere, job) = (probe.elsewhere(), plain());
    elsewhere.run_to(&job, fail()).await;
    let dead = elsewhere.job(job.id).await;
    probe.advance(13 * DAY);
    keep(importer, &[dead]).await;
    assert_eq!(probe.sweep().await, Swept::default());
    probe.advance(DAY);
    assert_eq!(probe.sweep().await, Swept { pruned: 1, ..Swept::default() });
    Verdict::Passed
}

pub async fn an_imported_dead_letter_is_replayed(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let Some(admin) = probe.admin() else { return Verdict::Skipped("the store has no operator actions") };
    let (elsewhere, job) = (probe.elsewhere(), plain());
    elsewhere.run_to(&job, fail()).await;
    keep(importer, &[elsewhere.job(job.id).await]).await;
    let replayed = admin.replay(job.id, &Scope::Everything).await.expect("replay");
    assert!(matches!(replayed, Some(Replayed::Done(_))), "{replayed:?}");
    let taken = probe.take_one().await;
    assert_eq!((taken.lease.id, taken.attempt()), (job.id, 1));
    assert_eq!(probe.job(job.id).await.attempts.len(), 1);
    Verdict::Passed
}

pub async fn an_imported_job_can_be_canceled(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let jobs = [waiting(&probe, &plain()).await, waiting(&probe, &delayed(MINUTE)).await];
    keep(importer, &jobs).await;
    for job in &jobs {
        probe.cancel(job.new.id).await;
        assert_eq!(probe.status(job.new.id).await, Status::Canceled);
    }
    probe.advance(MINUTE);
    assert!(probe.take(2).await.is_empty());
    Verdict::Passed
}

pub async fn imported_jobs_take_room_and_need_none(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    assert_eq!(probe.submit_within(1, &many(2)).await[1], SubmitOutcome::QueueFull);
    let jobs = [waiting(&probe, &plain()).await, waiting(&probe, &delayed(MINUTE)).await];
    keep(importer, &jobs).await;
    assert_eq!(probe.submit_within(3, &many(1)).await, [SubmitOutcome::QueueFull]);
    assert_eq!(probe.submit_within(4, &many(1)).await, [SubmitOutcome::Created(Status::Queued)]);
    Verdict::Passed
}

pub async fn a_long_history_moves_whole_and_is_trimmed_as_ever(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let mut job = waiting(&probe, &plain()).await;
    let (now, worker) = (probe.now(), Incarnation::random());
    let outcome = AttemptOutcome::Failed;
    let attempt = |number| Attempt { number, started_at: now, finished_at: now, outcome, error: Some(error()), worker };
    job.attempts = (1..=HISTORY_MAX as u32).map(attempt).collect();
    (job.retries, job.started_at, job.error) = (HISTORY_MAX as u32, Some(now), Some(error()));
    keep(importer, std::slice::from_ref(&job)).await;
    assert_eq!(probe.job(job.new.id).await, job);
    let last = probe.take_one().await;
    probe.finish(last.lease, fail()).await;
    let numbers: Vec<u32> = probe.job(job.new.id).await.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (2..=HISTORY_MAX as u32 + 1).collect::<Vec<_>>());
    Verdict::Passed
}

pub async fn imported_work_wakes(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let mut hints = probe.store().hints();
    keep(importer, &[waiting(&probe, &plain()).await]).await;
    let ready = async { while hints.next().await != Hint::Ready {} };
    tokio::time::timeout(Duration::from_secs(10), ready).await.expect("the work is hinted at");
    Verdict::Passed
}

pub async fn nothing_to_import_is_an_empty_answer(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    assert!(import(importer, &[]).await.is_empty());
    Verdict::Passed
}

pub async fn imported_jobs_survive(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let jobs = of_all_kinds(&probe.elsewhere()).await;
    keep(importer, &jobs).await;
    let Some(probe) = probe.reopen().await else { return Verdict::Skipped("the store keeps nothing over its end") };
    let ids: Vec<JobId> = jobs.iter().map(|job| job.new.id).collect();
    assert_eq!(read(&probe, &ids).await, jobs);
    Verdict::Passed
}

pub async fn an_imported_job_expires(probe: Probe) -> Verdict {
    let Some(importer) = probe.importer() else { return NO_IMPORT };
    let job = waiting(&probe, &job(|draft| draft.expires(Expiry::After(MINUTE)))).await;
    probe.advance(MINUTE / 2);
    keep(importer, std::slice::from_ref(&job)).await;
    assert_eq!(probe.sweep().await.expired, 0);
    probe.advance(MINUTE / 2);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(probe.status(job.new.id).await, Status::Failed);
    Verdict::Passed
}
