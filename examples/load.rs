//! Load for `scripts/bench`: calls a running server from many streams and prints rates as JSON.
//!
//! `cargo run --release --example load -- URL MODE STREAMS SECONDS [CALLS]`, where MODE is one of
//!
//! - `data-key`: GenerateDataKey of a key with the default policy,
//! - `allow-all`: of a key whose policy lets everybody do everything,
//! - `guarded`: of one with five grants and a policy of 20 statements, of which the last lets the caller in,
//! - `empty`: `grpc.health.v1.Health/Check`, the same server, port and framing, no audit.
//!
//! With CALLS it stops after so many calls instead.

#![expect(clippy::unwrap_used, reason = "a load generator that cannot go on should stop loudly")]
#![expect(clippy::print_stdout, reason = "its output is its purpose")]
#![expect(clippy::indexing_slicing, reason = "percentiles of a list that is not empty")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use strongroom::proto::v1::access_client::AccessClient;
use strongroom::proto::v1::data_keys_client::DataKeysClient;
use strongroom::proto::v1::keys_client::KeysClient;
use strongroom::proto::v1::{CreateGrantRequest, CreateKeyRequest, GenerateDataKeyRequest};
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
    let key_id = key(&channel, mode).await;
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

/// A key with the policy and the grants that a mode asks for.
async fn key(channel: &Channel, mode: &str) -> String {
    let policy = match mode {
        "allow-all" => document(&[statement("*", &["kms:*"], &Value::Null)]),
        "guarded" => guarded(),
        _ => String::new(),
    };
    let bypass = !policy.is_empty();
    let request = CreateKeyRequest {
        policy,
        bypass_policy_lockout_safety_check: bypass,
        ..Default::default()
    };
    let made = KeysClient::new(channel.clone()).create_key(request).await.unwrap().into_inner();
    let key_id = made.key_metadata.unwrap().key_id;
    for number in 0..if mode == "guarded" { 5 } else { 0 } {
        let request = CreateGrantRequest {
            key_id: key_id.clone(),
            grantee_principal: format!("arn:aws:iam::{ACCOUNT}:user/user{number}"),
            operations: vec!["Decrypt".to_owned()],
            ..Default::default()
        };
        AccessClient::new(channel.clone()).create_grant(request).await.unwrap();
    }
    key_id
}

/// Nineteen statements that do not apply to the call, for its encryption context, and one that does.
fn guarded() -> String {
    let actions = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"];
    let caller = format!("arn:aws:iam::{ACCOUNT}:root");
    let mut statements: Vec<Value> = (0..19)
        .map(|number| {
            let condition = json!({ "StringEquals": {
                "kms:EncryptionContext:tenant": format!("t{number}"),
                "kms:ViaService": ["s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com"],
            } });
            statement(&caller, &actions, &condition)
        })
        .collect();
    statements.push(statement(&caller, &["kms:GenerateDataKey", "kms:CreateGrant"], &Value::Null));
    document(&statements)
}

fn statement(principal: &str, actions: &[&str], condition: &Value) -> Value {
    let principal = json!({ "AWS": principal });
    let mut statement =
        json!({ "Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*" });
    if !condition.is_null() {
        statement["Condition"] = condition.clone();
    }
    statement
}

fn document(statements: &[Value]) -> String {
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

/// Who calls a service that knows nobody.
const ACCOUNT: &str = "000000000000";

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
