//! `Prefer: wait` and `?wait`.

use crate::client::{Client, request};

async fn preferring(client: &Client, path: &str, prefer: &str) -> crate::client::Answer {
    let headers = [("prefer", prefer), ("content-type", "application/json")];
    client.send(request("POST", path, &headers, r#"{"n":1}"#)).await
}

#[tokio::test]
async fn a_result_in_time_is_the_answer() {
    let client = Client::working().await;
    let answer = preferring(&client, "/echo", "wait=60").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &br#"{"n":1}"#[..]));
    assert_eq!(answer.header("preference-applied"), Some("wait=30"), "capped");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let id = answer.header("async-job-id").expect("named").to_owned();
    assert_eq!(answer.header("content-location"), Some(format!("/jobs/{id}/result").as_str()));
    assert_eq!(client.get(&format!("/jobs/{id}/result")).await.body, answer.body);
}

#[tokio::test]
async fn a_failure_in_time_is_the_answer() {
    let client = Client::working().await;
    let answer = preferring(&client, "/broken", "wait=20").await;
    assert_eq!(answer.problem(), (409, "job_failed".into()));
    assert_eq!(answer.json()["error"]["code"], "NO_LUCK");
    assert!(answer.header("async-job-id").is_some());
}

#[tokio::test]
async fn no_result_in_time_is_202() {
    let client = Client::serving().await;
    let answer = preferring(&client, "/echo", "wait=0").await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("wait=0")));
    assert_eq!(answer.header("location"), Some(format!("/jobs/{}", answer.id()).as_str()));
    let answer = preferring(&client, "/echo", "respond-async").await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("respond-async")));
    assert_eq!(preferring(&client, "/echo", "wait=soon").await.header("preference-applied"), None);
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_after_its_time() {
    let client = Client::serving().await;
    let id = client.post("/echo", "1").await.id();
    let began = tokio::time::Instant::now();
    let answer = client.get(&format!("/jobs/{id}?wait=7")).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("Queued")));
    assert_eq!(began.elapsed().as_secs(), 7);
    let began = tokio::time::Instant::now();
    assert_eq!(client.get(&format!("/jobs/{id}/result?wait=999")).await.status, 409);
    assert_eq!(began.elapsed().as_secs(), 30, "capped");
}

#[tokio::test]
async fn a_long_poll_ends_when_the_process_shuts_down() {
    // Otherwise every long poll would hold up the drain for its whole time.
    let client = Client::serving().await;
    let id = client.post("/echo", "1").await.id();
    let path = format!("/jobs/{id}?wait=30");
    let (answer, ()) = tokio::join!(client.get(&path), client.engine.shutdown());
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("Queued")));
}

#[tokio::test]
async fn a_wait_that_is_no_number_is_400() {
    let client = Client::serving().await;
    let id = client.post("/echo", "1").await.id();
    for wait in ["", "soon", "-1", "1.5", "1s"] {
        let answer = client.get(&format!("/jobs/{id}?wait={wait}")).await;
        assert_eq!(answer.problem(), (400, "bad_query".into()), "{wait:?}");
    }
}
