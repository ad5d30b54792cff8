//! Why a call is decided as it is: every statement of every policy in play, held against it element by
//! element, and what would change the decision.
//!
//! Invariant: nothing is decided here. The decision is [`decide`](super::decide)'s, and so is what
//! would be decided if one thing were otherwise. A statement's elements are compared by the functions
//! that [`Policy::evaluate`](super::Policy::evaluate) uses.

use std::fmt;
use std::sync::Arc;

use super::context::Known;
use super::decision::{Decision, Resource, Side};
use super::policy::{Effect, Policy, Question, Statement};
use super::principal::Naming;
use super::what_if::{Case, Element};
use super::{Condition, Context, advice};

/// A decision with its reasons.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What [`decide`](super::decide) says.
    pub decision: Decision,
    /// What each policy that is told of says.
    pub policies: Vec<PolicyFinding>,
    /// What each grant says.
    pub grants: Vec<GrantFinding>,
    /// What would change the decision, in words.
    pub advice: Vec<String>,
}

/// One policy in play.
#[derive(Debug, Clone)]
pub struct PolicyFinding {
    /// What kind of policy it is.
    pub side: Side,
    /// What records call it.
    pub name: String,
    /// Its statements, in their order.
    pub statements: Vec<StatementFinding>,
    /// Which of all policies in play it is.
    pub(super) place: usize,
}

/// One statement, held against the call.
#[derive(Debug, Clone)]
pub struct StatementFinding {
    /// Its `Sid`, or its place.
    pub name: String,
    /// What it does where it applies.
    pub effect: Effect,
    /// How it means the caller, if it does.
    pub naming: Option<Naming>,
    /// Whether it is about the action.
    pub action: bool,
    /// Whether it is about the resource.
    pub resource: bool,
    /// Its conditions, and whether they hold.
    pub conditions: Vec<Tested>,
    /// Whether the decision is its.
    pub decides: bool,
}

/// A condition, held against the call.
#[derive(Debug, Clone)]
pub struct Tested {
    /// As its author wrote it.
    pub condition: String,
    /// Its key, as its author wrote it.
    pub key: String,
    /// What the call has of the key; nothing where it is absent.
    pub found: Option<Vec<String>>,
    /// Whether it holds.
    pub holds: bool,
    /// Whether the key has many values and the operator compares one.
    needs_set: bool,
}

/// A grant whose grantee means the caller, held against the call.
#[derive(Debug, Clone)]
pub struct GrantFinding {
    /// What records call it.
    pub name: String,
    /// How its grantee means the caller.
    pub naming: Naming,
    /// Whether it has the operation.
    pub operation: bool,
    /// Whether its constraints hold for the call.
    pub constraints: bool,
    /// Whether the decision is its.
    pub decides: bool,
}

/// Which policies are told of. The decision is made of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// All.
    Everything,
    /// The resource's own and its grants: what a caller's account says to itself stays there.
    ResourceSide,
}

/// Explains the decision on a call. `grants` are those whose grantee means the caller; of those that
/// give the operation in the call's context, the last with the strongest naming counts.
#[must_use]
pub fn explain(
    question: &Question<'_>,
    resource: &Resource,
    grants: Vec<GrantFinding>,
    shown: Shown,
) -> Explanation {
    let case = Case::new(question, resource);
    let decision = case.decide(&grants);
    let told = case.policies.iter().enumerate();
    let told = told.filter(|(_, (side, _))| shown == Shown::Everything || *side == Side::Resource);
    let finding = |(place, (side, policy)): (usize, &(Side, Arc<Policy>))| PolicyFinding {
        side: *side,
        name: policy.name().to_owned(),
        statements: policy
            .statements()
            .iter()
            .map(|statement| found(statement, question))
            .collect(),
        place,
    };
    let mut policies: Vec<PolicyFinding> = told.map(finding).collect();
    let mut grants = grants;
    mark(&decision, &mut policies, &mut grants);
    let advice = advice::on(&case, &decision, &policies, &grants);
    Explanation { decision, policies, grants, advice }
}

