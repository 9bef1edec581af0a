//! Backlogs of owners: how many jobs of each may wait, in all queues together, and what becomes of those over it.

use std::sync::Arc;
use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::{Backlog, Expiry, Job, JobBuilder, Limits, NewJob, Priority, Rate, Share, Start, Status, Unique};
use windlass_store::{Exchange, Outcome, SubmitOutcome};

use crate::jobs::{complete, delayed, fail, job, many, owner_named, plain, retry, waiting_in};
use crate::probe::{LEASE, Probe, settlement};

const CREATED: SubmitOutcome = SubmitOutcome::Created(Status::Queued);
const DELAYED: SubmitOutcome = SubmitOutcome::Created(Status::Scheduled);
const FULL: SubmitOutcome = SubmitOutcome::OwnerFull;
const SECOND: Duration = Duration::from_secs(1);

fn shaped(owner: &str, shape: impl FnOnce(JobBuilder) -> JobBuilder) -> NewJob {
    job(|draft| shape(draft.owner(Some(owner_named(owner)))))
}

fn of(owner: &str) -> NewJob {
    shaped(owner, |draft| draft)
}

fn many_of(owner: &str, number: usize) -> Vec<NewJob> {
    (0..number).map(|_| of(owner)).collect()
}

fn ranked(owner: &str, level: u8) -> NewJob {
    shaped(owner, |draft| draft.priority(Priority::new(level).expect("a level from 0 to 9")))
}

fn same(owner: &str, key: &str) -> NewJob {
    shaped(owner, |draft| draft.unique(Unique::key(key).replace()))
}

async fn bound(probe: &Probe, gate: &str, backlog: Backlog) {
    probe.edit(gate, Edit::Backlog(backlog)).await;
}

pub async fn so_many_of_an_owner_may_wait(probe: Probe) {
    for gate in ["owner:ann", "owners"] {
        bound(&probe, gate, Backlog::most(2)).await;
        let jobs = many_of("ann", 3);
        assert_eq!(probe.submit_all(&jobs).await, [CREATED, CREATED, FULL], "{gate}");
        assert_eq!(probe.submit(&jobs[2]).await, FULL, "{gate}");
        assert_eq!(probe.find(jobs[2].id).await, None, "{gate}: nothing was stored");
        probe.take_one().await;
        assert_eq!(probe.submit(&jobs[2]).await, CREATED, "{gate}");
        assert_eq!(probe.take(9).await.len(), 2, "{gate}");
        bound(&probe, gate, Backlog::most(0)).await;
        assert_eq!(probe.submit(&of("ann")).await, FULL, "{gate}: none at all");
        bound(&probe, gate, Backlog::default()).await;
    }
}

pub async fn each_owner_is_counted_by_itself(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    let jobs = [of("ann"), of("bob"), plain(), of("ann"), plain(), of("bob"), of("cid")];
    assert_eq!(probe.submit_all(&jobs).await, [CREATED, CREATED, CREATED, FULL, CREATED, FULL, CREATED]);
}

pub async fn what_is_said_of_one_owner_goes_before(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    bound(&probe, "owner:ann", Backlog::most(3)).await;
    bound(&probe, "owner:cid", Backlog::most(0)).await;
    assert_eq!(
        probe.submit_all(&many_of("ann", 4)).await,
        [CREATED, CREATED, CREATED, FULL],
        "it drops nobody, either"
    );
    let bobs = many_of("bob", 2);
    assert_eq!(probe.submit_all(&bobs).await, [CREATED, SubmitOutcome::Replaced(bobs[0].id)]);
    assert_eq!(probe.submit(&of("cid")).await, FULL);
    let rate = Limits::rate(Rate::per_second(1_000).expect("valid"));
    probe.limit("owner:bob", rate).await;
    assert_eq!(probe.submit(&of("bob")).await, SubmitOutcome::Replaced(bobs[1].id), "a rate says nothing of who waits");
}

