//! What would change a decision, in words.
//!
//! What is proposed has been tried: the decision is asked again with that one thing changed, and a
//! statement which would change nothing is not mentioned. The first advice to a refusal says what is
//! missing in the words of the refusal itself.

use std::fmt::Display;
use std::sync::Arc;

use super::Policy;
use super::decision::{Decision, Guard, Side};
use super::explain::{GrantFinding, PolicyFinding, StatementFinding, deciding as named};
use super::policy::{Effect, Listed, Statement};
use super::principal::{Kind, Naming};
use super::what_if::{Case, Element};

/// Statements that are tried at the most; a policy of 32 KiB may have hundreds.
const TRIED: usize = 20;
/// Names of an element that are shown.
const SHOWN: usize = 5;

/// What would change the decision on a case.
pub(super) fn on(
    case: &Case<'_>,
    decision: &Decision,
    policies: &[PolicyFinding],
    grants: &[GrantFinding],
) -> Vec<String> {
    let advisor = Advisor { case, decision, policies, grants };
    match decision {
        Decision::Allow { by, .. } => advisor.to_keep_out(*by),
        Decision::Deny { by, .. } => advisor.to_lift(*by),
        Decision::ImplicitDeny { missing } => advisor.to_let_in(*missing),
    }
}

struct Advisor<'a> {
    case: &'a Case<'a>,
    decision: &'a Decision,
    policies: &'a [PolicyFinding],
    grants: &'a [GrantFinding],
}

/// A statement with its policy, where it stands among all.
type Placed<'a> = (&'a PolicyFinding, usize, &'a StatementFinding);

