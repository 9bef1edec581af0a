//! What a function under `#[job]` does as a handler.
#![allow(clippy::unwrap_used)]

include!("ui/facade.rs");

use std::sync::Arc;
use std::time::Duration;

use windlass_core::job::JobBuilder;
use windlass_core::{ErrorClass, NewJob, Payload, Priority, Status, Timestamp, Unique};
use windlass_dispatch::{
    Attempt, Conclusion, Context, Error, Handler, Json, NoInput, Result, Router, Routes, Run, Snooze, State, Text,
};
use windlass_macros::job;

/// Counts what it is given.
#[job(
    name = "Count.v2",
    queue = "reports",
    retries = 5,
    timeout = "2m",
    priority = 3,
    retry_delay_base = "1s 500ms",
    retry_delay_cap = "1h"
)]
async fn count(
    Json(words): Json<Vec<String>>,
    ctx: Context,
    State(unit): State<&'static str>,
    Attempt(attempt): Attempt,
) -> Result<Json<String>> {
    ctx.progress(0.5).await;
    Ok(Json(format!("{} {unit} in attempt {attempt}", words.len())))
}

#[job]
async fn shout(Text(text): Text) -> String {
    text.to_uppercase()
}

#[job]
async fn parse(Text(text): Text) -> Result<Json<u8>, std::num::ParseIntError> {
    text.parse().map(Json)
}

#[job]
async fn wait() -> Result<std::result::Result<(), Snooze>> {
    Ok(Err(Snooze(Duration::from_secs(9))))
}

#[job]
async fn rest(_: NoInput) {}

/// Its own name means the handler, in its body too; and no name of its arguments is taken by the expansion.
#[job]
async fn again(input: Text, cx: Context) -> Result<Text> {
    let next: fn(&again, String) -> Result<_> = again::job;
    cx.emit(next(&again, input.0.clone())?)?;
    Ok(input)
}

#[job]
#[allow(clippy::unused_async)]
async fn refuse(mut input: Text) -> Result<()> {
    if input.0.pop().is_some() {
        return Err(Error::permanent("refused"));
    }
    Ok(())
}

fn routes() -> Routes {
    let router = Router::new().handler(count).handler(shout).handler(parse).handler(wait).handler(rest);
    router.handler(again).handler(refuse).state("words").build().unwrap()
}

fn attempt(routes: &Routes, name: &str, payload: Payload) -> Context {
    let job = NewJob::build(name, payload).finish(Timestamp::UNIX_EPOCH).unwrap();
    Context::new(Run { job: Arc::new(job), attempt: 2, token: 1, states: routes.states().clone() })
}

async fn run(name: &str, payload: Payload) -> (Conclusion, Context) {
    let routes = routes();
    let cx = attempt(&routes, name, payload);
    let handler = Arc::clone(routes.find(name).expect("registered"));
    (handler.call(cx.clone()).await, cx)
}

fn text(text: &str) -> Payload {
    Payload::new("text/plain", text.to_owned())
}

fn failure(conclusion: Conclusion) -> Error {
    match conclusion {
        Conclusion::Failed(error) => error,
        other => panic!("{other:?} is no failure"),
    }
}

#[tokio::test]
async fn input_context_state_and_attempt_all_arrive() {
    let (conclusion, cx) = run("Count.v2", Payload::json(&["a", "b"]).unwrap()).await;
    assert_eq!(conclusion, Conclusion::Done(Payload::json("2 words in attempt 2").unwrap()));
    assert_eq!(cx.take_progress().map(|progress| progress.fraction), Some(0.5));
}

#[tokio::test]
async fn plain_and_empty_results_are_successes() {
    assert_eq!(run("Shout", text("hey")).await.0, Conclusion::Done(Payload::new("text/plain; charset=utf-8", "HEY")));
    assert_eq!(run("Rest", Payload::empty()).await.0, Conclusion::Done(Payload::empty()));
}

#[tokio::test]
async fn any_error_becomes_a_transient_failure_and_one_of_ours_keeps_its_class() {
    assert_eq!(failure(run("Parse", text("x")).await.0).class(), ErrorClass::Transient);
    assert_eq!(failure(run("Refuse", text("x")).await.0).class(), ErrorClass::Permanent);
}