pub async fn taken_ids_do_not_count(probe: Probe) {
    bound(&probe, "owners", Backlog::most(2)).await;
    let (first, second) = (of("ann"), of("ann"));
    assert_eq!(probe.submit(&first).await, CREATED);
    let batch = [first.clone(), second.clone(), second.clone(), of("ann"), first.clone()];
    let existing = SubmitOutcome::Existing;
    assert_eq!(probe.submit_all(&batch).await, [existing, CREATED, existing, FULL, existing]);
    let other = job(|draft| draft.id(first.id).priority(Priority::new(1).expect("valid")));
    assert_eq!(probe.submit(&other).await, SubmitOutcome::Conflict);
}

/// In a large batch as in small ones.
pub async fn each_job_of_a_batch_has_its_own_answer(probe: Probe) {
    bound(&probe, "owners", Backlog::most(20)).await;
    let jobs: Vec<NewJob> = (0..60).map(|place| if place % 2 == 0 { of("ann") } else { of("bob") }).collect();
    let answers = probe.submit_all(&jobs).await;
    assert!(answers[..40].iter().all(|answer| *answer == CREATED), "{answers:?}");
    assert!(answers[40..].iter().all(|answer| *answer == FULL), "{answers:?}");
    assert_eq!(probe.take(99).await.len(), 40);
}

pub async fn all_queues_and_delayed_jobs_count_together(probe: Probe) {
    bound(&probe, "owners", Backlog::most(3)).await;
    let late = shaped("ann", |draft| draft.start(Start::After(SECOND)));
    let elsewhere = shaped("ann", |draft| draft.queue("other"));
    let held = shaped("ann", |draft| draft.key("user", "ann"));
    probe.edit("keys:user", Edit::Pause("later".into())).await;
    assert_eq!(probe.submit_all(&[late, elsewhere, held]).await, [DELAYED, CREATED, CREATED]);
    assert!(probe.take(9).await.is_empty());
    assert_eq!(probe.submit(&of("ann")).await, FULL, "one waits at a gate, one for its time");
    probe.advance(SECOND);
    probe.sweep().await;
    assert_eq!(probe.submit(&of("ann")).await, FULL, "one that is due still waits");
    assert_eq!(probe.take_from(&["default", "other"], 9).await.len(), 2);
    assert_eq!(probe.submit_all(&many_of("ann", 3)).await, [CREATED, CREATED, FULL]);
    probe.edit("keys:user", Edit::Resume).await;
    assert_eq!(probe.take(9).await.len(), 3);
    assert_eq!(probe.submit_all(&many_of("ann", 4)).await, [CREATED, CREATED, CREATED, FULL]);
}

/// From their time into a line, from there to a gate, and from that to another.
pub async fn those_that_move_between_lines_and_gates_count(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    probe.edit("queue:default", Edit::Share(Share::by("user").expect("a kind"))).await;
    let both = |draft: JobBuilder| draft.key("user", "ann").key("team", "red");
    let moving = shaped("ann", |draft| both(draft).start(Start::After(SECOND)));
    assert_eq!(probe.submit(&moving).await, DELAYED);
    probe.advance(SECOND);
    probe.sweep().await;
    assert_eq!(probe.submit(&of("ann")).await, FULL, "in its line");
    probe.edit("key:user:ann", Edit::Pause("first".into())).await;
    probe.edit("key:team:red", Edit::Pause("second".into())).await;
    assert!(probe.take(9).await.is_empty());
    assert_eq!(probe.submit(&of("ann")).await, FULL, "at a gate");
    for gate in ["key:user:ann", "key:team:red"] {
        let other = if gate == "key:user:ann" { "key:team:red" } else { "key:user:ann" };
        probe.edit(other, Edit::Pause("other".into())).await;
        probe.edit(gate, Edit::Resume).await;
        assert!(probe.take(9).await.is_empty());
        assert_eq!(probe.submit(&of("ann")).await, FULL, "at the other");
    }
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_ids(9).await, [moving.id]);
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
}

