//! The OpenAPI document against its golden file.

use std::path::Path;

use serde_json::Value;
use windlass_http::{HttpExt, delete, post};

use crate::client::{Client, idle};
use crate::handlers::{DataRequest, GenerateReport, ProcessData, ProcessResult, Shout};

async fn document() -> Value {
    let engine = idle(std::sync::Arc::new(windlass_memory::Memory::new())).await;
    let api = engine.api().info("Sample", "2.1.0").job_routes("/jobs").openapi("/openapi.json");
    let router = api
        .endpoint(post("/api/process-data", ProcessData).describe::<DataRequest, ProcessResult>())
        .endpoint(delete("/api/reports/{region}/{*rest}", GenerateReport))
        .endpoint(post("/shout", Shout))
        .into_router()
        .expect("a valid API");
    Client { engine, router }.get("/openapi.json").await.json()
}

#[tokio::test]
async fn the_document_is_the_golden_one() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&document().await).unwrap());
    if std::env::var_os("WINDLASS_BLESS").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&golden).expect("the golden file; WINDLASS_BLESS=1 writes it");
    assert!(text == expected, "the document has changed; look at it, then run with WINDLASS_BLESS=1:\n{text}");
}

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let document = document().await;
    assert_eq!(document["openapi"], "3.1.0");
    let mut found = Vec::new();
    references(&document, &mut found);
    for reference in &found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    assert!(found.iter().any(|reference| reference.ends_with("/DataRequest")));
    let rest = &document["paths"]["/api/reports/{region}/{rest}"]["delete"];
    let names: Vec<_> =
        rest["parameters"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["region", "rest", "Prefer", "Idempotency-Key", "X-Async-Request-Id"]);
    assert!(rest.get("requestBody").is_none());
}

#[tokio::test]
async fn the_jobs_shape_lists_exactly_what_the_answer_holds() {
    let client = Client::serving().await;
    let job = client.post("/echo", "1").await.json();
    let document = document().await;
    let shape = document["components"]["schemas"]["WindlassJob"]["properties"].as_object().unwrap();
    let mut fields: Vec<_> = job.as_object().unwrap().keys().collect();
    let mut listed: Vec<_> = shape.keys().collect();
    fields.sort();
    listed.sort();
    assert_eq!(fields, listed);
}
