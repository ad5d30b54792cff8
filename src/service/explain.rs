//! Why somebody may do something to a key, or may not: the decision, explained without the call.
//!
//! An account is told of its own keys. Of a principal of another account it is told whether that one is
//! let in, and not what its own policies say.
//!
//! Source: IAM API Reference, `SimulatePrincipalPolicy`, whose words for decisions these are.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Error;
use super::credentials::{Credentials, Role};
use super::operation::{Circumstances, Executed, Operation, Rooms, Target, Weight};
use super::operations::{ACTS, Registered, registered};
use super::permit::Permit;
use super::{surroundings, targets};
use crate::audit::Event;
use crate::iam::{
    self, Context, Explanation, Finding, GrantFinding, Guard, Policy, PolicyKind, Principal,
    Question, Shown, Side, is_multivalued,
};
use crate::kms::id::is_account;
use crate::kms::{self, EncryptionContext};

/// Asks why a principal may, or may not, do each action to each resource.
#[derive(Debug, Default)]
pub struct ExplainAccess {
    /// The ARN of who would do it.
    pub principal: String,
    /// `kms:Decrypt` and the like.
    pub actions: Vec<String>,
    /// Keys by any of their names; `*` for what is done to no key.
    pub resources: Vec<String>,
    /// Condition keys of the call that is thought of, with their values.
    pub context: BTreeMap<String, Vec<String>>,
    /// A key policy to be tried in place of the stored ones.
    pub policy: Option<String>,
}

/// One decision, explained.
#[derive(Debug)]
pub struct Explained {
    /// The action.
    pub action: &'static str,
    /// The ARN of what it is done to, or `*`.
    pub resource: String,
    /// Why.
    pub explanation: Explanation,
}

/// Explanations of one request at the most.
const PAIRS: usize = 100;
/// Grants that are told of at the most; the one that counts is among them.
const GRANTS: usize = 50;

/// This file's part of the register.
pub(super) const EXPLAIN: &[Registered] =
    &[Registered::of::<ExplainAccess>("Why a principal may or may not do something.")];

impl Operation for ExplainAccess {
    type Output = Vec<Explained>;
    const NAME: &'static str = "ExplainAccess";
    const ACTION: &'static str = "strongroom:ExplainAccess";
    const READ_ONLY: bool = true;

    fn weight(&self) -> Weight {
        Weight::Heavy
    }

    fn targets(&self, rooms: &Rooms, at: &Circumstances<'_>) -> Result<Vec<Target>, Error> {
        Ok(vec![targets::account(rooms, at)?.named(Self::ACTION)])
    }

    fn execute(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        _: &Permit,
    ) -> Result<Executed<Vec<Explained>>, Error> {
        self.check()?;
        let principal = explained_principal(&self.principal, at.known)?;
        let policy = self.policy.as_deref().map(given_policy).transpose()?;
        let acts: Vec<Act> =
            self.actions.iter().map(|action| Act::of(action)).collect::<Result<_, _>>()?;
        let mut executed = Executed::read(Vec::new());
        for act in &acts {
            for reference in &self.resources {
                let mut target = act.target(rooms, at, &principal, reference)?;
                if let (Some(policy), Guard::Needed(guard)) = (&policy, &mut target.resource.guard)
                {
                    *guard = Arc::clone(policy);
                }
                executed.writes.rely_on(&target.reads);
                if self.resources.len() == 1 && target.key.is_some() {
                    executed.key = Some(target.resource.arn.clone());
                }
                executed.output.push(self.explain(act, rooms, at, &principal, target));
            }
        }
        Ok(executed)
    }

    fn record(&self, event: &mut Event) {
        let parameters = [
            ("principal", self.principal.as_str().into()),
            ("actions", self.actions.as_slice().into()),
            ("resources", self.resources.as_slice().into()),
        ];
        for (name, value) in parameters {
            event.parameters.insert(name.to_owned(), value);
        }
        if let Ok(context) = serde_json::to_value(&self.context)
            && !self.context.is_empty()
        {
            event.parameters.insert("context".to_owned(), context);
        }
        if let Some(policy) = &self.policy {
            event.parameters.insert("policy".to_owned(), policy.as_str().into());
        }
    }
}