pub async fn those_that_waited_before_the_rule_count(probe: Probe) {
    let late = || shaped("ann", |draft| draft.start(Start::After(SECOND)));
    let lined = |user: &str| shaped("ann", |draft| draft.key("user", user).queue("shared"));
    let held = shaped("ann", |draft| draft.key("team", "red"));
    probe.edit("queue:shared", Edit::Share(Share::by("user").expect("a kind"))).await;
    probe.edit("keys:team", Edit::Pause("later".into())).await;
    probe.submit_all(&[of("ann"), of("ann"), of("bob"), plain(), late(), lined("a"), lined("b"), held]).await;
    let running = probe.take(1).await.pop().expect("one is ready");
    assert_eq!(probe.take(2).await.len(), 2, "and passes over the one that is held");
    let now_ready = [of("ann"), of("ann")];
    probe.submit_all(&now_ready).await;
    // Waiting: one that is late, two in lines, one at a gate, two that are ready. Two of ann's run.
    bound(&probe, "owners", Backlog::most(7)).await;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
    probe.finish(running.lease, Outcome::Release).await;
    bound(&probe, "owners", Backlog::most(9)).await;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL], "one that ran waits again");
    assert_eq!(probe.take_from(&["shared"], 9).await.len(), 2);
    assert_eq!(probe.submit_all(&many_of("ann", 3)).await, [CREATED, CREATED, FULL]);
}

pub async fn room_comes_back_and_goes_again(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    let first = probe.run(&of("ann")).await;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL], "those that run do not wait");
    let second = probe.take_one().await;
    assert_eq!(probe.finish(first.lease, retry(SECOND)).await, Status::Scheduled);
    assert_eq!(probe.submit(&of("ann")).await, FULL, "one that is tried again waits");
    assert!(matches!(probe.cancel(first.lease.id).await, windlass_store::Canceled::Done(_)));
    let third = of("ann");
    assert_eq!(probe.submit(&third).await, CREATED, "nobody waits");
    assert!(matches!(probe.cancel(third.id).await, windlass_store::Canceled::Done(_)));
    assert_eq!(probe.finish(second.lease, Outcome::Release).await, Status::Queued);
    assert_eq!(probe.submit(&of("ann")).await, FULL, "one that was given back waits");
    let back = probe.take_one().await;
    assert_eq!(back.lease.id, second.lease.id);
    assert_eq!(probe.submit(&of("bob")).await, CREATED);
    probe.take_one().await;
    assert_eq!(probe.crash().await.reclaimed, 2);
    assert_eq!(probe.submit_all(&[of("ann"), of("bob")]).await, [FULL, FULL], "those whose worker died wait");
    let [one, other] = &probe.take(9).await[..] else { panic!("two are ready") };
    probe.finish(one.lease, complete()).await;
    probe.finish(other.lease, complete()).await;
    assert_eq!(probe.submit_all(&[of("ann"), of("bob"), of("ann")]).await, [CREATED, CREATED, FULL]);
}

pub async fn expired_and_replayed_jobs_count_as_they_stand(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    let short = shaped("ann", |draft| draft.expires(Expiry::After(SECOND)));
    assert_eq!(probe.submit_all(&[short.clone(), of("ann")]).await, [CREATED, FULL]);
    probe.advance(SECOND);
    assert_eq!(probe.sweep().await.expired, 1);
    let failed = probe.run_to(&of("ann"), fail()).await;
    assert_eq!(probe.status(failed.lease.id).await, Status::Failed);
    let Some(admin) = probe.admin() else { return };
    admin.replay(failed.lease.id, &windlass_store::Scope::Everything).await.expect("replays");
    assert_eq!(probe.submit(&of("ann")).await, FULL, "it waits again");
    probe.take_one().await;
    assert_eq!(probe.submit(&of("ann")).await, CREATED);
}

pub async fn emitted_and_imported_jobs_count_and_are_not_refused(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    let parent = probe.run(&of("ann")).await;
    let waiting = of("ann");
    probe.submit(&waiting).await;
    let children = many_of("ann", 6);
    probe.settle_emitting(parent.lease, complete(), &children).await;
    assert_eq!(probe.submit(&of("ann")).await, FULL);
    assert_eq!(probe.take_from(&["default"], 6).await.len(), 6);
    assert_eq!(probe.submit(&of("ann")).await, FULL, "one of them is left");
    probe.take_one().await;
    assert_eq!(probe.status(waiting.id).await, Status::InProgress, "nobody was canceled for them");
    if let Some(importer) = probe.importer() {
        let came: Vec<Job> = vec![imported(&probe, of("ann"))];
        importer.import(came).await.expect("imports");
        assert_eq!(probe.submit(&of("ann")).await, FULL, "an imported one waits, too");
        probe.take_one().await;
    }
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
}

