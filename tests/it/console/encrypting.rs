//! The wizard, from the badge to what is read back.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use strongroom::audit;
use strongroom::kms::{CreateKey, DisableKey, GetKeyPolicy, PutKeyPolicy};
use strongroom::objects::{GetObjectTagging, ListObjects};
use strongroom::service::Query;

use super::browser::{Browser, bucket_without_encryption, encryption, head, owner, put, service};
use crate::server::runtime;

const TO_KMS: [(&str, &str); 4] = [
    ("settings", "override"),
    ("encryption", "kms"),
    ("bucket_key", "disable"),
    ("key_source", "choose"),
];

fn with(key: &str) -> Vec<(&str, &str)> {
    TO_KMS.into_iter().chain([("kms_key", key)]).collect()
}

#[test]
fn an_object_in_clear_is_found_and_sealed_in_five_steps() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "photos").await;
        put(&service, "photos", "2026/cat.jpg", b"meow", &[]).await;
        let sealed = [("x-amz-server-side-encryption", "AES256")];
        put(&service, "photos", "2026/dog.jpg", b"woof", &sealed).await;
        // A key that S3 alone may use: so the trail's record says through which service it was.
        let key = service.call(owner(), CreateKey::default()).await.result.unwrap().arn;
        let policy = GetKeyPolicy { key_id: key.as_str().into(), policy_name: None };
        let policy = service.call(owner(), policy).await.result.unwrap().policy;
        let mut policy: serde_json::Value = serde_json::from_str(&policy).unwrap();
        policy["Statement"].as_array_mut().unwrap().push(serde_json::json!({
            "Effect": "Deny", "Principal": "*", "Action": "kms:GenerateDataKey", "Resource": "*",
            "Condition": { "StringNotEquals": { "kms:ViaService": "s3.us-east-1.amazonaws.com" } },
        }));
        let policy = policy.to_string().as_str().into();
        let put_policy = PutKeyPolicy { key_id: key.as_str().into(), policy, ..Default::default() };
        service.call(owner(), put_policy).await.result.unwrap();

        let mut browser = Browser::signed_in(&service).await;
        let buckets = browser.get("/_strongroom/").await;
        assert!(buckets.has("1 not encrypted"), "{}", buckets.text);
        let only = browser.get(&buckets.link("only=unencrypted")).await;
        assert!(only.has("cat.jpg") && !only.has("dog.jpg"), "{}", only.text);
        assert!(only.has("Not encrypted"));
        let object = browser.get(&only.link("/_strongroom/object?")).await;
        assert!(object.has("Server-side encryption settings") && object.has("stored in clear"));
        assert!(
            object.has("x-amz-meta-note")
                && object.has("&lt;b&gt;")
                && object.has("red &amp; blue")
        );
        let wizard = browser.get(&object.link("/_strongroom/encrypt?")).await;
        assert!(wizard.has("Choose from your AWS KMS keys") && wizard.has("aws/s3"));
        assert!(wizard.has("The bucket has no default encryption."));
        let address = "/_strongroom/encrypt/review?bucket=photos";
        let review = browser.go_on(&wizard, address, &with(&key)).await;
        assert_eq!(review.status, StatusCode::OK, "{}", review.text);
        assert!(review.has("CopyObject onto itself") && review.has("Rewriting makes a new object"));
        assert_eq!(encryption(&service, "photos", "2026/cat.jpg").await, "none", "not yet");
        let saved = browser.go_on(&review, "/_strongroom/encrypt/save?bucket=photos", &[]).await;
        assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
        let done = browser.wait(&saved).await;
        assert!(done.has("Saved: the object has its new encryption."), "{}", done.text);
        assert!(done.has("Read back by HeadObject") && done.has(&key) && done.has("aws:kms"));
        assert!(done.has("GenerateDataKey") && done.has("arn:aws:s3:::photos/2026/cat.jpg"));

        assert_eq!(encryption(&service, "photos", "2026/cat.jpg").await, "aws:kms");
        let query =
            audit::Query { operation: Some("GenerateDataKey".to_owned()), ..Default::default() };
        let found = service.call(owner(), Query(query)).await.result.unwrap();
        let event = &found.records[0].event;
        assert_eq!((event.key.as_deref(), event.door.as_str()), (Some(key.as_str()), "console"));
        assert_eq!(event.context["aws:s3:arn"], "arn:aws:s3:::photos/2026/cat.jpg");
        assert_eq!(event.access_key_id.as_deref(), Some("console-test"));
        // What went with the object went on.
        let tags = GetObjectTagging {
            bucket: "photos".to_owned(),
            key: "2026/cat.jpg".to_owned(),
            version_id: None,
        };
        assert_eq!(service.call(owner(), tags).await.result.unwrap().tags["team"], "red & blue");
        assert!(!browser.get("/_strongroom/").await.has("not encrypted<"));
    });
}