#[tokio::test]
async fn a_result_within_the_result_may_snooze() {
    assert_eq!(run("Wait", Payload::empty()).await.0, Conclusion::Snoozed(Duration::from_secs(9)));
}

#[tokio::test]
async fn a_handler_can_emit_itself() {
    let (conclusion, cx) = run("Again", text("once more")).await;
    assert!(matches!(conclusion, Conclusion::Done(_)));
    assert_eq!(cx.take_emitted()[0].name.as_str(), "Again");
}

#[test]
fn options_are_those_that_were_written() {
    let options = count.options();
    assert_eq!(count::NAME, "Count.v2");
    assert_eq!((options.queue, options.priority), (Some("reports"), Priority::new(3).unwrap()));
    assert_eq!(options.retries, Some(5));
    assert_eq!(options.timeout, Some(Duration::from_secs(120)));
    assert_eq!(options.retry_delay_base, Some(Duration::from_millis(1500)));
    assert_eq!(options.retry_delay_cap, Some(Duration::from_secs(3600)));
    assert_eq!(shout.options(), Default::default());
}

#[test]
fn a_state_that_only_an_argument_names_is_missed_at_build() {
    let error = Router::new().handler(count).build().err().expect("no state was given");
    assert!(error.to_string().contains("State<&str>"), "{error}");
}

#[test]
fn a_job_may_be_declared_inside_a_function() {
    #[job]
    async fn local(_ctx: Context) {}
    assert_eq!(local::NAME, "Local");
}

/// The function's own name stays beside the trait's methods; it must not be taken for one of them.
#[tokio::test]
async fn a_job_may_be_called_like_a_method_of_its_trait() {
    #[job(retries = 7)]
    async fn run(Text(text): Text) -> Text {
        Text(text + "!")
    }
    #[job(retries = 8)]
    async fn options(_: NoInput) {}

    let routes = Router::new().handler(run).handler(options).build().unwrap();
    let cx = attempt(&routes, "Run", text("ran"));
    let conclusion = Arc::clone(routes.find("Run").expect("registered")).call(cx.clone()).await;
    assert_eq!(conclusion, Conclusion::Done(Payload::new("text/plain; charset=utf-8", "ran!")));
    assert_eq!(run.run(Text("ran".into()), cx).await.unwrap(), Text("ran!".into()));
    assert_eq!(options.options().retries, Some(8));
}

/// The root named by `crate` may be any path in scope.
mod elsewhere {
    pub(super) mod house {
        pub(crate) use crate::__job;
    }

    #[windlass_macros::job(crate = house)]
    pub(super) async fn tick() {}
}

#[test]
fn another_root_serves_as_well() {
    assert_eq!(elsewhere::tick::NAME, "Tick");
}

#[job(unique(fields = ["userId", "/order/id"], in_queue, states = [Queued, InProgress], within = "PT10M", replace, extend))]
async fn bill(_order: Json<Order>) {}

#[job(unique(key = "nightly"), retries = 1)]
async fn clean_up() {}

#[job(unique(input, cancel_running))]
async fn index(_document: Text) {}

/// What it is unique by.
#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    #[serde(rename = "userId")]
    user: u64,
    order: serde_json::Value,
}

#[test]
fn a_job_is_unique_as_it_was_written() {
    let all = Unique::fields(["userId", "/order/id"]).in_queue().states([Status::Queued, Status::InProgress]);
    let all = all.within(Duration::from_secs(600)).replace().extend();
    assert_eq!(bill.options().unique, Some(all));
    assert_eq!(clean_up.options().unique, Some(Unique::key("nightly")));
    assert_eq!(index.options().unique, Some(Unique::input().cancel_running()));
    assert_eq!(count.options().unique, None);
}

#[test]
fn the_jobs_of_a_handler_are_unique_unless_one_is_told_otherwise() {
    let order = |user| Order { user, order: serde_json::json!({ "id": 1, "at": user }) };
    let key = |job: JobBuilder| job.finish(Timestamp::UNIX_EPOCH).unwrap().unique().map(|unique| unique.key);
    let of = |user| bill.job(order(user)).unwrap();
    assert_eq!(key(of(7)), key(of(7)));
    assert_ne!(key(of(7)), key(of(8)));
    assert_eq!(key(of(7).unique(Unique::key("all"))), key(of(8).unique(Unique::key("all"))));
    assert_eq!(key(of(7).unique(None)), None);
}