fn imported(probe: &Probe, new: NewJob) -> Job {
    Job {
        new: Arc::new(new),
        status: Status::Queued,
        retries: 0,
        crashes: 0,
        cancel_requested: false,
        created_at: probe.now(),
        scheduled_at: None,
        started_at: None,
        finished_at: None,
        updated_at: probe.now(),
        progress: None,
        result: None,
        error: None,
        attempts: Vec::new(),
    }
}

pub async fn a_rule_that_is_gone_holds_no_more(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1)).await;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
    bound(&probe, "owners", Backlog::default()).await;
    assert_eq!(probe.submit_all(&many_of("ann", 5)).await, [CREATED; 5]);
    probe.take(2).await;
    // Four wait by now, and are counted anew.
    bound(&probe, "owner:ann", Backlog::most(5)).await;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
    bound(&probe, "owner:ann", Backlog::default()).await;
    assert!(probe.gates().list_gates(None, 9).await.expect("listed").is_empty());
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED; 2]);
    assert_eq!(probe.take(99).await.len(), 7);
}

pub async fn the_oldest_of_the_least_urgent_makes_room(probe: Probe) {
    bound(&probe, "owners", Backlog::most(4).drop_oldest()).await;
    let bobs = ranked("bob", 9);
    let jobs: Vec<NewJob> = [5, 7, 7, 0].map(|level| ranked("ann", level)).into();
    probe.submit(&bobs).await;
    assert_eq!(probe.submit_all(&jobs).await, [CREATED; 4]);
    let urgent = ranked("ann", 0);
    assert_eq!(probe.submit(&urgent).await, SubmitOutcome::Replaced(jobs[1].id));
    assert_eq!(probe.status(jobs[1].id).await, Status::Canceled);
    assert_eq!(probe.submit(&urgent).await, SubmitOutcome::Existing, "again");
    let last = ranked("ann", 9);
    assert_eq!(probe.submit(&last).await, SubmitOutcome::Replaced(jobs[2].id), "not of another owner");
    assert_eq!(probe.take_ids(9).await, [jobs[3].id, urgent.id, jobs[0].id, bobs.id, last.id]);
    bound(&probe, "owner:ann", Backlog::most(0).drop_oldest()).await;
    assert_eq!(probe.submit(&of("ann")).await, FULL, "nobody waits who could make room");
}

/// Whoever waits at a gate, in a line, for its time or in another queue makes room as well.
pub async fn one_that_is_not_ready_makes_room_too(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    let late = shaped("ann", |draft| draft.start(Start::After(SECOND)).queue("other"));
    assert_eq!(probe.submit(&late).await, DELAYED);
    let held = shaped("ann", |draft| draft.key("user", "ann"));
    assert_eq!(probe.submit(&held).await, SubmitOutcome::Replaced(late.id));
    probe.edit("key:user:ann", Edit::Pause("later".into())).await;
    assert!(probe.take(9).await.is_empty());
    probe.edit("queue:default", Edit::Share(Share::by("user").expect("a kind"))).await;
    let lined = shaped("ann", |draft| draft.key("user", "bob"));
    assert_eq!(probe.submit(&lined).await, SubmitOutcome::Replaced(held.id));
    let last = shaped("ann", |draft| draft.key("user", "cid").queue("third"));
    assert_eq!(probe.submit(&last).await, SubmitOutcome::Replaced(lined.id));
    probe.edit("key:user:ann", Edit::Resume).await;
    assert_eq!(probe.take_from(&["default", "other", "third"], 9).await.len(), 1);
    assert_eq!(probe.status(last.id).await, Status::InProgress);
}

