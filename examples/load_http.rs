//! Load for `scripts/bench kms` and `scripts/bench s3`: sends one HTTP/1.1 request from many connections and
//! prints rates as JSON.
//!
//! `cargo run --release --example load_http -- ADDRESS CONNECTIONS SECONDS [CALLS] < REQUEST`. REQUEST, head
//! and body, goes out as it is, over and over, `CALLS` times at the most; where its head has `########`, each call
//! has a number of its own. A connection is kept until the server closes it (RFC 9112, section 9.3); making the
//! next one is then part of the next call's time, as it is for every client of such a server. An error is a status
//! other than 2xx, or no whole answer in 30 seconds; rate and percentiles are those of the other calls.

#![expect(clippy::unwrap_used, reason = "a load generator that cannot go on should stop loudly")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]

use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, seconds, more @ ..] = arguments.as_slice() else { return };
    let connections: usize = connections.parse().unwrap();
    let most = more.first().map_or(u32::MAX, |calls| calls.parse().unwrap());
    let seconds: u64 = seconds.parse().unwrap();
    let mut request = Vec::new();
    io::stdin().read_to_end(&mut request).unwrap();
    let request = Arc::new(Request::new(request));
    let calls = Arc::new(AtomicU32::new(0));
    let (begun, until) = (Instant::now(), Instant::now() + Duration::from_secs(seconds));
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (request, mut connection) = (Arc::clone(&request), Connection::new(address));
            let calls = Arc::clone(&calls);
            tokio::spawn(async move {
                let (mut times, mut errors) = (Vec::new(), 0_u64);
                while Instant::now() < until {
                    let number = calls.fetch_add(1, Ordering::Relaxed);
                    if number >= most {
                        break;
                    }
                    let (before, head) = (Instant::now(), request.head(number));
                    match timeout(PATIENCE, connection.call(&head, &request.body)).await {
                        Ok(Ok(200..300)) => times.push(before.elapsed().as_micros()),
                        _ => errors += 1,
                    }
                }
                (times, errors)
            })
        })
        .collect();
    let (mut times, mut errors) = (Vec::new(), 0);
    for task in tasks {
        let (of_task, failed) = task.await.unwrap();
        times.extend(of_task);
        errors += failed;
    }
    let took = begun.elapsed().as_micros();
    times.sort_unstable();
    let count = times.len();
    let rate = u128::try_from(count).unwrap() * 1_000_000 / took;
    let percentile = |part: usize| times.get(count * part / 100).copied().unwrap_or_default();
    let (p50, p99) = (percentile(50), percentile(99));
    println!(
        r#"{{"calls": {count}, "errors": {errors}, "rate": {rate}, "p50_us": {p50}, "p99_us": {p99}}}"#
    );
}

/// What is sent.
struct Request {
    head: String,
    body: Vec<u8>,
    numbered: bool,
}

impl Request {
    fn new(mut head: Vec<u8>) -> Self {
        let end = head.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let body = head.split_off(end + 4);
        let head = String::from_utf8(head).unwrap();
        Self { numbered: head.contains(NUMBER), head, body }
    }

    fn head(&self, number: u32) -> Cow<'_, str> {
        match self.numbered {
            true => self.head.replace(NUMBER, &format!("{number:08}")).into(),
            false => (&self.head).into(),
        }
    }
}

/// One client, which connects when it has to.
struct Connection {
    address: String,
    stream: Option<TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    fn new(address: &str) -> Self {
        Self { address: address.to_owned(), stream: None, answer: Vec::new() }
    }

    /// Sends a request, reads its answer to the end, and returns the status. A connection on which
    /// that failed is not used again.
    async fn call(&mut self, head: &str, body: &[u8]) -> io::Result<u16> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.address).await?,
        };
        let (with_head, rest) = body.split_at(body.len().min(SENT_WITH_HEAD));
        stream.write_all(&[head.as_bytes(), with_head].concat()).await?;
        stream.write_all(rest).await?;
        let head = read_head(&mut stream, &mut self.answer).await?;
        read_body(&mut stream, &mut self.answer, &head).await?;
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }
}

async fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What an answer's head says of the rest.
struct Head {
    bytes: usize,
    status: u16,
    body: Body,
    closes: bool,
}

/// Where a body ends (RFC 9112, section 6.3).
enum Body {
    Length(usize),
    Chunked,
    Close,
}

async fn read_head(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<Head> {
    answer.clear();
    let bytes = loop {
        more(stream, answer).await?;
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    parse_head(answer.get(..bytes).unwrap()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse_head(head: &[u8]) -> Option<Head> {
    let bytes = head.len();
    let mut lines = std::str::from_utf8(head).ok()?.split("\r\n");
    let (version, status) = lines.next()?.split_once(' ')?;
    let status = status.get(..3)?.parse().ok()?;
    let (mut body, mut closes) = (Body::Close, version != "HTTP/1.1");
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body = Body::Length(value.trim().parse().ok()?);
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked;
        } else if name.eq_ignore_ascii_case("connection") {
            closes = value.trim().eq_ignore_ascii_case("close");
        }
    }
    Some(Head { bytes, status, closes: closes || matches!(body, Body::Close), body })
}

/// Reads to the end of the body, and keeps none of it.
async fn read_body(stream: &mut TcpStream, answer: &mut Vec<u8>, head: &Head) -> io::Result<()> {
    answer.drain(..head.bytes);
    match head.body {
        Body::Length(length) => {
            let mut left = length - answer.len();
            answer.resize(left.min(READ_AT_ONCE), 0);
            while left > 0 {
                let room = left.min(READ_AT_ONCE);
                match stream.read(answer.get_mut(..room).unwrap()).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => left -= read,
                }
            }
        }
        // Enough for JSON: no line of it is a 0.
        Body::Chunked => {
            while !answer.ends_with(b"\r\n0\r\n\r\n") {
                more(stream, answer).await?;
            }
        }
        Body::Close => while stream.read_buf(answer).await? > 0 {},
    }
    Ok(())
}

async fn more(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(answer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

/// Where a call's number goes.
const NUMBER: &str = "########";
/// Bytes of a body that go out together with its head.
const SENT_WITH_HEAD: usize = 1 << 14;
/// Bytes of a body that are read at once.
const READ_AT_ONCE: usize = 1 << 18;
/// How long one answer is waited for; making an RSA-4096 key on a busy machine takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
