//! Lists and counts, and that they agree (I12).

use std::time::Duration;

use windlass_core::gate::Edit;
use windlass_core::limits::PAGE_MAX;
use windlass_core::{JobId, NewJob, Share, Start, Status};
use windlass_store::capability::HEAD;
use windlass_store::{Filter, Outcome, Query};

use crate::invariants::accounting;
use crate::jobs::{
    complete, delayed, fail, fragile, job, many, owned_by, plain, queue_named, ranked, retry, scope_of, waiting_in,
};
use crate::probe::Probe;
use crate::suite::Verdict;

const NO_QUERY: Verdict = Verdict::Skipped("the store neither lists nor counts");

fn every() -> Filter {
    Filter { limit: PAGE_MAX, ..Filter::default() }
}

async fn ids(query: &dyn Query, filter: Filter) -> Vec<JobId> {
    query.list(&filter).await.expect("list").jobs.iter().map(|job| job.new.id).collect()
}

fn submitted(jobs: &[NewJob]) -> Vec<JobId> {
    jobs.iter().map(|job| job.id).collect()
}

/// One job in every status, in the order of [`Status::ALL`]. The queue is `mail`.
async fn one_of_each(probe: &Probe) -> Vec<NewJob> {
    let mut jobs: Vec<_> = (0..6).map(|_| waiting_in("mail")).collect();
    jobs[1] = job(|draft| draft.queue("mail").start(windlass_core::Start::After(Duration::from_secs(60))));
    probe.run_to(&jobs[3], complete()).await;
    probe.run_to(&jobs[4], fail()).await;
    probe.run_to(&jobs[5], Outcome::Stop).await;
    probe.run(&jobs[2]).await;
    probe.submit_all(&jobs[..2]).await;
    jobs
}

pub async fn an_empty_store_lists_and_counts_nothing(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let page = query.list(&every()).await.expect("list");
    assert!(page.jobs.is_empty() && page.next.is_none());
    let counts = query.counts().await.expect("counts");
    assert_eq!(Status::ALL.map(|status| counts.total(status)), [0; 6]);
    assert!(accounting(query).await.expect("accounts").is_empty());
    Verdict::Passed
}

pub async fn counts_know_every_queue_and_status(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    one_of_each(&probe).await;
    probe.submit_all(&many(2)).await;
    let counts = query.counts().await.expect("counts");
    for status in Status::ALL {
        assert_eq!(counts.get(&queue_named("mail"), status), 1, "{status}");
    }
    assert_eq!((counts.total(Status::Queued), counts.get(&queue_named("default"), Status::Queued)), (3, 2));
    Verdict::Passed
}

pub async fn counts_are_what_the_list_finds(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    one_of_each(&probe).await;
    probe.submit_all(&many(5)).await;
    assert_eq!(accounting(query).await.expect("accounts").len(), 11);
    Verdict::Passed
}

pub async fn counts_follow_sweeps_and_pruning(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    one_of_each(&probe).await;
    probe.advance(Duration::from_secs(25 * 3600));
    probe.sweep().await;
    let jobs = accounting(query).await.expect("accounts");
    assert_eq!(jobs.len(), 4, "the completed and the canceled job are gone");
    assert_eq!(query.counts().await.expect("counts").total(Status::Queued), 3);
    Verdict::Passed
}

