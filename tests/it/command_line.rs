//! The commands as people and scripts run them.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::server::{Server, strongroom};

pub(crate) fn run(server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = strongroom();
    command.args(arguments);
    if let Some(server) = server {
        command.env("STRONGROOM_ENDPOINT", &server.address);
    }
    command.output().unwrap()
}

pub(crate) fn json(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn text(path: &Path) -> &str {
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

#[test]
fn a_decision_is_explained_with_what_would_change_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).unwrap();
    let on = |arguments: &[&str]| run(Some(&server), arguments);
    json(&on(&["key", "create", "--alias", "alias/x", "--output", "json"]));
    let tried = folder.path().join("tried.json");
    let root = "arn:aws:iam::000000000000:root";
    let policy = serde_json::json!({ "Version": "2012-10-17", "Statement": {
        "Sid": "S3", "Effect": "Allow", "Principal": { "AWS": root }, "Action": "kms:Decrypt",
        "Resource": "*", "Condition": { "StringEquals": { "kms:ViaService": ["s3", "ebs"] } },
    }});
    fs::write(&tried, policy.to_string()).unwrap();
    let explain = |more: &[&str]| {
        let asked = ["policy", "explain", "--principal", root, "--action", "kms:Decrypt"];
        on(&[&asked[..], &["--resource", "alias/x"], more].concat())
    };
    let shown = String::from_utf8(explain(&[]).stdout).unwrap();
    assert!(shown.contains(": allowed, by default key policy: Enable IAM User Permissions"));
    let refused = json(&explain(&["--policy", text(&tried), "--output", "json"]));
    let refused = &refused["explanations"][0];
    assert_eq!(refused["decision"], "implicitDeny");
    let failing = &refused["policies"][0]["statements"][0]["failing"][0];
    assert_eq!((&failing["key"], &failing["found"]), (&"kms:ViaService".into(), &Value::Null));
    let shown = explain(&["--policy", text(&tried)]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("absent") && shown.contains("Then the call would be allowed."));
    let via = ["--policy", text(&tried), "--context", "kms:ViaService=s3", "--output", "json"];
    assert_eq!(json(&explain(&via))["explanations"][0]["statements"][0], "given policy: S3");
    let both = json(&explain(&["--action", "kms:Encrypt", "--output", "json"]));
    assert_eq!(both["explanations"].as_array().unwrap().len(), 2);
    let unknown = explain(&["--action", "kms:Fly"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("ValidationException"), "{}", said(&unknown));
}

#[test]
fn documents_are_checked_without_a_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, statement: Value| {
        let path = folder.path().join(name);
        let document = serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] });
        fs::write(&path, format!("{document:#}")).unwrap();
        path
    };
    let mut statement = serde_json::json!({
        "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "kms:*", "Resource": "*",
    });
    let good = file("good.json", statement.clone());
    statement["Action"] = "kms:DeleteKey".into();
    let odd = file("odd.json", statement.clone());
    statement["Effect"] = "Perhaps".into();
    let wrong = file("wrong.json", statement);
    let check = |more: &[&str]| run(None, &[&["policy", "check"], more].concat());
    let found = check(&[text(&good)]);
    assert!(found.status.success());
    assert_eq!(String::from_utf8_lossy(&found.stdout), "nothing to say against it\n");
    let found = json(&check(&[text(&good), text(&odd), "--output", "json"]));
    let messages: Vec<_> = found["findings"].as_array().unwrap().iter().collect();
    assert_eq!(messages[0]["message"], "there is no action kms:DeleteKey");
    assert!(messages.iter().all(|finding| finding["severity"] == "warning"));
    let found = check(&[text(&wrong), text(&good)]);
    assert_eq!(found.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&found.stdout);
    let place = format!("{}:3: error: statement 1: Effect must be Allow or Deny", text(&wrong));
    assert!(shown.contains(&place), "{shown}");
    assert!(said(&found).contains("wrong.json would be refused"), "{}", said(&found));
    let found = check(&[text(&good), "--kind", "identity"]);
    assert_eq!(found.status.code(), Some(1), "a user's policy names no principal");
    let gone = check(&[text(&folder.path().join("gone.json"))]);
    assert!(gone.status.code() == Some(1) && said(&gone).contains("gone.json"));
}