pub async fn a_batch_drops_its_own_first_ones(probe: Probe) {
    bound(&probe, "owners", Backlog::most(5).drop_oldest()).await;
    let before = many_of("ann", 3);
    probe.submit_all(&before).await;
    let jobs = many_of("ann", 30);
    let answers = probe.submit_all(&jobs).await;
    assert_eq!(answers[..2], [CREATED, CREATED]);
    assert_eq!(answers[2..5], [before[0].id, before[1].id, before[2].id].map(SubmitOutcome::Replaced));
    assert_eq!(answers[29], SubmitOutcome::Replaced(jobs[24].id));
    assert_eq!(probe.take_ids(99).await, jobs[25..].iter().map(|job| job.id).collect::<Vec<_>>());
}

pub async fn nobody_is_dropped_for_a_job_that_is_refused(probe: Probe) {
    bound(&probe, "queue:small", Backlog::most(1)).await;
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    let (small, first) = (waiting_in("small"), of("ann"));
    assert_eq!(probe.submit_all(&[small.clone(), first.clone()]).await, [CREATED, CREATED]);
    let third = shaped("ann", |draft| draft.queue("small"));
    assert_eq!(probe.submit(&third).await, SubmitOutcome::QueueFull);
    assert_eq!(probe.status(first.id).await, Status::Queued);
    bound(&probe, "queue:small", Backlog::most(1).drop_oldest()).await;
    bound(&probe, "owners", Backlog::most(1)).await;
    assert_eq!(probe.submit(&third).await, FULL);
    assert_eq!(probe.status(small.id).await, Status::Queued);
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    bound(&probe, "queue:small", Backlog::most(0).drop_oldest()).await;
    probe.take_from(&["small"], 1).await;
    assert_eq!(probe.submit(&third).await, SubmitOutcome::QueueFull);
    assert_eq!(probe.status(first.id).await, Status::Queued);
}

/// One for one: a job that leaves for its owner's next one leaves its queue, too.
pub async fn whoever_leaves_the_queue_makes_room_there_too(probe: Probe) {
    bound(&probe, "owners", Backlog::most(2).drop_oldest()).await;
    bound(&probe, "queue:default", Backlog::most(3)).await;
    let (anns, bob) = (many_of("ann", 4), of("bob"));
    assert_eq!(probe.submit_all(&[bob.clone(), anns[0].clone(), anns[1].clone()]).await, [CREATED; 3]);
    assert_eq!(probe.submit(&anns[2]).await, SubmitOutcome::Replaced(anns[0].id), "a queue that refuses");
    bound(&probe, "queue:default", Backlog::most(2).drop_oldest()).await;
    assert_eq!(probe.submit(&anns[3]).await, SubmitOutcome::Replaced(anns[1].id), "one that drops, and has too many");
    assert_eq!(probe.take_ids(9).await, [bob.id, anns[2].id, anns[3].id]);
}

pub async fn both_may_have_to_make_room(probe: Probe) {
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    bound(&probe, "queue:default", Backlog::most(1).drop_oldest()).await;
    let elsewhere = shaped("ann", |draft| draft.queue("other"));
    let (bob, new) = (of("bob"), of("ann"));
    assert_eq!(probe.submit_all(&[elsewhere.clone(), bob.clone()]).await, [CREATED, CREATED]);
    assert_eq!(probe.submit(&new).await, SubmitOutcome::Replaced(elsewhere.id), "the owner's is named");
    assert_eq!(probe.status(bob.id).await, Status::Canceled);
    assert_eq!(probe.take_from(&["default", "other"], 9).await.len(), 1);
}

pub async fn a_unique_job_replaces_without_more_room(probe: Probe) {
    for backlog in [Backlog::most(2), Backlog::most(2).drop_oldest()] {
        bound(&probe, "owners", backlog).await;
        let key = if backlog.drops { "one" } else { "two" };
        let (first, second, third) = (of("ann"), same("ann", key), same("ann", key));
        assert_eq!(probe.submit_all(&[first.clone(), second.clone()]).await, [CREATED, CREATED]);
        assert_eq!(probe.submit(&third).await, SubmitOutcome::Replaced(second.id), "{backlog:?}");
        assert_eq!(probe.status(first.id).await, Status::Queued, "{backlog:?}");
        let fourth = same("ann", &format!("not {key}"));
        let expected = if backlog.drops { SubmitOutcome::Replaced(first.id) } else { FULL };
        assert_eq!(probe.submit(&fourth).await, expected, "{backlog:?}");
        assert_eq!(probe.take(9).await.len(), 2, "{backlog:?}");
    }
}