/// For how long the oldest ready job of each queue has waited, in seconds.
async fn waits<const N: usize>(query: &dyn Query, queues: [&str; N]) -> [Option<u64>; N] {
    let waits = query.oldest_waiting(&queues.map(queue_named)).await.expect("oldest waiting");
    assert_eq!(waits.len(), N);
    let mut waits = waits.into_iter().map(|wait| wait.map(|wait| wait.as_secs()));
    queues.map(|_| waits.next().expect("one for each"))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn pause() -> Edit {
    Edit::Pause("to see who waits".into())
}

pub async fn nobody_waits_where_nothing_is_ready(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    for job in one_of_each(&probe).await.iter().filter(|job| job.start == Start::Now) {
        probe.cancel(job.id).await;
    }
    probe.advance(seconds(9));
    assert_eq!(waits(query, ["mail", "nowhere"]).await, [None, None]);
    assert_eq!(waits(query, []).await, []);
    Verdict::Passed
}

pub async fn the_oldest_job_waits_since_its_acceptance(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let [first, second] = [waiting_in("mail"), waiting_in("mail")];
    probe.submit(&first).await;
    probe.advance(seconds(5));
    probe.submit_all(&[second.clone(), plain()]).await;
    assert_eq!(waits(query, ["mail", "default"]).await, [Some(5), Some(0)]);
    probe.advance(seconds(2));
    assert_eq!(waits(query, ["default", "nowhere", "mail", "default"]).await, [Some(2), None, Some(7), Some(2)]);
    probe.cancel(first.id).await;
    assert_eq!(waits(query, ["mail"]).await, [Some(2)]);
    probe.take_from(&["mail"], 1).await;
    assert_eq!(waits(query, ["mail"]).await, [None]);
    Verdict::Passed
}

pub async fn of_jobs_submitted_together_the_rest_waits_on(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = many(70);
    probe.submit_all(&jobs).await;
    probe.advance(seconds(3));
    probe.submit_all(&many(2)).await;
    probe.take(40).await;
    probe.cancel(jobs[50].id).await;
    assert_eq!(waits(query, ["default"]).await, [Some(3)]);
    probe.take(29).await;
    assert_eq!(waits(query, ["default"]).await, [Some(0)]);
    Verdict::Passed
}

pub async fn the_oldest_job_is_found_in_every_priority(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = [9, 0, 5].map(ranked);
    for job in &jobs {
        probe.submit(job).await;
        probe.advance(seconds(1));
    }
    for (job, wait) in jobs.iter().zip([3, 2, 1]) {
        assert_eq!(waits(query, ["default"]).await, [Some(wait)], "{:?}", job.priority);
        probe.cancel(job.id).await;
    }
    assert_eq!(waits(query, ["default"]).await, [None]);
    Verdict::Passed
}

pub async fn a_suspect_waits_like_others(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.run(&fragile(2)).await;
    probe.crash().await;
    probe.advance(seconds(4));
    probe.submit(&plain()).await;
    assert_eq!(waits(query, ["default"]).await, [Some(4)]);
    Verdict::Passed
}

pub async fn a_delayed_job_and_a_retry_wait_from_when_they_are_due(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.run_to(&waiting_in("mail"), retry(seconds(60))).await;
    probe.submit(&delayed(seconds(60))).await;
    assert_eq!(waits(query, ["default", "mail"]).await, [None, None]);
    probe.advance(seconds(60));
    probe.sweep().await;
    probe.advance(seconds(3));
    assert_eq!(waits(query, ["default", "mail"]).await, [Some(3), Some(3)]);
    Verdict::Passed
}

pub async fn who_comes_back_hides_nobody(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let taken = probe.run(&plain()).await;
    probe.submit(&plain()).await;
    probe.advance(seconds(9));
    probe.finish(taken.lease, Outcome::Release).await;
    assert_eq!(waits(query, ["default"]).await, [Some(9)]);
    probe.take(2).await;
    assert_eq!(waits(query, ["default"]).await, [None]);
    probe.finish(probe.run(&waiting_in("mail")).await.lease, Outcome::Release).await;
    assert_eq!(waits(query, ["mail"]).await, [Some(0)], "it waits from now on");
    Verdict::Passed
}

pub async fn who_waits_in_a_paused_queue_gets_older(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.edit("queue:default", pause()).await;
    probe.submit(&plain()).await;
    for age in [6, 12] {
        probe.advance(seconds(6));
        assert!(probe.take(9).await.is_empty());
        assert_eq!(waits(query, ["default"]).await, [Some(age)]);
    }
    Verdict::Passed
}

pub async fn who_is_held_at_a_gate_waits_on(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = [ranked(7), ranked(2), waiting_in("mail")];
    for job in &jobs {
        probe.submit(job).await;
        probe.advance(seconds(2));
    }
    probe.edit("handler:Scenario", pause()).await;
    assert!(probe.take_from(&["default", "mail"], 9).await.is_empty());
    assert_eq!(waits(query, ["default", "mail"]).await, [Some(6), Some(2)]);
    probe.cancel(jobs[0].id).await;
    assert_eq!(waits(query, ["default", "mail"]).await, [Some(4), Some(2)]);
    probe.cancel(jobs[1].id).await;
    assert_eq!(waits(query, ["default", "mail"]).await, [None, Some(2)]);
    Verdict::Passed
}

pub async fn who_was_canceled_at_a_gate_hides_nobody(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let canceled = many(HEAD + 1);
    probe.submit_all(&canceled).await;
    probe.submit(&plain()).await;
    probe.edit("handler:Scenario", pause()).await;
    assert!(probe.take(99).await.is_empty());
    for job in canceled {
        probe.cancel(job.id).await;
    }
    probe.advance(seconds(4));
    assert_eq!(waits(query, ["default"]).await, [Some(4)]);
    Verdict::Passed
}

pub async fn who_waits_for_a_turn_waits_too(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.edit("queue:default", Edit::Share(Share::by("tenant").expect("a kind"))).await;
    for tenant in ["bob", "ann", "ann", "bob"] {
        probe.submit(&job(|draft| draft.key("tenant", tenant))).await;
        probe.advance(seconds(1));
    }
    assert_eq!(waits(query, ["default"]).await, [Some(4)]);
    for _ in 0..4 {
        let first = probe.take(1).await.remove(0);
        let left = accounting(query).await.expect("accounts").into_iter().filter(|job| job.status == Status::Queued);
        let longest = left.map(|job| job.created_at.until(probe.now()).as_secs()).max();
        assert_eq!(waits(query, ["default"]).await, [longest], "after {}", first.lease.id);
    }
    Verdict::Passed
}

pub async fn nobody_waits_for_less_than_nothing(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.submit(&plain()).await;
    probe.clock().set(probe.now().before(seconds(3600)));
    assert_eq!(waits(query, ["default"]).await, [Some(0)]);
    Verdict::Passed
}

pub async fn a_listed_job_is_the_job(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    one_of_each(&probe).await;
    for listed in query.list(&every()).await.expect("list").jobs {
        assert_eq!(probe.job(listed.new.id).await, listed);
    }
    Verdict::Passed
}

pub async fn the_list_is_in_order_of_acceptance(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = [plain(), waiting_in("mail"), delayed(Duration::from_secs(5)), plain()];
    probe.submit_all(&jobs).await;
    probe.take(1).await;
    assert_eq!(ids(query, every()).await, submitted(&jobs));
    Verdict::Passed
}

pub async fn pages_are_complete_and_without_duplicates(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = many(23);
    probe.submit_all(&jobs).await;
    let mut filter = Filter { limit: 5, ..Filter::default() };
    let mut pages = Vec::new();
    loop {
        let page = query.list(&filter).await.expect("list");
        pages.push(page.jobs.iter().map(|job| job.new.id).collect::<Vec<_>>());
        filter.after = page.next;
        if page.next.is_none() {
            break;
        }
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 5, 5, 3]);
    assert_eq!(pages.concat(), submitted(&jobs));
    Verdict::Passed
}

