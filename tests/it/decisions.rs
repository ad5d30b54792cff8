//! The table of decisions: every case of `tests/vectors/iam/`, each with its source in AWS's
//! documentation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;
use strongroom::iam::{
    Context, Decision, Effect, GrantFinding, Granted, Guard, Kind, Policy, PolicyKind, Principal,
    Question, Resource, Shown, Side, Standing, decide, explain,
};
use strongroom::kms::id::{KeyId, KeyPlace, Reach};
use strongroom::kms::{Grant, GrantConstraints, GrantId, Party};
use strongroom::store::Revision;

#[test]
fn every_decision_is_the_documented_one() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, row, case) in cases() {
        count += 1;
        let expected = format!("{} by {}", text(&row["expect"]), text(&row["by"]));
        let found = asked(&case, |question, resource, grants| {
            named(&decide(question, resource, || best(&grants)))
        });
        if found != expected {
            wrong.push(format!("{name}: {found}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count >= 300, "the table has {count} cases");
}

#[test]
fn every_explanation_is_of_the_decision_and_names_what_decided() {
    let (mut nearly, mut refused) = (0, 0);
    for (name, _, case) in cases() {
        asked(&case, |question, resource, grants| {
            let decision = decide(question, resource, || best(&grants));
            let explained = explain(question, resource, grants, Shown::Everything);
            assert_eq!(explained.decision, decision, "{name}");
            assert!(!explained.advice.is_empty(), "{name}");
            let statements = || explained.policies.iter().flat_map(|policy| &policy.statements);
            let denies = |effect: Effect| effect == Effect::Deny;
            let denied = statements().any(|found| found.applies() && denies(found.effect));
            assert_eq!(denied, matches!(decision, Decision::Deny { .. }), "{name}");
            match &decision {
                Decision::Allow { by: Side::Root, .. } => {}
                Decision::Allow { statement, .. } | Decision::Deny { statement, .. } => {
                    assert_eq!(&explained.deciding().join("; "), statement, "{name}");
                }
                Decision::ImplicitDeny { .. } => {
                    refused += 1;
                    nearly += usize::from(explained.advice.len() > 1);
                    assert!(explained.deciding().is_empty(), "{name}");
                }
            }
            let marked: Vec<_> = statements().filter(|found| found.decides).collect();
            assert!(marked.iter().all(|found| found.applies()), "{name}");
        });
    }
    assert!(nearly * 2 > refused, "most refusals are by a hair: {nearly} of {refused}");
}

/// Every case: its name, its row and the case itself.
fn cases() -> Vec<(String, Value, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/iam");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        for group in file["groups"].as_array().unwrap() {
            assert!(!group["source"].as_str().unwrap().is_empty());
            for row in group["rows"].as_array().unwrap() {
                let mut case = group["base"].clone();
                for (pointer, value) in row["set"].as_object().into_iter().flatten() {
                    put(&mut case, pointer, value);
                }
                let name = format!("{} | {}", path.display(), row["name"].as_str().unwrap());
                cases.push((name, row.clone(), case));
            }
        }
    }
    cases
}

/// Sets what a JSON pointer names; `null` takes it away.
fn put(case: &mut Value, pointer: &str, value: &Value) {
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    let last = last.replace("~1", "/").replace("~0", "~");
    match case.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} has no parent")) {
        Value::Array(items) => match last.parse::<usize>().unwrap() {
            next if next == items.len() => items.push(value.clone()),
            index => items[index] = value.clone(),
        },
        Value::Object(members) if value.is_null() => drop(members.remove(&last)),
        Value::Object(members) => drop(members.insert(last, value.clone())),
        other => panic!("{pointer}: {other} has no members"),
    }
}