impl ExplainAccess {
    fn check(&self) -> Result<(), Error> {
        for (name, all) in [("actions", &self.actions), ("resources", &self.resources)] {
            if all.is_empty() {
                let constraint = "Member must have length greater than or equal to 1";
                return Err(kms::Error::constraint("[]", name, constraint).into());
            }
        }
        let pairs = self.actions.len().saturating_mul(self.resources.len());
        if pairs > PAIRS {
            return Err(kms::Error::Validation(format!(
                "actions and resources make {pairs} pairs; {PAIRS} are explained at the most"
            ))
            .into());
        }
        for (key, values) in &self.context {
            if !key.contains(':') {
                let constraint = "Member must be a condition key such as kms:ViaService";
                return Err(kms::Error::constraint(key, "context", constraint).into());
            }
            if values.len() > 1 && iam::is_single_valued(key) {
                let constraint = "Member must have one value by its nature";
                return Err(kms::Error::constraint(key, "context", constraint).into());
            }
        }
        if self.policy.is_some() && self.resources.iter().any(|resource| resource == "*") {
            let what = "a policy can be tried on keys, not on \"*\"";
            return Err(kms::Error::Validation(what.to_owned()).into());
        }
        Ok(())
    }

    fn explain(
        &self,
        act: &Act,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        principal: &Principal,
        target: Target,
    ) -> Explained {
        let pairs = self.pairs();
        let mut context = surroundings::of_target_alone(principal, rooms, at, &target);
        if !pairs.is_empty() {
            surroundings::of_pairs(&mut context, &pairs);
        }
        self.put_given(&mut context);
        let grants = grants(act, rooms, principal, &target, &pairs);
        let context = Box::new(context);
        let Target { resource, .. } = target;
        let question =
            Question { principal, action: act.action, resource: &resource.arn, context: &context };
        let foreign = principal.account != at.scope.account();
        let shown = if foreign { Shown::ResourceSide } else { Shown::Everything };
        let mut explanation = iam::explain(&question, &resource, grants, shown);
        if resource.is_foreign(principal) && !act.cross_account {
            explanation = explanation.refused_beforehand(
                Side::Resource,
                format!(
                    "{} is for the key's own account alone, whatever policies and grants say.",
                    act.action
                ),
            );
        } else if act.names_alias {
            explanation.advice.push(format!(
                "{} is asked of the alias, too, where only a policy of the caller's own counts.",
                act.action
            ));
        }
        Explained { action: act.action, resource: resource.arn, explanation }
    }

    /// The encryption context of the call that is thought of.
    fn pairs(&self) -> EncryptionContext {
        let pairs = self.context.iter().filter_map(|(key, values)| {
            let head = key.get(..PAIR.len())?;
            let name = key.get(PAIR.len()..).filter(|name| !name.is_empty())?;
            let value = values.first()?;
            head.eq_ignore_ascii_case(PAIR).then(|| (name.to_owned(), value.clone()))
        });
        pairs.collect()
    }

    fn put_given(&self, context: &mut Context) {
        for (key, values) in &self.context {
            match values.as_slice() {
                [one] if !is_multivalued(key) => context.put(key.clone(), one),
                all => context.put_all(key.clone(), all),
            }
        }
    }
}

/// What a condition key of the encryption context begins with.
const PAIR: &str = "kms:EncryptionContext:";

/// Who is explained: whom the credentials file has; without one every account's root, and every role, as
/// any can be assumed then. A role is explained as a session of it.
///
/// # Errors
/// `ValidationException` for what is no principal's ARN, and for one of nobody.
fn explained_principal(arn: &str, known: Option<&Credentials>) -> Result<Principal, Error> {
    let wrong = |constraint| Err(kms::Error::constraint(arn, "principal", constraint).into());
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    let (service, account, name) = match fields.as_slice() {
        ["arn", "aws", service @ ("iam" | "sts"), "", account, name] if is_account(account) => {
            (*service, *account, *name)
        }
        _ => {
            return wrong(
                "Member must be a principal's ARN such as arn:aws:iam::111122223333:root",
            );
        }
    };
    let found = match known {
        Some(known) => known.principal(arn),
        None => match (service, name.split('/').collect::<Vec<_>>().as_slice()) {
            ("iam", ["root"]) => Some(Principal::root(account, None)),
            ("iam", ["role", .., role]) if !role.is_empty() => {
                Some(Role::any(arn).bare_session("any"))
            }
            ("sts", ["assumed-role", role, session]) if !role.is_empty() && !session.is_empty() => {
                let role = Role::any(&format!("arn:aws:iam::{account}:role/{role}"));
                Some(role.bare_session(session))
            }
            _ => None,
        },
    };
    found.map_or_else(|| wrong("Member must be the ARN of somebody who is known"), Ok)
}

