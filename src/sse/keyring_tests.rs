//! From requests to objects' keys and back, against a key management service of forty lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::*;
use crate::crypto::{SecretKey, aead};

const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// Wraps with its one key; counts; can be disabled.
#[derive(Debug)]
struct Kms {
    key: SecretKey,
    disabled: AtomicBool,
    generated: AtomicUsize,
    unwrapped: AtomicUsize,
    asked: AtomicUsize,
}

impl Kms {
    fn new() -> Arc<Self> {
        let key = SecretKey::generate().unwrap();
        let (disabled, generated) = (AtomicBool::default(), AtomicUsize::default());
        let (unwrapped, asked) = (AtomicUsize::default(), AtomicUsize::default());
        Arc::new(Self { key, disabled, generated, unwrapped, asked })
    }

    /// Calls that made, unwrapped, asked.
    fn calls(&self) -> [usize; 3] {
        [&self.generated, &self.unwrapped, &self.asked].map(|count| count.load(Ordering::Relaxed))
    }

    fn disable(&self, disabled: bool) {
        self.disabled.store(disabled, Ordering::Relaxed);
    }

    fn count(&self, counter: &AtomicUsize) -> Result<(), ProviderError> {
        counter.fetch_add(1, Ordering::Relaxed);
        if self.disabled.load(Ordering::Relaxed) {
            let message = format!("{ARN} is disabled.");
            return Err(ProviderError::Refused { exception: "DisabledException".into(), message });
        }
        Ok(())
    }
}

fn encoded(context: &Context) -> Vec<u8> {
    format!("{context:?}").into_bytes()
}

#[async_trait]
impl KeyProvider for Kms {
    async fn generate(&self, _: &str, context: &Context) -> Result<DataKey, ProviderError> {
        self.count(&self.generated)?;
        tokio::task::yield_now().await;
        let plaintext = SecretKey::generate().unwrap();
        let nonce: [u8; 12] = crate::crypto::random::array().unwrap();
        let sealed = aead::seal(&self.key, &nonce, &encoded(context), plaintext.expose()).unwrap();
        let wrapped = WrappedKey { key_arn: ARN.into(), blob: [&nonce[..], &sealed].concat() };
        Ok(DataKey { plaintext, wrapped })
    }

    async fn unwrap(
        &self,
        wrapped: &WrappedKey,
        context: &Context,
    ) -> Result<SecretKey, ProviderError> {
        self.count(&self.unwrapped)?;
        let (nonce, sealed) = wrapped.blob.split_first_chunk().unwrap();
        match aead::open(&self.key, nonce, &encoded(context), sealed) {
            Ok(key) => Ok(SecretKey::from_slice(key.expose()).unwrap()),
            Err(_) => Err(ProviderError::Refused {
                exception: "InvalidCiphertextException".into(),
                message: String::new(),
            }),
        }
    }

    async fn may_generate(&self, _: &str, _: &Context) -> Result<(), ProviderError> {
        self.count(&self.asked)
    }
}

fn name(name: &str) -> ObjectName {
    ObjectName { bucket: "bucket".into(), name: name.into() }
}

fn asked(pairs: &[(&str, &str)]) -> Encryption {
    let headers = Headers::collect(pairs.iter().copied()).unwrap();
    let arrival = Arrival { secure: true, signature_v4: true, region: "us-east-1" };
    Encryption::for_writing(&headers, &BucketEncryption::default(), arrival).unwrap().unwrap()
}

const MODE: &str = "x-amz-server-side-encryption";
const KEY_ID: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";

fn customer(key: &str, md5: &str) -> Encryption {
    let name = |end: &str| format!("{MODE}-customer-{end}");
    let [algorithm, secret, hash] = ["algorithm", "key", "key-MD5"].map(name);
    asked(&[(&algorithm, "AES256"), (&secret, key), (&hash, md5)])
}

/// A plaintext under an object key, and whether another object key opens it.
fn opens(key: ObjectKey, body: &[u8]) -> bool {
    let mut out = Vec::new();
    let mut reader = OpenReader::new(body, Arc::new(key), 1);
    std::io::Read::read_to_end(&mut reader, &mut out).is_ok() && out == b"plaintext"
}