pub async fn pages_hold_still_while_jobs_come(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = many(4);
    probe.submit_all(&jobs).await;
    let first = query.list(&Filter { limit: 2, ..Filter::default() }).await.expect("list");
    let late = plain();
    probe.submit(&late).await;
    let rest = ids(query, Filter { after: first.next, ..every() }).await;
    assert_eq!(rest, [jobs[2].id, jobs[3].id, late.id]);
    Verdict::Passed
}

pub async fn a_page_has_an_upper_limit(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.submit_all(&many(PAGE_MAX + 1)).await;
    let page = query.list(&Filter { limit: 100_000, ..Filter::default() }).await.expect("list");
    assert_eq!(page.jobs.len(), PAGE_MAX);
    assert!(page.next.is_some());
    Verdict::Passed
}

pub async fn the_last_page_names_no_next(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    probe.submit_all(&many(4)).await;
    let first = query.list(&Filter { limit: 2, ..Filter::default() }).await.expect("list");
    let last = query.list(&Filter { limit: 2, after: first.next, ..Filter::default() }).await.expect("list");
    assert_eq!((last.jobs.len(), last.next), (2, None));
    Verdict::Passed
}

pub async fn a_status_filters(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = one_of_each(&probe).await;
    for (status, job) in Status::ALL.into_iter().zip(&jobs) {
        assert_eq!(ids(query, Filter { status: Some(status), ..every() }).await, [job.id], "{status}");
    }
    Verdict::Passed
}

pub async fn a_queue_and_a_name_filter(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let named = |name: &str, queue: &str| NewJob { name: name.parse().expect("valid"), ..waiting_in(queue) };
    let jobs = [named("Resize", "images"), named("Send", "mail"), named("Send", "images")];
    probe.submit_all(&jobs).await;
    let queue = Some(queue_named("images"));
    let name = Some("Send".parse().expect("valid"));
    assert_eq!(ids(query, Filter { queue: queue.clone(), ..every() }).await, [jobs[0].id, jobs[2].id]);
    assert_eq!(ids(query, Filter { name: name.clone(), ..every() }).await, [jobs[1].id, jobs[2].id]);
    assert_eq!(ids(query, Filter { queue, name, ..every() }).await, [jobs[2].id]);
    Verdict::Passed
}

pub async fn a_filter_counts_its_own_pages(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs: Vec<_> = (0..12).map(|number| waiting_in(if number % 3 == 0 { "rare" } else { "common" })).collect();
    probe.submit_all(&jobs).await;
    let rare = || Filter { queue: Some(queue_named("rare")), limit: 3, ..Filter::default() };
    let first = query.list(&rare()).await.expect("list");
    assert_eq!(first.jobs.len(), 3);
    let last = query.list(&Filter { after: first.next, ..rare() }).await.expect("list");
    assert_eq!((last.jobs[0].new.id, last.jobs.len(), last.next), (jobs[9].id, 1, None));
    Verdict::Passed
}

pub async fn a_scope_filters(probe: Probe) -> Verdict {
    let Some(query) = probe.query() else { return NO_QUERY };
    let jobs = [owned_by("alice"), owned_by("bob"), plain(), owned_by("alice")];
    probe.submit_all(&jobs).await;
    assert_eq!(ids(query, Filter { scope: scope_of("alice"), ..every() }).await, [jobs[0].id, jobs[3].id]);
    assert_eq!(ids(query, Filter { scope: scope_of("eve"), ..every() }).await, []);
    assert_eq!(ids(query, every()).await.len(), 4);
    Verdict::Passed
}