impl Explanation {
    /// The outcome as AWS's simulator names it (IAM API Reference, `EvaluationResult`).
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self.decision {
            Decision::Allow { .. } => "allowed",
            Decision::Deny { .. } => "explicitDeny",
            Decision::ImplicitDeny { .. } => "implicitDeny",
        }
    }

    /// The kind of policy that decided, or that would have had to.
    #[must_use]
    pub fn decided_by(&self) -> String {
        match &self.decision {
            Decision::Allow { by: Side::Root, .. } => "account root".to_owned(),
            Decision::Allow { by, .. } | Decision::Deny { by, .. } => by.to_string(),
            Decision::ImplicitDeny { missing } => missing.to_string(),
        }
    }

    /// The same where the call is refused before policies are asked: `why` is all that would have to
    /// change.
    #[must_use]
    pub fn refused_beforehand(mut self, missing: Side, why: String) -> Self {
        self.decision = Decision::ImplicitDeny { missing };
        let statements = self.policies.iter_mut().flat_map(|policy| &mut policy.statements);
        statements.for_each(|statement| statement.decides = false);
        self.grants.iter_mut().for_each(|grant| grant.decides = false);
        self.advice = vec![why];
        self
    }

    /// The statements and grants that decided, as records name them.
    #[must_use]
    pub fn deciding(&self) -> Vec<String> {
        deciding(&self.policies, &self.grants)
    }
}

impl PolicyFinding {
    /// How a record names a statement of it.
    #[must_use]
    pub fn cite(&self, statement: &StatementFinding) -> String {
        format!("{}: {}", self.name, statement.name)
    }
}

impl StatementFinding {
    /// Whether it applies: every element is as it says.
    #[must_use]
    pub fn applies(&self) -> bool {
        self.missing().next().is_none()
    }

    /// The conditions that do not hold.
    pub fn failing(&self) -> impl Iterator<Item = &Tested> {
        self.conditions.iter().filter(|tested| !tested.holds)
    }

    /// The elements that are otherwise.
    pub(super) fn missing(&self) -> impl Iterator<Item = Element> {
        [
            (Element::Principal, self.naming.is_some()),
            (Element::Action, self.action),
            (Element::Resource, self.resource),
            (Element::Condition, self.failing().next().is_none()),
        ]
        .into_iter()
        .filter_map(|(element, fits)| (!fits).then_some(element))
    }
}

impl GrantFinding {
    /// Whether it gives the operation.
    #[must_use]
    pub const fn gives(&self) -> bool {
        self.operation && self.constraints
    }
}

impl fmt::Display for Tested {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { condition, found, .. } = self;
        match found.as_deref() {
            None => write!(to, "{condition}, and the call has none")?,
            Some([one]) => write!(to, "{condition}, and the call has {one:?}")?,
            Some(all) => write!(to, "{condition}, and the call has {all:?}")?,
        }
        match self.needs_set {
            true => to.write_str(" (many values: only ForAnyValue and ForAllValues compare them)"),
            false => Ok(()),
        }
    }
}

fn found(statement: &Statement, question: &Question<'_>) -> StatementFinding {
    let (conditions, context) = (statement.conditions(), question.context);
    // The context is made when a condition first needs it.
    let tested = match conditions.is_empty() {
        true => Vec::new(),
        false => conditions.iter().map(|condition| tested(condition, context)).collect(),
    };
    StatementFinding {
        name: statement.name().to_owned(),
        effect: statement.effect(),
        naming: statement.naming(question.principal),
        action: statement.has_action(question.action),
        resource: statement.has_resource(question),
        conditions: tested,
        decides: false,
    }
}

fn tested(condition: &Condition, context: &Context) -> Tested {
    let found = context.get(condition.name());
    let multivalued = found.is_some_and(Known::is_multivalued);
    let holds = condition.holds(context);
    Tested {
        condition: condition.to_string(),
        key: condition.key().to_owned(),
        found: found.map(|found| found.values().to_vec()),
        holds,
        needs_set: !holds && multivalued && condition.compares_one(),
    }
}

/// Marks what a decision names.
fn mark(decision: &Decision, policies: &mut [PolicyFinding], grants: &mut [GrantFinding]) {
    let (statement, effect) = match decision {
        Decision::Allow { statement, .. } => (statement, Effect::Allow),
        Decision::Deny { by, statement } => {
            let denied = |side: Side, cited: &str| side == *by && cited == statement;
            mark_strongest(policies, Effect::Deny, denied);
            return;
        }
        Decision::ImplicitDeny { .. } => return,
    };
    // Either side may be named alone, or the resource's first and then the caller's.
    let names = |first: &str| {
        statement.strip_prefix(first).is_some_and(|rest| rest.is_empty() || rest.starts_with("; "))
    };
    let after = |first: &str| statement.get(first.len()..).unwrap_or_default().to_owned();
    let first = |side: Side, cited: &str| side == Side::Resource && names(cited);
    let named = mark_strongest(policies, effect, first).or_else(|| {
        let giving = grants.iter_mut().filter(|grant| grant.gives() && names(&grant.name));
        let grant = giving.max_by(|one, other| one.naming.cmp(&other.naming))?;
        grant.decides = true;
        Some(grant.name.clone())
    });
    let rest = named.map_or_else(|| statement.clone(), |named| after(&named));
    let rest = rest.strip_prefix("; ").unwrap_or(&rest);
    let own = |side: Side, cited: &str| side == Side::Identity && cited == rest;
    mark_strongest(policies, effect, own);
}