#[test]
fn from_sse_s3_to_a_key_of_ones_own_no_data_is_moved() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "docs").await;
        put(&service, "docs", "plan", b"the plan", &[("x-amz-server-side-encryption", "AES256")])
            .await;
        let before = head(&service, "docs", "plan").await.unwrap().found.version;
        let mut browser = Browser::signed_in(&service).await;
        let wizard = browser.get("/_strongroom/encrypt?bucket=docs&key=plan").await;
        let form = [
            ("settings", "override"),
            ("encryption", "kms"),
            ("bucket_key", "enable"),
            ("key_source", "create"),
            ("new_alias", "docs"),
        ];
        let review = browser.go_on(&wizard, "/_strongroom/encrypt/review?bucket=docs", &form).await;
        assert!(
            review.has("UpdateObjectEncryption") && !review.has("Rewriting makes"),
            "{}",
            review.text
        );
        let saved = browser.go_on(&review, "/_strongroom/encrypt/save?bucket=docs", &[]).await;
        let done = browser.wait(&saved).await;
        assert!(done.has("Saved") && done.has("UpdateObjectEncryption"), "{}", done.text);
        let after = head(&service, "docs", "plan").await.unwrap().found.version;
        assert_eq!(encryption(&service, "docs", "plan").await, "aws:kms");
        assert_eq!(after.modified, before.modified);
        let body = |version: &strongroom::objects::Version| version.object().unwrap().1.clone();
        assert_eq!(
            (body(&after).etag, body(&after).blobs),
            (body(&before).etag, body(&before).blobs)
        );
        assert!(browser.get("/_strongroom/keys").await.has("alias/docs"));
    });
}

#[test]
fn a_disabled_key_is_shown_and_not_taken_and_a_failure_leaves_the_object() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "docs").await;
        put(&service, "docs", "plan", b"the plan", &[]).await;
        let key = service.call(owner(), CreateKey::default()).await.result.unwrap();
        let before = head(&service, "docs", "plan").await.unwrap().found.version;
        let mut browser = Browser::signed_in(&service).await;
        let wizard = browser.get("/_strongroom/encrypt?bucket=docs&key=plan").await;
        let address = "/_strongroom/encrypt/review?bucket=docs";
        let review = browser.go_on(&wizard, address, &with(&key.arn)).await;
        let disable = DisableKey { key_id: key.key_id.as_str().into() };
        service.call(owner(), disable).await.result.unwrap();

        let saved = browser.go_on(&review, "/_strongroom/encrypt/save?bucket=docs", &[]).await;
        let done = browser.wait(&saved).await;
        assert!(done.has("KMS.DisabledException"), "{}", done.text);
        assert!(done.has("Not saved: the object is as it was."));
        let after = head(&service, "docs", "plan").await.unwrap().found.version;
        assert_eq!(after, before);

        let wizard = browser.get("/_strongroom/encrypt?bucket=docs&key=plan").await;
        let option = format!("<option value=\"{}\" disabled>", key.arn);
        assert!(
            wizard.has(&option) && wizard.has("(Disabled: cannot be chosen)"),
            "{}",
            wizard.text
        );
        let refused = browser.go_on(&wizard, address, &with(&key.arn)).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.has("There is a problem") && refused.has("its state is Disabled"));
        assert!(
            refused.has("href=\"#kms_key\"") && refused.has("aria-describedby=\"kms_key-wrong\"")
        );
        for (source, field, value, words) in [
            ("arn", "kms_arn", "alias/x", "no key&#39;s ARN"),
            ("arn", "kms_arn", "arn:aws:kms:eu-west-1:000000000000:key/x", "is in eu-west-1"),
            ("arn", "kms_arn", "", "ARN"),
            ("choose", "kms_key", "", "Choose a KMS key"),
            ("", "kms_key", "", "Say which KMS key"),
        ] {
            let form = [
                ("settings", "override"),
                ("encryption", "dsse"),
                ("key_source", source),
                (field, value),
            ];
            let refused = browser.go_on(&wizard, address, &form).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{value}");
            assert!(
                refused.has(words) || refused.has(&words.replace("&#39;", "'")),
                "{value}: {}",
                refused.text
            );
        }
        for form in [&[("settings", "bucket")][..], &[], &[("settings", "override")]] {
            assert_eq!(browser.go_on(&wizard, address, form).await.status, StatusCode::BAD_REQUEST);
        }
    });
}

