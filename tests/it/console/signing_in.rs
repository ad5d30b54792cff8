//! Who gets in, what a session is, and which forms are taken.

use std::sync::Arc;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta};
use strongroom::audit;
use strongroom::clock::Clock;
use strongroom::service::{Caller, Credentials, Options, Query, Service};

use super::browser::{Browser, service};
use crate::server::runtime;

const KNOWN: &str = r#"
[[account]]
id = "111122223333"
access_key = [{ id = "AKIAROOT", secret = "right" }]

[[account.user]]
name = "reader"
policies = ['{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}}']
access_key = [{ id = "AKIAREADER", secret = "reads" }]
"#;

fn credentials(text: &str) -> Credentials {
    Credentials::parse(text, &|_| Err(String::new())).unwrap()
}

fn known() -> Arc<Service> {
    let clock = Clock::manual(DateTime::from_timestamp(1_800_000_000, 0).unwrap());
    let credentials = Some(credentials(KNOWN));
    let options = Options { ephemeral: true, clock, credentials, ..Options::default() };
    Service::open(options).unwrap()
}

const SIGN_IN: &str = "/_strongroom/sign-in";

#[test]
fn nobody_reads_a_page_without_signing_in() {
    runtime().block_on(async {
        let mut browser = Browser::of(&service());
        for cookie in
            [None, Some("strongroom-session="), Some("strongroom-session=0123"), Some("a=b")]
        {
            browser.cookie = cookie.map(str::to_owned);
            for page in ["/_strongroom/keys?marker=x", "/_strongroom/", "/_strongroom/trail?part=1"]
            {
                let answer = browser.get(page).await;
                assert_eq!(answer.status, StatusCode::SEE_OTHER, "{page}");
                assert!(answer.header("location").starts_with(SIGN_IN), "{page}");
            }
        }
        let answer = browser.get("/_strongroom/keys?marker=x").await;
        let form = browser.follow(&answer).await;
        assert_eq!(form.hidden("next"), ["/_strongroom/keys?marker=x"]);
        assert!(!form.has("type=\"password\""), "no secret is asked for that nobody knows");
        let fields = [("access_key_id", "111122223333"), ("next", "/_strongroom/keys?marker=x")];
        let answer = browser.submit(SIGN_IN, &fields).await;
        assert_eq!(answer.header("location"), "/_strongroom/keys?marker=x");
        let cookie = answer.header("set-cookie");
        assert!(cookie.contains("; Path=/_strongroom/; "), "{cookie}");
        assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        assert_eq!(browser.cookie.as_ref().unwrap().len(), "strongroom-session=".len() + 64);
        let page = browser.get("/_strongroom/").await;
        assert!(page.has("arn:aws:iam::111122223333:root"));
        let evil = [("access_key_id", "a"), ("next", "//evil.example/")];
        assert_eq!(browser.submit(SIGN_IN, &evil).await.header("location"), "/_strongroom/");
        let answer = browser.post("/_strongroom/sign-out", &[]).await;
        assert_eq!(answer.header("location"), SIGN_IN);
        assert!(browser.cookie.is_none());
    });
}

#[test]
fn a_session_ends_with_its_time_its_sign_out_and_its_secret() {
    runtime().block_on(async {
        let service = known();
        let fields = [("access_key_id", "AKIAROOT"), ("secret", "right")];
        let is_in = async |browser: &mut Browser| browser.get("/_strongroom/").await.status == 200;
        let mut browser = Browser::of(&service);
        browser.submit(SIGN_IN, &fields).await;
        assert!(is_in(&mut browser).await);
        let mut kept = browser.clone();
        browser.post("/_strongroom/sign-out", &[]).await;
        assert!(!is_in(&mut kept).await, "a cookie that was kept is of no use");
        browser.submit(SIGN_IN, &fields).await;
        service.clock().advance(TimeDelta::hours(12) - TimeDelta::seconds(1));
        assert!(is_in(&mut browser).await);
        service.clock().advance(TimeDelta::seconds(1));
        assert!(!is_in(&mut browser).await);
        browser.submit(SIGN_IN, &fields).await;
        assert!(is_in(&mut browser).await);
        service.replace_credentials(credentials(&KNOWN.replace("right", "another")));
        assert!(!is_in(&mut browser).await);
    });
}

#[test]
fn who_signed_in_where_anybody_could_is_out_once_callers_are_known() {
    runtime().block_on(async {
        let service = service();
        let mut browser = Browser::signed_in(&service).await;
        assert_eq!(browser.get("/_strongroom/").await.status, 200);
        service.replace_credentials(credentials(KNOWN));
        assert_eq!(browser.get("/_strongroom/").await.status, 303);
    });
}

