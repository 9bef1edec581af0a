//! The HTTP clients: connections that are kept open, each sends its next request when it has the answer to its last.
//! Plain HTTP/1.1 over TCP on one thread, so that they take as little as they can of the cores they share.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::Fault;
use crate::mail::Mail;
use crate::moments::Spans;

/// Where the requests go.
pub(crate) const PATH: &str = "/api/process-data";

/// What the clients are to do.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Order {
    /// The server.
    #[arg(long)]
    pub(crate) address: SocketAddr,
    /// Requests in all.
    #[arg(long)]
    pub(crate) jobs: u64,
    /// Connections.
    #[arg(long)]
    pub(crate) connections: u64,
}

impl Order {
    pub(crate) fn to_args(&self) -> [String; 6] {
        let Self { address, jobs, connections } = self;
        ["--address", &address.to_string(), "--jobs", &jobs.to_string(), "--connections", &connections.to_string()]
            .map(str::to_owned)
    }
}

/// What they were answered.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answers {
    /// With 202.
    pub(crate) accepted: u64,
    /// With anything else.
    pub(crate) refused: u64,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: Option<f64>,
    pub(crate) p99_ms: Option<f64>,
}

/// What the connections share.
struct Shared {
    order: Order,
    next: Cell<u64>,
    accepted: Cell<u64>,
    spans: RefCell<Vec<Duration>>,
}

/// Sends what is ordered and prints the answers.
pub(crate) fn run(order: &Order) -> Result<(), Fault> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let answers = local.block_on(&runtime, send_all(order.clone()))?;
    println!("{}", serde_json::to_string(&answers)?);
    Ok(())
}

async fn send_all(order: Order) -> Result<Answers, Fault> {
    let mut streams = Vec::new();
    for _ in 0..order.connections {
        streams.push(TcpStream::connect(order.address).await?);
    }
    let spans = RefCell::new(Vec::with_capacity(usize::try_from(order.jobs)?));
    let shared = Rc::new(Shared { order, next: Cell::new(0), accepted: Cell::new(0), spans });
    let began = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for stream in streams {
        clients.spawn_local(client(stream, shared.clone()));
    }
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(shared.answers(began.elapsed()))
}

impl Shared {
    fn answers(&self, took: Duration) -> Answers {
        let spans: Spans = self.spans.take().into_iter().collect();
        Answers {
            accepted: self.accepted.get(),
            refused: self.order.jobs - self.accepted.get(),
            seconds: took.as_secs_f64(),
            p50_ms: spans.quantile_ms(0.5),
            p99_ms: spans.quantile_ms(0.99),
        }
    }
}

async fn client(mut stream: TcpStream, shared: Rc<Shared>) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let (mut request, mut answer) = (Vec::new(), Vec::new());
    loop {
        let number = shared.next.get();
        if number >= shared.order.jobs {
            return Ok(());
        }
        shared.next.set(number + 1);
        write_request(&mut request, shared.order.address, number)?;
        let began = Instant::now();
        stream.write_all(&request).await?;
        let status = read_answer(&mut stream, &mut answer).await?;
        shared.spans.borrow_mut().push(began.elapsed());
        shared.accepted.set(shared.accepted.get() + u64::from(status == 202));
    }
}

fn write_request(request: &mut Vec<u8>, address: SocketAddr, number: u64) -> Result<(), Fault> {
    use std::io::Write;
    let body = serde_json::to_vec(&Mail::numbered(number))?;
    request.clear();
    write!(
        request,
        "POST {PATH} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )?;
    request.extend_from_slice(&body);
    Ok(())
}

/// Reads one whole answer and gives its status.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<u16, Fault> {
    answer.clear();
    loop {
        if stream.read_buf(answer).await? == 0 {
            return Err("the server closed a connection".into());
        }
        let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let (status, length) = read_head(std::str::from_utf8(&answer[..head])?)?;
        let missing = (head + 4 + length).saturating_sub(answer.len());
        if missing > 0 {
            let have = answer.len();
            answer.resize(have + missing, 0);
            stream.read_exact(&mut answer[have..]).await?;
        }
        return Ok(status);
    }
}

/// The status and the length of the body.
fn read_head(head: &str) -> Result<(u16, usize), Fault> {
    let status = head.split_whitespace().nth(1).ok_or("an answer without a status")?.parse()?;
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.ok_or("an answer without a length")?.1.trim().parse()?;
    Ok((status, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_its_status_and_length() {
        let head = "HTTP/1.1 202 Accepted\r\nLocation: /jobs/1\r\ncontent-length: 17";
        assert_eq!(read_head(head).expect("a whole head"), (202, 17));
        assert!(read_head("HTTP/1.1 202 Accepted").is_err());
    }
}
