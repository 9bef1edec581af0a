//! The service's three jobs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass::core::{Clock, SystemClock};
use windlass::prelude::*;

/// How long `ProcessData` pretends to work.
#[derive(Clone, Copy)]
pub(crate) struct Work(pub(crate) Duration);

/// What clients send to `/api/process-data`.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DataRequest {
    /// The text to process.
    pub(crate) data: String,
    /// From 1 to 5.
    #[serde(default = "one")]
    pub(crate) processing_priority: i32,
}

fn one() -> i32 {
    1
}

/// What `ProcessData` answers.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessResult {
    processed_data: String,
    processed_at: String,
    character_count: usize,
}

/// Refuses requests that make no sense before they become jobs.
pub(crate) async fn check(Json(request): Json<DataRequest>) -> Result<(), Rejection> {
    if request.data.trim().is_empty() {
        return Err(Rejection::bad_request("Data field is required"));
    }
    if !(1..=5).contains(&request.processing_priority) {
        return Err(Rejection::bad_request("Priority must be between 1 and 5"));
    }
    Ok(())
}

/// Shouts, slowly, and says how far it is.
#[job(name = "ProcessData", timeout = "2m")]
pub(crate) async fn process_data(
    Json(request): Json<DataRequest>,
    State(Work(work)): State<Work>,
    ctx: Context,
) -> Result<Json<ProcessResult>> {
    const STEPS: u32 = 4;
    for step in 1..=STEPS {
        tokio::time::sleep(work / STEPS).await;
        ctx.progress(f64::from(step) / f64::from(STEPS)).await;
    }
    Ok(Json(ProcessResult {
        processed_data: format!("Processed: {}", request.data.to_uppercase()),
        processed_at: SystemClock.now().to_string(),
        character_count: request.data.chars().count(),
    }))
}

/// What `GenerateReport` answers: the request it was made for.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    report_data: String,
    generated_at: String,
    headers: BTreeMap<String, Vec<String>>,
    route: BTreeMap<String, String>,
    query: BTreeMap<String, Vec<String>>,
}

/// Has no input but the request itself: headers (those on the allow-list), route and query values.
#[job(name = "GenerateReport")]
pub(crate) async fn generate_report(
    Headers(headers): Headers,
    Route(route): Route,
    Query(query): Query,
) -> Json<Report> {
    Json(Report {
        report_data: "Generated report data...".to_owned(),
        generated_at: SystemClock.now().to_string(),
        headers: headers.into_iter().collect(),
        route: route.into_iter().collect(),
        query: query.into_iter().collect(),
    })
}

/// What `WordCount` answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct WordCount {
    total: u64,
    words: BTreeMap<String, u64>,
}

/// Counts words: runs of ASCII letters, in lower case.
#[job(name = "WordCount")]
pub(crate) async fn word_count(Text(text): Text) -> Json<WordCount> {
    let mut words = BTreeMap::new();
    for word in text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty()) {
        *words.entry(word.to_ascii_lowercase()).or_insert(0) += 1;
    }
    Json(WordCount { total: words.values().sum(), words })
}
