//! T38 and T39: sizes, media types and hostile JSON. Whatever is refused leaves no trace in the store.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use windlass_core::limits::PAYLOAD_BYTES_DEFAULT;

use crate::client::{Client, request};
use crate::leaks::stored;

/// A JSON string that is `length` bytes long.
fn json_of(length: usize) -> Vec<u8> {
    let mut json = vec![b'x'; length];
    json[0] = b'"';
    json[length - 1] = b'"';
    json
}

#[tokio::test]
async fn the_limit_itself_passes_and_one_more_byte_does_not() {
    let client = Client::serving().await;
    let limit = PAYLOAD_BYTES_DEFAULT;
    for (length, status) in [(limit - 1, 202), (limit, 202), (limit + 1, 413)] {
        assert_eq!(client.post("/echo", json_of(length)).await.status, status, "{length}");
        let length_unknown = Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from(json_of(length)))]));
        assert_eq!(client.post("/echo", length_unknown).await.status, status, "{length}, chunked");
    }
    assert_eq!(stored(&client).await.len(), 4);
}

#[tokio::test]
async fn an_endless_body_is_read_to_the_limit_only() {
    let client = Client::serving().await;
    let read = Arc::new(AtomicUsize::new(0));
    for path in ["/echo", "/nothing"] {
        let counter = read.clone();
        let endless = stream::repeat_with(move || {
            counter.fetch_add(1 << 16, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(&[b' '; 1 << 16]))
        });
        assert_eq!(client.post(path, Body::from_stream(endless)).await.problem(), (413, "body_too_large".into()));
    }
    let most = 2 * (PAYLOAD_BYTES_DEFAULT + (64 << 10));
    assert!(read.load(Ordering::Relaxed) <= most, "read {read:?} bytes");
    assert!(stored(&client).await.is_empty());
}

#[tokio::test]
async fn a_body_announced_as_too_long_is_not_read_at_all() {
    let client = Client::serving().await;
    let never = stream::pending::<Result<Bytes, Infallible>>();
    let answer = client.post_with("/echo", &[("content-length", "4294967297")], Body::from_stream(never)).await;
    assert_eq!(answer.problem(), (413, "body_too_large".into()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let client = Client::serving().await;
    let broken = stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
    assert_eq!(client.post("/echo", Body::from_stream(broken)).await.problem(), (400, "bad_input".into()));
}

#[tokio::test]
async fn media_types_are_checked() {
    let client = Client::serving().await;
    for (path, content_type, status) in [
        ("/echo", Some("application/json"), 202),
        ("/echo", Some("application/vnd.api+json; charset=utf-8"), 202),
        ("/echo", Some("text/plain"), 415),
        ("/echo", None, 415),
        ("/shout", Some("text/plain"), 202),
        ("/shout", Some("application/json"), 415),
        ("/shout", None, 415),
        ("/fetch", Some("image/png"), 202),
        ("/fetch", None, 202),
        ("/nothing", Some("image/png"), 202),
        ("/nothing", None, 202),
    ] {
        let headers: Vec<_> = content_type.map(|value| ("content-type", value)).into_iter().collect();
        let answer = client.send(request("POST", path, &headers, "1")).await;
        assert_eq!(answer.status, status, "{path} {content_type:?}");
        if status == 415 {
            assert_eq!(answer.problem().1, "unsupported_media_type");
        }
    }
    let types: Vec<_> = stored(&client).await.iter().map(|job| job.new.payload.content_type.to_string()).collect();
    assert!(types.contains(&"image/png".into()) && types.contains(&"application/octet-stream".into()), "{types:?}");
}

#[tokio::test]
async fn compressed_bodies_and_long_media_types_are_refused() {
    let client = Client::serving().await;
    let long = format!("application/{}+json", "x".repeat(300));
    for headers in [[("content-encoding", "gzip")], [("content-type", long.as_str())]] {
        assert_eq!(client.post_with("/echo", &headers, "1").await.problem().0, 415);
    }
}

/// Bodies that no endpoint may take, each with a name for the failure message.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str, levels: usize| open.repeat(levels).into_bytes();
    let closed = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    vec![
        ("10k arrays", closed(10_000)),
        ("129 arrays", closed(129)),
        ("500k arrays", closed(500_000)),
        ("1M brackets", deep("[", 1_000_000)),
        ("200k objects", deep(r#"{"":"#, 200_000)),
        ("1e999", b"1e999".to_vec()),
        ("-1e999", b"[-1e999]".to_vec()),
        ("100k digits and an exponent", format!("{}e999", "9".repeat(100_000)).into_bytes()),
        ("NaN", b"NaN".to_vec()),
        ("Infinity", b"[Infinity]".to_vec()),
        ("lone high surrogate", br#""\ud800""#.to_vec()),
        ("lone low surrogate", br#""\udc00x""#.to_vec()),
        ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("raw NUL", b"\"a\0b\"".to_vec()),
        ("NUL alone", b"\0".to_vec()),
        ("invalid UTF-8", b"\"\xff\"".to_vec()),
        ("overlong UTF-8", b"\"\xc0\xaf\"".to_vec()),
        ("two values", b"1 2".to_vec()),
        ("comma at the end", b"[1,]".to_vec()),
        ("comment", b"/* */ 1".to_vec()),
        ("cut off", br#"{"data":"#.to_vec()),
    ]
}

#[tokio::test]
async fn json_bombs_are_400_and_stored_nowhere() {
    let client = Client::serving().await;
    for (name, body) in bombs() {
        let answer = client.post("/echo", body).await;
        assert_eq!(answer.problem(), (400, "bad_input".into()), "{name}");
        assert!(answer.body.len() < 1_000, "{name}: the answer does not repeat the input");
    }
    assert!(stored(&client).await.is_empty());
}

#[tokio::test]
async fn bombs_in_fields_that_nobody_reads_are_refused_too() {
    // serde skips unknown fields without checking depth or encoding, but the bytes would be stored.
    let client = Client::serving().await;
    let nested = format!(r#"{{"data":"x","other":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let encoded = b"{\"data\":\"x\",\"other\":\"\xff\"}".to_vec();
    for body in [nested.into_bytes(), encoded] {
        assert_eq!(client.post("/api/process-data", body).await.problem(), (400, "bad_input".into()));
    }
}

#[tokio::test]
async fn wrong_shapes_are_400() {
    let client = Client::serving().await;
    for body in [
        "null",
        "[]",
        "{}",
        r#"{"data":7}"#,
        r#"{"data":"x","processingPriority":"2"}"#,
        r#"{"data":"x","data":"y"}"#,
        r#"{"data":"x","processingPriority":99999999999999999999}"#,
    ] {
        assert_eq!(client.post("/api/process-data", body).await.problem(), (400, "bad_input".into()), "{body}");
    }
    assert_eq!(client.post("/api/process-data", "").await.problem(), (400, "empty_body".into()));
    assert_eq!(client.post("/shout", "").await.status, 415);
}

#[tokio::test]
async fn odd_but_sound_json_passes() {
    let client = Client::working().await;
    let wide = format!("{{{}}}", (0..10_000).map(|n| format!("\"k{n}\":{n}")).collect::<Vec<_>>().join(","));
    for body in ["1e308", r#""\ud83d\ude00""#, r#""\u0000""#, r#"{"a":1,"a":2}"#, " \n[ ]", wide.as_str()] {
        let answer = client.post_with("/echo", &[("prefer", "wait=20")], body.to_owned()).await;
        assert_eq!(answer.status, 200, "{body}");
    }
}