fn given_policy(text: &str) -> Result<Arc<Policy>, Error> {
    Ok(Arc::new(Policy::parse("given policy", text, PolicyKind::Key)?))
}

/// An action as the register has it.
struct Act {
    action: &'static str,
    on_key: bool,
    /// Whether it is asked of an alias, too.
    names_alias: bool,
    cross_account: bool,
    has_context: bool,
}

impl Act {
    /// # Errors
    /// `ValidationException` for an action that there is not, or that no policy decides on.
    fn of(name: &str) -> Result<Self, Error> {
        let wrong = |constraint| Err(kms::Error::constraint(name, "actions", constraint).into());
        let is = |action: &str| action.eq_ignore_ascii_case(name);
        let Some(action) = callable().find(|action| is(action)) else {
            return wrong("Member must be an action that there is here, such as kms:Decrypt");
        };
        if action == "kms:RetireGrant" {
            return wrong("Member must not be kms:RetireGrant: the grant says who may retire it");
        }
        if action.starts_with("sts:") {
            return wrong("Member must be an action on keys or on the trail");
        }
        let mut act = Self {
            action,
            on_key: action == kms::GetKeyLastUsage::ACTION,
            names_alias: false,
            cross_account: false,
            has_context: false,
        };
        for acts in ACTS {
            let targets = acts.done_to.iter().filter(|(known, _)| *known == action);
            for (_, target) in targets {
                act.on_key |= !matches!(*target, "account" | "alias_name");
                act.names_alias |= *target == "alias_name";
                act.cross_account |= acts.cross_account;
                act.has_context |= acts.has_context;
            }
        }
        Ok(act)
    }

    /// What it would be done to.
    fn target(
        &self,
        rooms: &Rooms,
        at: &Circumstances<'_>,
        principal: &Principal,
        reference: &str,
    ) -> Result<Target, Error> {
        let wrong = |constraint: String| {
            Err(kms::Error::constraint(reference, "resources", &constraint).into())
        };
        match (reference == "*", self.on_key) {
            (true, true) => {
                wrong(format!("Member must name a key: {} is done to one", self.action))
            }
            (false, false) => wrong(format!("Member must be *: {} is done to no key", self.action)),
            (true, false) if principal.account != at.scope.account() => wrong(
                "Member must name a key: what is done to none is its own account's".to_owned(),
            ),
            (true, false) => Ok(targets::account(rooms, at)?.named(self.action)),
            (false, true) => {
                let target = targets::key(rooms, at, reference)?.named(self.action);
                match target.resource.account == at.scope.account() {
                    true => Ok(target),
                    false => Err(kms::Error::Hidden.into()),
                }
            }
        }
    }
}

/// The grants on a key whose grantee means the principal.
fn grants(
    act: &Act,
    rooms: &Rooms,
    principal: &Principal,
    target: &Target,
    pairs: &EncryptionContext,
) -> Vec<GrantFinding> {
    let Some(place) = target.place() else { return Vec::new() };
    let operation = target.operation();
    let context = act.has_context.then_some(pairs);
    let means = |grant: &kms::Grant| principal.named_by(grant.grantee.name());
    let found = rooms.keys.grants_of(&place, None, usize::MAX, |grant| means(grant).is_some());
    let finding = |grant: &Arc<kms::Grant>| {
        Some(GrantFinding {
            name: format!("grant {}", grant.id),
            naming: means(grant)?,
            operation: grant.has(operation),
            constraints: grant.holds_in(context),
            decides: false,
        })
    };
    let mut grants: Vec<GrantFinding> = found.iter().filter_map(finding).collect();
    // The last of the strongest counts: it stays when only some do.
    grants.sort_by_key(|grant| (grant.gives(), grant.naming));
    grants.split_off(grants.len().saturating_sub(GRANTS))
}

/// What the service does of itself, and nobody can ask for.
const OWN: [&str; 4] = ["CreateManagedKey", "DeleteExpiredKeyMaterial", "DeleteKey", "RotateKey"];

/// Every action that a caller can ask for.
fn callable() -> impl Iterator<Item = &'static str> {
    let entries = registered().filter(|entry| !OWN.contains(&entry.name));
    entries.flat_map(|entry| entry.actions.iter().copied().chain([entry.action]))
}

/// Actions that AWS KMS has beside those: of custom key stores, and one that only a service uses.
const OF_AWS: [&str; 7] = [
    "kms:ConnectCustomKeyStore",
    "kms:CreateCustomKeyStore",
    "kms:DeleteCustomKeyStore",
    "kms:DescribeCustomKeyStores",
    "kms:DisconnectCustomKeyStore",
    "kms:SynchronizeMultiRegionKey",
    "kms:UpdateCustomKeyStore",
];

