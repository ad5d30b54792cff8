//! What a decision costs: an ordinary key policy with grants, and the worst that fits into a policy.

#![expect(clippy::unwrap_used, reason = "a bench that panics has failed")]

use std::cell::LazyCell;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use strongroom::iam::{
    Context, Granted, Guard, Kind, Naming, Policy, PolicyKind, Principal, Question, Resource,
    Standing, decide,
};

const ACCOUNT: &str = "111122223333";
const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn policy(kind: PolicyKind, statements: &[serde_json::Value]) -> Arc<Policy> {
    let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    Arc::new(Policy::parse("policy", &text, kind).unwrap())
}

/// A principal, some actions, a condition on the encryption context.
fn statement(number: usize, principal: &str) -> serde_json::Value {
    json!({
        "Sid": format!("Statement{number}"),
        "Effect": if number.is_multiple_of(5) { "Deny" } else { "Allow" },
        "Principal": { "AWS": principal },
        "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": { "StringEquals": {
            "kms:EncryptionContext:tenant": format!("t{number}"),
            "kms:ViaService": ["s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com"],
        } },
    })
}

/// As many keys as a call has.
fn context(principal: &Principal) -> Context {
    let mut context = Context::default();
    principal.observe(&mut context);
    for (key, value) in [
        ("aws:CurrentTime", "2026-11-25T12:00:00Z"),
        ("aws:EpochTime", "1795608000"),
        ("aws:RequestedRegion", "us-east-1"),
        ("aws:ResourceAccount", ACCOUNT),
        ("aws:SecureTransport", "true"),
        ("aws:SourceIp", "127.0.0.1"),
        ("kms:CallerAccount", ACCOUNT),
        ("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT"),
        ("kms:EncryptionContext:tenant", "t99"),
        ("kms:KeyOrigin", "AWS_KMS"),
        ("kms:KeySpec", "SYMMETRIC_DEFAULT"),
        ("kms:KeyUsage", "ENCRYPT_DECRYPT"),
        ("kms:MultiRegion", "false"),
    ] {
        context.put(key, value);
    }
    context.put_all("kms:EncryptionContextKeys", ["tenant"]);
    context.put_all("kms:ResourceAliases", ["alias/app"]);
    context
}

fn ordinary(criterion: &mut Criterion) {
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/alice");
    let alice = Principal::new(arn.clone(), ACCOUNT, "AIDA", Kind::User);
    let identity = json!({ "Effect": "Allow", "Action": "kms:Describe*", "Resource": "*" });
    let own = policy(
        PolicyKind::Identity,
        &[
            identity.clone(),
            json!({
                "Effect": "Allow", "Action": "kms:*", "Resource": KEY,
            }),
        ],
    );
    let standing = Standing {
        policies: vec![policy(PolicyKind::Identity, &[identity]), Arc::clone(&own)],
        boundary: Some(Arc::clone(&own)),
        session: vec![own],
        ..Standing::default()
    };
    let alice = Principal { standing: Arc::new(standing), ..alice };
    let mut statements: Vec<_> = (0..19).map(|number| statement(number, &arn)).collect();
    let grants: Vec<String> =
        (0..5).map(|number| format!("arn:aws:iam::{ACCOUNT}:user/user{number}")).collect();
    let mut group = criterion.benchmark_group("a 20-statement key policy and five grants");
    for (name, last) in [
        (
            "nobody is let in",
            json!({ "Effect": "Allow", "Principal": { "AWS": "444455556666" },
            "Action": "kms:*", "Resource": "*" }),
        ),
        (
            "the last statement lets in",
            json!({ "Effect": "Allow", "Principal": { "AWS": arn },
            "Action": "kms:GenerateDataKey", "Resource": "*" }),
        ),
        (
            "the account lets in",
            json!({ "Effect": "Allow", "Principal": { "AWS": ACCOUNT },
            "Action": "kms:*", "Resource": "*" }),
        ),
    ] {
        statements.truncate(19);
        statements.push(last);
        let guard = Guard::Needed(policy(PolicyKind::Key, &statements));
        let resource = Resource { arn: KEY.to_owned(), account: ACCOUNT.to_owned(), guard };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let context = LazyCell::new(|| context(&alice));
                let question = Question {
                    principal: &alice,
                    action: "kms:GenerateDataKey",
                    resource: KEY,
                    context: &context,
                };
                decide(&question, &resource, || {
                    let named = grants.iter().filter_map(|grant| alice.named_by(grant));
                    named.max().map(|naming: Naming| Granted { name: String::new(), naming })
                })
            });
        });
    }
    group.finish();
}

/// Twice the text has to take twice the time.
fn worst(criterion: &mut Criterion) {
    let root = Principal::root(ACCOUNT, None);
    let mut group = criterion.benchmark_group("wildcards that backtrack elsewhere, by length");
    for bytes in [2_000_u32, 4_000, 8_000] {
        let pieces = usize::try_from(bytes).unwrap();
        for (name, piece) in [("*a", "*a"), ("*?a", "*?a")] {
            let pattern = format!("{}b", piece.repeat(pieces / piece.len()));
            let found = policy(
                PolicyKind::Key,
                &[json!({ "Effect": "Allow", "Principal": "*",
                "Action": "kms:*", "Resource": pattern })],
            );
            let text = "a".repeat(pieces);
            let guard = Guard::Needed(found);
            let resource = Resource { arn: text.clone(), account: ACCOUNT.to_owned(), guard };
            group.throughput(Throughput::Bytes(u64::from(bytes)));
            group.bench_function(BenchmarkId::new(name, pieces), |bencher| {
                let context = Box::new(Context::default());
                let question = Question {
                    principal: &root,
                    action: "kms:Decrypt",
                    resource: &text,
                    context: &context,
                };
                bencher.iter(|| decide(&question, &resource, || None));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, ordinary, worst);
criterion_main!(benches);
