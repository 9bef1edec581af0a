//! T38, T39, T42, T43, T44 against real programs over real sockets: hostile requests get their documented answer, the
//! process stays well, and credentials are found nowhere afterwards.
#![cfg(unix)]

mod process;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use process::client::Answer;
use process::jobs::{drained, id};
use process::{PATIENCE, Process, Site, until};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PATH: &str = "/api/process-data";
/// The default limit of a body, in bytes.
const LIMIT: usize = 1 << 20;

fn ask(process: &Process, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    process.connect().and_then(|mut client| client.send(method, path, headers, body)).expect("an answer")
}

/// Sends bytes as they are. `None` when the server hung up without an answer.
fn raw(process: &Process, bytes: &[u8]) -> Option<Answer> {
    let mut client = process.connect().expect("it listens");
    // A server that has refused already may not read to the end.
    let _ = client.write(bytes).and_then(|()| client.finish_writing());
    client.answer().ok()
}

/// After everything the process works, has not panicked, and has not grown.
fn is_well(site: &Site, process: &Process, memory_before_kib: u64) {
    let answer = process.post(PATH, r#"{"data":"still here"}"#);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let job = process.get(&format!("{}?wait=30", answer.header("location").expect("a Location"))).json();
    assert_eq!(job["status"], "Completed");
    assert_eq!(process.get("/health/ready").status, 200);
    assert!(!site.output().contains("panicked"), "{}", site.output());
    let grown = process.memory_kib().saturating_sub(memory_before_kib);
    println!("after all that {grown} KiB more memory");
    assert!(grown < 16 << 10, "grew by {grown} KiB");
}

#[test]
fn json_bombs_are_refused_one_by_one() {
    let site = Site::new();
    let process = site.start("quickstart", &[("WINDLASS_DEMO_WORK_MS", "0")]);
    // The first request of each kind sets up what stays.
    process.post(PATH, &format!(r#"{{"data":"{}"}}"#, "x".repeat(LIMIT - 100)));
    let before = process.memory_kib();
    let keys: String = (0..60_000).map(|key| format!(r#""k{key}":{key},"#)).collect();
    let bombs: [(&str, Vec<u8>); 14] = [
        ("a million arrays", b"[".repeat(1_000_000)),
        ("a million objects, skipped", format!(r#"{{"x":{}"#, r#"{"a":"#.repeat(200_000)).into_bytes()),
        (
            "closed arrays in a field that is skipped",
            format!(r#"{{"data":"x","y":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000)).into_bytes(),
        ),
        (
            "a number of 100 000 digits",
            format!(r#"{{"data":"x","processingPriority":{}}}"#, "9".repeat(100_000)).into_bytes(),
        ),
        ("a number out of range", br#"{"data":"x","processingPriority":1e999}"#.to_vec()),
        ("not a number", br#"{"data":"x","processingPriority":NaN}"#.to_vec()),
        ("a duplicate key", br#"{"data":"x","data":"y"}"#.to_vec()),
        ("keys without end", format!(r#"{{"data":7,{keys}"z":0}}"#).into_bytes()),
        ("half a surrogate", br#"{"data":"\ud800"}"#.to_vec()),
        ("no UTF-8", b"{\"data\":\"\xff\xfe\"}".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf{\"data\":\"x\"}".to_vec()),
        ("a raw NUL", b"{\"data\":\"\0\"}".to_vec()),
        ("nothing", Vec::new()),
        ("wrong types", br#"{"data":["x"],"processingPriority":{}}"#.to_vec()),
    ];
    let mut slowest = Duration::ZERO;
    for (what, bomb) in &bombs {
        let mut fastest = Duration::MAX;
        // The machine may be busy with something else once, and not every time.
        for _ in 0..5 {
            let began = Instant::now();
            let answer = ask(&process, "POST", PATH, &[JSON], bomb);
            fastest = fastest.min(began.elapsed());
            assert_eq!(answer.status, 400, "{what}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
            assert!(answer.body.len() < 2_000, "{what}: the answer repeats what was sent");
        }
        assert!(fastest < Duration::from_millis(10), "{what}: refused after {fastest:?}");
        slowest = slowest.max(fastest);
    }
    println!("bombs: {} refused with 400, each within {slowest:?}", bombs.len());
    is_well(&site, &process, before);
}

#[test]
fn bodies_over_the_limit_and_bodies_that_lie_are_refused() {
    let site = Site::new();
    let process = site.start("quickstart", &[("WINDLASS_DEMO_WORK_MS", "0")]);
    let body = |length: usize| format!(r#"{{"data":"{}"}}"#, "x".repeat(length - 11)).into_bytes();
    assert_eq!(ask(&process, "POST", PATH, &[JSON], &body(LIMIT)).status, 202, "the limit itself");
    let before = process.memory_kib();
    ask(&process, "POST", PATH, &[JSON], &body(LIMIT + 1)).must_be_problem(413, "body_too_large");

    let head = format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n");
    let announced = raw(&process, format!("{head}Content-Length: 4294967297\r\n\r\n{{").as_bytes());
    announced.expect("refused by its length alone").must_be_problem(413, "body_too_large");
    let broken_off = raw(&process, format!("{head}Content-Length: 100\r\n\r\n{{\"data\":").as_bytes());
    assert!(broken_off.is_none_or(|answer| answer.status == 400));
    for lie in ["zz\r\n{}\r\n0\r\n\r\n", "ffffffffffffffff\r\n{}", "5\r\n{\"data\":\"x\"}\r\n0\r\n\r\n", "-1\r\n{}\r\n"]
    {
        let answer = raw(&process, format!("{head}Transfer-Encoding: chunked\r\n\r\n{lie}").as_bytes());
        assert!(answer.is_none_or(|answer| answer.status == 400), "{lie:?}");
    }
    for both in ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n"] {
        let answer =
            raw(&process, format!("{head}{both}\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert!(answer.is_none_or(|answer| answer.status == 400), "{both:?}");
    }
    endless(&process, &head).must_be_problem(413, "body_too_large");
    is_well(&site, &process, before);
}

/// Chunks until the server has had enough.
fn endless(process: &Process, head: &str) -> Answer {
    let mut client = process.connect().expect("it listens");
    client.write(format!("{head}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).expect("it listens");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    let sent = (0..1_000).take_while(|_| client.write(chunk.as_bytes()).is_ok()).count();
    assert!(sent < 1_000, "64 MiB were taken");
    client.answer().expect("an answer before it hangs up")
}

#[test]
fn hostile_names_ids_and_heads_get_their_documented_answer() {
    let site = Site::new();
    let process = site.start("quickstart", &[("WINDLASS_DEMO_WORK_MS", "0")]);
    let before = process.memory_kib();
    let good = br#"{"data":"x"}"#;
    for hostile in ["1; DROP TABLE job", "../../etc/passwd", "{$where:1}", "*", "0", &"9".repeat(4_000)] {
        let headers = [JSON, ("X-Async-Request-Id", hostile)];
        ask(&process, "POST", PATH, &headers, good).must_be_problem(400, "bad_header");
    }
    let long = "k".repeat(10_000);
    for hostile in ["a b", "\"\"", "k\u{202e}", &long] {
        let headers = [JSON, ("Idempotency-Key", hostile)];
        ask(&process, "POST", PATH, &headers, good).must_be_problem(400, "bad_header");
    }
    for hostile in ["..%2f..%2fetc%2fpasswd", "%00", "'%20OR%201=1--", "%e2%80%ae", "x%0d%0aSet-Cookie:a=b", &id(77)] {
        for (method, rest) in [("GET", ""), ("GET", "/result"), ("DELETE", "")] {
            let answer = ask(&process, method, &format!("/jobs/{hostile}{rest}"), &[], b"");
            answer.must_be_problem(404, "job_not_found");
            assert!(answer.header("set-cookie").is_none());
        }
    }
    ask(&process, "POST", PATH, &[("Content-Type", "text/xml")], good).must_be_problem(415, "unsupported_media_type");
    ask(&process, "PUT", PATH, &[JSON], good).must_be_problem(405, "method_not_allowed");
    assert_eq!(ask(&process, "POST", PATH, &[JSON, ("X-Big", &"h".repeat(20_000))], good).status, 431);
    let split = raw(&process, format!("POST {PATH} HTTP/1.1\r\nHost: x\r\nX-A: b\rc\r\n\r\n").as_bytes());
    assert!(split.is_none_or(|answer| answer.status == 400), "a bare CR in a header");
    same_key_other_body(&process);
    is_well(&site, &process, before);
    log_lines_stay_lines(&site);
}

fn same_key_other_body(process: &Process) {
    let keyed = [JSON, ("Idempotency-Key", "order-1")];
    let first = ask(process, "POST", PATH, &keyed, br#"{"data":"one"}"#);
    let again = ask(process, "POST", PATH, &keyed, br#"{"data":"one"}"#);
    assert_eq!((first.status, again.status), (202, 202));
    assert_eq!(first.header("location"), again.header("location"));
    ask(process, "POST", PATH, &keyed, br#"{"data":"two"}"#).must_be_problem(422, "idempotency_key_reused");
}

/// Whatever was sent, each line of the log is one that the program wrote.
fn log_lines_stay_lines(site: &Site) {
    let output = site.output();
    assert!(
        !output.contains("Set-Cookie") && !output.contains("DROP TABLE") && !output.contains('\u{202e}'),
        "{output}"
    );
}

const CANARY: &str = "canary-4f1d9c7e";
const SECRETS: [&str; 8] = [
    "Authorization",
    "Proxy-Authorization",
    "Cookie",
    "X-Api-Key",
    "X-Amz-Security-Token",
    "X-Auth-Token",
    "Baggage",
    "X-Client-Secret",
];

/// Jobs that complete, panic, are retried and become dead letters, and requests that are refused, all with credentials
/// in their headers, in a process that logs as much as it can; then a kill, so that the log of the database is as a
/// crash leaves it.
#[test]
fn fault_credentials_are_found_nowhere() {
    let site = Site::new();
    let settings = &[("RUST_LOG", "trace"), ("WINDLASS_RETRY_DELAY_BASE", "10ms")];
    let process = site.start("fault_worker", settings);
    let mut headers: Vec<_> = SECRETS.iter().map(|name| (*name, CANARY)).collect();
    headers.push(JSON);
    let mut client = process.connect().expect("it listens");
    let mut answers = Vec::new();
    for (path, body) in [("/count", r#"{"number":1}"#), ("/trip", r#"{"number":2}"#), ("/count", "broken"), ("/no", "")]
    {
        answers.push(client.send("POST", path, &headers, body.as_bytes()).expect("an answer"));
    }
    let accepted: Vec<String> =
        answers.iter().filter_map(|answer| answer.header("location").map(str::to_owned)).collect();
    assert_eq!(accepted.len(), 2);
    drained(&process);
    for place in &accepted {
        for path in [place.clone(), format!("{place}/result")] {
            answers.push(client.send("GET", &path, &headers, b"").expect("an answer"));
        }
    }
    until("the worst has happened", PATIENCE, || site.output().contains("panicked").then_some(()));
    process.kill();
    let mut searched = 0;
    for answer in &answers {
        searched += search("an answer", &answer.bytes());
    }
    let files = files_below(&site.path(""));
    assert!(files.iter().any(|file| file.ends_with("output")) && files.len() >= 4, "{files:?}");
    for file in &files {
        searched += search(file, &fs::read(site.path(file)).expect("it can be read"));
    }
    assert!(search_finds(CANARY.as_bytes()), "the search finds what is there");
    println!(
        "canary: 0 of {} headers found in {} answers and {} files, {searched} bytes",
        SECRETS.len(),
        answers.len(),
        files.len()
    );
}

fn search(place: &str, bytes: &[u8]) -> usize {
    assert!(!search_finds(bytes), "a credential is in {place}");
    bytes.len()
}

fn search_finds(bytes: &[u8]) -> bool {
    bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes())
}

/// The paths of all files, from `folder`.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                open.push(entry);
            } else {
                found.push(entry.strip_prefix(folder).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    found
}
