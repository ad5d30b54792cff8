//! Objects and their keys: each provider of data keys, against the service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use strongroom::Strongroom;
use strongroom::audit::Query as Conditions;
use strongroom::kms::{CreateKey, DisableKey, EnableKey};
use strongroom::service::{Caller, Query};
use strongroom::sse::{
    Context, Encryption, Error, GrpcKeys, KeyProvider, Keyring, KmsKey, Limits, ObjectName,
    ProviderError, Refusal, Requester,
};

use crate::server::runtime;

fn room() -> Strongroom {
    Strongroom::builder().ephemeral().build().unwrap()
}

fn context(value: &str) -> Context {
    BTreeMap::from([("case".to_owned(), value.to_owned())])
}

fn exception(error: &ProviderError) -> &str {
    match error {
        ProviderError::Refused { exception, .. } => exception,
        _ => panic!("{error:?}"),
    }
}

/// How many records the trail has of an operation, by outcome.
async fn recorded(room: &Strongroom, operation: &str) -> usize {
    let asked = Conditions {
        operation: Some(operation.to_owned()),
        limit: Some(1_000),
        ..Default::default()
    };
    room.call(Query(asked)).await.unwrap().records.len()
}

#[cfg(feature = "aws-kms")]
fn aws(endpoint: &str, secret: &str) -> Arc<strongroom::sse::AwsKms> {
    use strongroom::sse::{AwsCredentials, AwsKms};
    let credentials = AwsCredentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: secret.to_owned().into(),
        session_token: None,
    };
    Arc::new(AwsKms::new("us-east-1", Some(endpoint), credentials).unwrap())
}

/// The service verifies what the provider signs.
#[cfg(feature = "aws-kms")]
#[test]
fn what_the_aws_provider_signs_is_verified() {
    use strongroom::service::Credentials;
    let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    let known = format!(
        "[[account]]\nid = \"000000000000\"\n[[account.access_key]]\nid = \"AKIAIOSFODNN7EXAMPLE\"\n\
         secret = \"{secret}\"\n"
    );
    runtime().block_on(async {
        let credentials = Credentials::parse(&known, &|_| Err(String::new())).unwrap();
        let room = Strongroom::builder().ephemeral().credentials(credentials).build().unwrap();
        let serving = room.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let endpoint = format!("http://{}", serving.address());
        let unknown = aws(&endpoint, secret).generate("alias/nothing", &context("7")).await;
        assert_eq!(exception(&unknown.unwrap_err()), "NotFoundException", "who it is is known");
        let other = aws(&endpoint, "another").generate("alias/nothing", &context("7")).await;
        assert_eq!(exception(&other.unwrap_err()), "InvalidSignatureException");
        serving.stop().await;
        room.close().unwrap();
    });
}

#[test]
fn every_provider_makes_unwraps_and_is_refused_alike() {
    runtime().block_on(async {
        let room = room();
        let key = room.call(CreateKey::default()).await.unwrap();
        let serving = room.serve("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let providers: Vec<Arc<dyn KeyProvider>> = vec![
            Arc::new(room.keys(Caller::in_process())),
            Arc::new(GrpcKeys::over(room.channel().unwrap())),
            #[cfg(feature = "aws-kms")]
            aws(&format!("http://{}", serving.address()), "any"),
        ];
        for keys in &providers {
            let made = keys.generate(&key.key_id, &context("7")).await.unwrap();
            assert_eq!(made.wrapped.key_arn, key.arn);
            for other in &providers {
                let opened = other.unwrap(&made.wrapped, &context("7")).await.unwrap();
                assert!(opened.equals(&made.plaintext));
            }
            let wrong = keys.unwrap(&made.wrapped, &context("8")).await.unwrap_err();
            assert_eq!(exception(&wrong), "InvalidCiphertextException");
            let unknown = keys.generate("alias/nothing", &context("7")).await.unwrap_err();
            assert_eq!(exception(&unknown), "NotFoundException");

            let before = recorded(&room, "GenerateDataKey").await;
            keys.may_generate(&key.key_id, &context("7")).await.unwrap();
            assert_eq!(recorded(&room, "GenerateDataKey").await, before + 1, "the trail has it");
            room.call(DisableKey { key_id: key.key_id.clone().into() }).await.unwrap();
            let disabled = keys.may_generate(&key.key_id, &context("7")).await.unwrap_err();
            let refusal = Refusal::from(&disabled);
            assert_eq!((refusal.code().as_str(), refusal.status()), ("KMS.DisabledException", 400));
            assert_eq!(refusal.to_string(), format!("{} is disabled.", key.arn));
            let unwrapped = keys.unwrap(&made.wrapped, &context("7")).await.unwrap_err();
            assert_eq!(exception(&unwrapped), "DisabledException");
            room.call(EnableKey { key_id: key.key_id.clone().into() }).await.unwrap();
        }
        serving.stop().await;
        room.close().unwrap();
    });
}

