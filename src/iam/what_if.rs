//! What would be decided if one thing were otherwise: [`decide`] is asked again.

use std::sync::Arc;

use super::Conditions;
use super::decision::{Decision, Granted, Guard, Resource, Side, decide};
use super::explain::GrantFinding;
use super::policy::{Listed, Policy, Question, Statement};
use super::principal::{Principal, Standing};

/// A call and everything that is in play.
pub(super) struct Case<'a> {
    pub(super) question: &'a Question<'a>,
    pub(super) resource: &'a Resource,
    pub(super) policies: Vec<(Side, Arc<Policy>)>,
}

impl<'a> Case<'a> {
    pub(super) fn new(question: &'a Question<'a>, resource: &'a Resource) -> Self {
        let standing = &question.principal.standing;
        let of = |side: Side| move |policy: &Arc<Policy>| (side, Arc::clone(policy));
        let policies = resource.policy().map(of(Side::Resource)).into_iter();
        let policies = policies
            .chain(standing.policies.iter().map(of(Side::Identity)))
            .chain(standing.boundary.iter().map(of(Side::Boundary)))
            .chain(standing.session.iter().map(of(Side::Session)));
        Self { question, resource, policies: policies.collect() }
    }

    pub(super) fn decide(&self, grants: &[GrantFinding]) -> Decision {
        decide(self.question, self.resource, || best(grants))
    }

    /// What would be decided with other policies in the places of these.
    pub(super) fn decide_with(
        &self,
        policies: &[(Side, Arc<Policy>)],
        grants: &[GrantFinding],
    ) -> Decision {
        let all = |wanted: Side| -> Vec<Arc<Policy>> {
            let of_side = policies.iter().filter(|(side, _)| *side == wanted);
            of_side.map(|(_, policy)| Arc::clone(policy)).collect()
        };
        let one = |side: Side| all(side).into_iter().next();
        let guard = match (&self.resource.guard, one(Side::Resource)) {
            (Guard::Needed(_), Some(policy)) => Guard::Needed(policy),
            (Guard::Beside(_), policy) => Guard::Beside(policy),
            (guard, _) => guard.clone(),
        };
        let standing = Standing {
            policies: all(Side::Identity),
            boundary: one(Side::Boundary),
            session: all(Side::Session),
            ..Standing::default()
        };
        let caller = self.question.principal;
        let principal = Principal { standing: Arc::new(standing), ..caller.clone() };
        let question = Question { principal: &principal, ..*self.question };
        decide(&question, &Resource { guard, ..self.resource.clone() }, || best(grants))
    }

    /// The policies with each statement replaced, or taken out.
    pub(super) fn with(
        &self,
        mut change: impl FnMut(usize, usize, &Statement) -> Option<Statement>,
    ) -> Vec<(Side, Arc<Policy>)> {
        let policies = self.policies.iter().enumerate();
        let changed = policies.map(|(place, (side, policy))| {
            let statements = policy.statements().iter().enumerate();
            let kept = statements.filter_map(|(index, statement)| change(place, index, statement));
            (*side, Arc::new(Policy::new(policy.name().to_owned(), kept.collect())))
        });
        changed.collect()
    }

    /// A statement that one element does not keep from applying.
    pub(super) fn freed(&self, statement: &Statement, element: Element) -> Statement {
        let mut freed = statement.clone();
        match element {
            Element::Action => freed.actions.0 = Listed::AllBut(Vec::new()),
            Element::Condition => freed.conditions = Conditions::default(),
            Element::Principal => {
                let caller = self.question.principal.arn.clone();
                freed.principals = Some(Listed::These(vec![caller]));
            }
            Element::Resource => freed.resources = None,
        }
        freed
    }
}

/// An element of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Action,
    Condition,
    Principal,
    Resource,
}

/// The grant that counts.
fn best(grants: &[GrantFinding]) -> Option<Granted> {
    let giving = grants.iter().filter(|grant| grant.gives());
    let best = giving.max_by(|one, other| one.naming.cmp(&other.naming))?;
    Some(Granted { name: best.name.clone(), naming: best.naming })
}
