//! Every page: what browsers are told of it, and what it shows.

use axum::http::StatusCode;
use strongroom::kms::CreateKey;

use super::browser::{Browser, bucket_without_encryption, owner, put, service};
use crate::server::runtime;

#[test]
fn every_answer_tells_browsers_what_they_may_load_and_keep() {
    runtime().block_on(async {
        let service = service();
        bucket_without_encryption(&service, "docs").await;
        put(&service, "docs", "plan", b"the plan", &[]).await;
        let key = service.call(owner(), CreateKey::default()).await.result.unwrap().key_id;
        let mut browser = Browser::signed_in(&service).await;
        let key = format!("/_strongroom/key?id={key}");
        for (address, status) in [
            ("/_strongroom/", 200),
            ("/_strongroom/sign-in", 200),
            ("/_strongroom/buckets/new", 200),
            ("/_strongroom/bucket?bucket=docs", 200),
            ("/_strongroom/bucket?bucket=none", 404),
            ("/_strongroom/objects?bucket=docs", 200),
            ("/_strongroom/object?bucket=docs&key=plan", 200),
            ("/_strongroom/object?bucket=docs&key=none", 404),
            ("/_strongroom/encrypt?bucket=docs&key=plan", 200),
            ("/_strongroom/encrypt?bucket=docs", 400),
            ("/_strongroom/encrypt/progress?job=none", 404),
            ("/_strongroom/keys", 200),
            ("/_strongroom/keys/new", 200),
            (key.as_str(), 200),
            ("/_strongroom/key?id=none", 400),
            ("/_strongroom/trail", 200),
            ("/_strongroom/trail?outcome=other", 400),
            ("/_strongroom/trail/record?index=0", 200),
            ("/_strongroom/trail/record?index=999999", 404),
            ("/_strongroom/trail/record?index=x", 404),
        ] {
            let page = browser.get(address).await;
            assert_eq!(page.status.as_u16(), status, "{address}: {}", page.text);
            assert_eq!(
                page.header("content-security-policy"),
                "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                 connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
                "{address}"
            );
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{address}");
            assert_eq!(page.header("referrer-policy"), "same-origin", "{address}");
            assert_eq!(page.header("cache-control"), "no-store", "{address}");
            assert!(page.has("<html lang=\"en\">") && page.has("<main id=\"main\""), "{address}");
            assert_eq!(page.text.matches("<h1>").count(), 1, "{address}");
            // Nothing within the page that its policy would not let run or load.
            for banned in [" style=", " onclick", "<script>", "http://", "https://"] {
                let text = page.text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(banned), "{address} has {banned}");
            }
        }
        let page = browser.get("/_strongroom/keys").await;
        for asset in [
            page.link("console.css"),
            page.text.split(" src=\"").nth(1).unwrap().split('"').next().unwrap().to_owned(),
        ] {
            let answer = browser.get(&asset).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(answer.header("cache-control").contains("immutable"), "{asset}");
            let other = browser.get(asset.split('?').next().unwrap()).await;
            assert_eq!(other.header("cache-control"), "no-store");
        }
        assert!(browser.get("/_strongroom").await.header("location") == "/_strongroom/");
    });
}

#[test]
fn buckets_are_made_and_their_default_is_edited() {
    runtime().block_on(async {
        let service = service();
        let mut browser = Browser::signed_in(&service).await;
        let form = [("name", "Not A Name"), ("encryption", "s3")];
        let refused = browser.post("/_strongroom/buckets/new", &form).await;
        assert!(
            refused.has("InvalidBucketName") && refused.has("href=\"#name\""),
            "{}",
            refused.text
        );
        let form = [("name", "plain"), ("encryption", "off")];
        let made = browser.post("/_strongroom/buckets/new", &form).await;
        assert!(browser.follow(&made).await.has("The bucket was created."));
        assert!(browser.get("/_strongroom/").await.has("Not encrypted"));
        let address = "/_strongroom/bucket?bucket=plain";
        let form = [
            ("encryption", "kms"),
            ("key_source", "choose"),
            ("kms_key", "aws/s3"),
            ("bucket_key", "enable"),
            ("block_sse_c", "true"),
        ];
        let saved = browser.post(address, &form).await;
        let page = browser.follow(&saved).await;
        assert!(page.has("default encryption was saved") && page.has("SSE-KMS"), "{}", page.text);
        assert!(page.has(">Blocked<") && page.has(">Enabled<"));
    });
}

#[test]
fn the_trail_is_filtered_followed_and_verified() {
    runtime().block_on(async {
        let service = service();
        let mut browser = Browser::signed_in(&service).await;
        let key = service.call(owner(), CreateKey::default()).await.result.unwrap().key_id;
        let page = browser.get("/_strongroom/trail").await;
        assert!(
            page.has("CreateKey") && page.has("GetCallerIdentity") && !page.has(">Query<"),
            "{}",
            page.text
        );
        let filtered =
            browser.get(&format!("/_strongroom/trail?operation=CreateKey&key={key}")).await;
        assert!(filtered.has("CreateKey") && !filtered.has("GetCallerIdentity"));
        assert!(browser.get("/_strongroom/trail?reads=show").await.has(">Query<"));
        // Nothing but the question itself has happened since: nothing is asked.
        let page = browser.get("/_strongroom/trail").await;
        let seen = page.text.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap();
        let live = format!("/_strongroom/trail?part=1&seen={seen}");
        let before = service.log_head().size;
        assert_eq!(browser.get(&live).await.status, StatusCode::NO_CONTENT);
        assert_eq!(service.log_head().size, before);
        service.call(owner(), CreateKey::default()).await.result.unwrap();
        let rows = browser.get(&live).await;
        assert!(rows.text.starts_with("<tr data-seen="), "{}", rows.text);
        assert!(!rows.has("<html"));
        let head = service.log_head();
        let verified = browser.post("/_strongroom/trail/verify", &[]).await;
        assert!(
            verified.has("Verified.") && verified.has(&service.verifier_key()),
            "{}",
            verified.text
        );
        let size =
            verified.text.split("Records</th><td>").nth(1).unwrap().split('<').next().unwrap();
        assert!(size.parse::<u64>().unwrap() >= head.size);
        let root = verified.text.split("Root hash</th><td><code>").nth(1).unwrap();
        assert!(hex::decode(&root[..64]).is_ok());
        let record = browser.get(&page.link("/_strongroom/trail/record?")).await;
        assert!(record.has("&quot;operation&quot;: &quot;"), "{}", record.text);
    });
}

#[test]
fn regions_are_looked_at_one_at_a_time() {
    runtime().block_on(async {
        let service = service();
        let mut browser = Browser::signed_in(&service).await;
        browser.post("/_strongroom/keys/new", &[("alias", "here")]).await;
        let form = [("region", "eu-west-1"), ("next", "/_strongroom/keys")];
        let changed = browser.post("/_strongroom/region", &form).await;
        let page = browser.follow(&changed).await;
        assert!(page.has("There are no keys in eu-west-1"), "{}", page.text);
        let wrong = browser.post("/_strongroom/region", &[("region", "<x>")]).await;
        assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    });
}