impl Advisor<'_> {
    /// Of an allowance.
    fn to_keep_out(&self, by: Side) -> Vec<String> {
        let named = named(self.policies, self.grants);
        let mut advice = Vec::new();
        if by == Side::Root && named.is_empty() {
            advice.push(format!(
                "It is allowed because {} is the root of the account; no policy has to allow it.",
                self.principal()
            ));
        } else if !named.is_empty() {
            let without = self.case.decide_with(
                &self.without(|_, statement| statement.decides),
                &self.grants_without(|grant| grant.decides),
            );
            let then = match &without {
                Decision::Allow { by, statement } => {
                    format!("without that, {} would allow it", self.allowing(*by, statement))
                }
                _ => "nothing else does".to_owned(),
            };
            advice.push(format!("It is allowed by {}; {then}.", all_quoted(&named)));
        }
        let nearly = self.near(Effect::Deny).filter_map(|(placed, element)| {
            let would = self.case.decide_with(&self.freeing(placed, element), self.grants);
            matches!(would, Decision::Deny { .. }).then(|| {
                format!("{} would deny it, but for {}.", cited(placed), self.why(placed, element))
            })
        });
        advice.extend(nearly);
        advice.push(format!(
            "An explicit Deny of {} for {}, in any policy in play, would refuse it whatever allows it.",
            self.case.question.action,
            self.principal()
        ));
        advice
    }

    /// Of an explicit denial.
    fn to_lift(&self, by: Side) -> Vec<String> {
        let denies =
            |statement: &StatementFinding| statement.effect == Effect::Deny && statement.applies();
        let denying: Vec<Placed<'_>> =
            self.statements().filter(|(_, _, statement)| denies(statement)).collect();
        let mut advice: Vec<String> = denying.iter().map(|placed| lifting(*placed)).collect();
        if advice.is_empty() {
            advice.push(format!(
                "A statement of {} that is not shown denies it explicitly: it would have to go, or to \
                 leave this call out.",
                by.with_article()
            ));
            return advice;
        }
        let without = self.without(|_, statement| denies(statement));
        let lifted = match denying.as_slice() {
            [_] => "Without that statement",
            _ => "Without all of these",
        };
        advice.push(match self.case.decide_with(&without, self.grants) {
            Decision::Allow { by, statement } => {
                format!("{lifted} {} would allow the call.", self.allowing(by, &statement))
            }
            Decision::Deny { by, .. } => {
                format!("{lifted} the call would still be denied, by {}.", by.with_article())
            }
            Decision::ImplicitDeny { missing } => {
                let action = self.case.question.action;
                format!("{lifted} the call would still be refused: no {missing} allows {action}.")
            }
        });
        advice
    }

    /// Of a refusal because something is missing.
    fn to_let_in(&self, missing: Side) -> Vec<String> {
        let mut advice = vec![self.needed(missing)];
        let nearly = self.near(Effect::Allow).filter_map(|(placed, element)| {
            let would = self.case.decide_with(&self.freeing(placed, element), self.grants);
            let enough = self.enough(&would)?;
            let why = self.why(placed, element);
            Some(format!("{} would apply, but for {why}.{enough}", cited(placed)))
        });
        advice.extend(nearly);
        for (index, grant) in self.grants.iter().enumerate().take(TRIED) {
            if grant.operation == grant.constraints {
                continue;
            }
            let mut grants = self.grants.to_vec();
            if let Some(freed) = grants.get_mut(index) {
                (freed.operation, freed.constraints) = (true, true);
            }
            let would = self.case.decide_with(&self.case.policies, &grants);
            let Some(enough) = self.enough(&would) else { continue };
            let why = match grant.operation {
                true => "its constraints, which the call's encryption context does not meet",
                false => "its operations, of which this is none",
            };
            advice.push(format!("`{}` would apply, but for {why}.{enough}", grant.name));
        }
        advice
    }

    /// What has to allow, as a refusal says it.
    fn needed(&self, missing: Side) -> String {
        let (principal, action) = (self.principal(), self.case.question.action);
        let resource = self.resource();
        let because = self.decision.because(action);
        let foreign = self.case.resource.is_foreign(self.case.question.principal);
        let what = match (missing, &self.case.resource.guard) {
            (Side::Resource, Guard::Named { name, principals }) => {
                format!("`{name}` names who may: {}", principals.join(", "))
            }
            (Side::Resource, guard) => {
                let account = &self.case.question.principal.account;
                let own = match guard {
                    Guard::Needed(_) => "the key's policy has to, or a grant",
                    Guard::Beside(_) | Guard::Named { .. } => "the resource's policy has to",
                };
                let means = match self.case.question.principal.kind {
                    Kind::Anonymous => "everybody".to_owned(),
                    Kind::Root | Kind::Service => principal.to_owned(),
                    Kind::User | Kind::Session { .. } => {
                        format!("{principal}, or for account {account}, which then hands it on")
                    }
                };
                let kind = &self.case.question.principal.kind;
                let both = match foreign && matches!(kind, Kind::User | Kind::Session { .. }) {
                    true => "; what is another account's needs a policy of the caller's own, too",
                    false => "",
                };
                format!("{own}: an Allow of {action} on {resource} for {means}{both}")
            }
            (Side::Identity, _) => {
                let left = self.statements().find(|(policy, _, statement)| {
                    policy.side == Side::Resource
                        && statement.effect == Effect::Allow
                        && statement.applies()
                });
                let left = left.map(|placed| match (foreign, placed.2.naming) {
                    (true, _) => format!("{} lets it in from its side; ", cited(placed)),
                    (false, _) => format!("{} leaves it to the account; ", cited(placed)),
                });
                format!(
                    "{}a policy of {principal}'s own has to: an Allow of {action} on {resource}",
                    left.unwrap_or_default()
                )
            }
            (Side::Boundary, _) => format!(
                "what is allowed otherwise counts only within the boundary, which has to have \
                 an Allow of {action} on {resource}, too"
            ),
            (Side::Session, _) => format!(
                "what is allowed otherwise counts only within the policies that the session was begun \
                 with; one of them has to have an Allow of {action} on {resource}, too"
            ),
            (Side::Grant | Side::Root, _) => format!("{missing} has to"),
        };
        format!("It is refused {because}: {what}.")
    }

    /// What is to be said of a change after which something else would be decided; nothing where the same
    /// would be.
    fn enough(&self, would: &Decision) -> Option<String> {
        match would {
            Decision::Allow { .. } => Some(" Then the call would be allowed.".to_owned()),
            same if same == self.decision => None,
            refused => {
                let because = refused.because(self.case.question.action);
                Some(format!(" Then the call would still be refused, {because}."))
            }
        }
    }

    /// Statements of an effect that one element alone keeps from applying.
    fn near(&self, effect: Effect) -> impl Iterator<Item = (Placed<'_>, Element)> {
        let of_effect = self.statements().filter(move |(_, _, found)| found.effect == effect);
        let near = of_effect.filter_map(|placed| {
            let mut missing = placed.2.missing();
            let element = missing.next()?;
            missing.next().is_none().then_some((placed, element))
        });
        near.take(TRIED)
    }

    fn statements(&self) -> impl Iterator<Item = Placed<'_>> {
        self.policies.iter().flat_map(|policy| {
            let statements = policy.statements.iter().enumerate();
            statements.map(move |(index, statement)| (policy, index, statement))
        })
    }

    /// The policies, with one element of a statement out of the way.
    fn freeing(
        &self,
        (policy, index, _): Placed<'_>,
        element: Element,
    ) -> Vec<(Side, Arc<Policy>)> {
        self.case.with(|place, at, statement| {
            Some(match (place, at) == (policy.place, index) {
                true => self.case.freed(statement, element),
                false => statement.clone(),
            })
        })
    }

    /// The policies without some statements.
    fn without(
        &self,
        gone: impl Fn(&PolicyFinding, &StatementFinding) -> bool,
    ) -> Vec<(Side, Arc<Policy>)> {
        self.case.with(|place, at, statement| {
            let policy = self.policies.iter().find(|policy| policy.place == place);
            let found = policy.and_then(|policy| Some((policy, policy.statements.get(at)?)));
            let gone = found.is_some_and(|(policy, found)| gone(policy, found));
            (!gone).then(|| statement.clone())
        })
    }

    fn grants_without(&self, gone: impl Fn(&GrantFinding) -> bool) -> Vec<GrantFinding> {
        self.grants.iter().filter(|grant| !gone(grant)).cloned().collect()
    }

    /// What of a statement is otherwise than the call.
    fn why(&self, (policy, index, found): Placed<'_>, element: Element) -> String {
        let policies = self.case.policies.get(policy.place);
        let Some(statement) = policies.and_then(|(_, policy)| policy.statements().get(index))
        else {
            return "one of its elements".to_owned();
        };
        match element {
            Element::Action => format!("its {}", listed("Action", &statement.actions.0)),
            Element::Condition => {
                let failing: Vec<String> = found.failing().map(ToString::to_string).collect();
                match failing.as_slice() {
                    [one] => format!("its condition: {one}"),
                    all => format!("its conditions: {}", all.join("; ")),
                }
            }
            Element::Principal => format!("its {}", whom(statement)),
            Element::Resource => {
                let resources = statement.resources.as_ref();
                resources.map_or_else(String::new, |all| format!("its {}", listed("Resource", all)))
            }
        }
    }

    /// What allows, as far as it is told of.
    fn allowing(&self, by: Side, statement: &str) -> String {
        match by {
            Side::Root => "being the account's root".to_owned(),
            _ if self.policies.len() < self.case.policies.len() => by.with_article().to_owned(),
            _ => quoted(statement),
        }
    }

    fn principal(&self) -> &str {
        match self.case.question.principal.kind {
            Kind::Anonymous => "nobody in particular",
            _ => &self.case.question.principal.arn,
        }
    }

    fn resource(&self) -> &str {
        match self.case.question.resource {
            "*" => "`*`",
            arn => arn,
        }
    }
}

