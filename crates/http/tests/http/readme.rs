//! The seeds' own samples must work unchanged.

use serde_json::json;

use crate::client::{Client, request};

const SAMPLE: &str = r#"{"data": "Hello, AsyncEndpoints!", "processingPriority": 2}"#;

#[tokio::test]
async fn the_first_curl_is_answered_as_the_readme_says() {
    let client = Client::serving().await;
    let answer = client.post("/api/process-data", SAMPLE).await;
    assert_eq!(answer.status, 202);
    let job = answer.json();
    let id = answer.id();
    assert_eq!(answer.header("location"), Some(format!("/jobs/{id}").as_str()));
    assert_eq!(answer.header("async-job-id"), Some(id.as_str()));
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let created = job["createdAt"].as_str().unwrap();
    assert!(created.len() == "2025-10-14T10:30:00.000Z".len() && created.ends_with('Z'), "{created}");
    let expected = json!({
        "id": id, "name": "ProcessData", "status": "Queued", "retryCount": 0, "maxRetries": 3,
        "createdAt": created, "startedAt": null, "completedAt": null, "lastUpdatedAt": created,
        "result": null, "error": null, "queue": "default", "priority": 5, "scheduledAt": null,
        "cancelRequested": false, "progress": null, "attempts": [],
    });
    assert_eq!(job, expected);
}

#[tokio::test]
async fn the_second_curl_shows_the_same_job() {
    let client = Client::serving().await;
    let submitted = client.post("/api/process-data", SAMPLE).await;
    let shown = client.get(&format!("/jobs/{}", submitted.id())).await;
    assert_eq!((shown.status, &shown.body), (200, &submitted.body), "the answer without a read is the stored job");
}

#[tokio::test]
async fn the_result_comes_spliced_into_the_job() {
    let client = Client::working().await;
    let id = client.post("/api/process-data", SAMPLE).await.id();
    let job = client.get(&format!("/jobs/{id}?wait=20")).await.json();
    assert_eq!(job["status"], "Completed");
    assert_eq!(job["result"], json!({ "processedData": "Processed: HELLO, ASYNCENDPOINTS!", "characterCount": 22 }));
    assert_eq!(job["attempts"][0]["outcome"], "Completed");
    assert!(job["startedAt"].is_string() && job["completedAt"].is_string());
}

#[tokio::test]
async fn the_validation_sample_answers_400_and_queues_nothing() {
    let client = Client::serving().await;
    for (body, detail) in [
        (r#"{"data": " "}"#, "Data field is required"),
        (r#"{"data": "x", "processingPriority": 6}"#, "Priority must be between 1 and 5"),
    ] {
        let answer = client.post("/api/process-data", body).await;
        assert_eq!(answer.problem(), (400, "validation_failed".into()));
        assert_eq!(answer.json()["detail"], detail);
    }
    assert!(crate::leaks::stored(&client).await.is_empty());
}

#[tokio::test]
async fn a_handler_without_body_sees_headers_route_and_query() {
    let client = Client::working().await;
    let path = "/api/generate-report/EU%2Fnorth?year=2025&tag=a&tag=b+c";
    let headers = [("accept-language", "de"), ("x-request-id", "r-1"), ("user-agent", "curl"), ("prefer", "wait=20")];
    let answer = client.send(request("POST", path, &headers, "a body that nobody asked for")).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    let expected = json!({
        "headers": { "accept-language": ["de"], "x-request-id": ["r-1"] },
        "route": { "region": "EU/north" },
        "query": { "year": ["2025"], "tag": ["a", "b c"] },
    });
    assert_eq!(answer.json(), expected);
}