#[test]
fn a_service_that_is_not_there_is_tried_until_the_deadline() {
    runtime().block_on(async {
        // Bound and closed again: nobody listens there.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let keys = GrpcKeys::connect(&format!("http://{gone}"), 2).unwrap();
        let keys = keys.deadline(Duration::from_millis(300));
        let error = keys.generate("alias/app", &context("7")).await.unwrap_err();
        assert!(matches!(error, ProviderError::Unavailable(_)), "{error:?}");
        let refusal = Refusal::from(&error);
        assert_eq!((refusal.code().as_str(), refusal.status()), ("ServiceUnavailable", 503));
    });
}

#[test]
fn a_service_that_comes_back_is_found_by_the_same_call() {
    runtime().block_on(async {
        let room = room();
        let key = room.call(CreateKey::default()).await.unwrap();
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let keys = GrpcKeys::connect(&format!("http://{address}"), 1).unwrap();
        let keys = keys.deadline(Duration::from_secs(20));
        let asked = tokio::spawn(async move { keys.generate(&key.key_id, &context("7")).await });
        // Whether the first try is before or after this line, the call is answered.
        tokio::task::yield_now().await;
        let serving = room.serve(address).await.unwrap();
        assert_eq!(asked.await.unwrap().unwrap().wrapped.key_arn, key.arn);
        serving.stop().await;
        room.close().unwrap();
    });
}

#[test]
fn a_token_is_not_printed() {
    runtime().block_on(async {
        let keys = GrpcKeys::connect("http://127.0.0.1:1", 1).unwrap().bearer("sesame").unwrap();
        assert!(!format!("{keys:?}").contains("sesame"));
    });
}

/// 10,000 objects of a bucket under one key: what the trail has of it.
#[test]
fn ten_thousand_puts_with_a_bucket_key_are_a_handful_of_calls() {
    runtime().block_on(async {
        let room = room();
        let key = room.call(CreateKey::default()).await.unwrap();
        let keys = Arc::new(room.keys(Caller::in_process()));
        let alice = Requester::new("alice", keys.clone());
        let ring = Keyring::new(keys, "alias/own", Limits::default());
        let asked = Encryption::Kms {
            key: KmsKey { id: key.arn.clone(), context: Context::new() },
            bucket_key: true,
        };
        let begun = std::time::Instant::now();
        let mut made = Vec::new();
        for number in 0..10_000 {
            let name = ObjectName { bucket: "photos".into(), name: format!("{number}.jpg") };
            let (envelope, _) = ring.begin(&asked, &name, &alice).await.unwrap();
            if number % 1_000 == 0 {
                made.push((envelope, name));
            }
        }
        // One that makes the key, and one a second that asks for it.
        let most = 2 + usize::try_from(begun.elapsed().as_secs()).unwrap();
        let calls = recorded(&room, "GenerateDataKey").await;
        assert!((1..=most).contains(&calls), "{calls} calls, at most {most}");
        for (envelope, name) in &made {
            ring.open(envelope, name, None, &alice).await.unwrap();
        }
        assert_eq!(recorded(&room, "UnwrapDataKey").await, 1);

        room.call(DisableKey { key_id: key.key_id.clone().into() }).await.unwrap();
        ring.bucket_keys().forget(&key.arn);
        let name = ObjectName { bucket: "photos".into(), name: "one more.jpg".into() };
        let refused = ring.begin(&asked, &name, &alice).await.unwrap_err();
        let Error::Provider(error) = refused else { panic!("{refused}") };
        assert_eq!(Refusal::from(&error).code(), "KMS.DisabledException");
        ring.open(&made[0].0, &made[0].1, None, &alice).await.unwrap_err();
        room.close().unwrap();
    });
}

/// SSE-KMS without a key is `alias/aws/s3`, which is used through S3 alone.
#[test]
fn the_key_that_aws_manages_is_used_through_s3() {
    runtime().block_on(async {
        let room = room();
        let via = Some("s3.us-east-1.amazonaws.com".to_owned());
        let keys = Arc::new(room.keys(Caller { via, ..Caller::in_process() }));
        let made = keys.generate(KmsKey::DEFAULT, &context("7")).await.unwrap();
        assert!(made.wrapped.key_arn.starts_with("arn:aws:kms:us-east-1:000000000000:key/"));
        assert!(keys.unwrap(&made.wrapped, &context("7")).await.unwrap().equals(&made.plaintext));
        let direct = room.keys(Caller::in_process());
        let refused = direct.unwrap(&made.wrapped, &context("7")).await.unwrap_err();
        assert_eq!(exception(&refused), "AccessDeniedException");
        let refusal = Refusal::from(&refused);
        assert_eq!((refusal.code().as_str(), refusal.status()), ("AccessDenied", 403));
        room.close().unwrap();
    });
}
