//! How many connections are open at a time, and what one more is told.
//!
//! Who comes when every place is taken is answered 503 and closed, so that who is connected goes on, and
//! the store has its descriptors. Some at a time are told; others are only closed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::listener::CLIENT_HELLO;

/// The places of a listener.
pub(super) struct Capacity {
    most: usize,
    free: Arc<Semaphore>,
    told: Arc<Semaphore>,
}

/// A connection's place, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Capacity {
    pub(super) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        let [free, told] = [most, TOLD].map(|places| Arc::new(Semaphore::new(places)));
        Self { most, free, told }
    }

    /// A place, if there is one.
    pub(super) fn take(&self) -> Option<Place> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Closes a connection for which there is no place. Who does not begin with TLS is told why.
    pub(super) fn turn_away(&self, stream: TcpStream) {
        let Ok(turn) = Arc::clone(&self.told).try_acquire_owned() else { return };
        let answer = refusal(self.most);
        tokio::spawn(async move {
            let _turn = turn;
            // Whether it was heard is the client's business.
            let _ = tokio::time::timeout(TELLING, tell(stream, &answer)).await;
        });
    }
}

/// How many connections there may be when nobody says: what the process may have open, without what
/// everything else needs; 16,384 at the most.
#[must_use]
pub fn default_connections() -> usize {
    possible_connections().min(MOST)
}

/// How many connections the operating system lets this process have, beside its files.
#[must_use]
pub fn possible_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    files.saturating_sub(RESERVE).max(1)
}

const MOST: usize = 16 * 1024;
/// Descriptors for the store, the runtime, traces, and connections that are being turned away.
const RESERVE: usize = 256;
/// Connections that are told at a time.
const TOLD: usize = 64;
const TELLING: Duration = Duration::from_secs(2);

async fn tell(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    let mut first = [0];
    if stream.peek(&mut first).await? == 0 || first == [CLIENT_HELLO] {
        return Ok(());
    }
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    // The kernel resets a connection that is closed with bytes unread, and the answer is lost with it.
    let mut dropped = [0; 4096];
    while stream.read(&mut dropped).await? > 0 {}
    Ok(())
}

/// HTTP/1.1, which clients of HTTP/2 say that they got.
fn refusal(most: usize) -> String {
    let message = format!(
        "strongroom has {most} connections open, as many as it may (--max-connections); try again"
    );
    let body = json!({ "__type": "ServiceUnavailableException", "message": message }).to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amzn-errortype: ServiceUnavailableException\r\nretry-after: 1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let capacity = Capacity::new(2);
        let (one, two) = (capacity.take(), capacity.take());
        assert!(one.is_some() && two.is_some() && capacity.take().is_none());
        drop(one);
        assert!(capacity.take().is_some());
    }

    #[test]
    fn what_one_more_is_told_is_a_whole_answer() {
        let answer = refusal(10);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(body.contains("10 connections"), "{body}");
    }

    #[test]
    fn there_is_always_room_for_one() {
        assert!(default_connections() >= 1 && default_connections() <= possible_connections());
    }
}
