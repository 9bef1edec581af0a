//! The README's walk-through against the real quickstart program, over real sockets.
#![cfg(unix)]

mod process;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use process::client::Answer;
use process::{Process, Site, alone};

/// What the first version of this API promised, and clients still read.
const SHAPE: [&str; 10] = [
    "id",
    "name",
    "status",
    "retryCount",
    "maxRetries",
    "createdAt",
    "startedAt",
    "completedAt",
    "lastUpdatedAt",
    "result",
];
const REQUEST: &str = r#"{"data": "Hello, AsyncEndpoints!", "processingPriority": 2}"#;

fn quickstart(site: &Site) -> Process {
    site.start("quickstart", &[("WINDLASS_DEMO_WORK_MS", "40")])
}

/// The job when it has finished.
fn finished(process: &Process, location: &str) -> Value {
    let answer = process.get(&format!("{location}?wait=30"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Where the job of a `202` can be followed.
fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.text());
    let location = answer.header("location").expect("a Location").to_owned();
    let id = answer.header("async-job-id").expect("an Async-Job-Id");
    assert_eq!(location, format!("/jobs/{id}"));
    assert_eq!(answer.json()["id"], id);
    location
}

fn is_shouted(job: &Value) {
    assert_eq!(job["status"], "Completed", "{job}");
    assert_eq!(job["result"]["processedData"], "Processed: HELLO, ASYNCENDPOINTS!");
    assert_eq!(job["result"]["characterCount"], 22);
    assert!(job["result"]["processedAt"].is_string() && job["completedAt"].is_string());
}

#[test]
fn the_first_request_is_accepted_followed_and_completed() {
    let site = Site::new();
    let process = quickstart(&site);
    let answer = process.post("/api/process-data", REQUEST);
    let job = answer.json();
    let missing: Vec<_> = SHAPE.iter().filter(|field| job.get(**field).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} not in {job}");
    let expected = [("name", "ProcessData".into()), ("status", "Queued".into()), ("retryCount", 0.into())];
    expected.iter().for_each(|(field, value): &(_, Value)| assert_eq!(job[field], *value));
    assert_eq!(job["maxRetries"], 3);
    assert!(job["startedAt"].is_null() && job["completedAt"].is_null() && job["result"].is_null());
    assert!(answer.header("retry-after").is_some());
    is_shouted(&finished(&process, &location(&answer)));
}

/// The README's own command line, but for the port.
#[test]
fn the_readmes_curl_works_as_it_stands() {
    if Command::new("curl").arg("--version").output().is_err() {
        return println!("curl: SKIPPED, it is not installed");
    }
    let site = Site::new();
    let process = quickstart(&site);
    let here = format!("http://{}", process.address);
    let written = include_str!("../../../README.md").split("```").find(|block| block.contains("curl -i -X POST"));
    let command = written.and_then(|block| block.split_once('\n')).expect("a block with its language").1;
    assert!(command.contains(REQUEST), "{command}");
    let answer = shell(&command.replace("http://localhost:5000", &here).replace("curl -i", "curl -sSi"), b"");
    let answer = String::from_utf8(answer).expect("UTF-8");
    assert!(answer.starts_with("HTTP/1.1 202 Accepted"), "{answer}");
    let job: Value = serde_json::from_str(answer.lines().last().expect("a body")).expect("JSON");
    assert!(SHAPE.iter().all(|field| job.get(*field).is_some()), "{job}");
    let follow = format!("curl -sS '{here}/jobs/{}?wait=30'", job["id"].as_str().expect("an id"));
    is_shouted(&serde_json::from_slice(&shell(&follow, b"")).expect("JSON"));
}

fn shell(line: &str, input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    child.stdin.take().expect("piped").write_all(input).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{line}: {:?}", output.status);
    output.stdout
}

#[test]
fn requests_that_make_no_sense_are_refused_and_leave_no_job() {
    let site = Site::new();
    let process = quickstart(&site);
    let refused = process.post("/api/process-data", r#"{"data":"x","processingPriority":9}"#);
    refused.must_be_problem(400, "validation_failed");
    assert_eq!(refused.json()["detail"], "Priority must be between 1 and 5");
    process.post("/api/process-data", r#"{"data":"  "}"#).must_be_problem(400, "validation_failed");
    process.post("/api/process-data", r#"{"data":7}"#).must_be_problem(400, "bad_input");
    process.terminate();
    assert!(process::jobs::stored(&site).is_empty());
}

#[test]
fn a_report_without_a_body_sees_headers_route_and_query() {
    let site = Site::new();
    let process = quickstart(&site);
    let headers = [("X-Request-Id", "r-17"), ("Accept-Language", "de"), ("Authorization", "Bearer no")];
    let mut client = process.connect().expect("it listens");
    let path = "/api/generate-report/north?year=2026&tag=a&tag=b%20c";
    let answer = client.send("POST", path, &headers, b"").expect("an answer");
    let job = finished(&process, &location(&answer));
    let report = &job["result"];
    assert_eq!(report["headers"]["x-request-id"][0], "r-17", "{job}");
    assert_eq!(report["headers"]["accept-language"][0], "de");
    assert!(report["headers"].get("authorization").is_none(), "secrets are never kept");
    assert_eq!(report["route"]["region"], "north");
    assert_eq!((&report["query"]["year"][0], &report["query"]["tag"][1]), (&"2026".into(), &"b c".into()));
    let answer = client.send("POST", "/api/generate-report", &[], b"").expect("an answer");
    assert_eq!(finished(&process, &location(&answer))["status"], "Completed");
}

/// 600 KiB of words, numbers and marks, some of them not ASCII.
fn document() -> String {
    const LETTERS: [&str; 10] = ["a", "A", "b", "B", "c", "d", "e", "f", "g", "Z"];
    const BETWEEN: [&str; 9] = [" ", "\n", ", ", "-", "'", " 42 ", "é", "\t", "…"];
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = String::new();
    while text.len() < 600 << 10 {
        (0..random.usize(1..=4)).for_each(|_| text.push_str(LETTERS[random.usize(..LETTERS.len())]));
        text.push_str(BETWEEN[random.usize(..BETWEEN.len())]);
    }
    text
}

#[test]
fn the_words_of_a_large_document_are_those_that_the_shell_counts() {
    let site = Site::new();
    let process = quickstart(&site);
    let text = document();
    let mut client = process.connect().expect("it listens");
    let headers = [("Content-Type", "text/plain; charset=utf-8")];
    let answer = client.send("POST", "/api/word-count", &headers, text.as_bytes()).expect("an answer");
    let job = finished(&process, &location(&answer));
    let words = job["result"]["words"].as_object().expect("words");
    let counted: BTreeMap<String, u64> =
        words.iter().map(|(word, count)| (word.clone(), count.as_u64().unwrap_or(0))).collect();
    let shell = shell("tr -cs 'A-Za-z' '\\n' | tr A-Z a-z | sort | uniq -c", text.as_bytes());
    let shell = String::from_utf8(shell).expect("ASCII");
    let expected: BTreeMap<String, u64> = shell.lines().filter_map(count_of_line).collect();
    println!("word-count: {} bytes, {} different words, as the shell counts them", text.len(), expected.len());
    assert!(expected.len() > 1_000);
    assert_eq!(counted, expected);
    assert_eq!(job["result"]["total"].as_u64(), Some(expected.values().sum()));
}

/// `uniq -c` writes `  12 word`; the line of the empty word, which a leading mark makes, is none.
fn count_of_line(line: &str) -> Option<(String, u64)> {
    let (count, word) = line.trim_start().split_once(' ')?;
    (!word.is_empty()).then(|| (word.to_owned(), count.parse().expect("a count")))
}

#[test]
fn the_documents_and_health_are_where_the_greeting_says() {
    let site = Site::new();
    let process = quickstart(&site);
    let document = process.get("/openapi.json").json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")), "{document}");
    for path in ["/api/process-data", "/api/generate-report", "/api/word-count", "/jobs/{job_id}"] {
        assert!(document["paths"].get(path).is_some(), "{path} is not described");
    }
    let ready = process.get("/health/ready");
    assert_eq!(ready.status, 200, "{}", ready.text());
    assert_eq!(process.get("/health/live").status, 200);
    assert!(process.get("/metrics").text().contains("windlass_"));
    let greeting = site.output();
    for place in ["/api/process-data", "/openapi.json", "/health/ready"] {
        assert!(greeting.contains(place), "the greeting does not name {place}:\n{greeting}");
    }
}

/// The README's dare: kill it while it works, start it again.
#[test]
fn fault_a_killed_quickstart_completes_its_job_after_a_restart() {
    let _alone = alone();
    let site = Site::new();
    let settings = &[("WINDLASS_DEMO_WORK_MS", "2000")];
    let process = site.start("quickstart", settings);
    let location = location(&process.post("/api/process-data", REQUEST));
    process::until("the job runs", process::PATIENCE, || {
        (process.get(&location).json()["status"] == "InProgress").then_some(())
    });
    process.kill();
    let process = site.start("quickstart", settings);
    let job = finished(&process, &location);
    is_shouted(&job);
    assert_eq!((&job["attempts"][0]["outcome"], &job["retryCount"]), (&"Crashed".into(), &0.into()), "{job}");
    println!(
        "quickstart: killed while it worked, completed by attempt {} after the restart",
        job["attempts"][1]["number"]
    );
}
