//! T41: how long a refusal takes does not tell whether the job exists. What the refusal says is the same, too, on every
//! route and verb: see the tests of `windlass-http`.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{Request, header};
use tower::ServiceExt;
use windlass::prelude::*;

/// Asked per route and kind of id.
const TIMES: usize = 200;
/// How far the medians may be apart.
const APART: Duration = Duration::from_millis(5);

#[job(name = "Echo")]
async fn echo(Json(text): Json<String>) -> Result<Json<String>> {
    Ok(Json(text))
}

fn owner(parts: &Parts) -> std::result::Result<Owner, Rejection> {
    let user = parts.headers.get("x-user").and_then(|value| value.to_str().ok());
    user.and_then(|user| Owner::new(user).ok()).ok_or_else(|| Rejection::unauthorized("who are you?"))
}

/// An answer's status, where it points, and how long it took to the last byte.
async fn ask(api: &Router, user: &str, method: &str, path: &str, body: &str) -> (u16, Option<String>, Duration) {
    let request = Request::builder().method(method).uri(path).header("x-user", user);
    let request = request.header(header::CONTENT_TYPE, "application/json").body(Body::from(body.to_owned()));
    let began = Instant::now();
    let answer = api.clone().oneshot(request.expect("a request")).await.expect("infallible");
    let status = answer.status().as_u16();
    let location = answer.headers().get(header::LOCATION).map(|path| path.to_str().expect("ASCII").to_owned());
    to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
    (status, location, began.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_takes_as_long_for_a_strangers_job_as_for_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let windlass = Windlass::open(format!("file:{}", folder.path().display())).handler(echo).start().await;
    let windlass = windlass.expect("starts");
    let api = windlass.api().owner(owner).endpoint(post("/echo", echo)).job_routes("/jobs").into_router();
    let api = api.expect("consistent");
    let (status, location, _) = ask(&api, "ada", "POST", "/echo", "\"hello\"").await;
    assert_eq!(status, 202);
    let theirs = location.expect("a Location");
    let none = format!("/jobs/{}", JobId::keyed(&[b"nobody has this one"]));
    for (method, rest) in [("GET", ""), ("GET", "?wait=5"), ("GET", "/result"), ("DELETE", "")] {
        let (mut stranger, mut absent) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            for (path, times) in [(&theirs, &mut stranger), (&none, &mut absent)] {
                let (status, _, took) = ask(&api, "eve", method, &format!("{path}{rest}"), "").await;
                assert_eq!(status, 404);
                times.push(took);
            }
        }
        let (stranger, absent) = (median(stranger), median(absent));
        println!("{method} /jobs/{{id}}{rest}: {stranger:?} for a stranger's job, {absent:?} for none");
        assert!(stranger.abs_diff(absent) <= APART, "{method} {rest}: {stranger:?} and {absent:?}");
    }
    windlass.shutdown().await;
}
