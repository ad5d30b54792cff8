//! A policy and a call, out of one text: what the fuzzer makes up and its corpus keeps.
//!
//! ```text
//! kms:Decrypt
//! arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
//! arn:aws:iam::111122223333:user/alice
//! aws:SecureTransport=true
//! aws:TagKeys=team|cost
//!
//! {"Version": "2012-10-17", "Statement": …}
//! ```
//!
//! Action, resource, caller; condition keys, where `|` divides the values of multivalued ones and
//! `grantee` is whom a grant is for; an empty line; the document.

use std::sync::Arc;

use strongroom::iam::{
    Context, Decision, Granted, Guard, Kind, Policy, PolicyKind, Principal, Question, Resource,
    Standing, decide,
};

/// The kinds of documents, as corpora name them.
pub(crate) const KINDS: [(PolicyKind, &str); 4] = [
    (PolicyKind::Identity, "identity"),
    (PolicyKind::Key, "key"),
    (PolicyKind::Bucket, "bucket"),
    (PolicyKind::Trust, "trust"),
];

/// What the document decides of the call, read as each of [`KINDS`]; nothing where it is refused.
pub(crate) fn decisions(text: &str) -> [Option<Decision>; 4] {
    KINDS.map(|(kind, _)| {
        let (call, document) = text.split_once("\n\n")?;
        let policy = Arc::new(Policy::parse("policy", document, kind).ok()?);
        Some(decided(call, &policy, kind))
    })
}

fn decided(call: &str, policy: &Arc<Policy>, kind: PolicyKind) -> Decision {
    let mut lines = call.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (action, arn, caller) = (line(), line(), line());
    let mut standing = Standing::default();
    let guard = match kind {
        PolicyKind::Identity => {
            standing.policies = vec![Arc::clone(policy)];
            standing.boundary = Some(Arc::clone(policy));
            standing.session = vec![Arc::clone(policy)];
            Guard::Beside(None)
        }
        PolicyKind::Bucket => Guard::Beside(Some(Arc::clone(policy))),
        PolicyKind::Key | PolicyKind::Trust => Guard::Needed(Arc::clone(policy)),
    };
    let principal = Principal { standing: Arc::new(standing), ..principal(caller) };
    let account = arn.split(':').nth(4).unwrap_or_default();
    let account = if account.is_empty() { &principal.account } else { account };
    let resource = Resource { arn: arn.to_owned(), account: account.to_owned(), guard };
    let mut context = Context::default();
    principal.observe(&mut context);
    let mut grantee = None;
    for (name, value) in lines.filter_map(|line| line.split_once('=')) {
        match value.contains('|') {
            true => context.put_all(name.to_owned(), value.split('|')),
            false if name == "grantee" => grantee = Some(value),
            false => context.put(name.to_owned(), value),
        }
    }
    let granted = || {
        let naming = principal.named_by(grantee?)?;
        Some(Granted { name: "grant".to_owned(), naming })
    };
    let context = &&context;
    let question = Question { principal: &principal, action, resource: arn, context };
    let decision = decide(&question, &resource, granted);
    assert_eq!(decision, decide(&question, &resource, granted), "the same call, asked again");
    let statements = policy.statements().iter();
    let failing = statements.flat_map(|statement| statement.conditions().failing(context));
    let explained: Vec<String> = failing.map(ToString::to_string).collect();
    assert!(explained.iter().all(|text| !text.is_empty()), "a condition without words");
    decision
}

fn principal(arn: &str) -> Principal {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let kind = match arn.rsplit_once(":assumed-role/") {
        _ if arn == "*" => Kind::Anonymous,
        Some((_, name)) => {
            let role = name.split('/').next().unwrap_or_default();
            Kind::Session { role: format!("arn:aws:iam::{account}:role/{role}") }
        }
        None if arn.ends_with(":root") => Kind::Root,
        None => Kind::User,
    };
    Principal::new(arn.to_owned(), account, "AIDAEXAMPLEID", kind)
}