/// What is wrong with a policy document, by the actions that there are: of AWS KMS's and our own none is
/// left out, so that another one is unknown.
#[must_use]
pub fn check_policy(text: &str, kind: PolicyKind) -> Vec<Finding> {
    let whole =
        |action: &&str| ["kms:", "strongroom:"].iter().any(|service| action.starts_with(service));
    let mut actions: Vec<&str> = callable().chain(OF_AWS).filter(whole).collect();
    actions.sort_unstable();
    actions.dedup();
    iam::check(text, kind, &actions)
}

#[cfg(test)]
mod tests {
    use super::super::credentials::tests::credentials;
    use super::*;

    #[test]
    fn actions_are_known_by_what_they_are_done_to() {
        for (name, on_key, cross_account, has_context) in [
            ("kms:Decrypt", true, true, true),
            ("KMS:decrypt", true, true, true),
            ("kms:ReEncryptTo", true, true, true),
            ("kms:Sign", true, true, false),
            ("kms:PutKeyPolicy", true, false, false),
            ("kms:CreateAlias", true, false, false),
            ("kms:GetKeyLastUsage", true, false, false),
            ("kms:CreateKey", false, false, false),
            ("kms:ListKeys", false, false, false),
            ("strongroom:QueryAuditTrail", false, false, false),
            ("strongroom:ExplainAccess", false, false, false),
        ] {
            let act = Act::of(name).unwrap();
            let found = (act.on_key, act.cross_account, act.has_context);
            assert_eq!(found, (on_key, cross_account, has_context), "{name}");
        }
        for none in
            ["kms:DeleteKey", "kms:Fly", "kms:*", "kms:RetireGrant", "sts:GetCallerIdentity", ""]
        {
            assert!(Act::of(none).is_err(), "{none}");
        }
        assert!(OWN.iter().all(|own| registered().any(|entry| entry.name == *own)));
    }

    #[test]
    fn only_known_principals_are_explained() {
        let root = explained_principal("arn:aws:iam::111122223333:root", None).unwrap();
        assert!(root.is_root() && root.account == "111122223333");
        let session = "arn:aws:sts::111122223333:assumed-role/deploy/ci";
        for arn in [session, "arn:aws:iam::111122223333:role/ops/deploy"] {
            let role = explained_principal(arn, None).unwrap();
            assert!(role.arn.starts_with("arn:aws:sts::111122223333:assumed-role/deploy/"));
        }
        for (arn, said) in [
            ("arn:aws:iam::111122223333:user/nobody", "who is known"),
            ("arn:aws:iam::111122223333:role/", "who is known"),
            ("arn:aws:sts::111122223333:assumed-role/a", "who is known"),
            ("arn:aws:iam::1:root", "ARN such as"),
            ("arn:aws:s3:::bucket/key", "ARN such as"),
            ("111122223333", "ARN such as"),
            ("*", "ARN such as"),
            ("", "ARN such as"),
        ] {
            let refused = explained_principal(arn, None).unwrap_err();
            assert!(refused.code() == "ValidationException" && refused.to_string().contains(said));
        }
        let file = credentials();
        let alice = "arn:aws:iam::111122223333:user/team/alice";
        for (arn, known) in [(alice, true), ("arn:aws:iam::777788889999:root", false)] {
            assert_eq!(explained_principal(arn, Some(&file)).is_ok(), known, "{arn}");
        }
    }

    #[test]
    fn the_actions_of_documents_are_those_that_there_are() {
        let said = |action: &str| -> Vec<String> {
            let text = format!(
                "{{\"Version\": \"2012-10-17\", \"Statement\": {{\"Effect\": \"Allow\", \"Action\": \
                 \"{action}\", \"Resource\": \"*\"}}}}"
            );
            let found = check_policy(&text, PolicyKind::Identity);
            found.into_iter().map(|finding| finding.message).collect()
        };
        for known in [
            "kms:Decrypt",
            "kms:ConnectCustomKeyStore",
            "strongroom:*",
            "s3:Get",
            "sts:TagSession",
            "*",
        ] {
            assert_eq!(said(known), [""; 0], "{known}");
        }
        for unknown in ["kms:DeleteKey", "kms:RotateKey", "kms:ReEncrypt", "strongroom:Fly"] {
            assert_eq!(said(unknown).len(), 1, "{unknown}");
        }
    }
}