/// What would have to become of a denying statement.
fn lifting(placed: Placed<'_>) -> String {
    let cited = cited(placed);
    let conditions: Vec<String> = placed.2.conditions.iter().map(ToString::to_string).collect();
    match conditions.as_slice() {
        [] => format!(
            "{cited} denies it explicitly, whatever allows it: that statement would have to go, or to \
             leave out this principal, action or resource."
        ),
        [one] => format!(
            "{cited} denies it explicitly, whatever allows it: that statement would have to go, or its \
             condition not to hold: {one}."
        ),
        all => format!(
            "{cited} denies it explicitly, whatever allows it: that statement would have to go, or one \
             of its conditions not to hold: {}.",
            all.join("; ")
        ),
    }
}

/// `Principal` or its opposite, as it was read.
fn whom(statement: &Statement) -> String {
    match &statement.principals {
        Some(principals) => listed("Principal", principals),
        None => "holder".to_owned(),
    }
}

/// `Action kms:Encrypt, kms:Decrypt`, or `NotAction …`.
fn listed<T: Display>(name: &str, all: &Listed<T>) -> String {
    let (not, names) = match all {
        Listed::These(names) => ("", names),
        Listed::AllBut(names) => ("Not", names),
    };
    let mut shown: Vec<String> = names.iter().take(SHOWN).map(ToString::to_string).collect();
    if names.is_empty() {
        return format!("{not}{name}, which names none that calls here");
    }
    if names.len() > SHOWN {
        shown.push(format!("and {} more", names.len() - SHOWN));
    }
    format!("{not}{name} {}", shown.join(", "))
}

fn cited((policy, _, statement): Placed<'_>) -> String {
    quoted(&policy.cite(statement))
}

fn quoted(text: &str) -> String {
    format!("`{text}`")
}

fn all_quoted(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(" and ")
}

/// How a caller is meant, in a word.
impl Display for Naming {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(match self {
            Self::Account => "account",
            Self::Role => "role",
            Self::Everyone => "everyone",
            Self::Itself => "itself",
        })
    }
}