pub async fn a_unique_job_is_refused_and_leaves_the_other(probe: Probe) {
    let newest = || shaped("ann", |draft| draft.unique(Unique::key("k").cancel_running()));
    let running = probe.run(&newest()).await;
    bound(&probe, "owners", Backlog::most(1)).await;
    let waiting = of("ann");
    probe.submit(&waiting).await;
    let new = newest();
    assert_eq!(probe.submit(&new).await, FULL, "one that runs makes no room");
    assert!(!probe.job(running.lease.id).await.cancel_requested, "and is left alone");
    bound(&probe, "owners", Backlog::most(1).drop_oldest()).await;
    assert_eq!(probe.submit(&new).await, SubmitOutcome::Replaced(running.lease.id));
    assert_eq!(probe.status(waiting.id).await, Status::Canceled);
    assert_eq!(probe.submit(&shaped("ann", |draft| draft.unique(Unique::key("k")))).await, SubmitOutcome::Duplicate);
    assert_eq!(probe.take_ids(9).await, [new.id]);
}

/// What is freed in a turn may be taken in it, and what is brought in it counts in it.
pub async fn a_turn_that_does_more_counts_too(probe: Probe) {
    bound(&probe, "owners", Backlog::most(2)).await;
    let running = probe.run(&of("ann")).await;
    let turn = Exchange {
        settle: vec![settlement(running.lease, Outcome::Release, &[])],
        submit: many_of("ann", 2).into_iter().map(Arc::new).collect(),
        claim: Some(probe.want(&["default"], 1)),
        ..Exchange::default()
    };
    let answers = probe.exchange(turn).await;
    let outcomes: Vec<SubmitOutcome> = answers.submitted.iter().map(|submitted| submitted.outcome).collect();
    assert_eq!(outcomes, [CREATED, FULL]);
    assert_eq!(answers.claimed.jobs.len(), 1);
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL]);
    probe.advance(LEASE);
    assert_eq!(
        probe.submit_all(&[delayed(SECOND), plain()]).await,
        [DELAYED, CREATED],
        "who has no owner is not counted"
    );
}

pub async fn a_full_owner_stays_full_however_many_submit(probe: Probe) {
    for (owner, backlog) in [("ann", Backlog::most(10)), ("bob", Backlog::most(10).drop_oldest())] {
        bound(&probe, "owners", backlog).await;
        let tries = (0..8).map(|_| async { probe.submit_all(&many_of(owner, 6)).await });
        let answers: Vec<SubmitOutcome> = futures_util::future::join_all(tries).await.concat();
        assert_eq!(answers.iter().filter(|answer| **answer == CREATED).count(), 10, "{answers:?}");
        let others = if backlog.drops {
            answers.iter().filter(|answer| matches!(answer, SubmitOutcome::Replaced(_))).count()
        } else {
            answers.iter().filter(|answer| **answer == FULL).count()
        };
        assert_eq!(others, 38, "{answers:?}");
        assert_eq!(probe.take(99).await.len(), 10, "{owner}");
    }
    assert_eq!(probe.submit_all(&many(9)).await, [CREATED; 9]);
}

/// Kept by [`durable`](crate::scenarios::durable).
pub(crate) async fn survives(probe: Probe) -> Option<()> {
    bound(&probe, "owners", Backlog::most(3)).await;
    bound(&probe, "owner:bob", Backlog::most(1).drop_oldest()).await;
    let bob = of("bob");
    let late = shaped("ann", |draft| draft.start(Start::After(SECOND * 60)));
    probe.submit_all(&[of("ann"), of("ann"), late, bob.clone()]).await;
    probe.take(1).await;
    let probe = probe.reopen().await?;
    assert_eq!(probe.submit_all(&many_of("ann", 2)).await, [CREATED, FULL], "those that wait are counted");
    assert_eq!(probe.submit(&of("bob")).await, SubmitOutcome::Replaced(bob.id));
    assert_eq!(probe.take(9).await.len(), 3);
    Some(())
}