/// Marks, of the applying statements that are wanted, the first of those with the strongest naming:
/// that which a policy's verdict names.
fn mark_strongest(
    policies: &mut [PolicyFinding],
    effect: Effect,
    wanted: impl Fn(Side, &str) -> bool,
) -> Option<String> {
    let mut strongest: Option<(String, &mut StatementFinding)> = None;
    for policy in policies {
        let (side, name) = (policy.side, &policy.name);
        for statement in &mut policy.statements {
            let cited = format!("{name}: {}", statement.name);
            let stronger = effect == Effect::Allow
                && strongest.as_ref().is_some_and(|(_, known)| statement.naming > known.naming);
            if statement.effect == effect
                && statement.applies()
                && wanted(side, &cited)
                && (stronger || strongest.is_none())
            {
                strongest = Some((cited, statement));
            }
        }
    }
    let (cited, statement) = strongest?;
    statement.decides = true;
    Some(cited)
}

/// What is marked, as records name it.
pub(super) fn deciding(policies: &[PolicyFinding], grants: &[GrantFinding]) -> Vec<String> {
    let statements = policies.iter().flat_map(|policy| {
        let deciding = policy.statements.iter().filter(|statement| statement.decides);
        deciding.map(|statement| policy.cite(statement))
    });
    let grants = grants.iter().filter(|grant| grant.decides).map(|grant| grant.name.clone());
    // A grant is the resource's side, which is named first.
    let mut all: Vec<String> = grants.collect();
    all.extend(statements);
    all
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Guard, Kind, PolicyKind, Principal, Standing};
    use super::*;

    const ALICE: &str = "arn:aws:iam::111122223333:user/alice";
    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/k";

    fn policy(name: &str, statements: &Value, kind: PolicyKind) -> Arc<Policy> {
        let text = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
        Arc::new(Policy::parse(name, &text, kind).unwrap())
    }

    /// `kms:Decrypt` by Alice, with these statements in the key's policy and hers.
    fn explained(key: &Value, own: &Value, grants: Vec<GrantFinding>, shown: Shown) -> Explanation {
        let alice = Principal::new(ALICE.to_owned(), "111122223333", "AIDA", Kind::User);
        let policies = match own {
            Value::Null => Vec::new(),
            own => vec![policy("identity policy", own, PolicyKind::Identity)],
        };
        let standing = Standing { policies, ..Standing::default() };
        let alice = Principal { standing: Arc::new(standing), ..alice };
        let guard = Guard::Needed(policy("key policy", key, PolicyKind::Key));
        let account = "111122223333".to_owned();
        let resource = Resource { arn: KEY.to_owned(), account, guard };
        let mut context = Context::default();
        context.put("kms:ViaService", "ebs");
        context.put_all("kms:ResourceAliases", ["alias/a"]);
        let context = Box::new(context);
        let (action, arn) = ("kms:Decrypt", &*resource.arn);
        let question = Question { principal: &alice, action, resource: arn, context: &context };
        explain(&question, &resource, grants, shown)
    }

    fn key(effect: &str, who: &str, action: &str, conditions: &Value) -> Value {
        json!([{
            "Sid": "K", "Effect": effect, "Principal": { "AWS": who }, "Action": action,
            "Resource": "*", "Condition": conditions,
        }])
    }

    fn own(effect: &str, action: &str) -> Value {
        json!([{ "Sid": "O", "Effect": effect, "Action": action, "Resource": "*" }])
    }

    #[test]
    fn advice_is_what_was_tried() {
        let none = json!({});
        let via = json!({ "StringEquals": { "kms:ViaService": "s3" } });
        let alias = json!({ "StringLike": { "kms:ResourceAliases": "alias/*" } });
        let account = "111122223333";
        for (key, own, outcome, said) in [
            (
                key("Allow", ALICE, "kms:*", &none),
                Value::Null,
                "allowed",
                "`key policy: K`; nothing else",
            ),
            (
                key("Allow", ALICE, "kms:*", &via),
                Value::Null,
                "implicitDeny",
                "`key policy: K` would apply, but for its condition: StringEquals kms:ViaService [\"s3\"], and the \
              call has \"ebs\". Then the call would be allowed.",
            ),
            (key("Allow", ALICE, "kms:*", &alias), Value::Null, "implicitDeny", "only ForAnyValue"),
            (
                key("Allow", ALICE, "kms:Encrypt", &none),
                Value::Null,
                "implicitDeny",
                "but for its Action kms:Encrypt. Then the call would be allowed.",
            ),
            (
                key("Allow", "444455556666", "kms:*", &none),
                own("Allow", "kms:*"),
                "implicitDeny",
                "but for its Principal 444455556666. Then the call would be allowed.",
            ),
            (
                key("Allow", account, "kms:*", &none),
                Value::Null,
                "implicitDeny",
                "`key policy: K` leaves it to the account; a policy of arn:aws:iam::111122223333:user/alice's own",
            ),
            (
                key("Allow", account, "kms:*", &none),
                own("Allow", "kms:Encrypt"),
                "implicitDeny",
                "`identity policy: O` would apply, but for its Action kms:Encrypt. Then the call would be allowed.",
            ),
            (
                key("Allow", account, "kms:*", &via),
                Value::Null,
                "implicitDeny",
                "Then the call would still be refused, because no identity-based policy allows",
            ),
            (
                key("Allow", ALICE, "kms:*", &none),
                own("Deny", "kms:*"),
                "explicitDeny",
                "Without that statement `key policy: K` would allow the call.",
            ),
            (
                key("Deny", ALICE, "kms:*", &none),
                own("Deny", "kms:*"),
                "explicitDeny",
                "Without all of these the call would still be refused: no resource-based policy allows",
            ),
            (
                key("Allow", ALICE, "kms:*", &none),
                own("Deny", "kms:Encrypt"),
                "allowed",
                "`identity policy: O` would deny it, but for its Action kms:Encrypt.",
            ),
        ] {
            let found = explained(&key, &own, Vec::new(), Shown::Everything);
            assert_eq!(found.outcome(), outcome, "{key} {own}");
            assert!(found.advice.iter().any(|advice| advice.contains(said)), "{:#?}", found.advice);
        }
    }

    #[test]
    fn a_grant_decides_or_nearly_does() {
        let grant = |operation, constraints| GrantFinding {
            name: "grant g".to_owned(),
            naming: Naming::Itself,
            operation,
            constraints,
            decides: false,
        };
        let nobody = key("Allow", "444455556666", "kms:*", &json!({}));
        for (operation, constraints, outcome, said) in [
            (true, true, "allowed", "`grant g`; nothing else"),
            (true, false, "implicitDeny", "but for its constraints"),
            (false, true, "implicitDeny", "but for its operations"),
        ] {
            let grants = vec![grant(operation, constraints)];
            let found = explained(&nobody, &Value::Null, grants, Shown::Everything);
            assert_eq!(found.outcome(), outcome);
            assert!(found.advice.iter().any(|advice| advice.contains(said)), "{:#?}", found.advice);
            let decided: &[&str] = if outcome == "allowed" { &["grant g"] } else { &[] };
            assert_eq!(found.deciding(), decided);
        }
    }

    #[test]
    fn what_is_not_shown_decides_and_is_not_told() {
        let none = json!({});
        for (key, own) in [
            (key("Allow", "111122223333", "kms:*", &none), own("Allow", "kms:*")),
            (key("Allow", ALICE, "kms:*", &none), own("Deny", "kms:*")),
            (key("Deny", ALICE, "kms:*", &none), own("Allow", "kms:*")),
            (key("Allow", "111122223333", "kms:*", &none), own("Allow", "kms:Encrypt")),
            (key("Allow", "111122223333", "kms:Encrypt", &none), own("Allow", "kms:Decrypt")),
        ] {
            let whole = explained(&key, &own, Vec::new(), Shown::Everything);
            let part = explained(&key, &own, Vec::new(), Shown::ResourceSide);
            assert_eq!(part.decision, whole.decision);
            assert!(!part.advice.is_empty());
            let told = format!("{:?}{:?}{:?}", part.policies, part.advice, part.deciding());
            assert!(!told.contains("identity policy"), "{told}");
        }
    }
}
