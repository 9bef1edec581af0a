//! Over real sockets: the server's timeouts, its connection cap and its drain.

use std::net::SocketAddr;

use axum::extract::Request;
use axum::middleware::map_request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use windlass_http::Server;

use crate::client::Client;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    stop_now: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

pub(crate) async fn run(client: &Client, change: impl FnOnce(Server) -> Server) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let (stop_now, stopped_now) = oneshot::channel();
    let server = change(Server::new(&client.engine, client.router.clone()));
    let told = |signal: oneshot::Receiver<()>| async move {
        if signal.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let server = tokio::spawn(server.run(listener, told(stopped), told(stopped_now)));
    Running { address, stop, stop_now, server }
}

pub(crate) async fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

/// Everything until the server closes.
pub(crate) async fn rest(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    // A reset is a close too.
    let _ = stream.read_to_end(&mut text).await;
    String::from_utf8_lossy(&text).into_owned()
}

fn post(body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

#[tokio::test]
async fn a_request_over_a_socket_is_answered() {
    let client = Client::working().await;
    let running = run(&client, |server| server).await;
    let text = rest(connect(running.address, &post("42", "Prefer: wait=20\r\n")).await).await;
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n42"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_is_cut_off() {
    // hyper's timeout does nothing without a timer; this is the test that there is one.
    let client = Client::serving().await;
    let running = run(&client, |server| server).await;
    for sent in ["", "G", "GET /jobs/x HTTP/1.1\r\nHost: x\r\n"] {
        let began = tokio::time::Instant::now();
        rest(connect(running.address, sent).await).await;
        assert!((9..=11).contains(&began.elapsed().as_secs()), "{sent:?}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_head_over_the_limit_is_431_and_header_splitting_is_400() {
    let client = Client::serving().await;
    let running = run(&client, |server| server).await;
    for (headers, status) in [
        (format!("X-Long: {}\r\n", "x".repeat(32 << 10)), "431"),
        ("Idempotency-Key: a\rb\r\n".into(), "400"),
        ("Idempotency-Key: a\0b\r\n".into(), "400"),
        ("Content-Length: 7\r\n".into(), "400"),
    ] {
        let text = rest(connect(running.address, &post("1", &headers)).await).await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {text}");
    }
    assert!(crate::leaks::stored(&client).await.is_empty());
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_without_waiting_for_it() {
    let client = Client::serving().await;
    let running = run(&client, |server| server).await;
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4294967297\r\n\r\n";
    let text = rest(connect(running.address, head).await).await;
    assert!(text.starts_with("HTTP/1.1 413 ") && text.contains("body_too_large"), "{text}");
}

#[tokio::test(start_paused = true)]
pub(crate) async fn connections_over_the_cap_wait_for_a_free_one() {
    let client = Client::serving().await;
    let running = run(&client, |server| server.connections_max(1)).await;
    let began = tokio::time::Instant::now();
    let silent = connect(running.address, "").await;
    let second = connect(running.address, &post("1", "")).await;
    assert!(rest(second).await.starts_with("HTTP/1.1 202 "));
    assert!(began.elapsed().as_secs() >= 9, "the silent one held the only place until it was cut off");
    drop(silent);
}

#[tokio::test]
async fn a_drain_answers_what_is_under_way_and_takes_nothing_new() {
    let client = Client::serving().await;
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let noted = map_request(move |request: Request| {
        arrived.send(()).unwrap();
        async { request }
    });
    let served = Client { router: client.router.clone().layer(noted), ..client.clone() };
    let running = run(&served, |server| server).await;
    let id = client.post("/echo", "1").await.id();
    let idle = connect(running.address, "").await;
    let poll = format!("GET /jobs/{id}?wait=30 HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut polling = connect(running.address, &poll).await;
    arrivals.recv().await.expect("the poll is under way");
    running.stop.send(()).unwrap();
    let mut answer = vec![0; 15];
    polling.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 OK");
    assert_eq!(rest(idle).await, "");
    running.server.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err(), "the listener is gone");
    assert!(!client.engine.health().ready);
    drop(running.stop_now);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let client = Client::working().await;
    let running = run(&client, |server| server).await;
    let id: String = client.post("/stuck", "").await.id();
    let half = connect(running.address, &post("12345", "").replace("12345", "1")).await;
    running.stop.send(()).unwrap();
    running.stop_now.send(()).unwrap();
    running.server.await.unwrap();
    rest(half).await;
    let job = client.get(&format!("/jobs/{id}")).await.json();
    assert_eq!(job["status"], "Queued", "given back without spending an attempt: {job}");
    assert_eq!(job["retryCount"], 0);
}