#[test]
fn a_wrong_secret_and_an_unknown_key_are_answered_alike_ten_times_a_minute() {
    runtime().block_on(async {
        let service = known();
        let mut browser = Browser::of(&service);
        let attempt = [("access_key_id", "AKIAROOT"), ("secret", "not-it-at-all")];
        let wrong = browser.submit(SIGN_IN, &attempt).await;
        let unknown = [("access_key_id", "AKIANONE"), ("secret", "not-it-at-all")];
        let unknown = browser.submit(SIGN_IN, &unknown).await;
        assert_eq!((wrong.status, unknown.status), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN));
        assert_eq!(wrong.text, unknown.text.replace("AKIANONE", "AKIAROOT"));
        assert!(!wrong.text.contains("not-it-at-all"), "the secret is not shown again");
        for _ in 0..8 {
            assert_eq!(browser.submit(SIGN_IN, &attempt).await.status, StatusCode::FORBIDDEN);
        }
        let right = [("access_key_id", "AKIAROOT"), ("secret", "right")];
        assert_eq!(browser.submit(SIGN_IN, &right).await.status, StatusCode::TOO_MANY_REQUESTS);
        service.clock().advance(TimeDelta::minutes(1));
        assert_eq!(browser.submit(SIGN_IN, &right).await.status, StatusCode::SEE_OTHER);
        // Each attempt that was looked at is a record, and nobody's who did not prove to be somebody.
        let query =
            audit::Query { operation: Some("GetCallerIdentity".to_owned()), ..Default::default() };
        let found = service.call(Caller::in_process(), Query(query)).await.result.unwrap();
        assert_eq!(found.records.len(), 11);
        for record in &found.records[1..] {
            assert_eq!(record.event.principal, "", "{:?}", record.event);
            assert_eq!(record.event.door, "console");
        }
        assert_eq!(found.records[0].event.principal, "arn:aws:iam::111122223333:root");
    });
}

#[test]
fn what_a_principal_may_not_its_pages_do_not_show() {
    runtime().block_on(async {
        let service = known();
        let mut browser = Browser::of(&service);
        browser.submit(SIGN_IN, &[("access_key_id", "AKIAREADER"), ("secret", "reads")]).await;
        let keys = browser.get("/_strongroom/keys").await;
        assert_eq!(keys.status, StatusCode::OK);
        for page in ["/_strongroom/", "/_strongroom/trail", "/_strongroom/objects?bucket=none"] {
            let answer = browser.get(page).await;
            assert_ne!(answer.status, StatusCode::OK, "{page}");
        }
        let buckets = browser.get("/_strongroom/").await;
        assert_eq!(buckets.status, StatusCode::FORBIDDEN);
        assert!(buckets.has("arn:aws:iam::111122223333:user/reader is not authorized to perform: s3:ListAllMyBuckets"));
        let verified = browser.post("/_strongroom/trail/verify", &[]).await;
        assert!(verified.has("AccessDeniedException") && !verified.has("Verified"), "{}", verified.text);
        let query = audit::Query { operation: Some("ListBuckets".to_owned()), ..Default::default() };
        let found = service.call(Caller::in_process(), Query(query)).await.result.unwrap();
        let event = &found.records[0].event;
        assert_eq!((event.door.as_str(), event.outcome.as_str()), ("console", "refused"));
        assert_eq!(event.access_key_id.as_deref(), Some("AKIAREADER"));
    });
}

#[test]
fn a_form_of_another_page_changes_nothing() {
    runtime().block_on(async {
        let service = service();
        let mut browser = Browser::signed_in(&service).await;
        let token = browser.token().await;
        let mut other = Browser::signed_in(&service).await;
        let foreign = other.token().await;
        assert_ne!(token, foreign);
        let form = |token| [("form_token", token), ("alias", "made")];
        let create = "/_strongroom/keys/new";
        for token in ["", "0123", foreign.as_str()] {
            let answer = browser.submit(create, &form(token)).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{token}");
        }
        let query = format!("{create}?form_token={token}");
        assert_eq!(
            browser.submit(&query, &[("alias", "made")]).await.status,
            StatusCode::FORBIDDEN
        );
        let mut elsewhere = browser.clone();
        for origin in ["http://evil.example", "null", "http://127.0.0.1:3000"] {
            elsewhere.origin = Some(origin.to_owned());
            assert_eq!(elsewhere.submit(create, &form(&token)).await.status, StatusCode::FORBIDDEN);
            let signed_in = elsewhere.submit(SIGN_IN, &[("access_key_id", "a")]).await;
            assert_eq!(signed_in.status, StatusCode::FORBIDDEN, "{origin}");
        }
        let mut stranger = browser.clone();
        stranger.cookie = None;
        assert_eq!(stranger.submit(create, &form(&token)).await.status, StatusCode::SEE_OTHER);
        assert!(browser.get("/_strongroom/keys").await.has("There are no keys"));
        assert_eq!(browser.submit(create, &form(&token)).await.status, StatusCode::SEE_OTHER);
        assert!(browser.get("/_strongroom/keys").await.has("alias/made"));
    });
}
