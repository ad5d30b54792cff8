//! What conditions of policies look at, of one call: who, what, to what, from where and when.
//!
//! Source: IAM User Guide, "AWS global condition context keys"; AWS KMS Developer Guide, "AWS KMS condition
//! keys".

use std::net::IpAddr;

use chrono::SecondsFormat;

use super::operation::{Circumstances, Operation, Rooms, Target};
use crate::iam::{Context, Principal};
use crate::kms::{EncryptionContext, Known, Values};

/// Of a call that asks to do `target.action` to the target.
pub(super) fn of_call<O: Operation>(
    principal: &Principal,
    rooms: &Rooms,
    at: &Circumstances<'_>,
    request: &O,
    (target, all): (&Target, &[Target]),
) -> Context {
    let mut context = of_caller(principal, at);
    let mut known = Known::default();
    request.observe(target.action, &mut known);
    if target.action.ends_with("Grant") || target.action.ends_with("Grants") {
        known.put("kms:GrantIsForAWSResource", "false");
    }
    if target.action.starts_with("kms:ReEncrypt") {
        let places: Vec<_> = all.iter().filter_map(Target::place).collect();
        let same = matches!(places.as_slice(), [from, to] if from == to);
        known.put("kms:ReEncryptOnSameKey", same.to_string());
    }
    if let Some(pairs) = request.context(target.action) {
        of_pairs(&mut context, pairs);
    }
    of_target(&mut context, rooms, target, known);
    context
}

/// Of a call that nobody makes: what is so whoever asked for it, and however.
pub(super) fn of_target_alone(
    principal: &Principal,
    rooms: &Rooms,
    at: &Circumstances<'_>,
    target: &Target,
) -> Context {
    let mut context = of_principal(principal, at);
    context.put("aws:ViaAWSService", "false");
    of_target(&mut context, rooms, target, Known::default());
    context
}

/// What is known of the request, and of what it is done to.
fn of_target(context: &mut Context, rooms: &Rooms, target: &Target, mut known: Known) {
    if let Some(alias) = &target.alias {
        known.put("kms:RequestAlias", alias);
    }
    if let Some(entry) = &target.key {
        let key = &entry.key;
        key.observe(&mut known);
        let aliases = rooms.keys.aliases(&key.scope, Some(key.id), None, ALIASES);
        context.put_all("kms:ResourceAliases", aliases.iter().map(|alias| alias.name.to_string()));
    }
    context.put("aws:ResourceAccount", &target.resource.account);
    for (name, values) in known.0.iter().chain(&target.about.0) {
        match values {
            Values::One(value) => context.put(name.clone(), value),
            Values::Many(values) => context.put_all(name.clone(), values),
        }
    }
}

/// Of whoever calls, whatever is asked.
pub(super) fn of_caller(principal: &Principal, at: &Circumstances<'_>) -> Context {
    let mut context = of_principal(principal, at);
    context.put("aws:SecureTransport", at.caller.secure.to_string());
    context.put("aws:ViaAWSService", at.caller.via.is_some().to_string());
    if let Some(service) = &at.caller.via {
        context.put("kms:ViaService", service);
        context.put_all("aws:CalledVia", [service.split('.').next().unwrap_or_default()]);
    } else if let Ok(address) = at.caller.source.parse::<IpAddr>() {
        // What a service asks for on somebody's behalf comes from nowhere.
        context.put("aws:SourceIp", address.to_canonical().to_string());
    }
    if let Some(agent) = &at.caller.user_agent {
        context.put("aws:UserAgent", agent);
    }
    context
}

/// Of a principal, here and now.
fn of_principal(principal: &Principal, at: &Circumstances<'_>) -> Context {
    let mut context = Context::default();
    principal.observe(&mut context);
    context.put("aws:CurrentTime", at.now.to_rfc3339_opts(SecondsFormat::Secs, true));
    context.put("aws:EpochTime", at.now.timestamp().to_string());
    context.put("aws:RequestedRegion", at.scope.region());
    context.put("aws:PrincipalIsAWSService", "false");
    context.put("kms:CallerAccount", &principal.account);
    context
}

pub(super) fn of_pairs(context: &mut Context, pairs: &EncryptionContext) {
    for (name, value) in pairs {
        context.put(format!("kms:EncryptionContext:{name}"), value);
    }
    context.put_all("kms:EncryptionContextKeys", pairs.keys());
}

/// Aliases of a key that are looked at: its quota (AWS KMS Developer Guide, "Resource quotas").
const ALIASES: usize = 50;