fn body(key: &ObjectKey) -> Vec<u8> {
    let sealer = key.seal_part(1).unwrap();
    let mut writer = SealWriter::new(Vec::new(), sealer, Digests::default());
    std::io::Write::write_all(&mut writer, b"plaintext").unwrap();
    writer.finish().unwrap().0
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

#[test]
fn every_mode_seals_and_opens_with_its_own_keys_and_context() {
    run(async {
        let (own, kms) = (Kms::new(), Kms::new());
        let keyring = Keyring::new(own.clone(), "alias/own", Limits::default());
        let requester = Requester::new("alice", kms.clone());
        let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
        let customer = customer(key, "hRasmdxgYDKV3nvbahU1MA==");
        let (object, bucket) = ("arn:aws:s3:::bucket/a/b", "arn:aws:s3:::bucket");
        // Mode, and what was called: own, KMS.
        let rows = [
            (asked(&[]), Some(object), [1, 0, 0], [0, 0, 0]),
            (asked(&[(MODE, "aws:kms")]), Some(object), [0, 0, 0], [1, 0, 0]),
            (asked(&[(MODE, "aws:kms"), (BUCKET_KEY, "true")]), Some(bucket), [0; 3], [1, 0, 0]),
            (asked(&[(MODE, "aws:kms:dsse")]), Some(object), [0; 3], [2, 0, 0]),
            (customer, None, [0; 3], [0; 3]),
        ];
        let (mut owns, mut calls) = ([0; 3], [0; 3]);
        let mut customers = None;
        for (encryption, arn, of_own, of_kms) in rows {
            let (envelope, key) =
                keyring.begin(&encryption, &name("a/b"), &requester).await.unwrap();
            let body = body(&key);
            owns = std::array::from_fn(|i| owns[i] + of_own[i]);
            calls = std::array::from_fn(|i| calls[i] + of_kms[i]);
            assert_eq!((own.calls(), kms.calls()), (owns, calls), "{encryption:?}");
            assert_eq!(envelope.context().get("aws:s3:arn").map(String::as_str), arn);
            assert_eq!(envelope.mode(), encryption.mode());
            let (envelope, _) = Envelope::parse(&envelope.encode().unwrap()).unwrap();
            if let Encryption::Customer(key) = encryption {
                let opened = keyring.open(&envelope, &name("a/b"), Some(&key), &requester).await;
                assert!(opens(opened.unwrap(), &body));
                let none = keyring.open(&envelope, &name("a/b"), None, &requester).await;
                assert!(matches!(none, Err(Error::Refused(Refusal::ObjectNeedsKey))));
                customers = Some((envelope, key));
                continue;
            }
            assert_eq!(envelope.answer(), encryption.answer(ARN));
            let opened = keyring.open(&envelope, &name("a/b"), None, &requester).await.unwrap();
            assert!(opens(opened, &body));
            let moved = keyring.open(&envelope, &name("a/c"), None, &requester).await;
            assert!(matches!(moved, Err(Error::Open)));
            (owns, calls) = (own.calls(), kms.calls());
        }
        let (envelope, _) = customers.unwrap();
        let other = self::customer(
            "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=",
            "dT1y7SEiqn6YCJ3QeqwoIw==",
        );
        let Encryption::Customer(other) = other else { panic!() };
        let wrong = keyring.open(&envelope, &name("a/b"), Some(&other), &requester).await;
        assert!(matches!(wrong, Err(Error::Refused(Refusal::WrongKey))));
        let part = keyring.open_upload(&envelope, &name("a/b"), Some(&other), &requester).await;
        let Err(Error::Refused(refusal)) = part else { panic!("{part:?}") };
        assert_eq!((refusal.code().as_str(), refusal.status()), ("InvalidRequest", 400));
        let said = "The provided encryption parameters did not match the ones used originally.";
        assert_eq!(refusal.to_string(), said);
    });
}

#[test]
fn rewrapping_moves_an_object_without_its_data() {
    run(async {
        let (own, kms) = (Kms::new(), Kms::new());
        let keyring = Keyring::new(own, "alias/own", Limits::default());
        let requester = Requester::new("alice", kms);
        let (s3, dsse) = (asked(&[]), asked(&[(MODE, "aws:kms:dsse")]));
        let by_arn = asked(&[(MODE, "aws:kms"), (KEY_ID, ARN)]);
        let by_alias = asked(&[(MODE, "aws:kms")]);
        let here = name("a/b");
        let (old, key) = keyring.begin(&s3, &here, &requester).await.unwrap();
        let body = body(&key);
        let new = keyring.update_encryption(&old, &here, &by_arn, &requester).await.unwrap();
        assert_eq!((new.mode(), new.key_arn()), (Mode::Kms, ARN));
        assert!(opens(keyring.open(&new, &here, None, &requester).await.unwrap(), &body));
        // Again, to the newest version of the same key: nothing that was sealed is seen again.
        let again = keyring.update_encryption(&new, &here, &by_arn, &requester).await.unwrap();
        assert!(opens(keyring.open(&again, &here, None, &requester).await.unwrap(), &body));
        assert_ne!(again.encode().unwrap(), new.encode().unwrap());
        let moved = keyring.rewrap(&new, &here, None, &s3, &name("c"), &requester).await.unwrap();
        assert!(opens(keyring.open(&moved, &name("c"), None, &requester).await.unwrap(), &body));

        let update = async |envelope: &Envelope, to: &Encryption| {
            keyring.update_encryption(envelope, &here, to, &requester).await
        };
        for to in [&s3, &dsse, &by_alias] {
            let refused = update(&old, to).await;
            assert!(matches!(refused, Err(Error::Refused(Refusal::UpdateNotApplicable(_)))));
        }
        let (two, _) = keyring.begin(&dsse, &here, &requester).await.unwrap();
        let refused = update(&two, &by_arn).await;
        assert!(matches!(refused, Err(Error::Refused(Refusal::UpdateNotApplicable(_)))));
        let refused = keyring.rewrap(&two, &here, None, &s3, &here, &requester).await;
        assert!(matches!(refused, Err(Error::Layers)), "two layers stay two");
        let refused = keyring.rewrap(&old, &here, None, &dsse, &here, &requester).await;
        assert!(matches!(refused, Err(Error::Layers)));
    });
}

#[test]
fn many_are_rewrapped_and_one_that_fails_stops_no_other() {
    use futures_util::StreamExt;
    run(async {
        let (own, kms) = (Kms::new(), Kms::new());
        let keyring = Keyring::new(own, "alias/own", Limits::default());
        let requester = Requester::new("alice", kms.clone());
        let mut objects = Vec::new();
        for number in 0..50 {
            let name = name(&number.to_string());
            let (envelope, _) = keyring.begin(&asked(&[]), &name, &requester).await.unwrap();
            // One envelope is another object's.
            let name = if number == 7 { self::name("another") } else { name };
            objects.push((name, envelope));
        }
        let to = asked(&[(MODE, "aws:kms"), (BUCKET_KEY, "true")]);
        let (mut moved, mut failed) = (Vec::new(), Vec::new());
        let mut answers = std::pin::pin!(keyring.rewrap_many(objects, &to, &requester, 8));
        while let Some((name, answer)) = answers.next().await {
            match answer {
                Ok(envelope) => moved.push((name, envelope)),
                Err(error) => failed.push((name.name, error)),
            }
        }
        assert!(matches!(failed.as_slice(), [(name, Error::Open)] if name == "another"));
        assert_eq!((moved.len(), kms.calls()), (49, [1, 0, 0]), "one bucket key for all");
        for (name, envelope) in &moved {
            assert_eq!((envelope.mode(), envelope.has_bucket_key()), (Mode::Kms, true));
            keyring.open(envelope, name, None, &requester).await.unwrap();
        }
    });
}

fn bucket() -> Context {
    Context::from([("aws:s3:arn".to_owned(), "arn:aws:s3:::bucket".to_owned())])
}

#[test]
fn a_bucket_key_is_kept_for_its_age_uses_requester_and_context() {
    run(async {
        let kms = Kms::new();
        let limits = Limits { uses: 100, entries: 3, ..Limits::default() };
        let kept = BucketKeys::new(limits);
        let alice = Requester::new("alice", kms.clone());
        let mut now = Instant::now();
        let seal = async |context: &Context, who: &Requester, now| {
            kept.to_seal("bucket", "alias/app", context, who, now).await.unwrap()
        };
        for _ in 0..100 {
            seal(&bucket(), &alice, now).await;
        }
        assert_eq!(kms.calls(), [1, 0, 0]);
        seal(&bucket(), &alice, now).await;
        assert_eq!(kms.calls(), [2, 0, 0], "used up");
        now += limits.recheck;
        for _ in 0..10 {
            seal(&bucket(), &alice, now).await;
        }
        assert_eq!(kms.calls(), [2, 0, 1], "asked again, once");
        now += limits.age - limits.recheck;
        let key = seal(&bucket(), &alice, now).await;
        assert_eq!(kms.calls(), [3, 0, 1], "too old");
        let bob = Requester::new("bob", kms.clone());
        seal(&bucket(), &bob, now).await;
        let mut more = bucket();
        more.insert("case".to_owned(), "7".to_owned());
        seal(&more, &alice, now).await;
        assert_eq!(kms.calls(), [5, 0, 1]);
        kept.to_seal("other", "alias/app", &bucket(), &alice, now).await.unwrap();
        seal(&bucket(), &bob, now).await;
        assert_eq!(kms.calls(), [6, 0, 1], "three are kept");
        seal(&bucket(), &alice, now).await;
        assert_eq!(kms.calls(), [7, 0, 1], "the one that was not asked for longest went");

        let open = async |who: &Requester, now| {
            kept.to_open(&key.wrapped, &bucket(), who, now).await.map(|opened| {
                assert!(opened.equals(&key.plaintext));
            })
        };
        for _ in 0..10 {
            open(&alice, now).await.unwrap();
        }
        open(&bob, now).await.unwrap();
        assert_eq!(kms.calls(), [7, 2, 1], "each for itself");
        kms.disable(true);
        open(&alice, now + limits.age - Duration::from_secs(1)).await.unwrap();
        open(&alice, now + limits.age).await.unwrap_err();
    });
}

#[test]
fn a_disabled_key_is_not_sealed_with_any_more() {
    run(async {
        let kms = Kms::new();
        let alice = Requester::new("alice", kms.clone());
        let strict = BucketKeys::new(Limits { recheck: Duration::ZERO, ..Limits::default() });
        let lax = BucketKeys::new(Limits::default());
        let now = Instant::now();
        for kept in [&strict, &lax] {
            kept.to_seal("bucket", "alias/app", &bucket(), &alice, now).await.unwrap();
        }
        kms.disable(true);
        let seal = async |kept: &BucketKeys, now| {
            kept.to_seal("bucket", "alias/app", &bucket(), &alice, now).await
        };
        seal(&strict, now).await.unwrap_err();
        seal(&lax, now).await.unwrap();
        seal(&lax, now + Limits::default().recheck).await.unwrap_err();
        // The refusal dropped the key: it does not come back by itself.
        kms.disable(false);
        let before = kms.calls()[0];
        seal(&lax, now).await.unwrap();
        assert_eq!(kms.calls()[0], before + 1);
        kms.disable(true);
        lax.forget(ARN);
        seal(&lax, now).await.unwrap_err();
    });
}

#[test]
fn whoever_comes_at_the_same_time_waits_for_one_call() {
    run(async {
        let kms = Kms::new();
        let kept = Arc::new(BucketKeys::new(Limits::default()));
        let now = Instant::now();
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let (kept, alice) = (Arc::clone(&kept), Requester::new("alice", kms.clone()));
                tokio::spawn(async move {
                    kept.to_seal("bucket", "alias/app", &bucket(), &alice, now).await.unwrap()
                })
            })
            .collect();
        let mut blobs = std::collections::BTreeSet::new();
        for task in tasks {
            blobs.insert(task.await.unwrap().wrapped.blob.clone());
        }
        assert_eq!((blobs.len(), kms.calls()), (1, [1, 0, 0]));
    });
}