#[test]
fn what_somebody_else_wrote_meanwhile_is_not_overwritten() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "docs").await;
        put(&service, "docs", "plan", b"the plan", &[]).await;
        let mut browser = Browser::signed_in(&service).await;
        let wizard = browser.get("/_strongroom/encrypt?bucket=docs&key=plan").await;
        let form = [("settings", "override"), ("encryption", "s3")];
        let review = browser.go_on(&wizard, "/_strongroom/encrypt/review?bucket=docs", &form).await;
        put(&service, "docs", "plan", b"another plan", &[]).await;
        let saved = browser.go_on(&review, "/_strongroom/encrypt/save?bucket=docs", &[]).await;
        assert!(browser.wait(&saved).await.has("PreconditionFailed"));
        assert_eq!(encryption(&service, "docs", "plan").await, "none");
    });
}

#[test]
fn many_objects_of_any_name_are_sealed_one_at_a_time() {
    const NAMES: [&str; 7] = [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\"quoted\" & 'so'",
        "日本/ü",
        "line\r\nend",
        "a%2Fb+c d",
        ".",
    ];
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "odd").await;
        for name in NAMES {
            put(&service, "odd", name, b"bytes", &[]).await;
        }
        let mut browser = Browser::signed_in(&service).await;
        let list = browser.get("/_strongroom/objects?bucket=odd&only=unencrypted").await;
        assert!(!list.has("<script>alert"), "{}", list.text);
        assert!(list.has("&lt;script&gt;alert(1)&lt;/script&gt;") && list.has("line\\r\\nend"));
        let mut looked_at = 0;
        for link in list.links().iter().filter(|link| link.starts_with("/_strongroom/object?")) {
            let page = browser.get(link).await;
            assert_eq!(page.status, StatusCode::OK, "{link}");
            assert!(!page.has("<script>alert") && page.has("Not encrypted"), "{link}");
            looked_at += 1;
        }
        assert_eq!(looked_at, NAMES.len());
        let boxes = list.text.split("name=\"object\" value=\"").skip(1);
        let boxes: Vec<String> =
            boxes.map(|rest| rest.split('"').next().unwrap().replace("&amp;", "&")).collect();
        let chosen: Vec<_> = boxes.iter().map(|value| ("object", value.as_str())).collect();
        let wizard = browser.post("/_strongroom/encrypt?bucket=odd", &chosen).await;
        assert_eq!(wizard.hidden("object").len(), NAMES.len(), "{}", wizard.text);
        let form = [("settings", "override"), ("encryption", "s3")];
        let review = browser.go_on(&wizard, "/_strongroom/encrypt/review?bucket=odd", &form).await;
        let saved = browser.go_on(&review, "/_strongroom/encrypt/save?bucket=odd", &[]).await;
        let done = browser.wait(&saved).await;
        assert!(done.has("Saved: all 7 objects"), "{}", done.text);
        for name in NAMES {
            assert_eq!(encryption(&service, "odd", name).await, "AES256", "{name}");
        }
        let listed = ListObjects { bucket: "odd".to_owned(), max_keys: 100, ..Default::default() };
        assert_eq!(service.call(owner(), listed).await.result.unwrap().objects.len(), NAMES.len());
        // A job is its session's own.
        let mut other = Browser::signed_in(&service).await;
        assert_eq!(other.follow(&saved).await.status, StatusCode::NOT_FOUND);
    });
}

#[test]
fn an_object_under_its_writers_key_is_shown_and_sealed_anew_with_it() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "docs").await;
        let (key, digest) = (STANDARD.encode([7; 32]), STANDARD.encode(Md5::digest([7; 32])));
        let headers = [
            ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
            ("x-amz-server-side-encryption-customer-key", key.as_str()),
            ("x-amz-server-side-encryption-customer-key-md5", digest.as_str()),
        ];
        put(&service, "docs", "plan", b"the plan", &headers).await;
        let mut browser = Browser::signed_in(&service).await;
        let page = browser.get("/_strongroom/object?bucket=docs&key=plan").await;
        assert!(page.has("SSE-C"), "{}", page.text);
        let wizard = browser.get("/_strongroom/encrypt?bucket=docs&key=plan").await;
        let form = [("settings", "override"), ("encryption", "s3")];
        let review = browser.go_on(&wizard, "/_strongroom/encrypt/review?bucket=docs", &form).await;
        assert!(review.has("id=\"customer_key\""), "{}", review.text);
        let save = "/_strongroom/encrypt/save?bucket=docs";
        let wrong = browser.go_on(&review, save, &[("customer_key", "AAAA")]).await;
        assert!(browser.wait(&wrong).await.has("Not saved"));
        let saved = browser.go_on(&review, save, &[("customer_key", key.as_str())]).await;
        let done = browser.wait(&saved).await;
        assert!(done.has("Saved") && !done.has(&key), "{}", done.text);
        assert_eq!(encryption(&service, "docs", "plan").await, "AES256");
    });
}