/// What is asked in a case, of which, with the grants to the caller.
fn asked<T>(case: &Value, ask: impl FnOnce(&Question<'_>, &Resource, Vec<GrantFinding>) -> T) -> T {
    let principal = principal(&case["principal"]);
    let (action, resource) =
        (text(&case["action"]), resource(&case["resource"], &principal.account));
    let pairs = context_pairs(&case["encryption_context"]);
    let context = Box::new(context(case, &principal, &resource, &pairs));
    let question =
        Question { principal: &principal, action, resource: &resource.arn, context: &context };
    ask(&question, &resource, grants(case, &principal, action, &pairs))
}

fn named(decision: &Decision) -> String {
    let side = |side: &Side| match side {
        Side::Root => "root".to_owned(),
        other => other.to_string(),
    };
    match decision {
        Decision::Allow { by, .. } => format!("allow by {}", side(by)),
        Decision::Deny { by, .. } => format!("explicit deny by {}", side(by)),
        Decision::ImplicitDeny { missing } => format!("implicit deny by {}", side(missing)),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn policy(document: &Value, kind: PolicyKind) -> Arc<Policy> {
    let read = Policy::parse("policy", &document.to_string(), kind);
    Arc::new(read.unwrap_or_else(|error| panic!("{error}: {document}")))
}

fn principal(found: &Value) -> Principal {
    let arn = text(&found["arn"]);
    let all = |member: &str| -> Vec<Arc<Policy>> {
        let documents = found[member].as_array().into_iter().flatten();
        documents.map(|document| policy(document, PolicyKind::Identity)).collect()
    };
    let boundary = found.get("boundary").map(|document| policy(document, PolicyKind::Identity));
    let standing = Standing {
        policies: all("policies"),
        boundary,
        session: all("session"),
        tags: context_pairs(&found["tags"]),
        session_began: None,
    };
    let account = arn.split(':').nth(4).unwrap_or_default();
    let kind = match found.get("role") {
        _ if arn == "*" => Kind::Anonymous,
        Some(role) => Kind::Session { role: text(role).to_owned() },
        None if arn.ends_with(":root") => Kind::Root,
        None => Kind::User,
    };
    let id = match (&kind, arn.rsplit_once('/')) {
        (Kind::Root, _) => account.to_owned(),
        (Kind::Session { .. }, Some((_, session))) => format!("AROAEXAMPLEID:{session}"),
        _ => "AIDAEXAMPLEID".to_owned(),
    };
    let principal = Principal::new(arn.to_owned(), account, &id, kind);
    Principal { standing: Arc::new(standing), ..principal }
}

fn resource(found: &Value, own_account: &str) -> Resource {
    let arn = text(&found["arn"]);
    let parts: Vec<&str> = arn.split(':').collect();
    let account = found["account"].as_str().or(parts.get(4).copied()).unwrap_or(own_account);
    let is_key = parts.get(2) == Some(&"kms") && parts[5].starts_with("key/");
    let kind = if is_key { PolicyKind::Key } else { PolicyKind::Bucket };
    let own = found.get("policy").map(|document| policy(document, kind));
    let guard = match own {
        own if !is_key => Guard::Beside(own),
        Some(own) => Guard::Needed(own),
        None => {
            let text = strongroom::kms::default_policy(account);
            Guard::Needed(policy(&serde_json::from_str(&text).unwrap(), PolicyKind::Key))
        }
    };
    Resource { arn: arn.to_owned(), account: account.to_owned(), guard }
}

fn context_pairs(found: &Value) -> BTreeMap<String, String> {
    let pairs = found.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.clone(), text(value).to_owned())).collect()
}

fn context(
    case: &Value,
    principal: &Principal,
    resource: &Resource,
    pairs: &BTreeMap<String, String>,
) -> Context {
    let mut context = Context::default();
    principal.observe(&mut context);
    context.put("kms:CallerAccount", &principal.account);
    context.put("aws:ResourceAccount", &resource.account);
    for (name, value) in context_pairs(&case["resource"]["tags"]) {
        context.put(format!("aws:ResourceTag/{name}"), value);
    }
    for (name, value) in pairs {
        context.put(format!("kms:EncryptionContext:{name}"), value);
    }
    context.put_all("kms:EncryptionContextKeys", pairs.keys());
    for (name, value) in case["context"].as_object().into_iter().flatten() {
        match value.as_array() {
            Some(values) => context.put_all(name.clone(), values.iter().map(text)),
            None => context.put(name.clone(), text(value)),
        }
    }
    context
}

/// Operations with an encryption context, to which alone a grant's constraints apply.
const HAVE_CONTEXT: [&str; 4] = ["Encrypt", "Decrypt", "GenerateDataKey", "ReEncrypt"];

fn best(grants: &[GrantFinding]) -> Option<Granted> {
    let giving = grants.iter().filter(|grant| grant.gives());
    let best = giving.max_by_key(|grant| grant.naming)?;
    Some(Granted { name: best.name.clone(), naming: best.naming })
}

fn grants(
    case: &Value,
    principal: &Principal,
    action: &str,
    pairs: &BTreeMap<String, String>,
) -> Vec<GrantFinding> {
    let operation = action.strip_prefix("kms:").unwrap_or(action);
    let has_context = HAVE_CONTEXT.iter().any(|start| operation.starts_with(start));
    let grants = case["resource"]["grants"].as_array().into_iter().flatten();
    let found = grants.filter_map(|found| {
        let grant = grant(found);
        Some(GrantFinding {
            name: "grant".to_owned(),
            naming: principal.named_by(grant.grantee.name())?,
            operation: grant.has(operation),
            constraints: grant.holds_in(has_context.then_some(pairs)),
            decides: false,
        })
    });
    found.collect()
}

fn grant(found: &Value) -> Grant {
    let operations = found["operations"].as_array().unwrap().iter().map(text);
    Grant {
        key: KeyPlace { id: KeyId::from_bytes(Reach::Regional, [0; 16]), region: String::new() },
        id: GrantId::generate().unwrap(),
        name: None,
        grantee: Party::Principal(text(&found["grantee"]).to_owned()),
        retiring: None,
        operations: operations.map(str::to_owned).collect(),
        constraints: GrantConstraints {
            equals: context_pairs(&found["encryption_context_equals"]),
            subset: context_pairs(&found["encryption_context_subset"]),
            source_arn: None,
        },
        issuing_account: String::new(),
        created: DateTime::default(),
        revision: Revision(1),
    }
}
