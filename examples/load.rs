//! Load for `scripts/bench`: calls a running server from many streams and prints rates as JSON.
//!
//! `cargo run --release --example load -- URL MODE STREAMS SECONDS [CALLS]`, where MODE is `data-key`
//! or `empty` (`grpc.health.v1.Health/Check`: the same server, port and framing, no audit). With
//! CALLS it stops after so many calls instead.

#![expect(clippy::unwrap_used, reason = "a load generator that cannot go on should stop loudly")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::indexing_slicing, reason = "percentiles of a list that is not empty")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use strongroom::proto::v1::data_keys_client::DataKeysClient;
use strongroom::proto::v1::keys_client::KeysClient;
use strongroom::proto::v1::{CreateKeyRequest, GenerateDataKeyRequest};
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, mode, streams, seconds] = arguments.get(..4).unwrap() else { return };
    let streams: usize = streams.parse().unwrap();
    let seconds: u64 = seconds.parse().unwrap();
    let most: u64 = arguments.get(4).map_or(u64::MAX, |calls| calls.parse().unwrap());
    let channel = Endpoint::from_shared(url.clone()).unwrap().connect().await.unwrap();
    let made = KeysClient::new(channel.clone()).create_key(CreateKeyRequest::default()).await;
    let key_id = made.unwrap().into_inner().key_metadata.unwrap().key_id;
    let (done, until) =
        (Arc::new(AtomicU64::new(0)), Instant::now() + Duration::from_secs(seconds));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..streams)
        .map(|_| {
            let (channel, mode, key_id) = (channel.clone(), mode.clone(), key_id.clone());
            let done = Arc::clone(&done);
            tokio::spawn(async move {
                let mut times = Vec::new();
                while done.fetch_add(1, Ordering::Relaxed) < most && Instant::now() < until {
                    let before = Instant::now();
                    call(&channel, &mode, &key_id).await;
                    times.push(before.elapsed().as_micros());
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = begun.elapsed().as_micros();
    times.sort_unstable();
    let count = times.len();
    let rate = u128::try_from(count).unwrap() * 1_000_000 / took;
    let (p50, p99) = (times[count / 2], times[count * 99 / 100]);
    println!(r#"{{"calls": {count}, "rate": {rate}, "p50_us": {p50}, "p99_us": {p99}}}"#);
}

async fn call(channel: &Channel, mode: &str, key_id: &str) {
    if mode == "empty" {
        let request = HealthCheckRequest { service: String::new() };
        HealthClient::new(channel.clone()).check(request).await.unwrap();
    } else {
        let request = GenerateDataKeyRequest {
            key_id: key_id.to_owned(),
            key_spec: "AES_256".to_owned(),
            ..Default::default()
        };
        DataKeysClient::new(channel.clone()).generate_data_key(request).await.unwrap();
    }
}
