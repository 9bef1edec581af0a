//! What an acknowledgement is worth: everything acked is there when the store is opened again (I1, I5).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{Backlog, Expiry, Job, Limits, NewJob, Payload, Rate, Share, Status, Timestamp};
use windlass_store::{Extension, Fate, Outcome, SubmitOutcome, Swept};

use crate::jobs::{complete, delayed, fail, fragile, job, many, owner_named, plain, progress, retry, waiting_in};
use crate::probe::{LEASE, Probe};
use crate::scenarios::owner_backlogs;
use crate::suite::Verdict;

const NOT_KEPT: Verdict = Verdict::Skipped("the store keeps nothing over its end");
const MINUTE: Duration = Duration::from_secs(60);

/// One job in every status, in the order of [`Status::ALL`].
async fn one_of_each(probe: &Probe) -> Vec<NewJob> {
    let jobs = vec![plain(), delayed(MINUTE), plain(), plain(), plain(), plain()];
    probe.run_to(&jobs[3], complete()).await;
    probe.run_to(&jobs[4], fail()).await;
    probe.run_to(&jobs[5], Outcome::Stop).await;
    let running = probe.run(&jobs[2]).await;
    probe.extend_for(running.lease, LEASE, Some(progress(0.5))).await;
    probe.submit_all(&jobs[..2]).await;
    jobs
}

async fn read(probe: &Probe, jobs: &[NewJob]) -> Vec<Job> {
    let mut read = Vec::new();
    for job in jobs {
        read.push(probe.job(job.id).await);
    }
    read
}

pub async fn jobs_in_every_status_survive(probe: Probe) -> Verdict {
    let jobs = one_of_each(&probe).await;
    let before = read(&probe, &jobs).await;
    assert_eq!(before.iter().map(|job| job.status).collect::<Vec<_>>(), Status::ALL);
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(read(&probe, &jobs).await, before);
    Verdict::Passed
}

pub async fn counts_survive(probe: Probe) -> Verdict {
    one_of_each(&probe).await;
    let Some(query) = probe.query() else { return Verdict::Skipped("the store neither lists nor counts") };
    let before = query.counts().await.expect("counts");
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    let query = probe.query().expect("it was there before");
    assert_eq!(query.counts().await.expect("counts"), before);
    crate::invariants::accounting(query).await.expect("accounts");
    Verdict::Passed
}

pub async fn the_order_survives(probe: Probe) -> Verdict {
    let jobs = many(5);
    probe.submit_all(&jobs[..3]).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    probe.submit_all(&jobs[3..]).await;
    assert_eq!(probe.take_ids(5).await, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    Verdict::Passed
}

pub async fn the_schedule_survives(probe: Probe) -> Verdict {
    let job = delayed(MINUTE);
    probe.submit(&job).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.claim(probe.want(&["default"], 1)).await.next_due, Some(MINUTE));
    probe.advance(MINUTE);
    assert_eq!(probe.take_ids(1).await, [job.id]);
    Verdict::Passed
}

pub async fn rules_survive_with_who_waits_and_who_holds(probe: Probe) -> Verdict {
    let ann = || job(|draft| draft.key("user", "ann"));
    let (first, second, paused) = (ann(), ann(), waiting_in("paused"));
    probe.limit("keys:user", Limits::in_order()).await;
    probe.limit("handler:Other", Limits::rate(Rate::new(1, MINUTE).expect("valid"))).await;
    probe.edit("queue:paused", Edit::Pause("why".into())).await;
    let other = || NewJob::build("Other", Payload::empty()).finish(Timestamp::UNIX_EPOCH).expect("valid");
    probe.submit_all(&[first.clone(), second.clone(), other(), other(), paused.clone()]).await;
    let taken = probe.take_from(&["default", "paused"], 9).await;
    assert_eq!(taken.len(), 2, "the first of a key, and the one that the rate allows");
    probe.finish(taken[0].lease, retry(MINUTE / 2)).await;
    probe.finish(taken[1].lease, complete()).await;
    let before = probe.gates().list_gates(None, 9).await.expect("listed");

    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), before);
    assert!(probe.take_from(&["default", "paused"], 9).await.is_empty());
    probe.advance(MINUTE / 2);
    assert_eq!(probe.take_ids(9).await, [first.id], "it kept its slot");
    probe.advance(MINUTE / 2);
    assert_eq!(probe.take(9).await.len(), 1, "the bucket kept count");
    probe.edit("queue:paused", Edit::Resume).await;
    assert_eq!(probe.take_from(&["paused"], 9).await.len(), 1);
    probe.limit("keys:user", Limits::default()).await;
    assert_eq!(probe.take_ids(9).await, [second.id]);
    Verdict::Passed
}

pub async fn rules_for_submissions_survive(probe: Probe) -> Verdict {
    let of_ann = || job(|draft| draft.owner(Some(owner_named("ann"))));
    probe.limit("owners", Limits::rate(Rate::new(1, MINUTE).expect("valid"))).await;
    probe.edit("queue:default", Edit::Backlog(Backlog::most(2).drop_oldest())).await;
    let first = of_ann();
    probe.submit(&first).await;
    let before = probe.gates().list_gates(None, 9).await.expect("listed");

    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.gates().list_gates(None, 9).await.expect("listed"), before);
    assert_eq!(probe.submit(&of_ann()).await, SubmitOutcome::OverRate { retry_after: MINUTE }, "the bucket kept count");
    let answers = probe.submit_all(&[plain(), plain()]).await;
    assert_eq!(answers, [SubmitOutcome::Created(Status::Queued), SubmitOutcome::Replaced(first.id)]);
    Verdict::Passed
}

