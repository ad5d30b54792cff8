//! The fuzzers' corpora on stable Rust: what each parser says of each file, by kind.

use std::fs;
use std::path::Path;

use super::client_object;
use super::policy_call::{KINDS, decisions};
use strongroom::audit::files::{LogFile, count_entries};
use strongroom::audit::{
    AddCheckpoint, Checkpoint, CosignatureKey, Event, HandOver, LogKeys, ProofFile,
};
use strongroom::crypto::SecretKey;
use strongroom::iam::Decision;
use strongroom::kms::blob::CiphertextBlob;
use strongroom::kms::id::KeyReference;
use strongroom::sse::{
    Arrival, BucketEncryption, Encryption, Headers, Mode, ObjectName, OpeningKeys,
    customer_key_for_reading, open_bytes,
};
use strongroom::transport::aws_json::{TRANSLATED, reads};
use strongroom::transport::s3::{decoded, read_encryption};

/// Replays a corpus; returns the names of the files that were accepted.
fn accepted(target: &str, accepts: impl Fn(&[u8]) -> bool) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut found = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        count += 1;
        if accepts(&fs::read(&path).unwrap()) {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    assert!(count >= 5, "the corpus of {target} is missing");
    found.sort();
    found
}

#[test]
fn blobs() {
    let key = SecretKey::from_bytes([7; 32]);
    let context = "00010000000770757270 6f73650000000474657374".replace(' ', "");
    let context = hex::decode(context).unwrap();
    let opens = |bytes: &[u8]| {
        CiphertextBlob::parse(bytes).is_ok_and(|blob| blob.open(&key, &context).is_ok())
    };
    assert_eq!(accepted("blob", opens), ["whole"]);
}

#[test]
fn objects() {
    let name = ObjectName { bucket: "bucket".to_owned(), name: "a/b".to_owned() };
    let [inner, outer] = [7, 8].map(|byte| SecretKey::from_bytes([byte; 32]));
    let one = |bytes: &[u8]| open_bytes(&OpeningKeys::One(&inner), &name, bytes).is_ok();
    assert_eq!(accepted("object", one), ["customer", "whole"]);
    let two = |bytes: &[u8]| open_bytes(&OpeningKeys::Two(&inner, &outer), &name, bytes).is_ok();
    assert_eq!(accepted("object", two), ["two-layers"]);
}

/// Bodies in chunks, of five bytes each.
#[test]
fn bodies_in_chunks() {
    let reads = |body: &[u8]| decoded(body, 5, 3).is_some_and(|(content, _)| content == b"hello");
    assert_eq!(accepted("aws_chunked", reads), ["plain", "signed", "trailer"]);
}

#[test]
fn rules_of_encryption() {
    let reads = |document: &[u8]| read_encryption(document).is_ok();
    assert_eq!(accepted("encryption_rule", reads), ["blocked", "in-clear", "kms"]);
}

/// Requests' headers, one a line, as a writing and a reading request.
#[test]
fn headers() {
    let arrival = Arrival { secure: true, signature_v4: true, region: "us-east-1" };
    let collected = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        Headers::collect(text.lines().filter_map(|line| line.split_once(':'))).ok()
    };
    let bucket = BucketEncryption::default();
    let writes = |bytes: &[u8]| {
        collected(bytes)
            .is_some_and(|found| Encryption::for_writing(&found, &bucket, arrival).is_ok())
    };
    assert_eq!(accepted("headers", writes), ["customer", "dsse", "kms", "no-text"]);
    let reads = |bytes: &[u8]| {
        collected(bytes).is_some_and(|found| {
            customer_key_for_reading(&found, Some(Mode::Customer), arrival).is_ok()
        })
    };
    assert_eq!(accepted("headers", reads), ["customer"]);
}

/// `encoded-words` is as S3 returns what was not ASCII. What a raw keyring's user said is not authenticated.
#[test]
fn client_objects() {
    let whole = ["aes-v1", "aes-v2", "aes-v2-instruction", "aes-v3", "aes-v3-instruction"];
    let whole = [&whole[..], &["aes-wrap-v2", "encoded-words"]].concat();
    assert_eq!(accepted("client_object", client_object::opens), whole);
}

