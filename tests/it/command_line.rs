//! The commands as people and scripts run them.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::server::{Server, strongroom};

fn run(server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = strongroom();
    command.args(arguments);
    if let Some(server) = server {
        command.env("STRONGROOM_ENDPOINT", &server.address);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_demo_shows_the_main_job_and_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, vec![7; 200_000]).unwrap();
    let output = run(None, &["demo", "--file", text(&file)]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    for part in ["unwrapped: the same bytes", "as before", "DisabledException", "verified"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
}

#[test]
fn a_file_is_sealed_and_opened_and_the_trail_verifies_offline() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data).unwrap();
    let on = |arguments: &[&str]| run(Some(&server), arguments);
    let key = json(&on(&["key", "create", "--alias", "alias/x", "--output", "json"]));
    let key_id = key["key_id"].as_str().unwrap();
    let [file, sealed, opened] = ["file", "sealed", "opened"].map(|name| folder.path().join(name));
    let content: Vec<u8> = (0..=250).cycle().take(300_000).collect();
    fs::write(&file, &content).unwrap();
    let output =
        on(&["seal", text(&file), "-o", text(&sealed), "--key", "alias/x", "--context", "a=b"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let bytes = fs::read(&sealed).unwrap();
    assert!(!bytes.windows(100).any(|window| window == &content[1000..1100]));
    let renamed = folder.path().join("renamed");
    fs::rename(&sealed, &renamed).unwrap();
    json(&on(&["open", text(&renamed), "-o", text(&opened), "--output", "json"]));
    assert_eq!(fs::read(&opened).unwrap(), content);

    let mut altered = bytes;
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(&renamed, &altered).unwrap();
    fs::remove_file(&opened).unwrap();
    let output = on(&["open", text(&renamed), "-o", text(&opened)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("does not open"), "{}", said(&output));
    assert!(!opened.exists(), "nothing that is not whole is left behind");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file either");

    let found = json(&on(&["audit", "query", "--key", key_id, "--output", "json"]));
    let names: Vec<_> =
        found["records"].as_array().unwrap().iter().map(|record| &record["operation"]).collect();
    let expected =
        ["UnwrapDataKey", "UnwrapDataKey", "GenerateDataKey", "CreateAlias", "CreateKey"];
    assert_eq!(names, expected);
    let online = json(&on(&["audit", "verify", "--output", "json"]));
    assert_eq!(online["verified"], true);
    let shown = String::from_utf8(on(&["audit", "key"]).stdout).unwrap();
    let verifier = shown.lines().last().unwrap().to_owned();
    assert!(verifier.starts_with("strongroom.local/") && verifier.matches('+').count() >= 2);

    let offline = ["audit", "verify", "--data-dir", text(&data), "--output", "json"];
    let held = run(None, &offline);
    assert_eq!(held.status.code(), Some(1));
    assert!(said(&held).contains(&server.pid().to_string()), "{}", said(&held));
    assert_eq!(server.stop(), Some(0));
    let verified = json(&run(None, &offline));
    assert!(verified["records"].as_u64().unwrap() > online["records"].as_u64().unwrap());
    let shown = String::from_utf8(run(None, &["audit", "key", "--data-dir", text(&data)]).stdout);
    assert_eq!(shown.unwrap().lines().last(), Some(verifier.as_str()));
}

#[test]
fn keys_and_aliases_are_managed_from_the_shell() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).unwrap();
    let on = |arguments: &[&str]| run(Some(&server), arguments);
    let create = ["key", "create", "--tag", "a=b", "--description", "d", "--output", "json"];
    let key = json(&on(&create));
    let id = key["key_id"].as_str().unwrap().to_owned();
    for verb in [
        &["key", "rotate", &id][..],
        &["key", "disable", &id],
        &["key", "enable", &id],
        &["key", "schedule-deletion", &id, "--days", "7"],
        &["key", "cancel-deletion", &id],
        &["alias", "create", "alias/y", &id],
        &["alias", "update", "alias/y", &id],
        &["key", "versions", &id],
        &["key", "list"],
    ] {
        let output = on(verb);
        assert_eq!(output.status.code(), Some(0), "{verb:?}: {}", said(&output));
    }
    let shown = json(&on(&["key", "describe", "alias/y", "--output", "json"]));
    assert_eq!(
        (&shown["key_state"], &shown["current_key_version"]),
        (&"Disabled".into(), &2.into())
    );
    let listed = json(&on(&["alias", "list", "--output", "json"]));
    let last = listed["aliases"].as_array().unwrap().last().unwrap();
    assert_eq!(last["alias_name"], "alias/y", "after AWS's own");
    assert_eq!(on(&["alias", "delete", "alias/y"]).status.code(), Some(0));
    let output = on(&["key", "describe", "alias/y"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("NotFoundException") && said(&output).contains("alias list"));
}

#[test]
fn wrong_usage_exits_2_and_an_absent_service_says_what_to_do() {
    for wrong in [&["key"][..], &["seal"], &["audit", "query", "--limit", "x"], &["melt"]] {
        assert_eq!(run(None, wrong).status.code(), Some(2), "{wrong:?}");
    }
    let gone = run(None, &["key", "list", "--endpoint", "http://127.0.0.1:1"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(said(&gone).contains("strongroom serve"), "{}", said(&gone));
    let completions = run(None, &["completions", "bash"]);
    assert!(completions.status.success() && completions.stdout.len() > 1000);
}

#[test]
fn a_corrupted_configuration_or_an_open_address_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("strongroom.toml");
    fs::write(&config, "listen = \"127.0.0.1:0\"\ndata_dri = \"x\"\n").unwrap();
    let refused = run(None, &["serve", "--config", text(&config)]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("data_dri"), "{}", said(&refused));
    let refused = run(None, &["serve", "--ephemeral", "--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("loopback"), "{}", said(&refused));
}
