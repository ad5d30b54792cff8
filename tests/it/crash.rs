//! SIGKILL under load, again and again: every acknowledged key and leaf is found, without fork and
//! without gap.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use strongroom::proto::v1;
use strongroom::proto::v1::audit_client::AuditClient;
use strongroom::proto::v1::data_keys_client::DataKeysClient;
use strongroom::proto::v1::keys_client::KeysClient;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

use crate::server::{Server, runtime, strongroom};

const KILLS: usize = 50;
const CALLERS: usize = 8;

/// What the server promised: request ids by log index, keys, and blobs that must open.
#[derive(Default)]
struct Promised {
    leaves: BTreeMap<u64, String>,
    keys: Vec<String>,
    blobs: Vec<(Vec<u8>, Vec<u8>)>,
}

#[test]
fn nothing_acknowledged_is_lost_by_fifty_kills() {
    kill_and_look(KILLS, 1, &[]);
}

#[test]
fn nor_while_records_are_being_sealed() {
    // Long enough for some sealings to end, and short enough for others to be broken off.
    let entries = kill_and_look(20, 8, &["--audit-keep-records", "0"]);
    let sealings = entries
        .iter()
        .filter(|(_, entry)| String::from_utf8_lossy(entry).contains("\"operation\":\"SealLog\""));
    let (sealings, size) = (sealings.count(), entries.len());
    assert!(sealings > 1, "and some of them were: {sealings} times of {size}");
}

/// Kills so many servers under load, each after its moment times `stretch`, and returns every record that
/// they leave.
fn kill_and_look(kills: usize, stretch: u64, settings: &[&str]) -> Vec<(u64, Vec<u8>)> {
    let start = |data: &Path| {
        let mut command = strongroom();
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(settings);
        command.arg("--data-dir").arg(data);
        Server::of(command)
    };
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let promised = Arc::new(Mutex::new(Promised::default()));
    let runtime = runtime();
    let mut known: Vec<(u64, Vec<u8>)> = Vec::new();
    for round in 0..kills {
        let server = start(&data).unwrap_or_else(|said| panic!("round {round}: {said}"));
        runtime.block_on(async {
            let found = records(server.channel(), u64::try_from(known.len()).unwrap()).await;
            known.extend(found);
            check(&promised.lock().unwrap(), &known);
            let callers: Vec<_> = (0..CALLERS)
                .map(|_| tokio::spawn(load(server.channel(), Arc::clone(&promised))))
                .collect();
            // Different moments of a group's life: the load is never at the same place.
            let pause = 20 + u64::try_from(round).unwrap() * 7 % 60;
            tokio::time::sleep(Duration::from_millis(pause * stretch)).await;
            server.kill();
            for caller in callers {
                caller.await.unwrap();
            }
        });
    }
    let server = start(&data).unwrap();
    let again = runtime.block_on(async {
        let again = records(server.channel(), 0).await;
        assert_eq!(again[..known.len()], known, "what was once read never changes");
        let promised = std::mem::take(&mut *promised.lock().unwrap());
        check(&promised, &again);
        assert!(promised.leaves.len() > kills * CALLERS, "the load was real");
        opens(server.channel(), &promised).await;
        AuditClient::new(server.channel()).verify_log(v1::VerifyLogRequest {}).await.unwrap();
        again
    });
    assert_eq!(server.stop(), Some(0));
    again
}

/// Calls until the server is gone.
async fn load(channel: Channel, promised: Arc<Mutex<Promised>>) {
    let mut keys = KeysClient::new(channel.clone());
    let mut data_keys = DataKeysClient::new(channel);
    while let Ok(made) = keys.create_key(v1::CreateKeyRequest::default()).await {
        let key_id = made.get_ref().key_metadata.as_ref().unwrap().key_id.clone();
        {
            let mut promised = promised.lock().unwrap();
            acknowledge(&mut promised, made.metadata());
            promised.keys.push(key_id.clone());
        }
        for _ in 0..10 {
            let request = v1::GenerateDataKeyRequest {
                key_id: key_id.clone(),
                key_spec: "AES_256".to_owned(),
                ..Default::default()
            };
            let Ok(made) = data_keys.generate_data_key(request).await else { return };
            let mut promised = promised.lock().unwrap();
            acknowledge(&mut promised, made.metadata());
            let made = made.into_inner();
            promised.blobs.push((made.ciphertext_blob, made.plaintext));
        }
    }
}

fn acknowledge(promised: &mut Promised, metadata: &MetadataMap) {
    let text = |name: &str| metadata.get(name).unwrap().to_str().unwrap().to_owned();
    let index = text("x-audit-log-index").parse().unwrap();
    let before = promised.leaves.insert(index, text("x-request-id"));
    assert_eq!(before, None, "an index is given once");
}

/// Every record from an index on, as (index, entry).
async fn records(channel: Channel, start: u64) -> Vec<(u64, Vec<u8>)> {
    let mut audit = AuditClient::new(channel).max_decoding_message_size(64 << 20);
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::QueryRequest {
            start_index: Some(start),
            order: v1::Order::OldestFirst.into(),
            limit: 1000,
            page_token,
            ..Default::default()
        };
        let page = audit.query(request).await.unwrap().into_inner();
        found.extend(page.records.into_iter().map(|record| (record.index, record.entry)));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

fn check(promised: &Promised, known: &[(u64, Vec<u8>)]) {
    for (place, (index, _)) in (0..).zip(known) {
        assert_eq!(place, *index, "no gap");
    }
    for (index, request_id) in &promised.leaves {
        let place = usize::try_from(*index).unwrap();
        let (_, entry) = known.get(place).unwrap_or_else(|| panic!("leaf {index} is lost"));
        let entry = String::from_utf8_lossy(entry);
        assert!(entry.contains(request_id), "leaf {index} is another one");
    }
}

async fn opens(channel: Channel, promised: &Promised) {
    let mut keys = KeysClient::new(channel.clone());
    let mut data_keys = DataKeysClient::new(channel);
    for key_id in &promised.keys {
        let request = v1::DescribeKeyRequest { key_id: key_id.clone(), ..Default::default() };
        keys.describe_key(request).await.unwrap();
    }
    for (ciphertext_blob, plaintext) in promised.blobs.iter().step_by(7) {
        let ciphertext_blob = ciphertext_blob.clone();
        let request = v1::UnwrapDataKeyRequest { ciphertext_blob, ..Default::default() };
        let opened = data_keys.unwrap_data_key(request).await.unwrap().into_inner();
        assert_eq!(&opened.plaintext, plaintext);
    }
}