pub async fn backlogs_of_owners_survive(probe: Probe) -> Verdict {
    owner_backlogs::survives(probe).await.map_or(NOT_KEPT, |()| Verdict::Passed)
}

pub async fn lines_survive_with_who_waits_in_them(probe: Probe) -> Verdict {
    let of = |tenant: &str| job(|draft| draft.key("tenant", tenant));
    probe.edit("queue:default", Edit::Share(Share::by("tenant").expect("a kind"))).await;
    let mut jobs: Vec<NewJob> = (0..9).map(|_| of("ann")).collect();
    jobs.push(of("bob"));
    probe.submit_all(&jobs).await;
    assert_eq!(probe.take(1).await.len(), 1);

    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    probe.submit(&of("cay")).await;
    let taken = probe.take(3).await;
    let tenants: BTreeSet<String> = taken.iter().map(|taken| taken.new.keys()[0].to_string()).collect();
    assert_eq!(tenants.len(), 3, "{tenants:?}");
    assert_eq!(probe.take(99).await.len(), 7);
    Verdict::Passed
}

pub async fn jobs_left_to_others_survive(probe: Probe) -> Verdict {
    let jobs = many(3);
    probe.submit_all(&jobs).await;
    let claim = windlass_store::Claim { handlers: Some(Arc::default()), ..probe.want(&["default"], 9) };
    assert!(probe.claim(claim.clone()).await.jobs.is_empty());

    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert!(probe.claim(claim).await.jobs.is_empty());
    assert_eq!(probe.take_ids(9).await, jobs.iter().map(|job| job.id).collect::<Vec<_>>());
    Verdict::Passed
}

pub async fn tokens_rise_over_a_restart(probe: Probe) -> Verdict {
    let first = probe.run_to(&plain(), retry(Duration::ZERO)).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    let second = probe.take_one().await;
    assert!(second.lease.token > first.lease.token);
    probe.finish(second.lease, Outcome::Release).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert!(probe.take_one().await.lease.token > second.lease.token);
    Verdict::Passed
}

pub async fn a_pruned_jobs_token_is_not_issued_after_a_restart(probe: Probe) -> Verdict {
    let job = plain();
    let old = probe.run_to(&job, complete()).await;
    probe.advance(Duration::from_secs(25 * 3600));
    assert_eq!(probe.sweep().await.pruned, 1);
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert!(probe.run(&job).await.lease.token > old.lease.token);
    Verdict::Passed
}

pub async fn a_running_job_is_taken_back_after_a_restart(probe: Probe) -> Verdict {
    let job = plain();
    probe.run(&job).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.crash().await, Swept { reclaimed: 1, ..Swept::default() });
    let taken = probe.take_one().await;
    assert_eq!((taken.lease.id, taken.crashes), (job.id, 1));
    Verdict::Passed
}

pub async fn a_late_settlement_is_refused_after_a_restart(probe: Probe) -> Verdict {
    let taken = probe.run(&plain()).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    probe.advance(LEASE);
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::LeaseLost);
    assert_eq!(probe.extend(taken.lease).await, Extension::Lost);
    Verdict::Passed
}

pub async fn a_repeated_settlement_is_known_after_a_restart(probe: Probe) -> Verdict {
    let taken = probe.run_to(&plain(), complete()).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.settle(taken.lease, complete()).await, Fate::Repeated(Status::Completed));
    Verdict::Passed
}

pub async fn a_repeated_submission_is_known_after_a_restart(probe: Probe) -> Verdict {
    let job = plain();
    probe.submit(&job).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.submit(&job).await, SubmitOutcome::Existing);
    Verdict::Passed
}

pub async fn strikes_survive(probe: Probe) -> Verdict {
    let job = fragile(2);
    probe.run(&job).await;
    probe.crash().await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    let claim = windlass_store::Claim { suspects: 0, ..probe.want(&["default"], 1) };
    assert!(probe.claim(claim).await.jobs.is_empty());
    probe.take_one().await;
    assert_eq!(probe.crash().await.quarantined, 1);
    Verdict::Passed
}

pub async fn a_requested_cancellation_survives(probe: Probe) -> Verdict {
    let taken = probe.run(&plain()).await;
    probe.cancel(taken.lease.id).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.crash().await, Swept { stopped: 1, ..Swept::default() });
    assert_eq!(probe.status(taken.lease.id).await, Status::Canceled);
    Verdict::Passed
}

pub async fn emitted_jobs_survive_with_their_cause(probe: Probe) -> Verdict {
    let parent = probe.run(&plain()).await;
    let child = NewJob { id: parent.lease.id.emitted(0), ..plain() };
    probe.settle_emitting(parent.lease, complete(), std::slice::from_ref(&child)).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    assert_eq!(probe.status(parent.lease.id).await, Status::Completed);
    assert_eq!(probe.take_ids(1).await, [child.id]);
    Verdict::Passed
}

pub async fn an_expiry_survives(probe: Probe) -> Verdict {
    let new = job(|draft| draft.expires(Expiry::After(LEASE)));
    probe.submit(&new).await;
    let Some(probe) = probe.reopen().await else { return NOT_KEPT };
    probe.advance(LEASE);
    assert_eq!(probe.sweep().await.expired, 1);
    assert_eq!(probe.status(new.id).await, Status::Failed);
    Verdict::Passed
}
