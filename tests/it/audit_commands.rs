//! What `strongroom audit` proves, as people and scripts ask for it.

use std::fs;

use crate::command_line::{json, run, said, text};
use crate::log::MadeLog;
use crate::server::Server;

#[test]
fn a_record_is_proved_to_whoever_has_the_public_key() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let server = Server::start(&data).unwrap();
    let on = |arguments: &[&str]| run(Some(&server), arguments);
    json(&on(&["key", "create", "--output", "json"]));
    assert!(on(&["key", "list"]).status.success());
    let shown = String::from_utf8(on(&["audit", "key"]).stdout).unwrap();
    let verifier = shown.lines().last().unwrap().to_owned();
    let file = |name: &str| folder.path().join(name);
    let [proof, entry, older] = ["proof", "entry", "older"].map(file);
    fs::write(&older, shown.trim_end().rsplit_once('\n').unwrap().0).unwrap();
    let prove = ["audit", "prove", "0", "-o", text(&proof), "--entry", text(&entry)];
    assert_eq!(json(&on(&[&prove[..], &["--output", "json"]].concat()))["index"], 0);
    let verify = |verifier: &str| {
        let asked = ["audit", "verify", "--proof", text(&proof), "--entry", text(&entry)];
        run(None, &[&asked[..], &["--verifier", verifier, "--output", "json"]].concat())
    };
    assert_eq!(json(&verify(&verifier))["verified"], true);
    assert!(fs::read_to_string(&entry).unwrap().contains("\"CreateKey\""));
    let shown = String::from_utf8(on(&["audit", "prove", "0"]).stdout).unwrap();
    assert!(shown.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n"), "{shown}");

    let between = ["audit", "consistency", "1", "2", "--output", "json"];
    let online = json(&on(&between));
    assert_eq!((&online["old_size"], &online["new_size"]), (&1.into(), &2.into()));
    let since = json(&on(&["audit", "consistency", text(&older), "--output", "json"]));
    assert!(since["new_size"].as_u64() > since["old_size"].as_u64());
    for (wrong, message) in [
        (&["audit", "prove", "1000"][..], "no record 1000"),
        (&["audit", "consistency", "0"], "empty tree"),
        (&["audit", "consistency", "2", "1"], "smaller one"),
        (&["audit", "consistency", text(&entry)], "no signed note"),
        (&["audit", "consistency", "no-such-file"], "no-such-file"),
    ] {
        let refused = on(wrong);
        assert_eq!(refused.status.code(), Some(1), "{wrong:?}");
        assert!(said(&refused).contains(message), "{wrong:?}: {}", said(&refused));
    }

    // The same without a service.
    assert_eq!(server.stop(), Some(0));
    let offline = |asked: &[&str]| run(None, &[asked, &["--data-dir", text(&data)]].concat());
    assert_eq!(json(&offline(&between)), online);
    assert!(offline(&prove).status.success());
    assert_eq!(json(&verify(&verifier))["verified"], true);
    let refused = offline(&["audit", "prove", "1000"]);
    assert!(said(&refused).contains("no record 1000"), "{}", said(&refused));

    // Another record, another key, no key.
    let stranger = MadeLog::of(1);
    let refused = verify(&stranger.log.verifier_key());
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("another log's"), "{}", said(&refused));
    fs::write(&entry, b"{}").unwrap();
    let refused = verify(&verifier);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("does not lead"), "{}", said(&refused));
    let nobody = ["audit", "verify", "--proof", text(&proof), "--entry", text(&entry)];
    assert_eq!(run(None, &nobody).status.code(), Some(2), "nobody's signature is believed");
}