/// `two-signatures` repeats a good one, which a signed note may.
#[test]
fn notes() {
    let key = include_str!("../vectors/note/verifier").trim();
    let opens = |bytes: &[u8]| Checkpoint::open(bytes, key).is_ok();
    assert_eq!(accepted("note", opens), ["two-signatures", "whole"]);
}

/// `whole` is the vector that another implementation made; extra data is passed over.
#[test]
fn proofs() {
    let key = include_str!("../vectors/proof/verifier").trim();
    let entry = include_bytes!("../vectors/proof/entry");
    let opens =
        |bytes: &[u8]| ProofFile::parse(bytes).is_ok_and(|proof| proof.verify(entry, key).is_ok());
    assert_eq!(accepted("proof", opens), ["whole", "with-extra"]);
    let vector = include_bytes!("../vectors/proof/proof.tlog-proof");
    assert_eq!(ProofFile::parse(vector).unwrap().encode(), vector);
}

#[test]
fn entry_bundles() {
    let counts = |bytes: &[u8]| count_entries(bytes).is_some();
    assert_eq!(accepted("bundle", counts), ["empty", "empty-entries", "many", "whole"]);
}

#[test]
fn names_of_a_logs_files() {
    let parses =
        |bytes: &[u8]| std::str::from_utf8(bytes).is_ok_and(|text| LogFile::parse(text).is_some());
    let named = ["checkpoint", "entries", "greatest", "partial-tile", "whole-tile"];
    assert_eq!(accepted("log_file", parses), named);
}

#[test]
fn requests_to_witnesses() {
    let parses = |bytes: &[u8]| AddCheckpoint::parse(bytes).is_ok();
    assert_eq!(accepted("add_checkpoint", parses), ["from-nothing", "many-hashes", "whole"]);
}

#[test]
fn verifier_strings_of_witnesses() {
    let parses = |bytes: &[u8]| {
        std::str::from_utf8(bytes).is_ok_and(|text| CosignatureKey::parse(text).is_ok())
    };
    assert_eq!(accepted("cosignature_key", parses), ["whole"]);
}

/// `whole` and `twice` were made by `tests/vectors/hand_over/make.py`.
#[test]
fn hand_overs() {
    let key = include_str!("../vectors/note/verifier").trim();
    let follows = |bytes: &[u8]| {
        HandOver::parse_all(bytes)
            .is_ok_and(|all| LogKeys::follow(key, &all).is_ok_and(|keys| keys.count() > 1))
    };
    assert_eq!(accepted("hand_over", follows), ["twice", "whole"]);
}

/// The first byte picks the fuzzer's operation; here each file is tried with every one, then with one.
/// Members that an operation does not have are not read.
#[test]
fn requests() {
    let any = |bytes: &[u8]| TRANSLATED.iter().any(|operation| reads(operation, &bytes[1..]));
    let all = ["duplicates", "empty", "nested", "not-base64", "whole", "wrong-types"];
    assert_eq!(accepted("request", any), all);
    let one = |bytes: &[u8]| reads("GenerateDataKey", &bytes[1..]);
    assert_eq!(accepted("request", one), ["duplicates", "nested", "not-base64", "whole"]);
}

#[test]
fn events() {
    assert_eq!(accepted("event", |bytes| Event::decode(bytes).is_ok()), ["whole"]);
}

#[test]
fn key_references() {
    let parses = |bytes: &[u8]| {
        std::str::from_utf8(bytes).is_ok_and(|text| KeyReference::parse(text).is_ok())
    };
    assert_eq!(accepted("key_reference", parses), ["alias", "alias-arn", "arn", "id"]);
}

/// A file's name ends with the kind of document that it is read as, and what that decides of its call.
#[test]
fn policies() {
    let mut wrong = Vec::new();
    let named_so = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(path).unwrap();
        let mut found = decisions(&text).into_iter().zip(KINDS);
        let (decision, (_, kind)) =
            found.find(|(_, (_, kind))| name.contains(&format!("-{kind}-"))).unwrap();
        let decided = match decision {
            None => "refused",
            Some(Decision::Allow { .. }) => "allow",
            Some(Decision::Deny { .. }) => "deny",
            Some(Decision::ImplicitDeny { .. }) => "silent",
        };
        if !name.ends_with(&format!("-{kind}-{decided}")) {
            wrong.push(format!("{name}: {decided}"));
        }
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/policy");
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 40, "the corpus of policies is missing");
    files.iter().map(std::path::PathBuf::as_path).for_each(named_so);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
