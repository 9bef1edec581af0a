//! T44 and the request's size: hostile paths and queries, and contexts over the limit.

use axum::Router;
use windlass_http::{HttpExt, delete, post};

use crate::client::{Client, request};
use crate::handlers::{Echo, Nothing};
use crate::leaks::stored;

#[tokio::test]
async fn hostile_route_and_query_values_are_only_values() {
    let client = Client::serving().await;
    let hostile = ["%27%3BDROP", "%24where", "%7B%7D", "*", "%0D%0AX-Evil:1", "%00", "%E2%80%AE", "..%2F.."];
    for value in hostile {
        let answer = client.post(&format!("/api/generate-report/{value}?q={value}"), "").await;
        assert_eq!(answer.status, 202, "{value}");
        assert!(answer.header("x-evil").is_none());
    }
    let jobs = stored(&client).await;
    assert!(jobs.iter().all(|job| job.new.context.route("region") == job.new.context.query("q")));
    assert_eq!(jobs[4].new.context.query("q"), Some("\r\nX-Evil:1"));
}

#[tokio::test]
async fn a_route_value_that_is_not_utf_8_is_400() {
    let client = Client::serving().await;
    assert_eq!(client.post("/api/generate-report/%ff", "").await.problem(), (400, "bad_path".into()));
}

#[tokio::test]
async fn a_context_over_the_limit_is_431() {
    let client = Client::serving().await;
    let (fits, over) = ("q".repeat(16_000), "q".repeat(17_000));
    assert_eq!(client.post(&format!("/nothing?{fits}"), "").await.status, 202);
    assert_eq!(client.post(&format!("/nothing?{over}"), "").await.problem(), (431, "context_too_large".into()));
    let long = client.post_with("/nothing", &[("accept-language", &over)], "").await;
    assert_eq!(long.problem(), (431, "context_too_large".into()));
    let not_kept = client.post_with("/nothing", &[("x-other", &over)], "").await;
    assert_eq!(not_kept.status, 202, "what is not kept does not count");
    let many = "a&".repeat(8_000);
    assert_eq!(client.post(&format!("/nothing?{many}"), "").await.status, 202);
}

#[tokio::test]
async fn unknown_methods_and_paths_are_problems() {
    let client = Client::serving().await;
    let answer = client.get("/echo").await;
    assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
    let mut allowed: Vec<_> = answer.header("allow").expect("listed").split(',').collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["DELETE", "PATCH", "POST", "PUT"]);
    let router = client.router.clone().fallback(windlass_http::not_found);
    let elsewhere = Client { router, ..client };
    assert_eq!(elsewhere.get("/nowhere").await.problem(), (404, "route_not_found".into()));
}

#[tokio::test]
async fn all_four_verbs_submit() {
    let client = Client::serving().await;
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = client.send(request(method, "/echo", &[("content-type", "application/json")], "1")).await;
        assert_eq!(answer.status, 202, "{method}");
    }
}

#[tokio::test]
async fn mistakes_in_an_api_are_errors_at_build() {
    let client = Client::serving().await;
    let api = client.engine.api().endpoint(post("no-slash", Echo)).endpoint(delete("/a", Nothing));
    let api = api.endpoint(delete("/a", Nothing)).openapi("openapi.json");
    let text = api.into_router().expect_err("wrong").to_string();
    for complaint in ["no-slash", "two endpoints are DELETE", "openapi.json"] {
        assert!(text.contains(complaint), "{text}");
    }
}

#[tokio::test]
async fn single_routes_fit_into_a_router_of_the_applications_own() {
    let client = Client::serving().await;
    let engine = &client.engine;
    let refuse = async |_| Err::<(), _>((axum::http::StatusCode::IM_A_TEAPOT, "tea"));
    let router = Router::new()
        .route("/a/{x}", engine.post(Echo).into())
        .route("/b", engine.put(Echo).validate(refuse).into())
        .merge(engine.job_routes("/work"));
    let own = Client { router, ..client.clone() };
    let id = own.post("/a/1", "1").await.id();
    assert_eq!(own.get(&format!("/work/{id}")).await.status, 200);
    assert_eq!(stored(&client).await[0].new.context.route("x"), Some("1"));
    let refused = own.send(request("PUT", "/b", &[("content-type", "application/json")], "1")).await;
    assert_eq!((refused.status, &refused.body[..]), (418, &b"tea"[..]));
}
