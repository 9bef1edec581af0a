//! Jobs by number: what the tests submit, and what the store says of it afterwards.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde_json::Value;
use windlass::core::{AttemptOutcome, Job, JobId, Status};
use windlass::store::{Filter, SharedStore};
use windlass_embedded::Embedded;

use super::client::{Answer, Client};
use super::{PATIENCE, Process, Site, until};

/// The id of the job of that number.
pub(crate) fn id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

/// The same, as the library has it.
pub(crate) fn number_id(number: u64) -> JobId {
    id(number).parse().expect("a UUID")
}

/// The number of the job of that id.
pub(crate) fn number(id: JobId) -> u64 {
    let bytes = id.as_bytes();
    bytes[10..].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Submits job `number`, which takes `ms`, under its own id: sending it again makes no second one.
pub(crate) fn submit(client: &mut Client, path: &str, number: u64, ms: u64) -> io::Result<Answer> {
    let id = id(number);
    let headers = [("Content-Type", "application/json"), ("X-Async-Request-Id", id.as_str())];
    client.send("POST", path, &headers, format!(r#"{{"number":{number},"ms":{ms}}}"#).as_bytes())
}

/// Submits jobs and insists that they are accepted.
pub(crate) fn submit_all(process: &Process, path: &str, jobs: impl IntoIterator<Item = (u64, u64)>) {
    let mut client = process.connect().expect("it listens");
    for (number, ms) in jobs {
        let answer = submit(&mut client, path, number, ms).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.text());
    }
}

/// What the process says of job `number`.
pub(crate) fn look(process: &Process, number: u64) -> Value {
    process.get(&format!("/jobs/{}", id(number))).json()
}

/// Waits until the process says that all jobs have finished.
pub(crate) fn drained(process: &Process) {
    until("all jobs have finished", PATIENCE, || {
        let counts = process.get("/counts").json();
        ["Queued", "Scheduled", "InProgress"]
            .iter()
            .all(|status| counts[status].as_u64().unwrap_or(0) == 0)
            .then_some(())
    });
}

/// Opens the store at an address. The embedded one must be no process's.
pub(crate) async fn open(address: &str) -> SharedStore {
    match address.split_once(':') {
        Some(("file", folder)) => Arc::new(Embedded::open(folder).expect("the store opens")),
        #[cfg(feature = "postgres")]
        Some(("postgres", _)) => {
            Arc::new(windlass_postgres::Postgres::options().open(address).await.expect("the store opens"))
        }
        #[cfg(feature = "redis")]
        Some(("redis", _)) => Arc::new(windlass_redis::Redis::options().open(address).await.expect("the store opens")),
        _ => panic!("no such store: {address}"),
    }
}

/// Every job that the store has, by number.
pub(crate) fn stored(site: &Site) -> HashMap<u64, Job> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let store = runtime.block_on(open(&site.store()));
    let store = store.query().expect("the store lists");
    let mut jobs = HashMap::new();
    let mut filter = Filter { limit: 100, ..Filter::default() };
    loop {
        let page = runtime.block_on(store.list(&filter)).expect("the store lists");
        jobs.extend(page.jobs.into_iter().map(|job| (number(job.new.id), job)));
        filter.after = page.next;
        if filter.after.is_none() {
            return jobs;
        }
    }
}

/// How many attempts of the job ended so.
pub(crate) fn attempts(job: &Job, outcome: AttemptOutcome) -> usize {
    job.attempts.iter().filter(|attempt| attempt.outcome == outcome).count()
}

/// Whether the job is completed by one attempt, and all attempts before that one crashed.
pub(crate) fn completed_once(job: &Job) -> bool {
    let crashed = attempts(job, AttemptOutcome::Crashed);
    job.status == Status::Completed
        && attempts(job, AttemptOutcome::Completed) == 1
        && crashed + 1 == job.attempts.len()
        && crashed == job.crashes as usize
}
