//! Unique jobs by the hands of programs.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use windlass_core::{Status, Unique};
use windlass_dispatch::{Context, Handler, Json, Result};
use windlass_engine::{Engine, Error, Submit};
use windlass_memory::Memory;
use windlass_store::{Scope, SubmitOutcome};

const EVERYTHING: Scope = Scope::Everything;

#[derive(serde::Serialize, serde::Deserialize)]
struct Change {
    document: u64,
    text: String,
}

struct Index;

impl Handler for Index {
    type Input = Json<Change>;
    type Output = ();
    const NAME: &'static str = "Index";

    async fn run(&self, _change: Json<Change>, _cx: Context) -> Result<()> {
        Ok(())
    }
}

fn change(document: u64, text: &str) -> Change {
    Change { document, text: text.into() }
}

async fn idle() -> Engine {
    let engine = Engine::builder(Arc::new(Memory::new())).configure(|settings| settings.work = false).handler(Index);
    engine.start().await.unwrap()
}

#[tokio::test]
async fn who_submits_the_same_is_told_which_job_stands() {
    let engine = idle().await;
    let by_document = || Unique::fields(["document"]);
    let first = Index.submit(&engine, change(7, "a")).unique(by_document()).await.unwrap();
    let second = Index.submit(&engine, change(7, "b")).unique(by_document()).await.unwrap();
    let other = Index.submit(&engine, change(8, "a")).unique(by_document()).await.unwrap();
    assert_eq!((second.outcome, second.id), (SubmitOutcome::Duplicate, first.id));
    assert!(matches!(other.outcome, SubmitOutcome::Created(_)));
}

#[tokio::test]
async fn the_last_of_a_burst_stands() {
    let engine = idle().await;
    let debounced = |text| {
        let unique = Unique::key("documents").replace();
        Index.submit(&engine, change(1, text)).unique(unique).delay(Duration::from_secs(5))
    };
    let first = debounced("a").await.unwrap();
    let last = debounced("b").await.unwrap();
    assert_eq!(last.outcome, SubmitOutcome::Replaced(first.id));
    let status = async |id| engine.get(id, &EVERYTHING).await.unwrap().unwrap().status;
    assert_eq!((status(first.id).await, status(last.id).await), (Status::Canceled, Status::Scheduled));
}

#[tokio::test]
async fn what_cannot_make_a_job_unique_is_refused() {
    let engine = idle().await;
    let wrong = [Unique::key(""), Unique::fields(["author"]), Unique::key("k").within(Duration::ZERO)];
    for unique in wrong {
        let refused = Index.submit(&engine, change(1, "")).unique(unique).await.unwrap_err();
        assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    }
}
