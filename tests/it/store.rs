//! Who may have a data directory, with which root key, on what disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use strongroom::Strongroom;
use strongroom::kms::{CreateKey, ListKeys};

use crate::server::{Server, runtime, strongroom};

#[test]
fn a_second_process_is_refused_with_the_holders_pid() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).unwrap();
    let refused = Server::start(folder.path()).err().unwrap();
    assert!(refused.contains(&format!("process {}", server.pid())), "{refused}");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(Server::start(folder.path()).unwrap().stop(), Some(0));
}

#[test]
fn a_root_key_that_is_not_the_stores_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let start = |key: &str| {
        let mut command = strongroom();
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
        command.env("STRONGROOM_ROOT_KEY", key);
        Server::of(command)
    };
    assert_eq!(start(&"ab".repeat(32)).unwrap().stop(), Some(0));
    assert!(!folder.path().join("root.key").exists(), "a key from elsewhere is not written down");
    let refused = start(&"cd".repeat(32)).err().unwrap();
    assert!(refused.contains("does not match this store"), "{refused}");
    let refused = start("too short").err().unwrap();
    assert!(refused.contains("not 32 bytes"), "{refused}");
    assert!(!refused.contains("too short"), "a root key is never shown: {refused}");
    let refused = Server::start(folder.path()).err().unwrap();
    assert!(refused.contains("STRONGROOM_ROOT_KEY"), "{refused}");
    assert_eq!(start(&"ab".repeat(32)).unwrap().stop(), Some(0));
}

#[test]
fn secrets_are_readable_by_their_owner_alone_and_sealed_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    runtime().block_on(async {
        let room = Strongroom::builder().data_dir(&data).build().unwrap();
        let description = "a description that nobody else may read".to_owned();
        room.call(CreateKey { description: Some(description), ..Default::default() })
            .await
            .unwrap();
        room.close().unwrap();
    });
    for (path, mode) in [(data.clone(), 0o700), (data.join("root.key"), 0o600)] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
    }
    // The entry of the trail says what was asked in clear; the key's own row does not.
    let database = fs::read(data.join("store/db")).unwrap();
    let clear = b"a description that nobody else may read";
    let shown = database.windows(clear.len()).filter(|window| *window == clear).count();
    let rows = database.windows(12).filter(|window| *window == b"\"versions\":[").count();
    assert_eq!(rows, 0, "a key's row lies sealed ({shown} mentions in the trail)");
}

/// A store that cannot be written stops answering; what was acknowledged is there afterwards.
#[test]
fn a_full_disk_stops_the_service_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // RLIMIT_FSIZE makes writes past a size fail as a full disk does; SIGXFSZ is ignored by `trap`.
    let mut command = std::process::Command::new("bash");
    command.arg("-c").arg(format!(
        "trap '' XFSZ; ulimit -f 3000; exec '{}' serve --listen 127.0.0.1:0 --data-dir '{}'",
        env!("CARGO_BIN_EXE_strongroom"),
        data.display()
    ));
    let server = Server::of(command).unwrap();
    let runtime = runtime();
    let (made, error) = runtime.block_on(async {
        let mut keys = strongroom::proto::v1::keys_client::KeysClient::new(server.channel());
        let mut made = Vec::new();
        for _ in 0..20_000 {
            let request = strongroom::proto::v1::CreateKeyRequest {
                description: "x".repeat(8000),
                ..Default::default()
            };
            match keys.create_key(request).await {
                Ok(answer) => made.push(answer.into_inner().key_metadata.unwrap().key_id),
                Err(status) => {
                    let again = keys
                        .list_keys(strongroom::proto::v1::ListKeysRequest::default())
                        .await
                        .unwrap_err();
                    assert_eq!(again.code(), tonic::Code::Unavailable);
                    return (made, status);
                }
            }
        }
        panic!("the limit was never reached");
    });
    assert_eq!(error.code(), tonic::Code::Unavailable, "{error}");
    assert!(error.message().contains("not answered"), "{error}");
    assert!(!made.is_empty());
    server.kill();
    runtime.block_on(async {
        let room = Strongroom::builder().data_dir(&data).build().unwrap();
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let page = room
                .call(ListKeys { limit: Some(1000), marker, ..Default::default() })
                .await
                .unwrap();
            found.extend(page.entries.into_iter().map(|entry| entry.key_id));
            marker = page.next_marker;
            if marker.is_none() {
                break;
            }
        }
        assert!(made.iter().all(|key| found.contains(key)), "an acknowledged key is lost");
        room.service().verify_log(|_| ()).unwrap();
        room.close().unwrap();
    });
}

#[test]
fn a_directory_that_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let refused = Server::start(&file.join("data")).err().unwrap();
    assert!(refused.contains("file/data failed"), "{refused}");
}
