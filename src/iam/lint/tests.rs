//! Documents, and what is said of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ACTIONS: [&str; 6] = [
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKey",
    "kms:PutKeyPolicy",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

fn root() -> Value {
    json!({
        "Sid": "root", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
        "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
    })
}

/// What is found in a key's policy with this statement beside the usual one.
fn of_key(statement: &Value) -> Vec<Finding> {
    let document = json!({ "Version": "2012-10-17", "Statement": [root(), statement] });
    check(&format!("{document:#}"), Kind::Key, &ACTIONS)
}

fn with(member: &str, value: Value) -> Value {
    let mut statement = root();
    statement["Sid"] = "other".into();
    statement[member] = value;
    statement
}

#[test]
fn what_is_usual_is_not_mentioned() {
    for usual in [
        with(
            "Condition",
            json!({ "StringEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com" } }),
        ),
        with(
            "Condition",
            json!({ "ForAnyValue:StringLike": { "kms:ResourceAliases": "alias/a*" } }),
        ),
        with("Condition", json!({ "Bool": { "aws:SecureTransport": true } })),
        with("Condition", json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:role/*" } })),
        with(
            "Condition",
            json!({ "StringEquals": { "kms:EncryptionContext:a": "${aws:username}" } }),
        ),
        with("Condition", json!({ "StringEquals": { "ec2:Anything": "x" } })),
        with(
            "Condition",
            json!({
                "ForAllValues:StringEquals": { "kms:EncryptionContextKeys": "a" },
                "Null": { "kms:encryptioncontextkeys": "false" },
            }),
        ),
        with("Action", json!(["KMS:decrypt", "kms:Re*", "kms:?escribeKey"])),
        json!({ "Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*" }),
    ] {
        assert_eq!(of_key(&usual), [], "{usual}");
    }
}

#[test]
fn what_is_hardly_meant_is_warned_of() {
    for (statement, said, remedy) in [
        (
            with("Condition", json!({ "StringEquals": { "aws:ViaService": "s3" } })),
            "no condition key aws:ViaService",
            "kms:ViaService",
        ),
        (
            with("Condition", json!({ "StringEquals": { "kms:Nonsense": "s3" } })),
            "no condition key kms:Nonsense",
            "Correct",
        ),
        (
            with("Condition", json!({ "StringEquals": { "kms:ResourceAliases": "alias/a" } })),
            "never holds",
            "ForAnyValue",
        ),
        (
            with("Condition", json!({ "StringNotEquals": { "aws:TagKeys": "a" } })),
            "only where the call has no such key",
            "ForAnyValue",
        ),
        (
            with("Condition", json!({ "ForAllValues:StringEquals": { "aws:TagKeys": "a" } })),
            "where the call has no aws:TagKeys",
            "Null",
        ),
        (
            with("Condition", json!({ "StringEquals": { "kms:ViaService": [] } })),
            "never holds",
            "value",
        ),
        (
            with("Condition", json!({ "StringNotEquals": { "kms:ViaService": [] } })),
            "always holds",
            "value",
        ),
        (
            with("Condition", json!({ "Bool": { "aws:SecureTransport": [true, false] } })),
            "more than one value",
            "one",
        ),
        (
            with("Condition", json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*" } })),
            "six parts",
            "StringLike",
        ),
        (
            with("Condition", json!({ "StringEquals": { "kms:ViaService": "s3.*" } })),
            "wildcards",
            "StringLike",
        ),
        (
            with("Action", json!("kms:ReEncrypt")),
            "no action kms:ReEncrypt",
            "kms:ReEncryptFrom, kms:ReEncryptTo",
        ),
        (with("Action", json!("kms:Fly*")), "kms:Fly* is no action that there is", "name"),
        (with("Action", json!("s3:GetObject")), "kms: actions alone", "kms:GetObject"),
        (with("Action", Value::Null), "no Action", "Add Action"),
        (with("Resource", Value::Null), "no Resource", "Add Resource"),
        (
            with("Resource", json!("arn:aws:kms:us-east-1:111122223333:alias/a")),
            "alias",
            "RequestAlias",
        ),
        (with("Resource", json!("arn:aws:kms:us-east-1:111122223333:key/a")), "not \"*\"", "Write"),
        (with("Principal", json!("*")), "everybody", "condition"),
        (
            with("Principal", json!({ "Service": "s3.amazonaws.com" })),
            "nobody who calls here",
            "AWS",
        ),
        (with("Sid", json!("root")), "called root", "Sid"),
    ] {
        let found = of_key(&statement);
        let [one] = found.as_slice() else { panic!("{statement}: {found:#?}") };
        assert_eq!(one.severity, Severity::Warning);
        assert!(one.message.contains(said) && one.remedy.contains(remedy), "{one:#?}");
        let whole = said == "called root";
        assert_eq!(one.statement.as_deref(), (!whole).then_some("other"), "{one:#?}");
        assert_eq!(one.line.is_some(), !whole);
    }
    let mut others = with("Principal", Value::Null);
    others["NotPrincipal"] = json!({ "AWS": "444455556666" });
    assert!(of_key(&others).iter().any(|found| found.message.contains("NotPrincipal")));
}

#[test]
fn each_wrong_statement_is_told_with_its_line() {
    let text = "{\n \"Id\": \"{\\\"[\",\n \"Statement\": [\n  {\"Effect\": \"Maybe\", \"Principal\": \"*\", \
                \"Action\": \"kms:*\", \"Resource\": \"*\"},\n\n  {\"Sid\": \"two\", \"Effect\": \"Allow\", \
                \"Colour\": {\"a\": [{}]}},\n  {\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"me\"}}\n ]\n}";
    let found = check(text, Kind::Key, &ACTIONS);
    let errors: Vec<_> = found
        .iter()
        .filter(|found| found.severity == Severity::Error)
        .map(|found| {
            (found.statement.as_deref().unwrap(), found.line.unwrap(), found.message.as_str())
        })
        .collect();
    let [one, two, three] = errors.as_slice() else { panic!("{found:#?}") };
    assert_eq!((one.0, one.1, one.2), ("statement 1", 4, "Effect must be Allow or Deny"));
    assert!((two.0, two.1) == ("two", 6) && two.2.starts_with("unknown field `Colour`"), "{two:?}");
    assert!((three.0, three.1) == ("statement 3", 7) && three.2.contains("invalid principals"));
    let alone = "{\"Version\": \"2012-10-17\",\n\"Statement\":\n{\"Effect\": \"Maybe\"}}";
    assert_eq!(check(alone, Kind::Trust, &[])[0].line, Some(3));
}

#[test]
fn documents_that_are_refused_have_an_error_and_others_none() {
    let statement = root();
    for (text, kind) in [
        ("{".to_owned(), Kind::Key),
        ("[]".to_owned(), Kind::Key),
        ("{}".to_owned(), Kind::Key),
        (json!({ "Version": "2020-01-01", "Statement": statement }).to_string(), Kind::Key),
        (json!({ "Statement": [], "Version": "2012-10-17" }).to_string(), Kind::Key),
        (json!({ "Statement": statement, "Colour": 1 }).to_string(), Kind::Key),
        (json!({ "Statement": statement }).to_string(), Kind::Identity),
        (" ".repeat(LONGEST + 1), Kind::Key),
    ] {
        let found = check(&text, kind, &ACTIONS);
        assert!(found[0].severity == Severity::Error, "{text} {found:#?}");
    }
}

#[test]
fn a_document_is_looked_at_as_a_whole() {
    let said = |document: &Value, kind: Kind| -> Vec<String> {
        check(&document.to_string(), kind, &ACTIONS)
            .into_iter()
            .map(|found| found.message)
            .collect()
    };
    let mut narrow = with("Action", json!("kms:Decrypt"));
    let locked = said(&json!({ "Statement": narrow }), Kind::Key);
    assert!(matches!(locked.as_slice(), [one] if one.contains("PutKeyPolicy")), "{locked:?}");
    narrow["Action"] = json!("kms:PutKeyPolicy");
    assert_eq!(said(&json!({ "Statement": narrow }), Kind::Key), [""; 0]);
    narrow["Condition"] = json!({ "StringEquals": { "kms:ViaService": "s3" } });
    assert_eq!(said(&json!({ "Statement": narrow }), Kind::Key).len(), 1);
    narrow["Condition"] =
        json!({ "StringEquals": { "kms:EncryptionContext:a": "${aws:username}" } });
    let old = said(&json!({ "Statement": [root(), narrow] }), Kind::Key);
    assert!(matches!(old.as_slice(), [one] if one.contains("2012-10-17")), "{old:?}");
    let long = with("Sid", json!("x".repeat(30_000)));
    let long = said(&json!({ "Statement": [root(), long] }), Kind::Key);
    assert!(matches!(long.as_slice(), [one] if one.contains("32768")), "{long:?}");
}

proptest! {
    #[test]
    fn an_error_is_found_when_and_only_when_it_would_be_refused(
        effect in "Allow|Deny|Maybe", action in "kms:Decrypt|Decrypt", sid in "a|b|",
        condition in "StringEquals|Sounds", key in "kms:ViaService|x", version in "2012-10-17|1",
    ) {
        let statement = json!({
            "Sid": sid, "Effect": effect, "Action": action, "Resource": "*",
            "Condition": { &condition: { &key: "a" } },
        });
        let text = json!({ "Version": version, "Statement": [statement, statement] }).to_string();
        let refused = Policy::parse("p", &text, Kind::Identity).is_err();
        let found = check(&text, Kind::Identity, &ACTIONS);
        prop_assert_eq!(refused, found.iter().any(|found| found.severity == Severity::Error));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,100}", json in "[{}\\[\\]\",:Statement]{0,60}") {
        for kind in [Kind::Key, Kind::Identity, Kind::Bucket, Kind::Trust] {
            let _ = check(&text, kind, &ACTIONS);
            let _ = check(&json, kind, &ACTIONS);
        }
    }
}
