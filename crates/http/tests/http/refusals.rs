//! What happens when the store or the queue cannot take a job: `503`, `Retry-After`, and nothing of the inside.

use std::sync::Arc;

use async_trait::async_trait;
use windlass_core::{Incarnation, Job, JobId};
use windlass_engine::Settings;
use windlass_http::Api;
use windlass_memory::Memory;
use windlass_store::{Canceled, Error, ErrorKind, Exchange, Exchanged, Hints, Lease, Result, Scope, Store, Swept};

use crate::client::{Answer, Client, idle, start};

/// What a [`Faulty`] store refuses.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Failing {
    /// Submissions, questions and cancellations.
    Everything,
    /// Submissions are never answered.
    Silent,
}

/// A store that fails, with a secret in its message.
struct Faulty(Memory, Failing);

impl Faulty {
    fn error<T>(&self) -> Result<T> {
        Err(Error::new(ErrorKind::Unavailable, "postgres://admin:hunter2@db is away"))
    }
}

#[async_trait]
impl Store for Faulty {
    async fn exchange(&self, turn: Exchange) -> Result<Exchanged> {
        match (turn.submit.is_empty(), self.1) {
            (true, _) => self.0.exchange(turn).await,
            (false, Failing::Everything) => self.error(),
            (false, Failing::Silent) => std::future::pending().await,
        }
    }

    async fn get(&self, _id: JobId, _scope: &Scope) -> Result<Option<Job>> {
        self.error()
    }

    async fn cancel(&self, _id: JobId, _scope: &Scope) -> Result<Option<Canceled>> {
        self.error()
    }

    async fn sweep(&self, limit: usize) -> Result<Swept> {
        self.0.sweep(limit).await
    }

    async fn held_by(&self, worker: Incarnation) -> Result<Vec<Lease>> {
        self.0.held_by(worker).await
    }

    fn hints(&self) -> Hints {
        self.0.hints()
    }

    async fn ping(&self) -> Result<()> {
        self.0.ping().await
    }

    fn name(&self) -> &'static str {
        "faulty"
    }
}

pub(crate) async fn failing(failing: Failing, change: impl FnOnce(Api) -> Api) -> Client {
    Client::new(idle(Arc::new(Faulty(Memory::new(), failing))).await, change)
}

fn assert_unavailable(answer: &Answer, code: &str) {
    assert_eq!(answer.problem(), (503, code.into()));
    let seconds: u64 = answer.header("retry-after").expect("set").parse().expect("whole seconds");
    assert!((1..=5).contains(&seconds), "{seconds}");
    assert!(!format!("{:?}", answer.body).contains("hunter2"));
}

#[tokio::test]
async fn a_failing_store_is_503_on_every_route() {
    let client = failing(Failing::Everything, |api| api).await;
    let path = "/jobs/00000000-0000-4000-8000-000000000000";
    let answers = [
        client.post("/echo", "1").await,
        client.get(path).await,
        client.get(&format!("{path}/result")).await,
        client.delete(path).await,
    ];
    answers.iter().for_each(|answer| assert_unavailable(answer, "store_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_503_in_the_end() {
    let client = failing(Failing::Silent, |api| api).await;
    assert_unavailable(&client.post("/echo", "1").await, "store_unavailable");
}

#[tokio::test]
async fn a_full_queue_is_503_and_stores_nothing() {
    let settings = Settings { work: false, max_queue_size: 1, ..Settings::default() };
    let client = Client::new(start(settings, Arc::new(Memory::new())).await, |api| api);
    assert_eq!(client.post("/echo", "1").await.status, 202);
    assert_unavailable(&client.post("/echo", "2").await, "queue_full");
    assert_eq!(crate::leaks::stored(&client).await.len(), 1);
}

#[tokio::test]
async fn after_shutdown_nothing_is_taken() {
    let client = Client::serving().await;
    client.engine.shutdown().await;
    assert_unavailable(&client.post("/echo", "1").await, "shutting_down");
}
